// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/config/config_store.h"

#include <QStandardPaths>
#include <array>
#include <filesystem>
#include <utility>

#include "core/app/storage/file_steps.h"
#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

using Kind = SettingOwner::Kind;

constexpr const char* kSchema = "schema";
constexpr const char* kPresets = "presets";
constexpr const char* kModels = "models";
constexpr std::size_t kLongestName = 200;

/// The name of the object that holds the owners of a document; null for the program's own settings.
const char* groupOf(Kind kind) {
    switch (kind) {
        case Kind::Global: break;
        case Kind::Preset: return kPresets;
        case Kind::Model: return kModels;
    }
    return nullptr;
}

/// A step for one object of settings as a step for a document that holds many.
std::function<Status(Json&)> forEachOwner(Kind kind, const std::function<Status(Json&)>& step) {
    const char* group = groupOf(kind);
    if (!group) return step;
    return [group, step](Json& document) -> Status {
        const auto owners = document.find(group);
        if (owners == document.end() || !owners->is_object()) return {};
        for (auto& entry : owners->items())
            if (entry.value().is_object()) LOADER_CHECK(step(entry.value()));
        return {};
    };
}

DocumentRules rulesOf(Kind kind, const ConfigRules& rules) {
    DocumentRules result;
    result.schema = rules.schema;
    result.patience = rules.patience;
    for (const SettingStep& step : rules.steps)
        result.steps.push_back({step.from, forEachOwner(kind, step.apply)});
    return result;
}

Status checkName(const SettingOwner& owner) {
    if (owner.kind == Kind::Global) return {};
    const bool preset = owner.kind == Kind::Preset;
    bool fits =
        !owner.name.empty() && utf8::isValid(owner.name) && (!preset || owner.name.size() <= kLongestName);
    for (const char character : owner.name)
        fits = fits && static_cast<unsigned char>(character) >= 0x20;
    if (fits) return {};
    return Error(Errc::X001, {preset ? "The name of a preset has 1 to 200 bytes and no control characters."
                                     : "The path of a model has no control characters."});
}

}  // namespace

std::vector<SettingStep> ownSettingSteps() {
    std::vector<SettingStep> steps;
#define LOADER_CONFIG_STEP(from, function) steps.push_back({from, function});
#include "core/app/config/migration_steps.inc"
    return steps;
}

ConfigStore::ConfigStore(FileOperations& files, const std::string& folder, const ConfigRules& rules)
    : m_files(files),
      m_folder(folder),
      m_patience(rules.patience),
      m_config(files, joined(folder, kConfigName), lockPath(), rulesOf(Kind::Global, rules)),
      m_presets(files, joined(folder, kPresetsName), lockPath(), rulesOf(Kind::Preset, rules)),
      m_models(files, joined(folder, kModelsName), lockPath(), rulesOf(Kind::Model, rules)) {}

std::string ConfigStore::defaultFolder() {
    const QString folder = QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation);
    return joined(folder.toStdString(), "gguf-loader");
}

std::string ConfigStore::modelKey(const std::string& path) {
    std::error_code fault;
    const auto absolute = std::filesystem::absolute(std::filesystem::u8path(path), fault);
    if (fault) return path;
    const auto text = absolute.lexically_normal().u8string();
    return {reinterpret_cast<const char*>(text.data()), text.size()};
}

std::string ConfigStore::lockPath() const {
    return joined(m_folder, kLockName);
}

JsonDocument& ConfigStore::documentOf(Kind kind) {
    if (kind == Kind::Preset) return m_presets;
    return kind == Kind::Model ? m_models : m_config;
}

const JsonDocument& ConfigStore::documentOf(Kind kind) const {
    if (kind == Kind::Preset) return m_presets;
    return kind == Kind::Model ? m_models : m_config;
}

JsonPath ConfigStore::pathOf(const SettingOwner& owner) {
    if (owner.kind == Kind::Global) return {};
    return {groupOf(owner.kind), owner.kind == Kind::Model ? modelKey(owner.name) : owner.name};
}

SettingValues ConfigStore::values(const SettingOwner& owner) const {
    const JsonDocument& document = documentOf(owner.kind);
    const JsonPath path = pathOf(owner);
    const Json* object = findIn(document.value(), path);
    if (!object) return {};
    const std::string place = path.empty() ? document.path() : document.path() + ": " + path.back();
    return {*object, owner.kind == Kind::Global ? ValueOwner::Program : ValueOwner::Model, place};
}

bool ConfigStore::has(const SettingOwner& owner) const {
    return findIn(documentOf(owner.kind).value(), pathOf(owner)) != nullptr;
}

std::vector<std::string> ConfigStore::names(Kind kind) const {
    std::vector<std::string> names;
    const char* group = groupOf(kind);
    const Json* owners = group ? findIn(documentOf(kind).value(), {group}) : nullptr;
    if (!owners || !owners->is_object()) return names;
    for (const auto& entry : owners->items())
        names.push_back(entry.key());
    return names;
}

Json ConfigStore::get(std::string_view key) const {
    const SettingSpec* setting = findSetting(key);
    if (!setting) return nullptr;
    const Json* stored = findIn(m_config.value(), pathOfSetting(key));
    if (stored) {
        auto checked = checkedSetting(*setting, *stored);
        if (checked.ok()) return std::move(*checked);
    }
    return setting->defaultValue();
}

Status ConfigStore::set(const SettingOwner& owner, std::string_view key, const Json& value) {
    const SettingSpec* setting = findSetting(key);
    if (!setting) return Error(Errc::C504, {std::string(key)});
    LOADER_CHECK(checkName(owner));
    if (owner.kind != Kind::Global && setting->reach != SettingReach::Model)
        return Error(Errc::C516, {std::string(key), owner.kind == Kind::Preset ? "preset" : "model"});
    LOADER_TRY(Json checked, checkedSetting(*setting, value));
    JsonPath path = pathOf(owner);
    for (std::string& name : pathOfSetting(key))
        path.push_back(std::move(name));
    documentOf(owner.kind).set(std::move(path), std::move(checked));
    return {};
}

Status ConfigStore::reset(const SettingOwner& owner, std::string_view key) {
    JsonPath path = pathOf(owner);
    for (std::string& name : pathOfSetting(key))
        path.push_back(std::move(name));
    JsonDocument& document = documentOf(owner.kind);
    const bool there = findIn(document.value(), path) != nullptr && key != kSchema;
    if (!there && !findSetting(key)) return Error(Errc::C504, {std::string(key)});
    if (there) document.erase(std::move(path));
    return {};
}

void ConfigStore::resetAll(const SettingOwner& owner) {
    JsonDocument& document = documentOf(owner.kind);
    if (owner.kind != Kind::Global) {
        if (has(owner)) document.erase(pathOf(owner));
        return;
    }
    for (const SettingSpec& setting : allSettings()) {
        JsonPath path = pathOfSetting(setting.key);
        if (findIn(document.value(), path)) document.erase(std::move(path));
    }
}

Status ConfigStore::save() {
    if (!changed()) return {};
    for (const JsonDocument* document : {&m_config, &m_presets, &m_models}) {
        const bool shut =
            document->state() == DocumentState::Newer || document->state() == DocumentState::Unreadable;
        if (document->changed() && shut) return document->notices().front();
    }
    LOADER_CHECK(makeFolders(m_files, m_folder));
    LOADER_TRY(const auto lock, m_files.lock(lockPath(), m_patience));
    return saveHolding(*lock);
}

Status ConfigStore::saveHolding(const HeldLock& lock) {
    LOADER_CHECK(m_presets.saveHolding(lock));
    LOADER_CHECK(m_models.saveHolding(lock));
    return m_config.saveHolding(lock);
}

void ConfigStore::reload() {
    m_config.reload();
    m_presets.reload();
    m_models.reload();
}

std::vector<Error> ConfigStore::notices() const {
    std::vector<Error> notices;
    for (const JsonDocument* document : {&m_config, &m_presets, &m_models})
        notices.insert(notices.end(), document->notices().begin(), document->notices().end());
    return notices;
}

Json ConfigStore::exported() const {
    Json document = {{kSchema, kConfigSchema}, {"settings", Json::object()}};
    if (m_config.value().is_object()) document["settings"] = m_config.value();
    document["settings"].erase(kSchema);
    for (const Kind kind : {Kind::Preset, Kind::Model}) {
        const Json* owners = findIn(documentOf(kind).value(), {groupOf(kind)});
        document[groupOf(kind)] = owners ? *owners : Json::object();
    }
    return document;
}

}  // namespace loader::app
