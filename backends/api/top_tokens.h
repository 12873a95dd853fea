// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From one row of logits to the best tokens and the log-sum-exp of the row: one pass, never a sort of the
// vocabulary.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backends/api/backend.h"

namespace loader::backend {

/// Better first; of equal logits the lower id, so that every back end picks the same.
inline bool isBetter(const TopToken& a, const TopToken& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

/// The best tokens of those offered so far.
class TokenHeap {
public:
    /// Forgets what was offered.
    void start(std::size_t top) {
        m_top = top;
        m_heap.clear();
    }
    /// Whether a token with this logit could be among the best.
    bool wouldTake(float logit) const {
        return m_top != 0 && (m_heap.size() < m_top || logit >= m_heap.front().logit);
    }
    void offer(const TopToken& candidate) {
        if (m_top == 0 || (m_heap.size() == m_top && !isBetter(candidate, m_heap.front()))) return;
        m_heap.push_back(candidate);
        std::push_heap(m_heap.begin(), m_heap.end(), isBetter);
        if (m_heap.size() <= m_top) return;
        std::pop_heap(m_heap.begin(), m_heap.end(), isBetter);
        m_heap.pop_back();
    }
    /// In no order.
    std::span<const TopToken> tokens() const { return m_heap; }
    /// Appends exactly `top` tokens, best first; what is missing is kNoToken. Ends the gathering.
    void append(ForwardOutput& out) {
        std::sort_heap(m_heap.begin(), m_heap.end(), isBetter);
        const std::size_t first = out.top.size();
        out.top.insert(out.top.end(), m_heap.begin(), m_heap.end());
        out.top.resize(first + m_top, TopToken{kNoToken, -std::numeric_limits<float>::infinity()});
        m_heap.clear();
    }

private:
    std::size_t m_top = 0;
    /// The worst of the best in front.
    std::vector<TopToken> m_heap;
};

/// Appends the best `top` tokens and the log-sum-exp to out. NaN counts as -infinity, in place.
inline void appendTopTokens(std::span<float> logits, const OutputRequest& request, ForwardOutput& out) {
    TokenHeap heap;
    heap.start(request.top);
    float greatest = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (std::isnan(logits[i])) logits[i] = -std::numeric_limits<float>::infinity();
        greatest = std::max(greatest, logits[i]);
        heap.offer({static_cast<TokenId>(i), logits[i]});
    }
    heap.append(out);
    double sum = 1.0;
    if (std::isfinite(greatest)) {
        sum = 0.0;
        for (float logit : logits)
            sum += std::exp(static_cast<double>(logit) - greatest);
    }
    out.logSumExp.push_back(static_cast<float>(greatest + std::log(sum)));
}

/// Adds the request's biases to the logits of tokens [firstToken, firstToken + logits.size()).
inline void addTokenBias(std::span<float> logits, std::size_t firstToken, const OutputRequest& request) {
    for (const TokenBias& bias : request.bias) {
        if (bias.token < 0) continue;
        const std::size_t place =
            static_cast<std::size_t>(bias.token) - firstToken;  // wraps below firstToken
        if (place < logits.size()) logits[place] += bias.bias;
    }
}

/// Adds the request's biases in place, then appends what it asks for: the row itself or its best tokens.
inline void appendLogits(std::span<float> logits, const OutputRequest& request, ForwardOutput& out) {
    addTokenBias(logits, 0, request);
    if (request.kind == OutputKind::TopTokens) {
        appendTopTokens(logits, request, out);
        return;
    }
    out.values.insert(out.values.end(), logits.begin(), logits.end());
    out.rowWidth = logits.size();
}

/// Turns rows of hidden states (one for each wanted item) into the mean of each sequence, in order of first
/// appearance.
inline void poolBySequence(std::span<const BatchItem> batch, ForwardOutput& out) {
    std::vector<std::uint32_t> sequences;
    std::vector<float> counts;
    std::vector<float> sums;
    std::size_t row = 0;
    for (const BatchItem& item : batch) {
        if (!item.wantsOutput) continue;
        const auto found = std::find(sequences.begin(), sequences.end(), item.sequence);
        const auto which = static_cast<std::size_t>(found - sequences.begin());
        if (found == sequences.end()) {
            sequences.push_back(item.sequence);
            counts.push_back(0.0f);
            sums.resize(sums.size() + out.rowWidth, 0.0f);
        }
        counts[which] += 1.0f;
        for (std::size_t i = 0; i < out.rowWidth; ++i)
            sums[which * out.rowWidth + i] += out.values[row * out.rowWidth + i];
        ++row;
    }
    for (std::size_t s = 0; s < counts.size(); ++s) {
        for (std::size_t i = 0; i < out.rowWidth; ++i)
            sums[s * out.rowWidth + i] /= counts[s];
    }
    out.values = std::move(sums);
}

}  // namespace loader::backend
