// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/evaluator.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"

namespace loader::chat {
namespace {

/// Expressions and statements within each other, over all calls: bounds the use of the machine's stack.
constexpr std::uint32_t kEvaluationDepth = 1000;

class Level {
public:
    explicit Level(std::uint32_t& depth) : m_depth(depth) { ++m_depth; }
    ~Level() { --m_depth; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

private:
    std::uint32_t& m_depth;
};

}  // namespace

Status Evaluator::enter(const Node& where) {
    if (m_depth > kEvaluationDepth) {
        return placed(Error(Errc::J402, {"limit: " + std::to_string(kEvaluationDepth)}), where);
    }
    return meter.step();
}

Result<Value> Evaluator::evaluate(NodeId id) {
    const Node& expression = node(id);
    const Level level(m_depth);
    Status entered = enter(expression);
    if (!entered.ok()) return placed(std::move(entered).error(), expression);
    Result<Value> result = evaluateNode(expression);
    if (!result.ok()) return placed(std::move(result).error(), expression);
    return result;
}

Result<Value> Evaluator::optional(NodeId id) {
    return id == kNoNode ? Result<Value>(Value()) : evaluate(id);
}

Result<Value> Evaluator::textConstant(std::uint32_t id) {
    if (!m_isConstant[id]) {
        LOADER_TRY(m_constants[id], makeText(text(id), true));
        m_isConstant[id] = true;
    }
    return m_constants[id];
}

Result<Value> Evaluator::constant(const Node& expression) {
    switch (expression.kind) {
        case NodeKind::True: return Value::boolean(true, true);
        case NodeKind::False: return Value::boolean(false, true);
        case NodeKind::Integer: return Value::integer(m_program.integers[expression.text], true);
        case NodeKind::Float: return Value::floating(m_program.floats[expression.text], true);
        case NodeKind::String: return textConstant(expression.text);
        default: return Value::none(true);
    }
}

Result<Value> Evaluator::evaluateNode(const Node& expression) {
    switch (expression.kind) {
        case NodeKind::Name: return lookUp(expression.text);
        case NodeKind::List:
        case NodeKind::Tuple: return listLiteral(expression);
        case NodeKind::Dict: return dictLiteral(expression);
        case NodeKind::Not: {
            LOADER_TRY(const Value value, evaluate(expression.a));
            return Value::boolean(!isTrue(value), value.fromTemplate());
        }
        case NodeKind::Negative: {
            LOADER_TRY(const Value value, evaluate(expression.a));
            return negate(value);
        }
        case NodeKind::Positive: {
            LOADER_TRY(const Value value, evaluate(expression.a));
            if (!value.isNumber()) return wrongType("there is no sign of", value);
            return value.is(Kind::Bool) ? Value::integer(value.asInt(), value.fromTemplate()) : value;
        }
        case NodeKind::And: return logical(expression, false);
        case NodeKind::Or: return logical(expression, true);
        case NodeKind::Concat: return concat(expression);
        case NodeKind::Chain: return chain(expression);
        case NodeKind::Compare: return comparison(expression);
        case NodeKind::Choice: return choice(expression);
        case NodeKind::Postfix: {
            LOADER_TRY(Value base, evaluate(expression.a));
            return postfix(expression, std::move(base), nullptr);
        }
        default: return constant(expression);
    }
}

Result<Value> Evaluator::listLiteral(const Node& expression) {
    LOADER_CHECK(heap.expect(expression.count * sizeof(Value)));
    Values items;
    items.reserve(expression.count);
    for (std::uint32_t i = 0; i < expression.count; ++i) {
        LOADER_TRY(Value value, evaluate(item(expression, i)));
        items.push_back(std::move(value));
    }
    return makeList(std::move(items), expression.kind == NodeKind::Tuple ? Kind::Tuple : Kind::List);
}

Result<Value> Evaluator::dictLiteral(const Node& expression) {
    LOADER_CHECK(heap.expect(expression.count * sizeof(Value)));
    Entries entries;
    entries.reserve(expression.count / 2);
    for (std::uint32_t i = 0; i < expression.count; i += 2) {
        LOADER_TRY(Value key, evaluate(item(expression, i)));
        LOADER_TRY(Value value, evaluate(item(expression, i + 1)));
        LOADER_CHECK(checkKey(key));
        Value* present = nullptr;
        for (auto& entry : entries) {
            LOADER_TRY(const bool same, equal(*this, entry.first, key));
            if (!same) continue;
            present = &entry.second;
            break;
        }
        if (present) {
            *present = std::move(value);
        } else {
            entries.emplace_back(std::move(key), std::move(value));
        }
    }
    return makeDict(std::move(entries));
}

Result<Value> Evaluator::logical(const Node& expression, bool stopAt) {
    Value value;
    for (std::uint32_t i = 0; i < expression.count; ++i) {
        LOADER_TRY(value, evaluate(item(expression, i)));
        if (isTrue(value) == stopAt) break;
    }
    return value;
}

Result<Value> Evaluator::concat(const Node& expression) {
    TextBuilder builder(heap);
    for (std::uint32_t i = 0; i < expression.count; ++i) {
        LOADER_TRY(const Value value, evaluate(item(expression, i)));
        LOADER_CHECK(appendText(*this, builder, value));
    }
    return makeText(builder);
}

Result<Value> Evaluator::chain(const Node& expression) {
    LOADER_TRY(Value value, evaluate(expression.a));
    for (std::uint32_t i = 0; i < expression.count; i += 2) {
        LOADER_TRY(const Value right, evaluate(item(expression, i + 1)));
        LOADER_TRY(value, calculate(*this, static_cast<Operator>(item(expression, i)), value, right));
    }
    return value;
}

Result<Value> Evaluator::comparison(const Node& expression) {
    LOADER_TRY(Value left, evaluate(expression.a));
    bool origin = left.fromTemplate();
    for (std::uint32_t i = 0; i < expression.count; i += 2) {
        LOADER_TRY(Value right, evaluate(item(expression, i + 1)));
        origin = origin && right.fromTemplate();
        LOADER_TRY(const bool holds, compare(*this, static_cast<Operator>(item(expression, i)), left, right));
        if (!holds) return Value::boolean(false, origin);
        left = std::move(right);
    }
    return Value::boolean(true, origin);
}

Result<Value> Evaluator::choice(const Node& expression) {
    LOADER_TRY(const Value condition, evaluate(expression.a));
    if (isTrue(condition)) return evaluate(expression.b);
    if (expression.c != kNoNode) return evaluate(expression.c);
    return makeUndefined("the inline if-expression evaluated to false and no else section was defined");
}

Status Evaluator::spread(Arguments& result, const Value& value, bool named) {
    if (!named) {
        LOADER_TRY(const Values items, itemsOf(*this, value));
        result.positional.insert(result.positional.end(), items.begin(), items.end());
        return {};
    }
    if (!value.is(Kind::Dict)) return wrongType("named arguments cannot come from", value);
    for (const auto& entry : value.as<DictObject>().entries) {
        if (!entry.first.is(Kind::String)) return wrongType("no argument name can be", entry.first);
        LOADER_CHECK(meter.step());
        result.named.emplace_back(entry.first.bytes(), entry.second);
    }
    return {};
}

Result<Arguments> Evaluator::arguments(const Node& callNode) {
    Arguments result;
    for (std::uint32_t i = 0; i < callNode.count; ++i) {
        const Node& argument = node(item(callNode, i));
        LOADER_TRY(Value value, evaluate(argument.a));
        if (argument.flag != 0) {
            LOADER_CHECK(spread(result, value, argument.flag == 2));
        } else if (argument.text != kNoText) {
            result.named.emplace_back(text(argument.text), std::move(value));
        } else {
            result.positional.push_back(std::move(value));
        }
    }
    return result;
}

Result<Value> Evaluator::attribute(const Value& value, std::uint32_t name) {
    if (value.is(Kind::Loop)) {
        bool known = true;
        LOADER_TRY(Value found, loopAttribute(value.as<LoopObject>(), text(name), known));
        if (known) return found;
    }
    LOADER_TRY(const Value key, textConstant(name));
    return attributeOf(*this, value, key);
}

Result<Value> Evaluator::postfix(const Node& expression, Value value, const Value* caller) {
    for (std::uint32_t i = 0; i < expression.count; ++i) {
        const Node& operation = node(item(expression, i));
        const bool calledNext =
            i + 1 < expression.count && node(item(expression, i + 1)).kind == NodeKind::Call;
        switch (operation.kind) {
            case NodeKind::Attribute: {
                const Node* callNode = calledNext ? &node(item(expression, ++i)) : nullptr;
                const bool last = i + 1 == expression.count;
                LOADER_TRY(value,
                           callNode ? callAttribute(value, operation.text, *callNode, last ? caller : nullptr)
                                    : attribute(value, operation.text));
                break;
            }
            case NodeKind::Item: {
                LOADER_TRY(const Value key, evaluate(operation.a));
                LOADER_TRY(value, itemOf(*this, value, key));
                break;
            }
            case NodeKind::Slice: {
                LOADER_TRY(const Value start, optional(operation.a));
                LOADER_TRY(const Value stop, optional(operation.b));
                LOADER_TRY(const Value step, optional(operation.c));
                LOADER_TRY(value, sliceOf(*this, value, start, stop, step));
                break;
            }
            case NodeKind::Call: {
                LOADER_TRY(Arguments given, arguments(operation));
                if (caller && i + 1 == expression.count) given.named.emplace_back("caller", *caller);
                LOADER_TRY(value, call(value, given));
                break;
            }
            case NodeKind::Filter: {
                LOADER_TRY(const Arguments given, arguments(operation));
                LOADER_TRY(value, applyFilter(text(operation.text), value, given));
                break;
            }
            default: {
                LOADER_TRY(const Arguments given, arguments(operation));
                LOADER_TRY(const bool holds, applyTest(text(operation.text), value, given));
                value = Value::boolean(holds != (operation.flag != 0), false);
                break;
            }
        }
    }
    return value;
}

}  // namespace loader::chat
