// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/consoul/importer.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/app/config/setting_list.h"
#include "plugins/importers/common/hub_cache.h"
#include "plugins/importers/common/model_key.h"
#include "plugins/importers/common/yaml_text.h"

namespace loader::importers {
namespace {

namespace settings = app::settings;

constexpr std::string_view kProvider = "llamacpp";
constexpr std::string_view kRemote = "It belongs to another provider than llamacpp";
constexpr std::string_view kOwnWay = "This program keeps all conversations in its own way";
constexpr std::string_view kNoTools = "There are no tools in this program yet";

constexpr std::array kModelRules = {
    KeyRule{"n_ctx", settings::kLoadContext, contextOrTrained},
    KeyRule{"n_gpu_layers", settings::kLoadGpuLayers, layersMinusAll},
    KeyRule{"n_batch", settings::kLoadBatch},
    KeyRule{"n_threads", settings::kLoadThreads, threadsOrAuto},
    KeyRule{"use_mlock", settings::kLoadMlock},
    KeyRule{"use_mmap", settings::kLoadMmap},
    KeyRule{"temperature", settings::kSamplingTemperature},
    KeyRule{"top_p", settings::kSamplingTopP},
    KeyRule{"top_k", settings::kSamplingTopK},
    KeyRule{"min_p", settings::kSamplingMinP},
    KeyRule{"repeat_penalty", settings::kSamplingRepeatPenalty},
    KeyRule{"max_tokens", settings::kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"stop_sequences", settings::kAnswerStop},
    KeyRule{"seed", settings::kSamplingSeed, seedOrRandom},
    KeyRule{"provider", {}, nullptr, "GGUF files always run here"},
    KeyRule{"verbose", {}, nullptr, "Logging is set for the whole program here: log.level"},
};

/// Of provider_configs.llamacpp.
constexpr std::array kProviderRules = {
    KeyRule{"default_temperature", settings::kSamplingTemperature},
    KeyRule{"default_max_tokens", settings::kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"timeout", {}, nullptr, "There is no server that could be late"},
    KeyRule{"api_base", {}, nullptr, "There is no server that could be late"},
    KeyRule{"api_key_env", {}, nullptr, "A secret is not taken over"},
};

std::string textAt(const Json& object, std::string_view key) {
    if (!object.is_object()) return {};
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

class Reader {
public:
    Reader(const std::string& file, const Json& document, const app::SearchRoots& roots,
           app::ImportSink& sink)
        : m_walk(file, sink), m_document(document), m_places(roots), m_roots(roots), m_base(folderOf(file)) {}

    void read() {
        for (const auto& [name, value] : m_document.items()) {
            if (name == "profiles" && value.is_object() && !value.empty())
                profiles(value);
            else if (name == "provider_configs" && value.is_object() && !value.empty())
                providers(value);
            else if (name != "active_profile" && name != "current_model" && name != "current_provider")
                other(name, value);
        }
        // Last, because they speak of what the profiles found.
        for (const auto& [name, value] : m_document.items())
            current(name, value);
    }

private:
    void profiles(const Json& all) {
        for (const auto& [name, profile] : all.items()) {
            const std::string prefix = "profiles." + name;
            if (!profile.is_object() || profile.empty()) {
                m_walk.invalid(prefix, profile, "A profile is a list of keys and values");
                continue;
            }
            this->profile(name, prefix, profile);
        }
    }

    void profile(const std::string& name, const std::string& prefix, const Json& profile) {
        const app::SettingOwner preset = app::SettingOwner::preset(name);
        for (const auto& [key, value] : profile.items()) {
            const std::string place = joinedKey(prefix, key);
            if (key == "model" && value.is_object() && !value.empty())
                model(name, place, value);
            else if (key == "system_prompt")
                m_walk.set(place, preset, settings::kChatSystemPrompt,
                           sameMeaning(value, settings::kChatSystemPrompt), value);
            else if (key == "name" || key == "description")
                m_walk.ignore(place, value, "The profile's name names the preset");
            else if (key == "context" && value.is_object())
                context(place, value);
            else
                m_walk.ignore(place, value, key == "conversation" ? kOwnWay : kUnknownKey);
        }
    }

    void context(const std::string& prefix, const Json& context) {
        m_walk.ignore(prefix, context, "What is sent to a model is chosen in the conversation here");
    }

    void model(const std::string& profile, const std::string& prefix, const Json& model) {
        if (textAt(model, "provider") != kProvider) return m_walk.ignore(prefix, model, kRemote);
        const std::string path = takePath(prefix, model);
        m_modelOf[profile] = path;
        // Of two profiles with one model the first sets the model; the other is a preset.
        const bool own = !path.empty() && m_owned.insert(path).second;
        const app::SettingOwner owner =
            own ? app::SettingOwner::model(path) : app::SettingOwner::preset(profile);
        for (const auto& [name, value] : model.items()) {
            const std::string key = joinedKey(prefix, name);
            if (key == m_pathKey) continue;
            if (name == "model")
                m_walk.ignore(
                    key, value,
                    path.empty() ? std::string_view("Its model is not on this machine") : kOfTheModel);
            else if (name == "model_path")
                m_walk.ignore(key, value,
                              value.is_null() ? kNotSet : std::string_view("No model was found for it"));
            else
                m_walk.member(kModelRules, prefix, name, value, owner);
        }
    }

    /// From model_path; where that is auto or missing, from the cache of the hub by the model's name, else
    /// the best of it. The key that named it gets the line.
    std::string takePath(const std::string& prefix, const Json& model) {
        const std::string named = textAt(model, "model_path");
        const std::string name = textAt(model, "model");
        app::ImportedModel more;
        more.name = name;
        const auto given = model.find("model_path");
        const bool isAuto = given == model.end() || given->is_null() || named.empty() || named == "auto";
        if (!isAuto || (given != model.end() && !given->is_null() && !given->is_string())) {
            m_pathKey = joinedKey(prefix, "model_path");
            return takeModel(m_walk, m_places, m_pathKey, *given, m_base, more);
        }
        m_pathKey.clear();
        const std::string found =
            name.find('/') != std::string::npos ? modelInHub(m_roots, name) : anyModelInHub(m_roots);
        if (found.empty()) return {};
        const bool hasKey = given != model.end() && !given->is_null();
        if (!hasKey && model.find("model") == model.end()) return {};
        m_pathKey = joinedKey(prefix, hasKey ? "model_path" : "model");
        more.path = found;
        m_walk.sink().model(m_walk.at(m_pathKey), more,
                            "auto took it from the cache of the hub: Q4, Q5, Q8, others");
        return found;
    }

    void providers(const Json& all) {
        for (const auto& [name, values] : all.items()) {
            const std::string prefix = "provider_configs." + name;
            if (name == kProvider && values.is_object() && !values.empty())
                m_walk.object(kProviderRules, prefix, values, app::SettingOwner::global());
            else
                m_walk.ignore(prefix, values, kRemote);
        }
    }

    void other(const std::string& name, const Json& value) {
        if (name == "api_keys") return m_walk.secret(name, value);
        if (name == "tools") return m_walk.ignore(name, value, kNoTools);
        if (name == "tui" || name == "sdk" || name == "env_settings")
            return m_walk.ignore(name, value, "It concerns the look of that program only");
        m_walk.unknown(name, value);
    }

    /// The profile that is in use names the default model.
    void current(const std::string& name, const Json& value) {
        if (name == "current_provider") return m_walk.ignore(name, value, "GGUF files always run here");
        if (name == "current_model") return m_walk.ignore(name, value, "The profile in use names the model");
        if (name != "active_profile") return;
        const auto found = m_modelOf.find(value.is_string() ? value.get<std::string>() : std::string());
        if (found == m_modelOf.end() || found->second.empty())
            return m_walk.ignore(name, value, "It names no model of this machine");
        m_walk.set(name, app::SettingOwner::global(), settings::kModelsDefault, Taken::set(found->second),
                   value, "The model of the profile in use");
    }

    KeyWalk m_walk;
    const Json& m_document;
    Places m_places;
    const app::SearchRoots& m_roots;
    std::string m_base;
    std::string m_pathKey;
    std::map<std::string, std::string> m_modelOf;
    std::set<std::string> m_owned;
};

std::string configOf(const std::string& path) {
    if (!isFolder(path)) return path;
    const std::string inside = joined(path, ".consoul/config.yaml");
    return isFile(inside) ? inside : joined(path, "config.yaml");
}

}  // namespace

std::vector<app::Candidate> ConsoulImporter::findCandidates(const app::SearchRoots& roots) const {
    std::vector<std::string> files = {joined(roots.home, ".consoul/config.yaml")};
    // The project's own file is searched upward from where one works.
    constexpr int kMostLevels = 40;
    std::string folder = roots.working;
    for (int level = 0; level < kMostLevels && !folder.empty(); ++level) {
        const std::string file = joined(folder, ".consoul/config.yaml");
        if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(file);
        const std::string above = folderOf(folder);
        if (above == folder) break;
        folder = above;
    }
    std::vector<app::Candidate> found;
    for (const std::string& file : files) {
        if (isFile(file)) found.push_back({file, "settings"});
    }
    return found;
}

app::Confidence ConsoulImporter::check(const std::string& path) const {
    const std::string file = configOf(path);
    if (!endsWithNoCase(file, ".yaml") && !endsWithNoCase(file, ".yml")) return app::Confidence::No;
    constexpr std::size_t kMostBytes = 64 * 1024;
    const std::string head = firstBytes(file, kMostBytes);
    if (head.find("profiles:") == std::string::npos) return app::Confidence::No;
    const bool own = folderOf(file).ends_with(".consoul");
    return own || head.find("llamacpp") != std::string::npos ||
                   head.find("active_profile:") != std::string::npos
               ? app::Confidence::Sure
               : app::Confidence::Maybe;
}

Status ConsoulImporter::read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                             CancelToken cancel) const {
    const std::string file = configOf(path);
    LOADER_TRY(const app::JsonText text, readYamlFile(file));
    if (!text.document.is_object()) return Error(Errc::C501, {"it is no list of settings"}, file);
    LOADER_CHECK(cancel.check());
    Reader(file, text.document, roots, sink).read();
    KeyWalk(file, sink).repeated(text);
    return {};
}

}  // namespace loader::importers
