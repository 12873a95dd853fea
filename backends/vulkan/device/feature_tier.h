// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a device computes with, from what any Vulkan 1.1 device has to matrix units. Each tier holds all of
// the one below; feature_tiers.inc lists them. Single features are in device_features.inc.
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

/// What can be had or left out by itself.
enum class DeviceFeature : std::uint8_t {
#define LOADER_DEVICE_FEATURE(name, text, meaning) name,
#include "backends/vulkan/device/device_features.inc"
};

class FeatureSet {
public:
    constexpr FeatureSet() = default;

    constexpr bool has(DeviceFeature feature) const { return (m_bits & bit(feature)) != 0; }
    constexpr void set(DeviceFeature feature, bool yes = true) {
        m_bits = yes ? m_bits | bit(feature) : m_bits & ~bit(feature);
    }
    constexpr FeatureSet less(FeatureSet other) const { return FeatureSet(m_bits & ~other.m_bits); }
    constexpr bool operator==(const FeatureSet&) const = default;

private:
    constexpr explicit FeatureSet(std::uint32_t bits) : m_bits(bits) {}
    static constexpr std::uint32_t bit(DeviceFeature feature) {
        return std::uint32_t{1} << static_cast<unsigned>(feature);
    }

    std::uint32_t m_bits = 0;
};

std::span<const FeatureTier> allFeatureTiers();
/// "fp32", "fp16", "int8", "matrix", "flexible".
std::string_view nameOf(FeatureTier tier);
std::optional<FeatureTier> featureTierFromName(std::string_view name);

std::span<const DeviceFeature> allDeviceFeatures();
/// "fp16", "subgroups", "host_import", …
std::string_view nameOf(DeviceFeature feature);
std::optional<DeviceFeature> deviceFeatureFromName(std::string_view name);

/// What somebody wants left unused: for tests, and for drivers with faults that we do not know of.
struct FeatureChoice {
    /// Tiers above this are left unused.
    FeatureTier most = FeatureTier::Flexible;
    FeatureSet without;
};

/// The texts of LOADER_VULKAN_TIER ("fp16") and LOADER_VULKAN_WITHOUT ("int8,budget"), which whoever owns
/// the environment reads and passes on; empty ones change nothing. @errors X005 no such name
Result<FeatureChoice> readFeatureChoice(std::string_view tier, std::string_view without);

/// What the driver says it has.
FeatureSet offeredFeatures(const DeviceData& data);
/// The best tier of a device by what its driver says, less what known-bad drivers get wrong (known_bad.inc).
FeatureTier detectTier(const DeviceData& data, FeatureSet without = {});
/// Why a driver was held below what it offers, for the load report; empty where it was not.
std::string_view knownFault(const DeviceData& data);

}  // namespace loader::vulkan
