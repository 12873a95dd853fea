// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/jan/rules.h"

#include <array>

#include "core/app/config/setting_list.h"

namespace loader::importers::jan {
namespace {

namespace keys = app::settings;

constexpr std::string_view kTemplate = "The template of the model's own file is used";
constexpr std::string_view kFileDecides = "The model's file says this itself";
constexpr std::string_view kMeasured = "Memory is measured before each load";
constexpr std::string_view kOneDevice = "The device is chosen by what works; see load.device";
constexpr std::string_view kNotOffered = "There is nothing of the kind here";
constexpr std::string_view kNoDraft = "There is no drafting model yet";

constexpr std::array kModel = {
    KeyRule{"ctx_size", keys::kLoadContext, contextOrTrained},
    KeyRule{"ctx_len", keys::kLoadContext, contextOrTrained},
    KeyRule{"n_gpu_layers", keys::kLoadGpuLayers, layersMinusAuto},
    KeyRule{"ngl", keys::kLoadGpuLayers, layersMinusAuto},
    KeyRule{"batch_size", keys::kLoadBatch},
    KeyRule{"n_batch", keys::kLoadBatch},
    KeyRule{"ubatch_size", {}, nullptr, "There is one size of a batch; see load.batch"},
    KeyRule{"threads", keys::kLoadThreads, threadsOrAuto},
    KeyRule{"cpu_threads", keys::kLoadThreads, threadsOrAuto},
    KeyRule{"threads_batch", {}, nullptr, "There is one number of threads; see load.threads"},
    KeyRule{"no_mmap", keys::kLoadMmap, negated},
    KeyRule{"use_mmap", keys::kLoadMmap},
    KeyRule{"mlock", keys::kLoadMlock},
    KeyRule{"use_mlock", keys::kLoadMlock},
    KeyRule{"cache_type_k", keys::kLoadKv, cacheTypeByName},
    KeyRule{"cache_type", keys::kLoadKv, cacheTypeByName},
    KeyRule{
        "cache_type_v", {}, nullptr, "Keys and values of the cache have one type; that of the keys counts"},
    KeyRule{"flash_attn", {}, nullptr, "Attention is always computed in this way"},
    KeyRule{"temperature", keys::kSamplingTemperature},
    KeyRule{"top_k", keys::kSamplingTopK},
    KeyRule{"top_p", keys::kSamplingTopP},
    KeyRule{"min_p", keys::kSamplingMinP},
    KeyRule{"typical_p", keys::kSamplingTypicalP},
    KeyRule{"repeat_last_n", keys::kSamplingRepeatLastN},
    KeyRule{"repeat_penalty", keys::kSamplingRepeatPenalty},
    KeyRule{"presence_penalty", keys::kSamplingPresencePenalty},
    KeyRule{"frequency_penalty", keys::kSamplingFrequencyPenalty},
    KeyRule{"mirostat", keys::kSamplingMirostat},
    KeyRule{"mirostat_tau", keys::kSamplingMirostatTau},
    KeyRule{"mirostat_eta", keys::kSamplingMirostatEta},
    KeyRule{"xtc_probability", keys::kSamplingXtcProbability},
    KeyRule{"xtc_threshold", keys::kSamplingXtcThreshold},
    KeyRule{"dry_multiplier", keys::kSamplingDryMultiplier},
    KeyRule{"dry_base", keys::kSamplingDryBase},
    KeyRule{"dry_allowed_length", keys::kSamplingDryAllowedLength},
    KeyRule{"dry_penalty_last_n", keys::kSamplingDryLastN},
    KeyRule{"seed", keys::kSamplingSeed, seedOrRandom},
    KeyRule{"max_tokens", keys::kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"n_predict", keys::kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"stop", keys::kAnswerStop},
    KeyRule{"instructions", keys::kChatSystemPrompt},
    KeyRule{"stream", {}, nullptr, "Answers are always shown while they are written"},
    KeyRule{"chat_template", {}, nullptr, kTemplate},
    KeyRule{"prompt_template", {}, nullptr, kTemplate},
    KeyRule{"grammar", {}, nullptr, "Answers of a fixed form are not offered yet"},
    KeyRule{"parallel", {}, nullptr, kNoServer},
    KeyRule{"n_parallel", {}, nullptr, kNoServer},
    KeyRule{"cont_batching", {}, nullptr, kNoServer},
    KeyRule{"caching_enabled", {}, nullptr, "What was read of a chat is always kept"},
    KeyRule{"cpu_moe", {}, nullptr, kMeasured},
    KeyRule{"n_cpu_moe", {}, nullptr, kMeasured},
    KeyRule{"fit", {}, nullptr, kMeasured},
    KeyRule{"no_kv_offload", {}, nullptr, "The cache lies where its layer lies"},
    KeyRule{"override_tensor", {}, nullptr, kMeasured},
    KeyRule{"override_tensor_buffer_t", {}, nullptr, kMeasured},
    KeyRule{"device", {}, nullptr, kOneDevice},
    KeyRule{"main_gpu", {}, nullptr, kOneDevice},
    KeyRule{"split_mode", {}, nullptr, kOneDevice},
    KeyRule{"tensor_split", {}, nullptr, kOneDevice},
    KeyRule{"rope_scaling", {}, nullptr, kFileDecides},
    KeyRule{"rope_scale", {}, nullptr, kFileDecides},
    KeyRule{"rope_freq_base", {}, nullptr, kFileDecides},
    KeyRule{"rope_freq_scale", {}, nullptr, kFileDecides},
    KeyRule{"spec_type", {}, nullptr, kNoDraft},
    KeyRule{"spec_draft_model", {}, nullptr, kNoDraft},
    KeyRule{"spec_n_max", {}, nullptr, kNoDraft},
    KeyRule{"mtp_heads", {}, nullptr, kNoDraft},
    KeyRule{"vision_model", {}, nullptr, kFileDecides},
    KeyRule{"text_model", {}, nullptr, kFileDecides},
    KeyRule{"embedding", {}, nullptr, kFileDecides},
    KeyRule{"name", {}, nullptr, kOfTheModel},
    KeyRule{"sha256", {}, nullptr, kOfTheModel},
    KeyRule{"mmproj_sha256", {}, nullptr, kOfTheModel},
    KeyRule{"size_bytes", {}, nullptr, kFileDecides},
    KeyRule{"mmproj_size_bytes", {}, nullptr, kFileDecides},
    KeyRule{"engine", {}, nullptr, "It is what runs the model there; see load.backend"},
    KeyRule{"logprobs", {}, nullptr, kNotOffered},
    KeyRule{"ignore_eos", {}, nullptr, kNotOffered},
};

}  // namespace

std::span<const KeyRule> modelRules() {
    return kModel;
}

}  // namespace loader::importers::jan
