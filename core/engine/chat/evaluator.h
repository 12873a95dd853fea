// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Walks the syntax tree of a template and writes its text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/engine/chat/ast.h"
#include "core/engine/chat/runtime.h"
#include "core/engine/chat/template.h"

namespace loader::chat {

/// The names of a loop body, a macro body or a with block. The outermost names live in the evaluator.
class Scope final : public MutableObject {
public:
    Scope(Heap& heap, Ref<Scope> outer) : MutableObject(heap), parent(std::move(outer)) {}
    void clear() override;
    const Value* find(std::uint32_t name) const;
    void set(std::uint32_t name, Value value);

    std::vector<std::pair<std::uint32_t, Value>> names;
    Ref<Scope> parent;
};

class MacroObject final : public MutableObject {
public:
    MacroObject(Heap& heap, NodeId id, Ref<Scope> definedIn)
        : MutableObject(heap), node(id), scope(std::move(definedIn)) {}
    void clear() override { scope = Ref<Scope>(); }
    NodeId node;
    Ref<Scope> scope;
};

/// The variable `loop`.
class LoopObject final : public MutableObject {
public:
    LoopObject(Heap& heap, Value iterable, std::uint64_t length)
        : MutableObject(heap), source(std::move(iterable)), count(length) {}
    void clear() override;
    Value at(std::uint64_t position) const;

    /// A List, a Tuple or a Range.
    Value source;
    std::uint64_t count;
    std::uint64_t index = 0;
    std::uint32_t depth = 0;
    /// The For node, where the loop is recursive.
    NodeId node = kNoNode;
    Ref<Scope> scope;
    Values lastChanged;
    bool everChanged = false;
};

/// @thread one rendering
class Evaluator final : public Runtime {
public:
    Evaluator(const Program& program, const RenderInput& renderInput, const Budget& budget,
              CancelToken cancel);
    Result<Rendered> run();

    Result<Value> applyFilter(std::string_view name, const Value& value, const Arguments& arguments) override;
    Result<bool> applyTest(std::string_view name, const Value& value, const Arguments& arguments) override;

private:
    enum class Flow : std::uint8_t { Normal, Break, Continue };
    class Frame;

    // evaluator.cpp: names and input
    Result<Value> lookUp(std::uint32_t name);
    Result<Value> outermost(std::uint32_t name);
    void assign(std::uint32_t name, Value value);
    Result<Value> convert(const Json& json, bool fromTemplate, std::size_t depth);
    Result<Value> convertText(const std::string& text, bool fromTemplate);
    Status enter(const Node& node);
    Error placed(Error error, const Node& node) const;

    // evaluator_expressions.cpp
    Result<Value> evaluate(NodeId id);
    Result<Value> evaluateNode(const Node& node);
    Result<Value> constant(const Node& node);
    Result<Value> listLiteral(const Node& node);
    Result<Value> dictLiteral(const Node& node);
    Result<Value> logical(const Node& node, bool stopAt);
    Result<Value> concat(const Node& node);
    Result<Value> chain(const Node& node);
    Result<Value> comparison(const Node& node);
    Result<Value> choice(const Node& node);
    /// The caller is handed to the last call of the chain.
    Result<Value> postfix(const Node& node, Value value, const Value* caller);
    Result<Value> attribute(const Value& value, std::uint32_t name);
    Result<Value> textConstant(std::uint32_t text);
    Result<Value> optional(NodeId id);
    Result<Arguments> arguments(const Node& node);
    Status spread(Arguments& arguments, const Value& value, bool named);

    // evaluator_calls.cpp
    Result<Value> call(const Value& callee, Arguments& arguments);
    /// receiver.name(arguments); the caller, if any, is handed on as the argument of that name.
    Result<Value> callAttribute(const Value& receiver, std::uint32_t name, const Node& callNode,
                                const Value* caller);
    Result<Value> callNamed(const Value& receiver, std::uint32_t name, Arguments& arguments);
    Result<Value> callMacro(const MacroObject& macro, Arguments& arguments);
    Status bindParameters(const Node& node, Scope& scope, Arguments& arguments);
    Status bindRest(const Node& node, Scope& scope, Arguments& arguments, std::size_t used);
    Result<Value> callLoop(const Value& loop, Arguments& arguments);
    Result<Value> loopMethod(LoopObject& loop, std::string_view name, Arguments& arguments, bool& known);
    Result<Value> loopAttribute(const LoopObject& loop, std::string_view name, bool& known);

    // evaluator_statements.cpp
    Result<Flow> execute(NodeId id);
    Result<Flow> executeNode(const Node& node);
    Result<Flow> executeIf(const Node& node);
    Result<Flow> executeFor(const Node& node, const Value& iterable, Ref<Scope> scope, std::uint32_t depth);
    Result<Value> loopSource(const Node& node, const Value& iterable);
    Result<Flow> iterate(const Node& node, LoopObject& loop, const Value& loopValue, bool& any);
    Status executeSet(const Node& node);
    Status executeSetBlock(const Node& node);
    Status executeCall(const Node& node);
    Result<Flow> executeWith(const Node& node);
    Status bind(NodeId target, const Value& value);
    Result<Value> capture(NodeId body);
    Result<Value> newMacro(const Node& node, NodeId id);
    Result<Ref<Scope>> newScope();

    const Node& node(NodeId id) const { return m_program.nodes[id]; }
    std::uint32_t item(const Node& list, std::uint32_t index) const {
        return m_program.lists[list.first + index];
    }
    std::string_view text(std::uint32_t id) const { return m_program.texts[id]; }
    std::uint32_t knownName(std::string_view name) const;

    const Program& m_program;
    const Budget& m_budget;
    /// By text: the outermost names, and constants.
    Values m_outermost;
    std::vector<bool> m_isKnown;
    Values m_constants;
    std::vector<bool> m_isConstant;
    std::unordered_map<std::string, Value> m_interned;
    Ref<Scope> m_scope;
    TextBuilder m_rootOutput;
    TextBuilder* m_output = &m_rootOutput;
    std::uint32_t m_depth = 0;
    std::uint32_t m_calls = 0;
    std::uint32_t m_loopName, m_callerName, m_varargsName, m_kwargsName;
};

/// Saves what a call or a block changes and counts its depth.
class Evaluator::Frame {
public:
    explicit Frame(Evaluator& evaluator)
        : m_evaluator(evaluator), m_scope(evaluator.m_scope), m_output(evaluator.m_output) {}
    ~Frame() {
        m_evaluator.m_scope = std::move(m_scope);
        m_evaluator.m_output = m_output;
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

private:
    Evaluator& m_evaluator;
    Ref<Scope> m_scope;
    TextBuilder* m_output;
};

}  // namespace loader::chat
