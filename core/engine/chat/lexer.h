// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Cuts a template into tokens, with jinja2's rules for white space (trim_blocks and lstrip_blocks are on).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/engine/base/result.h"

namespace loader::chat {

enum class TokenKind : std::uint8_t {
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Symbol,
    End,
};

struct Token {
    TokenKind kind = TokenKind::End;
    /// Into the lexer's source: of a String without its quotes, undecoded.
    std::string_view text;
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

/// Pulls tokens one by one from a source whose line ends are already "\n".
class Lexer {
public:
    explicit Lexer(std::string_view source) : m_source(source) {}
    /// @errors J401, J411
    Result<Token> next();

private:
    enum class State : std::uint8_t { Text, Block, Variable };
    enum class Tag : std::uint8_t { None, Variable, Block, Comment, Raw };

    Result<Token> nextText();
    Result<Token> nextCode();
    Status openTag(Tag tag);
    Status skipComment();
    Result<Token> rawBlock();
    bool closeTag(Token& token);
    Status number(Token& token);
    Status quoted(Token& token);
    Status symbol(Token& token);

    Tag tagAt(std::size_t position) const;
    std::size_t matchKeywordTag(std::size_t position, std::string_view keyword) const;
    std::string_view stripBefore(std::string_view data, char sign, bool block) const;
    /// Behind a tag's end: white space after "-", one line end after a block.
    void skipAfter(char sign, bool trimLine);
    void advance(std::size_t position);
    Token make(TokenKind kind, std::string_view text) const;
    Error fail(std::string reason) const;

    std::string_view m_source;
    std::size_t m_position = 0;
    std::uint32_t m_line = 1;
    std::uint32_t m_column = 1;
    State m_state = State::Text;
    Tag m_pending = Tag::None;
    bool m_lineStarting = true;
    /// Open brackets, so that "}}" can close a dict.
    std::string m_brackets;
};

/// Unifies line ends and drops one at the very end, as jinja2 does.
std::string normalizeLines(std::string_view source);
/// Resolves the escapes of a text constant as Python does.
/// @errors J401
Result<std::string> decodeString(std::string_view text);
std::string placeOf(std::uint32_t line, std::uint32_t column);

}  // namespace loader::chat
