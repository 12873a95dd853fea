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

/// Appends the best `top` tokens and the log-sum-exp to out. NaN counts as -infinity, in place.
inline void appendTopTokens(std::span<float> logits, const OutputRequest& request, ForwardOutput& out) {
    const std::size_t wanted = std::min<std::size_t>(request.top, logits.size());
    const std::size_t first = out.top.size();
    // A heap of the best so far, the worst of them on top.
    std::vector<TopToken> heap;
    heap.reserve(wanted + 1);
    float greatest = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (std::isnan(logits[i])) logits[i] = -std::numeric_limits<float>::infinity();
        greatest = std::max(greatest, logits[i]);
        const TopToken candidate{static_cast<TokenId>(i), logits[i]};
        if (heap.size() == wanted && (wanted == 0 || !isBetter(candidate, heap.front()))) continue;
        heap.push_back(candidate);
        std::push_heap(heap.begin(), heap.end(), isBetter);
        if (heap.size() <= wanted) continue;
        std::pop_heap(heap.begin(), heap.end(), isBetter);
        heap.pop_back();
    }
    std::sort_heap(heap.begin(), heap.end(), isBetter);
    out.top.insert(out.top.end(), heap.begin(), heap.end());
    out.top.resize(first + request.top, TopToken{kNoToken, -std::numeric_limits<float>::infinity()});
    double sum = 0.0;
    if (std::isfinite(greatest)) {
        for (float logit : logits)
            sum += std::exp(static_cast<double>(logit) - greatest);
    }
    out.logSumExp.push_back(static_cast<float>(greatest + std::log(sum)));
}

/// Adds the request's biases in place, then appends what it asks for: the row itself or its best tokens.
inline void appendLogits(std::span<float> logits, const OutputRequest& request, ForwardOutput& out) {
    for (const TokenBias& bias : request.bias) {
        const bool known = bias.token >= 0 && static_cast<std::size_t>(bias.token) < logits.size();
        if (known) logits[static_cast<std::size_t>(bias.token)] += bias.bias;
    }
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
