// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/ollama/importer.h"

#include <algorithm>

#include "plugins/importers/common/places.h"
#include "plugins/importers/ollama/parameters.h"
#include "plugins/importers/ollama/readers.h"

namespace loader::importers {
namespace {

using namespace ollama;

constexpr std::size_t kCheckBytes = 64 * 1024;

bool isStore(const std::string& folder) {
    return isFolder(joined(folder, "manifests"));
}

bool isSqlite(std::string_view bytes) {
    return bytes.substr(0, 15) == "SQLite format 3";
}

bool isModelfileName(const std::string& path) {
    return fileName(path).starts_with("Modelfile") || endsWithNoCase(path, ".modelfile");
}

/// Folders with models, most likely first.
std::vector<std::string> stores(const app::SearchRoots& roots) {
    std::vector<std::string> folders = {expandedPath(roots.variable("OLLAMA_MODELS"), roots),
                                        joined(roots.home, ".ollama/models")};
    if (roots.system == app::SearchRoots::System::Linux) {
        folders.emplace_back("/usr/share/ollama/.ollama/models");
        folders.emplace_back("/var/lib/ollama/.ollama/models");
        folders.emplace_back("/var/lib/ollama/models");
    }
    std::vector<std::string> found;
    for (std::string& folder : folders) {
        const bool fresh = std::find(found.begin(), found.end(), folder) == found.end();
        if (!folder.empty() && fresh && isStore(folder)) found.push_back(std::move(folder));
    }
    return found;
}

/// Where the application keeps its own things.
std::string applicationFolder(const app::SearchRoots& roots) {
    if (roots.system == app::SearchRoots::System::Linux) return joined(roots.home, ".ollama");
    return joined(roots.dataHome, "Ollama");
}

Status readJson(const std::string& path, app::ImportSink& sink) {
    LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
    const KeyWalk walk(path, sink);
    walk.object(fileRules(), {}, text.document, app::SettingOwner::global());
    walk.repeated(text);
    return {};
}

void readEnvironment(const app::SearchRoots& roots, app::ImportSink& sink) {
    const KeyWalk walk("environment", sink);
    for (const auto& [name, value] : roots.environment)
        if (name.starts_with("OLLAMA_"))
            walk.member(environmentRules(), {}, name, value, app::SettingOwner::global());
}

/// One file of a folder: what is wrong with it is a line of the report.
Status guarded(Status read, const std::string& path, app::ImportSink& sink) {
    if (read || read.error().code() == Errc::X002) return read;
    sink.invalid({path, {}}, nullptr, read.error().message());
    return {};
}

}  // namespace

std::vector<app::Candidate> OllamaImporter::findCandidates(const app::SearchRoots& roots) const {
    std::vector<app::Candidate> found;
    for (const std::string& folder : stores(roots)) {
        const std::size_t models = filesBelow(joined(folder, "manifests"), 4).size();
        found.push_back({folder, std::to_string(models) + (models == 1 ? " model" : " models")});
    }
    const std::string folder = applicationFolder(roots);
    for (const auto& [name, what] : {std::pair{"db.sqlite", "settings and chats"},
                                     std::pair{"config.json", "settings of an older version"}}) {
        if (isFile(joined(folder, name))) found.push_back({joined(folder, name), what});
    }
    const std::string server = joined(roots.home, ".ollama/server.json");
    if (isFile(server)) found.push_back({server, "settings of the server"});
    return found;
}

app::Confidence OllamaImporter::check(const std::string& path) const {
    if (isFolder(path)) {
        const bool store = isStore(path) && isFolder(joined(path, "blobs"));
        if (store || isStore(joined(path, "models"))) return app::Confidence::Sure;
        const std::string database = firstBytes(joined(path, "db.sqlite"), kCheckBytes);
        const bool ours = database.find("has_completed_first_run") != std::string::npos;
        return ours ? app::Confidence::Sure : app::Confidence::No;
    }
    const std::string begin = firstBytes(path, kCheckBytes);
    const auto has = [&begin](std::string_view word) { return begin.find(word) != std::string::npos; };
    if (isSqlite(begin)) return has("has_completed_first_run") ? app::Confidence::Sure : app::Confidence::No;
    if (has("\"disable_ollama_cloud\"")) return app::Confidence::Sure;
    if (has("\"first-time-run\"")) return app::Confidence::Sure;
    const auto instructions = modelfileInstructions(begin);
    const auto named = [&instructions](std::string_view name) {
        return std::any_of(instructions.begin(), instructions.end(),
                           [name](const Instruction& one) { return one.name == name; });
    };
    if (!named("FROM")) return app::Confidence::No;
    if (isModelfileName(path)) return app::Confidence::Sure;
    const bool more = named("PARAMETER") || named("TEMPLATE") || named("SYSTEM");
    return more ? app::Confidence::Maybe : app::Confidence::No;
}

Status OllamaImporter::read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                            CancelToken cancel) const {
    LOADER_CHECK(cancel.check());
    if (isFolder(path)) {
        const std::string store = isStore(path) ? path : joined(path, "models");
        const bool any = isStore(store);
        if (any) {
            readEnvironment(roots, sink);
            LOADER_CHECK(readModelStore(store, sink, cancel));
        }
        std::size_t files = 0;
        for (const char* name : {"server.json", "config.json"}) {
            const std::string file = joined(path, name);
            if (!isFile(file)) continue;
            ++files;
            LOADER_CHECK(guarded(readJson(file, sink), file, sink));
        }
        const std::string database = joined(path, "db.sqlite");
        if (isFile(database)) {
            ++files;
            LOADER_CHECK(guarded(readApplicationDatabase(database, sink, cancel), database, sink));
        }
        if (!any && files == 0) return Error(Errc::C501, {"there is nothing of Ollama in it"}, path);
        return {};
    }
    if (isSqlite(firstBytes(path, 16)) || endsWithNoCase(path, ".sqlite"))
        return readApplicationDatabase(path, sink, cancel);
    if (endsWithNoCase(path, ".json")) return readJson(path, sink);
    return readModelfile(path, roots, sink);
}

}  // namespace loader::importers
