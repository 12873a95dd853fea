// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/parser.h"

#include <utility>

namespace loader::chat {
namespace {

/// What one node may cost with its share of lists and texts; bounds the tree by the heap budget.
constexpr std::size_t kBytesPerNode = 64;

}  // namespace

Status Parser::Depth::check() const {
    if (m_parser.m_depth <= m_parser.m_budget.parseDepth) return {};
    return m_parser.failAt(Errc::J402, "limit: " + std::to_string(m_parser.m_budget.parseDepth),
                           m_parser.m_token);
}

Error Parser::fail(std::string reason) const {
    return failAt(Errc::J401, std::move(reason), m_token);
}

Error Parser::failAt(Errc code, std::string reason, const Token& where) const {
    return Error(code, {std::move(reason)}, placeOf(where.line, where.column));
}

Status Parser::shift() {
    if (m_ahead) {
        m_token = *m_ahead;
        m_ahead.reset();
        return {};
    }
    LOADER_TRY(m_token, m_lexer.next());
    return {};
}

Status Parser::peek() {
    if (m_ahead) return {};
    LOADER_TRY(m_ahead, m_lexer.next());
    return {};
}

bool Parser::at(std::string_view symbol) const {
    return m_token.kind == TokenKind::Symbol && m_token.text == symbol;
}

bool Parser::atName(std::string_view name) const {
    return m_token.kind == TokenKind::Name && m_token.text == name;
}

Result<bool> Parser::skip(std::string_view symbol) {
    if (!at(symbol)) return false;
    LOADER_CHECK(shift());
    return true;
}

Result<bool> Parser::skipName(std::string_view name) {
    if (!atName(name)) return false;
    LOADER_CHECK(shift());
    return true;
}

Status Parser::expect(std::string_view symbol) {
    if (!at(symbol)) return fail("expected '" + std::string(symbol) + "'");
    return shift();
}

Result<std::string_view> Parser::expectName() {
    if (m_token.kind != TokenKind::Name) return fail("expected a name");
    const std::string_view name = m_token.text;
    LOADER_CHECK(shift());
    return name;
}

Result<NodeId> Parser::add(Node newNode, const Token& where) {
    if (m_program.nodes.size() >= m_budget.heapBytes / kBytesPerNode) {
        return Error(Errc::J405, {std::to_string(m_budget.heapBytes)}, placeOf(where.line, where.column));
    }
    newNode.line = where.line;
    newNode.column = where.column;
    m_program.nodes.push_back(newNode);
    return static_cast<NodeId>(m_program.nodes.size() - 1);
}

void Parser::setList(Node& target, const Ids& items) {
    target.first = static_cast<std::uint32_t>(m_program.lists.size());
    target.count = static_cast<std::uint32_t>(items.size());
    m_program.lists.insert(m_program.lists.end(), items.begin(), items.end());
}

Result<NodeId> Parser::addList(NodeKind kind, const Ids& items, const Token& where) {
    Node list;
    list.kind = kind;
    setList(list, items);
    return add(list, where);
}

std::uint32_t Parser::intern(std::string_view text) {
    const auto next = static_cast<std::uint32_t>(m_program.texts.size());
    const auto [entry, isNew] = m_interned.try_emplace(std::string(text), next);
    if (isNew) m_program.texts.emplace_back(text);
    return entry->second;
}

Result<std::shared_ptr<const Program>> Parser::parse() {
    LOADER_CHECK(shift());
    LOADER_TRY(m_program.root, parseBlock({}));
    return std::shared_ptr<const Program>(std::make_shared<Program>(std::move(m_program)));
}

}  // namespace loader::chat
