// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/feature_tier.h"

#include <algorithm>
#include <string>

#include "backends/vulkan/device/device_limits.h"

namespace loader::vulkan {
namespace {

template <class T>
struct NameRow {
    T value;
    std::string_view name;
};

constexpr NameRow<FeatureTier> kTierRows[] = {
#define LOADER_FEATURE_TIER(name, text, needs) {FeatureTier::name, text},
#include "backends/vulkan/device/feature_tiers.inc"
};

constexpr FeatureTier kTiers[] = {
#define LOADER_FEATURE_TIER(name, text, needs) FeatureTier::name,
#include "backends/vulkan/device/feature_tiers.inc"
};

constexpr NameRow<DeviceFeature> kFeatureRows[] = {
#define LOADER_DEVICE_FEATURE(name, text, meaning) {DeviceFeature::name, text},
#include "backends/vulkan/device/device_features.inc"
};

constexpr DeviceFeature kFeatures[] = {
#define LOADER_DEVICE_FEATURE(name, text, meaning) DeviceFeature::name,
#include "backends/vulkan/device/device_features.inc"
};

struct KnownBad {
    VkDriverId driver;
    std::uint32_t lowestBad;
    std::uint32_t firstGood;
    FeatureTier most;
    std::string_view reason;
};

constexpr KnownBad kKnownBad[] = {
#define LOADER_KNOWN_BAD(driver, lowestBad, firstGood, most, reason) \
    {driver, lowestBad, firstGood, FeatureTier::most, reason},
#include "backends/vulkan/device/known_bad.inc"
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

template <class T, std::size_t N>
std::string_view nameIn(const NameRow<T> (&rows)[N], T value) {
    for (const NameRow<T>& row : rows) {
        if (row.value == value) return row.name;
    }
    return {};
}

template <class T, std::size_t N>
std::optional<T> valueIn(const NameRow<T> (&rows)[N], std::string_view name) {
    for (const NameRow<T>& row : rows) {
        const bool same = std::equal(row.name.begin(), row.name.end(), name.begin(), name.end(),
                                     [](char a, char b) { return a == lower(b); });
        if (same) return row.value;
    }
    return std::nullopt;
}

template <class T, std::size_t N>
Error noSuchName(const char* variable, std::string_view name, const NameRow<T> (&rows)[N]) {
    std::string known;
    for (const NameRow<T>& row : rows)
        known += (known.empty() ? "" : ", ") + std::string(row.name);
    return Error(Errc::X005,
                 {std::string(variable) + " names " + std::string(name) + "; known are " + known});
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

bool sumsOverSubgroups(const DeviceData& data) {
    constexpr VkSubgroupFeatureFlags kNeeded =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    return (data.subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0 &&
           (data.subgroup.supportedOperations & kNeeded) == kNeeded;
}

bool multipliesMatrices(const DeviceData& data) {
    // Shaders with such matrices are written in the memory model of Vulkan 1.2.
    return data.matrix.cooperativeMatrix != 0 && data.memoryModel.vulkanMemoryModel != 0 &&
           matrixShapeOf(data).any();
}

bool multipliesAnySize(const DeviceData& data) {
    // These shaders are written in the SPIR-V of Vulkan 1.3.
    return data.isAtLeast(VK_API_VERSION_1_3) &&
           data.flexibleMatrix.cooperativeMatrixFlexibleDimensions != 0 &&
           data.flexibleMatrix.cooperativeMatrixPerElementOperations != 0 && flexibleShapeOf(data).any();
}

FeatureTier tierOf(FeatureSet features) {
    if (!features.has(DeviceFeature::Fp16) || !features.has(DeviceFeature::Subgroups))
        return FeatureTier::Fp32;
    if (!features.has(DeviceFeature::Int8)) return FeatureTier::Fp16;
    if (!features.has(DeviceFeature::Matrix)) return FeatureTier::Int8;
    return features.has(DeviceFeature::Flexible) ? FeatureTier::Flexible : FeatureTier::Matrix;
}

const KnownBad* knownBad(const DeviceData& data) {
    const std::uint32_t version = data.properties.driverVersion;
    for (const KnownBad& row : kKnownBad) {
        if (data.driver.driverID == row.driver && version >= row.lowestBad && version < row.firstGood)
            return &row;
    }
    return nullptr;
}

}  // namespace

std::span<const FeatureTier> allFeatureTiers() {
    return kTiers;
}

std::string_view nameOf(FeatureTier tier) {
    return nameIn(kTierRows, tier);
}

std::optional<FeatureTier> featureTierFromName(std::string_view name) {
    return valueIn(kTierRows, name);
}

std::span<const DeviceFeature> allDeviceFeatures() {
    return kFeatures;
}

std::string_view nameOf(DeviceFeature feature) {
    return nameIn(kFeatureRows, feature);
}

std::optional<DeviceFeature> deviceFeatureFromName(std::string_view name) {
    return valueIn(kFeatureRows, name);
}

Result<FeatureChoice> readFeatureChoice(std::string_view tier, std::string_view without) {
    FeatureChoice choice;
    tier = trimmed(tier);
    if (!tier.empty()) {
        const auto found = featureTierFromName(tier);
        if (!found) return noSuchName("LOADER_VULKAN_TIER", tier, kTierRows);
        choice.most = *found;
    }
    while (!without.empty()) {
        const std::size_t comma = std::min(without.find(','), without.size());
        const std::string_view name = trimmed(without.substr(0, comma));
        without.remove_prefix(std::min(comma + 1, without.size()));
        if (name.empty()) continue;
        const auto found = deviceFeatureFromName(name);
        if (!found) return noSuchName("LOADER_VULKAN_WITHOUT", name, kFeatureRows);
        choice.without.set(*found);
    }
    return choice;
}

FeatureSet offeredFeatures(const DeviceData& data) {
    FeatureSet features;
    features.set(DeviceFeature::Fp16, data.arithmetic.shaderFloat16 != 0);
    features.set(DeviceFeature::Subgroups, sumsOverSubgroups(data));
    features.set(DeviceFeature::Int8, data.integerDotFeatures.shaderIntegerDotProduct != 0);
    features.set(DeviceFeature::Matrix, multipliesMatrices(data));
    features.set(DeviceFeature::Flexible, multipliesAnySize(data));
    features.set(DeviceFeature::Unified, sharesMemory(data));
    features.set(DeviceFeature::HostImport, data.has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME));
    features.set(DeviceFeature::Budget, data.has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME));
    return features;
}

FeatureTier detectTier(const DeviceData& data, FeatureSet without) {
    const FeatureTier offered = tierOf(offeredFeatures(data).less(without));
    const KnownBad* row = knownBad(data);
    return row != nullptr ? std::min(offered, row->most) : offered;
}

std::string_view knownFault(const DeviceData& data) {
    const KnownBad* row = knownBad(data);
    return row != nullptr && tierOf(offeredFeatures(data)) > row->most ? row->reason : std::string_view();
}

}  // namespace loader::vulkan
