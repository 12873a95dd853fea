// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The settings of settings.inc as data: what there is, what a value may be. Where values are kept:
// config_store.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "core/engine/base/result.h"

namespace loader::app {

using Json = nlohmann::ordered_json;

enum class SettingType : std::uint8_t {
    Bool,
    Integer,
    Real,
    Text,
    /// A text of a fixed list.
    Choice,
    TextList,
    PathList,
    IntegerList,
    /// "auto", "all" or a number.
    GpuLayers,
};

/// Who may have a value of their own.
enum class SettingReach : std::uint8_t { Application, Model };
/// Whether a value means something on another machine.
enum class SettingPlace : std::uint8_t { Roaming, Machine };

struct SettingSpec {
    std::string_view key;
    SettingType type;
    /// JSON text.
    std::string_view defaultText;
    /// Of numbers; of the bytes of texts; of the entries of lists.
    double least;
    double most;
    std::string_view unit;
    /// Separated by |.
    std::string_view choices;
    SettingReach reach;
    SettingPlace place;
    int since;
    std::string_view label;
    std::string_view help;

    Json defaultValue() const;
};

/// The schema that this program writes.
inline constexpr int kConfigSchema = 1;

#ifndef Q_MOC_RUN  // moc reads the headers of plugins, and stumbles over raw strings in arguments of macros
enum class SettingIndex : std::uint16_t {
#define LOADER_SETTING(name, ...) name,
#include "core/app/config/settings.inc"
};

namespace settings {
/// The keys, for use in code: settings::kLoadContext is "load.context".
#define LOADER_SETTING(name, key, ...) inline constexpr std::string_view k##name = key;
#include "core/app/config/settings.inc"
}  // namespace settings
#endif

std::span<const SettingSpec> allSettings();
/// Null where there is no such setting.
const SettingSpec* findSetting(std::string_view key);

/// The value in the form in which it is kept: a whole number written as 5.0 becomes 5.
/// @errors C505 wrong type, out of range, not finite, not one of the choices, not UTF-8
Result<Json> checkedSetting(const SettingSpec& setting, const Json& value);
/// From what a user typed: "8192", "true", "a,b" for lists, JSON for anything. @errors C505
Result<Json> parsedSetting(const SettingSpec& setting, std::string_view text);
/// "0 to 16777216 tokens", "f16 or q8_0", for help and errors.
std::string rangeText(const SettingSpec& setting);

}  // namespace loader::app
