// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the rules of tokenizers ask about a character, packed with its code point into one number.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace loader::text {

/// Bits 0 to 20 are the code point (or the byte, where kInvalid is set), the others the classes below.
using Symbol = std::uint32_t;

inline constexpr Symbol kCodePointMask = 0x1FFFFF;
inline constexpr Symbol kUpper = 1U << 21;        // Lu, Lt
inline constexpr Symbol kLower = 1U << 22;        // Ll
inline constexpr Symbol kOtherLetter = 1U << 23;  // Lm, Lo
inline constexpr Symbol kMark = 1U << 24;         // M
inline constexpr Symbol kNumber = 1U << 25;       // N
inline constexpr Symbol kPunctuation = 1U << 26;  // P
inline constexpr Symbol kSymbol = 1U << 27;       // S
inline constexpr Symbol kSpace = 1U << 28;        // White_Space
inline constexpr Symbol kNewline = 1U << 29;      // carriage return, line feed
inline constexpr Symbol kInvalid = 1U << 30;      // a byte that is no UTF-8
inline constexpr Symbol kLetter = kUpper | kLower | kOtherLetter;

inline char32_t codePointOf(Symbol symbol) {
    return symbol & kCodePointMask;
}

/// The code point with its classes.
Symbol classified(char32_t codePoint);
/// Appends one symbol for each character, and one for each byte that is no UTF-8.
void classify(std::string_view text, std::vector<Symbol>& symbols);
/// Length of the symbol in the text it came from. @unit bytes
std::uint32_t byteLength(Symbol symbol);
/// True for characters of the Han script (Unicode 15, Scripts.txt).
bool isHan(char32_t codePoint);

}  // namespace loader::text
