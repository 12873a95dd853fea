// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/walker.h"

#include <algorithm>
#include <cmath>

#include "backends/api/top_tokens.h"
#include "core/engine/quant/dequantize.h"

namespace loader::cpu {

using graph::kNone;
using graph::SlotId;
using graph::TensorId;

Walker::Walker(const ExecutorContext& context, StepState& state, MemberScratch& scratch, TeamMember& member,
               CancelToken cancel)
    : m_context(context),
      m_state(state),
      m_scratch(scratch),
      m_member(member),
      m_cancel(cancel),
      m_vectors(context.kernels.vectors),
      m_valid(context.program.slots.size(), 0) {}

void Walker::walk() {
    placeRows();
    makeAngles();
    m_member.barrier();
    for (const PlannedSegment& segment : m_context.plan.segments) {
        // One member asks, all obey: two answers to the same question would part the team.
        if (m_member.index() == 0 && m_cancel.cancelled())
            m_state.cancelled.store(true, std::memory_order_relaxed);
        m_member.barrier();
        if (m_state.cancelled.load(std::memory_order_relaxed)) return;
        for (const PlannedOp& planned : segment.ops) {
            m_wanted = planned.wanted;
            std::visit([this](const auto& op) { run(op); }, *planned.op);
        }
    }
}

void Walker::placeRows() {
    const graph::Segment& first = *m_context.plan.segments.front().segment;
    std::vector<SlotId> slots = first.carried;
    if (first.kind == graph::SegmentKind::Embedding)
        slots = {std::get<graph::EmbedOp>(first.ops.front()).out};
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t) {
        const float* from = m_state.items[t].row;
        if (m_state.items[t].token != kNoToken || !from) continue;
        for (SlotId id : slots) {
            std::copy_n(from, slot(id).width(), slot(id).row(t));
            from += slot(id).width();
        }
    }
}

void Walker::makeAngles() {
    const auto share = m_member.share(tokens());
    for (std::uint32_t id : m_context.plan.ropes) {
        Angles& angles = m_state.angles[id];
        const double magnitude = m_context.program.ropes[id].magnitude;
        const std::size_t pairs = angles.frequencies.size();
        for (std::size_t t = share.begin; t < share.end; ++t) {
            const double position = m_state.items[t].position[0];
            for (std::size_t i = 0; i < pairs; ++i) {
                const double angle = position * angles.frequencies[i];
                angles.cosines.floats()[t * pairs + i] = static_cast<float>(std::cos(angle) * magnitude);
                angles.sines.floats()[t * pairs + i] = static_cast<float>(std::sin(angle) * magnitude);
            }
        }
    }
}

WeightView Walker::viewOf(TensorId id, std::size_t slice) const {
    const graph::WeightRef& weight = weightRef(id);
    const std::byte* data = m_context.weights[id].bytes.data() + slice * weight.rows * weight.rowBytes;
    return {weight.type, data, weight.rows, weight.columns, weight.rowBytes};
}

TeamMember::Range Walker::rowShare(std::size_t rows) const {
    return m_member.share(rows, tokens() >= kPanelTokens ? kPanelRows : 4);
}

void Walker::quantizeRow(SlotId id, std::size_t token, KindSet kinds) {
    SlotRows& rows = slot(id);
    for (std::size_t k = 1; k < kActivationKinds; ++k) {
        const auto kind = static_cast<ActivationKind>(k);
        if ((kinds & kindBit(kind)) == 0) continue;
        quantizeActivation(m_context.kernels, kind, rows.row(token), rows.width(), rows.record(kind, token));
    }
}

ActivationView Walker::activation(SlotId id, TensorId weight) {
    const ActivationKind kind = m_context.kernels.activationKind(weightRef(weight).type);
    if (kind != ActivationKind::F32 && (m_valid[id] & kindBit(kind)) == 0) {
        const auto share = m_member.share(tokens());
        for (std::size_t t = share.begin; t < share.end; ++t)
            quantizeRow(id, t, kindBit(kind));
        m_valid[id] |= kindBit(kind);
        m_member.barrier();
    }
    return slot(id).view(kind);
}

void Walker::finishWrittenByRows(SlotId id) {
    m_member.barrier();
    written(id, 0);
    if ((m_wanted & ~kindBit(ActivationKind::F32)) == 0) return;
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t)
        quantizeRow(id, t, m_wanted);
    written(id, m_wanted);
    m_member.barrier();
}

std::span<const float> Walker::vectorOf(TensorId id, std::vector<float>& storage) const {
    if (id == kNone) return {};
    const graph::WeightRef& weight = weightRef(id);
    const std::byte* data = m_context.weights[id].bytes.data();
    const bool inPlace =
        weight.type == quant::TensorType::F32 && reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0;
    if (inPlace) return {reinterpret_cast<const float*>(data), static_cast<std::size_t>(weight.columns)};
    storage.resize(weight.columns);
    quant::dequantizeRow(weight.type, data, storage.data(), weight.columns);
    return storage;
}

void Walker::run(const graph::EmbedOp& op) {
    const auto share = m_member.share(tokens());
    const WeightView table = viewOf(op.tokens);
    SlotRows& out = slot(op.out);
    for (std::size_t t = share.begin; t < share.end; ++t) {
        const backend::BatchItem& item = m_state.items[t];
        if (item.token == kNoToken) continue;
        const std::byte* row = table.data + static_cast<std::size_t>(item.token) * table.rowBytes;
        quant::dequantizeRow(table.type, row, out.row(t), table.columns);
        if (op.scale != 1.0f) m_vectors.scale(out.row(t), op.scale, nullptr, out.row(t), out.width());
        if (op.positions == kNone) continue;
        const WeightView positions = viewOf(op.positions);
        m_row.resize(positions.columns);
        quant::dequantizeRow(positions.type, positions.data + item.position[0] * positions.rowBytes,
                             m_row.data(), positions.columns);
        m_vectors.add(m_row.data(), out.row(t), out.width());
    }
    written(op.out, 0);
    m_member.barrier();
}

void Walker::run(const graph::NormOp& op) {
    const std::span<const float> weight = vectorOf(op.weight, m_weight);
    const std::span<const float> bias = vectorOf(op.bias, m_bias);
    const std::size_t width = weight.size();
    m_row.resize(width);
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t) {
        const float* in = slot(op.in).row(t);
        float* out = op.accumulate ? m_row.data() : slot(op.out).row(t);
        if (op.kind == graph::NormKind::Layer) {
            const auto mean = static_cast<float>(m_vectors.sum(in, width) / static_cast<double>(width));
            for (std::size_t i = 0; i < width; ++i)
                out[i] = in[i] - mean;
            in = out;
        }
        const double meanSquare = m_vectors.sumSquares(in, width) / static_cast<double>(width);
        const auto factor = static_cast<float>(1.0 / std::sqrt(meanSquare + op.epsilon));
        m_vectors.scale(in, factor, weight.data(), out, width);
        if (!bias.empty()) m_vectors.add(bias.data(), out, width);
        if (op.accumulate) m_vectors.add(out, slot(op.out).row(t), width);
        quantizeRow(op.out, t, m_wanted);
    }
    written(op.out, m_wanted);
    m_member.barrier();
}

void Walker::addBias(TensorId bias, std::size_t rowOffset, TeamMember::Range rows, float* out,
                     std::size_t outStride) {
    if (bias == kNone) return;
    const std::span<const float> values = vectorOf(bias, m_bias);
    for (std::size_t t = 0; t < tokens(); ++t) {
        m_vectors.add(values.data() + rowOffset + rows.begin, out + t * outStride + rows.begin,
                      rows.end - rows.begin);
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

void Walker::multiply(const graph::Linear& linear, SlotId in, float* out, std::size_t outStride,
                      OutputMode mode) {
    const ActivationView input = activation(in, linear.weight);
    const WeightView weights = viewOf(linear.weight);
    const TeamMember::Range rows = rowShare(weights.rows);
    if (rows.begin == rows.end) return;
    multiplyRows(m_context.kernels, weights, rows.begin, rows.end, input, tokens(), out, outStride,
                 m_scratch.kernels.view(), mode);
    addBias(linear.bias, 0, rows, out, outStride);
    addAdapters({linear.weight, 0, slot(in).row(0), slot(in).stride(), tokens()}, rows, out, outStride);
}

void Walker::multiplyFused(const graph::QkvOp& op) {
    const ActivationView input = activation(op.in, op.fused.weight);
    WeightView weights = viewOf(op.fused.weight);
    std::size_t offset = 0;
    const auto part = [&](SlotId id, std::size_t rows) {
        WeightView view = weights;
        view.data += offset * weights.rowBytes;
        view.rows = rows;
        const TeamMember::Range share = rowShare(rows);
        if (share.begin != share.end) {
            multiplyRows(m_context.kernels, view, share.begin, share.end, input, tokens(), slot(id).row(0),
                         slot(id).stride(), m_scratch.kernels.view());
            addBias(op.fused.bias, offset, share, slot(id).row(0), slot(id).stride());
            addAdapters({op.fused.weight, offset, slot(op.in).row(0), slot(op.in).stride(), tokens()}, share,
                        slot(id).row(0), slot(id).stride());
        }
        offset += rows;
    };
    part(op.queryOut, std::size_t{op.heads} * op.keyLength);
    part(op.keyOut, std::size_t{op.kvHeads} * op.keyLength);
    part(op.valueOut, std::size_t{op.kvHeads} * op.valueLength);
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
    m_member.barrier();
}

void Walker::run(const graph::QkvOp& op) {
    if (op.fused.present()) {
        multiplyFused(op);
    } else {
        const auto part = [&](const graph::Linear& linear, SlotId out) {
            multiply(linear, op.in, slot(out).row(0), slot(out).stride(), OutputMode::Store);
        };
        part(op.query, op.queryOut);
        part(op.key, op.keyOut);
        part(op.value, op.valueOut);
    }
    for (SlotId id : {op.queryOut, op.keyOut, op.valueOut})
        written(id, 0);
    m_member.barrier();
    normHeads(op);
}

void Walker::rotate(const graph::Rope& rope, const Angles& angles, std::size_t token, float* head) const {
    const std::size_t pairs = angles.frequencies.size();
    const float* cosines = angles.cosines.floats() + token * pairs;
    const float* sines = angles.sines.floats() + token * pairs;
    const bool adjacent = rope.pairs == graph::RopePairs::Adjacent;
    for (std::size_t i = 0; i < pairs; ++i) {
        float& x = head[adjacent ? 2 * i : i];
        float& y = head[adjacent ? 2 * i + 1 : i + pairs];
        const float turnedX = x * cosines[i] - y * sines[i];
        y = x * sines[i] + y * cosines[i];
        x = turnedX;
    }
}

void Walker::run(const graph::RopeStoreOp& op) {
    const graph::KvLayer& kv = m_context.program.kvLayers[op.kvLayer];
    const graph::Rope* rope = op.rope == kNone ? nullptr : &m_context.program.ropes[op.rope];
    const Angles* angles = op.rope == kNone ? nullptr : &m_state.angles[op.rope];
    const std::uint32_t group = op.heads / kv.kvHeads;
    const auto share = m_member.share(tokens() * kv.kvHeads);
    for (std::size_t i = share.begin; i < share.end; ++i) {
        const std::size_t t = i / kv.kvHeads;
        const auto kvHead = static_cast<std::uint32_t>(i % kv.kvHeads);
        const backend::BatchItem& item = m_state.items[t];
        float* key = slot(op.key).row(t) + std::size_t{kvHead} * kv.keyLength;
        const float* value = slot(op.value).row(t) + std::size_t{kvHead} * kv.valueLength;
        if (rope) {
            rotate(*rope, *angles, t, key);
            for (std::uint32_t h = kvHead * group; h < (kvHead + 1) * group; ++h) {
                rotate(*rope, *angles, t, slot(op.query).row(t) + std::size_t{h} * kv.keyLength);
            }
        }
        m_state.cache->store(m_vectors, {op.kvLayer, item.sequence, kvHead}, item.position[0], key, value);
    }
    m_member.barrier();
}

void Walker::run(const graph::AttendOp& op) {
    const graph::KvLayer& kv = m_context.program.kvLayers[op.kvLayer];
    const std::uint32_t group = op.heads / kv.kvHeads;
    const auto share = m_member.share(m_state.tiles.size() * kv.kvHeads);
    for (std::size_t i = share.begin; i < share.end; ++i) {
        const TokenTile& tile = m_state.tiles[i / kv.kvHeads];
        const auto kvHead = static_cast<std::uint32_t>(i % kv.kvHeads);
        const backend::BatchItem& first = m_state.items[tile.firstItem];
        AttentionJob job;
        job.layer = &kv;
        job.place = {op.kvLayer, first.sequence, kvHead};
        job.group = group;
        job.scale = op.scale;
        job.softcap = op.softcap;
        job.tokens = tile.count;
        job.firstPosition = first.position[0];
        job.visibleEnds = m_state.visibleEnds.data() + tile.firstItem;
        job.queries = slot(op.query).row(tile.firstItem) + std::size_t{kvHead} * group * kv.keyLength;
        job.queryStride = slot(op.query).stride();
        job.out = slot(op.out).row(tile.firstItem) + std::size_t{kvHead} * group * kv.valueLength;
        job.outStride = slot(op.out).stride();
        attend(m_vectors, *m_state.cache, job, m_scratch.attention);
    }
    finishWrittenByRows(op.out);
}

void Walker::run(const graph::ProjectOp& op) {
    SlotRows& out = slot(op.out);
    if (op.scale == 1.0f) {
        multiply(op.linear, op.in, out.row(0), out.stride(),
                 op.accumulate ? OutputMode::Add : OutputMode::Store);
    } else {
        multiply(op.linear, op.in, m_state.side.floats(), m_state.sideStride, OutputMode::Store);
        const TeamMember::Range rows = rowShare(weightRef(op.linear.weight).rows);
        for (std::size_t t = 0; t < tokens(); ++t) {
            float* row = out.row(t);
            if (!op.accumulate) std::fill(row + rows.begin, row + rows.end, 0.0f);
            m_vectors.axpy(op.scale, m_state.side.floats() + t * m_state.sideStride + rows.begin,
                           row + rows.begin, rows.end - rows.begin);
        }
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
    SlotRows& out = slot(op.out);
    multiply(op.up, op.in, out.row(0), out.stride(), OutputMode::Store);
    if (op.gate.present())
        multiply(op.gate, op.in, m_state.side.floats(), m_state.sideStride, OutputMode::Store);
    const TeamMember::Range rows = rowShare(weightRef(op.up.weight).rows);
    for (std::size_t t = 0; t < tokens(); ++t) {
        const float* gate =
            op.gate.present() ? m_state.side.floats() + t * m_state.sideStride + rows.begin : nullptr;
        activate(op.activation, gate, out.row(t) + rows.begin, rows.end - rows.begin);
    }
    finishWrittenByRows(op.out);
}

void Walker::headRows(const graph::HeadOp& op, std::size_t first, std::size_t count) {
    const ActivationKind kind = m_context.kernels.activationKind(weightRef(op.linear.weight).type);
    SlotRows& gathered = m_state.headRows;
    const auto share = m_member.share(count);
    for (std::size_t i = share.begin; i < share.end; ++i) {
        std::copy_n(slot(op.in).row(m_state.wantedItems[first + i]), gathered.width(), gathered.row(i));
        if (kind == ActivationKind::F32) continue;
        quantizeActivation(m_context.kernels, kind, gathered.row(i), gathered.width(),
                           gathered.record(kind, i));
    }
    m_member.barrier();

    const WeightView weights = viewOf(op.linear.weight);
    const TeamMember::Range rows = m_member.share(weights.rows, count >= kPanelTokens ? kPanelRows : 4);
    float* logits = m_state.headLogits.floats();
    if (rows.begin != rows.end) {
        multiplyRows(m_context.kernels, weights, rows.begin, rows.end, gathered.view(kind), count, logits,
                     weights.rows, m_scratch.kernels.view());
        addAdapters({op.linear.weight, 0, gathered.row(0), gathered.stride(), count}, rows, logits,
                    weights.rows);
    }
    const std::span<const float> bias = vectorOf(op.linear.bias, m_bias);
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t r = rows.begin; r < rows.end; ++r) {
            float& logit = logits[i * weights.rows + r];
            logit = op.scale * (logit + (bias.empty() ? 0.0f : bias[r]));
            if (op.softcap != 0.0f) logit = op.softcap * std::tanh(logit / op.softcap);
        }
    }
    m_member.barrier();
}

void Walker::run(const graph::HeadOp& op) {
    const backend::OutputRequest& request = *m_state.request;
    if (m_member.index() == 0) m_state.headInput = op.in;
    if (request.kind == backend::OutputKind::Hidden || request.kind == backend::OutputKind::Pooled) return;
    const std::size_t vocabulary = weightRef(op.linear.weight).rows;
    for (std::size_t first = 0; first < m_state.wantedItems.size(); first += kHeadRows) {
        const std::size_t count = std::min(kHeadRows, m_state.wantedItems.size() - first);
        headRows(op, first, count);
        if (m_member.index() == 0) {
            for (std::size_t i = 0; i < count; ++i) {
                appendLogits({m_state.headLogits.floats() + i * vocabulary, vocabulary}, request,
                             *m_state.out);
            }
        }
        m_member.barrier();
    }
}

}  // namespace loader::cpu
