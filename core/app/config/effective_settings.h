// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which value of a setting counts, and where it comes from. Pure: files and the environment are read by
// others.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/app/config/setting_values.h"

namespace loader::app {

/// Later ones win.
enum class SettingOrigin : std::uint8_t {
    Default,
    /// What the maker of the model wrote into its file; of the choice of tokens only.
    ModelFile,
    Global,
    Preset,
    Model,
    Chat,
    CommandLine,
    Environment,
};
inline constexpr std::size_t kOriginCount = static_cast<std::size_t>(SettingOrigin::Environment) + 1;
/// "default", "model file", "global", "preset", "model", "chat", "command line" or "environment".
std::string_view nameOf(SettingOrigin origin);

struct EffectiveValue {
    Json value;
    SettingOrigin origin = SettingOrigin::Default;
};

/// What each origin has to say; most say little. Values are checked.
struct SettingLayers {
    SettingValues modelFile;
    SettingValues global;
    SettingValues preset;
    SettingValues model;
    SettingValues chat;
    SettingValues commandLine;
    /// The variables GGUF_BACKEND and GGUF_GPU_ENABLED; empty where unset. The first one gives way to a back
    /// end that the command line names.
    std::string backendVariable;
    std::string gpuVariable;
};

/// A value for every setting. @thread any; const once made
class EffectiveSettings {
public:
    explicit EffectiveSettings(const SettingLayers& layers);

    /// Of a key of settings.inc; null and Default for another one.
    const EffectiveValue& at(std::string_view key) const;
    SettingOrigin originOf(std::string_view key) const { return at(key).origin; }
    /// get<settings::LoadContext>() is a std::int64_t.
    template <class Setting>
    auto get() const {
        return Setting::from(at(Setting::kKey).value);
    }
    const std::map<std::string, EffectiveValue, std::less<>>& all() const { return m_values; }

private:
    void take(const SettingValues& values, SettingOrigin origin);
    void takeEnvironment(const SettingLayers& layers);

    std::map<std::string, EffectiveValue, std::less<>> m_values;
};

}  // namespace loader::app
