// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/config/setting_values.h"

#include <algorithm>
#include <utility>

namespace loader::app {
namespace {

constexpr const char* kSchemaMark = "schema";

/// Whether keys of settings begin so: "load" is a group, "load.context" is none.
bool isGroup(std::string_view name) {
    const auto all = allSettings();
    return std::any_of(all.begin(), all.end(), [name](const SettingSpec& setting) {
        return setting.key.size() > name.size() && setting.key.starts_with(name) &&
               setting.key[name.size()] == '.';
    });
}

Status checkOwner(const SettingSpec& setting, ValueOwner owner) {
    if (owner == ValueOwner::Program || setting.reach == SettingReach::Model) return {};
    return Error(Errc::C516, {std::string(setting.key), "model"});
}

}  // namespace

std::string_view nameOf(ConfigFinding::Severity severity) {
    switch (severity) {
        case ConfigFinding::Severity::Error: return "error";
        case ConfigFinding::Severity::Warning: return "warning";
        case ConfigFinding::Severity::Note: break;
    }
    return "note";
}

JsonPath pathOfSetting(std::string_view key) {
    JsonPath path;
    while (true) {
        const std::size_t dot = key.find('.');
        path.emplace_back(key.substr(0, dot));
        if (dot == std::string_view::npos) return path;
        key = key.substr(dot + 1);
    }
}

SettingValues::SettingValues(const Json& object, ValueOwner owner, const std::string& place) {
    if (object.is_object()) walk(object, {}, owner, place);
}

void SettingValues::walk(const Json& object, const std::string& prefix, ValueOwner owner,
                         const std::string& place) {
    for (const auto& [name, value] : object.items()) {
        const std::string key = prefix + name;
        if (key == kSchemaMark) continue;
        // "load.context" written flat is no group and no setting.
        const bool flat = name.find('.') != std::string::npos;
        const SettingSpec* setting = flat ? nullptr : findSetting(key);
        if (!setting) {
            // Groups are one deep, so this ends.
            if (!flat && isGroup(key) && value.is_object())
                walk(value, key + ".", owner, place);
            else
                m_unknown.push_back(key);
            continue;
        }
        Status allowed = checkOwner(*setting, owner);
        auto checked = allowed.ok() ? checkedSetting(*setting, value) : Result<Json>(allowed.error());
        if (checked.ok()) {
            m_values[key] = std::move(*checked);
            continue;
        }
        const Error& error = checked.error();
        m_findings.push_back(
            {ConfigFinding::Severity::Error, error.message(), place + ": " + key, error.action(), key});
    }
}

const Json* SettingValues::find(std::string_view key) const {
    const auto found = m_values.find(key);
    return found == m_values.end() ? nullptr : &found->second;
}

Status SettingValues::set(std::string_view key, const Json& value, ValueOwner owner) {
    const SettingSpec* setting = findSetting(key);
    if (!setting) return Error(Errc::C504, {std::string(key)});
    LOADER_CHECK(checkOwner(*setting, owner));
    LOADER_TRY(Json checked, checkedSetting(*setting, value));
    m_values[std::string(key)] = std::move(checked);
    return {};
}

}  // namespace loader::app
