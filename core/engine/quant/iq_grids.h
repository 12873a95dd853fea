// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Codebooks of the IQ1, IQ2 and IQ3 types: constants of the file format as ggml defines it. A group's first
// value is in the lowest byte of an entry.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace loader::quant {

/// Eight magnitudes each, 8, 25 or 43.
extern const std::array<std::uint64_t, 256> kIq2XxsGrid;
extern const std::array<std::uint64_t, 512> kIq2XsGrid;
extern const std::array<std::uint64_t, 1024> kIq2SGrid;
/// Four magnitudes each.
extern const std::array<std::uint32_t, 256> kIq3XxsGrid;
extern const std::array<std::uint32_t, 512> kIq3SGrid;
/// Eight signed bytes each, −1, 0 or 1; IQ1_S and IQ1_M share it.
extern const std::array<std::uint64_t, 2048> kIq1Grid;

/// The signs of eight values out of seven bits: the eighth makes the number of negative values even.
inline std::uint8_t signMask(std::uint32_t index) {
    const auto parity = static_cast<std::uint32_t>(std::popcount(index & 127u)) & 1u;
    return static_cast<std::uint8_t>((index & 127u) | (parity << 7));
}

}  // namespace loader::quant
