// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q5_0 and Q5_1: as Q4_0 and Q4_1, with the fifth bits of the 32 values gathered in one word (bit i is value
// i).
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// value = scale × (quant − 16)
struct BlockQ5_0 {
    static constexpr std::size_t kValues = 32;
    std::uint16_t scale;       ///< half precision
    std::uint8_t highBits[4];  ///< one 32-bit word
    std::uint8_t quants[16];
};

inline void dequantize(const BlockQ5_0& block, float* out) {
    const float scale = halfToFloat(block.scale);
    const std::uint32_t high = loadWord(block.highBits);
    for (int i = 0; i < 16; ++i) {
        const auto first = static_cast<int>((block.quants[i] & 0x0Fu) | (((high >> i) & 1u) << 4));
        const auto second = static_cast<int>((block.quants[i] >> 4) | (((high >> (i + 16)) & 1u) << 4));
        out[i] = scale * static_cast<float>(first - 16);
        out[i + 16] = scale * static_cast<float>(second - 16);
    }
}

inline void swapByteOrder(BlockQ5_0& block) {
    swapField(block.scale);
    swapWords(block.highBits);
}

/// value = scale × quant + minimum
struct BlockQ5_1 {
    static constexpr std::size_t kValues = 32;
    std::uint16_t scale;       ///< half precision
    std::uint16_t minimum;     ///< half precision
    std::uint8_t highBits[4];  ///< one 32-bit word
    std::uint8_t quants[16];
};

inline void dequantize(const BlockQ5_1& block, float* out) {
    const float scale = halfToFloat(block.scale);
    const float minimum = halfToFloat(block.minimum);
    const std::uint32_t high = loadWord(block.highBits);
    for (int i = 0; i < 16; ++i) {
        const std::uint32_t first = (block.quants[i] & 0x0Fu) | (((high >> i) & 1u) << 4);
        const std::uint32_t second = (block.quants[i] >> 4) | (((high >> (i + 16)) & 1u) << 4);
        out[i] = scale * static_cast<float>(first) + minimum;
        out[i + 16] = scale * static_cast<float>(second) + minimum;
    }
}

inline void swapByteOrder(BlockQ5_1& block) {
    swapField(block.scale);
    swapField(block.minimum);
    swapWords(block.highBits);
}

}  // namespace loader::quant
