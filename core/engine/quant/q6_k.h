// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q6_K: 256 values of 6 bits; 16 sub-blocks of 16 with signed 8-bit scales.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// value = (scale × subScale) × (quant − 32)
struct BlockQ6_K {
    static constexpr std::size_t kValues = 256;
    std::uint8_t lowBits[128];  ///< of each 64 bytes, low halves are values 0-63 and high halves 64-127
    std::uint8_t highBits[64];  ///< of each 32 bytes, bit pairs from the low end up are values 0-31, 32-63, …
    std::int8_t scales[16];
    std::uint16_t scale;  ///< half precision
};

inline void dequantize(const BlockQ6_K& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int group = 0; group < 8; ++group) {
        const int half = group / 4;
        const int quarter = group % 4;
        const std::uint8_t* low = block.lowBits + half * 64 + quarter % 2 * 32;
        const std::uint8_t* high = block.highBits + half * 32;
        for (int i = 0; i < 32; ++i) {
            const int part = group * 2 + i / 16;
            const float subScale = scale * static_cast<float>(block.scales[part]);
            const int quant =
                ((low[i] >> (quarter / 2 * 4)) & 0x0F) | (((high[i] >> (quarter * 2)) & 3) << 4);
            out[group * 32 + i] = subScale * static_cast<float>(quant - 32);
        }
    }
}

inline void swapByteOrder(BlockQ6_K& block) {
    swapField(block.scale);
}

}  // namespace loader::quant
