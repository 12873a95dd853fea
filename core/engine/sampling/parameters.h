// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a user can set about the choice of tokens: every field with its default and range. The order of the
// stages is data. Meanings and sources of the stages: chain.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/base/token.h"

namespace loader::sampling {

enum class SamplerStage : std::uint8_t {
#define LOADER_SAMPLER(stage, name, function) stage,
#include "core/engine/sampling/samplers.inc"
};
inline constexpr std::size_t kStageCount = 0
#define LOADER_SAMPLER(stage, name, function) +1
#include "core/engine/sampling/samplers.inc"
    ;

/// The name in settings, for example "top_k".
std::string_view stageName(SamplerStage stage);
std::optional<SamplerStage> stageFromName(std::string_view name);
/// All stages in the order of samplers.inc.
std::vector<SamplerStage> defaultOrder();

enum class Mirostat : std::uint8_t { Off = 0, V1 = 1, V2 = 2 };

/// Added to the logit of one token. A bias of -infinity forbids the token.
struct TokenBias {
    TokenId id = 0;
    float bias = 0.0F;
};

struct SamplingParameters {
    /// [0, 100]; 0 takes the most likely token (the lowest id of equals) and skips every truncating stage.
    float temperature = 0.8F;
    /// 0 and anything from the vocabulary size up: off.
    std::uint32_t topK = 40;
    /// [0, 1]; 1: off.
    float topP = 0.95F;
    /// [0, 1]; 0: off.
    float minP = 0.05F;
    /// [0, 1]; 1: off.
    float typicalP = 1.0F;

    /// (0, 100]; 1: off.
    float repeatPenalty = 1.0F;
    /// Tokens that the three penalties look back on: -1 all of them, 0 off.
    std::int32_t repeatLastN = 64;
    /// [-100, 100]; 0: off.
    float frequencyPenalty = 0.0F;
    /// [-100, 100]; 0: off.
    float presencePenalty = 0.0F;

    /// [0, 100]; 0: DRY is off.
    float dryMultiplier = 0.0F;
    /// [1, 100].
    float dryBase = 1.75F;
    /// Repetitions shorter than this many tokens cost nothing; at least 1.
    std::uint32_t dryAllowedLength = 2;
    /// -1 all tokens, 0 off.
    std::int32_t dryPenaltyLastN = -1;
    /// Texts that no repetition reaches across. Whoever knows the vocabulary turns them into dryBreakerTokens
    /// (see breakerTokens()); the sampler itself looks only at the ids.
    std::vector<std::string> drySequenceBreakers = {"\n", ":", "\"", "*"};
    std::vector<TokenId> dryBreakerTokens;

    /// [0, 1]; 0: XTC is off.
    float xtcProbability = 0.0F;
    /// [0, 1]; above 0.5 it can have no effect.
    float xtcThreshold = 0.1F;

    /// With mirostat on, bias, penalties, dry and temperature work; the truncating stages do not.
    Mirostat mirostat = Mirostat::Off;
    /// Target surprise. @unit bits, [0, 64]
    float mirostatTau = 5.0F;
    /// Learning rate, [0, 10].
    float mirostatEta = 0.1F;

    /// Applied before every stage. A token may be listed once; neither NaN nor +infinity.
    std::vector<TokenBias> logitBias;
    /// The caller chooses it, at random where the user gave none: the engine has no source of its own.
    std::uint64_t seed = 0;
    /// Truncating stages leave at least this many tokens; at least 1.
    std::uint32_t minKeep = 1;
    /// Stages that run, in this order, each at most once. A stage that is not listed is off.
    std::vector<SamplerStage> order = defaultOrder();

    /// @errors X006 names the field and what is wrong with it
    Status validate() const;
};

/// Ids of the tokens whose text contains one of the breaker texts, ascending.
/// @errors none; empty breaker texts are passed over
std::vector<TokenId> breakerTokens(std::span<const std::string> breakers, std::uint32_t vocabularySize,
                                   const std::function<std::string_view(TokenId)>& tokenText);

}  // namespace loader::sampling
