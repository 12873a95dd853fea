// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The values of one owner (the program, a preset, a model, a chat) as they stand in a nested JSON object,
// checked against settings.inc; and the C++ type that each setting has in code.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/config/setting_list.h"
#include "core/app/storage/json_document.h"

namespace loader::app {

/// What is wrong or odd about a configuration.
struct ConfigFinding {
    enum class Severity : std::uint8_t {
        /// The value does not count.
        Error,
        /// It counts, and something about it is not right.
        Warning,
        /// Good to know.
        Note,
    };
    Severity severity = Severity::Note;
    std::string sentence;
    /// File and key: "/home/a/.config/gguf-loader/config.json: load.context".
    std::string place;
    std::string remedy;
    /// The setting, or the unknown key; empty where it is about a file.
    std::string key;
};
/// "error", "warning" or "note".
std::string_view nameOf(ConfigFinding::Severity severity);

/// "load.context" as {"load", "context"}.
JsonPath pathOfSetting(std::string_view key);

/// Whose object it is: decides which settings it may have.
enum class ValueOwner : std::uint8_t { Program, Model };

/// Values that were checked, by key in the order of the list.
class SettingValues {
public:
    SettingValues() = default;
    /// What cannot be a value stays out and is told by findings(); the object is not changed.
    /// @param place of the findings, a file's path with what is in it
    SettingValues(const Json& object, ValueOwner owner, const std::string& place);

    /// Null where it is not set, or cannot be used.
    const Json* find(std::string_view key) const;
    bool has(std::string_view key) const { return find(key) != nullptr; }
    /// For values that do not come from a file. @errors C504, C505, C516
    Status set(std::string_view key, const Json& value, ValueOwner owner = ValueOwner::Program);
    const std::map<std::string, Json, std::less<>>& all() const { return m_values; }
    bool empty() const { return m_values.empty(); }

    /// Settings of this object that cannot be used.
    const std::vector<ConfigFinding>& findings() const { return m_findings; }
    /// Keys that are no settings ("load.colour"), in the order of the file.
    const std::vector<std::string>& unknown() const { return m_unknown; }

private:
    void walk(const Json& object, const std::string& prefix, ValueOwner owner, const std::string& place);

    std::map<std::string, Json, std::less<>> m_values;
    std::vector<ConfigFinding> m_findings;
    std::vector<std::string> m_unknown;
};

/// auto, all or a number, as load.gpu_layers has it.
struct LayerCount {
    enum class Kind : std::uint8_t { Auto, All, Number };
    Kind kind = Kind::Auto;
    std::uint32_t number = 0;
};

/// How a value of a type of setting looks in code. @param value checked
template <SettingType type>
struct ValueOf;
template <>
struct ValueOf<SettingType::Bool> {
    static bool from(const Json& value) { return value.get<bool>(); }
};
template <>
struct ValueOf<SettingType::Integer> {
    static std::int64_t from(const Json& value) { return value.get<std::int64_t>(); }
};
template <>
struct ValueOf<SettingType::Real> {
    static double from(const Json& value) { return value.get<double>(); }
};
template <>
struct ValueOf<SettingType::Text> {
    static std::string from(const Json& value) { return value.get<std::string>(); }
};
template <>
struct ValueOf<SettingType::Choice> : ValueOf<SettingType::Text> {};
template <>
struct ValueOf<SettingType::TextList> {
    static std::vector<std::string> from(const Json& value) { return value.get<std::vector<std::string>>(); }
};
template <>
struct ValueOf<SettingType::PathList> : ValueOf<SettingType::TextList> {};
template <>
struct ValueOf<SettingType::IntegerList> {
    static std::vector<std::int64_t> from(const Json& value) {
        return value.get<std::vector<std::int64_t>>();
    }
};
template <>
struct ValueOf<SettingType::GpuLayers> {
    static LayerCount from(const Json& value) {
        if (value == "auto") return {};
        if (value == "all") return {LayerCount::Kind::All, 0};
        return {LayerCount::Kind::Number, value.get<std::uint32_t>()};
    }
};

namespace settings {
/// Ties each key to its type: settings::LoadContext::from(value) is a std::int64_t.
#define LOADER_SETTING(name, key, type, ...)                                                    \
    struct name {                                                                               \
        static constexpr std::string_view kKey = key;                                           \
        static auto from(const Json& value) { return ValueOf<SettingType::type>::from(value); } \
    };
#include "core/app/config/settings.inc"
}  // namespace settings

}  // namespace loader::app
