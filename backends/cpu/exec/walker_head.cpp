// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The output head: logits of the wanted tokens, and the best of them while they are in the cache.

#include <algorithm>
#include <cmath>

#include "backends/cpu/exec/walker.h"

namespace loader::cpu {

using backend::OutputKind;

void Walker::gatherHeadRows(const graph::HeadOp& op, std::size_t first, std::size_t count,
                            ActivationKind kind) {
    SlotRows& gathered = m_state.headRows;
    const auto share = m_member.share(count);
    for (std::size_t i = share.begin; i < share.end; ++i) {
        std::copy_n(readable(op.in).row(m_state.wantedItems[first + i]), gathered.width(), gathered.row(i));
        if (kind == ActivationKind::F32) continue;
        quantizeActivation(m_context.kernels, kind, gathered.row(i), gathered.width(),
                           gathered.record(kind, i));
    }
    barrier();
}

void Walker::headLogits(const graph::HeadOp& op, std::size_t count, TeamMember::Range rows) {
    const WeightView weights = viewOf(op.linear.weight);
    const ActivationKind kind = m_context.kernels.activationKind(weights.type);
    SlotRows& gathered = m_state.headRows;
    float* logits = m_state.headLogits.floats();
    multiplyRows(m_context.kernels, weights, rows.begin, rows.end, gathered.view(kind), count, logits,
                 weights.rows, m_scratch.kernels.view());
    addAdapters({op.linear.weight, 0, gathered.row(0), gathered.stride(), count}, rows, logits, weights.rows);
    const std::span<const float> bias = vectorOf(op.linear.bias, m_bias);
    const std::size_t length = rows.end - rows.begin;
    for (std::size_t i = 0; i < count; ++i) {
        float* part = logits + i * weights.rows + rows.begin;
        if (!bias.empty()) m_vectors.add(bias.data() + rows.begin, part, length);
        if (op.scale != 1.0f) m_vectors.scale(part, op.scale, nullptr, part, length);
        if (op.softcap == 0.0f) continue;
        for (std::size_t r = 0; r < length; ++r)
            part[r] = op.softcap * std::tanh(part[r] / op.softcap);
    }
}

void Walker::headRows(const graph::HeadOp& op, std::size_t first, std::size_t count) {
    const backend::OutputRequest& request = *m_state.request;
    const std::size_t vocabulary = weightRef(op.linear.weight).rows;
    const bool wantsTop = request.kind == OutputKind::TopTokens;
    float* logits = m_state.headLogits.floats();
    std::vector<HeadCandidates>& candidates = m_state.candidates[m_member.index()];
    for (std::size_t i = 0; wantsTop && i < count; ++i)
        candidates[i].start(request.top);

    gatherHeadRows(op, first, count, m_context.kernels.activationKind(weightRef(op.linear.weight).type));
    shareRows(vocabulary, [&](TeamMember::Range rows) {
        headLogits(op, count, rows);
        for (std::size_t i = 0; i < count; ++i) {
            const std::span<float> part(logits + i * vocabulary + rows.begin, rows.end - rows.begin);
            backend::addTokenBias(part, rows.begin, request);
            if (wantsTop) candidates[i].add(m_vectors, rows.begin, part);
        }
    });
    barrier();
    if (m_member.index() == 0) {
        for (std::size_t i = 0; i < count; ++i) {
            if (wantsTop) {
                for (unsigned other = 1; other < m_member.count(); ++other)
                    candidates[i].merge(m_state.candidates[other][i]);
                candidates[i].append(*m_state.out);
            } else {
                const float* row = logits + i * vocabulary;
                m_state.out->values.insert(m_state.out->values.end(), row, row + vocabulary);
                m_state.out->rowWidth = vocabulary;
            }
        }
    }
    barrier();
}

void Walker::run(const graph::HeadOp& op) {
    const backend::OutputRequest& request = *m_state.request;
    if (m_member.index() == 0) m_state.headInput = op.in;
    if (request.kind == OutputKind::Hidden || request.kind == OutputKind::Pooled) return;
    for (std::size_t first = 0; first < m_state.wantedItems.size(); first += kHeadRows)
        headRows(op, first, std::min(kHeadRows, m_state.wantedItems.size() - first));
}

}  // namespace loader::cpu
