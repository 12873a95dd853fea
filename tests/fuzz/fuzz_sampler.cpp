// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sampler parameters and logits from bytes. The oracle: an error, or a token that the logits allow, with a
// probability; the same again from the same place; and a valid token from a list of candidates.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "core/engine/sampling/sampler.h"

using namespace loader;
using namespace loader::sampling;

namespace {

class Reader {
public:
    Reader(const std::uint8_t* data, std::size_t size) : m_data(data), m_size(size) {}
    std::uint8_t byte() { return m_at < m_size ? m_data[m_at++] : std::uint8_t{0}; }
    /// From -128 to 127.
    std::int32_t signedByte() {
        const std::int32_t value = byte();
        return value < 128 ? value : value - 256;
    }
    std::uint32_t word() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i)
            value = value << 8U | byte();
        return value;
    }
    /// One byte of 256 asks for any float at all, the others for one of the range that is tried.
    float number(float low, float high) {
        const std::uint8_t choice = byte();
        if (choice == 255) return std::bit_cast<float>(word());
        return low + (high - low) * static_cast<float>(choice) / 254.0F;
    }
    bool empty() const { return m_at >= m_size; }

private:
    const std::uint8_t* m_data;
    std::size_t m_size;
    std::size_t m_at = 0;
};

void require(bool holds) {
    if (!holds) __builtin_trap();
}

SamplingParameters parametersFrom(Reader& reader, std::uint32_t vocabulary) {
    SamplingParameters p;
    p.temperature = reader.number(0, 2);
    p.topK = reader.byte();
    p.topP = reader.number(0, 1);
    p.minP = reader.number(0, 1);
    p.typicalP = reader.number(0, 1);
    p.repeatPenalty = reader.number(0.5F, 2);
    p.repeatLastN = reader.signedByte();
    p.frequencyPenalty = reader.number(-2, 2);
    p.presencePenalty = reader.number(-2, 2);
    p.dryMultiplier = reader.number(0, 2);
    p.dryBase = reader.number(1, 4);
    p.dryAllowedLength = reader.byte() % 5U;
    p.dryPenaltyLastN = reader.signedByte();
    p.dryBreakerTokens = {static_cast<TokenId>(reader.byte() % vocabulary)};
    p.xtcProbability = reader.number(0, 1);
    p.xtcThreshold = reader.number(0, 0.5F);
    p.mirostat = static_cast<Mirostat>(reader.byte() % 4U);
    p.mirostatTau = reader.number(0, 10);
    p.mirostatEta = reader.number(0, 1);
    p.seed = reader.word();
    p.minKeep = reader.byte() % 8U;
    for (unsigned i = reader.byte() % 4U; i > 0; --i)
        p.logitBias.push_back({static_cast<TokenId>(reader.byte()), reader.number(-100, 100)});
    std::vector<SamplerStage> order;
    for (unsigned i = reader.byte() % 10U; i > 0; --i)
        order.push_back(static_cast<SamplerStage>(reader.byte() % 9U));
    if (!order.empty()) p.order = order;
    return p;
}

std::vector<float> logitsFrom(Reader& reader, std::uint32_t vocabulary) {
    std::vector<float> logits(vocabulary);
    for (float& logit : logits) {
        const std::uint8_t choice = reader.byte();
        if (choice < 248) logit = static_cast<float>(choice) * 0.25F - 31.0F;
        if (choice == 248) logit = std::numeric_limits<float>::quiet_NaN();
        if (choice == 249) logit = std::numeric_limits<float>::infinity();
        if (choice == 250) logit = -std::numeric_limits<float>::infinity();
        if (choice == 251) logit = -0.0F;
        if (choice == 252) logit = std::numeric_limits<float>::max();
        if (choice == 253) logit = std::numeric_limits<float>::lowest();
        if (choice >= 254) logit = std::bit_cast<float>(reader.word());
    }
    return logits;
}

float biasOf(const SamplingParameters& parameters, TokenId id) {
    for (const TokenBias& entry : parameters.logitBias) {
        if (entry.id == id) return entry.bias;
    }
    return 0.0F;
}

void checkChoice(const Result<Choice>& choice, const std::vector<float>& logits,
                 const SamplingParameters& parameters) {
    if (!choice.ok()) return;
    require(choice->id >= 0 && static_cast<std::size_t>(choice->id) < logits.size());
    const float logit = logits[static_cast<std::size_t>(choice->id)] + biasOf(parameters, choice->id);
    require(logit > -std::numeric_limits<float>::infinity());
    require(choice->probability > 0.0 && choice->probability <= 1.0 + 1e-9);
    require(choice->survivors >= 1 && choice->survivors <= logits.size());
}

/// What a back end would deliver.
void checkList(Sampler& sampler, const std::vector<float>& logits, const std::vector<TokenId>& history) {
    if (sampler.needsAllLogits()) return;
    const auto sparse = sampler.sparseBias(history);
    if (!sparse.ok()) return;
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < logits.size(); ++i)
        candidates.push_back({static_cast<TokenId>(i), logits[i]});
    TokenId before = -1;
    for (const TokenBias& entry : *sparse) {
        require(entry.id > before && !std::isnan(entry.bias));
        before = entry.id;
        candidates[static_cast<std::size_t>(entry.id)].logit += entry.bias;
    }
    for (Candidate& candidate : candidates) {
        if (std::isnan(candidate.logit)) candidate.logit = -std::numeric_limits<float>::infinity();
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
    candidates.resize(std::min<std::size_t>(candidates.size(), sampler.candidatesWanted()));
    const Result<Choice> choice = sampler.sample(CandidateList{candidates}, history, 1, history.size());
    checkChoice(choice, logits, sampler.parameters());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Reader reader(data, size);
    const std::uint32_t vocabulary = 1U + reader.word() % 600U;
    const SamplingParameters parameters = parametersFrom(reader, vocabulary);
    Result<Sampler> sampler = Sampler::create(parameters, vocabulary);
    if (!sampler.ok()) return 0;
    std::vector<TokenId> history(reader.byte());
    for (TokenId& id : history)
        id = static_cast<TokenId>(reader.byte() % 16U);
    for (int step = 0; step < 4; ++step) {
        const std::vector<float> logits = logitsFrom(reader, vocabulary);
        const SamplerState before = sampler->save();
        const Result<Choice> choice = sampler->sample(logits, history, 1, history.size());
        checkChoice(choice, logits, parameters);
        require(sampler->restore(before).ok());
        const Result<Choice> again = sampler->sample(logits, history, 1, history.size());
        require(again.ok() == choice.ok() && (!again.ok() || again->id == choice->id));
        checkList(*sampler, logits, history);
        if (choice.ok()) history.push_back(choice->id);
        if (reader.empty()) break;
    }
    return 0;
}
