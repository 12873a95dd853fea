// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/koboldcpp/importer.h"

#include <algorithm>
#include <array>

#include "core/app/config/setting_list.h"
#include "plugins/importers/common/model_key.h"

namespace loader::importers {
namespace {

namespace settings = app::settings;

constexpr std::string_view kNoDraft = "There is no draft model in this program yet";
constexpr std::string_view kNoImages = "Images are not understood by this program yet";
constexpr std::string_view kOtherModels = "It is no language model";
constexpr std::string_view kPositions = "The model's file says how positions are scaled";
constexpr std::string_view kOwnTemplate = "The model's own chat template is used";
constexpr std::string_view kOfItsProgram = "It concerns that program only";
constexpr std::string_view kChosenHere = "It is chosen by measuring here";
constexpr std::string_view kAnother = "Another key of this file says it";

Taken batch(const Json& value) {
    const Json number = numberOf(value);
    if (number.is_number() && number.get<double>() <= 0)
        return Taken::ignore("Batches are switched off there; the usual size stays");
    return sameMeaning(value, settings::kLoadBatch);
}

/// 0 f16, 1 q8, 2 q4, 3 bf16.
Taken quantKv(const Json& value) {
    const Json number = numberOf(value);
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    if (number == 0) return Taken::set("f16");
    if (number == 1) return Taken::set("q8_0");
    if (number == 2) return cacheTypeByName("q4");
    return number == 3 ? cacheTypeByName("bf16") : Taken::refuse("It is 0, 1, 2 or 3");
}

/// -1 is not set.
Taken answerLength(const Json& value) {
    const Json number = numberOf(value);
    if (number.is_number() && number.get<double>() <= 0) return Taken::ignore(std::string(kNotSet));
    return sameMeaning(value, settings::kAnswerMaxTokens);
}

constexpr std::array kRules = {
    KeyRule{"contextsize", settings::kLoadContext},
    KeyRule{"gpulayers", settings::kLoadGpuLayers, layersMinusAuto},
    KeyRule{"batchsize", settings::kLoadBatch, batch},
    KeyRule{"blasbatchsize", settings::kLoadBatch, batch},
    KeyRule{"threads", settings::kLoadThreads, threadsOrAuto},
    KeyRule{"usemlock", settings::kLoadMlock},
    KeyRule{"usemmap", settings::kLoadMmap},
    KeyRule{"nommap", settings::kLoadMmap, negated},
    KeyRule{"quantkv", settings::kLoadKv, quantKv},
    KeyRule{"defaultgenamt", settings::kAnswerMaxTokens, answerLength},
    KeyRule{"blasthreads", {}, nullptr, "Prompts and answers use the same threads here"},
    KeyRule{"flashattention", {}, nullptr, "Attention needs no choice here"},
    KeyRule{"noflashattention", {}, nullptr, "Attention needs no choice here"},
    KeyRule{"lowvram", {}, nullptr, kChosenHere},
    KeyRule{"tensor_split", {}, nullptr, kChosenHere},
    KeyRule{"maingpu", {}, nullptr, "Devices are chosen by name here: load.device"},
    KeyRule{"device", {}, nullptr, "Devices are chosen by name here: load.device"},
    KeyRule{"autofit", {}, nullptr, "auto measures what fits here"},
    KeyRule{"autofitpadding", {}, nullptr, "auto measures what fits here"},
    KeyRule{"noavx2", {}, nullptr, kChosenHere},
    KeyRule{"failsafe", {}, nullptr, kChosenHere},
    KeyRule{"nomodel", {}, nullptr, kOfItsProgram},
    KeyRule{"lora", {}, nullptr, "Adapters are not loaded by this program yet"},
    KeyRule{"loramult", {}, nullptr, "Adapters are not loaded by this program yet"},
    KeyRule{"mmprojcpu", {}, nullptr, kNoImages},
    KeyRule{"visionmaxres", {}, nullptr, kNoImages},
    KeyRule{"visionmintokens", {}, nullptr, kNoImages},
    KeyRule{"visionmaxtokens", {}, nullptr, kNoImages},
    KeyRule{"moecpu", {}, nullptr, kChosenHere},
    KeyRule{"moeexperts", {}, nullptr, "The model's file says how many experts it uses"},
    KeyRule{"ropeconfig", {}, nullptr, kPositions},
    KeyRule{"overridenativecontext", {}, nullptr, kPositions},
    KeyRule{"overridekv", {}, nullptr, "Metadata of a file is not overridden here"},
    KeyRule{"overridetensors", {}, nullptr, kChosenHere},
    KeyRule{"noshift", {}, nullptr, "The context is never shifted without a word here"},
    KeyRule{"smartcontext", {}, nullptr, "The context is never shifted without a word here"},
    KeyRule{"nofastforward", {}, nullptr, "What was computed is always used again here"},
    KeyRule{"smartcache", {}, nullptr, "What was computed is always used again here"},
    KeyRule{"nobostoken", {}, nullptr, "The model's file says which tokens begin a text"},
    KeyRule{"useswa", {}, nullptr, "The model's file says how far attention reaches"},
    KeyRule{"bantokens", {}, nullptr, "There is no list of banned words in this program yet"},
    KeyRule{"chatcompletionsadapter", {}, nullptr, kOwnTemplate},
    KeyRule{"jinja", {}, nullptr, kOwnTemplate},
    KeyRule{"jinja_tools", {}, nullptr, kOwnTemplate},
    KeyRule{"jinja_kwargs", {}, nullptr, kOwnTemplate},
    KeyRule{"jinjatemplate", {}, nullptr, kOwnTemplate},
    KeyRule{"genlimit", {}, nullptr, "It limits users of its server"},
    KeyRule{"gendefaultsoverwrite", {}, nullptr, "It limits users of its server"},
    KeyRule{"maxrequestsize", {}, nullptr, kNoServer},
    KeyRule{"host", {}, nullptr, kNoServer},
    KeyRule{"port", {}, nullptr, kNoServer},
    KeyRule{"port_param", {}, nullptr, kNoServer},
    KeyRule{"multiuser", {}, nullptr, kNoServer},
    KeyRule{"multiplayer", {}, nullptr, kNoServer},
    KeyRule{"websearch", {}, nullptr, kNoServer},
    KeyRule{"remotetunnel", {}, nullptr, kNoServer},
    KeyRule{"nocertify", {}, nullptr, kNoServer},
    KeyRule{"proxy_port", {}, nullptr, kNoServer},
    KeyRule{"singleinstance", {}, nullptr, kNoServer},
    KeyRule{"password", {}, nullptr, {}, true},
    KeyRule{"ssl", {}, nullptr, {}, true},
    KeyRule{"adminpassword", {}, nullptr, {}, true},
    KeyRule{"hordekey", {}, nullptr, {}, true},
};

/// Whole families of keys.
struct FamilyRule {
    std::string_view begin;
    std::string_view reason;
};
constexpr std::array kFamilies = {
    FamilyRule{"draft", kNoDraft},       FamilyRule{"sd", kOtherModels},
    FamilyRule{"whisper", kOtherModels}, FamilyRule{"tts", kOtherModels},
    FamilyRule{"music", kOtherModels},   FamilyRule{"embeddings", kOtherModels},
    FamilyRule{"horde", kNoServer},      FamilyRule{"admin", kNoServer},
    FamilyRule{"router", kNoServer},     FamilyRule{"mcp", kNoServer},
};

/// What of its own program only.
constexpr std::array<std::string_view, 24> kOfProgram = {
    "istemplate",   "launch",       "config",       "onready",       "benchmark",      "prompt",
    "promptlimit",  "cli",          "quiet",        "ignoremissing", "foreground",     "debugmode",
    "highpriority", "forceversion", "preloadstory", "savedatafile",  "skiplauncher",   "showgui",
    "version",      "analyze",      "unpack",       "exportconfig",  "exporttemplate", "testmemory"};

constexpr std::array kGeneration = {
    KeyRule{"temperature", settings::kSamplingTemperature},
    KeyRule{"top_k", settings::kSamplingTopK},
    KeyRule{"top_p", settings::kSamplingTopP},
    KeyRule{"min_p", settings::kSamplingMinP},
    KeyRule{"typical", settings::kSamplingTypicalP},
    KeyRule{"rep_pen", settings::kSamplingRepeatPenalty},
    KeyRule{"rep_pen_range", settings::kSamplingRepeatLastN},
    KeyRule{"presence_penalty", settings::kSamplingPresencePenalty},
    KeyRule{"dry_multiplier", settings::kSamplingDryMultiplier},
    KeyRule{"dry_base", settings::kSamplingDryBase},
    KeyRule{"dry_allowed_length", settings::kSamplingDryAllowedLength},
    KeyRule{"dry_penalty_last_n", settings::kSamplingDryLastN},
    KeyRule{"dry_sequence_breakers", settings::kSamplingDryBreakers},
    KeyRule{"xtc_probability", settings::kSamplingXtcProbability},
    KeyRule{"xtc_threshold", settings::kSamplingXtcThreshold},
    KeyRule{"mirostat", settings::kSamplingMirostat},
    KeyRule{"mirostat_tau", settings::kSamplingMirostatTau},
    KeyRule{"mirostat_eta", settings::kSamplingMirostatEta},
    KeyRule{"sampler_seed", settings::kSamplingSeed, seedOrRandom},
    KeyRule{"max_length", settings::kAnswerMaxTokens, answerLength},
    KeyRule{"stop_sequence", settings::kAnswerStop},
};

/// Keys that choose what computes, the first that is on decides. An empty list is on, null and false are off.
struct ComputeRule {
    std::string_view key;
    std::string_view backend;
    std::string_view note;
};
constexpr std::array kCompute = {
    ComputeRule{"usecpu", "cpu", "The processor alone"},
    ComputeRule{"usevulkan", "vulkan", "GPUs through Vulkan"},
    ComputeRule{"usecuda", "auto", "A GPU is used through Vulkan here, where one works"},
    ComputeRule{"usecublas", "auto", "A GPU is used through Vulkan here, where one works"},
    ComputeRule{"usehipblas", "auto", "A GPU is used through Vulkan here, where one works"},
    ComputeRule{"useclblast", "auto", "A GPU is used through Vulkan here, where one works"},
};

bool isOn(const Json& value) {
    if (value.is_array()) return true;
    const Json known = boolOf(value);
    return !value.is_null() && (known.is_discarded() || known.get<bool>());
}

bool isSettingsName(const std::string& path) {
    return endsWithNoCase(path, ".kcpps") || endsWithNoCase(path, ".kcppt");
}

/// One file.
class Reader {
public:
    Reader(const std::string& file, const Json& document, const app::SearchRoots& roots,
           app::ImportSink& sink)
        : m_walk(file, sink), m_document(document), m_places(roots), m_base(folderOf(file)) {}

    void read() {
        takeModels();
        for (const auto& [key, value] : m_document.items())
            member(key, value);
    }

private:
    const Json* find(std::string_view key) const {
        const auto found = m_document.find(key);
        return found == m_document.end() ? nullptr : &*found;
    }
    bool isNamed(std::string_view key) const {
        const Json* value = find(key);
        return value && !value->is_null() && *value != "" && !(value->is_array() && value->empty());
    }

    /// First of all: it decides whose settings these are.
    void takeModels() {
        app::ImportedModel more;
        if (const Json* projector = find("mmproj"))
            more.projector = projectorPath(m_places, *projector, m_base);
        const std::string_view winner = isNamed("model_param") ? "model_param" : "model";
        for (const std::string_view name : {std::string_view("model_param"), std::string_view("model")}) {
            const Json* value = find(name);
            if (!value) continue;
            const std::string key(name);
            const bool list = value->is_array() && !value->empty() && value->front().is_string();
            if (name != winner)
                m_walk.ignore(key, *value, isNamed(name) ? kAnother : kNotSet);
            else if (value->is_array() && value->empty())
                m_walk.ignore(key, *value, kNotSet);
            else
                m_model = takeModel(m_walk, m_places, key, list ? value->front() : *value, m_base, more);
        }
        m_owner = m_model.empty() ? app::SettingOwner::preset(stemOf(m_walk.file()))
                                  : app::SettingOwner::model(m_model);
    }

    void compute(const ComputeRule& rule, const std::string& key, const Json& value) {
        if (!isOn(value)) return m_walk.ignore(key, value, "It is off");
        for (const ComputeRule& earlier : kCompute) {
            if (earlier.key == rule.key) break;
            const Json* other = find(earlier.key);
            if (other && isOn(*other)) return m_walk.ignore(key, value, kAnother);
        }
        m_walk.set(key, m_owner, settings::kLoadBackend, Taken::set(std::string(rule.backend)), value,
                   rule.note);
    }

    void member(const std::string& key, const Json& value) {
        if (key == "model_param" || key == "model") return;
        if (key == "mmproj") return takeProjector(m_walk, m_places, key, value, m_base, !m_model.empty());
        const auto computes = std::find_if(kCompute.begin(), kCompute.end(),
                                           [&key](const ComputeRule& rule) { return rule.key == key; });
        if (computes != kCompute.end()) return compute(*computes, key, value);
        if (key == "gendefaults") return generation(value);
        const bool older =
            (key == "nommap" && isNamed("usemmap")) || (key == "blasbatchsize" && isNamed("batchsize"));
        if (older) return m_walk.ignore(key, value, kAnother);
        if (findRule(kRules, key)) return m_walk.member(kRules, {}, key, value, m_owner);
        if (std::find(kOfProgram.begin(), kOfProgram.end(), key) != kOfProgram.end())
            return m_walk.ignore(key, value, kOfItsProgram);
        const auto family = std::find_if(kFamilies.begin(), kFamilies.end(), [&key](const FamilyRule& rule) {
            return key.starts_with(rule.begin);
        });
        if (family != kFamilies.end()) return m_walk.ignore(key, value, family->reason);
        m_walk.unknown(key, value);
    }

    void generation(const Json& value) {
        if (value.is_object()) return m_walk.object(kGeneration, "gendefaults", value, m_owner);
        const bool empty = value.is_null() || value == "" || value == "{}";
        m_walk.ignore("gendefaults", value, empty ? kNotSet : "It is a text of another form");
    }

    KeyWalk m_walk;
    const Json& m_document;
    Places m_places;
    std::string m_base;
    std::string m_model;
    app::SettingOwner m_owner;
};

Status readOne(const std::string& file, const app::SearchRoots& roots, app::ImportSink& sink) {
    LOADER_TRY(const app::JsonText text, app::readJsonFile(file));
    if (!text.document.is_object()) return Error(Errc::C501, {"it is no list of settings"}, file);
    Reader(file, text.document, roots, sink).read();
    KeyWalk(file, sink).repeated(text);
    return {};
}

}  // namespace

std::vector<app::Candidate> KoboldCppImporter::findCandidates(const app::SearchRoots& roots) const {
    std::vector<std::string> folders = {roots.working, roots.home};
    for (const std::string_view name : {"koboldcpp", "KoboldCpp", "Downloads", "Documents"})
        folders.push_back(joined(roots.home, name));
    folders.push_back(joined(roots.configHome, "koboldcpp"));
    std::vector<app::Candidate> found;
    for (const std::string& folder : folders) {
        for (const std::string& name : folder.empty() ? std::vector<std::string>() : namesIn(folder)) {
            const std::string path = joined(folder, name);
            const auto same = [&path](const app::Candidate& other) { return other.path == path; };
            if (!isSettingsName(name) || !isFile(path) || std::any_of(found.begin(), found.end(), same))
                continue;
            found.push_back({path, endsWithNoCase(name, ".kcppt") ? "template" : "settings"});
        }
    }
    return found;
}

app::Confidence KoboldCppImporter::check(const std::string& path) const {
    if (isFolder(path)) {
        const std::vector<std::string> names = namesIn(path);
        return std::any_of(names.begin(), names.end(), isSettingsName) ? app::Confidence::Sure
                                                                       : app::Confidence::No;
    }
    if (isSettingsName(path)) return isFile(path) ? app::Confidence::Sure : app::Confidence::No;
    constexpr std::size_t kMostBytes = 64 * 1024;
    const std::string head = firstBytes(path, kMostBytes);
    const bool known =
        head.find("\"contextsize\"") != std::string::npos && head.find("\"gpulayers\"") != std::string::npos;
    return known ? app::Confidence::Sure : app::Confidence::No;
}

Status KoboldCppImporter::read(const std::string& path, const app::SearchRoots& roots, app::ImportSink& sink,
                               CancelToken cancel) const {
    if (!isFolder(path)) return readOne(path, roots, sink);
    for (const std::string& name : namesIn(path)) {
        LOADER_CHECK(cancel.check());
        const std::string file = joined(path, name);
        if (!isSettingsName(name)) continue;
        const Status done = readOne(file, roots, sink);
        if (!done) noteUnreadable(sink, file, done.error());
    }
    return {};
}

}  // namespace loader::importers
