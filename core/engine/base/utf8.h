// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// UTF-8: strict decoding, encoding and validation (Unicode 15, table 3-7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace loader::utf8 {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
    char32_t codePoint = kReplacement;
    /// Bytes consumed, at least 1 where text is not empty.
    std::size_t length = 1;
    bool valid = false;
};

/// Decodes the character at the start of text, which must not be empty. An invalid byte counts as one
/// character.
Decoded decode(std::string_view text);
void append(std::string& text, char32_t codePoint);
bool isValid(std::string_view text);
/// Length of the longest prefix that holds only whole characters; an incomplete but so far legal tail is left
/// out.
std::size_t completePrefix(std::string_view text);
/// The same text with every invalid byte replaced by U+FFFD.
std::string sanitized(std::string_view text);

}  // namespace loader::utf8
