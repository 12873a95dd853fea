// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whose value a setting is.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace loader::app {

/// Whose value a setting is.
struct SettingOwner {
    enum class Kind : std::uint8_t { Global, Preset, Model };
    Kind kind = Kind::Global;
    /// The preset's name or the model's path.
    std::string name;
    static SettingOwner global() { return {}; }
    static SettingOwner preset(std::string name) { return {Kind::Preset, std::move(name)}; }
    static SettingOwner model(std::string path) { return {Kind::Model, std::move(path)}; }
};

}  // namespace loader::app
