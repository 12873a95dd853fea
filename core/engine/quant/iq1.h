// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// IQ1_S and IQ1_M: groups of 8 values −1, 0 or 1 out of a codebook, shifted by an eighth up or down, times a
// scale.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine/base/half.h"
#include "core/engine/quant/byte_order.h"
#include "core/engine/quant/iq_grids.h"

namespace loader::quant {

inline constexpr float kIq1Shift = 0.125f;

/// Writes 8 values: (signed byte of `digits` + shift) × scale.
inline void shiftedGroup8(std::uint64_t digits, float shift, float scale, float* out) {
    for (int i = 0; i < 8; ++i) {
        const auto digit = static_cast<std::int8_t>((digits >> (8 * i)) & 0xFF);
        out[i] = scale * (static_cast<float>(digit) + shift);
    }
}

struct BlockIQ1_S {
    static constexpr std::size_t kValues = 256;
    std::uint16_t scale;      ///< half precision
    std::uint8_t quants[32];  ///< low 8 bits of the codebook index of each group of 8
    std::uint16_t
        highBits[8];  ///< per 32 values: four times 3 top index bits, a scale of 3 bits, sign of the shift
};

inline void dequantize(const BlockIQ1_S& block, float* out) {
    const float blockScale = halfToFloat(block.scale);
    for (int sub = 0; sub < 8; ++sub) {
        const int high = block.highBits[sub];
        const float scale = blockScale * static_cast<float>(2 * ((high >> 12) & 7) + 1);
        const float shift = (high & 0x8000) != 0 ? -kIq1Shift : kIq1Shift;
        for (int group = 0; group < 4; ++group) {
            const int index = block.quants[sub * 4 + group] | (((high >> (3 * group)) & 7) << 8);
            shiftedGroup8(kIq1Grid[static_cast<std::size_t>(index)], shift, scale,
                          out + sub * 32 + group * 8);
        }
    }
}

inline void swapByteOrder(BlockIQ1_S& block) {
    swapField(block.scale);
    swapFields(block.highBits);
}

/// The block's half-precision scale is spread over the top four bits of the four scale words, lowest first.
struct BlockIQ1_M {
    static constexpr std::size_t kValues = 256;
    std::uint8_t quants[32];    ///< low 8 bits of the codebook index of each group of 8
    std::uint8_t highBits[16];  ///< 4 bits per group: 3 top index bits, sign of the shift
    std::uint16_t scales[4];    ///< four times 3 bits, one per 16 values
};

inline float blockScale(const BlockIQ1_M& block) {
    std::uint32_t bits = 0;
    for (int i = 0; i < 4; ++i)
        bits |= static_cast<std::uint32_t>(block.scales[i] >> 12) << (4 * i);
    return halfToFloat(static_cast<std::uint16_t>(bits));
}

inline void dequantize(const BlockIQ1_M& block, float* out) {
    const float whole = blockScale(block);
    for (int group = 0; group < 32; ++group) {
        const int sub = group / 2;
        const float scale =
            whole * static_cast<float>(2 * ((block.scales[sub / 4] >> (3 * (sub % 4))) & 7) + 1);
        const int high = (block.highBits[group / 2] >> (group % 2 * 4)) & 0x0F;
        const float shift = (high & 8) != 0 ? -kIq1Shift : kIq1Shift;
        const int index = block.quants[group] | ((high & 7) << 8);
        shiftedGroup8(kIq1Grid[static_cast<std::size_t>(index)], shift, scale, out + group * 8);
    }
}

inline void swapByteOrder(BlockIQ1_M& block) {
    swapFields(block.scales);
}

}  // namespace loader::quant
