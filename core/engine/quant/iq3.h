// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// IQ3_XXS and IQ3_S: groups of 4 magnitudes out of a codebook, with a sign per value.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"
#include "core/engine/quant/iq_grids.h"

namespace loader::quant {

/// Writes 4 values: the bytes of `magnitudes` times scale, negated where the bit of `signs` is set.
inline void signedGroup4(std::uint32_t magnitudes, int signs, float scale, float* out) {
    for (int i = 0; i < 4; ++i) {
        const float value = scale * static_cast<float>((magnitudes >> (8 * i)) & 0xFF);
        out[i] = ((signs >> i) & 1) != 0 ? -value : value;
    }
}

struct BlockIQ3_XXS {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;      ///< half precision
    std::uint8_t quants[64];  ///< codebook index of each group of 4
    std::uint8_t
        scalesAndSigns[32];  ///< a word per 32 values: four sign indices of 7 bits, a scale of 4 bits
};

inline void dequantize(const BlockIQ3_XXS& block, float* out) {
    const float blockScale = halfToFloat(block.scale);
    for (int sub = 0; sub < 8; ++sub) {
        const std::uint32_t word = loadWord(block.scalesAndSigns + sub * 4);
        const float scale = blockScale * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
        for (int group = 0; group < 8; ++group) {
            const int signs = signMask((word >> (7 * (group / 2))) & 127) >> (group % 2 * 4);
            signedGroup4(kIq3XxsGrid[block.quants[sub * 8 + group]], signs, scale,
                         out + sub * 32 + group * 4);
        }
    }
}

inline void swapByteOrder(BlockIQ3_XXS& block) {
    swapField(block.scale);
    swapWords(block.scalesAndSigns);
}

struct BlockIQ3_S {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;       ///< half precision
    std::uint8_t quants[64];   ///< low 8 bits of the codebook index of each group of 4
    std::uint8_t highBits[8];  ///< bit i: top bit of the index of group i
    std::uint8_t signs[32];    ///< a bit per value
    std::uint8_t scales[4];    ///< 4 bits per 32 values
};

inline void dequantize(const BlockIQ3_S& block, float* out) {
    const float blockScale = halfToFloat(block.scale);
    for (int group = 0; group < 64; ++group) {
        const int subScale = (block.scales[group / 16] >> (group / 8 % 2 * 4)) & 0x0F;
        const float scale = blockScale * static_cast<float>(1 + 2 * subScale);
        const int high = (block.highBits[group / 8] >> (group % 8)) & 1;
        signedGroup4(kIq3SGrid[static_cast<std::size_t>(block.quants[group] | (high << 8))],
                     block.signs[group / 2] >> (group % 2 * 4), scale, out + group * 4);
    }
}

inline void swapByteOrder(BlockIQ3_S& block) {
    swapField(block.scale);
}

}  // namespace loader::quant
