// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q4_K and Q5_K: 256 values of 4 or 5 bits; 8 sub-blocks of 32, each with a 6-bit scale and a 6-bit minimum.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// A sub-block's 6-bit scale and minimum.
struct ScaleAndMinimum {
    std::uint8_t scale;
    std::uint8_t minimum;
};

/// Unpacks sub-block 0-7 out of 12 bytes: bytes 0-3 and 4-7 hold scales and minima of sub-blocks 0-3 in their
/// low six bits and the top two bits of sub-blocks 4-7 above; bytes 8-11 hold the low four bits of those.
inline ScaleAndMinimum scaleAndMinimum(const std::uint8_t* scales, int sub) {
    if (sub < 4) {
        return {static_cast<std::uint8_t>(scales[sub] & 63), static_cast<std::uint8_t>(scales[sub + 4] & 63)};
    }
    return {static_cast<std::uint8_t>((scales[sub + 4] & 0x0F) | ((scales[sub - 4] >> 6) << 4)),
            static_cast<std::uint8_t>((scales[sub + 4] >> 4) | ((scales[sub] >> 6) << 4))};
}

/// value = (scale × subScale) × quant − (minimum × subMinimum)
struct BlockQ4_K {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;       ///< half precision
    std::uint16_t minimum;     ///< half precision
    std::uint8_t scales[12];   ///< see scaleAndMinimum
    std::uint8_t quants[128];  ///< of each 32 bytes, low halves are one sub-block and high halves the next
};

inline void dequantize(const BlockQ4_K& block, float* out) {
    const float scale = halfToFloat(block.scale);
    const float minimum = halfToFloat(block.minimum);
    for (int sub = 0; sub < 8; ++sub) {
        const ScaleAndMinimum packed = scaleAndMinimum(block.scales, sub);
        const float subScale = scale * static_cast<float>(packed.scale);
        const float subMinimum = minimum * static_cast<float>(packed.minimum);
        const std::uint8_t* quants = block.quants + sub / 2 * 32;
        const int shift = sub % 2 * 4;
        for (int i = 0; i < 32; ++i)
            out[sub * 32 + i] = subScale * static_cast<float>((quants[i] >> shift) & 0x0F) - subMinimum;
    }
}

inline void swapByteOrder(BlockQ4_K& block) {
    swapField(block.scale);
    swapField(block.minimum);
}

/// As Q4_K, with a fifth bit.
struct BlockQ5_K {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;        ///< half precision
    std::uint16_t minimum;      ///< half precision
    std::uint8_t scales[12];    ///< see scaleAndMinimum
    std::uint8_t highBits[32];  ///< byte i, bit s: value 32 s + i
    std::uint8_t quants[128];   ///< order as in Q4_K
};

inline void dequantize(const BlockQ5_K& block, float* out) {
    const float scale = halfToFloat(block.scale);
    const float minimum = halfToFloat(block.minimum);
    for (int sub = 0; sub < 8; ++sub) {
        const ScaleAndMinimum packed = scaleAndMinimum(block.scales, sub);
        const float subScale = scale * static_cast<float>(packed.scale);
        const float subMinimum = minimum * static_cast<float>(packed.minimum);
        const std::uint8_t* quants = block.quants + sub / 2 * 32;
        const int shift = sub % 2 * 4;
        for (int i = 0; i < 32; ++i) {
            const int quant = ((quants[i] >> shift) & 0x0F) | (((block.highBits[i] >> sub) & 1) << 4);
            out[sub * 32 + i] = subScale * static_cast<float>(quant) - subMinimum;
        }
    }
}

inline void swapByteOrder(BlockQ5_K& block) {
    swapField(block.scale);
    swapField(block.minimum);
}

}  // namespace loader::quant
