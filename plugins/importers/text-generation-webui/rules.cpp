// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/text-generation-webui/rules.h"

#include <array>

#include "core/app/config/setting_list.h"

namespace loader::importers::textgen {
namespace {

namespace settings = app::settings;

constexpr std::string_view kOtherLoader = "It is of a loader for other files than GGUF";
constexpr std::string_view kPositions = "The model's file says how positions are scaled";
constexpr std::string_view kNoDraft = "There is no draft model in this program yet";
constexpr std::string_view kChosen = "It is chosen by measuring here";
constexpr std::string_view kNotBuilt = "This sampler is not built here";
constexpr std::string_view kTemplate = "The model's own chat template is used";
constexpr std::string_view kLook = "It concerns the look of that program only";
constexpr std::string_view kPrompting = "It belongs to that program's way of writing prompts";
constexpr std::string_view kImages = "Images are not made by this program";
constexpr std::string_view kNoTools = "There are no tools in this program yet";

Taken cpuOnly(const Json& value) {
    const Json known = boolOf(value);
    if (known.is_discarded()) return Taken::refuse("It is true or false");
    return known.get<bool>() ? Taken::set("cpu", "The processor alone") : Taken::ignore("It is off");
}

Taken darkTheme(const Json& value) {
    const Json known = boolOf(value);
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    if (known.is_discarded()) return Taken::refuse("It is true or false");
    return Taken::set(known.get<bool>() ? "dark" : "light");
}

/// A list, or what is between the brackets of one: "\n", ":".
Json listBetweenBrackets(const Json& value) {
    if (value.is_array()) return value;
    if (!value.is_string()) return Json(Json::value_t::discarded);
    const auto parsed = app::parseJson("[" + value.get<std::string>() + "]");
    return parsed ? parsed->document : Json(Json::value_t::discarded);
}

Taken quotedList(const Json& value) {
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    const Json list = listBetweenBrackets(value);
    if (list.is_discarded()) return Taken::refuse("It is a list of texts in quotation marks");
    return Taken::set(list);
}

/// One name a line, or a list of names.
Taken priority(const Json& value) {
    if (!value.is_string()) return samplerOrder(value);
    Json names = Json::array();
    std::string name;
    for (const char c : value.get<std::string>() + "\n") {
        if (c == '\n' || c == ',') {
            if (!name.empty()) names.push_back(name);
            name.clear();
        } else if (c != ' ' && c != '\r') {
            name += c;
        }
    }
    return names.empty() ? Taken::ignore(std::string(kNotSet)) : samplerOrder(names);
}

Taken greedy(const Json& value) {
    const Json known = boolOf(value);
    if (known.is_discarded()) return Taken::refuse("It is true or false");
    return known.get<bool>() ? Taken::ignore("Tokens are always drawn unless the temperature is 0")
                             : Taken::set(0, "The likeliest token is always taken");
}

constexpr std::array kModelRules = {
    KeyRule{"gpu_layers", settings::kLoadGpuLayers, layersMinusAuto},
    KeyRule{"n_gpu_layers", settings::kLoadGpuLayers, layersMinusAuto},
    KeyRule{"ctx_size", settings::kLoadContext, contextOrTrained},
    KeyRule{"n_ctx", settings::kLoadContext, contextOrTrained},
    KeyRule{"max_seq_len", settings::kLoadContext, contextOrTrained},
    KeyRule{"batch_size", settings::kLoadBatch},
    KeyRule{"n_batch", settings::kLoadBatch},
    KeyRule{"threads", settings::kLoadThreads, threadsOrAuto},
    KeyRule{"no_mmap", settings::kLoadMmap, negated},
    KeyRule{"mlock", settings::kLoadMlock},
    KeyRule{"cache_type", settings::kLoadKv, cacheTypeByName},
    KeyRule{"cpu", settings::kLoadBackend, cpuOnly},
    KeyRule{"loader", {}, nullptr, "GGUF files always run here"},
    KeyRule{"ubatch_size", {}, nullptr, "Batches have one size here"},
    KeyRule{"threads_batch", {}, nullptr, "Prompts and answers use the same threads here"},
    KeyRule{"no_kv_offload", {}, nullptr, "The cache lies beside its layers here"},
    KeyRule{"no_offload_kqv", {}, nullptr, "The cache lies beside its layers here"},
    KeyRule{"flash_attn", {}, nullptr, "Attention needs no choice here"},
    KeyRule{"attn_implementation", {}, nullptr, "Attention needs no choice here"},
    KeyRule{"streaming_llm", {}, nullptr, "What was computed is always used again here"},
    KeyRule{"attention_sink_size", {}, nullptr, "What was computed is always used again here"},
    KeyRule{"tensor_split", {}, nullptr, kChosen},
    KeyRule{"split_mode", {}, nullptr, kChosen},
    KeyRule{"row_split", {}, nullptr, kChosen},
    KeyRule{"tensorcores", {}, nullptr, kChosen},
    KeyRule{"no_mul_mat_q", {}, nullptr, kChosen},
    KeyRule{"cpu_moe", {}, nullptr, kChosen},
    KeyRule{"n_cpu_moe", {}, nullptr, kChosen},
    KeyRule{"numa", {}, nullptr, kChosen},
    KeyRule{"fit_target", {}, nullptr, "auto measures what fits here"},
    KeyRule{"parallel", {}, nullptr, kNoServer},
    KeyRule{"extra_flags", {}, nullptr, "Flags of another program have no meaning here"},
    KeyRule{"logits_all", {}, nullptr, "Scores are given where they are asked for"},
    KeyRule{"mmproj", {}, nullptr, "Images are not understood by this program yet"},
    KeyRule{"model_draft", {}, nullptr, kNoDraft},
    KeyRule{"draft_max", {}, nullptr, kNoDraft},
    KeyRule{"gpu_layers_draft", {}, nullptr, kNoDraft},
    KeyRule{"device_draft", {}, nullptr, kNoDraft},
    KeyRule{"ctx_size_draft", {}, nullptr, kNoDraft},
    KeyRule{"spec_type", {}, nullptr, kNoDraft},
    KeyRule{"spec_ngram_size_n", {}, nullptr, kNoDraft},
    KeyRule{"spec_ngram_size_m", {}, nullptr, kNoDraft},
    KeyRule{"spec_ngram_min_hits", {}, nullptr, kNoDraft},
    KeyRule{"alpha_value", {}, nullptr, kPositions},
    KeyRule{"rope_freq_base", {}, nullptr, kPositions},
    KeyRule{"compress_pos_emb", {}, nullptr, kPositions},
    KeyRule{"n_gqa", {}, nullptr, kPositions},
    KeyRule{"rms_norm_eps", {}, nullptr, "The model's file says it"},
    KeyRule{"instruction_template", {}, nullptr, kTemplate},
    KeyRule{"instruction_template_str", {}, nullptr, kTemplate},
    KeyRule{"chat_template_str", {}, nullptr, kTemplate},
    KeyRule{"mode", {}, nullptr, kPrompting},
    KeyRule{"truncation_length", {}, nullptr, "The context length says it"},
    KeyRule{"skip_special_tokens", {}, nullptr, "Control tokens are never shown here"},
    KeyRule{"trust_remote_code", {}, nullptr, "A model never runs code here"},
    KeyRule{"no_use_fast", {}, nullptr, kOtherLoader},
    KeyRule{"bf16", {}, nullptr, kOtherLoader},
    KeyRule{"auto_devices", {}, nullptr, kOtherLoader},
    KeyRule{"disk", {}, nullptr, kOtherLoader},
    KeyRule{"gpu_memory", {}, nullptr, kOtherLoader},
    KeyRule{"cpu_memory", {}, nullptr, kOtherLoader},
    KeyRule{"gpu_split", {}, nullptr, kOtherLoader},
    KeyRule{"load_in_8bit", {}, nullptr, kOtherLoader},
    KeyRule{"load_in_4bit", {}, nullptr, kOtherLoader},
    KeyRule{"use_double_quant", {}, nullptr, kOtherLoader},
    KeyRule{"compute_dtype", {}, nullptr, kOtherLoader},
    KeyRule{"quant_type", {}, nullptr, kOtherLoader},
    KeyRule{"num_experts_per_token", {}, nullptr, "The model's file says how many experts it uses"},
    KeyRule{"cfg_cache", {}, nullptr, kOtherLoader},
    KeyRule{"no_flash_attn", {}, nullptr, "Attention needs no choice here"},
    KeyRule{"no_xformers", {}, nullptr, kOtherLoader},
    KeyRule{"no_sdpa", {}, nullptr, kOtherLoader},
    KeyRule{"autosplit", {}, nullptr, kOtherLoader},
    KeyRule{"enable_tp", {}, nullptr, kOtherLoader},
    KeyRule{"wbits", {}, nullptr, kOtherLoader},
    KeyRule{"groupsize", {}, nullptr, kOtherLoader},
    KeyRule{"pre_layer", {}, nullptr, kOtherLoader},
    KeyRule{"model_type", {}, nullptr, "A GGUF file names its own architecture"},
    KeyRule{"add_bos_token", {}, nullptr, "The model's file says which tokens begin a text"},
    KeyRule{"custom_stopping_strings", settings::kAnswerStop, quotedList},
};

constexpr std::array kSamplingRules = {
    KeyRule{"temperature", settings::kSamplingTemperature},
    KeyRule{"top_k", settings::kSamplingTopK},
    KeyRule{"top_p", settings::kSamplingTopP},
    KeyRule{"min_p", settings::kSamplingMinP},
    KeyRule{"typical_p", settings::kSamplingTypicalP},
    KeyRule{"repetition_penalty", settings::kSamplingRepeatPenalty},
    KeyRule{"repetition_penalty_range", settings::kSamplingRepeatLastN},
    KeyRule{"frequency_penalty", settings::kSamplingFrequencyPenalty},
    KeyRule{"presence_penalty", settings::kSamplingPresencePenalty},
    KeyRule{"dry_multiplier", settings::kSamplingDryMultiplier},
    KeyRule{"dry_base", settings::kSamplingDryBase},
    KeyRule{"dry_allowed_length", settings::kSamplingDryAllowedLength},
    KeyRule{"dry_sequence_breakers", settings::kSamplingDryBreakers, quotedList},
    KeyRule{"xtc_probability", settings::kSamplingXtcProbability},
    KeyRule{"xtc_threshold", settings::kSamplingXtcThreshold},
    KeyRule{"mirostat_mode", settings::kSamplingMirostat},
    KeyRule{"mirostat_tau", settings::kSamplingMirostatTau},
    KeyRule{"mirostat_eta", settings::kSamplingMirostatEta},
    KeyRule{"seed", settings::kSamplingSeed, seedOrRandom},
    KeyRule{"sampler_priority", settings::kSamplingOrder, priority},
    KeyRule{"max_new_tokens", settings::kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"max_tokens", settings::kAnswerMaxTokens, tokensOrUnlimited},
    KeyRule{"do_sample", settings::kSamplingTemperature, greedy},
    KeyRule{"custom_stopping_strings", settings::kAnswerStop, quotedList},
    KeyRule{"temperature_last", {}, nullptr, "The order of samplers says it: sampling.order"},
    KeyRule{"dynamic_temperature", {}, nullptr, kNotBuilt},
    KeyRule{"dynatemp_low", {}, nullptr, kNotBuilt},
    KeyRule{"dynatemp_high", {}, nullptr, kNotBuilt},
    KeyRule{"dynatemp_exponent", {}, nullptr, kNotBuilt},
    KeyRule{"smoothing_factor", {}, nullptr, kNotBuilt},
    KeyRule{"smoothing_curve", {}, nullptr, kNotBuilt},
    KeyRule{"adaptive_target", {}, nullptr, kNotBuilt},
    KeyRule{"adaptive_decay", {}, nullptr, kNotBuilt},
    KeyRule{"top_n_sigma", {}, nullptr, kNotBuilt},
    KeyRule{"top_a", {}, nullptr, kNotBuilt},
    KeyRule{"tfs", {}, nullptr, kNotBuilt},
    KeyRule{"epsilon_cutoff", {}, nullptr, kNotBuilt},
    KeyRule{"eta_cutoff", {}, nullptr, kNotBuilt},
    KeyRule{"guidance_scale", {}, nullptr, kNotBuilt},
    KeyRule{"negative_prompt", {}, nullptr, kNotBuilt},
    KeyRule{"penalty_alpha", {}, nullptr, kNotBuilt},
    KeyRule{"encoder_repetition_penalty", {}, nullptr, kNotBuilt},
    KeyRule{"no_repeat_ngram_size", {}, nullptr, kNotBuilt},
    KeyRule{"num_beams", {}, nullptr, kNotBuilt},
    KeyRule{"length_penalty", {}, nullptr, kNotBuilt},
    KeyRule{"early_stopping", {}, nullptr, kNotBuilt},
    KeyRule{"custom_token_bans", {}, nullptr, "There is no list of banned words in this program yet"},
    KeyRule{"ban_eos_token", {}, nullptr, "An answer ends where the model ends it"},
    KeyRule{"grammar_string", {}, nullptr, "There are no grammars in this program's settings yet"},
    KeyRule{"grammar_file", {}, nullptr, "There are no grammars in this program's settings yet"},
};

constexpr std::array kInterfaceRules = {
    KeyRule{"dark_theme", settings::kWindowTheme, darkTheme},
    KeyRule{"custom_system_message", settings::kChatSystemPrompt},
    KeyRule{"preset", {}, nullptr, "Presets are chosen by their name here"},
    KeyRule{"character", {}, nullptr, "Presets are chosen by their name here"},
    KeyRule{"user", {}, nullptr, kPrompting},
    KeyRule{"name1", {}, nullptr, kPrompting},
    KeyRule{"name2", {}, nullptr, kPrompting},
    KeyRule{"user_bio", {}, nullptr, kPrompting},
    KeyRule{"context", {}, nullptr, "It is what a character begins with there"},
    KeyRule{"greeting", {}, nullptr, "It is what a character begins with there"},
    KeyRule{"start_with", {}, nullptr, kPrompting},
    KeyRule{"mode", {}, nullptr, kPrompting},
    KeyRule{"chat-instruct_command", {}, nullptr, kPrompting},
    KeyRule{"prompt-default", {}, nullptr, kPrompting},
    KeyRule{"prompt-notebook", {}, nullptr, kPrompting},
    KeyRule{"autoload_model", {}, nullptr, "A model is loaded when it is used here"},
    KeyRule{"max_new_tokens_min", {}, nullptr, kLook},
    KeyRule{"max_new_tokens_max", {}, nullptr, kLook},
    KeyRule{"chat_style", {}, nullptr, kLook},
    KeyRule{"show_controls", {}, nullptr, kLook},
    KeyRule{"show_two_notebook_columns", {}, nullptr, kLook},
    KeyRule{"show_after", {}, nullptr, kLook},
    KeyRule{"paste_to_attachment", {}, nullptr, kLook},
    KeyRule{"include_past_attachments", {}, nullptr, kLook},
    KeyRule{"spellcheck", {}, nullptr, kLook},
    KeyRule{"default_extensions", {}, nullptr, "Extensions of another program have no meaning here"},
    KeyRule{"chat_default_extensions", {}, nullptr, "Extensions of another program have no meaning here"},
    KeyRule{"enable_web_search", {}, nullptr, kNoTools},
    KeyRule{"web_search_pages", {}, nullptr, kNoTools},
    KeyRule{"selected_tools", {}, nullptr, kNoTools},
    KeyRule{"mcp_servers", {}, nullptr, kNoTools},
    KeyRule{"enable_thinking", {}, nullptr, kTemplate},
    KeyRule{"reasoning_effort", {}, nullptr, kTemplate},
    KeyRule{"instruction_template", {}, nullptr, kTemplate},
    KeyRule{"instruction_template_str", {}, nullptr, kTemplate},
    KeyRule{"chat_template_str", {}, nullptr, kTemplate},
    KeyRule{"prompt_lookup_num_tokens", {}, nullptr, kNoDraft},
    KeyRule{"max_tokens_second", {}, nullptr, "Answers come as fast as they can here"},
    KeyRule{"max_updates_second", {}, nullptr, "Answers come as fast as they can here"},
    KeyRule{"stream", {}, nullptr, "Answers always come piece by piece here"},
    KeyRule{"static_cache", {}, nullptr, kOtherLoader},
    KeyRule{"auto_max_new_tokens", {}, nullptr, "answer.max_tokens 0 does it here"},
    KeyRule{"truncation_length", {}, nullptr, "The context length says it"},
    KeyRule{"skip_special_tokens", {}, nullptr, "Control tokens are never shown here"},
    KeyRule{"add_bos_token", {}, nullptr, "The model's file says which tokens begin a text"},
    KeyRule{"image_prompt", {}, nullptr, kImages},
    KeyRule{"image_model_menu", {}, nullptr, kImages},
    KeyRule{"image_steps", {}, nullptr, kImages},
    KeyRule{"image_cfg_scale", {}, nullptr, kImages},
    KeyRule{"image_seed", {}, nullptr, kImages},
};

constexpr std::array kFlagRules = {
    KeyRule{"lora", {}, nullptr, "Adapters are not loaded by this program yet"},
    KeyRule{"lora_dir", {}, nullptr, "Adapters are not loaded by this program yet"},
    KeyRule{"user_data_dir", {}, nullptr, "It is where these files were found"},
    KeyRule{"settings", {}, nullptr, "Import that file by its own path"},
    KeyRule{"extensions", {}, nullptr, "Extensions of another program have no meaning here"},
    KeyRule{"chat", {}, nullptr, kPrompting},
    KeyRule{"notebook", {}, nullptr, kPrompting},
    KeyRule{"character", {}, nullptr, "Presets are chosen by their name here"},
    KeyRule{"multi_user", {}, nullptr, kNoServer},
    KeyRule{"portable", {}, nullptr, kLook},
    KeyRule{"model_menu", {}, nullptr, kLook},
    KeyRule{"verbose", {}, nullptr, "Logging is set for the whole program here: log.level"},
    KeyRule{"idle_timeout", {}, nullptr, "A model stays loaded until another one is here"},
    KeyRule{"listen", {}, nullptr, kNoServer},
    KeyRule{"listen_port", {}, nullptr, kNoServer},
    KeyRule{"listen_host", {}, nullptr, kNoServer},
    KeyRule{"share", {}, nullptr, kNoServer},
    KeyRule{"auto_launch", {}, nullptr, kNoServer},
    KeyRule{"subpath", {}, nullptr, kNoServer},
    KeyRule{"api", {}, nullptr, kNoServer},
    KeyRule{"public_api", {}, nullptr, kNoServer},
    KeyRule{"public_api_id", {}, nullptr, kNoServer},
    KeyRule{"api_port", {}, nullptr, kNoServer},
    KeyRule{"api_enable_ipv6", {}, nullptr, kNoServer},
    KeyRule{"api_disable_ipv4", {}, nullptr, kNoServer},
    KeyRule{"nowebui", {}, nullptr, kNoServer},
    KeyRule{"no_stream", {}, nullptr, "Answers always come piece by piece here"},
    KeyRule{"old_colors", {}, nullptr, kLook},
    KeyRule{"no_electron", {}, nullptr, kLook},
    KeyRule{"api_key", {}, nullptr, {}, true},
    KeyRule{"admin_key", {}, nullptr, {}, true},
    KeyRule{"gradio_auth", {}, nullptr, {}, true},
    KeyRule{"gradio_auth_path", {}, nullptr, {}, true},
    KeyRule{"ssl_keyfile", {}, nullptr, {}, true},
    KeyRule{"ssl_certfile", {}, nullptr, {}, true},
};

}  // namespace

std::span<const KeyRule> modelRules() {
    return kModelRules;
}
std::span<const KeyRule> samplingRules() {
    return kSamplingRules;
}
std::span<const KeyRule> interfaceRules() {
    return kInterfaceRules;
}
std::span<const KeyRule> flagRules() {
    return kFlagRules;
}

}  // namespace loader::importers::textgen
