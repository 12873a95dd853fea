// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/import_keepers.h"

#include <QDir>
#include <algorithm>
#include <set>

#include "core/app/chats/chat_store.h"
#include "core/app/library/model_book.h"
#include "core/app/storage/file_steps.h"
#include "core/app/storage/json_text.h"
#include "core/cli/configuration.h"
#include "core/cli/library_access.h"

namespace loader::cli {
namespace {

using Count = app::ImportTarget::Count;

Result<Count> keepConversations(std::span<const app::ImportedConversation> conversations,
                                const app::ImportTarget::Progress& progress, CancelToken cancel) {
    const std::string folder = dataFolder();
    if (!QDir().mkpath(QString::fromStdString(folder))) return Error(Errc::F806, {"no folder"}, folder);
    LOADER_TRY(const auto store, app::ChatStore::open(folder + "/chats.db", folder + "/chat-backups"));
    const auto goOn = [&](std::size_t done, std::size_t all) {
        if (progress) progress(done, all);
        return !cancel.cancelled();
    };
    LOADER_TRY(const app::ChatImportCounts counts, store->importAll(conversations, goOn));
    return counts.added;
}

Json measurementJson(const app::ImportedMeasurement& one) {
    return {{"model", one.model},
            {"backend", one.backend},
            {"hardware", one.hardware},
            {"tokens_per_second", one.tokensPerSecond},
            {"load_ms", one.loadMilliseconds},
            {"memory_mib", one.memoryMebibytes},
            {"time", one.time ? Json(*one.time) : Json()}};
}

}  // namespace

Result<app::ImportTarget::Count> keepModels(std::span<const app::ImportedModel> models) {
    const std::string folder = dataFolder();
    if (!QDir().mkpath(QString::fromStdString(folder))) return Error(Errc::F806, {"no folder"}, folder);
    app::ModelBook book(folder + "/" + app::ModelBook::kFileName);
    // A second run writes nothing.
    LOADER_TRY(const app::BookPages before, book.read());
    const auto isKnown = [&before](const app::ImportedModel& model) {
        return std::any_of(before.models.begin(), before.models.end(),
                           [&model](const app::AddedModel& known) { return known.path == model.path; });
    };
    if (std::all_of(models.begin(), models.end(), isKnown)) return Count{0};
    Count added = 0;
    LOADER_CHECK(book.change([&](app::BookPages& pages) -> Status {
        std::set<std::string> known;
        for (const app::AddedModel& model : pages.models)
            known.insert(model.path);
        for (const app::ImportedModel& model : models) {
            if (!known.insert(model.path).second) continue;
            pages.models.push_back({model.path, model.name, model.projector, model.sha256});
            ++added;
        }
        return {};
    }));
    return added;
}

Result<Count> keepMeasurements(app::FileOperations& files,
                               std::span<const app::ImportedMeasurement> measurements) {
    if (measurements.empty()) return Count{0};
    const std::string path = app::joined(dataFolder(), "imported-measurements.json");
    LOADER_TRY(const app::FileFacts facts, files.facts(path));
    Json document = {{"schema", 1}, {"measurements", Json::array()}};
    if (facts.kind != app::FileKind::Missing) {
        LOADER_TRY(app::JsonText known, app::readJsonFile(path));
        const bool whole = known.document.is_object() && known.document.contains("measurements") &&
                           known.document["measurements"].is_array();
        if (!whole) return Error(Errc::C501, {"it holds no measurements"}, path);
        document = std::move(known.document);
    }
    Json& list = document["measurements"];
    Count added = 0;
    for (const app::ImportedMeasurement& one : measurements) {
        Json json = measurementJson(one);
        if (std::find(list.begin(), list.end(), json) != list.end()) continue;
        list.push_back(std::move(json));
        ++added;
    }
    if (added == 0) return added;
    LOADER_CHECK(app::makeFolders(files, dataFolder()));
    LOADER_CHECK(
        app::replaceFile(files, path, document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
    return added;
}

app::ImportKeepers importKeepers(Context& context) {
    app::ImportKeepers keepers;
    keepers.models = keepModels;
    keepers.conversations = keepConversations;
    keepers.measurements = [&context](std::span<const app::ImportedMeasurement> measurements) {
        return keepMeasurements(configuration(context).files(), measurements);
    };
    return keepers;
}

}  // namespace loader::cli
