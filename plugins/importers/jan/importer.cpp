// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/jan/importer.h"

#include <algorithm>
#include <array>

#include "core/app/config/setting_list.h"
#include "core/app/storage/json_text.h"
#include "plugins/importers/common/model_key.h"
#include "plugins/importers/common/places.h"
#include "plugins/importers/common/yaml_text.h"
#include "plugins/importers/jan/rules.h"
#include "plugins/importers/jan/threads.h"

namespace loader::importers {
namespace {

using namespace jan;

constexpr std::size_t kCheckBytes = 64 * 1024;

/// Where its own files are: settings.json, and data beside it unless that names another folder.
std::vector<std::string> bases(const app::SearchRoots& roots) {
    switch (roots.system) {
        case app::SearchRoots::System::Linux:
            return {joined(roots.dataHome, "Jan"), joined(roots.configHome, "Jan")};
        case app::SearchRoots::System::Windows: return {joined(roots.configHome, "Jan")};
        case app::SearchRoots::System::MacOs: return {joined(roots.dataHome, "Jan")};
    }
    return {};
}

bool isDataFolder(const std::string& folder) {
    const auto has = [&folder](const char* name) { return isFolder(joined(folder, name)); };
    return has("llamacpp") || (has("threads") && (has("assistants") || has("models")));
}

std::string textAt(const Json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The data folder of a file below it; its own folder where there is none.
std::string dataFolderOf(const std::string& path) {
    for (const char* part : {"/llamacpp/models/", "/models/", "/threads/", "/assistants/"}) {
        const std::size_t place = path.rfind(part);
        if (place != std::string::npos) return path.substr(0, place);
    }
    return folderOf(path);
}

bool isRemote(const Json& document) {
    const std::string engine = textAt(document, "engine");
    constexpr std::array<std::string_view, 8> kServers = {"openai", "anthropic", "groq",       "mistral",
                                                          "cohere", "martian",   "openrouter", "nvidia"};
    return std::find(kServers.begin(), kServers.end(), engine) != kServers.end();
}

class JanReader {
public:
    JanReader(const app::SearchRoots& roots, app::ImportSink& sink, CancelToken cancel)
        : m_places(roots), m_system(roots.system), m_sink(sink), m_cancel(cancel) {}

    Status readFolder(const std::string& folder) {
        m_data = folder;
        LOADER_CHECK(below("llamacpp/models", {"model.yml", "model.yaml"}, &JanReader::readYaml));
        const std::string presets = joined(folder, "llamacpp/router.preset.ini");
        if (isFile(presets))
            m_sink.ignored({presets, {}}, nullptr, "It is made from the files of the models");
        LOADER_CHECK(below("models", {".yml", ".yaml"}, &JanReader::readYaml));
        LOADER_CHECK(below("models", {"model.json"}, &JanReader::readModelJson));
        LOADER_CHECK(below("assistants", {"assistant.json"}, &JanReader::readAssistant));
        LOADER_CHECK(below("threads", {"thread.json"}, &JanReader::readConversation));
        const std::string servers = joined(folder, "mcp_config.json");
        // Their environment is full of keys: not even the names of it are shown.
        if (isFile(servers)) m_sink.ignored({servers, {}}, nullptr, "There are no servers of tools yet");
        return {};
    }

    Status readFile(const std::string& path) {
        m_data = dataFolderOf(path);
        const std::string name = fileName(path);
        if (endsWithNoCase(name, ".yml") || endsWithNoCase(name, ".yaml")) return readYaml(path);
        if (name == "model.json") return readModelJson(path);
        if (name == "assistant.json") return readAssistant(path);
        if (name == "thread.json") return readConversation(path);
        return readSettings(path);
    }

private:
    using Reader = Status (JanReader::*)(const std::string& path);

    /// All files with one of these endings; what is wrong with one is a line of the report.
    Status below(const char* part, std::initializer_list<const char*> endings, Reader reader) {
        const std::string folder = joined(m_data, part);
        for (const std::string& file : filesBelow(folder)) {
            LOADER_CHECK(m_cancel.check());
            const auto fits = [&file](const char* ending) { return endsWithNoCase(file, ending); };
            if (std::none_of(endings.begin(), endings.end(), fits)) continue;
            const std::string path = joined(folder, file);
            const Status read = (this->*reader)(path);
            if (!read && read.error().code() == Errc::X002) return read;
            if (!read) m_sink.invalid({path, {}}, nullptr, read.error().message());
        }
        return {};
    }

    Status readYaml(const std::string& path) {
        LOADER_TRY(const app::JsonText text, readYamlFile(path));
        const Json& document = text.document;
        if (!document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        const KeyWalk walk(path, m_sink);
        app::ImportedModel model;
        model.name = textAt(document, "name").empty() ? textAt(document, "model") : textAt(document, "name");
        if (model.name.empty()) model.name = fileName(folderOf(path));
        model.sha256 = textAt(document, "sha256");
        const auto projector = document.find("mmproj_path");
        if (projector != document.end()) model.projector = projectorPath(m_places, *projector, m_data);
        std::string file;
        const auto named = document.find("model_path");
        if (named != document.end()) file = takeModel(walk, m_places, "model_path", *named, m_data, model);
        const auto files = document.find("files");
        const bool listed = file.empty() && files != document.end() && files->is_array() && !files->empty() &&
                            files->front().is_string();
        // A list of texts is one key; its first file is the one to load.
        if (listed) file = takeModel(walk, m_places, "files", files->front(), m_data, model);
        const auto owner =
            file.empty() ? app::SettingOwner::preset(model.name) : app::SettingOwner::model(file);
        for (const auto& [key, value] : document.items()) {
            if (key == "model_path" || (key == "files" && listed)) continue;
            if (key == "mmproj_path") {
                takeProjector(walk, m_places, key, value, m_data, !file.empty());
            } else if (findRule(modelRules(), key)) {
                walk.member(modelRules(), {}, key, value, owner);
            } else if (key.starts_with("spec_") || key.starts_with("mtp_")) {
                walk.ignore(key, value, "There is no drafting model yet");
            } else {
                walk.ignore(key, value, isDescription(key) ? kOfTheModel : kUnknownKey);
            }
        }
        walk.repeated(text);
        return {};
    }

    static bool isDescription(std::string_view key) {
        constexpr std::array<std::string_view, 10> kKeys = {
            "id", "model", "version", "files", "created", "object", "owned_by", "os", "size", "capabilities"};
        return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
    }

    /// Older versions: what to load stands in settings, or in the list of sources.
    Status readModelJson(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        const Json& document = text.document;
        if (!document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        const KeyWalk walk(path, m_sink);
        if (isRemote(document)) {
            walk.ignore({}, document, "It is about a model on somebody's server");
            return {};
        }
        app::ImportedModel model;
        model.name = textAt(document, "name").empty() ? textAt(document, "id") : textAt(document, "name");
        const auto group = document.find("settings");
        const Json settings = group != document.end() && group->is_object() ? *group : Json::object();
        const auto projector = settings.find("mmproj");
        if (projector != settings.end())
            model.projector = projectorPath(m_places, *projector, folderOf(path));
        const auto [key, value] = modelOf(document, settings);
        std::string file;
        if (!key.empty()) file = takeModel(walk, m_places, key, value, folderOf(path), model);
        const auto owner =
            file.empty() ? app::SettingOwner::preset(model.name) : app::SettingOwner::model(file);
        for (const auto& [name, below] : document.items()) {
            const bool groupOfKeys =
                (name == "settings" || name == "parameters") && below.is_object() && !below.empty();
            if (groupOfKeys) {
                takeGroup(walk, name, below, owner, key, !file.empty());
            } else {
                ignoreBut(walk, name, below, key);
            }
        }
        walk.repeated(text);
        return {};
    }

    void takeGroup(const KeyWalk& walk, const std::string& group, const Json& values,
                   const app::SettingOwner& owner, const std::string& taken, bool hasModel) {
        for (const auto& [name, value] : values.items()) {
            const std::string key = joinedKey(group, name);
            if (key == taken) continue;
            if (name == "mmproj") {
                takeProjector(walk, m_places, key, value, folderOf(walk.file()), hasModel);
            } else {
                walk.member(modelRules(), group, name, value, owner);
            }
        }
    }

    /// The key that names the file, and its value.
    std::pair<std::string, Json> modelOf(const Json& document, const Json& settings) const {
        const auto sources = document.find("sources");
        if (sources != document.end() && sources->is_array() && !sources->empty()) {
            // A file of the user's own stands there with its whole path.
            const std::string address = textAt(sources->front(), "url");
            if (isAbsolute(address, m_system)) return {"sources[0].url", address};
        }
        const std::string named = textAt(settings, "llama_model_path");
        if (!named.empty()) return {"settings.llama_model_path", named};
        if (sources == document.end() || !sources->is_array() || sources->empty()) return {};
        const std::string file = textAt(sources->front(), "filename");
        if (file.empty()) return {};
        return {"sources[0].filename", file};
    }

    /// Every leaf but the one that is taken already.
    void ignoreBut(const KeyWalk& walk, const std::string& key, const Json& value, const std::string& taken) {
        if (key == taken) return;
        if (!taken.starts_with(key) || !hasLeavesBelow(value))
            return walk.ignore(key, value, "It describes the model; its file says this itself");
        if (value.is_object()) {
            for (const auto& [name, below] : value.items())
                ignoreBut(walk, joinedKey(key, name), below, taken);
            return;
        }
        for (std::size_t i = 0; i < value.size(); ++i)
            ignoreBut(walk, key + "[" + std::to_string(i) + "]", value[i], taken);
    }

    Status readAssistant(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        const Json& document = text.document;
        if (!document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        const KeyWalk walk(path, m_sink);
        std::string name = textAt(document, "name");
        if (name.empty()) name = fileName(folderOf(path));
        const auto owner = app::SettingOwner::preset(name);
        for (const auto& [key, value] : document.items()) {
            if (key == "instructions" && value == "") {
                walk.ignore(key, value, kNotSet);
            } else if (key == "instructions") {
                walk.member(modelRules(), {}, key, value, owner);
            } else if (key == "parameters" && value.is_object() && !value.empty()) {
                walk.object(modelRules(), key, value, owner);
            } else if (key == "tools") {
                walk.ignore(key, value, "There are no tools yet");
            } else {
                walk.ignore(key, value, "It describes the assistant");
            }
        }
        walk.repeated(text);
        return {};
    }

    Status readConversation(const std::string& path) { return readThread(path, m_sink); }

    Status readSettings(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        if (!text.document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        const KeyWalk walk(path, m_sink);
        for (const auto& [key, value] : text.document.items()) {
            const bool folder = key == "data_folder";
            walk.ignore(key, value,
                        folder ? "Its models are listed one by one and used where they lie"
                               : "It is about the other program");
        }
        walk.repeated(text);
        return {};
    }

    Places m_places;
    app::SearchRoots::System m_system;
    app::ImportSink& m_sink;
    CancelToken m_cancel;
    std::string m_data;
};

}  // namespace

std::vector<app::Candidate> JanImporter::findCandidates(const app::SearchRoots& roots) const {
    std::vector<app::Candidate> found;
    for (const std::string& base : bases(roots)) {
        const std::string settings = joined(base, "settings.json");
        std::string folder = joined(base, "data");
        if (isFile(settings)) {
            found.push_back({settings, "settings"});
            const auto text = app::readJsonFile(settings);
            const std::string named = text ? textAt(text->document, "data_folder") : std::string();
            if (!named.empty()) folder = expandedPath(named, roots);
        }
        if (isDataFolder(folder)) found.push_back({folder, "models, assistants and chats"});
    }
    return found;
}

app::Confidence JanImporter::check(const std::string& path) const {
    if (isFolder(path)) return isDataFolder(path) ? app::Confidence::Sure : app::Confidence::No;
    const std::string begin = firstBytes(path, kCheckBytes);
    const std::string name = fileName(path);
    const auto has = [&begin](std::string_view word) { return begin.find(word) != std::string::npos; };
    const auto sure = [](bool is) { return is ? app::Confidence::Sure : app::Confidence::No; };
    if (name == "model.yml" || name == "model.yaml") return sure(has("model_path:") || has("engine:"));
    if (name == "model.json")
        return sure(has("\"sources\"") && (has("\"parameters\"") || has("\"settings\"")));
    if (name == "assistant.json") return sure(has("\"instructions\""));
    if (name == "thread.json") return sure(has("\"assistants\"") || has("\"thread\""));
    if (name == "settings.json") return sure(has("\"data_folder\""));
    const bool yaml = endsWithNoCase(name, ".yml") || endsWithNoCase(name, ".yaml");
    return sure(yaml && has("engine:") && has("files:"));
}

Status JanImporter::read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                         CancelToken cancel) const {
    LOADER_CHECK(cancel.check());
    JanReader reader(roots, sink, cancel);
    if (!isFolder(path)) return reader.readFile(path);
    if (!isDataFolder(path)) return Error(Errc::C501, {"there is nothing of Jan in it"}, path);
    return reader.readFolder(path);
}

}  // namespace loader::importers
