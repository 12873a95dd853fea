// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/chat/unicode.h"

#include <algorithm>
#include <cstdint>

#include "core/engine/base/utf8.h"

namespace loader::chat {
namespace {

struct Range {
    std::uint32_t first, last;
};
struct CaseRange {
    std::uint32_t first, last;
    std::int32_t stride, offset;
};
struct SpecialCase {
    std::uint32_t codePoint;
    std::string_view text;
};

constexpr Range kAlpha[] = {
#include "core/engine/chat/unicode_alpha.inc"
};
constexpr Range kNumber[] = {
#include "core/engine/chat/unicode_number.inc"
};
constexpr Range kDigit[] = {
#include "core/engine/chat/unicode_digit.inc"
};
constexpr Range kPrintable[] = {
#include "core/engine/chat/unicode_printable.inc"
};
constexpr CaseRange kUpper[] = {
#include "core/engine/chat/unicode_upper.inc"
};
constexpr CaseRange kLower[] = {
#include "core/engine/chat/unicode_lower.inc"
};
constexpr SpecialCase kUpperSpecial[] = {
#include "core/engine/chat/unicode_upper_special.inc"
};

template <class Table>
auto findRange(const Table& table, char32_t c) {
    const auto* range = std::lower_bound(std::begin(table), std::end(table), c,
                                         [](const auto& row, char32_t value) { return row.last < value; });
    return range != std::end(table) && range->first <= c ? range : nullptr;
}

char32_t mapCase(const CaseRange* range, char32_t c) {
    if (!range || (c - range->first) % static_cast<std::uint32_t>(range->stride) != 0) return c;
    return static_cast<char32_t>(static_cast<std::int64_t>(c) + range->offset);
}

}  // namespace

bool isSpace(char32_t c) {
    if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool isAlpha(char32_t c) {
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return findRange(kAlpha, c) != nullptr;
}

bool isDigit(char32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9';
    return findRange(kDigit, c) != nullptr;
}

bool isDecimal(char32_t c) {
    // Superscripts and enclosed digits are digits without being decimal; they are in two blocks and Latin-1.
    return isDigit(c) && !(c >= 0xB2 && c <= 0xB9) && !(c >= 0x2070 && c <= 0x2793) && c != 0x1369 &&
           !(c >= 0x136A && c <= 0x1371) && c != 0x19DA && !(c >= 0x1F100 && c <= 0x1F10A);
}

bool isAlnum(char32_t c) {
    if (c < 0x80) return isAlpha(c) || isDigit(c);
    return isAlpha(c) || findRange(kNumber, c) != nullptr;
}

bool isPrintable(char32_t c) {
    if (c < 0x80) return c >= 0x20 && c < 0x7F;
    return findRange(kPrintable, c) != nullptr;
}

char32_t toLower(char32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return mapCase(findRange(kLower, c), c);
}

char32_t toUpper(char32_t c, std::string_view& special) {
    if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
    const auto* row =
        std::lower_bound(std::begin(kUpperSpecial), std::end(kUpperSpecial), c,
                         [](const SpecialCase& s, char32_t value) { return s.codePoint < value; });
    if (row != std::end(kUpperSpecial) && row->codePoint == c) {
        special = row->text;
        return 0;
    }
    return mapCase(findRange(kUpper, c), c);
}

bool isUpper(char32_t c) {
    return toLower(c) != c;
}

bool isLower(char32_t c) {
    std::string_view special;
    return toUpper(c, special) != c;
}

std::size_t countCharacters(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text)
        count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    return count;
}

std::size_t lastCharacter(std::string_view text) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
        --at;
    return at;
}

std::size_t leadingSpace(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const utf8::Decoded c = utf8::decode(text.substr(at));
        if (!isSpace(c.codePoint)) break;
        at += c.length;
    }
    return at;
}

std::size_t trailingSpace(std::string_view text) {
    std::size_t end = text.size();
    while (end > 0) {
        const std::size_t at = lastCharacter(text.substr(0, end));
        if (!isSpace(utf8::decode(text.substr(at, end - at)).codePoint)) break;
        end = at;
    }
    return text.size() - end;
}

}  // namespace loader::chat
