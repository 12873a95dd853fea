// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q1_0 and Q2_0: 128 values of one bit, or 64 of two bits, in order from the low end of each byte; one scale.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// value = a set bit: scale; a clear bit: −scale
struct BlockQ1_0 {
    static constexpr std::size_t kValues = 128;
    std::uint16_t scale;  ///< half precision
    std::uint8_t quants[16];
};

inline void dequantize(const BlockQ1_0& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int i = 0; i < 128; ++i)
        out[i] = ((block.quants[i / 8] >> (i % 8)) & 1) != 0 ? scale : -scale;
}

inline void swapByteOrder(BlockQ1_0& block) {
    swapField(block.scale);
}

/// value = scale × (quant − 1), quant 0 to 3
struct BlockQ2_0 {
    static constexpr std::size_t kValues = 64;
    std::uint16_t scale;  ///< half precision
    std::uint8_t quants[16];
};

inline void dequantize(const BlockQ2_0& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int i = 0; i < 64; ++i)
        out[i] = scale * static_cast<float>(((block.quants[i / 4] >> (i % 4 * 2)) & 3) - 1);
}

inline void swapByteOrder(BlockQ2_0& block) {
    swapField(block.scale);
}

}  // namespace loader::quant
