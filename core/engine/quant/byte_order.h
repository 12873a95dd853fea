// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Reversal of the bytes of fields inside blocks, for files of the other byte order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace loader::quant {

/// Reverses the bytes of one field; T is an unsigned or floating-point type without padding.
template <class T>
inline void swapField(T& field) {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &field, sizeof(T));
    std::reverse(bytes, bytes + sizeof(T));
    std::memcpy(&field, bytes, sizeof(T));
}

/// Reverses each field of an array.
template <class T, std::size_t N>
inline void swapFields(T (&fields)[N]) {
    for (T& field : fields)
        swapField(field);
}

/// Reverses each group of four bytes: 32-bit words that the layout keeps as bytes, because they lie
/// unaligned.
template <std::size_t N>
inline void swapWords(std::uint8_t (&bytes)[N]) {
    static_assert(N % 4 == 0);
    for (std::size_t i = 0; i < N; i += 4)
        std::reverse(bytes + i, bytes + i + 4);
}

/// The 32-bit word at these bytes, in the byte order of this machine.
inline std::uint32_t loadWord(const std::uint8_t* bytes) {
    std::uint32_t word;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
}

}  // namespace loader::quant
