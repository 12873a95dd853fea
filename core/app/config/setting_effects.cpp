// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/config/setting_effects.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <type_traits>
#include <utility>

namespace loader::app {
namespace {

using sampling::SamplingParameters;

constexpr const char* kProcessor = "cpu";
constexpr const char* kAutomatic = "auto";

protocol::GpuLayers layersOf(const LayerCount& count) {
    switch (count.kind) {
        case LayerCount::Kind::Auto: break;
        case LayerCount::Kind::All: return {protocol::GpuLayers::Kind::All, 0};
        case LayerCount::Kind::Number: return {protocol::GpuLayers::Kind::Number, count.number};
    }
    return {};
}

/// Names of stages that this version does not have are passed over.
std::vector<sampling::SamplerStage> stagesOf(const std::vector<std::string>& names) {
    std::vector<sampling::SamplerStage> stages;
    for (const std::string& name : names) {
        const auto stage = sampling::stageFromName(name);
        if (stage && std::find(stages.begin(), stages.end(), *stage) == stages.end())
            stages.push_back(*stage);
    }
    return stages.empty() ? sampling::defaultOrder() : stages;
}

/// 0.8F as 0.8, not as 0.800000011920929.
Json shortest(float number) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size() - 1, number);
    static_cast<void>(end);
    return Json::parse(text.data(), nullptr, false);
}
template <class Integer>
Json shortest(Integer number) {
    return number;
}

/// Each number of the choice of tokens with the field that it fills.
template <class Visitor>
void visitNumbers(SamplingParameters& sampling, const Visitor& visit) {
    visit(settings::kSamplingTemperature, sampling.temperature);
    visit(settings::kSamplingTopK, sampling.topK);
    visit(settings::kSamplingTopP, sampling.topP);
    visit(settings::kSamplingMinP, sampling.minP);
    visit(settings::kSamplingTypicalP, sampling.typicalP);
    visit(settings::kSamplingRepeatPenalty, sampling.repeatPenalty);
    visit(settings::kSamplingRepeatLastN, sampling.repeatLastN);
    visit(settings::kSamplingFrequencyPenalty, sampling.frequencyPenalty);
    visit(settings::kSamplingPresencePenalty, sampling.presencePenalty);
    visit(settings::kSamplingDryMultiplier, sampling.dryMultiplier);
    visit(settings::kSamplingDryBase, sampling.dryBase);
    visit(settings::kSamplingDryAllowedLength, sampling.dryAllowedLength);
    visit(settings::kSamplingDryLastN, sampling.dryPenaltyLastN);
    visit(settings::kSamplingXtcProbability, sampling.xtcProbability);
    visit(settings::kSamplingXtcThreshold, sampling.xtcThreshold);
    visit(settings::kSamplingMirostatTau, sampling.mirostatTau);
    visit(settings::kSamplingMirostatEta, sampling.mirostatEta);
}

}  // namespace

protocol::LoadRequest loadRequestOf(const EffectiveSettings& settings, const std::string& backendVariable,
                                    const std::string& gpuVariable) {
    protocol::LoadRequest request;
    request.contextTokens = static_cast<std::uint32_t>(settings.get<settings::LoadContext>());
    request.threads = static_cast<unsigned>(settings.get<settings::LoadThreads>());
    request.batchTokens = static_cast<unsigned>(settings.get<settings::LoadBatch>());
    request.gpuLayers = layersOf(settings.get<settings::LoadGpuLayers>());
    request.backend = settings.get<settings::LoadBackend>();
    request.device = settings.get<settings::LoadDevice>();
    request.architecture = settings.get<settings::LoadArchitecture>();
    request.lockMemory = settings.get<settings::LoadMlock>();
    request.useMmap = settings.get<settings::LoadMmap>();
    request.kv = settings.get<settings::LoadKv>() == "q8_0" ? graph::KvType::Q8_0 : graph::KvType::F16;
    // applyEnvironment() gives way to a back end that is named; one of a file is not named.
    const bool fromVariable = settings.originOf(settings::kLoadBackend) == SettingOrigin::Environment;
    if (fromVariable) request.backend = kAutomatic;
    protocol::applyEnvironment(request, fromVariable ? backendVariable : std::string(), gpuVariable);
    return request;
}

ChainPolicy chainPolicyOf(const EffectiveSettings& settings, protocol::LoadRequest& request) {
    ChainPolicy policy;
    policy.fallback = settings.get<settings::LoadFallback>();
    policy.order = settings.get<settings::LoadFallbackOrder>();
    const bool named = settings.originOf(settings::kLoadBackend) >= SettingOrigin::CommandLine;
    const bool first =
        policy.fallback && !named && request.backend != kAutomatic && request.backend != kProcessor;
    if (first) policy.preferred = std::exchange(request.backend, kAutomatic);
    return policy;
}

std::uint64_t memoryLimitOf(const EffectiveSettings& settings) {
    return static_cast<std::uint64_t>(settings.get<settings::LoadMemoryLimit>()) << 20;
}

void applyAnswerSettings(const EffectiveSettings& settings, protocol::AnswerOptions& options) {
    SamplingParameters& sampling = options.sampling;
    const auto isSet = [&settings](std::string_view key) {
        return settings.originOf(key) > SettingOrigin::ModelFile;
    };
    visitNumbers(sampling, [&](std::string_view key, auto& field) {
        if (isSet(key)) field = settings.at(key).value.get<std::decay_t<decltype(field)>>();
    });
    if (isSet(settings::kSamplingDryBreakers))
        sampling.drySequenceBreakers = settings.get<settings::SamplingDryBreakers>();
    if (isSet(settings::kSamplingMirostat))
        sampling.mirostat = static_cast<sampling::Mirostat>(settings.get<settings::SamplingMirostat>());
    if (isSet(settings::kSamplingOrder)) sampling.order = stagesOf(settings.get<settings::SamplingOrder>());
    const std::int64_t seed = settings.get<settings::SamplingSeed>();
    if (seed >= 0) sampling.seed = static_cast<std::uint64_t>(seed);
    const std::int64_t most = settings.get<settings::AnswerMaxTokens>();
    if (most > 0) options.maxTokens = static_cast<std::uint64_t>(most);
    options.stops = settings.get<settings::AnswerStop>();
}

SettingValues modelFileValues(const SamplingParameters& recommended) {
    SettingValues values;
    SamplingParameters named = recommended;
    SamplingParameters usual;
    std::map<std::string_view, Json> defaults;
    visitNumbers(usual, [&](std::string_view key, auto& field) { defaults[key] = field; });
    visitNumbers(named, [&](std::string_view key, auto& field) {
        if (defaults[key] == Json(field)) return;
        ignoreErrorBecause("what the file recommends was checked when it was read",
                           values.set(key, shortest(field)));
    });
    return values;
}

}  // namespace loader::app
