// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which instruction set tier this machine runs; what it has is asked in core/engine/base/cpu_flags.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace loader::cpu {

/// Lowest first; a tier includes all below it.
enum class IsaTier : std::uint8_t {
#define LOADER_ISA_TIER(name, text, space) name,
#include "backends/cpu/isa/tiers.inc"
};

/// Avx2: AVX2, FMA, F16C. Avx512: F, BW, DQ, VL and VNNI. Neon: ARMv8.2 with the integer dot product.
/// @thread any
IsaTier detectTier();

/// The tier to use where a setting asks for `wanted`: never above what the machine has.
IsaTier allowedTier(std::optional<IsaTier> wanted);

std::string_view tierName(IsaTier tier);
/// In any case ("AVX2"), or nothing.
std::optional<IsaTier> tierFromName(std::string_view name);
/// All tiers this build knows, lowest first.
std::span<const IsaTier> allTiers();

}  // namespace loader::cpu
