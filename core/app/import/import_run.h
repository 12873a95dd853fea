// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One import, dry or real. Both read the source into the same recorder, so both report the same; a real one
// then hands what was recorded to a target, where the parts of this program that keep things stand behind.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/import/import_recorder.h"
#include "core/app/plugin_api/importer.h"

namespace loader::app {

/// Where things arrive. Each call is all or nothing and leaves alone what is there already.
/// @thread confined to one thread
class ImportTarget {
public:
    /// How many were new.
    using Count = std::size_t;
    using Progress = std::function<void(std::size_t done, std::size_t total)>;

    virtual ~ImportTarget() = default;
    /// The value that the user has set for this owner; null where there is none.
    virtual Json present(const SettingOwner& owner, std::string_view key) const = 0;
    virtual Result<Count> addSettings(std::span<const RecordedSetting> settings) = 0;
    virtual Result<Count> addModels(std::span<const ImportedModel> models) = 0;
    /// Known by identity. @errors X002; what was added until then stays
    virtual Result<Count> addConversations(std::span<const ImportedConversation> conversations,
                                           const Progress& progress, CancelToken cancel) = 0;
    virtual Result<Count> addMeasurements(std::span<const ImportedMeasurement> measurements) = 0;
};

struct ImportOptions {
    bool dryRun = false;
    /// What the user has set gives way.
    bool overwrite = false;
};

struct ImportOutcome {
    ImportReport report;
    bool dryRun = false;
    /// What was new. Of a dry run everything is 0.
    std::size_t settings = 0;
    std::size_t models = 0;
    std::size_t conversations = 0;
    std::size_t measurements = 0;
    /// What a real run would hand over.
    std::size_t recordedSettings = 0;
    std::size_t recordedModels = 0;
    std::size_t recordedConversations = 0;
    std::size_t recordedMeasurements = 0;

    /// {"report":[…],"dry_run","added":{"settings","models","conversations","measurements"}}
    Json toJson() const;
};

/// Reads a source and, unless it is a dry run, lets it arrive: models first, so that a setting of a model
/// never stands without it, then settings, conversations and measurements.
/// @errors what the importer gives where it can read nothing at all; what the target gives; X002
Result<ImportOutcome> runImport(const Importer& importer, const std::string& path, const SearchRoots& roots,
                                ImportTarget& target, const ImportOptions& options,
                                const ImportTarget::Progress& progress, CancelToken cancel);

}  // namespace loader::app
