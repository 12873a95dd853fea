// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The alphabet in which byte-level BPE vocabularies spell bytes: printable bytes of Latin-1 stand for
// themselves, the others for the characters from U+0100 on, in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loader::text {

/// The one-character spelling of a byte (one or two bytes of UTF-8).
std::string_view spellingOfByte(std::uint8_t byte);
/// The byte that a character stands for; empty where it is outside the alphabet.
std::optional<std::uint8_t> byteOfCharacter(char32_t character);
/// Appends the bytes that a spelling stands for; characters outside the alphabet are copied as they are.
void appendSpelledBytes(std::string& out, std::string_view spelling);

}  // namespace loader::text
