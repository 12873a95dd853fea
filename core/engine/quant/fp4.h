// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// MXFP4 and NVFP4: values are 4-bit floats (E2M1) under a power-of-two scale per 32 (E8M0), or an E4M3 scale
// per 16. Tensors of NVFP4 may come with a further scale in a tensor of its own; that one is not part of the
// blocks.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace loader::quant {

/// Twice the value of each E2M1 pattern; the scales below are halved to match.
inline constexpr std::int8_t kDoubledE2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// Half of the scale 2^(exponent − 127).
/// @source OCP Microscaling Formats 1.0, 5.4.1 (E8M0)
inline float halvedE8m0(std::uint8_t exponent) {
    const std::uint32_t bits = exponent < 2 ? 0x00200000u << exponent : (exponent - 1u) << 23;
    return std::bit_cast<float>(bits);
}

/// Half of an unsigned E4M3 scale; the top bit is ignored, and 0x7F, which has no value, reads as 0.
inline float halvedE4m3(std::uint8_t bits) {
    if (bits == 0 || bits == 0x7F) return 0.0f;
    const std::uint32_t exponent = (bits >> 3) & 0x0Fu;
    const auto fraction = static_cast<float>(bits & 7);
    if (exponent == 0) return fraction * 0x1p-10f;
    return std::bit_cast<float>((exponent + 119u) << 23) * (1.0f + fraction / 8.0f);
}

struct BlockMXFP4 {
    static constexpr std::size_t kValues = 32;
    std::uint8_t exponent;    ///< E8M0
    std::uint8_t quants[16];  ///< low halves are values 0-15, high halves 16-31
};

inline void dequantize(const BlockMXFP4& block, float* out) {
    const float scale = halvedE8m0(block.exponent);
    for (int i = 0; i < 16; ++i) {
        out[i] = scale * static_cast<float>(kDoubledE2m1[block.quants[i] & 0x0F]);
        out[i + 16] = scale * static_cast<float>(kDoubledE2m1[block.quants[i] >> 4]);
    }
}

inline void swapByteOrder(BlockMXFP4&) {}

struct BlockNVFP4 {
    static constexpr std::size_t kValues = 64;
    std::uint8_t scales[4];  ///< E4M3, one per 16 values
    std::uint8_t
        quants[32];  ///< of each 8 bytes, low halves are values 0-7 of a sub-block and high halves 8-15
};

inline void dequantize(const BlockNVFP4& block, float* out) {
    for (int sub = 0; sub < 4; ++sub) {
        const float scale = halvedE4m3(block.scales[sub]);
        for (int i = 0; i < 8; ++i) {
            const std::uint8_t quants = block.quants[sub * 8 + i];
            out[sub * 16 + i] = scale * static_cast<float>(kDoubledE2m1[quants & 0x0F]);
            out[sub * 16 + 8 + i] = scale * static_cast<float>(kDoubledE2m1[quants >> 4]);
        }
    }
}

inline void swapByteOrder(BlockNVFP4&) {}

}  // namespace loader::quant
