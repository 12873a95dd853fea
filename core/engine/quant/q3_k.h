// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q3_K: 256 values of 3 bits (two in quants, the third in highBits); 16 sub-blocks of 16 with signed 6-bit
// scales.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// value = (scale × (subScale − 32)) × quant, quant from −4 to 3
struct BlockQ3_K {
    static constexpr std::size_t kValues = 256;
    std::uint8_t highBits[32];  ///< byte i, bit g: value 32 g + i; a clear bit means 4 is taken off
    std::uint8_t quants[64];    ///< order as in Q2_K
    std::uint8_t scales[12];    ///< packed, see subScaleQ3_K
    std::uint16_t scale;        ///< half precision
};

/// The 6-bit scale of a sub-block (0-15), 0 to 63. Low four bits: halves of bytes 0-7; high two: pairs of
/// bytes 8-11.
inline int subScaleQ3_K(const std::uint8_t* scales, int sub) {
    const int low = sub < 8 ? scales[sub] & 0x0F : scales[sub - 8] >> 4;
    const int high = (scales[8 + sub % 4] >> (sub / 4 * 2)) & 3;
    return low | (high << 4);
}

inline void dequantize(const BlockQ3_K& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int sub = 0; sub < 16; ++sub) {
        const float subScale = scale * static_cast<float>(subScaleQ3_K(block.scales, sub) - 32);
        const std::uint8_t* quants = block.quants + (sub / 8) * 32 + (sub % 2) * 16;
        const std::uint8_t* highBits = block.highBits + (sub % 2) * 16;
        const int shift = (sub % 8) / 2 * 2;
        for (int i = 0; i < 16; ++i) {
            const int offset = ((highBits[i] >> (sub / 2)) & 1) != 0 ? 0 : 4;
            out[sub * 16 + i] = subScale * static_cast<float>(((quants[i] >> shift) & 3) - offset);
        }
    }
}

inline void swapByteOrder(BlockQ3_K& block) {
    swapField(block.scale);
}

}  // namespace loader::quant
