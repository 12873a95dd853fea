// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The classes and cases of characters that Python's text methods rely on.
#pragma once

#include <string>
#include <string_view>

namespace loader::chat {

bool isSpace(char32_t c);
bool isAlpha(char32_t c);
bool isDigit(char32_t c);
bool isDecimal(char32_t c);
/// Letters, digits and other numbers.
bool isAlnum(char32_t c);
/// Characters that repr() does not escape.
bool isPrintable(char32_t c);
bool isUpper(char32_t c);
bool isLower(char32_t c);
char32_t toLower(char32_t c);
/// One character, except where the upper case is longer; then `special` holds it as UTF-8 and 0 is returned.
char32_t toUpper(char32_t c, std::string_view& special);

/// Number of characters; invalid bytes count as one each.
std::size_t countCharacters(std::string_view text);
/// Byte length of the white space at the start or the end.
std::size_t leadingSpace(std::string_view text);
std::size_t trailingSpace(std::string_view text);
/// Start of the last character; text must not be empty.
std::size_t lastCharacter(std::string_view text);

}  // namespace loader::chat
