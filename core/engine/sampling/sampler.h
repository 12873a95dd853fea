// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Picks the next token. The choice is a function of (parameters, logits, token history, sequence, position)
// and, with mirostat only, of one number (SamplerState), so an answer can go on on another back end.
// It never sorts the vocabulary: every stage is a scan or a partial selection.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/base/token.h"
#include "core/engine/sampling/parameters.h"

namespace loader::sampling {

struct Candidate {
    TokenId id = 0;
    float logit = 0.0F;
};

/// What a back end delivers instead of all logits: the greatest ones after sparseBias(), in any order.
struct CandidateList {
    std::span<const Candidate> candidates;
    /// log(sum(exp(logit))) over the whole vocabulary after sparseBias(); NaN where not known.
    double logSumExp = std::numeric_limits<double>::quiet_NaN();
};

struct Choice {
    TokenId id = 0;
    /// Probability among the tokens that the stages left over.
    double probability = 1.0;
    /// Natural logarithm of the probability in the whole vocabulary after the sparse bias; NaN where the back
    /// end gave no log-sum-exp.
    double logProbability = std::numeric_limits<double>::quiet_NaN();
    /// How many tokens the stages left over.
    std::uint32_t survivors = 1;
};

/// All that a sampler knows beyond parameters and token history. Mirostat's mu depends on the surprise of
/// every token so far, which the ids do not tell; it is one number and travels with the history.
struct SamplerState {
    /// Maximum surprise. @unit bits; NaN: none yet, starts at twice tau
    double mirostatMu = std::numeric_limits<double>::quiet_NaN();
};

/// @thread confined to one thread; one sampler per answer
class Sampler {
public:
    /// @errors X006 for parameters out of range or ids outside the vocabulary; R901
    static Result<Sampler> create(SamplingParameters parameters, std::uint32_t vocabularySize);
    Sampler(Sampler&&) noexcept;
    Sampler& operator=(Sampler&&) noexcept;
    ~Sampler();

    /// True where the stages need more than the greatest logits; then candidatesWanted() is 0.
    bool needsAllLogits() const;
    /// How many of the greatest logits (after sparseBias()) are enough for the same choice as from all of
    /// them.
    std::uint32_t candidatesWanted() const;
    /// What the back end adds before it selects candidates: logit bias, and frequency, presence and DRY
    /// penalties where they come first and the repeat penalty is off. The repeat penalty divides or
    /// multiplies by sign and so is no addend: then only the logit bias is listed, and candidatesWanted()
    /// grows by repeatLastN, which is enough because penalties only lower logits. Ascending ids; valid until
    /// the next call.
    /// @errors T211 for ids outside the vocabulary in history
    Result<std::span<const TokenBias>> sparseBias(std::span<const TokenId> history);

    /// Picks the token for `position`, the absolute position it will take; history is all tokens before it.
    /// NaN counts as -infinity; tokens of +infinity share all probability; -infinity is never picked.
    /// @shape  logits [vocabulary size], before any bias
    /// @errors M132 where no logit is above -infinity; X003 for a wrong number of logits; T211 for ids
    /// outside
    Result<Choice> sample(std::span<const float> logits, std::span<const TokenId> history,
                          std::uint32_t sequence, std::uint64_t position);
    /// The same from a list that sparseBias(history) went into. @errors as above; X003 where the list is too
    /// short
    Result<Choice> sample(const CandidateList& list, std::span<const TokenId> history, std::uint32_t sequence,
                          std::uint64_t position);

    const SamplingParameters& parameters() const;
    std::uint32_t vocabularySize() const;
    SamplerState save() const;
    /// @errors F807 for a number that no run can reach
    Status restore(const SamplerState& state);

private:
    struct Implementation;
    explicit Sampler(std::unique_ptr<Implementation> implementation);
    std::unique_ptr<Implementation> m_implementation;
};

}  // namespace loader::sampling
