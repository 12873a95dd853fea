// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#include "core/engine/sampling/parameters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace loader::sampling {

namespace {

struct StageRow {
    SamplerStage stage;
    std::string_view name;
};

constexpr std::array kStages = {
#define LOADER_SAMPLER(stage, name, function) StageRow{SamplerStage::stage, name},
#include "core/engine/sampling/samplers.inc"
};

Error unusable(std::string field, std::string reason) {
    return Error(Errc::X006, {std::move(field), std::move(reason)});
}

struct FloatRange {
    const char* field;
    float value;
    float low;
    float high;
};

Status validateNumbers(const SamplingParameters& parameters) {
    constexpr float kSmallest = std::numeric_limits<float>::min();
    const std::array ranges = {
        FloatRange{"temperature", parameters.temperature, 0, 100},
        FloatRange{"top_p", parameters.topP, 0, 1},
        FloatRange{"min_p", parameters.minP, 0, 1},
        FloatRange{"typical_p", parameters.typicalP, 0, 1},
        FloatRange{"repeat_penalty", parameters.repeatPenalty, kSmallest, 100},
        FloatRange{"frequency_penalty", parameters.frequencyPenalty, -100, 100},
        FloatRange{"presence_penalty", parameters.presencePenalty, -100, 100},
        FloatRange{"dry_multiplier", parameters.dryMultiplier, 0, 100},
        FloatRange{"dry_base", parameters.dryBase, 1, 100},
        FloatRange{"xtc_probability", parameters.xtcProbability, 0, 1},
        FloatRange{"xtc_threshold", parameters.xtcThreshold, 0, 1},
        FloatRange{"mirostat_tau", parameters.mirostatTau, 0, 64},
        FloatRange{"mirostat_eta", parameters.mirostatEta, 0, 10},
    };
    for (const FloatRange& range : ranges) {
        // Written so that NaN fails.
        if (range.value >= range.low && range.value <= range.high) continue;
        return unusable(range.field, std::to_string(range.value) + " is outside " +
                                         std::to_string(range.low) + " to " + std::to_string(range.high));
    }
    if (parameters.repeatLastN < -1) return unusable("repeat_last_n", "it is below -1");
    if (parameters.dryPenaltyLastN < -1) return unusable("dry_penalty_last_n", "it is below -1");
    if (parameters.dryAllowedLength == 0) return unusable("dry_allowed_length", "it is 0");
    if (parameters.minKeep == 0) return unusable("min_keep", "it is 0");
    if (parameters.mirostat > Mirostat::V2) return unusable("mirostat", "it is neither 0, 1 nor 2");
    return {};
}

}  // namespace

std::string_view stageName(SamplerStage stage) {
    for (const StageRow& row : kStages) {
        if (row.stage == stage) return row.name;
    }
    return {};
}

std::optional<SamplerStage> stageFromName(std::string_view name) {
    for (const StageRow& row : kStages) {
        if (row.name == name) return row.stage;
    }
    return std::nullopt;
}

std::vector<SamplerStage> defaultOrder() {
    std::vector<SamplerStage> order;
    order.reserve(kStages.size());
    for (const StageRow& row : kStages)
        order.push_back(row.stage);
    return order;
}

Status SamplingParameters::validate() const {
    LOADER_CHECK(validateNumbers(*this));
    std::array<bool, kStages.size()> seen{};
    for (const SamplerStage stage : order) {
        const auto index = static_cast<std::size_t>(stage);
        if (index >= seen.size()) return unusable("order", "it names an unknown stage");
        if (seen[index]) return unusable("order", "it names " + std::string(stageName(stage)) + " twice");
        seen[index] = true;
    }
    std::vector<TokenId> biased;
    biased.reserve(logitBias.size());
    for (const TokenBias& entry : logitBias) {
        if (std::isnan(entry.bias) || entry.bias == std::numeric_limits<float>::infinity())
            return unusable("logit_bias", "a bias must be a number or -infinity");
        biased.push_back(entry.id);
    }
    std::sort(biased.begin(), biased.end());
    if (std::adjacent_find(biased.begin(), biased.end()) != biased.end())
        return unusable("logit_bias", "a token is listed twice");
    return {};
}

std::vector<TokenId> breakerTokens(std::span<const std::string> breakers, std::uint32_t vocabularySize,
                                   const std::function<std::string_view(TokenId)>& tokenText) {
    std::vector<TokenId> ids;
    for (std::uint32_t index = 0; index < vocabularySize; ++index) {
        const auto id = static_cast<TokenId>(index);
        const std::string_view text = tokenText(id);
        const bool breaks = std::any_of(breakers.begin(), breakers.end(), [text](const std::string& breaker) {
            return !breaker.empty() && text.find(breaker) != std::string_view::npos;
        });
        if (breaks) ids.push_back(id);
    }
    return ids;
}

}  // namespace loader::sampling
