// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/lexer.h"

#include <algorithm>
#include <array>

#include "core/engine/base/utf8.h"
#include "core/engine/chat/unicode.h"

namespace loader::chat {
namespace {

bool isNameStart(char32_t c) {
    return c == '_' || isAlpha(c);
}

bool isNamePart(char32_t c) {
    return c == '_' || isAlnum(c);
}

std::size_t skipSpace(std::string_view source, std::size_t position) {
    return position + leadingSpace(source.substr(position));
}

/// Digits with single underscores between them.
std::size_t digitsEnd(std::string_view source, std::size_t position, bool (*accept)(char)) {
    std::size_t end = position;
    while (end < source.size()) {
        const bool separates =
            source[end] == '_' && end > position && end + 1 < source.size() && accept(source[end + 1]);
        if (!separates && !accept(source[end])) break;
        ++end;
    }
    return end;
}

bool isDecimalDigit(char c) {
    return c >= '0' && c <= '9';
}
bool isHexDigit(char c) {
    return isDecimalDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool isOctalDigit(char c) {
    return c >= '0' && c <= '7';
}
bool isBinaryDigit(char c) {
    return c == '0' || c == '1';
}

constexpr std::array<std::string_view, 24> kSymbols = {"//", "**", "==", "!=", ">=", "<=", "+", "-",
                                                       "/",  "*",  "%",  "~",  "[",  "]",  "(", ")",
                                                       "{",  "}",  ">",  "<",  "=",  ".",  ":", "|"};

}  // namespace

std::string placeOf(std::uint32_t line, std::uint32_t column) {
    return std::to_string(line) + ':' + std::to_string(column);
}

std::string normalizeLines(std::string_view source) {
    std::string text;
    text.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            text += source[i];
            continue;
        }
        text += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

Error Lexer::fail(std::string reason) const {
    return Error(Errc::J401, {std::move(reason)}, placeOf(m_line, m_column));
}

Token Lexer::make(TokenKind kind, std::string_view text) const {
    return {kind, text, m_line, m_column};
}

void Lexer::advance(std::size_t position) {
    for (; m_position < position; ++m_position) {
        const char c = m_source[m_position];
        if (c == '\n') {
            ++m_line;
            m_column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
            ++m_column;
        }
    }
}

Lexer::Tag Lexer::tagAt(std::size_t position) const {
    if (position + 1 >= m_source.size() || m_source[position] != '{') return Tag::None;
    switch (m_source[position + 1]) {
        case '{': return Tag::Variable;
        case '#': return Tag::Comment;
        case '%': return matchKeywordTag(position, "raw") ? Tag::Raw : Tag::Block;
        default: return Tag::None;
    }
}

/// End of "{%- raw -%}" (or endraw) at a position, just behind "%}", or 0.
std::size_t Lexer::matchKeywordTag(std::size_t position, std::string_view keyword) const {
    const std::string_view source = m_source;
    if (source.substr(position, 2) != "{%") return 0;
    std::size_t at = position + 2;
    if (at < source.size() && (source[at] == '-' || source[at] == '+')) ++at;
    at = skipSpace(source, at);
    if (source.substr(at, keyword.size()) != keyword) return 0;
    at = skipSpace(source, at + keyword.size());
    // Only endraw may end in "+%}".
    if (at < source.size() && (source[at] == '-' || (source[at] == '+' && keyword == "endraw"))) ++at;
    return source.substr(at, 2) == "%}" ? at + 2 : 0;
}

std::string_view Lexer::stripBefore(std::string_view data, char sign, bool block) const {
    if (sign == '-') return data.substr(0, data.size() - trailingSpace(data));
    if (sign == '+' || !block) return data;
    const std::size_t lineEnd = data.rfind('\n');
    const std::size_t lineStart = lineEnd == std::string_view::npos ? 0 : lineEnd + 1;
    if (lineStart == 0 && !m_lineStarting) return data;
    const std::string_view tail = data.substr(lineStart);
    return leadingSpace(tail) == tail.size() ? data.substr(0, lineStart) : data;
}

void Lexer::skipAfter(char sign, bool trimLine) {
    const std::size_t start = m_position;
    if (sign == '-') {
        advance(skipSpace(m_source, m_position));
    } else if (sign != '+' && trimLine && m_position < m_source.size() && m_source[m_position] == '\n') {
        advance(m_position + 1);
    }
    m_lineStarting = m_position > start && m_source[m_position - 1] == '\n';
}

Result<Token> Lexer::next() {
    while (m_state == State::Text) {
        if (m_pending != Tag::None) {
            const Tag tag = m_pending;
            m_pending = Tag::None;
            if (tag == Tag::Comment) {
                LOADER_CHECK(skipComment());
                continue;
            }
            if (tag == Tag::Raw) {
                LOADER_TRY(Token token, rawBlock());
                if (!token.text.empty()) return token;
                continue;
            }
            const Token token =
                make(tag == Tag::Block ? TokenKind::BlockBegin : TokenKind::VariableBegin, {});
            LOADER_CHECK(openTag(tag));
            return token;
        }
        if (m_position >= m_source.size()) return make(TokenKind::End, {});
        LOADER_TRY(Token token, nextText());
        if (!token.text.empty()) return token;
    }
    return nextCode();
}

/// The data up to the next tag, which is remembered.
Result<Token> Lexer::nextText() {
    std::size_t end = m_position;
    Tag tag = Tag::None;
    for (; end < m_source.size(); ++end) {
        end = std::min(m_source.find('{', end), m_source.size());
        tag = tagAt(end);
        if (tag != Tag::None) break;
    }
    end = std::min(end, m_source.size());
    std::string_view data = m_source.substr(m_position, end - m_position);
    Token token = make(TokenKind::Data, data);
    if (tag != Tag::None) {
        const char sign = end + 2 < m_source.size() ? m_source[end + 2] : ' ';
        token.text = stripBefore(data, sign, tag != Tag::Variable);
    }
    advance(end);
    m_pending = tag;
    return token;
}

Status Lexer::openTag(Tag tag) {
    std::size_t end = m_position + 2;
    if (end < m_source.size() && (m_source[end] == '-' || m_source[end] == '+')) ++end;
    advance(end);
    m_state = tag == Tag::Block ? State::Block : State::Variable;
    m_brackets.clear();
    return {};
}

Status Lexer::skipComment() {
    const char first = m_position + 2 < m_source.size() ? m_source[m_position + 2] : ' ';
    const std::size_t begin = m_position + (first == '-' || first == '+' ? 3 : 2);
    const std::size_t end = m_source.find("#}", begin);
    if (end == std::string_view::npos) return fail("a comment is not closed");
    const char sign = end > begin ? m_source[end - 1] : ' ';
    advance(end + 2);
    skipAfter(sign == '-' || sign == '+' ? sign : ' ', true);
    return {};
}

Result<Token> Lexer::rawBlock() {
    const std::size_t begin = matchKeywordTag(m_position, "raw");
    const bool skips = m_source[begin - 3] == '-';
    const Error unclosed = fail("a raw block is not closed");
    advance(begin);
    m_lineStarting = false;
    if (skips) skipAfter('-', false);
    for (std::size_t at = m_position; (at = m_source.find("{%", at)) != std::string_view::npos; at += 2) {
        const std::size_t end = matchKeywordTag(at, "endraw");
        if (end == 0) continue;
        const std::string_view data = m_source.substr(m_position, at - m_position);
        Token token = make(TokenKind::Data, stripBefore(data, m_source[at + 2], true));
        advance(end);
        const char sign = m_source[end - 3];
        skipAfter(sign == '-' || sign == '+' ? sign : ' ', true);
        return token;
    }
    return unclosed;
}

/// The end of the tag, where it is here: it counts only outside brackets.
bool Lexer::closeTag(Token& token) {
    if (!m_brackets.empty()) return false;
    const std::string_view end = m_state == State::Block ? "%}" : "}}";
    std::size_t at = m_position;
    char sign = ' ';
    if (at < m_source.size() && (m_source[at] == '-' || (m_source[at] == '+' && m_state == State::Block))) {
        sign = m_source[at++];
    }
    if (m_source.substr(at, 2) != end) return false;
    token = make(m_state == State::Block ? TokenKind::BlockEnd : TokenKind::VariableEnd, {});
    advance(at + 2);
    skipAfter(sign, m_state == State::Block);
    m_state = State::Text;
    return true;
}

Result<Token> Lexer::nextCode() {
    advance(skipSpace(m_source, m_position));
    Token token = make(TokenKind::End, {});
    if (closeTag(token)) return token;
    if (m_position >= m_source.size()) {
        return fail(m_state == State::Block ? "a {% tag is not closed" : "a {{ tag is not closed");
    }
    const char c = m_source[m_position];
    if (isDecimalDigit(c)) {
        LOADER_CHECK(number(token));
        return token;
    }
    if (c == '"' || c == '\'') {
        LOADER_CHECK(quoted(token));
        return token;
    }
    utf8::Decoded character = utf8::decode(m_source.substr(m_position));
    if (!isNameStart(character.codePoint)) {
        LOADER_CHECK(symbol(token));
        return token;
    }
    std::size_t end = m_position;
    while (isNamePart(character.codePoint)) {
        end += character.length;
        if (end >= m_source.size()) break;
        character = utf8::decode(m_source.substr(end));
    }
    token.kind = TokenKind::Name;
    token.text = m_source.substr(m_position, end - m_position);
    advance(end);
    return token;
}

Status Lexer::number(Token& token) {
    const std::string_view source = m_source;
    const auto at = [&](std::size_t i) { return i < source.size() ? source[i] : '\0'; };
    std::size_t end = m_position;
    token.kind = TokenKind::Integer;
    const char mark = static_cast<char>(at(m_position + 1) | 0x20);
    bool (*accept)(char) = mark == 'x'   ? isHexDigit
                           : mark == 'o' ? isOctalDigit
                           : mark == 'b' ? isBinaryDigit
                                         : nullptr;
    if (at(m_position) == '0' && accept) {
        const std::size_t digits = m_position + 2 + (at(m_position + 2) == '_' ? 1 : 0);
        end = digitsEnd(source, digits, accept);
        if (end == digits) return fail("a number is incomplete");
    } else {
        end = digitsEnd(source, m_position, isDecimalDigit);
        // "x.1.2" is item access, not a fraction.
        const bool afterDot = m_position > 0 && source[m_position - 1] == '.';
        if (!afterDot && at(end) == '.' && isDecimalDigit(at(end + 1))) {
            token.kind = TokenKind::Float;
            end = digitsEnd(source, end + 1, isDecimalDigit);
        }
        std::size_t exponent = end + 1;
        if (at(exponent) == '+' || at(exponent) == '-') ++exponent;
        if (!afterDot && (at(end) == 'e' || at(end) == 'E') && isDecimalDigit(at(exponent))) {
            token.kind = TokenKind::Float;
            end = digitsEnd(source, exponent, isDecimalDigit);
        }
    }
    token.text = source.substr(m_position, end - m_position);
    advance(end);
    return {};
}

Status Lexer::quoted(Token& token) {
    const char quote = m_source[m_position];
    std::size_t end = m_position + 1;
    while (end < m_source.size() && m_source[end] != quote)
        end += m_source[end] == '\\' ? 2 : 1;
    if (end >= m_source.size()) return fail("a text constant is not closed");
    token.kind = TokenKind::String;
    token.text = m_source.substr(m_position + 1, end - m_position - 1);
    advance(end + 1);
    return {};
}

Status Lexer::symbol(Token& token) {
    const std::string_view rest = m_source.substr(m_position);
    token.kind = TokenKind::Symbol;
    for (const std::string_view symbolText : kSymbols) {
        if (rest.substr(0, symbolText.size()) == symbolText) token.text = rest.substr(0, symbolText.size());
        if (!token.text.empty()) break;
    }
    if (token.text.empty() && (rest[0] == ',' || rest[0] == ';')) token.text = rest.substr(0, 1);
    if (token.text.empty()) return fail("an unexpected character");
    const char c = token.text[0];
    if (c == '(' || c == '[' || c == '{') m_brackets += c;
    if (c == ')' || c == ']' || c == '}') {
        const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
        if (m_brackets.empty() || m_brackets.back() != open) return fail(std::string("an unexpected ") + c);
        m_brackets.pop_back();
    }
    advance(m_position + token.text.size());
    return {};
}

namespace {

/// Up to `limit` digits of a base at a position; the position moves behind them.
std::size_t readDigits(std::string_view text, std::size_t& position, std::size_t limit, unsigned base,
                       std::uint32_t& value) {
    std::size_t count = 0;
    value = 0;
    while (count < limit && position < text.size()) {
        const char c = text[position];
        const bool fits = base == 16 ? isHexDigit(c) : isOctalDigit(c);
        if (!fits) break;
        const auto digit = static_cast<unsigned>(isDecimalDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
        value = value * base + digit;
        ++position;
        ++count;
    }
    return count;
}

char simpleEscape(char c) {
    constexpr std::string_view kFrom = "\\'\"abfnrtv";
    constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
    const std::size_t at = kFrom.find(c);
    return at == std::string_view::npos ? '\0' : kTo[at];
}

}  // namespace

Result<std::string> decodeString(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] != '\\' || i + 1 >= text.size()) {
            out += text[i++];
            continue;
        }
        const char c = text[i + 1];
        i += 2;
        if (c == '\n') continue;
        if (const char plain = simpleEscape(c)) {
            out += plain;
            continue;
        }
        const std::size_t width = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        std::uint32_t value = 0;
        if (width != 0) {
            const bool complete = readDigits(text, i, width, 16, value) == width;
            if (!complete || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
                return Error(Errc::J401, {"an escape in a text constant is not a character"});
            }
            utf8::append(out, value);
        } else if (isOctalDigit(c)) {
            --i;
            readDigits(text, i, 3, 8, value);
            utf8::append(out, value);
        } else if (c == 'N') {
            return Error(Errc::J401, {"character names in text constants are not supported"});
        } else {
            out += '\\';
            out += c;
        }
    }
    return out;
}

}  // namespace loader::chat
