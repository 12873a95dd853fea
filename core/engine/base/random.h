// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Random numbers as a function of where they are used, not of how many were drawn before: an answer that
// goes on elsewhere draws the same numbers. The generator is Philox4x32 with ten rounds.
#pragma once

#include <array>
#include <cstdint>

namespace loader {

/// One block of Philox4x32-10: a bijection of the 128-bit counter, chosen by the 64-bit key.
/// @source Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.3;
///         multipliers and Weyl increments as given there
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
    constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
    constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
    constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;  // golden ratio
    constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;  // sqrt(3) - 1
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = kMultiplier0 * counter[0];
        const std::uint64_t product1 = kMultiplier1 * counter[2];
        counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0],
                   static_cast<std::uint32_t>(product1),
                   static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1],
                   static_cast<std::uint32_t>(product0)};
        key[0] += kWeyl0;
        key[1] += kWeyl1;
    }
    return counter;
}

/// A number in [0, 1) with 53 random bits; the same arguments always give the same number.
/// `draw` tells apart several numbers needed for one token.
constexpr double uniformAt(std::uint64_t seed, std::uint32_t sequence, std::uint64_t position,
                           std::uint32_t draw) {
    const auto block = philox4x32(
        {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32U), sequence, draw},
        {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
    const std::uint64_t bits = (static_cast<std::uint64_t>(block[0]) << 32U) | block[1];
    return static_cast<double>(bits >> 11U) * 0x1.0p-53;
}

}  // namespace loader
