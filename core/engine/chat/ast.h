// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The syntax tree of a template: nodes in one array, referring to each other by index.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace loader::chat {

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xFFFFFFFF;
inline constexpr std::uint32_t kNoText = 0xFFFFFFFF;

/// What the fields of a Node mean is said beside each kind: text is an index into Program::texts, a, b and c
/// are nodes or kNoNode, list is a run of Program::lists.
enum class NodeKind : std::uint8_t {
    // --- expressions ---
    None,
    True,
    False,
    Integer,    // text: index into integers
    Float,      // text: index into floats
    String,     // text
    Name,       // text
    List,       // list: items
    Tuple,      // list: items
    Dict,       // list: key, value, key, value …
    Not,        // a
    Negative,   // a
    Positive,   // a
    And,        // list: operands
    Or,         // list: operands
    Concat,     // list: operands
    Chain,      // a: first operand; list: Operator, operand, Operator, operand …
    Compare,    // a: first operand; list: Operator, operand …
    Choice,     // a: condition; b: then; c: else or kNoNode
    Postfix,    // a: base; list: Attribute, Item, Slice, Call, Filter and Test nodes
    Attribute,  // text
    Item,       // a
    Slice,      // a, b, c: start, stop, step, each may be kNoNode
    Call,       // list: Argument nodes
    Filter,     // text; list: Argument nodes
    Test,       // text; flag: negated; list: Argument nodes
    Argument,   // a; text: keyword or kNoText; flag: 1 for *a, 2 for **a
    // --- statements ---
    Block,         // list: statements
    Data,          // text
    Output,        // a
    For,           // a: target; b: iterable; c: ForParts; flag: recursive
    ForParts,      // a: condition or kNoNode; b: body; c: else or kNoNode
    If,            // list: condition, Block …; a: else or kNoNode
    Set,           // a: target; b: value
    SetBlock,      // a: target; b: Postfix of filters without base, or kNoNode; c: body
    NamespaceRef,  // text: namespace; b: Attribute
    Macro,         // text; list: Parameter nodes; a: body; flag: MacroUses
    CallBlock,     // a: Postfix that ends in a Call; b: Macro
    FilterBlock,   // a: Postfix of filters without base; b: body
    With,          // list: target, value …; a: body
    Scoped,        // a: body, in a scope of its own
    Do,            // a
    Break,
    Continue,
    Parameter,  // text; a: default or kNoNode
};

enum class Operator : std::uint32_t {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
};

/// Bits of a Macro's flag: names that its body mentions.
enum MacroUses : std::uint8_t { kUsesVarargs = 1, kUsesKwargs = 2, kUsesCaller = 4 };

struct Node {
    NodeKind kind = NodeKind::None;
    std::uint8_t flag = 0;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::uint32_t text = kNoText;
    NodeId a = kNoNode;
    NodeId b = kNoNode;
    NodeId c = kNoNode;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
};

/// A compiled template.
/// @thread immutable once parsed
struct Program {
    std::vector<Node> nodes;
    std::vector<std::uint32_t> lists;
    /// Names and text constants, each once.
    std::vector<std::string> texts;
    std::vector<std::int64_t> integers;
    std::vector<double> floats;
    NodeId root = kNoNode;
};

}  // namespace loader::chat
