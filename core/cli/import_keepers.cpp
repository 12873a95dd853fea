// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/import_keepers.h"

#include <QDir>
#include <QStandardPaths>
#include <algorithm>

#include "core/app/chats/chat_store.h"
#include "core/app/config/setting_list.h"
#include "core/cli/configuration.h"

namespace loader::cli {
namespace {

using Count = app::ImportTarget::Count;

std::string dataFolder() {
    const QString base = QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation);
    return (base + QStringLiteral("/gguf-loader")).toStdString();
}

/// Their folders become folders of the library, which finds them by their content; nothing is copied.
Result<Count> keepModels(Context& context, std::span<const app::ImportedModel> models) {
    app::ConfigStore& store = configuration(context).store();
    Json folders = store.get(app::settings::kModelsFolders);
    Count added = 0;
    for (const app::ImportedModel& model : models) {
        const std::string folder = model.path.substr(0, model.path.find_last_of("/\\"));
        const auto covers = [&folder](const Json& known) {
            const auto place = known.get<std::string>();
            return folder == place || folder.starts_with(place + "/");
        };
        if (std::any_of(folders.begin(), folders.end(), covers)) continue;
        folders.push_back(folder);
        ++added;
    }
    if (added == 0) return added;
    LOADER_CHECK(store.set(app::settings::kModelsFolders, folders));
    LOADER_CHECK(store.save());
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

app::ImportKeepers importKeepers(Context& context) {
    app::ImportKeepers keepers;
    keepers.models = [&context](std::span<const app::ImportedModel> models) {
        return keepModels(context, models);
    };
    keepers.conversations = keepConversations;
    return keepers;
}

}  // namespace loader::cli
