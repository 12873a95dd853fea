// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// TQ1_0 and TQ2_0: values −1, 0 and 1. TQ1_0 packs five of them into a byte as a base-3 fraction of 256,
// TQ2_0 four.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"

namespace loader::quant {

/// value = scale × digit
struct BlockTQ1_0 {
    static constexpr std::size_t kValues = 256;
    std::uint8_t quants[48];  ///< bytes 0-31: five digits each, digit n of byte i is value 32 n + i; 32-47:
                              ///< from 160, 16 apart
    std::uint8_t lastQuants[4];  ///< four digits each, from value 240, 4 apart
    std::uint16_t scale;         ///< half precision
};

/// Digit n (0 is the most significant) of a byte of TQ1_0, as −1, 0 or 1.
inline int ternaryDigit(std::uint8_t packed, int digit) {
    constexpr std::uint8_t kPowers[5] = {1, 3, 9, 27, 81};
    const auto shifted = static_cast<std::uint8_t>(packed * kPowers[digit]);
    return ((shifted * 3) >> 8) - 1;
}

inline void dequantize(const BlockTQ1_0& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int digit = 0; digit < 5; ++digit) {
        for (int i = 0; i < 32; ++i)
            out[digit * 32 + i] = scale * static_cast<float>(ternaryDigit(block.quants[i], digit));
        for (int i = 0; i < 16; ++i)
            out[160 + digit * 16 + i] = scale * static_cast<float>(ternaryDigit(block.quants[32 + i], digit));
    }
    for (int digit = 0; digit < 4; ++digit) {
        for (int i = 0; i < 4; ++i)
            out[240 + digit * 4 + i] = scale * static_cast<float>(ternaryDigit(block.lastQuants[i], digit));
    }
}

inline void swapByteOrder(BlockTQ1_0& block) {
    swapField(block.scale);
}

/// value = scale × (quant − 1)
struct BlockTQ2_0 {
    static constexpr std::size_t kValues = 256;
    std::uint8_t quants[64];  ///< of each 32 bytes, bit pairs from the low end up are values 0-31, 32-63, …
    std::uint16_t scale;      ///< half precision
};

inline void dequantize(const BlockTQ2_0& block, float* out) {
    const float scale = halfToFloat(block.scale);
    for (int group = 0; group < 8; ++group) {
        const std::uint8_t* quants = block.quants + group / 4 * 32;
        for (int i = 0; i < 32; ++i)
            out[group * 32 + i] = scale * static_cast<float>(((quants[i] >> (group % 4 * 2)) & 3) - 1);
    }
}

inline void swapByteOrder(BlockTQ2_0& block) {
    swapField(block.scale);
}

}  // namespace loader::quant
