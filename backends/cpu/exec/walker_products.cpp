// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Matrices times activations: the projections of attention and feed-forward blocks.

#include <algorithm>
#include <array>
#include <cmath>

#include "backends/cpu/exec/walker.h"

namespace loader::cpu {

using graph::kNone;
using graph::SlotId;
using graph::TensorId;

void Walker::addBias(const Product& product, TeamMember::Range rows) {
    if (product.bias == kNone) return;
    const std::span<const float> values = vectorOf(product.bias, m_bias);
    for (std::size_t t = 0; t < tokens(); ++t) {
        m_vectors.add(values.data() + product.firstRow + rows.begin,
                      product.out + t * product.outStride + rows.begin, rows.end - rows.begin);
    }
}

void Walker::addAdapter(const backend::Adapter& adapter, const AdapterJob& job, TeamMember::Range rows,
                        float* out, std::size_t outStride) {
    const std::size_t columns = weightRef(job.weight).columns;
    for (std::size_t t = 0; t < job.tokens; ++t) {
        const float* in = job.in + t * job.inStride;
        for (std::uint32_t k = 0; k < adapter.rank; ++k) {
            const float inner = adapter.strength * m_vectors.dot(adapter.a.data() + k * columns, in, columns);
            for (std::size_t r = rows.begin; r < rows.end; ++r)
                out[t * outStride + r] += inner * adapter.b[(job.firstRow + r) * adapter.rank + k];
        }
    }
}

void Walker::addAdapters(const AdapterJob& job, TeamMember::Range rows, float* out, std::size_t outStride) {
    for (const backend::Adapter& adapter : m_context.adapters) {
        if (adapter.target == job.weight) addAdapter(adapter, job, rows, out, outStride);
    }
}

Walker::Product Walker::product(const graph::Linear& linear, SlotId in, SlotId out, OutputMode mode) {
    Product product;
    product.weight = linear.weight;
    product.bias = linear.bias;
    product.rows = viewOf(linear.weight);
    product.input = activation(in, linear.weight);
    product.in = readable(in).row(0);
    product.inStride = readable(in).stride();
    product.out = slot(out).row(0);
    product.outStride = slot(out).stride();
    product.mode = mode;
    beforeWrite(out);
    return product;
}

Walker::Product Walker::sideProduct(const graph::Linear& linear, SlotId in) {
    Product product;
    product.weight = linear.weight;
    product.bias = linear.bias;
    product.rows = viewOf(linear.weight);
    product.input = activation(in, linear.weight);
    product.in = readable(in).row(0);
    product.inStride = readable(in).stride();
    product.out = m_state.side.floats();
    product.outStride = m_state.sideStride;
    return product;
}

void Walker::multiply(const Product& product, TeamMember::Range rows) {
    multiplyRows(m_context.kernels, product.rows, rows.begin, rows.end, product.input, tokens(), product.out,
                 product.outStride, m_scratch.kernels.view(), product.mode);
    addBias(product, rows);
    addAdapters({product.weight, product.firstRow, product.in, product.inStride, tokens()}, rows, product.out,
                product.outStride);
}

void Walker::multiplyAll(std::span<const Product> products) {
    const auto panelsOf = [](const Product& product) {
        return (product.rows.rows + kPanelRows - 1) / kPanelRows;
    };
    std::size_t panels = 0;
    for (const Product& product : products)
        panels += panelsOf(product);
    m_state.queue.run(m_member, m_phase++, panels, [&](std::size_t begin, std::size_t end) {
        std::size_t first = 0;
        for (const Product& product : products) {
            const std::size_t last = first + panelsOf(product);
            const std::size_t from = std::max(begin, first);
            const std::size_t to = std::min(end, last);
            if (from < to) {
                multiply(product, {(from - first) * kPanelRows,
                                   std::min(product.rows.rows, (to - first) * kPanelRows)});
            }
            first = last;
        }
    });
}

void Walker::normHeads(const graph::QkvOp& op) {
    const auto normAll = [&](SlotId id, std::uint32_t heads, TensorId weightId) {
        if (weightId == kNone) return;
        const std::span<const float> weight = vectorOf(weightId, m_weight);
        const auto share = m_member.share(tokens() * heads);
        for (std::size_t i = share.begin; i < share.end; ++i) {
            float* head = slot(id).row(i / heads) + i % heads * op.keyLength;
            const double meanSquare = m_vectors.sumSquares(head, op.keyLength) / op.keyLength;
            const auto factor = static_cast<float>(1.0 / std::sqrt(meanSquare + op.normEpsilon));
            m_vectors.scale(head, factor, weight.data(), head, op.keyLength);
        }
    };
    if (op.queryNorm == kNone && op.keyNorm == kNone) return;
    normAll(op.queryOut, op.heads, op.queryNorm);
    normAll(op.keyOut, op.kvHeads, op.keyNorm);
    barrier();
}

void Walker::run(const graph::QkvOp& op) {
    const std::array<SlotId, 3> outs{op.queryOut, op.keyOut, op.valueOut};
    std::array<Product, 3> products;
    if (op.fused.present()) {
        const std::array<std::size_t, 3> rows{std::size_t{op.heads} * op.keyLength,
                                              std::size_t{op.kvHeads} * op.keyLength,
                                              std::size_t{op.kvHeads} * op.valueLength};
        std::size_t firstRow = 0;
        for (std::size_t i = 0; i < products.size(); ++i) {
            products[i] = product(op.fused, op.in, outs[i]);
            products[i].rows.data += firstRow * products[i].rows.rowBytes;
            products[i].rows.rows = rows[i];
            products[i].firstRow = firstRow;
            firstRow += rows[i];
        }
    } else {
        products = {product(op.query, op.in, op.queryOut), product(op.key, op.in, op.keyOut),
                    product(op.value, op.in, op.valueOut)};
    }
    multiplyAll(products);
    barrier();
    for (SlotId id : outs)
        written(id, 0);
    normHeads(op);
}

void Walker::run(const graph::ProjectOp& op) {
    const OutputMode mode = op.accumulate ? OutputMode::Add : OutputMode::Store;
    if (op.scale == 1.0f) {
        const Product whole = product(op.linear, op.in, op.out, mode);
        multiplyAll({&whole, 1});
    } else {
        const Product whole = sideProduct(op.linear, op.in);
        beforeWrite(op.out);
        shareRows(whole.rows.rows, [&](TeamMember::Range rows) {
            multiply(whole, rows);
            for (std::size_t t = 0; t < tokens(); ++t) {
                float* row = slot(op.out).row(t);
                if (!op.accumulate) std::fill(row + rows.begin, row + rows.end, 0.0f);
                m_vectors.axpy(op.scale, whole.out + t * whole.outStride + rows.begin, row + rows.begin,
                               rows.end - rows.begin);
            }
        });
    }
    finishWrittenByRows(op.out);
}

void Walker::activate(graph::Activation activation, const float* gate, float* out, std::size_t count) const {
    // With a gate: out holds the up projection. Without: out holds the argument itself.
    const float* argument = gate ? gate : out;
    const float* up = gate ? out : nullptr;
    switch (activation) {
        case graph::Activation::Silu: m_vectors.siluMultiply(argument, up, out, count); return;
        case graph::Activation::GeluTanh: m_vectors.geluMultiply(argument, up, out, count); return;
        case graph::Activation::Relu:
            for (std::size_t i = 0; i < count; ++i)
                out[i] = std::max(argument[i], 0.0f) * (gate ? out[i] : 1.0f);
            return;
    }
}

void Walker::run(const graph::GateUpOp& op) {
    const Product up = product(op.up, op.in, op.out);
    Product gate;
    if (op.gate.present()) gate = sideProduct(op.gate, op.in);
    // Panel by panel, so that the activation finds both results in the cache.
    const auto panel = [&](TeamMember::Range rows) {
        multiply(up, rows);
        if (op.gate.present()) multiply(gate, rows);
        for (std::size_t t = 0; t < tokens(); ++t) {
            const float* argument = op.gate.present() ? gate.out + t * gate.outStride + rows.begin : nullptr;
            activate(op.activation, argument, up.out + t * up.outStride + rows.begin, rows.end - rows.begin);
        }
    };
    shareRows(up.rows.rows, [&](TeamMember::Range rows) {
        // Few tokens read the weights as two long streams instead.
        const std::size_t step = few() ? rows.end - rows.begin : kPanelRows;
        for (std::size_t begin = rows.begin; begin < rows.end; begin += step)
            panel({begin, std::min(rows.end, begin + step)});
    });
    finishWrittenByRows(op.out);
}

}  // namespace loader::cpu
