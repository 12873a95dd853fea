// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// IEEE half precision and bfloat16 as bit patterns. Exact in scalar code on every machine.
#pragma once

#include <bit>
#include <cstdint>

namespace loader {

/// @source IEEE 754-2008 binary16; denormals, infinities and NaN kept.
float halfToFloat(std::uint16_t bits);
/// Rounds to nearest, ties to even.
std::uint16_t floatToHalf(float value);

inline float bfloat16ToFloat(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Rounds to nearest, ties to even; NaN stays NaN.
inline std::uint16_t floatToBfloat16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>((bits >> 16) | 64u);
    return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace loader
