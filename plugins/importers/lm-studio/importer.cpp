// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/lm-studio/importer.h"

#include <array>

#include "core/app/config/setting_list.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/common/model_sets.h"
#include "plugins/importers/common/places.h"
#include "plugins/importers/common/yaml_text.h"
#include "plugins/importers/lm-studio/fields.h"

namespace loader::importers {
namespace {

using namespace lm_studio;

constexpr std::size_t kCheckBytes = 64 * 1024;
constexpr std::string_view kDefaults = ".internal/user-concrete-model-default-config";
constexpr std::string_view kPresetEnding = ".preset.json";

std::string trimmed(std::string text) {
    while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ')
        text.pop_back();
    return text;
}

std::string homeOf(const app::SearchRoots& roots) {
    const auto pointer = app::readSmallFile(joined(roots.home, ".lmstudio-home-pointer"), 4096);
    const std::string named = pointer ? trimmed(*pointer) : std::string();
    if (!named.empty()) return expandedPath(named, roots);
    const std::string older = joined(roots.home, ".cache/lm-studio");
    return isFolder(older) ? older : joined(roots.home, ".lmstudio");
}

bool isHome(const std::string& folder) {
    return isFolder(joined(folder, kDefaults)) || isFolder(joined(folder, "config-presets")) ||
           firstBytes(joined(folder, "settings.json"), kCheckBytes).find("\"downloadsFolder\"") !=
               std::string::npos ||
           (isFolder(joined(folder, "conversations")) && isFolder(joined(folder, ".internal")));
}

/// The home folder of a file below it; empty where it is in none.
std::string homeAbove(const std::string& path, std::string_view part) {
    const std::size_t place = path.rfind("/" + std::string(part) + "/");
    return place == std::string::npos ? std::string() : path.substr(0, place);
}

class HomeReader {
public:
    HomeReader(const app::SearchRoots& roots, app::ImportSink& sink, CancelToken cancel)
        : m_roots(roots), m_sink(sink), m_cancel(cancel) {}

    Status readHome(const std::string& home) {
        m_models = modelsFolder(home);
        LOADER_CHECK(each(joined(home, "settings.json"), &HomeReader::readSettings));
        LOADER_CHECK(readModels());
        LOADER_CHECK(eachBelow(joined(home, kDefaults), ".json", &HomeReader::readDefaults));
        LOADER_CHECK(each(joined(home, ".internal/hardware-config.json"), &HomeReader::readHardware));
        LOADER_CHECK(eachBelow(joined(home, "config-presets"), kPresetEnding, &HomeReader::readPreset));
        LOADER_CHECK(eachBelow(joined(home, "hub/presets"), ".json", &HomeReader::readPreset));
        LOADER_CHECK(eachBelow(joined(home, "hub/models"), "model.yaml", &HomeReader::readModelYaml));
        LOADER_CHECK(eachBelow(joined(home, "conversations"), ".json", &HomeReader::readConversation));
        return each(joined(home, "mcp.json"), &HomeReader::readServers);
    }

    Status readFile(const std::string& path) {
        const std::string name = fileName(path);
        m_models = modelsFolder(homeAbove(path, kDefaults));
        if (name == "settings.json") return readSettings(path);
        if (name == "mcp.json") return readServers(path);
        if (name == "hardware-config.json") return readHardware(path);
        if (endsWithNoCase(path, ".yaml") || endsWithNoCase(path, ".yml")) return readModelYaml(path);
        if (!homeAbove(path, kDefaults).empty()) return readDefaults(path);
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        return isConversation(text.document) ? readConversation(path) : readPreset(path);
    }

private:
    using Reader = Status (HomeReader::*)(const std::string& path);

    /// A file that is not there is no fault; what is wrong with one is a line of the report.
    Status each(const std::string& path, Reader reader) {
        LOADER_CHECK(m_cancel.check());
        if (!isFile(path)) return {};
        const Status read = (this->*reader)(path);
        if (read || read.error().code() == Errc::X002) return read;
        m_sink.invalid({path, {}}, nullptr, read.error().message());
        return {};
    }

    Status eachBelow(const std::string& folder, std::string_view ending, Reader reader) {
        for (const std::string& file : filesBelow(folder))
            if (endsWithNoCase(file, ending)) LOADER_CHECK(each(joined(folder, file), reader));
        return {};
    }

    std::string modelsFolder(const std::string& home) {
        const auto settings = app::readJsonFile(joined(home, "settings.json"));
        if (settings && settings->document.is_object()) {
            const auto named = settings->document.find("downloadsFolder");
            if (named != settings->document.end() && named->is_string() && *named != "")
                return expandedPath(named->get<std::string>(), m_roots);
        }
        return joined(home, "models");
    }

    Status readSettings(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        const KeyWalk walk(path, m_sink);
        if (!text.document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        for (const auto& [key, value] : text.document.items()) {
            const bool folder = key == "downloadsFolder" && value.is_string() && value != "";
            if (folder) {
                walk.set(key, app::SettingOwner::global(), app::settings::kModelsFolders,
                         Taken::set(Json::array({m_models})), value);
            } else {
                walk.ignore(key, value, "It is about the other program");
            }
        }
        walk.repeated(text);
        return {};
    }

    Status readModels() {
        const std::vector<std::string> files = filesBelow(m_models);
        for (const ModelSet& set : modelSets(files)) {
            LOADER_CHECK(m_cancel.check());
            const std::string path = joined(m_models, set.file);
            if (!set.fault.empty()) {
                m_sink.ignored({path, {}}, nullptr, set.fault);
                continue;
            }
            app::ImportedModel model;
            model.path = path;
            const std::size_t end = set.file.rfind('/');
            model.name = end == std::string::npos ? stemOf(set.file) : set.file.substr(0, end);
            if (!set.projector.empty()) model.projector = joined(m_models, set.projector);
            m_sink.model({path, {}}, model, set.note());
        }
        return {};
    }

    /// {"preset", "operation": {"fields"}, "load": {"fields"}} and what else there is.
    void takeConfiguration(const KeyWalk& walk, const Json& document, const app::SettingOwner& owner,
                           const std::string& prefix = {}) {
        for (const auto& [key, value] : document.items()) {
            const std::string place = joinedKey(prefix, key);
            const bool fields = (key == "operation" || key == "load") && value.is_object() && !value.empty();
            if (!fields) {
                walk.ignore(place, value, prefix.empty() ? "It describes this file" : kUnknownKey);
                continue;
            }
            for (const auto& [name, below] : value.items()) {
                if (name == "fields") {
                    takeFields(walk, place + ".fields", below, owner);
                } else {
                    walk.unknown(place + "." + name, below);
                }
            }
        }
    }

    Status readDefaults(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        if (!text.document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        const KeyWalk walk(path, m_sink);
        const std::string mark = "/" + std::string(kDefaults) + "/";
        std::string file = path.substr(path.rfind(mark) + mark.size());
        file.resize(file.size() - std::min<std::size_t>(file.size(), 5));
        if (file.empty()) file = "LM Studio";
        // Models of its hub have no file of their own.
        const bool gguf = endsWithNoCase(file, ".gguf");
        takeConfiguration(
            walk, text.document,
            gguf ? app::SettingOwner::model(joined(m_models, file)) : app::SettingOwner::preset(file));
        walk.repeated(text);
        return {};
    }

    Status readPreset(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        if (!text.document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        const KeyWalk walk(path, m_sink);
        std::string name = fileName(path);
        if (endsWithNoCase(name, kPresetEnding)) name.resize(name.size() - kPresetEnding.size());
        const auto given = text.document.find("name");
        if (given != text.document.end() && given->is_string() && *given != "")
            name = given->get<std::string>();
        takeConfiguration(walk, text.document, app::SettingOwner::preset(name));
        walk.repeated(text);
        return {};
    }

    Status readHardware(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        const KeyWalk walk(path, m_sink);
        walk.ignore({}, text.document, "Devices are chosen by what works; see load.device");
        walk.repeated(text);
        return {};
    }

    Status readServers(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        // Their environment is full of keys: not even the names of it are shown.
        m_sink.ignored({path, {}}, nullptr, "There are no servers of tools yet");
        return {};
    }

    Status readModelYaml(const std::string& path) {
        LOADER_TRY(const app::JsonText text, readYamlFile(path));
        if (!text.document.is_object()) return Error(Errc::C501, {"it has no keys"}, path);
        const KeyWalk walk(path, m_sink);
        const auto named = text.document.find("model");
        const bool name = named != text.document.end() && named->is_string() && *named != "";
        const auto owner =
            app::SettingOwner::preset(name ? named->get<std::string>() : fileName(folderOf(path)));
        for (const auto& [key, value] : text.document.items()) {
            if (key == "config" && value.is_object() && !value.empty()) {
                takeConfiguration(walk, value, owner, "config");
            } else {
                walk.ignore(key, value, "It describes where the model comes from");
            }
        }
        walk.repeated(text);
        return {};
    }

    Status readConversation(const std::string& path) {
        LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
        if (!isConversation(text.document)) return Error(Errc::C501, {"it is no conversation"}, path);
        const std::size_t place = path.rfind("/conversations/");
        const std::string file = place == std::string::npos ? fileName(path) : path.substr(place + 15);
        app::ImportedConversation chat = conversationOf(text.document, "lm-studio:" + file);
        const std::string folder = folderOf(file);
        chat.folder = folder.empty() ? "LM Studio" : "LM Studio/" + folder;
        const std::string count = std::to_string(chat.messages.size());
        m_sink.conversation({path, {}}, std::move(chat),
                            count + " messages; its settings are those of its model");
        return {};
    }

    const app::SearchRoots& m_roots;
    app::ImportSink& m_sink;
    CancelToken m_cancel;
    std::string m_models;
};

}  // namespace

std::vector<app::Candidate> LmStudioImporter::findCandidates(const app::SearchRoots& roots) const {
    const std::string home = homeOf(roots);
    if (!isFolder(home)) return {};
    return {{home, "models, presets and chats"}};
}

app::Confidence LmStudioImporter::check(const std::string& path) const {
    if (isFolder(path)) return isHome(path) ? app::Confidence::Sure : app::Confidence::No;
    const std::string begin = firstBytes(path, kCheckBytes);
    const auto has = [&begin](std::string_view word) { return begin.find(word) != std::string::npos; };
    if (has("\"downloadsFolder\"")) return app::Confidence::Sure;
    if (has("llm.load.") || has("llm.prediction.")) return app::Confidence::Sure;
    if (has("\"versions\"") && has("\"currentlySelected\"")) return app::Confidence::Sure;
    const bool preset = endsWithNoCase(path, kPresetEnding) || !homeAbove(path, kDefaults).empty();
    if (preset && has("\"fields\"")) return app::Confidence::Sure;
    if (fileName(path) == "model.yaml" && has("metadataOverrides")) return app::Confidence::Sure;
    return app::Confidence::No;
}

Status LmStudioImporter::read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                              CancelToken cancel) const {
    LOADER_CHECK(cancel.check());
    HomeReader reader(roots, sink, cancel);
    if (!isFolder(path)) return reader.readFile(path);
    if (!isHome(path) && !isFolder(joined(path, "models")))
        return Error(Errc::C501, {"there is nothing of LM Studio in it"}, path);
    return reader.readHome(path);
}

}  // namespace loader::importers
