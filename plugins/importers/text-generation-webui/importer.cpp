// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/text-generation-webui/importer.h"

#include <algorithm>
#include <optional>
#include <set>

#include "core/app/config/setting_list.h"
#include "core/app/storage/small_file.h"
#include "plugins/importers/common/model_key.h"
#include "plugins/importers/common/model_sets.h"
#include "plugins/importers/common/yaml_text.h"
#include "plugins/importers/text-generation-webui/command_flags.h"
#include "plugins/importers/text-generation-webui/name_pattern.h"
#include "plugins/importers/text-generation-webui/rules.h"

namespace loader::importers {
namespace {

namespace settings = app::settings;
using textgen::flagRules;
using textgen::interfaceRules;
using textgen::modelRules;
using textgen::samplingRules;

bool isYaml(const std::string& name) {
    return endsWithNoCase(name, ".yaml") || endsWithNoCase(name, ".yml");
}

/// The folder with the user's files: user_data, or the program's own folder before there was one.
std::string dataFolder(const std::string& path) {
    const std::string inside = joined(path, "user_data");
    return isFolder(inside) ? inside : path;
}

/// What is to be read: everything, or one file of it.
struct Scope {
    std::string folder;
    /// Relative to folder; empty for everything.
    std::string only;
};

Scope scopeOf(const std::string& path) {
    if (isFolder(path)) return {dataFolder(path), {}};
    const std::string parent = folderOf(path);
    const std::string above = fileName(parent);
    const bool below = above == "models" || above == "presets" || above == "characters";
    if (below) return {folderOf(parent), above + "/" + fileName(path)};
    return {parent, fileName(path)};
}

class Reader {
public:
    Reader(Scope scope, const app::SearchRoots& roots, app::ImportSink& sink, CancelToken cancel)
        : m_scope(std::move(scope)), m_places(roots), m_sink(sink), m_cancel(cancel) {}

    Status read() {
        readFlags();
        findModels();
        LOADER_CHECK(m_cancel.check());
        if (wants("CMD_FLAGS.txt")) tellFlags();
        for (const std::string name : {"models/config.yaml", "models/config-user.yaml"})
            yaml(name, [this](const KeyWalk& walk, const Json& document) { modelSettings(walk, document); });
        for (const std::string name : {"settings.yaml", "settings.json"})
            yaml(name,
                 [this](const KeyWalk& walk, const Json& document) { interfaceSettings(walk, document); });
        LOADER_CHECK(m_cancel.check());
        for (const std::string& name : yamlFilesIn("presets"))
            yaml(name, [this](const KeyWalk& walk, const Json& document) { preset(walk, document); });
        LOADER_CHECK(m_cancel.check());
        for (const std::string& name : yamlFilesIn("characters"))
            yaml(name, [this](const KeyWalk& walk, const Json& document) { character(walk, document); });
        if (m_scope.only.empty()) tellTheRest();
        if (!m_scope.only.empty() && m_fault) return *m_fault;
        return m_cancel.check();
    }

private:
    bool wants(const std::string& name) const { return m_scope.only.empty() || m_scope.only == name; }
    std::string placeOf(const std::string& name) const { return joined(m_scope.folder, name); }

    std::vector<std::string> yamlFilesIn(const std::string& folder) const {
        std::vector<std::string> names;
        for (const std::string& name : namesIn(placeOf(folder))) {
            if (isYaml(name) && isFile(placeOf(folder + "/" + name))) names.push_back(folder + "/" + name);
        }
        return names;
    }

    /// One file, if it is there and asked for. JSON is read as such: YAML has no JSON's escapes in all cases.
    template <class Function>
    void yaml(const std::string& name, const Function& take) {
        const std::string path = placeOf(name);
        if (!wants(name) || !isFile(path)) return;
        auto text = isYaml(name) ? readYamlFile(path) : app::readJsonFile(path);
        if (text && text->document.is_null()) return m_sink.ignored({path, {}}, nullptr, "It is empty");
        if (text && !text->document.is_object())
            text = Error(Errc::C501, {"it is no list of settings"}, path);
        if (!text) {
            m_fault = text.error();
            return noteUnreadable(m_sink, path, text.error());
        }
        const KeyWalk walk(path, m_sink);
        take(walk, text->document);
        walk.repeated(*text);
    }

    // --- flags ---

    void readFlags() {
        const std::string path = placeOf("CMD_FLAGS.txt");
        if (!isFile(path)) return;
        auto bytes = app::readSmallFile(path);
        auto text = bytes ? app::decodedText(std::move(*bytes)) : Result<app::DecodedText>(bytes.error());
        if (text) {
            m_flags = parseCommandFlags(text->text);
        } else if (wants("CMD_FLAGS.txt")) {
            m_fault = text.error();
            noteUnreadable(m_sink, path, text.error());
        }
    }

    const CommandFlag* flag(std::string_view name) const {
        const CommandFlag* last = nullptr;
        for (const CommandFlag& flag : m_flags.flags)
            last = flag.name == name ? &flag : last;
        return last;
    }

    void tellFlags() {
        const KeyWalk walk(placeOf("CMD_FLAGS.txt"), m_sink);
        for (const std::string& word : m_flags.strays)
            walk.invalid(word, nullptr, "It stands in front of the first flag");
        for (const CommandFlag& one : m_flags.flags) {
            if (flag(one.name) != &one)
                walk.ignore(one.written, nullptr, "This flag stands more than once; the last one counts");
            else if (one.name == "model")
                defaultModel(walk, one);
            else if (one.name == "model_dir")
                modelFolder(walk, one.written, one.value);
            else
                otherFlag(walk, one);
        }
    }

    void otherFlag(const KeyWalk& walk, const CommandFlag& one) {
        const app::SettingOwner global = app::SettingOwner::global();
        for (const auto rules : {flagRules(), modelRules(), samplingRules()}) {
            if (const KeyRule* rule = findRule(rules, one.name))
                return walk.take(*rule, one.written, one.value, global);
        }
        walk.unknown(one.written, one.value);
    }

    void defaultModel(const KeyWalk& walk, const CommandFlag& one) {
        const std::string name = one.value.is_string() ? one.value.get<std::string>() : std::string();
        if (name.empty()) return walk.invalid(one.written, one.value, "It is the name of a model");
        const std::string path = joined(m_models, name);
        if (!isGgufName(name) && !isFile(path))
            return walk.ignore(one.written, one.value, "It is no GGUF file");
        walk.set(one.written, app::SettingOwner::global(), settings::kModelsDefault, Taken::set(path),
                 one.value, "A file of the folder of models");
    }

    void modelFolder(const KeyWalk& walk, const std::string& key, const Json& value) {
        if (value.is_null() || value == "") return walk.ignore(key, value, kNotSet);
        if (m_models.empty() || !value.is_string())
            return walk.invalid(key, value, "It is the path of a folder");
        walk.set(key, app::SettingOwner::global(), settings::kModelsFolders,
                 Taken::set(Json::array({m_models})), value);
    }

    // --- models ---

    /// Where the flag or the setting says, else models in the user's folder.
    void findModels() {
        const CommandFlag* named = flag("model_dir");
        std::string text =
            named && named->value.is_string() ? named->value.get<std::string>() : std::string();
        if (text.empty()) text = textInSettings("model_dir");
        m_models = placeOf("models");
        if (!text.empty()) {
            const Place place = m_places.resolve(text, m_scope.folder);
            m_models = place.fault.empty() ? place.path : std::string();
            if (place.state == PathState::Unreachable) return;
        }
        if (m_models.empty()) return;
        m_sets = modelSets(filesBelow(m_models));
        if (!m_scope.only.empty()) return;
        for (const ModelSet& set : m_sets)
            tellModel(set);
    }

    std::string textInSettings(const std::string& key) const {
        const std::string path = placeOf("settings.yaml");
        if (!isFile(path)) return {};
        const auto text = readYamlFile(path);
        if (!text || !text->document.is_object()) return {};
        const auto found = text->document.find(key);
        return found != text->document.end() && found->is_string() ? found->get<std::string>()
                                                                   : std::string();
    }

    void tellModel(const ModelSet& set) const {
        const std::string path = joined(m_models, set.file);
        const app::SourceKey source{path, {}};
        if (!set.fault.empty()) return m_sink.ignored(source, nullptr, set.fault);
        if (!isGguf(path)) return m_sink.ignored(source, nullptr, "It does not begin as a GGUF file does");
        const std::string projector = set.projector.empty() ? std::string() : joined(m_models, set.projector);
        m_sink.model(source, {path, set.file, projector, {}}, set.note());
    }

    /// Whose the settings under a pattern are.
    std::vector<app::SettingOwner> ownersOf(const NamePattern& pattern) const {
        std::vector<app::SettingOwner> owners;
        if (pattern.matchesAll()) return {app::SettingOwner::global()};
        for (const ModelSet& set : m_sets) {
            if (set.fault.empty() && pattern.matches(fileName(set.file)))
                owners.push_back(app::SettingOwner::model(joined(m_models, set.file)));
        }
        const auto plain = pattern.plainName();
        if (owners.empty() && plain && isGgufName(*plain) && !m_models.empty())
            owners.push_back(app::SettingOwner::model(joined(m_models, *plain)));
        return owners;
    }

    void modelSettings(const KeyWalk& walk, const Json& document) const {
        for (const auto& [key, values] : document.items()) {
            const auto pattern = NamePattern::parse(key);
            if (!values.is_object() || values.empty()) {
                walk.invalid(key, values, "A model's settings are a list of keys and values");
                continue;
            }
            if (!pattern) {
                walk.ignore(key, values, "This pattern of names is not understood");
                continue;
            }
            const std::vector<app::SettingOwner> owners = ownersOf(*pattern);
            if (owners.empty()) walk.ignore(key, values, "No GGUF model has such a name");
            // What is no setting of ours is told once, not for each of several models.
            for (const auto& [name, value] : values.items()) {
                const KeyRule* rule = findRule(modelRules(), name);
                if (!rule) rule = findRule(samplingRules(), name);
                for (std::size_t i = 0; i < owners.size(); ++i) {
                    if (i > 0 && (!rule || rule->target.empty())) break;
                    if (rule)
                        walk.take(*rule, joinedKey(key, name), value, owners[i]);
                    else
                        walk.unknown(joinedKey(key, name), value);
                }
            }
        }
    }

    // --- settings, presets and characters ---

    void interfaceSettings(const KeyWalk& walk, const Json& document) {
        const app::SettingOwner global = app::SettingOwner::global();
        for (const auto& [name, value] : document.items()) {
            if (name == "model_dir")
                modelFolder(walk, name, value);
            else if (findRule(samplingRules(), name))
                sampling(walk, document, name, value, global);
            else
                walk.member(interfaceRules(), {}, name, value, global);
        }
    }

    void preset(const KeyWalk& walk, const Json& document) const {
        const app::SettingOwner owner = app::SettingOwner::preset(stemOf(walk.file()));
        for (const auto& [name, value] : document.items())
            sampling(walk, document, name, value, owner);
    }

    /// Without drawing the temperature says nothing.
    static void sampling(const KeyWalk& walk, const Json& document, const std::string& name,
                         const Json& value, const app::SettingOwner& owner) {
        const auto draws = document.find("do_sample");
        const bool greedy = draws != document.end() && *draws == false;
        if (name == "temperature" && greedy)
            walk.ignore(name, value, "do_sample is off: the likeliest token is always taken");
        else
            walk.member(samplingRules(), {}, name, value, owner);
    }

    /// A preset with a system prompt; a preset of the same name keeps its own.
    void character(const KeyWalk& walk, const Json& document) const {
        std::string name = stemOf(walk.file());
        if (isFile(placeOf("presets/" + name + ".yaml"))) name += " (character)";
        const app::SettingOwner owner = app::SettingOwner::preset(name);
        const bool older = document.contains("char_persona") && !document.contains("context");
        for (const auto& [key, value] : document.items()) {
            if (key == "context" || (older && key == "char_persona"))
                walk.set(key, owner, settings::kChatSystemPrompt,
                         sameMeaning(value, settings::kChatSystemPrompt), value);
            else if (key == "name" || key == "char_name")
                walk.ignore(key, value, "The file's name names the preset");
            else if (key == "greeting" || key == "char_greeting" || key == "example_dialogue" ||
                     key == "world_scenario" || key == "your_name" || key == "user" || key == "turn_template")
                walk.ignore(key, value, "A conversation begins with the user's words here");
            else
                walk.unknown(key, value);
        }
    }

    // --- what is there and not taken over ---

    void tellTheRest() const {
        struct Rest {
            std::string_view folder;
            std::string_view reason;
        };
        for (const Rest& rest : {Rest{"instruction-templates", "The model's own chat template is used"},
                                 Rest{"grammars", "There are no grammars in this program's settings yet"},
                                 Rest{"loras", "Adapters are not loaded by this program yet"},
                                 Rest{"mmproj", "Projectors are used from beside their model"},
                                 Rest{"logs", "Its conversations are not read yet"},
                                 Rest{"extensions", "Extensions of another program have no meaning here"}}) {
            const std::string folder = placeOf(std::string(rest.folder));
            const std::size_t files = filesBelow(folder).size();
            if (files != 0)
                m_sink.ignored({folder, {}}, nullptr,
                               std::string(rest.reason) + " (" + std::to_string(files) +
                                   (files == 1 ? " file)" : " files)"));
        }
    }

    Scope m_scope;
    Places m_places;
    app::ImportSink& m_sink;
    CancelToken m_cancel;
    CommandFlags m_flags;
    std::string m_models;
    std::vector<ModelSet> m_sets;
    std::optional<Error> m_fault;
};

/// Whether a folder has what only this program puts together.
app::Confidence confidenceOfFolder(const std::string& path) {
    const std::string folder = dataFolder(path);
    int signs = 0;
    for (const std::string_view name : {"CMD_FLAGS.txt", "settings.yaml", "models/config-user.yaml",
                                        "instruction-templates", "characters", "presets"}) {
        const std::string place = joined(folder, name);
        signs += isFile(place) || isFolder(place) ? 1 : 0;
    }
    if (folder != path && signs > 0) return app::Confidence::Sure;
    if (fileName(path) == "user_data" && signs > 0) return app::Confidence::Sure;
    return signs >= 2 ? app::Confidence::Sure : app::Confidence::No;
}

}  // namespace

std::vector<app::Candidate> TextGenerationImporter::findCandidates(const app::SearchRoots& roots) const {
    std::vector<std::string> folders;
    // Portable builds keep user_data beside or above themselves.
    if (!roots.working.empty()) {
        for (const std::string_view name : {"user_data", "../user_data", "../../user_data"})
            folders.push_back(joined(roots.working, name));
    }
    for (const std::string_view name :
         {"text-generation-webui", "textgen", "oobabooga", "Downloads/text-generation-webui"})
        folders.push_back(joined(roots.home, name));
    std::vector<app::Candidate> found;
    std::set<std::string> seen;
    for (const std::string& folder : folders) {
        if (!isFolder(folder) || confidenceOfFolder(folder) == app::Confidence::No) continue;
        const Scope scope = scopeOf(folder);
        if (seen.insert(scope.folder).second) found.push_back({scope.folder, "settings, presets and models"});
    }
    return found;
}

app::Confidence TextGenerationImporter::check(const std::string& path) const {
    if (isFolder(path)) return confidenceOfFolder(path);
    if (!isFile(path)) return app::Confidence::No;
    const std::string name = fileName(path);
    if (name == "CMD_FLAGS.txt" || name == "config-user.yaml") return app::Confidence::Sure;
    const std::string parent = fileName(folderOf(path));
    if (isYaml(name) && (parent == "presets" || parent == "characters")) return app::Confidence::Maybe;
    if (name != "settings.yaml" && name != "settings.json") return app::Confidence::No;
    constexpr std::size_t kMostBytes = 64 * 1024;
    const std::string head = firstBytes(path, kMostBytes);
    const bool known = head.find("max_new_tokens") != std::string::npos ||
                       head.find("truncation_length") != std::string::npos ||
                       head.find("custom_stopping_strings") != std::string::npos;
    return known ? app::Confidence::Sure : app::Confidence::No;
}

Status TextGenerationImporter::read(const std::string& path, const app::SearchRoots& roots,
                                    app::ImportSink& sink, CancelToken cancel) const {
    LOADER_CHECK(cancel.check());
    if (!isFolder(path) && !isFile(path)) return Error(Errc::F802, {}, path);
    return Reader(scopeOf(path), roots, sink, cancel).read();
}

}  // namespace loader::importers
