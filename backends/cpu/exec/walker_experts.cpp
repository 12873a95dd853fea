// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Mixture of experts: the tokens are sorted by expert, so that each expert's matrices are multiplied with all
// its tokens at once, by the same kernels as everything else.

#include <algorithm>
#include <cmath>

#include "backends/cpu/exec/walker.h"

namespace loader::cpu {

void Walker::run(const graph::RouteOp& op) {
    const ActivationView input = activation(op.in, op.linear.weight);
    const WeightView weights = viewOf(op.linear.weight);
    const std::span<const float> bias = vectorOf(op.linear.bias, m_bias);
    std::vector<std::uint32_t> order(op.experts);
    m_row.resize(op.experts);
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t) {
        multiplyRows(m_context.kernels, weights, 0, op.experts, input.from(t), 1, m_row.data(), op.experts,
                     m_scratch.kernels.view());
        if (!bias.empty()) m_vectors.add(bias.data(), m_row.data(), op.experts);
        addAdapters({op.linear.weight, 0, slot(op.in).row(t), 0, 1}, {0, op.experts}, m_row.data(),
                    op.experts);
        if (op.gating == graph::Gating::Softmax) {
            const float sum =
                m_vectors.expRow(m_row.data(), m_vectors.maximum(m_row.data(), op.experts), op.experts);
            for (float& x : m_row)
                x /= sum;
        } else {
            for (float& x : m_row)
                x = 1.0f / (1.0f + std::exp(-x));
        }
        for (std::uint32_t e = 0; e < op.experts; ++e)
            order[e] = e;
        std::partial_sort(order.begin(), order.begin() + op.used, order.end(),
                          [&](std::uint32_t a, std::uint32_t b) {
                              return m_row[a] > m_row[b] || (m_row[a] == m_row[b] && a < b);
                          });
        float sum = 0.0f;
        for (std::uint32_t k = 0; k < op.used; ++k)
            sum += m_row[order[k]];
        const float scale = (op.normalise ? 1.0f / sum : 1.0f) * op.scale;
        float* out = slot(op.out).row(t);
        for (std::uint32_t k = 0; k < op.used; ++k) {
            out[k] = static_cast<float>(order[k]);
            out[op.used + k] = m_row[order[k]] * scale;
        }
    }
    written(op.out, 0);
    m_member.barrier();
}

/// Sorts the (token, choice) pairs by expert and copies the tokens' rows into that order.
void Walker::gatherRouted(const graph::ExpertGateUpOp& op) {
    RoutedRows& routed = m_state.routed;
    if (m_member.index() == 0) {
        routed.begins.assign(op.experts + 1, 0);
        routed.items.resize(tokens() * op.used);
        routed.rows.resize(tokens() * op.used);
        const auto expertOf = [&](std::size_t t, std::uint32_t k) {
            return static_cast<std::uint32_t>(slot(op.routing).row(t)[k]);
        };
        for (std::size_t t = 0; t < tokens(); ++t) {
            for (std::uint32_t k = 0; k < op.used; ++k)
                ++routed.begins[expertOf(t, k) + 1];
        }
        for (std::uint32_t e = 0; e < op.experts; ++e)
            routed.begins[e + 1] += routed.begins[e];
        std::vector<std::uint32_t> next(routed.begins.begin(), routed.begins.end() - 1);
        for (std::size_t t = 0; t < tokens(); ++t) {
            for (std::uint32_t k = 0; k < op.used; ++k) {
                const std::uint32_t row = next[expertOf(t, k)]++;
                routed.items[row] = static_cast<std::uint32_t>(t);
                routed.rows[t * op.used + k] = row;
            }
        }
    }
    m_member.barrier();
    const auto share = m_member.share(routed.items.size());
    for (std::size_t r = share.begin; r < share.end; ++r) {
        std::copy_n(slot(op.in).row(routed.items[r]), routed.input.width(), routed.input.row(r));
        for (std::size_t k = 1; k < kActivationKinds; ++k) {
            const auto kind = static_cast<ActivationKind>(k);
            if ((m_context.plan.expertInKinds & kindBit(kind)) == 0) continue;
            quantizeActivation(m_context.kernels, kind, routed.input.row(r), routed.input.width(),
                               routed.input.record(kind, r));
        }
    }
    m_member.barrier();
}

/// This member's rows of every expert's matrix, times the routed rows of that expert.
void Walker::multiplyExperts(graph::TensorId first, bool separate, std::uint32_t experts,
                             const SlotRows& input, float* out, std::size_t stride) {
    const RoutedRows& routed = m_state.routed;
    for (std::uint32_t e = 0; e < experts; ++e) {
        const std::size_t begin = routed.begins[e];
        const std::size_t count = routed.begins[e + 1] - begin;
        if (count == 0) continue;
        const WeightView weights = separate ? viewOf(first + e) : viewOf(first, e);
        const ActivationKind kind = m_context.kernels.activationKind(weights.type);
        const auto rows = m_member.share(weights.rows, kPanelRows);
        if (rows.begin == rows.end) continue;
        multiplyRows(m_context.kernels, weights, rows.begin, rows.end, input.view(kind, begin), count,
                     out + begin * stride, stride, m_scratch.kernels.view());
    }
}

void Walker::run(const graph::ExpertGateUpOp& op) {
    gatherRouted(op);
    RoutedRows& routed = m_state.routed;
    const std::size_t stride = routed.hidden.stride();
    multiplyExperts(op.up, op.separate, op.experts, routed.input, routed.hidden.row(0), stride);
    multiplyExperts(op.gate, op.separate, op.experts, routed.input, routed.gate.floats(), stride);
    m_member.barrier();
    const auto share = m_member.share(routed.items.size());
    for (std::size_t r = share.begin; r < share.end; ++r) {
        activate(op.activation, routed.gate.floats() + r * stride, routed.hidden.row(r),
                 routed.hidden.width());
        for (std::size_t k = 1; k < kActivationKinds; ++k) {
            const auto kind = static_cast<ActivationKind>(k);
            if ((m_context.plan.expertHiddenKinds & kindBit(kind)) == 0) continue;
            quantizeActivation(m_context.kernels, kind, routed.hidden.row(r), routed.hidden.width(),
                               routed.hidden.record(kind, r));
        }
    }
    m_member.barrier();
}

void Walker::run(const graph::ExpertDownOp& op) {
    RoutedRows& routed = m_state.routed;
    const std::size_t stride = routed.input.stride();
    multiplyExperts(op.down, op.separate, op.experts, routed.hidden, routed.output.floats(), stride);
    m_member.barrier();
    const std::size_t width = weightRef(op.down).rows;
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t) {
        float* out = slot(op.out).row(t);
        if (!op.accumulate) std::fill_n(out, width, 0.0f);
        for (std::uint32_t k = 0; k < op.used; ++k) {
            const float* row = routed.output.floats() + routed.rows[t * op.used + k] * stride;
            m_vectors.axpy(slot(op.routing).row(t)[op.used + k], row, out, width);
        }
    }
    finishWrittenByRows(op.out);
}

}  // namespace loader::cpu
