// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Mixture of experts: the tokens are sorted by expert, so that each expert's matrices are multiplied with all
// its tokens at once, by the same kernels as everything else.

#include <algorithm>
#include <array>
#include <cmath>

#include "backends/cpu/exec/walker.h"

namespace loader::cpu {

void Walker::run(const graph::RouteOp& op) {
    // Token by token, and a choice between experts should not turn on a rounding.
    const ActivationView input =
        form(op.in, m_context.kernels.activationKind(weightRef(op.linear.weight).type));
    const WeightView weights = viewOf(op.linear.weight);
    const std::span<const float> bias = vectorOf(op.linear.bias, m_bias);
    std::vector<std::uint32_t> order(op.experts);
    m_row.resize(op.experts);
    beforeWrite(op.out);
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t) {
        multiplyRows(m_context.kernels, weights, 0, op.experts, input.from(t), 1, m_row.data(), op.experts,
                     m_scratch.kernels.view());
        if (!bias.empty()) m_vectors.add(bias.data(), m_row.data(), op.experts);
        addAdapters({op.linear.weight, 0, readable(op.in).row(t), 0, 1}, {0, op.experts}, m_row.data(),
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
    barrier();
    written(op.out, 0);
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
    barrier();
    const auto share = m_member.share(routed.items.size());
    for (std::size_t r = share.begin; r < share.end; ++r) {
        std::copy_n(readable(op.in).row(routed.items[r]), routed.input.width(), routed.input.row(r));
        for (std::size_t k = 1; k < kActivationKinds; ++k) {
            const auto kind = static_cast<ActivationKind>(k);
            if ((m_context.plan.expertInKinds & kindBit(kind)) == 0) continue;
            quantizeActivation(m_context.kernels, kind, routed.input.row(r), routed.input.width(),
                               routed.input.record(kind, r));
        }
    }
    barrier();
}

/// One phase: the rows of every used expert's matrices, times the routed rows of that expert.
void Walker::multiplyExperts(std::span<const ExpertProduct> products, std::uint32_t experts,
                             const SlotRows& input, std::size_t outStride) {
    const RoutedRows& routed = m_state.routed;
    const std::size_t rows = weightRef(products[0].first).rows;
    const std::size_t panels = (rows + kPanelRows - 1) / kPanelRows;
    m_used.clear();
    for (std::uint32_t e = 0; e < experts; ++e) {
        if (routed.begins[e + 1] != routed.begins[e]) m_used.push_back(e);
    }
    const std::size_t units = m_used.size() * products.size() * panels;
    m_state.queue.run(m_member, m_phase++, units, [&](std::size_t begin, std::size_t end) {
        while (begin < end) {
            const std::uint32_t e = m_used[begin / (panels * products.size())];
            const ExpertProduct& product = products[begin / panels % products.size()];
            const std::size_t from = begin % panels;
            const std::size_t to = std::min(panels, from + end - begin);
            const WeightView weights =
                product.separate ? viewOf(product.first + e) : viewOf(product.first, e);
            const ActivationKind kind = m_context.kernels.activationKind(weights.type);
            const std::size_t firstRow = routed.begins[e];
            multiplyRows(m_context.kernels, weights, from * kPanelRows, std::min(rows, to * kPanelRows),
                         input.view(kind, firstRow), routed.begins[e + 1] - firstRow,
                         product.out + firstRow * outStride, outStride, m_scratch.kernels.view());
            begin += to - from;
        }
    });
}

void Walker::run(const graph::ExpertGateUpOp& op) {
    gatherRouted(op);
    RoutedRows& routed = m_state.routed;
    const std::size_t stride = routed.hidden.stride();
    const std::array<ExpertProduct, 2> products{ExpertProduct{op.up, op.separate, routed.hidden.row(0)},
                                                ExpertProduct{op.gate, op.separate, routed.gate.floats()}};
    multiplyExperts(products, op.experts, routed.input, stride);
    barrier();
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
    barrier();
}

void Walker::run(const graph::ExpertDownOp& op) {
    RoutedRows& routed = m_state.routed;
    const std::size_t stride = routed.input.stride();
    const ExpertProduct product{op.down, op.separate, routed.output.floats()};
    multiplyExperts({&product, 1}, op.experts, routed.hidden, stride);
    barrier();
    const std::size_t width = weightRef(op.down).rows;
    beforeWrite(op.out);
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
