// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#include "core/engine/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/engine/sampling/chain.h"

namespace loader::sampling {

namespace {

/// More than this is no list of candidates any more; the whole row is as cheap.
constexpr std::uint32_t kMostCandidates = 1024;

bool truncates(SamplerStage stage) {
    return stage != SamplerStage::Penalties && stage != SamplerStage::Dry &&
           stage != SamplerStage::Temperature;
}

Status checkIds(std::span<const TokenId> ids, std::uint32_t vocabularySize, const char* field) {
    for (const TokenId id : ids) {
        if (id < 0 || static_cast<std::uint32_t>(id) >= vocabularySize)
            return Error(Errc::X006,
                         {field, "the token id " + std::to_string(id) + " is outside the vocabulary"});
    }
    return {};
}

}  // namespace

struct Sampler::Implementation {
    /// What a back end may do in our place.
    struct Plan {
        /// 0: all logits are needed.
        std::uint32_t candidates = 0;
        /// Penalties and DRY are in the sparse bias.
        bool folded = false;
    };

    Implementation(SamplingParameters parameters, std::uint32_t vocabularySize)
        : chain(std::move(parameters), vocabularySize), plan(makePlan()) {}

    const SamplingParameters& parameters() const { return chain.parameters(); }
    bool greedy() const { return parameters().temperature == 0.0F; }
    bool mirostat() const { return parameters().mirostat != Mirostat::Off; }
    /// Greedy needs no truncation, mirostat does its own, and neither draws for XTC.
    bool runs(SamplerStage stage) const {
        if (!chain.active(stage)) return false;
        if (greedy()) return stage == SamplerStage::Penalties || stage == SamplerStage::Dry;
        return !mirostat() || !truncates(stage);
    }
    Plan makePlan() const;
    std::uint32_t extraForRepeats() const;
    Status runStages(std::span<const TokenId> history, const DrawPlace& place, bool folded);
    Result<Choice> choose(const DrawPlace& place);

    Chain chain;
    Plan plan;
    SamplerState state;
    std::vector<TokenBias> sparse;
};

/// Candidates beyond k that make up for the repeat penalty, which the back end cannot apply; kMostCandidates
/// where the greatest k after it cannot be bounded. It lowers at most repeatLastN tokens, so of the greatest
/// k + repeatLastN at least k keep their place, and no other token can overtake those.
std::uint32_t Sampler::Implementation::extraForRepeats() const {
    const SamplingParameters& p = parameters();
    const bool lowersOnly =
        p.repeatPenalty >= 1.0F && p.frequencyPenalty >= 0.0F && p.presencePenalty >= 0.0F;
    if (!lowersOnly || p.repeatLastN < 0 || runs(SamplerStage::Dry)) return kMostCandidates;
    return static_cast<std::uint32_t>(p.repeatLastN);
}

Sampler::Implementation::Plan Sampler::Implementation::makePlan() const {
    if (mirostat() && !greedy()) return {};
    const SamplingParameters& p = parameters();
    std::uint64_t wanted = greedy() ? 1 : 0;
    std::uint64_t extra = 0;
    Plan result;
    bool first = true;
    for (const SamplerStage stage : p.order) {
        if (!runs(stage)) continue;
        if (stage == SamplerStage::TopK) {
            wanted = std::max(p.topK, p.minKeep);
            break;
        }
        const bool penalty = !truncates(stage) && stage != SamplerStage::Temperature;
        if (penalty && !first) return {};
        if (penalty) {
            // The repeat penalty comes before the other two and is no addend, so all three stay here with it.
            const bool repeats = p.repeatPenalty != 1.0F && runs(SamplerStage::Penalties);
            result.folded = !repeats;
            extra = repeats ? extraForRepeats() : 0;
            continue;
        }
        // Temperature keeps the order, and min-p keeps a prefix of it: both may come before top-k.
        if (stage != SamplerStage::Temperature && stage != SamplerStage::MinP) return {};
        first = false;
    }
    if (wanted == 0 || wanted + extra > kMostCandidates) return {};
    result.candidates =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted + extra, chain.vocabularySize()));
    return result;
}

Status Sampler::Implementation::runStages(std::span<const TokenId> history, const DrawPlace& place,
                                          bool folded) {
    bool beforeTopK = true;
    for (const SamplerStage stage : parameters().order) {
        if (!runs(stage)) continue;
        const bool penalty = stage == SamplerStage::Penalties || stage == SamplerStage::Dry;
        if (penalty && folded && beforeTopK) continue;
        LOADER_CHECK(chain.apply(stage, history, place));
        if (stage == SamplerStage::TopK) beforeTopK = false;
    }
    return {};
}

Result<Choice> Sampler::Implementation::choose(const DrawPlace& place) {
    if (greedy()) chain.keepGreatest(1);
    if (!greedy() && mirostat()) return chain.pickMirostat(place, state.mirostatMu);
    return chain.pick(place);
}

Sampler::Sampler(std::unique_ptr<Implementation> implementation)
    : m_implementation(std::move(implementation)) {}
Sampler::Sampler(Sampler&&) noexcept = default;
Sampler& Sampler::operator=(Sampler&&) noexcept = default;
Sampler::~Sampler() = default;

Result<Sampler> Sampler::create(SamplingParameters parameters, std::uint32_t vocabularySize) {
    LOADER_CHECK(parameters.validate());
    if (vocabularySize == 0 ||
        vocabularySize > static_cast<std::uint32_t>(std::numeric_limits<TokenId>::max()))
        return Error(Errc::X006, {"vocabulary size", std::to_string(vocabularySize) + " is out of range"});
    std::vector<TokenId> biased;
    biased.reserve(parameters.logitBias.size());
    for (const TokenBias& entry : parameters.logitBias)
        biased.push_back(entry.id);
    LOADER_CHECK(checkIds(biased, vocabularySize, "logit_bias"));
    LOADER_CHECK(checkIds(parameters.dryBreakerTokens, vocabularySize, "dry_sequence_breakers"));
    return Sampler(std::make_unique<Implementation>(std::move(parameters), vocabularySize));
}

bool Sampler::needsAllLogits() const {
    return m_implementation->plan.candidates == 0;
}
std::uint32_t Sampler::candidatesWanted() const {
    return m_implementation->plan.candidates;
}
const SamplingParameters& Sampler::parameters() const {
    return m_implementation->parameters();
}
std::uint32_t Sampler::vocabularySize() const {
    return m_implementation->chain.vocabularySize();
}
SamplerState Sampler::save() const {
    return m_implementation->state;
}

Status Sampler::restore(const SamplerState& state) {
    // mu moves by at most eta times a surprise a token; what lies beyond this was never written by us.
    constexpr double kMost = 1e12;
    if (std::abs(state.mirostatMu) > kMost) return Error(Errc::F807, {"the sampler state is out of range"});
    m_implementation->state = state;
    return {};
}

Result<std::span<const TokenBias>> Sampler::sparseBias(std::span<const TokenId> history) {
    Implementation& self = *m_implementation;
    self.chain.startDense({});
    if (self.plan.folded) {
        for (const SamplerStage stage : parameters().order) {
            if (stage == SamplerStage::TopK && self.runs(stage)) break;
            const bool penalty = stage == SamplerStage::Penalties || stage == SamplerStage::Dry;
            if (penalty && self.runs(stage)) LOADER_CHECK(self.chain.apply(stage, history, {}));
        }
    }
    self.sparse.clear();
    for (const Item& item : self.chain.overlay())
        self.sparse.push_back({item.id, static_cast<float>(item.logit)});
    return std::span<const TokenBias>(self.sparse);
}

Result<Choice> Sampler::sample(std::span<const float> logits, std::span<const TokenId> history,
                               std::uint32_t sequence, std::uint64_t position) {
    Implementation& self = *m_implementation;
    if (logits.size() != vocabularySize())
        return Error(Errc::X003, {"the row of logits has " + std::to_string(logits.size()) +
                                  " entries, not " + std::to_string(vocabularySize())});
    const DrawPlace place{sequence, position};
    self.chain.startDense(logits);
    LOADER_CHECK(self.runStages(history, place, false));
    return self.choose(place);
}

Result<Choice> Sampler::sample(const CandidateList& list, std::span<const TokenId> history,
                               std::uint32_t sequence, std::uint64_t position) {
    Implementation& self = *m_implementation;
    if (needsAllLogits() || list.candidates.size() < candidatesWanted())
        return Error(Errc::X003, {"the list of candidates is too short for the sampler"});
    for (const Candidate& candidate : list.candidates) {
        if (candidate.id < 0 || static_cast<std::uint32_t>(candidate.id) >= vocabularySize())
            return Error(Errc::T211, {std::to_string(candidate.id), std::to_string(vocabularySize())});
    }
    const DrawPlace place{sequence, position};
    self.chain.startListed(list.candidates);
    LOADER_CHECK(self.runStages(history, place, self.plan.folded));
    LOADER_TRY(Choice choice, self.choose(place));
    for (const Candidate& candidate : list.candidates) {
        if (candidate.id == choice.id)
            choice.logProbability = static_cast<double>(candidate.logit) - list.logSumExp;
    }
    return choice;
}

}  // namespace loader::sampling
