// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The sampler once more, slow and obvious: every stage sorts everything. The oracle for the fast one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "core/engine/base/random.h"
#include "core/engine/sampling/parameters.h"

namespace loader::test {

struct SlowSampler {
    struct Entry {
        TokenId id = 0;
        double logit = 0.0;
    };

    sampling::SamplingParameters p;
    std::vector<Entry> entries;

    void start(std::span<const float> logits) {
        entries.clear();
        for (std::size_t i = 0; i < logits.size(); ++i) {
            double logit = logits[i];
            for (const auto& entry : p.logitBias) {
                if (entry.id == static_cast<TokenId>(i)) logit += entry.bias;
            }
            if (!std::isnan(logit) && logit > -std::numeric_limits<double>::infinity())
                entries.push_back({static_cast<TokenId>(i), logit});
        }
        sort();
    }

    void sort() {
        std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
            return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
        });
    }

    std::vector<double> softmax() const {
        std::vector<double> result;
        double sum = 0.0;
        for (const Entry& entry : entries)
            result.push_back(std::exp(entry.logit - entries[0].logit));
        for (const double value : result)
            sum += value;
        for (double& value : result)
            value /= sum;
        return result;
    }

    void penalties(std::span<const TokenId> history) {
        std::map<TokenId, int> counts;
        const std::size_t last = p.repeatLastN < 0 ? history.size() : static_cast<std::size_t>(p.repeatLastN);
        for (const TokenId id : history.last(std::min(last, history.size())))
            ++counts[id];
        for (Entry& entry : entries) {
            if (counts.count(entry.id) == 0) continue;
            entry.logit = entry.logit > 0 ? entry.logit / p.repeatPenalty : entry.logit * p.repeatPenalty;
            entry.logit -= counts[entry.id] * static_cast<double>(p.frequencyPenalty) + p.presencePenalty;
        }
        sort();
    }

    /// The definition of the pull request, word for word: walk back from every earlier copy of the last
    /// token.
    void dry(std::span<const TokenId> history) {
        const std::size_t lastN =
            p.dryPenaltyLastN < 0 ? history.size() : static_cast<std::size_t>(p.dryPenaltyLastN);
        const std::span<const TokenId> t = history.last(std::min(lastN, history.size()));
        const std::set<TokenId> breakers(p.dryBreakerTokens.begin(), p.dryBreakerTokens.end());
        std::map<TokenId, int> lengths;
        const auto n = static_cast<int>(t.size());
        for (int i = 0; i + 1 < n; ++i) {
            int length = 0;
            while (i - length >= 0 &&
                   t[static_cast<std::size_t>(i - length)] == t[static_cast<std::size_t>(n - 1 - length)] &&
                   breakers.count(t[static_cast<std::size_t>(i - length)]) == 0)
                ++length;
            const TokenId next = t[static_cast<std::size_t>(i + 1)];
            if (breakers.count(next) == 0) lengths[next] = std::max(lengths[next], length);
        }
        const auto allowed = static_cast<int>(p.dryAllowedLength);
        for (Entry& entry : entries) {
            const auto found = lengths.find(entry.id);
            if (found == lengths.end() || found->second < allowed) continue;
            entry.logit -=
                p.dryMultiplier * std::pow(static_cast<double>(p.dryBase), found->second - allowed);
        }
        sort();
    }

    void keep(std::size_t count) {
        entries.resize(std::min(entries.size(), std::max<std::size_t>(count, p.minKeep)));
    }

    void topP() {
        const std::vector<double> q = softmax();
        double sum = 0.0;
        for (std::size_t i = 0; i < q.size(); ++i) {
            sum += q[i];
            if (sum >= p.topP) return keep(i + 1);
        }
    }

    void minP() {
        const std::vector<double> q = softmax();
        std::size_t count = 0;
        while (count < q.size() && q[count] >= p.minP * q[0])
            ++count;
        keep(count);
    }

    void typical() {
        const std::vector<double> q = softmax();
        double entropy = 0.0;
        for (const double value : q)
            entropy -= value > 0 ? value * std::log(value) : 0.0;
        std::vector<std::size_t> order(q.size());
        for (std::size_t i = 0; i < order.size(); ++i)
            order[i] = i;
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return std::abs(-std::log(q[a]) - entropy) < std::abs(-std::log(q[b]) - entropy);
        });
        std::vector<Entry> left;
        double sum = 0.0;
        for (const std::size_t i : order) {
            left.push_back(entries[i]);
            sum += q[i];
            if (sum >= p.typicalP && left.size() >= p.minKeep) break;
        }
        entries = left;
        sort();
    }

    void xtc(std::uint32_t sequence, std::uint64_t position) {
        if (uniformAt(p.seed, sequence, position, 1) >= p.xtcProbability) return;
        const std::vector<double> q = softmax();
        std::size_t viable = 0;
        while (viable < q.size() && q[viable] >= p.xtcThreshold)
            ++viable;
        if (viable < 2 || entries.size() - (viable - 1) < p.minKeep) return;
        entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(viable - 1));
    }

    void temperature() {
        for (Entry& entry : entries)
            entry.logit /= p.temperature;
    }

    void stage(sampling::SamplerStage which, std::span<const TokenId> history, std::uint32_t sequence,
               std::uint64_t position) {
        using sampling::SamplerStage;
        switch (which) {
            case SamplerStage::Penalties: return penalties(history);
            case SamplerStage::Dry: return dry(history);
            case SamplerStage::TopK: return p.topK == 0 ? void() : keep(p.topK);
            case SamplerStage::Typical: return p.typicalP < 1 ? typical() : void();
            case SamplerStage::TopP: return p.topP < 1 ? topP() : void();
            case SamplerStage::MinP: return minP();
            case SamplerStage::Xtc: return xtc(sequence, position);
            case SamplerStage::Temperature: return temperature();
        }
    }

    TokenId pick(std::uint32_t sequence, std::uint64_t position) const {
        const std::vector<double> q = softmax();
        const double target = uniformAt(p.seed, sequence, position, 0);
        double sum = 0.0;
        for (std::size_t i = 0; i < q.size(); ++i) {
            sum += q[i];
            if (sum > target) return entries[i].id;
        }
        return entries.back().id;
    }
};

}  // namespace loader::test
