// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gpt4all/importer.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/app/config/setting_list.h"
#include "core/app/storage/ini_text.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/common/places.h"
#include "plugins/importers/gpt4all/chat_file.h"
#include "plugins/importers/gpt4all/rules.h"

namespace loader::importers {
namespace {

using namespace gpt4all;

constexpr std::size_t kCheckBytes = 64 * 1024;
constexpr std::size_t kMostChatBytes = std::size_t{256} << 20;
constexpr std::string_view kModelSection = "model-";
constexpr std::string_view kIniName = "GPT4All.ini";

std::vector<std::string> iniPaths(const app::SearchRoots& roots) {
    const std::string usual = joined(roots.configHome, "nomic.ai/GPT4All.ini");
    if (roots.system != app::SearchRoots::System::MacOs) return {usual};
    // Qt takes the domain there; both were seen.
    return {joined(roots.home, ".config/gpt4all.io/GPT4All.ini"),
            joined(roots.home, ".config/nomic.ai/GPT4All.ini")};
}

std::string dataFolder(const app::SearchRoots& roots) {
    return joined(roots.dataHome, "nomic.ai/GPT4All");
}

bool isChatName(std::string_view name) {
    return name.starts_with("gpt4all-") && name.ends_with(".chat");
}

/// A file that holds the key for a model on somebody's server.
bool isKeyFile(std::string_view name) {
    return endsWithNoCase(name, ".rmodel") || (name.starts_with("chatgpt-") && name.ends_with(".txt")) ||
           (name.starts_with("nomic-ai-") && name.ends_with(".txt"));
}

std::string withoutSlash(std::string path) {
    while (path.size() > 1 && (path.back() == '/' || path.back() == '\\'))
        path.pop_back();
    return path;
}

class Gpt4AllReader {
public:
    Gpt4AllReader(const app::SearchRoots& roots, app::ImportSink& sink, CancelToken cancel)
        : m_roots(roots), m_sink(sink), m_cancel(cancel) {}

    Status readIni(const std::string& path) {
        LOADER_TRY(const app::IniText ini, app::readIniFile(path));
        const KeyWalk walk(path, m_sink);
        m_models = withoutSlash(dataFolder(m_roots));
        for (const app::IniEntry& entry : ini.entries)
            remember(entry);
        findModels();
        for (const app::IniEntry& entry : ini.entries) {
            LOADER_CHECK(m_cancel.check());
            take(walk, entry);
        }
        for (const app::IniFault& fault : ini.faults)
            m_sink.invalid(walk.at("line " + std::to_string(fault.line)), fault.text, fault.what);
        // Its chats lie where its models lie.
        const bool elsewhere = m_models != withoutSlash(dataFolder(m_roots)) && isFolder(m_models);
        return elsewhere ? readFolder(m_models) : Status();
    }

    Status readFolder(const std::string& folder) {
        for (const std::string& name : namesIn(folder)) {
            LOADER_CHECK(m_cancel.check());
            readEntry(joined(folder, name), name);
        }
        return {};
    }

    Status readChat(const std::string& path) {
        LOADER_TRY(const std::string bytes, app::readSmallFile(path, kMostChatBytes));
        auto file = readChatFile(bytes);
        if (!file) return std::move(file).error().within(path);
        std::string note = "Version " + std::to_string(file->version) + ", " +
                           std::to_string(file->chat.messages.size()) + " messages";
        if (file->excerpts > 0)
            note += "; " + std::to_string(file->excerpts) + " excerpts of documents are left out";
        if (file->attachments > 0)
            note += "; of " + std::to_string(file->attachments) + " attached files the names are kept";
        if (file->id.empty()) file->chat.identity = "gpt4all:" + fileName(path);
        m_sink.conversation({path, {}}, std::move(file->chat), note);
        return {};
    }

private:
    struct Section {
        std::string fileName;
        std::string name;
        std::string url;
        /// Of the file; empty where there is none.
        std::string path;
        bool remote = false;
    };

    static std::string textOf(const app::IniEntry& entry) {
        const app::IniValue value = app::valueOf(entry);
        return value.value.is_string() ? value.value.get<std::string>() : std::string();
    }

    void remember(const app::IniEntry& entry) {
        if (entry.superseded) return;
        if (entry.section.empty() && (entry.key == "modelPath" || entry.key == "modelPaths")) {
            const std::string text = textOf(entry);
            if (!text.empty()) m_models = withoutSlash(expandedPath(text, m_roots));
        }
        if (!entry.section.starts_with(kModelSection)) return;
        Section& section = m_sections[entry.section];
        if (entry.key == "filename") section.fileName = textOf(entry);
        if (entry.key == "name") section.name = textOf(entry);
        if (entry.key == "url") section.url = textOf(entry);
    }

    void findModels() {
        for (auto& [name, section] : m_sections) {
            const std::string id = name.substr(kModelSection.size());
            if (section.fileName.empty() && endsWithNoCase(id, ".gguf")) section.fileName = id;
            if (section.fileName.empty() && isKeyFile(id)) section.fileName = id;
            section.remote = isKeyFile(section.fileName);
            const bool plain = section.fileName.find_first_of("/\\") == std::string::npos;
            if (!section.fileName.empty() && !section.remote && plain)
                section.path = joined(m_models, section.fileName);
            if (section.name.empty()) section.name = id.empty() ? "GPT4All" : id;
        }
    }

    void take(const KeyWalk& walk, const app::IniEntry& entry) {
        const std::string key = entry.path();
        const app::IniValue value = app::valueOf(entry);
        if (entry.superseded)
            return walk.ignore(key, looksSecret(key) ? Json() : value.value,
                               "This key stands more than once; the last one counts");
        if (value.kind == app::IniValue::Kind::Opaque)
            return m_sink.ignored(walk.at(key), nullptr,
                                  "It is a serialised object, which is never unpacked");
        if (entry.section.starts_with(kModelSection)) return takeOfModel(walk, entry, value.value);
        const bool folder = entry.section.empty() && (entry.key == "modelPath" || entry.key == "modelPaths");
        if (folder && value.value.is_string() && value.value != "")
            return walk.set(key, app::SettingOwner::global(), app::settings::kModelsFolders,
                            Taken::set(Json::array({m_models})), value.value);
        if (entry.section.empty() && entry.key == "userDefaultModel")
            return takeDefault(walk, key, value.value);
        const KeyRule* rule = findRule(programRules(), key);
        if (!rule) return walk.unknown(key, value.value);
        walk.take(*rule, key, value.value, app::SettingOwner::global());
    }

    void takeDefault(const KeyWalk& walk, const std::string& key, const Json& value) {
        if (value == "Application default" || value == "")
            return walk.ignore(key, value, "No model was chosen as the default");
        for (const auto& [name, section] : m_sections) {
            const bool same = value == section.name || value == name.substr(kModelSection.size());
            if (same && !section.path.empty())
                return walk.set(key, app::SettingOwner::global(), app::settings::kModelsDefault,
                                Taken::set(section.path), value);
        }
        const bool file = value.is_string() && endsWithNoCase(value.get<std::string>(), ".gguf");
        if (file)
            return walk.set(key, app::SettingOwner::global(), app::settings::kModelsDefault,
                            Taken::set(joined(m_models, value.get<std::string>())), value);
        walk.ignore(key, value, "It is the name of a model whose file is not known");
    }

    void takeOfModel(const KeyWalk& walk, const app::IniEntry& entry, const Json& value) {
        const std::string key = entry.path();
        const Section& section = m_sections[entry.section];
        if (section.remote) return walk.ignore(key, value, "It is about a model on somebody's server");
        if (entry.key == "filename") {
            if (section.path.empty()) return walk.invalid(key, value, "It is no name of a file");
            app::ImportedModel model;
            model.path = section.path;
            model.name = section.name;
            const bool fresh = m_given.insert(section.path).second;
            m_sink.model(walk.at(key), model,
                         !isFile(section.path) ? "The file is missing at present"
                         : fresh               ? ""
                                               : "Another set of values for the same file");
            return;
        }
        const auto owner = section.path.empty() || isClone(entry.section)
                               ? app::SettingOwner::preset(section.name)
                               : app::SettingOwner::model(section.path);
        const KeyRule* rule = findRule(modelRules(), entry.key);
        if (!rule) return walk.unknown(key, value);
        if (value == "") return walk.ignore(key, value, kNotSet);
        walk.take(*rule, key, value, owner);
    }

    /// A second section for the same file: its values are a preset.
    bool isClone(const std::string& name) {
        const Section& section = m_sections[name];
        const auto [first, fresh] = m_owners.emplace(section.path, name);
        return !fresh && first->second != name;
    }

    void readEntry(const std::string& path, const std::string& name) {
        const app::SourceKey source{path, {}};
        if (!isFile(path)) return;
        if (name.starts_with("incomplete-"))
            return m_sink.ignored(source, nullptr, "It is a download that was not finished");
        if (isKeyFile(name))
            return m_sink.secret(source, "It holds the key for a model on somebody's server");
        if (name.starts_with("localdocs_v"))
            return m_sink.ignored(source, nullptr, "Documents cannot be added to chats yet");
        if (isChatName(name)) {
            const Status read = readChat(path);
            if (!read) m_sink.invalid(source, nullptr, read.error().message());
            return;
        }
        if (!endsWithNoCase(name, ".gguf") || m_given.count(path) != 0) return;
        app::ImportedModel model;
        model.path = path;
        model.name = stemOf(name);
        m_sink.model(source, model);
    }

    const app::SearchRoots& m_roots;
    app::ImportSink& m_sink;
    CancelToken m_cancel;
    std::string m_models;
    std::map<std::string, Section> m_sections;
    std::map<std::string, std::string> m_owners;
    std::set<std::string> m_given;
};

}  // namespace

std::vector<app::Candidate> Gpt4AllImporter::findCandidates(const app::SearchRoots& roots) const {
    std::vector<app::Candidate> found;
    for (const std::string& ini : iniPaths(roots))
        if (isFile(ini)) found.push_back({ini, "settings"});
    const std::string folder = dataFolder(roots);
    if (!isFolder(folder)) return found;
    std::size_t chats = 0;
    std::size_t models = 0;
    for (const std::string& name : namesIn(folder)) {
        chats += isChatName(name) ? 1 : 0;
        models += endsWithNoCase(name, ".gguf") && !name.starts_with("incomplete-") ? 1 : 0;
    }
    found.push_back({folder, std::to_string(models) + " models and " + std::to_string(chats) + " chats"});
    return found;
}

app::Confidence Gpt4AllImporter::check(const std::string& path) const {
    if (isFolder(path)) {
        const auto names = namesIn(path, 10'000);
        const bool chats =
            std::any_of(names.begin(), names.end(), [](const std::string& name) { return isChatName(name); });
        const bool documents = std::any_of(names.begin(), names.end(), [](const std::string& name) {
            return name.starts_with("localdocs_v");
        });
        if (chats || documents) return app::Confidence::Sure;
        return path.ends_with("nomic.ai/GPT4All") ? app::Confidence::Sure : app::Confidence::No;
    }
    const std::string begin = firstBytes(path, kCheckBytes);
    if (isChatFile(begin)) return app::Confidence::Sure;
    if (fileName(path) == kIniName) return app::Confidence::Sure;
    const auto has = [&begin](std::string_view word) { return begin.find(word) != std::string::npos; };
    const bool ini = endsWithNoCase(path, ".ini") && (has("userDefaultModel=") || has("localdocs"));
    return ini && has("[model-") ? app::Confidence::Sure : app::Confidence::No;
}

Status Gpt4AllImporter::read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                             CancelToken cancel) const {
    LOADER_CHECK(cancel.check());
    Gpt4AllReader reader(roots, sink, cancel);
    if (isFolder(path)) return reader.readFolder(path);
    if (isChatFile(firstBytes(path, 4)) || path.ends_with(".chat")) return reader.readChat(path);
    return reader.readIni(path);
}

}  // namespace loader::importers
