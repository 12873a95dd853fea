// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a device computes with, from what any Vulkan 1.1 device has to matrix units. Each tier holds all of
// the one below; feature_tiers.inc lists them.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "backends/vulkan/device/device_facts.h"

namespace loader::vulkan {

enum class FeatureTier : std::uint8_t {
#define LOADER_FEATURE_TIER(name, text, needs) name,
#include "backends/vulkan/device/feature_tiers.inc"
};

std::span<const FeatureTier> allFeatureTiers();
/// "fp32", "fp16", "int8", "matrix".
std::string_view nameOf(FeatureTier tier);
std::optional<FeatureTier> featureTierFromName(std::string_view name);

/// The best tier of a device by what its driver says, less what known-bad drivers get wrong (known_bad.inc).
FeatureTier detectTier(const DeviceData& data);
/// Why a driver was held below what it offers, for the load report; empty where it was not.
std::string_view knownFault(const DeviceData& data);

}  // namespace loader::vulkan
