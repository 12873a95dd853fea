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
#include "core/cli/library_access.h"

namespace loader::cli {
namespace {

using Count = app::ImportTarget::Count;

/// The library's book remembers where they lie, also those that are missing at present; nothing is copied.
/// What it has already is left alone.
Result<Count> keepModels(std::span<const app::ImportedModel> models) {
    const std::string folder = dataFolder();
    if (!QDir().mkpath(QString::fromStdString(folder))) return Error(Errc::F806, {"no folder"}, folder);
    app::ModelBook book(folder + "/" + app::ModelBook::kFileName);
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

/// For comparison, never for a decision: other engines measured it. `gguf migrate` writes the same file.
Result<Count> keepMeasurements(std::span<const app::ImportedMeasurement> measurements) {
    constexpr std::string_view kFile = "/imported-measurements.json";
    const std::string path = dataFolder() + std::string(kFile);
    Json list = Json::array();
    auto present = app::readJsonFile(path);
    // One that cannot be read is left as it is.
    if (!present && present.error().code() != Errc::F802) return present.error();
    if (present && present->document.is_object())
        list = present->document.value("measurements", Json::array());
    if (!list.is_array()) return Error(Errc::C501, {"measurements is no list"}, path);
    Count added = 0;
    for (const app::ImportedMeasurement& one : measurements) {
        Json entry = {{"model", one.model},
                      {"backend", one.backend},
                      {"hardware", one.hardware},
                      {"tokens_per_second", one.tokensPerSecond},
                      {"load_ms", one.loadMilliseconds},
                      {"memory_mib", one.memoryMebibytes},
                      {"time", one.time ? Json(*one.time) : Json()}};
        if (std::find(list.begin(), list.end(), entry) != list.end()) continue;
        list.push_back(std::move(entry));
        ++added;
    }
    if (added == 0) return added;
    const auto files = app::systemFiles();
    LOADER_CHECK(app::makeFolders(*files, dataFolder()));
    const Json document = {{"schema", 1}, {"measurements", std::move(list)}};
    LOADER_CHECK(app::replaceFile(*files, path, document.dump(2) + "\n"));
    return added;
}

}  // namespace

app::ImportKeepers importKeepers() {
    app::ImportKeepers keepers;
    keepers.models = keepModels;
    keepers.conversations = keepConversations;
    keepers.measurements = keepMeasurements;
    return keepers;
}

}  // namespace loader::cli
