// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q4_0 and Q4_1: 32 values of 4 bits with one scale; Q4_1 adds a minimum. Values 0-15 are the low halves of
// the bytes, 16-31 the high halves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// value = scale × (quant − 8)
struct BlockQ4_0 {
    static constexpr std::size_t kValues = 32;
    std::uint16_t scale;  ///< half precision
    std::uint8_t quants[16];
};

inline void dequantize(const BlockQ4_0& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int i = 0; i < 16; ++i) {
        out[i] = scale * static_cast<float>((block.quants[i] & 0x0F) - 8);
        out[i + 16] = scale * static_cast<float>((block.quants[i] >> 4) - 8);
    }
}

inline void swapByteOrder(BlockQ4_0& block) {
    swapField(block.scale);
}

/// value = scale × quant + minimum
struct BlockQ4_1 {
    static constexpr std::size_t kValues = 32;
    std::uint16_t scale;    ///< half precision
    std::uint16_t minimum;  ///< half precision
    std::uint8_t quants[16];
};

inline void dequantize(const BlockQ4_1& block, float* out) {
    const float scale = halfToFloat(block.scale);
    const float minimum = halfToFloat(block.minimum);
    for (int i = 0; i < 16; ++i) {
        out[i] = scale * static_cast<float>(block.quants[i] & 0x0F) + minimum;
        out[i + 16] = scale * static_cast<float>(block.quants[i] >> 4) + minimum;
    }
}

inline void swapByteOrder(BlockQ4_1& block) {
    swapField(block.scale);
    swapField(block.minimum);
}

}  // namespace loader::quant
