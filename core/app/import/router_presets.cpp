// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/import/router_presets.h"

#include <algorithm>
#include <array>

namespace loader::app {
namespace {

using Meaning = PresetMeaning;

constexpr std::size_t kMostLines = 65'536;
constexpr std::string_view kServer = "There is no server in this program yet";
constexpr std::string_view kPositions = "The model's file says how positions are scaled";
constexpr std::string_view kChosen = "It is chosen by measuring here";
constexpr std::string_view kTemplate = "The model's own chat template is used";
constexpr std::string_view kDraft = "There is no draft model in this program yet";
constexpr std::string_view kAdapters = "Adapters are not loaded by this program yet";
constexpr std::string_view kRouter = "It concerns the router only";
constexpr std::string_view kLogging = "Logging is set for the whole program here: log.level";
constexpr std::string_view kCacheUse = "What was computed is always used again here";

constexpr std::array kOptions = {
    PresetOption{"model", "m|LLAMA_ARG_MODEL", Meaning::Model, {}, {}},
    PresetOption{"mmproj", "mm|LLAMA_ARG_MMPROJ", Meaning::Projector, {}, {}},
    PresetOption{"hf-repo", "hf|hfr|LLAMA_ARG_HF_REPO", Meaning::Repository, {}, {}},
    PresetOption{"hf-file", "hff|LLAMA_ARG_HF_FILE", Meaning::RepositoryFile, {}, {}},
    PresetOption{"alias", "a|LLAMA_ARG_ALIAS", Meaning::Alias, {}, {}},
    PresetOption{"ctx-size", "c|LLAMA_ARG_CTX_SIZE", Meaning::Same, settings::kLoadContext, {}},
    PresetOption{"n-gpu-layers",
                 "gpu-layers|ngl|n-gpu-layer|LLAMA_ARG_N_GPU_LAYERS",
                 Meaning::Layers,
                 settings::kLoadGpuLayers,
                 {}},
    PresetOption{"batch-size", "b|LLAMA_ARG_BATCH", Meaning::Same, settings::kLoadBatch, {}},
    PresetOption{"threads", "t|LLAMA_ARG_THREADS", Meaning::Threads, settings::kLoadThreads, {}},
    PresetOption{"mmap", "LLAMA_ARG_MMAP", Meaning::Flag, settings::kLoadMmap, {}},
    PresetOption{"mlock", "LLAMA_ARG_MLOCK", Meaning::Flag, settings::kLoadMlock, {}},
    PresetOption{"cache-type-k", "ctk|LLAMA_ARG_CACHE_TYPE_K", Meaning::CacheType, settings::kLoadKv, {}},
    PresetOption{"cache-type-v", "ctv|LLAMA_ARG_CACHE_TYPE_V", Meaning::CacheType, settings::kLoadKv, {}},
    PresetOption{"device", "dev|LLAMA_ARG_DEVICE", Meaning::Device, settings::kLoadBackend, {}},
    PresetOption{"temperature", "temp", Meaning::Same, settings::kSamplingTemperature, {}},
    PresetOption{"top-k", "LLAMA_ARG_TOP_K", Meaning::Same, settings::kSamplingTopK, {}},
    PresetOption{"top-p", {}, Meaning::Same, settings::kSamplingTopP, {}},
    PresetOption{"min-p", {}, Meaning::Same, settings::kSamplingMinP, {}},
    PresetOption{"typical-p", "typical", Meaning::Same, settings::kSamplingTypicalP, {}},
    PresetOption{"repeat-penalty", {}, Meaning::Same, settings::kSamplingRepeatPenalty, {}},
    PresetOption{"repeat-last-n", {}, Meaning::Same, settings::kSamplingRepeatLastN, {}},
    PresetOption{"frequency-penalty", {}, Meaning::Same, settings::kSamplingFrequencyPenalty, {}},
    PresetOption{"presence-penalty", {}, Meaning::Same, settings::kSamplingPresencePenalty, {}},
    PresetOption{"dry-multiplier", {}, Meaning::Same, settings::kSamplingDryMultiplier, {}},
    PresetOption{"dry-base", {}, Meaning::Same, settings::kSamplingDryBase, {}},
    PresetOption{"dry-allowed-length", {}, Meaning::Same, settings::kSamplingDryAllowedLength, {}},
    PresetOption{"dry-penalty-last-n", {}, Meaning::Same, settings::kSamplingDryLastN, {}},
    PresetOption{"dry-sequence-breaker", {}, Meaning::Same, settings::kSamplingDryBreakers, {}},
    PresetOption{"xtc-probability", {}, Meaning::Same, settings::kSamplingXtcProbability, {}},
    PresetOption{"xtc-threshold", {}, Meaning::Same, settings::kSamplingXtcThreshold, {}},
    PresetOption{"mirostat", {}, Meaning::Same, settings::kSamplingMirostat, {}},
    PresetOption{"mirostat-ent", {}, Meaning::Same, settings::kSamplingMirostatTau, {}},
    PresetOption{"mirostat-lr", {}, Meaning::Same, settings::kSamplingMirostatEta, {}},
    PresetOption{"seed", "s", Meaning::Seed, settings::kSamplingSeed, {}},
    PresetOption{"samplers", {}, Meaning::NameList, settings::kSamplingOrder, {}},
    PresetOption{
        "n-predict", "predict|n|LLAMA_ARG_N_PREDICT", Meaning::Tokens, settings::kAnswerMaxTokens, {}},
    PresetOption{"reverse-prompt", "r", Meaning::Same, settings::kAnswerStop, {}},
    PresetOption{"system-prompt", "sys", Meaning::Same, settings::kChatSystemPrompt, {}},

    PresetOption{"version", {}, Meaning::None, {}, "The version of the format"},
    PresetOption{"load-on-startup", {}, Meaning::None, {}, kRouter},
    PresetOption{"stop-timeout", {}, Meaning::None, {}, kRouter},
    PresetOption{"tags", "LLAMA_ARG_TAGS", Meaning::None, {}, kRouter},
    PresetOption{"models-max", "LLAMA_ARG_MODELS_MAX", Meaning::None, {}, kRouter},
    PresetOption{"models-dir", "LLAMA_ARG_MODELS_DIR", Meaning::None, {}, kRouter},
    PresetOption{"models-autoload", "LLAMA_ARG_MODELS_AUTOLOAD", Meaning::None, {}, kRouter},
    PresetOption{"ubatch-size", "ub|LLAMA_ARG_UBATCH", Meaning::None, {}, "Batches have one size here"},
    PresetOption{"threads-batch",
                 "tb|LLAMA_ARG_THREADS_BATCH",
                 Meaning::None,
                 {},
                 "Prompts and answers use the same threads here"},
    PresetOption{
        "flash-attn", "fa|LLAMA_ARG_FLASH_ATTN", Meaning::None, {}, "Attention needs no choice here"},
    PresetOption{"kv-offload",
                 "LLAMA_ARG_KV_OFFLOAD|nkvo",
                 Meaning::None,
                 {},
                 "The cache lies beside its layers here"},
    PresetOption{"kv-unified", "kvu|LLAMA_ARG_KV_UNIFIED", Meaning::None, {}, kChosen},
    PresetOption{"swa-full", "LLAMA_ARG_SWA_FULL", Meaning::None, {}, kChosen},
    PresetOption{"split-mode", "sm|LLAMA_ARG_SPLIT_MODE", Meaning::None, {}, kChosen},
    PresetOption{"tensor-split", "ts|LLAMA_ARG_TENSOR_SPLIT", Meaning::None, {}, kChosen},
    PresetOption{"main-gpu", "mg|LLAMA_ARG_MAIN_GPU", Meaning::None, {}, kChosen},
    PresetOption{"fit", "LLAMA_ARG_FIT", Meaning::None, {}, "auto measures what fits here"},
    PresetOption{
        "fit-target", "fitt|LLAMA_ARG_FIT_TARGET", Meaning::None, {}, "auto measures what fits here"},
    PresetOption{"fit-ctx", "fitc|LLAMA_ARG_FIT_CTX", Meaning::None, {}, "auto measures what fits here"},
    PresetOption{"override-tensor", "ot|LLAMA_ARG_OVERRIDE_TENSOR", Meaning::None, {}, kChosen},
    PresetOption{"override-kv", {}, Meaning::None, {}, "Metadata of a file is not overridden here"},
    PresetOption{"cpu-moe", "cmoe|LLAMA_ARG_CPU_MOE", Meaning::None, {}, kChosen},
    PresetOption{"n-cpu-moe", "ncmoe|LLAMA_ARG_N_CPU_MOE", Meaning::None, {}, kChosen},
    PresetOption{"numa", "LLAMA_ARG_NUMA", Meaning::None, {}, kChosen},
    PresetOption{"direct-io", "dio|LLAMA_ARG_DIO", Meaning::None, {}, kChosen},
    PresetOption{"repack", "nr|LLAMA_ARG_REPACK", Meaning::None, {}, kChosen},
    PresetOption{"prio", {}, Meaning::None, {}, kChosen},
    PresetOption{"poll", {}, Meaning::None, {}, kChosen},
    PresetOption{"warmup", {}, Meaning::None, {}, kChosen},
    PresetOption{"rope-scaling", "LLAMA_ARG_ROPE_SCALING_TYPE", Meaning::None, {}, kPositions},
    PresetOption{"rope-scale", "LLAMA_ARG_ROPE_SCALE", Meaning::None, {}, kPositions},
    PresetOption{"rope-freq-base", "LLAMA_ARG_ROPE_FREQ_BASE", Meaning::None, {}, kPositions},
    PresetOption{"rope-freq-scale", "LLAMA_ARG_ROPE_FREQ_SCALE", Meaning::None, {}, kPositions},
    PresetOption{"yarn-orig-ctx", "LLAMA_ARG_YARN_ORIG_CTX", Meaning::None, {}, kPositions},
    PresetOption{"lora", {}, Meaning::None, {}, kAdapters},
    PresetOption{"lora-scaled", {}, Meaning::None, {}, kAdapters},
    PresetOption{"control-vector", {}, Meaning::None, {}, kAdapters},
    PresetOption{"model-draft", "md|LLAMA_ARG_MODEL_DRAFT", Meaning::None, {}, kDraft},
    PresetOption{"hf-repo-draft", "hfd|hfrd|LLAMA_ARG_HFD_REPO", Meaning::None, {}, kDraft},
    PresetOption{"draft-max", "draft|draft-n|LLAMA_ARG_DRAFT_MAX", Meaning::None, {}, kDraft},
    PresetOption{"draft-min", "draft-n-min|LLAMA_ARG_DRAFT_MIN", Meaning::None, {}, kDraft},
    PresetOption{"draft-p-min", "LLAMA_ARG_DRAFT_P_MIN", Meaning::None, {}, kDraft},
    PresetOption{"gpu-layers-draft",
                 "ngld|n-gpu-layers-draft|LLAMA_ARG_N_GPU_LAYERS_DRAFT",
                 Meaning::None,
                 {},
                 kDraft},
    PresetOption{
        "mmproj-url", "mmu|LLAMA_ARG_MMPROJ_URL", Meaning::None, {}, "Nothing is fetched by an import"},
    PresetOption{"model-url", "mu|LLAMA_ARG_MODEL_URL", Meaning::None, {}, "Nothing is fetched by an import"},
    PresetOption{"chat-template", "LLAMA_ARG_CHAT_TEMPLATE", Meaning::None, {}, kTemplate},
    PresetOption{"chat-template-file", "LLAMA_ARG_CHAT_TEMPLATE_FILE", Meaning::None, {}, kTemplate},
    PresetOption{"chat-template-kwargs", "LLAMA_CHAT_TEMPLATE_KWARGS", Meaning::None, {}, kTemplate},
    PresetOption{"jinja", "LLAMA_ARG_JINJA", Meaning::None, {}, kTemplate},
    PresetOption{"reasoning-format", "LLAMA_ARG_THINK", Meaning::None, {}, kTemplate},
    PresetOption{"reasoning-budget", "LLAMA_ARG_THINK_BUDGET", Meaning::None, {}, kTemplate},
    PresetOption{"cache-prompt", "LLAMA_ARG_CACHE_PROMPT", Meaning::None, {}, kCacheUse},
    PresetOption{"cache-reuse", "LLAMA_ARG_CACHE_REUSE", Meaning::None, {}, kCacheUse},
    PresetOption{"cache-ram", "cram|LLAMA_ARG_CACHE_RAM", Meaning::None, {}, kCacheUse},
    PresetOption{
        "ctx-checkpoints", "swa-checkpoints|LLAMA_ARG_CTX_CHECKPOINTS", Meaning::None, {}, kCacheUse},
    PresetOption{"context-shift",
                 "LLAMA_ARG_CONTEXT_SHIFT",
                 Meaning::None,
                 {},
                 "The context is never shifted without a word here"},
    PresetOption{"keep", {}, Meaning::None, {}, "The context is never shifted without a word here"},
    PresetOption{"grammar", {}, Meaning::None, {}, "There are no grammars in this program's settings yet"},
    PresetOption{
        "json-schema", "j", Meaning::None, {}, "There are no grammars in this program's settings yet"},
    PresetOption{
        "logit-bias", "l", Meaning::None, {}, "There is no list of favoured tokens in this program yet"},
    PresetOption{"ignore-eos", {}, Meaning::None, {}, "An answer ends where the model ends it"},
    PresetOption{"dynatemp-range", {}, Meaning::None, {}, "This sampler is not built here"},
    PresetOption{"dynatemp-exp", {}, Meaning::None, {}, "This sampler is not built here"},
    PresetOption{"top-nsigma", "top-n-sigma", Meaning::None, {}, "This sampler is not built here"},
    PresetOption{"embeddings",
                 "embedding|LLAMA_ARG_EMBEDDINGS",
                 Meaning::None,
                 {},
                 "The model's file says what it computes"},
    PresetOption{"reranking",
                 "rerank|LLAMA_ARG_RERANKING",
                 Meaning::None,
                 {},
                 "The model's file says what it computes"},
    PresetOption{"pooling", "LLAMA_ARG_POOLING", Meaning::None, {}, "The model's file says what it computes"},
    PresetOption{"image-min-tokens",
                 "LLAMA_ARG_IMAGE_MIN_TOKENS",
                 Meaning::None,
                 {},
                 "Images are not understood by this program yet"},
    PresetOption{"image-max-tokens",
                 "LLAMA_ARG_IMAGE_MAX_TOKENS",
                 Meaning::None,
                 {},
                 "Images are not understood by this program yet"},
    PresetOption{"parallel", "np|LLAMA_ARG_N_PARALLEL", Meaning::None, {}, kServer},
    PresetOption{"cont-batching", "cb|LLAMA_ARG_CONT_BATCHING", Meaning::None, {}, kServer},
    PresetOption{"host", "LLAMA_ARG_HOST", Meaning::None, {}, kServer},
    PresetOption{"port", "LLAMA_ARG_PORT", Meaning::None, {}, kServer},
    PresetOption{"path", "LLAMA_ARG_STATIC_PATH", Meaning::None, {}, kServer},
    PresetOption{"api-prefix", "LLAMA_ARG_API_PREFIX", Meaning::None, {}, kServer},
    PresetOption{"webui", "LLAMA_ARG_WEBUI", Meaning::None, {}, kServer},
    PresetOption{"timeout", "to|LLAMA_ARG_TIMEOUT", Meaning::None, {}, kServer},
    PresetOption{"slots", "LLAMA_ARG_ENDPOINT_SLOTS", Meaning::None, {}, kServer},
    PresetOption{"metrics", "LLAMA_ARG_ENDPOINT_METRICS", Meaning::None, {}, kServer},
    PresetOption{"verbose", "v", Meaning::None, {}, kLogging},
    PresetOption{"log-verbosity", "lv|verbosity|LLAMA_LOG_VERBOSITY", Meaning::None, {}, kLogging},
    PresetOption{"log-file", "LLAMA_LOG_FILE", Meaning::None, {}, kLogging},
    PresetOption{"api-key", "LLAMA_API_KEY", Meaning::Secret, {}, {}},
    PresetOption{"api-key-file", {}, Meaning::Secret, {}, {}},
    PresetOption{"ssl-key-file", "LLAMA_ARG_SSL_KEY_FILE", Meaning::Secret, {}, {}},
    PresetOption{"ssl-cert-file", "LLAMA_ARG_SSL_CERT_FILE", Meaning::Secret, {}, {}},
    PresetOption{"hf-token", "hft|HF_TOKEN", Meaning::Secret, {}, {}},
};

bool isOneOf(std::string_view names, std::string_view name) {
    while (!names.empty()) {
        const std::size_t bar = names.find('|');
        if (names.substr(0, bar) == name) return true;
        names = bar == std::string_view::npos ? std::string_view() : names.substr(bar + 1);
    }
    return false;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Cuts the next line off; CR, LF and CR LF end one.
std::string_view takeLine(std::string_view& text) {
    const std::size_t end = text.find_first_of("\r\n");
    const std::string_view line = text.substr(0, end);
    if (end == std::string_view::npos) {
        text = {};
        return line;
    }
    text.remove_prefix(end + (text.substr(end, 2) == "\r\n" ? 2 : 1));
    return line;
}

void takeEntry(PresetText& parsed, std::string_view line, unsigned number) {
    const std::size_t equals = line.find('=');
    const std::string_view key = trimmed(line.substr(0, equals));
    if (equals == std::string_view::npos || key.empty()) {
        parsed.strangeLines.push_back(number);
        return;
    }
    if (parsed.sections.empty()) parsed.sections.emplace_back();
    parsed.sections.back().entries.push_back(
        {std::string(key), std::string(trimmed(line.substr(equals + 1))), number});
}

/// --- writing ---

/// No line may become two, and none a section or a comment.
bool fitsALine(std::string_view text) {
    return text.find_first_of("\r\n") == std::string_view::npos && trimmed(text) == text;
}

const PresetOption* optionFor(std::string_view target) {
    const auto found = std::find_if(kOptions.begin(), kOptions.end(),
                                    [target](const PresetOption& option) { return option.target == target; });
    return found == kOptions.end() ? nullptr : &*found;
}

std::string joinedNames(const Json& list) {
    std::string text;
    for (const Json& name : list) {
        const auto ours = name.get<std::string>();
        text += (text.empty() ? "" : ";") + (ours == "typical_p" ? std::string("typ_p") : ours);
    }
    return text;
}

/// The lines of one setting; empty where llama.cpp has no way to say it.
std::string linesOf(const PresetOption& option, const Json& value) {
    const auto line = [&option](const std::string& text) {
        return fitsALine(text) ? std::string(option.name) + " = " + text + "\n" : std::string();
    };
    switch (option.meaning) {
        case Meaning::Flag:
            if (option.name == "mmap" && value == false) return "no-mmap = true\n";
            return value == false ? std::string() : line("true");
        case Meaning::Threads: return line(value == 0 ? "-1" : value.dump());
        case Meaning::Tokens: return line(value == 0 ? "-1" : value.dump());
        case Meaning::CacheType: {
            const auto type = value.get<std::string>();
            return "cache-type-k = " + type + "\ncache-type-v = " + type + "\n";
        }
        case Meaning::Device: return value == "cpu" ? line("none") : std::string();
        case Meaning::NameList: return value.empty() ? std::string() : line(joinedNames(value));
        default: break;
    }
    if (value.is_string()) return line(value.get<std::string>());
    if (!value.is_array()) return line(value.dump());
    // Only one value fits: the option may be repeated on a command line, not in a file.
    return value.size() == 1 ? line(value.front().get<std::string>()) : std::string();
}

/// Which is as if it were not written.
bool saysNothing(const PresetOption& option, const Json& value) {
    if (option.meaning == Meaning::Flag) return option.name != "mmap" && value == false;
    if (option.meaning == Meaning::Device) return value == "auto";
    return value.is_array() ? value.empty() : value == "";
}

}  // namespace

Result<PresetText> parseRouterPresets(std::string_view text) {
    PresetText parsed;
    unsigned number = 0;
    while (!text.empty()) {
        const std::string_view line = trimmed(takeLine(text));
        if (++number > kMostLines)
            return Error(Errc::C501, {"it has more than " + std::to_string(kMostLines) + " lines"});
        if (line.empty() || line.front() == ';' || line.front() == '#') continue;
        if (line.front() != '[') {
            takeEntry(parsed, line, number);
            continue;
        }
        // The last bracket ends it: "[a]b]" is the section a]b.
        const std::size_t end = line.rfind(']');
        if (end == std::string_view::npos || end != line.size() - 1)
            parsed.strangeLines.push_back(number);
        else
            parsed.sections.push_back({std::string(trimmed(line.substr(1, end - 1))), {}});
    }
    return parsed;
}

const PresetOption* findPresetOption(std::string_view name) {
    const auto found = std::find_if(kOptions.begin(), kOptions.end(), [name](const PresetOption& option) {
        return option.name == name || isOneOf(option.others, name);
    });
    return found == kOptions.end() ? nullptr : &*found;
}

std::string routerPresetText(const std::vector<RouterPreset>& presets) {
    std::string text = "version = 1\n";
    for (const RouterPreset& preset : presets) {
        if (!fitsALine(preset.name) || !fitsALine(preset.model) || !fitsALine(preset.projector)) continue;
        text += "\n[" + preset.name + "]\n";
        if (!preset.model.empty()) text += "model = " + preset.model + "\n";
        if (!preset.projector.empty()) text += "mmproj = " + preset.projector + "\n";
        for (const auto& [key, value] : preset.settings) {
            const PresetOption* option = optionFor(key);
            if (option && saysNothing(*option, value)) continue;
            const std::string lines = option ? linesOf(*option, value) : std::string();
            text += lines.empty() ? "; " + key + " has no option in llama.cpp's presets\n" : lines;
        }
    }
    return text;
}

}  // namespace loader::app
