// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/text/unicode_class.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/engine/base/utf8.h"

namespace loader::text {
namespace {

Symbol bitsOfCategory(utf8proc_category_t category) {
    switch (category) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LT: return kUpper;
        case UTF8PROC_CATEGORY_LL: return kLower;
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO: return kOtherLetter;
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC:
        case UTF8PROC_CATEGORY_ME: return kMark;
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_NO: return kNumber;
        case UTF8PROC_CATEGORY_PC:
        case UTF8PROC_CATEGORY_PD:
        case UTF8PROC_CATEGORY_PS:
        case UTF8PROC_CATEGORY_PE:
        case UTF8PROC_CATEGORY_PI:
        case UTF8PROC_CATEGORY_PF:
        case UTF8PROC_CATEGORY_PO: return kPunctuation;
        case UTF8PROC_CATEGORY_SM:
        case UTF8PROC_CATEGORY_SC:
        case UTF8PROC_CATEGORY_SK:
        case UTF8PROC_CATEGORY_SO: return kSymbol;
        default: return 0;
    }
}

/// The property White_Space, which is wider than the category Z.
bool isWhiteSpace(char32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

constexpr std::array<std::pair<char32_t, char32_t>, 21> kHanRanges = {{
    {0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},   {0x3005, 0x3005},   {0x3007, 0x3007},
    {0x3021, 0x3029},   {0x3038, 0x303B},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFA6D},
    {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3}, {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739},
    {0x2B740, 0x2B81D}, {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x2F800, 0x2FA1D}, {0x30000, 0x3134A},
    {0x31350, 0x323AF},
}};

}  // namespace

Symbol classified(char32_t codePoint) {
    Symbol symbol = static_cast<Symbol>(codePoint) & kCodePointMask;
    symbol |= bitsOfCategory(utf8proc_category(static_cast<utf8proc_int32_t>(codePoint)));
    if (isWhiteSpace(codePoint)) symbol |= kSpace;
    if (codePoint == '\r' || codePoint == '\n') symbol |= kNewline;
    return symbol;
}

void classify(std::string_view text, std::vector<Symbol>& symbols) {
    std::array<Symbol, 128> ascii{};
    for (char32_t c = 0; c < 128; ++c)
        ascii[c] = classified(c);
    symbols.reserve(symbols.size() + text.size());
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text[0]);
        if (first < 128) {
            symbols.push_back(ascii[first]);
            text.remove_prefix(1);
            continue;
        }
        const utf8::Decoded next = utf8::decode(text);
        symbols.push_back(next.valid ? classified(next.codePoint) : (kInvalid | first));
        text.remove_prefix(next.length);
    }
}

std::uint32_t byteLength(Symbol symbol) {
    const char32_t codePoint = codePointOf(symbol);
    if ((symbol & kInvalid) != 0 || codePoint < 0x80) return 1;
    if (codePoint < 0x800) return 2;
    return codePoint < 0x10000 ? 3 : 4;
}

bool isHan(char32_t codePoint) {
    return std::any_of(kHanRanges.begin(), kHanRanges.end(), [&](const auto& range) {
        return codePoint >= range.first && codePoint <= range.second;
    });
}

}  // namespace loader::text
