// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/import/import_run.h"

#include <exception>

namespace loader::app {
namespace {

/// Libraries below an importer may throw; that is a fault of this source, not the end of the program.
Status guardedRead(const Importer& importer, const std::string& path, const SearchRoots& roots,
                   ImportSink& sink, CancelToken cancel) {
    try {
        return importer.read(path, roots, sink, cancel);
    } catch (const std::exception& failure) {
        return Error(Errc::C501, {failure.what()}, path);
    }
}

}  // namespace

Json ImportOutcome::toJson() const {
    Json json = report.toJson();
    json["dry_run"] = dryRun;
    json["added"] = {{"settings", settings},
                     {"models", models},
                     {"conversations", conversations},
                     {"measurements", measurements}};
    return json;
}

Result<ImportOutcome> runImport(const Importer& importer, const std::string& path, const SearchRoots& roots,
                                ImportTarget& target, const ImportOptions& options,
                                const ImportTarget::Progress& progress, CancelToken cancel) {
    const auto present = [&target](const SettingOwner& owner, std::string_view key) {
        return target.present(owner, key);
    };
    ImportRecorder recorder(present, options.overwrite);
    LOADER_CHECK(guardedRead(importer, path, roots, recorder, cancel));
    LOADER_CHECK(cancel.check());
    ImportOutcome outcome;
    outcome.report = recorder.report();
    outcome.dryRun = options.dryRun;
    outcome.recordedSettings = recorder.settings().size();
    outcome.recordedModels = recorder.models().size();
    outcome.recordedConversations = recorder.conversations().size();
    outcome.recordedMeasurements = recorder.measurements().size();
    if (options.dryRun) return outcome;
    LOADER_TRY(outcome.models, target.addModels(recorder.models()));
    LOADER_TRY(outcome.settings, target.addSettings(recorder.settings()));
    LOADER_TRY(outcome.conversations, target.addConversations(recorder.conversations(), progress, cancel));
    LOADER_TRY(outcome.measurements, target.addMeasurements(recorder.measurements()));
    return outcome;
}

}  // namespace loader::app
