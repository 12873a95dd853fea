// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <algorithm>

#include "core/engine/chat/evaluator.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"

namespace loader::chat {

Result<Ref<Scope>> Evaluator::newScope() {
    LOADER_TRY(Scope* const scope, heap.make<Scope>(4 * sizeof(Value), m_scope));
    return Ref<Scope>(scope);
}

Result<Evaluator::Flow> Evaluator::execute(NodeId id) {
    const Node& statement = node(id);
    ++m_depth;
    const Status entered = enter(statement);
    Result<Flow> result = entered.ok() ? executeNode(statement) : Result<Flow>(entered.error());
    --m_depth;
    if (!result.ok()) return placed(std::move(result).error(), statement);
    return result;
}

Result<Evaluator::Flow> Evaluator::executeNode(const Node& statement) {
    switch (statement.kind) {
        case NodeKind::Block:
            for (std::uint32_t i = 0; i < statement.count; ++i) {
                LOADER_TRY(const Flow flow, execute(item(statement, i)));
                if (flow != Flow::Normal) return flow;
            }
            return Flow::Normal;
        case NodeKind::Data:
            LOADER_CHECK(meter.step(text(statement.text).size()));
            m_output->append(text(statement.text), true);
            LOADER_CHECK(m_output->status());
            return Flow::Normal;
        case NodeKind::Output: {
            LOADER_TRY(const Value value, evaluate(statement.a));
            LOADER_CHECK(appendText(*this, *m_output, value));
            return Flow::Normal;
        }
        case NodeKind::For: {
            LOADER_TRY(const Value iterable, evaluate(statement.b));
            return executeFor(statement, iterable, m_scope, 0);
        }
        case NodeKind::If: return executeIf(statement);
        case NodeKind::Set: LOADER_CHECK(executeSet(statement)); return Flow::Normal;
        case NodeKind::SetBlock: LOADER_CHECK(executeSetBlock(statement)); return Flow::Normal;
        case NodeKind::Macro: {
            const auto id = static_cast<NodeId>(&statement - m_program.nodes.data());
            LOADER_TRY(Value macro, newMacro(statement, id));
            assign(statement.text, std::move(macro));
            return Flow::Normal;
        }
        case NodeKind::CallBlock: LOADER_CHECK(executeCall(statement)); return Flow::Normal;
        case NodeKind::FilterBlock: {
            LOADER_TRY(Value body, capture(statement.b));
            LOADER_TRY(const Value filtered, postfix(node(statement.a), std::move(body), nullptr));
            LOADER_CHECK(appendText(*this, *m_output, filtered));
            return Flow::Normal;
        }
        case NodeKind::With: return executeWith(statement);
        case NodeKind::Scoped: {
            const Frame frame(*this);
            LOADER_TRY(m_scope, newScope());
            return execute(statement.a);
        }
        case NodeKind::Do: {
            LOADER_TRY(const Value ignored, evaluate(statement.a));
            static_cast<void>(ignored);
            return Flow::Normal;
        }
        case NodeKind::Break: return Flow::Break;
        case NodeKind::Continue: return Flow::Continue;
        default: return impossible("an unknown statement");
    }
}

Result<Evaluator::Flow> Evaluator::executeIf(const Node& statement) {
    for (std::uint32_t i = 0; i < statement.count; i += 2) {
        LOADER_TRY(const Value condition, evaluate(item(statement, i)));
        if (isTrue(condition)) return execute(item(statement, i + 1));
    }
    return statement.a == kNoNode ? Result<Flow>(Flow::Normal) : execute(statement.a);
}

/// What the loop will go through, filtered by its condition: a List, a Tuple or a Range.
Result<Value> Evaluator::loopSource(const Node& statement, const Value& iterable) {
    const NodeId condition = node(statement.c).a;
    if (condition == kNoNode && (iterable.isArray() || iterable.is(Kind::Range))) return iterable;
    if (condition == kNoNode) {
        LOADER_TRY(Values items, itemsOf(*this, iterable));
        return makeList(std::move(items));
    }
    LOADER_TRY(const Values items, itemsOf(*this, iterable));
    const Frame frame(*this);
    Values kept;
    for (const Value& candidate : items) {
        const Frame inner(*this);
        LOADER_TRY(m_scope, newScope());
        LOADER_CHECK(bind(statement.a, candidate));
        LOADER_TRY(const Value verdict, evaluate(condition));
        if (isTrue(verdict)) kept.push_back(candidate);
    }
    return makeList(std::move(kept));
}

Result<Evaluator::Flow> Evaluator::executeFor(const Node& statement, const Value& iterable, Ref<Scope> scope,
                                              std::uint32_t depth) {
    const Frame frame(*this);
    m_scope = std::move(scope);
    LOADER_TRY(Value source, loopSource(statement, iterable));
    const std::uint64_t count =
        source.is(Kind::Range) ? source.as<RangeObject>().count : source.as<ListObject>().items.size();
    const NodeId otherwise = node(statement.c).c;
    bool any = false;
    if (count != 0) {
        LOADER_TRY(LoopObject* const loop, heap.make<LoopObject>(0, std::move(source), count));
        const Value loopValue = Value::shared(Kind::Loop, loop);
        loop->depth = depth;
        if (statement.flag != 0) {
            loop->node = static_cast<NodeId>(&statement - m_program.nodes.data());
            loop->scope = m_scope;
        }
        LOADER_TRY(const Flow flow, iterate(statement, *loop, loopValue, any));
        static_cast<void>(flow);
    }
    if (any || otherwise == kNoNode) return Flow::Normal;
    LOADER_TRY(m_scope, newScope());
    return execute(otherwise);
}

Result<Evaluator::Flow> Evaluator::iterate(const Node& statement, LoopObject& loop, const Value& loopValue,
                                           bool& any) {
    const Ref<Scope> outer = m_scope;
    const NodeId body = node(statement.c).b;
    Ref<Scope> own;
    // The list itself may be replaced while the loop runs, but the loop holds it.
    for (loop.index = 0; loop.index < loop.count; ++loop.index) {
        LOADER_CHECK(meter.step());
        m_scope = outer;
        // A scope that nothing else refers to is used again.
        if (own.unique()) {
            own->names.clear();
        } else {
            LOADER_TRY(own, newScope());
        }
        m_scope = own;
        if (m_loopName != kNoText) own->set(m_loopName, loopValue);
        LOADER_CHECK(bind(statement.a, loop.at(loop.index)));
        LOADER_TRY(const Flow flow, execute(body));
        // jinja2 takes the else branch where no iteration came to its end.
        any = any || flow == Flow::Normal;
        if (flow == Flow::Break) break;
        m_scope = outer;
    }
    m_scope = outer;
    return Flow::Normal;
}

Status Evaluator::bind(NodeId target, const Value& value) {
    const Node& name = node(target);
    if (name.kind == NodeKind::Name) {
        assign(name.text, value);
        return {};
    }
    if (name.kind == NodeKind::NamespaceRef) {
        LOADER_TRY(const Value space, lookUp(name.text));
        if (!space.is(Kind::Namespace))
            return impossible("cannot assign an attribute of a value that is no namespace");
        auto& object = space.as<NamespaceObject>();
        const std::uint32_t field = node(name.b).text;
        if (Value* const known = object.find(text(field))) {
            *known = value;
            return {};
        }
        LOADER_TRY(Value key, textConstant(field));
        LOADER_CHECK(heap.grow(object, sizeof(Entries::value_type)));
        object.entries.emplace_back(std::move(key), value);
        return {};
    }
    LOADER_TRY(const Values items, itemsOf(*this, value));
    if (items.size() != name.count) {
        return impossible("cannot unpack " + std::to_string(items.size()) + " values into " +
                          std::to_string(name.count) + " names");
    }
    for (std::uint32_t i = 0; i < name.count; ++i)
        LOADER_CHECK(bind(item(name, i), items[i]));
    return {};
}

Status Evaluator::executeSet(const Node& statement) {
    LOADER_TRY(const Value value, evaluate(statement.b));
    return bind(statement.a, value);
}

Status Evaluator::executeSetBlock(const Node& statement) {
    LOADER_TRY(Value value, capture(statement.c));
    if (statement.b != kNoNode) {
        LOADER_TRY(value, postfix(node(statement.b), std::move(value), nullptr));
    }
    return bind(statement.a, value);
}

Status Evaluator::executeCall(const Node& statement) {
    LOADER_TRY(const Value caller, newMacro(node(statement.b), statement.b));
    const Node& target = node(statement.a);
    LOADER_TRY(Value base, evaluate(target.a));
    LOADER_TRY(const Value result, postfix(target, std::move(base), &caller));
    return appendText(*this, *m_output, result);
}

Result<Evaluator::Flow> Evaluator::executeWith(const Node& statement) {
    const Frame frame(*this);
    LOADER_TRY(const Ref<Scope> inner, newScope());
    // The values are all computed outside of the new scope.
    for (std::uint32_t i = 0; i < statement.count; i += 2) {
        LOADER_TRY(Value value, evaluate(item(statement, i + 1)));
        inner->set(node(item(statement, i)).text, std::move(value));
    }
    m_scope = inner;
    return execute(statement.a);
}

/// The text that a body writes, in a scope of its own.
Result<Value> Evaluator::capture(NodeId body) {
    const Frame frame(*this);
    TextBuilder builder(heap);
    LOADER_TRY(m_scope, newScope());
    m_output = &builder;
    LOADER_TRY(const Flow flow, execute(body));
    static_cast<void>(flow);
    return makeText(builder);
}

Result<Value> Evaluator::newMacro(const Node&, NodeId id) {
    LOADER_TRY(MacroObject* const macro, heap.make<MacroObject>(0, id, m_scope));
    return Value::shared(Kind::Macro, macro);
}

}  // namespace loader::chat
