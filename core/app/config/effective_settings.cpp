// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/config/effective_settings.h"

#include <algorithm>

namespace loader::app {
namespace {

constexpr std::array<std::string_view, kOriginCount> kNames = {
    "default", "model file", "global", "preset", "model", "chat", "command line", "environment"};
constexpr std::array<std::string_view, 4> kOff = {"0", "false", "no", "off"};

bool mayComeFrom(SettingOrigin origin, const SettingSpec& setting) {
    switch (origin) {
        case SettingOrigin::ModelFile: return setting.key.starts_with("sampling.");
        case SettingOrigin::Preset:
        case SettingOrigin::Model:
        case SettingOrigin::Chat: return setting.reach == SettingReach::Model;
        default: return true;
    }
}

}  // namespace

std::string_view nameOf(SettingOrigin origin) {
    return kNames[static_cast<std::size_t>(origin)];
}

EffectiveSettings::EffectiveSettings(const SettingLayers& layers) {
    for (const SettingSpec& setting : allSettings())
        m_values[std::string(setting.key)] = {setting.defaultValue(), SettingOrigin::Default};
    take(layers.modelFile, SettingOrigin::ModelFile);
    take(layers.global, SettingOrigin::Global);
    take(layers.preset, SettingOrigin::Preset);
    take(layers.model, SettingOrigin::Model);
    take(layers.chat, SettingOrigin::Chat);
    take(layers.commandLine, SettingOrigin::CommandLine);
    takeEnvironment(layers);
    // A device was chosen with its back end, and means nothing to another one.
    EffectiveValue& device = m_values[std::string(settings::kLoadDevice)];
    if (device.origin < originOf(settings::kLoadBackend))
        device = {findSetting(settings::kLoadDevice)->defaultValue(), SettingOrigin::Default};
}

void EffectiveSettings::take(const SettingValues& values, SettingOrigin origin) {
    for (const auto& [key, value] : values.all()) {
        const SettingSpec* setting = findSetting(key);
        if (setting && mayComeFrom(origin, *setting)) m_values[key] = {value, origin};
    }
}

void EffectiveSettings::takeEnvironment(const SettingLayers& layers) {
    EffectiveValue& backend = m_values[std::string(settings::kLoadBackend)];
    const bool named = backend.origin == SettingOrigin::CommandLine && backend.value != "auto";
    const SettingSpec* setting = findSetting(settings::kLoadBackend);
    if (!named && !layers.backendVariable.empty()) {
        auto value = checkedSetting(*setting, layers.backendVariable);
        if (value.ok()) backend = {std::move(*value), SettingOrigin::Environment};
    }
    if (std::find(kOff.begin(), kOff.end(), layers.gpuVariable) != kOff.end())
        m_values[std::string(settings::kLoadGpuLayers)] = {0, SettingOrigin::Environment};
}

const EffectiveValue& EffectiveSettings::at(std::string_view key) const {
    static const EffectiveValue kNone{nullptr, SettingOrigin::Default};
    const auto found = m_values.find(key);
    return found == m_values.end() ? kNone : found->second;
}

}  // namespace loader::app
