// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/text/byte_alphabet.h"

#include <array>

#include "core/engine/base/utf8.h"

namespace loader::text {
namespace {

constexpr bool standsForItself(unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
    std::array<char32_t, 256> characters{};
    std::array<std::int16_t, 512> bytes{};  // by character, -1 where there is none
    std::array<char, 512> spellings{};      // two bytes each
    std::array<std::uint8_t, 256> lengths{};
};

constexpr Alphabet makeAlphabet() {
    Alphabet alphabet;
    for (auto& byte : alphabet.bytes)
        byte = -1;
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char32_t character = standsForItself(byte) ? static_cast<char32_t>(byte) : next++;
        alphabet.characters[byte] = character;
        alphabet.bytes[character] = static_cast<std::int16_t>(byte);
        const bool isAscii = character < 0x80;
        alphabet.lengths[byte] = isAscii ? 1 : 2;
        const auto first = isAscii ? character : (0xC0 | (character >> 6));
        alphabet.spellings[byte * 2] = static_cast<char>(static_cast<unsigned char>(first));
        const auto second = static_cast<unsigned char>(0x80 | (character & 0x3F));
        alphabet.spellings[byte * 2 + 1] = isAscii ? '\0' : static_cast<char>(second);
    }
    return alphabet;
}

constexpr Alphabet kAlphabet = makeAlphabet();

}  // namespace

std::string_view spellingOfByte(std::uint8_t byte) {
    return {kAlphabet.spellings.data() + std::size_t{byte} * 2, kAlphabet.lengths[byte]};
}

std::optional<std::uint8_t> byteOfCharacter(char32_t character) {
    if (character >= kAlphabet.bytes.size() || kAlphabet.bytes[character] < 0) return std::nullopt;
    return static_cast<std::uint8_t>(kAlphabet.bytes[character]);
}

void appendSpelledBytes(std::string& out, std::string_view spelling) {
    while (!spelling.empty()) {
        const utf8::Decoded next = utf8::decode(spelling);
        const auto byte = next.valid ? byteOfCharacter(next.codePoint) : std::nullopt;
        if (byte) {
            out += static_cast<char>(*byte);
        } else {
            out.append(spelling.substr(0, next.length));
        }
        spelling.remove_prefix(next.length);
    }
}

}  // namespace loader::text
