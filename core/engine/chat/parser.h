// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Builds the syntax tree of a template. Every nesting is counted, so that neither parsing nor evaluating can
// recurse deeper than the budget allows; chains of operators and postfixes are flat lists.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/chat/ast.h"
#include "core/engine/chat/budget.h"
#include "core/engine/chat/lexer.h"

namespace loader::chat {

class Parser {
public:
    /// The source must outlive the parser and have normalised line ends.
    Parser(std::string_view source, const Budget& budget) : m_lexer(source), m_budget(budget) {}
    /// @errors J401, J402, J405, J410
    Result<std::shared_ptr<const Program>> parse();

private:
    using Ids = std::vector<std::uint32_t>;
    using EndTags = std::initializer_list<std::string_view>;
    class Depth;

    // parser.cpp: tokens and nodes
    Status shift();
    Status peek();
    bool at(std::string_view symbol) const;
    bool atName(std::string_view name) const;
    Result<bool> skip(std::string_view symbol);
    Result<bool> skipName(std::string_view name);
    Status expect(std::string_view symbol);
    Result<std::string_view> expectName();
    Result<NodeId> add(Node node, const Token& where);
    Result<NodeId> addList(NodeKind kind, const Ids& items, const Token& where);
    void setList(Node& node, const Ids& items);
    std::uint32_t intern(std::string_view text);
    std::string_view keyword(std::string_view text);
    Error fail(std::string reason) const;
    Error failAt(Errc code, std::string reason, const Token& where) const;
    Node& node(NodeId id) { return m_program.nodes[id]; }

    // parser_statements.cpp
    Result<NodeId> parseBlock(EndTags ends);
    Result<NodeId> parseBodyAfterTag(EndTags ends);
    Status endTag(std::string_view name);
    Result<NodeId> parseStatement();
    Result<NodeId> parseFor();
    Result<NodeId> parseIf();
    Result<NodeId> parseSet();
    Result<NodeId> parseMacro();
    Result<NodeId> parseCallBlock();
    Result<NodeId> parseFilterBlock();
    Result<NodeId> parseWith();
    Result<NodeId> parseScoped(std::string_view name);
    Result<NodeId> parseTarget(bool allowNamespace);
    Result<NodeId> parseTargetName(bool allowNamespace);
    Result<Ids> parseParameters();
    Result<NodeId> macroNode(std::string_view name, const Ids& parameters, std::string_view end,
                             const Token& where);

    // parser_expressions.cpp
    Result<NodeId> parseExpression() { return parseChoice(true); }
    Result<NodeId> parseTuple(bool withChoice, bool explicitParentheses);
    Result<NodeId> parseChoice(bool withChoice);
    Result<NodeId> parseOr();
    Result<NodeId> parseAnd();
    Result<NodeId> parseNot();
    Result<NodeId> parseCompare();
    Result<NodeId> parseSum();
    Result<NodeId> parseConcat();
    Result<NodeId> parseProduct();
    Result<NodeId> parsePower();
    Result<NodeId> parseUnary(bool withFilter);
    Result<NodeId> parsePrimary();
    Result<NodeId> parseNamePrimary();
    Result<NodeId> parseStringPrimary();
    Result<NodeId> parseNumber();
    Result<NodeId> parseListLiteral();
    Result<NodeId> parseDictLiteral();
    Result<NodeId> parsePostfix(NodeId base, bool withFilter);
    Result<NodeId> parseSubscript();
    Result<NodeId> parseSubscriptItem();
    Result<NodeId> parseCall();
    Result<NodeId> parseFilter();
    Result<NodeId> parseTest();
    Result<Ids> parseArguments();
    Result<NodeId> parseArgument();
    Result<NodeId> parseTestArgument();
    std::optional<Operator> comparison() const;
    template <class Next>
    Result<NodeId> parseChain(NodeKind kind, Next next,
                              std::initializer_list<std::pair<std::string_view, Operator>>);

    Lexer m_lexer;
    const Budget& m_budget;
    Program m_program;
    Token m_token;
    std::optional<Token> m_ahead;
    std::unordered_map<std::string, std::uint32_t> m_interned;
    std::uint32_t m_depth = 0;
    std::uint32_t m_loopDepth = 0;
    std::uint8_t m_macroUses = 0;
};

/// Counts one level of nesting while it lives.
class Parser::Depth {
public:
    explicit Depth(Parser& parser) : m_parser(parser) { ++m_parser.m_depth; }
    ~Depth() { --m_parser.m_depth; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    /// @errors J402
    Status check() const;

private:
    Parser& m_parser;
};

}  // namespace loader::chat
