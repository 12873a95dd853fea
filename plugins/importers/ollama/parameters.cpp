// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/ollama/parameters.h"

#include <array>

#include "core/app/config/setting_list.h"

namespace loader::importers::ollama {
namespace {

using app::settings::kAnswerMaxTokens;
using app::settings::kAnswerStop;
using app::settings::kLoadBatch;
using app::settings::kLoadContext;
using app::settings::kLoadGpuLayers;
using app::settings::kLoadKv;
using app::settings::kLoadMlock;
using app::settings::kLoadMmap;
using app::settings::kLoadThreads;
using app::settings::kLogLevel;
using app::settings::kModelsDefault;
using app::settings::kWindowHeight;
using app::settings::kWindowWidth;
namespace keys = app::settings;

/// The window's size; 0 is not set.
Taken sizeOrNone(const Json& value) {
    if (value == 0) return Taken::ignore(std::string(kNotSet));
    return Taken::set(value);
}

/// 0: as the memory allows, which is what ours is without a value.
Taken contextOrAutomatic(const Json& value) {
    const Json number = numberOf(value);
    if (number == 0) return Taken::ignore("0 leaves it to the program");
    return contextOrTrained(value);
}

Taken debugLevel(const Json& value) {
    const Json on = boolOf(value);
    if (on == false) return Taken::ignore("It is off");
    return Taken::set("debug");
}

Taken modelName(const Json& value) {
    if (value == "") return Taken::ignore(std::string(kNotSet));
    return Taken::set(value);
}

constexpr std::string_view kFileDecides = "The model's file says this itself";
constexpr std::string_view kNotOffered = "There is nothing of the kind here";
constexpr std::string_view kWholeContext = "A conversation that does not fit is never cut without asking";
constexpr std::string_view kOneDevice = "The device is chosen by what works; see load.device";

constexpr std::array kParameters = {
    KeyRule{"num_ctx", kLoadContext, contextOrTrained},
    KeyRule{"num_batch", kLoadBatch},
    KeyRule{"num_gpu", kLoadGpuLayers, layersMinusAuto},
    KeyRule{"num_thread", kLoadThreads, threadsOrAuto},
    KeyRule{"use_mmap", kLoadMmap},
    KeyRule{"use_mlock", kLoadMlock},
    KeyRule{"main_gpu", {}, nullptr, kOneDevice},
    KeyRule{"num_keep", {}, nullptr, kWholeContext},
    KeyRule{"num_predict", kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"seed", keys::kSamplingSeed, seedOrRandom},
    KeyRule{"temperature", keys::kSamplingTemperature},
    KeyRule{"top_k", keys::kSamplingTopK},
    KeyRule{"top_p", keys::kSamplingTopP},
    KeyRule{"min_p", keys::kSamplingMinP},
    KeyRule{"typical_p", keys::kSamplingTypicalP},
    KeyRule{"tfs_z", {}, nullptr, kNotOffered},
    KeyRule{"repeat_last_n", keys::kSamplingRepeatLastN},
    KeyRule{"repeat_penalty", keys::kSamplingRepeatPenalty},
    KeyRule{"presence_penalty", keys::kSamplingPresencePenalty},
    KeyRule{"frequency_penalty", keys::kSamplingFrequencyPenalty},
    KeyRule{"mirostat", keys::kSamplingMirostat},
    KeyRule{"mirostat_tau", keys::kSamplingMirostatTau},
    KeyRule{"mirostat_eta", keys::kSamplingMirostatEta},
    KeyRule{"penalize_newline", {}, nullptr, kNotOffered},
    KeyRule{"stop", kAnswerStop},
    KeyRule{"draft_num_predict", {}, nullptr, "There is no drafting model yet"},
    KeyRule{"numa", {}, nullptr, kNotOffered},
    KeyRule{"low_vram", {}, nullptr, "Memory is measured instead; see load.gpu_layers"},
    KeyRule{"f16_kv", {}, nullptr, "The type of the KV cache is f16 unless it is set"},
    KeyRule{"vocab_only", {}, nullptr, kNotOffered},
    KeyRule{"logits_all", {}, nullptr, kNotOffered},
    KeyRule{"embedding_only", {}, nullptr, kNotOffered},
    KeyRule{"num_gqa", {}, nullptr, kFileDecides},
    KeyRule{"rope_frequency_base", {}, nullptr, kFileDecides},
    KeyRule{"rope_frequency_scale", {}, nullptr, kFileDecides},
};

constexpr std::string_view kOneModel = "One model is loaded at a time";

constexpr std::array kEnvironment = {
    KeyRule{"OLLAMA_MODELS", {}, nullptr, "Its models are listed one by one and used where they lie"},
    KeyRule{"OLLAMA_CONTEXT_LENGTH", kLoadContext, contextOrAutomatic},
    KeyRule{"OLLAMA_KV_CACHE_TYPE", kLoadKv, cacheTypeByName},
    KeyRule{"OLLAMA_DEBUG", kLogLevel, debugLevel},
    KeyRule{"OLLAMA_HOST", {}, nullptr, kNoServer},
    KeyRule{"OLLAMA_ORIGINS", {}, nullptr, kNoServer},
    KeyRule{"OLLAMA_KEEP_ALIVE", {}, nullptr, "A model stays loaded until another one is"},
    KeyRule{"OLLAMA_LOAD_TIMEOUT", {}, nullptr, "Every step of a load has a limit of its own"},
    KeyRule{"OLLAMA_FLASH_ATTENTION", {}, nullptr, "Attention is always computed in this way"},
    KeyRule{"OLLAMA_NUM_PARALLEL", {}, nullptr, kNoServer},
    KeyRule{"OLLAMA_MAX_QUEUE", {}, nullptr, kNoServer},
    KeyRule{"OLLAMA_MAX_LOADED_MODELS", {}, nullptr, kOneModel},
    KeyRule{"OLLAMA_GPU_OVERHEAD", {}, nullptr, "Free memory is measured before each load"},
    KeyRule{"OLLAMA_SCHED_SPREAD", {}, nullptr, kOneDevice},
    KeyRule{"OLLAMA_VULKAN", {}, nullptr, "Vulkan is used wherever it works; see load.backend"},
    KeyRule{"OLLAMA_LLM_LIBRARY", {}, nullptr, "Its libraries are not used; see load.backend"},
    KeyRule{"OLLAMA_NOPRUNE", {}, nullptr, "Its files are never changed"},
    KeyRule{"OLLAMA_NOHISTORY", {}, nullptr, kNotOffered},
};

constexpr std::string_view kOfItsWindow = "It is about the other program's window";
constexpr std::string_view kNoCloud = "Nothing is asked of a server outside this machine";

constexpr std::array kApplication = {
    KeyRule{"id", {}, nullptr, "It is the number of the row"},
    KeyRule{"models", {}, nullptr, "Its models are listed one by one and used where they lie"},
    KeyRule{"context_length", kLoadContext, contextOrAutomatic},
    KeyRule{"selected_model", kModelsDefault, modelName},
    KeyRule{"window_width", kWindowWidth, sizeOrNone},
    KeyRule{"window_height", kWindowHeight, sizeOrNone},
    KeyRule{"device_id", {}, nullptr, {}, true},
    KeyRule{"expose", {}, nullptr, kNoServer},
    KeyRule{"browser", {}, nullptr, kNoServer},
    KeyRule{"working_dir", {}, nullptr, "There are no tools that work in a folder yet"},
    KeyRule{"agent", {}, nullptr, "There are no tools that work in a folder yet"},
    KeyRule{"tools", {}, nullptr, "There are no tools that work in a folder yet"},
    KeyRule{"survey", {}, nullptr, "Nothing is ever reported"},
    KeyRule{"airplane_mode", {}, nullptr, kNoCloud},
    KeyRule{"turbo_enabled", {}, nullptr, kNoCloud},
    KeyRule{"websearch_enabled", {}, nullptr, kNoCloud},
    KeyRule{"remote", {}, nullptr, kNoCloud},
    KeyRule{"cloud_setting_migrated", {}, nullptr, kNoCloud},
    KeyRule{"think_enabled", {}, nullptr, "The model's template decides"},
    KeyRule{"think_level", {}, nullptr, "The model's template decides"},
    KeyRule{"sidebar_open", {}, nullptr, kOfItsWindow},
    KeyRule{"last_home_view", {}, nullptr, kOfItsWindow},
    KeyRule{"onboarding_version", {}, nullptr, kOfItsWindow},
    KeyRule{"has_completed_first_run", {}, nullptr, kOfItsWindow},
    KeyRule{"config_migrated", {}, nullptr, kOfItsWindow},
    KeyRule{"claude_desktop_used", {}, nullptr, kOfItsWindow},
    KeyRule{"auto_update_enabled", {}, nullptr, "Updates are never installed without asking"},
    KeyRule{"schema_version", {}, nullptr, "It is the version of the other program's database"},
};

constexpr std::array kFiles = {
    KeyRule{"disable_ollama_cloud", {}, nullptr, kNoCloud},
    KeyRule{"id", {}, nullptr, {}, true},
    KeyRule{"first-time-run", {}, nullptr, kOfItsWindow},
};

}  // namespace

std::span<const KeyRule> parameterRules() {
    return kParameters;
}

std::span<const KeyRule> environmentRules() {
    return kEnvironment;
}

std::span<const KeyRule> applicationRules() {
    return kApplication;
}

std::span<const KeyRule> fileRules() {
    return kFiles;
}

}  // namespace loader::importers::ollama
