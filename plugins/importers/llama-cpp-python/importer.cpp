// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/llama-cpp-python/importer.h"

#include <algorithm>
#include <array>

#include "core/app/config/setting_list.h"
#include "plugins/importers/common/hub_cache.h"
#include "plugins/importers/common/model_key.h"

namespace loader::importers {
namespace {

namespace settings = app::settings;

constexpr std::string_view kPositions = "The model's file says how positions are scaled";
constexpr std::string_view kNoDraft = "There is no draft model in this program yet";
constexpr std::string_view kNoAdapters = "Adapters are not loaded by this program yet";
constexpr std::string_view kChosenHere = "It is chosen by measuring here";
constexpr std::string_view kOwnTokenizer = "The tokenizer in the model's file is used";

/// Types of ggml by their numbers, where they can be a cache's.
Taken cacheTypeByNumber(const Json& value) {
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    const Json number = numberOf(value);
    struct Type {
        int number;
        std::string_view name;
    };
    constexpr std::array kTypes = {Type{0, "f32"},  Type{1, "f16"},     Type{2, "q4_0"},
                                   Type{3, "q4_1"}, Type{6, "q5_0"},    Type{7, "q5_1"},
                                   Type{8, "q8_0"}, Type{20, "iq4_nl"}, Type{30, "bf16"}};
    for (const Type& type : kTypes) {
        if (number == type.number) return cacheTypeByName(std::string(type.name));
    }
    return Taken::refuse("It is no number of a type that a cache can have");
}

constexpr std::array kModelRules = {
    KeyRule{"n_gpu_layers", settings::kLoadGpuLayers, layersMinusAll},
    KeyRule{"n_ctx", settings::kLoadContext, contextOrTrained},
    KeyRule{"n_batch", settings::kLoadBatch},
    KeyRule{"n_threads", settings::kLoadThreads, threadsOrAuto},
    KeyRule{"use_mmap", settings::kLoadMmap},
    KeyRule{"use_mlock", settings::kLoadMlock},
    KeyRule{"type_k", settings::kLoadKv, cacheTypeByNumber},
    KeyRule{"type_v", settings::kLoadKv, cacheTypeByNumber},
    KeyRule{"seed", settings::kSamplingSeed, seedOrRandom},
    KeyRule{"last_n_tokens_size", settings::kSamplingRepeatLastN},
    KeyRule{"n_ubatch", {}, nullptr, "Batches have one size here"},
    KeyRule{"n_threads_batch", {}, nullptr, "Prompts and answers use the same threads here"},
    KeyRule{"split_mode", {}, nullptr, kChosenHere},
    KeyRule{"main_gpu", {}, nullptr, "Devices are chosen by name here: load.device"},
    KeyRule{"tensor_split", {}, nullptr, kChosenHere},
    KeyRule{"vocab_only", {}, nullptr, "A model is always loaded whole here"},
    KeyRule{"kv_overrides", {}, nullptr, "Metadata of a file is not overridden here"},
    KeyRule{"rpc_servers", {}, nullptr, "Other machines do not compute for this program yet"},
    KeyRule{"rope_scaling_type", {}, nullptr, kPositions},
    KeyRule{"rope_freq_base", {}, nullptr, kPositions},
    KeyRule{"rope_freq_scale", {}, nullptr, kPositions},
    KeyRule{"yarn_ext_factor", {}, nullptr, kPositions},
    KeyRule{"yarn_attn_factor", {}, nullptr, kPositions},
    KeyRule{"yarn_beta_fast", {}, nullptr, kPositions},
    KeyRule{"yarn_beta_slow", {}, nullptr, kPositions},
    KeyRule{"yarn_orig_ctx", {}, nullptr, kPositions},
    KeyRule{"mul_mat_q", {}, nullptr, kChosenHere},
    KeyRule{"logits_all", {}, nullptr, "Scores are given where they are asked for"},
    KeyRule{"embedding", {}, nullptr, "The model's file says what it computes"},
    KeyRule{"offload_kqv", {}, nullptr, "The cache lies beside its layers here"},
    KeyRule{"flash_attn", {}, nullptr, "Attention needs no choice here"},
    KeyRule{"swa_full", {}, nullptr, "The model's file says how far attention reaches"},
    KeyRule{"kv_unified", {}, nullptr, kChosenHere},
    KeyRule{"lora_base", {}, nullptr, kNoAdapters},
    KeyRule{"lora_path", {}, nullptr, kNoAdapters},
    KeyRule{"numa", {}, nullptr, kChosenHere},
    KeyRule{"chat_format", {}, nullptr, "The model's own chat template is used"},
    KeyRule{"chat_template_kwargs", {}, nullptr, "The model's own chat template is used"},
    KeyRule{"cache", {}, nullptr, "What was computed is always used again here"},
    KeyRule{"cache_type", {}, nullptr, "What was computed is always used again here"},
    KeyRule{"cache_size", {}, nullptr, "What was computed is always used again here"},
    KeyRule{"hf_tokenizer_config_path", {}, nullptr, kOwnTokenizer},
    KeyRule{"hf_pretrained_model_name_or_path", {}, nullptr, kOwnTokenizer},
    KeyRule{"draft_model", {}, nullptr, kNoDraft},
    KeyRule{"draft_model_num_pred_tokens", {}, nullptr, kNoDraft},
    KeyRule{"verbose", {}, nullptr, "Logging is set for the whole program here: log.level"},
};

constexpr std::array kServerRules = {
    KeyRule{"host", {}, nullptr, kNoServer},
    KeyRule{"port", {}, nullptr, kNoServer},
    KeyRule{"interrupt_requests", {}, nullptr, kNoServer},
    KeyRule{"disable_ping_events", {}, nullptr, kNoServer},
    KeyRule{"root_path", {}, nullptr, kNoServer},
    KeyRule{"ssl_keyfile", {}, nullptr, {}, true},
    KeyRule{"ssl_certfile", {}, nullptr, {}, true},
    KeyRule{"api_key", {}, nullptr, {}, true},
};

std::string textAt(const Json& object, std::string_view key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// One entry of models.
class ModelReader {
public:
    ModelReader(const KeyWalk& walk, Places& places, const app::SearchRoots& roots, const std::string& prefix)
        : m_walk(walk), m_places(places), m_roots(roots), m_prefix(prefix), m_base(folderOf(walk.file())) {}

    void read(const Json& model) {
        if (!model.is_object() || model.empty())
            return m_walk.invalid(m_prefix, model, "A model is a list of keys and values");
        const std::string path = takePath(model);
        const std::string alias = textAt(model, "model_alias");
        const std::string repository = textAt(model, "hf_model_repo_id");
        std::string named = alias.empty() ? repository : alias;
        if (named.empty()) named = stemOf(textAt(model, "model"));
        if (named.empty()) named = "llama-cpp-python";
        const app::SettingOwner owner =
            path.empty() ? app::SettingOwner::preset(named) : app::SettingOwner::model(path);
        const Json keys = numberOf(model.value("type_k", Json()));
        const bool both = keys.is_number() && keys != numberOf(model.value("type_v", keys));
        for (const auto& [name, value] : model.items()) {
            const std::string key = joinedKey(m_prefix, name);
            if (name == "model") continue;
            if (name == "model_alias")
                m_walk.ignore(key, value, value.is_null() ? kNotSet : kOfTheModel);
            else if (name == "clip_model_path")
                takeProjector(m_walk, m_places, key, value, m_base, !path.empty());
            else if (name == "hf_model_repo_id")
                m_walk.ignore(key, value, value.is_null() ? kNotSet : repositoryNote(path));
            else if (name == "type_v" && both)
                m_walk.ignore(key, value, "Keys and values have one type here, that of the keys");
            else
                m_walk.member(kModelRules, m_prefix, name, value, owner);
        }
    }

private:
    /// The model's line. With a repository, model is a name or a pattern in it.
    std::string takePath(const Json& model) {
        const auto found = model.find("model");
        if (found == model.end()) return {};
        const std::string key = joinedKey(m_prefix, "model");
        app::ImportedModel more;
        more.name = textAt(model, "model_alias");
        const auto projector = model.find("clip_model_path");
        if (projector != model.end()) more.projector = projectorPath(m_places, *projector, m_base);
        const std::string repository = textAt(model, "hf_model_repo_id");
        if (repository.empty()) return takeModel(m_walk, m_places, key, *found, m_base, more);
        std::string pattern = found->is_string() ? found->get<std::string>() : std::string();
        // "*q8_0.gguf" is what its documents show; other patterns are rare.
        const bool starred = pattern.starts_with("*");
        if (starred) pattern = pattern.substr(1);
        const std::string path = inRepository(repository, pattern, starred);
        if (path.empty()) {
            m_walk.ignore(key, *found, "The cache of the hub has no such file of " + repository);
            return {};
        }
        return takeModel(m_walk, m_places, key, path, m_base, more);
    }

    std::string inRepository(const std::string& repository, const std::string& pattern, bool starred) const {
        if (!starred) return modelInHub(m_roots, repository, pattern);
        for (const std::string& cache : hubFolders(m_roots)) {
            for (const HubFile& file : readHubRepository(cache, repository).files) {
                if (file.fault.empty() && endsWithNoCase(file.path, pattern)) return file.path;
            }
        }
        return {};
    }

    static std::string_view repositoryNote(const std::string& path) {
        return path.empty() ? std::string_view("Nothing is fetched by an import") : kOfTheModel;
    }

    const KeyWalk& m_walk;
    Places& m_places;
    const app::SearchRoots& m_roots;
    std::string m_prefix;
    std::string m_base;
};

bool hasModels(const Json& document) {
    const auto found = document.find("models");
    return found != document.end() && found->is_array();
}

}  // namespace

std::vector<app::Candidate> LlamaCppPythonImporter::findCandidates(const app::SearchRoots& roots) const {
    // Its place is only known from the variable that names it.
    const std::string named = expandedPath(roots.variable("CONFIG_FILE"), roots);
    if (named.empty()) return {};
    const std::string path = isAbsolute(named, roots.system) ? named : joined(roots.working, named);
    if (check(path) == app::Confidence::No) return {};
    return {{path, "server settings"}};
}

app::Confidence LlamaCppPythonImporter::check(const std::string& path) const {
    constexpr std::size_t kMostBytes = 64 * 1024;
    const std::string head = firstBytes(path, kMostBytes);
    const auto has = [&head](std::string_view word) { return head.find(word) != std::string::npos; };
    if (!has("\"models\"") || !has("\"model\"") || !has("{")) return app::Confidence::No;
    const bool own = has("\"n_ctx\"") || has("\"n_gpu_layers\"") || has("\"model_alias\"") ||
                     has("\"chat_format\"") || has("\"n_batch\"");
    return own ? app::Confidence::Sure : app::Confidence::No;
}

Status LlamaCppPythonImporter::read(const std::string& path, const app::SearchRoots& roots,
                                    app::ImportSink& sink, CancelToken cancel) const {
    LOADER_TRY(const app::JsonText text, app::readJsonFile(path));
    const Json& document = text.document;
    if (!document.is_object() || !hasModels(document)) return Error(Errc::C501, {"it names no models"}, path);
    const KeyWalk walk(path, sink);
    Places places(roots);
    const app::SettingOwner global = app::SettingOwner::global();
    for (const auto& [name, value] : document.items()) {
        if (name != "models") {
            walk.member(kServerRules, {}, name, value, global);
            continue;
        }
        if (value.empty()) walk.ignore(name, value, kNotSet);
        // A list of texts is one key for whoever counts; it is no list of models.
        const bool plain = !hasLeavesBelow(value);
        if (plain && !value.empty()) walk.invalid(name, value, "A model is a list of keys and values");
        for (std::size_t i = 0; !plain && i < value.size(); ++i) {
            LOADER_CHECK(cancel.check());
            ModelReader(walk, places, roots, "models[" + std::to_string(i) + "]").read(value[i]);
        }
    }
    walk.repeated(text);
    return {};
}

}  // namespace loader::importers
