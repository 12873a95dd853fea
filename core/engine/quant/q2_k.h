// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q2_K: 256 values of 2 bits; 16 sub-blocks of 16, each with a 4-bit scale and a 4-bit minimum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// value = (scale × low half of scales) × quant − (minimum × high half of scales)
struct BlockQ2_K {
    static constexpr std::size_t kValues = 256;
    std::uint8_t scales[16];  ///< low half: scale; high half: minimum
    std::uint8_t
        quants[64];       ///< of each 32 bytes, the bit pairs from the low end up are values 0-31, 32-63, …
    std::uint16_t scale;  ///< half precision
    std::uint16_t minimum;  ///< half precision
};

inline void dequantize(const BlockQ2_K& block, float* out) {
    const float scale = halfToFloat(block.scale);
    const float minimum = halfToFloat(block.minimum);
    for (int sub = 0; sub < 16; ++sub) {
        const float subScale = scale * static_cast<float>(block.scales[sub] & 0x0F);
        const float subMinimum = minimum * static_cast<float>(block.scales[sub] >> 4);
        const std::uint8_t* quants = block.quants + (sub / 8) * 32 + (sub % 2) * 16;
        const int shift = (sub % 8) / 2 * 2;
        for (int i = 0; i < 16; ++i)
            out[sub * 16 + i] = subScale * static_cast<float>((quants[i] >> shift) & 3) - subMinimum;
    }
}

inline void swapByteOrder(BlockQ2_K& block) {
    swapField(block.scale);
    swapField(block.minimum);
}

}  // namespace loader::quant
