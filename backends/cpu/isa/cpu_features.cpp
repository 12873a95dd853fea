// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/isa/cpu_features.h"

#include <algorithm>

#include "core/engine/base/cpu_flags.h"

namespace loader::cpu {
namespace {

struct TierRow {
    IsaTier tier;
    std::string_view name;
};

constexpr TierRow kRows[] = {
#define LOADER_ISA_TIER(name, text, space) {IsaTier::name, text},
#include "backends/cpu/isa/tiers.inc"
};

constexpr IsaTier kTiers[] = {
#define LOADER_ISA_TIER(name, text, space) IsaTier::name,
#include "backends/cpu/isa/tiers.inc"
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

IsaTier detectTier() {
    return tierFromName(kernelTier(cpuFlags())).value_or(IsaTier::Baseline);
}

IsaTier allowedTier(std::optional<IsaTier> wanted) {
    const IsaTier machine = detectTier();
    return wanted ? std::min(*wanted, machine) : machine;
}

std::string_view tierName(IsaTier tier) {
    for (const TierRow& row : kRows) {
        if (row.tier == tier) return row.name;
    }
    return {};
}

std::optional<IsaTier> tierFromName(std::string_view name) {
    for (const TierRow& row : kRows) {
        const bool same = std::equal(row.name.begin(), row.name.end(), name.begin(), name.end(),
                                     [](char a, char b) { return a == lower(b); });
        if (same) return row.tier;
    }
    return std::nullopt;
}

std::span<const IsaTier> allTiers() {
    return kTiers;
}

}  // namespace loader::cpu
