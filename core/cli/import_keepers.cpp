// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/import_keepers.h"

#include <QDir>
#include <set>

#include "core/app/chats/chat_store.h"
#include "core/app/library/model_book.h"
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

}  // namespace

app::ImportKeepers importKeepers() {
    app::ImportKeepers keepers;
    keepers.models = keepModels;
    keepers.conversations = keepConversations;
    return keepers;
}

}  // namespace loader::cli
