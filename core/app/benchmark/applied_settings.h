// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Writes proposals into the settings of a model and can take them back: what stood there before is remembered
// in a file of its own, and what the user has changed since is left alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/benchmark/optimiser.h"

namespace loader::app {

/// The settings of one model, wherever they are kept. @thread confined to one thread
class ModelSettings {
public:
    virtual ~ModelSettings() = default;
    /// Under which they are kept.
    virtual std::string name() const = 0;
    /// Nothing where the model has no value of its own.
    virtual std::optional<Json> get(std::string_view key) const = 0;
    virtual Status set(std::string_view key, const Json& value) = 0;
    virtual Status reset(std::string_view key) = 0;
    /// Whole or not at all.
    virtual Status save() = 0;
};

struct SettingChange {
    std::string key;
    /// null: no value of its own.
    Json before;
    Json after;
    /// Of a revert: somebody changed it since, so it stays.
    bool leftAlone = false;
};

/// @thread confined to one thread
class AppliedSettings {
public:
    static constexpr const char* kFileName = "applied_settings.json";

    /// @param folder the data folder of this application
    explicit AppliedSettings(const std::string& folder) : m_path(folder + "/" + kFileName) {}
    const std::string& path() const { return m_path; }

    /// Remembers first, then writes; a default that the model has anyway is not written. Applied twice, what
    /// stood there before the first time is kept.
    /// @errors C501 the file cannot be read and is left alone; F804, F806; those of the settings
    Result<std::vector<SettingChange>> apply(const std::vector<Proposal>& proposals,
                                             ModelSettings& settings) const;
    /// @errors X001 nothing was applied to this model; C501; F804, F806; those of the settings
    Result<std::vector<SettingChange>> revert(ModelSettings& settings) const;

private:
    Result<Json> read() const;
    Status write(const Json& document) const;

    std::string m_path;
};

Json changesJson(const std::vector<SettingChange>& changes);

}  // namespace loader::app
