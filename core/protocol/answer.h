// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is asked for when a model answers, and what came of it: the same in this process and across a border.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/engine/base/error.h"
#include "core/engine/base/token.h"
#include "core/engine/sampling/parameters.h"
#include "core/protocol/wire.h"

namespace loader::protocol {

struct AnswerOptions {
    sampling::SamplingParameters sampling;
    std::optional<std::uint64_t> maxTokens;
    std::vector<std::string> stops;
    bool ignoreEnd = false;
    /// Takes away the space that encoding put in front of a text; unset it where the answer continues a text.
    bool removeSpacePrefix = false;
    /// Forgets the cache before every token and computes everything again.
    bool keepCache = true;
    /// Tokens of this answer that were picked before, on another link of the chain. Their text was shown;
    /// they count, and the answer goes on behind them.
    std::vector<TokenId> produced;
};

/// What one token of an answer adds. An ended answer may add text without a token.
struct AnswerPiece {
    std::optional<TokenId> token;
    /// Text that may be shown, in whole characters; often empty.
    std::string text;
};

struct AnswerCallbacks {
    /// Called for every token. Returning false ends the answer as if cancelled.
    std::function<bool(const AnswerPiece&)> piece;
    std::function<void(std::size_t done, std::size_t total)> promptProgress;
};

struct Answer {
    std::string text;
    /// "end", "stop", "length", "context", "cancelled" or "error".
    std::string stopReason;
    std::uint64_t promptTokens = 0;
    /// Of the prompt, taken from the cache.
    std::uint64_t cachedTokens = 0;
    /// Generated, without the end token; those that were produced before count.
    std::uint64_t tokens = 0;
    /// Leaves out the first token; 0 where there were fewer than two.
    double tokensPerSecond = 0.0;
    double promptMilliseconds = 0.0;
    /// Why the stop reason is "error"; the text so far is kept.
    std::optional<Error> error;
    std::vector<TokenId> ids;
};

/// The reasons above, "error" left out.
bool isStopReason(std::string_view reason);

/// The wire form of engine types that know nothing of it.
struct BiasEntry {
    TokenId id = 0;
    float bias = 0.0F;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.id);
        visit(self.bias);
    }
};
template <class Self, class Visitor>
void visitBias(Self& self, Visitor& visit) {
    std::vector<BiasEntry> entries;
    for (const sampling::TokenBias& entry : self.logitBias)
        entries.push_back({entry.id, entry.bias});
    visit(entries);
    if constexpr (!std::is_const_v<Self>) {
        self.logitBias.clear();
        for (const BiasEntry& entry : entries)
            self.logitBias.push_back({entry.id, entry.bias});
    }
}
template <class Self, class Visitor>
void visitSampling(Self& self, Visitor& visit) {
    visit(self.temperature);
    visit(self.topK);
    visit(self.topP);
    visit(self.minP);
    visit(self.typicalP);
    visit(self.repeatPenalty);
    visit(self.repeatLastN);
    visit(self.frequencyPenalty);
    visit(self.presencePenalty);
    visit(self.dryMultiplier);
    visit(self.dryBase);
    visit(self.dryAllowedLength);
    visit(self.dryPenaltyLastN);
    visit(self.drySequenceBreakers);
    visit(self.dryBreakerTokens);
    visit(self.xtcProbability);
    visit(self.xtcThreshold);
    visit(self.mirostat);
    visit(self.mirostatTau);
    visit(self.mirostatEta);
    visitBias(self, visit);
    visit(self.seed);
    visit(self.minKeep);
    visit(self.order);
}
template <>
struct LastOf<sampling::Mirostat> {
    static constexpr auto value = sampling::Mirostat::V2;
};
template <>
struct LastOf<sampling::SamplerStage> {
    static constexpr auto value = static_cast<sampling::SamplerStage>(sampling::kStageCount - 1);
};

}  // namespace loader::protocol
