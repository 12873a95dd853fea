// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/executor.h"

#include <algorithm>

#include "backends/cpu/exec/walker.h"
#include "backends/cpu/kernels/denormals.h"
#include "core/engine/quant/dequantize.h"

namespace loader::cpu {

using backend::OutputKind;
using graph::kNone;
using graph::SlotId;

Result<std::unique_ptr<Executor>> Executor::create(const ExecutorContext& context, std::size_t batchTokens,
                                                   unsigned threads) {
    std::unique_ptr<Executor> executor(new Executor(context, threads));
    LOADER_CHECK(executor->allocate(batchTokens));
    return executor;
}

Status Executor::allocate(std::size_t batchTokens) {
    const graph::Program& program = m_context.program;
    const ExecutionPlan& plan = m_context.plan;
    for (std::size_t i = 0; i < program.slots.size(); ++i) {
        LOADER_TRY(SlotRows rows, SlotRows::create(program.slots[i].width, batchTokens, plan.slotKinds[i]));
        m_state.slots.push_back(std::move(rows));
    }
    m_state.sideStride = rowStride(plan.sideWidth);
    LOADER_TRY(m_state.side, AlignedBuffer::create(m_state.sideStride * sizeof(float) * batchTokens));
    LOADER_TRY(m_state.headRows, SlotRows::create(program.width, kHeadRows, plan.headKinds));
    LOADER_TRY(
        m_state.headLogits,
        AlignedBuffer::create(plan.headKinds == 0 ? 0 : kHeadRows * program.vocabulary * sizeof(float)));
    LOADER_CHECK(allocateAngles(batchTokens));
    if (plan.expertsUsed != 0) LOADER_CHECK(allocateExperts(batchTokens));
    const AttentionSizes sizes = AttentionSizes::of(program, plan.kvLayers, plan.maxGroup, batchTokens);
    m_tileTokens = sizes.tileTokens;
    LOADER_CHECK(m_state.partials.allocate(sizes));
    for (unsigned i = 0; i < m_pool.threads(); ++i) {
        LOADER_TRY(ScratchBuffer scratch, ScratchBuffer::create(scratchBytes(plan.maxColumns)));
        LOADER_TRY(std::vector<SlotRows> local, makeLocalRows());
        LOADER_TRY(AttentionScratch attention, AttentionScratch::create(sizes));
        m_scratch.push_back({std::move(scratch), std::move(attention), std::move(local)});
    }
    m_state.candidates.assign(m_pool.threads(), std::vector<HeadCandidates>(kHeadRows));
    return {};
}

Result<std::vector<SlotRows>> Executor::makeLocalRows() const {
    std::vector<SlotRows> local;
    for (std::size_t i = 0; i < m_context.program.slots.size(); ++i) {
        const std::size_t rows = m_context.plan.needsLocal(i) ? kLocalTokens : 0;
        LOADER_TRY(SlotRows slot,
                   SlotRows::create(m_context.program.slots[i].width, rows, m_context.plan.slotKinds[i]));
        local.push_back(std::move(slot));
    }
    return local;
}

Status Executor::allocateAngles(std::size_t batchTokens) {
    const graph::Program& program = m_context.program;
    m_state.angles.resize(program.ropes.size());
    for (std::uint32_t id : m_context.plan.ropes) {
        const graph::Rope& rope = program.ropes[id];
        Angles& angles = m_state.angles[id];
        angles.frequencies = rope.frequencies;
        if (rope.factors != kNone) {
            std::vector<float> factors(rope.frequencies.size());
            quant::dequantizeRow(program.weights[rope.factors].type,
                                 m_context.weights[rope.factors].bytes.data(), factors.data(),
                                 factors.size());
            for (std::size_t i = 0; i < factors.size(); ++i)
                angles.frequencies[i] /= static_cast<double>(factors[i]);
        }
        const std::size_t bytes = batchTokens * angles.frequencies.size() * sizeof(float);
        LOADER_TRY(angles.cosines, AlignedBuffer::create(bytes));
        LOADER_TRY(angles.sines, AlignedBuffer::create(bytes));
    }
    return {};
}

Status Executor::allocateExperts(std::size_t batchTokens) {
    const ExecutionPlan& plan = m_context.plan;
    const std::size_t rows = batchTokens * plan.expertsUsed;
    RoutedRows& routed = m_state.routed;
    const auto hidden = static_cast<std::uint32_t>(plan.expertHidden);
    const auto width = static_cast<std::uint32_t>(plan.expertWidth);
    LOADER_TRY(routed.input, SlotRows::create(width, rows, plan.expertInKinds));
    LOADER_TRY(routed.hidden, SlotRows::create(hidden, rows, plan.expertHiddenKinds));
    LOADER_TRY(routed.gate, AlignedBuffer::create(routed.hidden.stride() * rows * sizeof(float)));
    LOADER_TRY(routed.output, AlignedBuffer::create(routed.input.stride() * rows * sizeof(float)));
    return {};
}

void Executor::makeTiles() {
    m_state.tiles.clear();
    const std::span<const backend::BatchItem> items = m_state.items;
    for (std::uint32_t i = 0; i < items.size(); ++i) {
        const bool continues = !m_state.tiles.empty() && m_state.tiles.back().count < m_tileTokens &&
                               items[i].sequence == items[i - 1].sequence;
        if (continues) {
            ++m_state.tiles.back().count;
        } else {
            m_state.tiles.push_back({i, 1});
        }
    }
}

Status Executor::step(std::span<const backend::BatchItem> items, std::span<const std::uint32_t> visibleEnds,
                      KvCache& cache, const backend::OutputRequest& request, backend::ForwardOutput& out,
                      CancelToken cancel) {
    if (cancel.cancelled()) return Error(Errc::X002);
    m_state.items = items;
    m_state.visibleEnds = visibleEnds;
    m_state.cache = &cache;
    m_state.request = &request;
    m_state.out = &out;
    m_state.headInput = kNone;
    m_state.queue.reset();
    for (std::atomic<bool>& answer : m_state.cancelAnswers)
        answer.store(false, std::memory_order_relaxed);
    m_state.cancelled.store(false, std::memory_order_relaxed);
    m_state.wantedItems.clear();
    for (std::uint32_t i = 0; i < items.size(); ++i) {
        if (items[i].wantsOutput) m_state.wantedItems.push_back(i);
    }
    makeTiles();
    m_pool.run([&](TeamMember& member) {
        const DenormalsOff guard;
        Walker(m_context, m_state, m_scratch[member.index()], member, cancel).walk();
    });
    if (m_state.cancelled.load(std::memory_order_relaxed)) return Error(Errc::X002);
    if (request.kind == OutputKind::Hidden || request.kind == OutputKind::Pooled) appendHidden();
    return {};
}

void Executor::appendHidden() {
    const graph::Program& program = m_context.program;
    const graph::Segment& last = *m_context.plan.segments.back().segment;
    const auto next = static_cast<std::size_t>(&last - program.segments.data()) + 1;
    const std::vector<SlotId> slots = next < program.segments.size() ? program.segments[next].carried
                                                                     : std::vector<SlotId>{m_state.headInput};
    backend::ForwardOutput& out = *m_state.out;
    out.rowWidth = 0;
    for (SlotId slot : slots)
        out.rowWidth += m_state.slots[slot].width();
    for (std::uint32_t item : m_state.wantedItems) {
        for (SlotId slot : slots) {
            const float* row = m_state.slots[slot].row(item);
            out.values.insert(out.values.end(), row, row + m_state.slots[slot].width());
        }
    }
}

}  // namespace loader::cpu
