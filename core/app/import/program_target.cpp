// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/import/program_target.h"

#include <algorithm>

namespace loader::app {
namespace {

/// A list that the program keeps for all: what comes is added to what is there.
bool isSharedList(const SettingOwner& owner, std::string_view key) {
    return owner.kind == SettingOwner::Kind::Global && key == settings::kModelsFolders;
}

}  // namespace

Json ProgramTarget::present(const SettingOwner& owner, std::string_view key) const {
    // Folders are added, never replaced, so none of them stands in the way of another.
    if (isSharedList(owner, key)) return nullptr;
    const SettingValues values = m_store.values(owner);
    const Json* value = values.find(key);
    return value ? *value : Json();
}

Result<ImportTarget::Count> ProgramTarget::addSettings(std::span<const RecordedSetting> settings) {
    Count count = 0;
    for (const RecordedSetting& setting : settings) {
        Json value = setting.value;
        if (isSharedList(setting.owner, setting.key)) {
            Json whole = m_store.get(setting.key);
            for (const Json& entry : value) {
                if (std::find(whole.begin(), whole.end(), entry) == whole.end()) whole.push_back(entry);
            }
            value = std::move(whole);
        }
        const SettingValues values = m_store.values(setting.owner);
        const Json* present = values.find(setting.key);
        if (present && *present == value) continue;
        const Status done = m_store.set(setting.owner, setting.key, value);
        if (!done) {
            // Nothing of a set that is not whole.
            m_store.reload();
            return done.error();
        }
        ++count;
    }
    if (count == 0) return count;
    LOADER_CHECK(m_store.save());
    return count;
}

Result<ImportTarget::Count> ProgramTarget::addModels(std::span<const ImportedModel> models) {
    if (models.empty()) return Count{0};
    if (!m_keepers.models) return Error(Errc::X003, {"nobody keeps models"});
    return m_keepers.models(models);
}

Result<ImportTarget::Count> ProgramTarget::addConversations(
    std::span<const ImportedConversation> conversations, const Progress& progress, CancelToken cancel) {
    if (conversations.empty()) return Count{0};
    if (!m_keepers.conversations) return Error(Errc::X003, {"nobody keeps conversations"});
    return m_keepers.conversations(conversations, progress, cancel);
}

Result<ImportTarget::Count> ProgramTarget::addMeasurements(
    std::span<const ImportedMeasurement> measurements) {
    if (measurements.empty()) return Count{0};
    if (!m_keepers.measurements) return Error(Errc::X003, {"nobody keeps measurements"});
    return m_keepers.measurements(measurements);
}

}  // namespace loader::app
