// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The stages of the sampler on one token's logits. Two forms of the distribution: "dense" is the caller's
// logits with a short overlay of changed ones, never copied; "listed" is an explicit list of candidates.
// Bias, penalties, DRY and top-k work on the dense form; every other stage lists the candidates first.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/sampling/sampler.h"
#include "core/engine/sampling/selection.h"

namespace loader::sampling {

/// Where a draw happens; see base/random.h.
struct DrawPlace {
    std::uint32_t sequence = 0;
    std::uint64_t position = 0;
};

/// Keeps its buffers from token to token. @thread confined to one thread
class Chain {
public:
    /// Parameters are valid and every id in them lies in the vocabulary.
    Chain(SamplingParameters parameters, std::uint32_t vocabularySize);

    /// Dense form; an empty span stands for zeros everywhere. The logit bias is applied.
    void startDense(std::span<const float> logits);
    /// Listed form, without bias. NaN and -infinity are dropped.
    void startListed(std::span<const Candidate> candidates);

    /// @errors T211 for ids of the history outside the vocabulary
    Status apply(SamplerStage stage, std::span<const TokenId> history, const DrawPlace& place);
    bool active(SamplerStage stage) const;

    /// Changed logits in the dense form, ascending ids.
    std::span<const Item> overlay() const { return m_overlay; }
    /// What is left in the listed form, in no order.
    std::span<const Item> items() const { return m_items; }

    /// Lists the k greatest.
    void keepGreatest(std::size_t k);
    /// Draws one of what is left. @errors M132 where nothing is
    Result<Choice> pick(const DrawPlace& place);
    /// Draws with mirostat and moves mu. @unit mu: bits @errors M132
    Result<Choice> pickMirostat(const DrawPlace& place, double& mu);

    const SamplingParameters& parameters() const { return m_parameters; }
    std::uint32_t vocabularySize() const { return m_vocabularySize; }

private:
    Status applyPenalties();
    Status applyDry();
    Status applyTopK();
    Status applyTypical();
    Status applyTopP();
    Status applyMinP();
    Status applyXtc();
    Status applyTemperature();

    std::span<const TokenId> window(std::int32_t lastN) const;
    bool inVocabulary(TokenId id) const {
        return id >= 0 && static_cast<std::uint32_t>(id) < m_vocabularySize;
    }
    /// Calls change(logit, m_marks[id]) for every marked token and clears the marks.
    template <class Change>
    void changeMarked(Change change);
    void addToOverlay();
    void measureMatches(std::span<const TokenId> tokens, std::size_t limit);
    std::size_t tokensSinceBreaker(std::span<const TokenId> tokens) const;
    /// Goes over the dense form in ascending ids: run(span, first id) and single(logit, id).
    template <class Run, class Single>
    void walkDense(Run run, Single single) const;
    void list();
    double greatest() const;
    /// Computes the weights and returns their sum.
    double weigh();
    void keepHeaviest(std::size_t count);
    double draw(const DrawPlace& place, std::uint32_t number) const;
    std::size_t mirostatCount(double mu, double total);
    Result<Choice> pickWeighted(const DrawPlace& place);

    SamplingParameters m_parameters;
    std::uint32_t m_vocabularySize;
    std::vector<TokenBias> m_bias;
    std::vector<bool> m_breakers;

    std::span<const float> m_logits;
    std::span<const TokenId> m_history;
    DrawPlace m_place;
    bool m_dense = false;
    std::vector<Item> m_items;
    std::vector<Item> m_overlay;
    std::vector<Item> m_merged;
    /// Per token a count or length while a penalty is computed; all 0 in between.
    std::vector<std::uint32_t> m_marks;
    std::vector<TokenId> m_marked;
    std::vector<std::uint32_t> m_matches;
};

}  // namespace loader::sampling
