// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Everything of a step but its products, which are in lowering_products.cpp.

#include "backends/vulkan/exec/lowering.h"

#include <algorithm>

namespace loader::vulkan {

using graph::kNone;
using graph::SlotId;

namespace {

constexpr double kGiga = 1e-9;

}  // namespace

std::uint32_t Lowering::activationNumber(graph::Activation activation) {
    switch (activation) {
        case graph::Activation::Silu: return LOADER_ACTIVATE_SILU;
        case graph::Activation::GeluTanh: return LOADER_ACTIVATE_GELU;
        case graph::Activation::Relu: return LOADER_ACTIVATE_RELU;
    }
    return LOADER_ACTIVATE_NONE;
}

void Lowering::spread(DispatchCommand& dispatch, std::uint32_t count) const {
    const std::uint32_t most = m_context.limits.groupsX;
    dispatch.groups[0] = std::min(count, most);
    dispatch.groups[2] = divideUp(count, most);
}

void Lowering::run(std::vector<DispatchCommand> dispatches, std::vector<std::uint32_t> reads,
                   std::vector<std::uint32_t> writes, double cost) {
    if (m_formed) {
        const std::uint32_t held = slot(m_formed->slot).region;
        if (std::find(writes.begin(), writes.end(), held) != writes.end()) m_formed.reset();
    }
    m_writer.run(std::move(dispatches), reads, writes, cost);
}

CommandList Lowering::inputs(const StepShape& shape, std::span<const SlotId> entering) {
    const SessionLayout& layout = m_context.layout;
    const auto fetch = [&](std::uint64_t word, std::uint64_t words) {
        m_writer.copy({BufferName::Upload, BufferName::Step, word, word, words}, {}, {stepRegion()});
    };
    fetch(layout.itemsOffset, std::uint64_t{shape.tokens} * (sizeof(StepItem) / sizeof(std::uint32_t)));
    for (const auto& [rope, offset] : layout.ropes)
        fetch(offset, std::uint64_t{shape.tokens} * m_context.program.ropes[rope].dims());
    std::uint64_t from = layout.inputOffset;
    for (const SlotId id : entering) {
        const ArenaRows& rows = slot(id);
        const std::uint32_t width = m_context.program.slots[id].width;
        for (std::uint32_t token = 0; token < shape.tokens; ++token) {
            m_writer.copy(
                {BufferName::Upload, BufferName::Arena, from + std::uint64_t{token} * layout.inputWidth,
                 rows.offset + std::uint64_t{token} * rows.stride, width},
                {}, {rows.region});
        }
        from += width;
    }
    return m_writer.take();
}

CommandList Lowering::segment(const graph::Segment& segment, const StepShape& shape) {
    m_shape = shape;
    m_formed.reset();
    for (const graph::Op& op : segment.ops)
        std::visit([this](const auto& concrete) { lower(concrete); }, op);
    return m_writer.take();
}

CommandList Lowering::leaving(const StepShape& shape) {
    std::uint64_t to = 0;
    for (const SlotId id : m_context.layout.leaving) {
        const ArenaRows& rows = slot(id);
        const std::uint32_t width = m_context.program.slots[id].width;
        for (std::uint32_t token = 0; token < shape.tokens; ++token) {
            m_writer.copy(
                {BufferName::Arena, BufferName::Result, rows.offset + std::uint64_t{token} * rows.stride,
                 to + std::uint64_t{token} * m_context.layout.leavingWidth, width},
                {rows.region}, {resultRegion()});
        }
        to += width;
    }
    return m_writer.take();
}

void Lowering::lower(const graph::NormOp& op) {
    const auto width = static_cast<std::uint32_t>(m_context.program.weights[op.weight].columns);
    NormPush push{};
    push.width = width;
    push.rows = m_shape.tokens;
    push.parts = 1;
    push.inOffset = slot(op.in).offset;
    push.inStride = slot(op.in).stride;
    push.outOffset = slot(op.out).offset;
    push.outStride = slot(op.out).stride;
    push.weightOffset = m_context.weights.vectors.at(op.weight);
    push.biasOffset = op.bias == kNone ? LOADER_NONE : m_context.weights.vectors.at(op.bias);
    push.epsilon = op.epsilon;
    push.accumulate = op.accumulate ? 1 : 0;
    DispatchCommand dispatch = make(m_context.kernels.norm(op.kind, width), push, 1, 1);
    spread(dispatch, m_shape.tokens);
    std::vector<std::uint32_t> reads{slot(op.in).region};
    if (op.accumulate) reads.push_back(slot(op.out).region);
    run({dispatch}, reads, {slot(op.out).region});
}

void Lowering::normHeads(SlotId id, std::uint32_t heads, std::uint32_t length, graph::TensorId weight,
                         float epsilon) {
    if (weight == kNone) return;
    NormPush push{};
    push.width = length;
    push.rows = m_shape.tokens;
    push.parts = heads;
    push.inOffset = push.outOffset = slot(id).offset;
    push.inStride = push.outStride = slot(id).stride;
    push.inPartStride = push.outPartStride = length;
    push.weightOffset = m_context.weights.vectors.at(weight);
    push.biasOffset = LOADER_NONE;
    push.epsilon = epsilon;
    DispatchCommand dispatch = make(m_context.kernels.norm(graph::NormKind::Rms, length), push, 1, 1);
    spread(dispatch, m_shape.tokens * heads);
    run({dispatch}, {slot(id).region}, {slot(id).region});
}

void Lowering::lower(const graph::RopeStoreOp& op) {
    const graph::KvLayer& kv = m_context.program.kvLayers[op.kvLayer];
    RopePush push{};
    push.tokens = m_shape.tokens;
    push.heads = op.heads;
    push.kvHeads = kv.kvHeads;
    push.keyLength = kv.keyLength;
    push.valueLength = kv.valueLength;
    bool halves = false;
    if (op.rope != kNone) {
        const graph::Rope& rope = m_context.program.ropes[op.rope];
        push.pairs = rope.dims() / 2;
        push.tableOffset = m_context.layout.ropes.at(op.rope);
        halves = rope.pairs == graph::RopePairs::Halves;
    }
    push.queryOffset = slot(op.query).offset;
    push.queryStride = slot(op.query).stride;
    push.keyOffset = slot(op.key).offset;
    push.keyStride = slot(op.key).stride;
    push.valueOffset = slot(op.value).offset;
    push.valueStride = slot(op.value).stride;
    push.contextTokens = m_context.contextTokens;
    DispatchCommand dispatch = make(m_context.kernels.ropeStore(halves, m_context.kv), push, m_shape.tokens,
                                    std::max(op.heads, kv.kvHeads));
    dispatch.kvLayer = op.kvLayer;
    run({dispatch}, {slot(op.key).region, slot(op.value).region, stepRegion()},
        {slot(op.query).region, kvRegion(op.kvLayer)});
}

void Lowering::lower(const graph::AttendOp& op) {
    const graph::KvLayer& kv = m_context.program.kvLayers[op.kvLayer];
    const std::uint32_t group = op.heads / kv.kvHeads;
    const bool oneToken = m_shape.mixed || m_shape.tokens == 1;
    const Choice choice =
        m_context.kernels.attend(m_context.kv, group, kv.keyLength, kv.valueLength, oneToken);
    const ArenaRows& parts = m_context.layout.attentionParts;
    AttendPush push{};
    push.tokens = m_shape.tokens;
    push.heads = op.heads;
    push.kvHeads = kv.kvHeads;
    push.keyLength = kv.keyLength;
    push.valueLength = kv.valueLength;
    push.window = kv.window;
    push.contextTokens = m_context.contextTokens;
    push.queryOffset = slot(op.query).offset;
    push.queryStride = slot(op.query).stride;
    push.outOffset = slot(op.out).offset;
    push.outStride = slot(op.out).stride;
    push.splits = m_shape.splits;
    push.partOffset = parts.offset;
    push.scale = op.scale;
    push.softcap = op.softcap;
    DispatchCommand dispatch = make(choice.key, push, kv.kvHeads * (group / choice.rows),
                                    divideUp(m_shape.tokens, choice.tokens), m_shape.splits);
    dispatch.kvLayer = op.kvLayer;
    const double cost =
        2.0 * kGiga * m_shape.tokens * op.heads * (kv.keyLength + kv.valueLength) * m_context.contextTokens;
    const bool split = m_shape.splits > 1;
    run({dispatch}, {slot(op.query).region, kvRegion(op.kvLayer), stepRegion()},
        {split ? parts.region : slot(op.out).region}, cost);
    if (!split) return;
    DispatchCommand merge = make(m_context.kernels.attendMerge(), push, m_shape.tokens * op.heads, 1);
    run({merge}, {parts.region}, {slot(op.out).region});
}

void Lowering::activate(graph::Activation activation, const ArenaRows* gate, const ArenaRows& up,
                        const ArenaRows& out, std::uint32_t width) {
    ActivatePush push{};
    push.width = width;
    push.tokens = m_shape.tokens;
    if (gate != nullptr) {
        push.gateOffset = gate->offset;
        push.gateStride = gate->stride;
    }
    push.upOffset = up.offset;
    push.upStride = up.stride;
    push.outOffset = out.offset;
    push.outStride = out.stride;
    push.activation = activationNumber(activation);
    DispatchCommand dispatch = make(m_context.kernels.activate(gate != nullptr), push,
                                    divideUp(width, KernelChoice::kLine), m_shape.tokens);
    std::vector<std::uint32_t> reads{up.region};
    if (gate != nullptr) reads.push_back(gate->region);
    run({dispatch}, reads, {out.region});
}

void Lowering::lower(const graph::GateUpOp& op) {
    const Input input{op.in, m_shape.tokens};
    const ArenaRows& out = slot(op.out);
    if (canPair(op.gate, op.up)) {
        Output output{out};
        output.activation = activationNumber(op.activation);
        pairProduct(m_context.weights.matrices.at(op.up.weight),
                    m_context.weights.matrices.at(op.gate.weight), input, output);
        return;
    }
    if (!op.gate.present() && !hasAdapter(op.up.weight)) {
        Output output{out};
        output.activation = activationNumber(op.activation);
        product(op.up, input, output);
        return;
    }
    product(op.up, input, Output{out});
    const auto width = static_cast<std::uint32_t>(m_context.program.weights[op.up.weight].rows);
    if (!op.gate.present()) {
        activate(op.activation, nullptr, out, out, width);
        return;
    }
    product(op.gate, input, Output{m_context.layout.gate});
    activate(op.activation, &m_context.layout.gate, out, out, width);
}

void Lowering::lower(const graph::RouteOp& op) {
    const ArenaRows& scores = m_context.layout.scores;
    product(op.linear, Input{op.in, m_shape.tokens}, Output{scores});
    RoutePush push{};
    push.tokens = m_shape.tokens;
    push.experts = op.experts;
    push.used = op.used;
    push.scoresOffset = scores.offset;
    push.scoresStride = scores.stride;
    push.outOffset = slot(op.out).offset;
    push.outStride = slot(op.out).stride;
    push.gating = op.gating == graph::Gating::Softmax ? 0 : 1;
    push.normalise = op.normalise ? 1 : 0;
    push.scale = op.scale;
    DispatchCommand dispatch = make(m_context.kernels.route(), push, m_shape.tokens, 1);
    run({dispatch}, {scores.region}, {slot(op.out).region});
}

CommandList Lowering::head(const graph::HeadOp& op, const HeadShape& shape) {
    const SessionLayout& layout = m_context.layout;
    const ArenaRows& logits = layout.logits;
    m_shape = {};
    m_formed.reset();
    m_writer.copy(
        {BufferName::Upload, BufferName::Step, layout.gatherOffset, layout.gatherOffset, shape.rows}, {},
        {stepRegion()});
    if (shape.biases != 0) {
        m_writer.copy({BufferName::Upload, BufferName::Step, layout.biasOffset, layout.biasOffset,
                       std::uint64_t{2} * shape.biases},
                      {}, {stepRegion()});
    }
    Input input{op.in, shape.rows};
    input.gathered = true;
    Output output{logits};
    output.scale = op.scale;
    output.softcap = op.softcap;
    product(op.linear, input, output);
    const std::uint32_t vocabulary = m_context.program.vocabulary;
    if (shape.biases != 0) {
        TokenBiasPush push{};
        push.count = shape.biases;
        push.listOffset = layout.biasOffset;
        push.rows = shape.rows;
        push.logitsOffset = logits.offset;
        push.logitsStride = logits.stride;
        push.vocabulary = vocabulary;
        DispatchCommand dispatch = make(m_context.kernels.tokenBias(), push,
                                        divideUp(shape.biases, KernelChoice::kLine), shape.rows);
        run({dispatch}, {stepRegion(), logits.region}, {logits.region});
    }
    if (shape.top != 0) {
        topTokens(shape);
    } else {
        m_writer.copy({BufferName::Arena, BufferName::Result, logits.offset, 0,
                       std::uint64_t{shape.rows} * logits.stride},
                      {logits.region}, {resultRegion()});
    }
    return m_writer.take();
}

HeadResult Lowering::headResult(const HeadShape& shape) const {
    HeadResult result;
    result.chunks = divideUp(m_context.program.vocabulary, kTopChunk);
    if (shape.top == 0) {
        result.stride = m_context.layout.logits.stride;
        return result;
    }
    result.stride = 2 * shape.top;
    result.sumsOffset = shape.rows * result.stride;
    result.sumsStride = 2 * result.chunks;
    return result;
}

/// Each pass keeps the best of every chunk, until one chunk is left.
void Lowering::topTokens(const HeadShape& shape) {
    const HeadResult result = headResult(shape);
    ArenaRows from = m_context.layout.logits;
    std::uint32_t count = m_context.program.vocabulary;
    for (std::uint32_t pass = 0;; ++pass) {
        const std::uint32_t chunks = divideUp(count, kTopChunk);
        const bool last = chunks == 1;
        const ArenaRows& to = m_context.layout.candidates[pass % 2];
        TopPush push{};
        push.rows = shape.rows;
        push.count = count;
        push.keep = shape.top;
        push.first = pass == 0 ? 1 : 0;
        push.inOffset = from.offset;
        push.inStride = from.stride;
        push.outOffset = last ? 0 : to.offset;
        push.outStride = last ? result.stride : to.stride;
        push.toResult = last ? 1 : 0;
        push.sumsOffset = result.sumsOffset;
        push.sumsStride = result.sumsStride;
        DispatchCommand dispatch = make(m_context.kernels.topTokens(), push, chunks, shape.rows);
        std::vector<std::uint32_t> writes{last ? resultRegion() : to.region};
        if (pass == 0 && !last) writes.push_back(resultRegion());
        run({dispatch}, {from.region}, writes);
        if (last) return;
        from = to;
        count = chunks * shape.top;
    }
}

}  // namespace loader::vulkan
