// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/evaluator.h"
#include "core/engine/chat/globals.h"
#include "core/engine/chat/methods.h"
#include "core/engine/chat/objects.h"
#include "core/engine/chat/operators.h"
#include "core/engine/chat/print.h"

namespace loader::chat {

Result<Value> Evaluator::call(const Value& callee, Arguments& given) {
    LOADER_CHECK(meter.step());
    switch (callee.kind()) {
        case Kind::Undefined: return undefinedUse(callee);
        case Kind::Function: return callFunction(*this, callee.asInt(), given);
        case Kind::Macro: return callMacro(callee.as<MacroObject>(), given);
        case Kind::Loop: return callLoop(callee, given);
        case Kind::Method: return Error(Errc::J410, {"a method apart from its object"});
        case Kind::Joiner: {
            auto& joiner = callee.as<JoinerObject>();
            if (joiner.used) return joiner.separator;
            joiner.used = true;
            return makeText("", true);
        }
        default: return wrongType("there is nothing to call in", callee);
    }
}

Result<Value> Evaluator::callAttribute(const Value& receiver, std::uint32_t name, const Node& callNode,
                                       const Value* caller) {
    LOADER_TRY(Arguments given, arguments(callNode));
    if (caller) given.named.emplace_back("caller", *caller);
    return callNamed(receiver, name, given);
}

Result<Value> Evaluator::callNamed(const Value& receiver, std::uint32_t name, Arguments& given) {
    LOADER_CHECK(meter.step());
    if (receiver.is(Kind::Loop)) {
        bool known = true;
        LOADER_TRY(Value result, loopMethod(receiver.as<LoopObject>(), text(name), given, known));
        if (known) return result;
    }
    if (!receiver.is(Kind::Undefined) && hasMethod(receiver, text(name))) {
        return callMethod(*this, receiver, text(name), given);
    }
    LOADER_TRY(const Value callee, attribute(receiver, name));
    return call(callee, given);
}

Status Evaluator::bindRest(const Node& macro, Scope& scope, Arguments& given, std::size_t used) {
    const std::size_t count = given.positional.size();
    if ((macro.flag & kUsesVarargs) != 0) {
        Values rest(given.positional.begin() + static_cast<std::ptrdiff_t>(std::min(used, count)),
                    given.positional.end());
        LOADER_TRY(Value value, makeList(std::move(rest), Kind::Tuple));
        scope.set(m_varargsName, std::move(value));
    } else if (count > used) {
        return impossible("the macro '" + std::string(text(macro.text)) + "' takes at most " +
                          std::to_string(used) + " arguments");
    }
    Entries rest;
    for (auto& argument : given.named) {
        if (argument.first == "caller" && (macro.flag & kUsesCaller) != 0) {
            scope.set(m_callerName, argument.second);
            continue;
        }
        if ((macro.flag & kUsesKwargs) == 0) {
            return impossible("the macro '" + std::string(text(macro.text)) + "' takes no argument '" +
                              argument.first + "'");
        }
        LOADER_TRY(Value key, makeText(argument.first, true));
        rest.emplace_back(std::move(key), argument.second);
    }
    if ((macro.flag & kUsesKwargs) == 0) return {};
    LOADER_TRY(Value value, makeDict(std::move(rest)));
    scope.set(m_kwargsName, std::move(value));
    return {};
}

Status Evaluator::bindParameters(const Node& macro, Scope& scope, Arguments& given) {
    for (std::uint32_t i = 0; i < macro.count; ++i) {
        const Node& parameter = node(item(macro, i));
        const std::string_view name = text(parameter.text);
        LOADER_CHECK(meter.step());
        bool found = i < given.positional.size();
        Value value = found ? given.positional[i] : Value();
        for (std::size_t k = 0; k < given.named.size() && !found; ++k) {
            if (given.named[k].first != name) continue;
            value = given.named[k].second;
            given.named.erase(given.named.begin() + static_cast<std::ptrdiff_t>(k));
            found = true;
        }
        if (!found && parameter.a != kNoNode) {
            LOADER_TRY(value, evaluate(parameter.a));
        } else if (!found) {
            LOADER_TRY(value, makeUndefined("parameter '" + std::string(name) + "' was not provided"));
        }
        scope.set(parameter.text, std::move(value));
    }
    return bindRest(macro, scope, given, macro.count);
}

Result<Value> Evaluator::callMacro(const MacroObject& macro, Arguments& given) {
    if (m_calls >= m_budget.callDepth) {
        return Error(Errc::J402, {"limit: " + std::to_string(m_budget.callDepth) + " calls"});
    }
    const Node& definition = node(macro.node);
    const Frame frame(*this);
    m_scope = macro.scope;
    LOADER_TRY(m_scope, newScope());
    const Ref<Scope> own = m_scope;
    ++m_calls;
    const Status bound = bindParameters(definition, *own.get(), given);
    Result<Value> result = bound.ok() ? capture(definition.a) : Result<Value>(bound.error());
    --m_calls;
    return result;
}

Result<Value> Evaluator::callLoop(const Value& loopValue, Arguments& given) {
    const auto& loop = loopValue.as<LoopObject>();
    if (loop.node == kNoNode) return impossible("a loop that is not recursive calls itself");
    LOADER_CHECK(given.expect("loop", {"iterable"}));
    if (given.positional.empty()) return impossible("a loop call without items");
    if (m_calls >= m_budget.callDepth) {
        return Error(Errc::J402, {"limit: " + std::to_string(m_budget.callDepth) + " calls"});
    }
    const Frame frame(*this);
    TextBuilder builder(heap);
    m_output = &builder;
    ++m_calls;
    Result<Flow> flow = executeFor(node(loop.node), given.positional[0], loop.scope, loop.depth + 1);
    --m_calls;
    if (!flow.ok()) return std::move(flow).error();
    return makeText(builder);
}

Result<Value> Evaluator::loopMethod(LoopObject& loop, std::string_view name, Arguments& given, bool& known) {
    if (name == "cycle") {
        if (given.positional.empty()) return impossible("a cycle without items");
        return given.positional[loop.index % given.positional.size()];
    }
    known = name == "changed";
    if (!known) return Value();
    bool same = loop.everChanged && loop.lastChanged.size() == given.positional.size();
    for (std::size_t i = 0; same && i < given.positional.size(); ++i) {
        LOADER_TRY(same, equal(*this, loop.lastChanged[i], given.positional[i]));
    }
    loop.everChanged = true;
    if (!same) loop.lastChanged = given.positional;
    return Value::boolean(!same, false);
}

Result<Value> Evaluator::loopAttribute(const LoopObject& loop, std::string_view name, bool& known) {
    const auto number = [](std::uint64_t value, bool origin) {
        return Value::integer(static_cast<std::int64_t>(value), origin);
    };
    if (name == "index") return number(loop.index + 1, true);
    if (name == "index0") return number(loop.index, true);
    if (name == "revindex") return number(loop.count - loop.index, false);
    if (name == "revindex0") return number(loop.count - loop.index - 1, false);
    if (name == "first") return Value::boolean(loop.index == 0, true);
    if (name == "last") return Value::boolean(loop.index + 1 == loop.count, true);
    if (name == "length") return number(loop.count, false);
    if (name == "depth") return number(loop.depth + std::uint64_t(1), true);
    if (name == "depth0") return number(loop.depth, true);
    if (name == "previtem") {
        return loop.index > 0 ? Result<Value>(loop.at(loop.index - 1))
                              : makeUndefined("there is no previous item");
    }
    if (name == "nextitem") {
        return loop.index + 1 < loop.count ? Result<Value>(loop.at(loop.index + 1))
                                           : makeUndefined("there is no next item");
    }
    known = false;
    return Value();
}

}  // namespace loader::chat
