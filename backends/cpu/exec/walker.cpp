// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/walker.h"

#include <algorithm>
#include <cmath>

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
      m_valid(context.program.slots.size(), 0),
      m_ownForms(m_valid.size(), 0),
      m_ownRows(m_valid.size(), 0),
      m_unfenced(m_valid.size(), 0) {}

void Walker::walk() {
    placeRows();
    makeAngles();
    barrier();
    const std::vector<PlannedSegment>& segments = m_context.plan.segments;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        if (cancelled(i)) return;
        const std::uint32_t before = m_barriers;
        for (const PlannedOp& planned : segments[i].ops) {
            m_wanted = planned.wanted;
            std::visit([this](const auto& op) { run(op); }, *planned.op);
        }
        if (m_barriers == before) barrier();  // cancelled() counts on one
    }
}

void Walker::barrier() {
    ++m_barriers;
    std::fill(m_unfenced.begin(), m_unfenced.end(), 0);
    m_member.barrier();
}

bool Walker::cancelled(std::size_t segment) {
    // One member asks, all obey: two answers to the same question would part the team. The answer is read a
    // segment later, behind a barrier, and so costs none of its own.
    if (m_member.index() == 0)
        m_state.cancelAnswers[segment % 2].store(m_cancel.cancelled(), std::memory_order_relaxed);
    if (segment == 0 || !m_state.cancelAnswers[(segment - 1) % 2].load(std::memory_order_relaxed))
        return false;
    if (m_member.index() == 0) m_state.cancelled.store(true, std::memory_order_relaxed);
    return true;
}

void Walker::beforeWrite(SlotId id) {
    if (m_unfenced[id] != 0) barrier();
}

void Walker::written(SlotId id, KindSet made) {
    m_valid[id] = made | kindBit(ActivationKind::F32);
    m_ownForms[id] = 0;
    m_ownRows[id] = 0;
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

void Walker::quantizeRow(SlotRows& rows, std::size_t token, KindSet kinds) {
    for (std::size_t k = 1; k < kActivationKinds; ++k) {
        const auto kind = static_cast<ActivationKind>(k);
        if ((kinds & kindBit(kind)) == 0) continue;
        if (onlyForManyTokens(kind) && tokens() < kPanelTokens) continue;
        quantizeActivation(m_context.kernels, kind, rows.row(token), rows.width(), rows.record(kind, token));
    }
}

ActivationView Walker::activation(SlotId id, TensorId weight) {
    const quant::TensorType type = weightRef(weight).type;
    return form(id, tokens() >= kPanelTokens ? m_context.kernels.wideActivationKind(type)
                                             : m_context.kernels.activationKind(type));
}

ActivationView Walker::form(SlotId id, ActivationKind kind) {
    if (kind == ActivationKind::F32) return readable(id).view(kind);
    if ((m_valid[id] & kindBit(kind)) != 0 && m_ownRows[id] == 0) return slot(id).view(kind);
    if (few()) {
        SlotRows& own = m_scratch.local[id];
        if ((m_ownForms[id] & kindBit(kind)) == 0) {
            for (std::size_t t = 0; t < tokens(); ++t)
                quantizeActivation(m_context.kernels, kind, readable(id).row(t), own.width(),
                                   own.record(kind, t));
            m_ownForms[id] |= kindBit(kind);
            if (m_ownRows[id] == 0) readUnfenced(id);
        }
        return own.view(kind);
    }
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t)
        quantizeRow(slot(id), t, kindBit(kind));
    m_valid[id] |= kindBit(kind);
    barrier();
    return slot(id).view(kind);
}

void Walker::finishWrittenByRows(SlotId id) {
    barrier();
    written(id, 0);
    // Of few tokens, each member makes the forms that it needs for itself.
    if (few() || (m_wanted & ~kindBit(ActivationKind::F32)) == 0) return;
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t)
        quantizeRow(slot(id), t, m_wanted);
    written(id, m_wanted);
    barrier();
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
    beforeWrite(op.out);
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
    barrier();
    written(op.out, 0);
}

void Walker::normRow(const graph::NormOp& op, const float* in, float* out, std::span<const float> weight,
                     std::span<const float> bias) const {
    const std::size_t width = weight.size();
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
}

void Walker::run(const graph::NormOp& op) {
    const std::span<const float> weight = vectorOf(op.weight, m_weight);
    const std::span<const float> bias = vectorOf(op.bias, m_bias);
    if (few() && !op.accumulate && m_context.plan.projectedOnly[op.out]) {
        for (std::size_t t = 0; t < tokens(); ++t)
            normRow(op, readable(op.in).row(t), m_scratch.local[op.out].row(t), weight, bias);
        m_ownRows[op.out] = 1;
        m_ownForms[op.out] = 0;
        readUnfenced(op.in);
        return;
    }
    m_row.resize(weight.size());
    beforeWrite(op.out);
    const auto share = m_member.share(tokens());
    for (std::size_t t = share.begin; t < share.end; ++t) {
        float* row = slot(op.out).row(t);
        normRow(op, readable(op.in).row(t), op.accumulate ? m_row.data() : row, weight, bias);
        if (op.accumulate) m_vectors.add(m_row.data(), row, weight.size());
        quantizeRow(slot(op.out), t, m_wanted);
    }
    barrier();
    written(op.out, m_wanted);
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
    beforeWrite(op.query);
    beforeWrite(op.key);
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
    barrier();
}

void Walker::run(const graph::AttendOp& op) {
    const graph::KvLayer& kv = m_context.program.kvLayers[op.kvLayer];
    AttentionJob job;
    job.layer = &kv;
    job.kvLayer = op.kvLayer;
    job.group = op.heads / kv.kvHeads;
    job.scale = op.scale;
    job.softcap = op.softcap;
    job.tiles = m_state.tiles;
    job.items = m_state.items;
    job.visibleEnds = m_state.visibleEnds;
    job.queries = slot(op.query).row(0);
    job.queryStride = slot(op.query).stride();
    job.out = slot(op.out).row(0);
    job.outStride = slot(op.out).stride();
    beforeWrite(op.out);
    const AttentionWork work(m_context.kernels, *m_state.cache, job, m_state.partials);
    // The last first: later tiles see more keys than earlier ones, and short units fill the end better.
    m_state.queue.runEach(m_member, m_phase++, work.units(),
                          [&](std::size_t unit) { work.run(work.units() - 1 - unit, m_scratch.attention); });
    finishWrittenByRows(op.out);
}

}  // namespace loader::cpu
