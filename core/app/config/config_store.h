// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the user has set: config.json (the program), presets.json (by name) and model-settings.json (by path),
// all with the keys of settings.inc and all kept by JsonDocument. Which value counts in the end:
// effective_settings.h.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/config/setting_owner.h"
#include "core/app/config/setting_values.h"
#include "core/app/storage/json_document.h"

namespace loader::app {

/// Leads a settings object from one schema to the next.
struct SettingStep {
    int from = 0;
    std::function<Status(Json&)> apply;
};
/// Those of migration_steps.inc.
std::vector<SettingStep> ownSettingSteps();

struct ConfigRules {
    int schema = kConfigSchema;
    std::vector<SettingStep> steps = ownSettingSteps();
    /// How long another instance may write.
    std::chrono::milliseconds patience{5000};
};

/// @thread confined to one thread; several instances may work on the same folder.
class ConfigStore {
public:
    static constexpr const char* kConfigName = "config.json";
    static constexpr const char* kPresetsName = "presets.json";
    static constexpr const char* kModelsName = "model-settings.json";
    /// Held while any of the three is written; also by backup, restore, migration and rollback.
    static constexpr const char* kLockName = "settings.lock";

    /// Reads all three. Never fails; see notices() and validate().
    ConfigStore(FileOperations& files, const std::string& folder, const ConfigRules& rules = {});
    /// ~/.config/gguf-loader, or what the system has in its place.
    static std::string defaultFolder();
    /// Under which a model's settings are kept: absolute, without . and ..
    static std::string modelKey(const std::string& path);

    const std::string& folder() const { return m_folder; }
    std::string lockPath() const;
    const JsonDocument& config() const { return m_config; }
    const JsonDocument& presets() const { return m_presets; }
    const JsonDocument& models() const { return m_models; }
    /// config.json is of another program or an older version: it counts as empty, and save() leaves it alone.
    bool isLegacy() const { return m_config.state() == DocumentState::Legacy; }
    /// Of a migration that has a backup of it.
    void allowReplacingLegacy() { m_config.allowReplacingLegacy(); }

    /// What is set and can be used, of the whole program; empty for a preset or a model that is not there.
    SettingValues values(const SettingOwner& owner = {}) const;
    bool has(const SettingOwner& owner) const;
    /// Of presets or models, in the order of the file.
    std::vector<std::string> names(SettingOwner::Kind kind) const;
    /// Of the program: what is set, or the default.
    Json get(std::string_view key) const;
    /// get<settings::LoadContext>() is a std::int64_t.
    template <class Setting>
    auto get() const {
        return Setting::from(get(Setting::kKey));
    }

    // Changes; save() writes them.
    /// @errors C504, C505, C516, X001 a name that cannot be one
    Status set(const SettingOwner& owner, std::string_view key, const Json& value);
    Status set(std::string_view key, const Json& value) { return set({}, key, value); }
    /// Back to the default. Also of a key that is no setting, where it is in the file. @errors C504
    Status reset(const SettingOwner& owner, std::string_view key);
    /// All settings of it; of a preset or a model all that it has.
    void resetAll(const SettingOwner& owner = {});
    bool changed() const { return m_config.changed() || m_presets.changed() || m_models.changed(); }
    /// @errors as JsonDocument::save()
    Status save();
    Status saveHolding(const HeldLock& lock);
    void reload();
    /// Of config.json: 1 is how it was before the last change. @errors as JsonDocument::restoreGeneration()
    Status restoreGeneration(int number) { return m_config.restoreGeneration(number); }

    /// Keys of config.json that are no settings.
    std::vector<std::string> unknown() const { return values().unknown(); }
    /// What was wrong with the files when they were read: C501, C503, C519, F804, F805.
    std::vector<Error> notices() const;
    /// All that is wrong or odd, worst first.
    std::vector<ConfigFinding> validate() const;
    /// {"schema", "settings", "presets", "models"}, as they are in the files.
    Json exported() const;

private:
    JsonDocument& documentOf(SettingOwner::Kind kind);
    const JsonDocument& documentOf(SettingOwner::Kind kind) const;
    /// Where the settings of this owner are in its document.
    static JsonPath pathOf(const SettingOwner& owner);

    FileOperations& m_files;
    std::string m_folder;
    std::chrono::milliseconds m_patience;
    JsonDocument m_config;
    JsonDocument m_presets;
    JsonDocument m_models;
};

}  // namespace loader::app
