// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The target of a real import: settings into the configuration, everything else to those who keep it.
#pragma once

#include <functional>

#include "core/app/config/config_store.h"
#include "core/app/import/import_run.h"

namespace loader::app {

/// Who keeps what is no setting. Each leaves alone what it has already, and says how many were new.
struct ImportKeepers {
    using Count = ImportTarget::Count;
    std::function<Result<Count>(std::span<const ImportedModel>)> models;
    std::function<Result<Count>(std::span<const ImportedConversation>, const ImportTarget::Progress&,
                                CancelToken)>
        conversations;
    std::function<Result<Count>(std::span<const ImportedMeasurement>)> measurements;
};

/// @thread confined to one thread
class ProgramTarget final : public ImportTarget {
public:
    /// @param keepers all of them; something that nobody keeps is X003
    ProgramTarget(ConfigStore& store, ImportKeepers keepers)
        : m_store(store), m_keepers(std::move(keepers)) {}

    Json present(const SettingOwner& owner, std::string_view key) const override;
    /// All in one save. @errors as ConfigStore::set() and save()
    Result<Count> addSettings(std::span<const RecordedSetting> settings) override;
    Result<Count> addModels(std::span<const ImportedModel> models) override;
    Result<Count> addConversations(std::span<const ImportedConversation> conversations,
                                   const Progress& progress, CancelToken cancel) override;
    Result<Count> addMeasurements(std::span<const ImportedMeasurement> measurements) override;

private:
    ConfigStore& m_store;
    ImportKeepers m_keepers;
};

}  // namespace loader::app
