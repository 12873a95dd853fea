// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/ctransformers/importer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "core/app/config/setting_list.h"
#include "plugins/importers/common/model_key.h"

namespace loader::importers {
namespace {

namespace settings = app::settings;

constexpr std::string_view kFile = "config.json";
constexpr std::string_view kGeneration = "text-generation";
constexpr std::string_view kNotRead = "ctransformers does not read it";
constexpr std::string_view kOfTheCall =
    "A name of its call; ctransformers itself does not read it from this file";

/// What ctransformers reads from the file.
constexpr std::array kFileRules = {
    KeyRule{"top_k", settings::kSamplingTopK},
    KeyRule{"top_p", settings::kSamplingTopP},
    KeyRule{"temperature", settings::kSamplingTemperature},
    KeyRule{"repetition_penalty", settings::kSamplingRepeatPenalty},
    KeyRule{"last_n_tokens", settings::kSamplingRepeatLastN},
};

/// What its call takes; programs around it keep these in files of their own.
constexpr std::array kCallRules = {
    KeyRule{"top_k", settings::kSamplingTopK, nullptr, kOfTheCall},
    KeyRule{"top_p", settings::kSamplingTopP, nullptr, kOfTheCall},
    KeyRule{"temperature", settings::kSamplingTemperature, nullptr, kOfTheCall},
    KeyRule{"repetition_penalty", settings::kSamplingRepeatPenalty, nullptr, kOfTheCall},
    KeyRule{"last_n_tokens", settings::kSamplingRepeatLastN, nullptr, kOfTheCall},
    KeyRule{"seed", settings::kSamplingSeed, seedOrRandom, kOfTheCall},
    KeyRule{"max_new_tokens", settings::kAnswerMaxTokens, tokensOrUnlimited, kOfTheCall},
    KeyRule{"stop", settings::kAnswerStop, nullptr, kOfTheCall},
    KeyRule{"context_length", settings::kLoadContext, contextOrTrained, kOfTheCall},
    KeyRule{"batch_size", settings::kLoadBatch, nullptr, kOfTheCall},
    KeyRule{"threads", settings::kLoadThreads, threadsOrAuto, kOfTheCall},
    KeyRule{"gpu_layers", settings::kLoadGpuLayers, nullptr, kOfTheCall},
    KeyRule{"mmap", settings::kLoadMmap, nullptr, kOfTheCall},
    KeyRule{"mlock", settings::kLoadMlock, nullptr, kOfTheCall},
    KeyRule{"stream", {}, nullptr, "Answers always come piece by piece here"},
    KeyRule{"reset", {}, nullptr, "A conversation keeps what it needs here"},
    KeyRule{"lib", {}, nullptr, "The best instruction set is chosen at run time"},
    KeyRule{"model_type", {}, nullptr, "A GGUF file names its own architecture"},
};

struct ModelFile {
    std::uintmax_t bytes = 0;
    std::string path;
};

/// Of a folder, smallest first; of equals by name.
std::vector<ModelFile> modelFiles(const std::string& folder) {
    std::vector<ModelFile> files;
    for (const std::string& name : namesIn(folder)) {
        const std::string path = joined(folder, name);
        if (!(name.ends_with(".bin") || name.ends_with(".gguf")) || !isFile(path)) continue;
        std::error_code fault;
        const std::uintmax_t bytes = std::filesystem::file_size(std::filesystem::u8path(path), fault);
        if (!fault) files.push_back({bytes, path});
    }
    std::stable_sort(files.begin(), files.end(),
                     [](const ModelFile& a, const ModelFile& b) { return a.bytes < b.bytes; });
    return files;
}

/// The smallest one, as ctransformers chooses; one that is no GGUF cannot be loaded here, and the next one
/// counts.
std::string takeModelOf(const std::string& folder, app::ImportSink& sink) {
    const std::vector<ModelFile> files = modelFiles(folder);
    std::string chosen;
    for (const ModelFile& file : files) {
        const app::SourceKey source{file.path, {}};
        if (!isGguf(file.path)) {
            sink.ignored(source, nullptr, "It is no GGUF file");
        } else if (!chosen.empty()) {
            sink.ignored(source, nullptr, "ctransformers takes the smallest file of a folder");
        } else {
            chosen = file.path;
            const std::string note = files.size() > 1
                                         ? "The smallest of " + std::to_string(files.size()) + " files"
                                         : std::string();
            sink.model(source, {chosen, {}, {}, {}}, note);
        }
    }
    return chosen;
}

void takeParameters(const KeyWalk& walk, const Json& parameters, const app::SettingOwner& owner) {
    constexpr std::string_view kOuter = "task_specific_params";
    if (!parameters.is_object() || parameters.empty())
        return walk.ignore(std::string(kOuter), parameters, kNotRead);
    for (const auto& [task, values] : parameters.items()) {
        const std::string prefix = joinedKey(std::string(kOuter), task);
        if (task != kGeneration || !values.is_object() || values.empty()) {
            walk.ignore(prefix, values, kNotRead);
            continue;
        }
        for (const auto& [name, value] : values.items()) {
            if (findRule(kFileRules, name))
                walk.member(kFileRules, prefix, name, value, owner);
            else
                walk.ignore(joinedKey(prefix, name), value, kNotRead);
        }
    }
}

std::string configOf(const std::string& path) {
    return isFolder(path) ? joined(path, kFile) : path;
}

}  // namespace

std::vector<app::Candidate> CtransformersImporter::findCandidates(const app::SearchRoots& roots) const {
    // It has no place of its own: a folder with a model is given to its call.
    std::vector<app::Candidate> found;
    std::vector<std::string> folders = {roots.working, joined(roots.working, "models")};
    for (const std::string& name : namesIn(joined(roots.working, "models"), 1000))
        folders.push_back(joined(joined(roots.working, "models"), name));
    for (const std::string& folder : folders) {
        if (!roots.working.empty() && check(folder) != app::Confidence::No)
            found.push_back({folder, "settings beside a model"});
    }
    return found;
}

app::Confidence CtransformersImporter::check(const std::string& path) const {
    const std::string file = configOf(path);
    if (fileName(file) != kFile) return app::Confidence::No;
    constexpr std::size_t kMostBytes = 64 * 1024;
    const std::string head = firstBytes(file, kMostBytes);
    const bool known = head.find("\"model_type\"") != std::string::npos ||
                       head.find("\"task_specific_params\"") != std::string::npos;
    return known && !modelFiles(folderOf(file)).empty() ? app::Confidence::Maybe : app::Confidence::No;
}

Status CtransformersImporter::read(const std::string& path, const app::SearchRoots& roots,
                                   app::ImportSink& sink, CancelToken cancel) const {
    static_cast<void>(roots);
    const std::string file = configOf(path);
    LOADER_TRY(const app::JsonText text, app::readJsonFile(file));
    if (!text.document.is_object()) return Error(Errc::C501, {"it is no list of settings"}, file);
    LOADER_CHECK(cancel.check());
    const std::string model = takeModelOf(folderOf(file), sink);
    const app::SettingOwner owner =
        model.empty() ? app::SettingOwner::preset(fileName(folderOf(file))) : app::SettingOwner::model(model);
    const KeyWalk walk(file, sink);
    for (const auto& [name, value] : text.document.items()) {
        if (name == "task_specific_params")
            takeParameters(walk, value, owner);
        else if (findRule(kCallRules, name))
            walk.member(kCallRules, {}, name, value, owner);
        else
            walk.ignore(name, value, kNotRead);
    }
    walk.repeated(text);
    return {};
}

}  // namespace loader::importers
