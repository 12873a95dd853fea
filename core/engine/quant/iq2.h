// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// IQ2_XXS, IQ2_XS and IQ2_S: groups of 8 magnitudes out of a codebook, with a sign per value.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"
#include "core/engine/quant/iq_grids.h"

namespace loader::quant {

/// Writes 8 values: the bytes of `magnitudes` times scale, negated where the bit of `signs` is set.
inline void signedGroup8(std::uint64_t magnitudes, std::uint8_t signs, float scale, float* out) {
    for (int i = 0; i < 8; ++i) {
        const float value = scale * static_cast<float>((magnitudes >> (8 * i)) & 0xFF);
        out[i] = ((signs >> i) & 1) != 0 ? -value : value;
    }
}

/// Two words per 32 values. First: four codebook indices of 8 bits. Second: four sign indices of 7 bits (see
/// signMask), and on top a scale of 4 bits.
struct BlockIQ2_XXS {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;      ///< half precision
    std::uint8_t quants[64];  ///< 16 words of 32 bits
};

inline void dequantize(const BlockIQ2_XXS& block, float* out) {
    const float blockScale = halfToFloat(block.scale);
    for (int sub = 0; sub < 8; ++sub) {
        const std::uint32_t indices = loadWord(block.quants + sub * 8);
        const std::uint32_t signs = loadWord(block.quants + sub * 8 + 4);
        const float scale = blockScale * (0.5f + static_cast<float>(signs >> 28)) * 0.25f;
        for (int group = 0; group < 4; ++group) {
            signedGroup8(kIq2XxsGrid[(indices >> (8 * group)) & 0xFF], signMask((signs >> (7 * group)) & 127),
                         scale, out + sub * 32 + group * 8);
        }
    }
}

inline void swapByteOrder(BlockIQ2_XXS& block) {
    swapField(block.scale);
    swapWords(block.quants);
}

struct BlockIQ2_XS {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;       ///< half precision
    std::uint16_t quants[32];  ///< one per 8 values: codebook index of 9 bits, sign index of 7 bits
    std::uint8_t scales[8];    ///< 4 bits per 16 values
};

inline void dequantize(const BlockIQ2_XS& block, float* out) {
    const float blockScale = halfToFloat(block.scale);
    for (int group = 0; group < 32; ++group) {
        const int subScale = (block.scales[group / 4] >> (group / 2 % 2 * 4)) & 0x0F;
        const float scale = blockScale * (0.5f + static_cast<float>(subScale)) * 0.25f;
        const std::uint32_t quant = block.quants[group];
        signedGroup8(kIq2XsGrid[quant & 511], signMask(quant >> 9), scale, out + group * 8);
    }
}

inline void swapByteOrder(BlockIQ2_XS& block) {
    swapField(block.scale);
    swapFields(block.quants);
}

struct BlockIQ2_S {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;       ///< half precision
    std::uint8_t quants[32];   ///< low 8 bits of the codebook index of each group of 8
    std::uint8_t signs[32];    ///< a bit per value
    std::uint8_t highBits[8];  ///< top 2 bits of the codebook indices
    std::uint8_t scales[8];    ///< 4 bits per 16 values
};

inline void dequantize(const BlockIQ2_S& block, float* out) {
    const float blockScale = halfToFloat(block.scale);
    for (int group = 0; group < 32; ++group) {
        const int subScale = (block.scales[group / 4] >> (group / 2 % 2 * 4)) & 0x0F;
        const float scale = blockScale * (0.5f + static_cast<float>(subScale)) * 0.25f;
        const int high = (block.highBits[group / 4] >> (group % 4 * 2)) & 3;
        signedGroup8(kIq2SGrid[static_cast<std::size_t>(block.quants[group] | (high << 8))],
                     block.signs[group], scale, out + group * 8);
    }
}

inline void swapByteOrder(BlockIQ2_S& block) {
    swapField(block.scale);
}

}  // namespace loader::quant
