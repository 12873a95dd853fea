// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// IQ4_NL and IQ4_XS: 4-bit indices into one table of 16 unevenly spaced values. IQ4_XS adds 6-bit scales
// per 32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

/// value = scale × table[quant]
struct BlockIQ4_NL {
    static constexpr std::size_t kValues = 32;
    std::uint16_t scale;      ///< half precision
    std::uint8_t quants[16];  ///< low halves are values 0-15, high halves 16-31
};

inline void dequantize(const BlockIQ4_NL& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int i = 0; i < 16; ++i) {
        out[i] = scale * static_cast<float>(kIq4Values[block.quants[i] & 0x0F]);
        out[i + 16] = scale * static_cast<float>(kIq4Values[block.quants[i] >> 4]);
    }
}

inline void swapByteOrder(BlockIQ4_NL& block) {
    swapField(block.scale);
}

/// value = (scale × (subScale − 32)) × table[quant]
struct BlockIQ4_XS {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;        ///< half precision
    std::uint16_t scalesHigh;   ///< top two bits of the sub-scales, sub-block 0 lowest
    std::uint8_t scalesLow[4];  ///< low four bits, two sub-blocks a byte
    std::uint8_t quants[128];   ///< 16 bytes a sub-block; order as in IQ4_NL
};

/// The 6-bit scale of a sub-block (0-7) less 32.
inline int subScale(const BlockIQ4_XS& block, int sub) {
    const int low = (block.scalesLow[sub / 2] >> (sub % 2 * 4)) & 0x0F;
    const int high = (block.scalesHigh >> (sub * 2)) & 3;
    return (low | (high << 4)) - 32;
}

inline void dequantize(const BlockIQ4_XS& block, float* out) {
    const float blockScale = halfToFloat(block.scale);
    for (int sub = 0; sub < 8; ++sub) {
        const float scale = blockScale * static_cast<float>(subScale(block, sub));
        const std::uint8_t* quants = block.quants + sub * 16;
        for (int i = 0; i < 16; ++i) {
            out[sub * 32 + i] = scale * static_cast<float>(kIq4Values[quants[i] & 0x0F]);
            out[sub * 32 + 16 + i] = scale * static_cast<float>(kIq4Values[quants[i] >> 4]);
        }
    }
}

inline void swapByteOrder(BlockIQ4_XS& block) {
    swapField(block.scale);
    swapField(block.scalesHigh);
}

}  // namespace loader::quant
