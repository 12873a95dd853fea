// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/execution_plan.h"

#include <algorithm>

#include "backends/cpu/exec/arena.h"
#include "backends/cpu/exec/attention.h"
#include "backends/cpu/exec/kv_cache.h"
#include "backends/cpu/kernels/matmul.h"

namespace loader::cpu {
namespace {

using graph::kNone;
using graph::SlotId;
using graph::TensorId;

/// Longer heads than this would not fit the buffers on the stack; no model comes near.
constexpr std::uint32_t kMaxHeadLength = 4096;

/// Slot and form that a projection reads.
struct Read {
    SlotId slot = kNone;
    KindSet kinds = 0;
};

/// The forms in which an operation's projections read their input.
class ReadOf {
public:
    ReadOf(const graph::Program& program, const KernelTable& kernels)
        : m_program(program), m_kernels(kernels) {}

    Read operator()(const graph::QkvOp& op) const {
        KindSet kinds = 0;
        for (const graph::Linear* linear : {&op.query, &op.key, &op.value, &op.fused})
            kinds |= kindsOf(linear->weight);
        return {op.in, kinds};
    }
    Read operator()(const graph::ProjectOp& op) const { return {op.in, kindsOf(op.linear.weight)}; }
    Read operator()(const graph::GateUpOp& op) const {
        return {op.in, kindsOf(op.up.weight) | kindsOf(op.gate.weight)};
    }
    Read operator()(const graph::RouteOp& op) const { return {op.in, kindOf(op.linear.weight)}; }
    // Experts quantise the gathered rows themselves, and the head only the wanted ones.
    template <class Other>
    Read operator()(const Other&) const {
        return {};
    }

    /// With any number of tokens, and with many.
    KindSet kindsOf(TensorId id) const {
        if (id == kNone) return 0;
        return kindOf(id) | kindBit(m_kernels.wideActivationKind(m_program.weights[id].type));
    }
    KindSet kindOf(TensorId id) const {
        return id == kNone ? 0 : kindBit(m_kernels.activationKind(m_program.weights[id].type));
    }

private:
    const graph::Program& m_program;
    const KernelTable& m_kernels;
};

class Planner {
public:
    Planner(const graph::Program& program, const KernelTable& kernels)
        : m_program(program), m_reads(program, kernels) {}

    ExecutionPlan run(std::span<const std::uint32_t> segments) {
        m_plan.slotKinds.assign(m_program.slots.size(), 0);
        for (std::uint32_t index : segments) {
            PlannedSegment planned{&m_program.segments[index], {}};
            for (const graph::Op& op : planned.segment->ops) {
                planned.ops.push_back({&op, 0});
                std::visit([this](const auto& concrete) { note(concrete); }, op);
                noteSizes(op);
            }
            m_plan.segments.push_back(std::move(planned));
        }
        findWanted();
        findProjectedOnly(segments);
        return std::move(m_plan);
    }

private:
    void noteSizes(const graph::Op& op) {
        const Read read = std::visit(m_reads, op);
        if (read.slot != kNone) m_plan.slotKinds[read.slot] |= read.kinds;
        for (TensorId id : graph::weightUse(op, m_program)) {
            m_plan.maxColumns = std::max<std::size_t>(m_plan.maxColumns, m_program.weights[id].columns);
        }
    }

    std::size_t rows(const graph::Linear& linear) const {
        return linear.present() ? static_cast<std::size_t>(m_program.weights[linear.weight].rows) : 0;
    }
    void needSide(std::size_t width) { m_plan.sideWidth = std::max(m_plan.sideWidth, width); }

    void note(const graph::RopeStoreOp& op) {
        m_plan.kvLayers.push_back(op.kvLayer);
        const bool known = std::find(m_plan.ropes.begin(), m_plan.ropes.end(), op.rope) != m_plan.ropes.end();
        if (op.rope != kNone && !known) m_plan.ropes.push_back(op.rope);
    }
    void note(const graph::AttendOp& op) {
        m_plan.maxGroup = std::max(m_plan.maxGroup, op.heads / m_program.kvLayers[op.kvLayer].kvHeads);
    }
    void note(const graph::ProjectOp& op) {
        if (op.scale != 1.0f) needSide(rows(op.linear));
    }
    void note(const graph::GateUpOp& op) { needSide(rows(op.gate)); }
    void note(const graph::ExpertGateUpOp& op) {
        m_plan.expertsUsed = std::max(m_plan.expertsUsed, op.used);
        m_plan.expertHidden = std::max<std::size_t>(m_plan.expertHidden, m_program.weights[op.up].rows);
        m_plan.expertWidth = std::max<std::size_t>(m_plan.expertWidth, m_program.weights[op.up].columns);
        m_plan.expertInKinds |= m_reads.kindOf(op.gate) | m_reads.kindOf(op.up);
    }
    void note(const graph::ExpertDownOp& op) { m_plan.expertHiddenKinds |= m_reads.kindOf(op.down); }
    void note(const graph::HeadOp& op) { m_plan.headKinds |= m_reads.kindOf(op.linear.weight); }
    template <class Other>
    void note(const Other&) {}

    /// Backwards: what is read before the next write decides what the writer makes.
    void findWanted() {
        std::vector<KindSet> pending(m_program.slots.size(), 0);
        for (auto segment = m_plan.segments.rbegin(); segment != m_plan.segments.rend(); ++segment) {
            for (auto planned = segment->ops.rbegin(); planned != segment->ops.rend(); ++planned) {
                for (SlotId slot : graph::slotUse(*planned->op).writes) {
                    planned->wanted |= pending[slot];
                    pending[slot] = 0;
                }
                const Read read = std::visit(m_reads, *planned->op);
                if (read.slot != kNone) pending[read.slot] |= read.kinds;
            }
        }
    }

    void findProjectedOnly(std::span<const std::uint32_t> segments) {
        m_plan.projectedOnly.assign(m_program.slots.size(), 1);
        for (const PlannedSegment& segment : m_plan.segments) {
            for (const PlannedOp& planned : segment.ops) {
                const Read read = std::visit(m_reads, *planned.op);
                for (SlotId slot : graph::slotUse(*planned.op).reads)
                    if (slot != read.slot) m_plan.projectedOnly[slot] = 0;
            }
        }
        // What leaves these segments is read by somebody else.
        const std::size_t next = segments.empty() ? 0 : std::size_t{segments.back()} + 1;
        if (next >= m_program.segments.size()) return;
        for (SlotId slot : m_program.segments[next].carried)
            m_plan.projectedOnly[slot] = 0;
    }

    const graph::Program& m_program;
    ReadOf m_reads;
    ExecutionPlan m_plan;
};

}  // namespace

ExecutionPlan ExecutionPlan::make(const graph::Program& program, std::span<const std::uint32_t> segments,
                                  const KernelTable& kernels) {
    return Planner(program, kernels).run(segments);
}

std::vector<std::string> unsupportedParts(const graph::Program& program,
                                          std::span<const std::uint32_t> segments,
                                          const KernelTable& kernels) {
    std::vector<std::string> parts;
    for (std::uint32_t index : segments) {
        for (const graph::Op& op : program.segments[index].ops) {
            for (TensorId id : graph::weightUse(op, program)) {
                const graph::WeightRef& weight = program.weights[id];
                if (kernels.supports(weight.type)) continue;
                parts.push_back("There is no kernel for " + std::string(quant::typeName(weight.type)) + " (" +
                                weight.name + ").");
            }
        }
    }
    for (const graph::KvLayer& kv : program.kvLayers) {
        if (kv.keyLength <= kMaxHeadLength && kv.valueLength <= kMaxHeadLength) continue;
        parts.push_back("Attention heads longer than " + std::to_string(kMaxHeadLength) + " are not built.");
        break;
    }
    return parts;
}

backend::MemoryParts sessionMemory(const graph::Program& program, const ExecutionPlan& plan,
                                   const backend::LoadOptions& options, unsigned threads) {
    backend::MemoryParts parts;
    parts.kv = kvBytes(program, plan.kvLayers, options.kv, options.contextTokens, options.sequences);
    for (std::size_t i = 0; i < program.slots.size(); ++i) {
        parts.compute += slotBytes(program.slots[i].width, options.batchTokens, plan.slotKinds[i]);
    }
    parts.compute += rowStride(plan.sideWidth) * sizeof(float) * options.batchTokens;
    const AttentionSizes attention =
        AttentionSizes::of(program, plan.kvLayers, plan.maxGroup, options.batchTokens);
    parts.compute += (scratchBytes(plan.maxColumns) + attention.scratchBytes()) * threads;
    parts.compute += attention.sharedBytes();
    for (std::size_t i = 0; i < program.slots.size(); ++i) {
        if (plan.needsLocal(i))
            parts.compute += threads * slotBytes(program.slots[i].width, kLocalTokens, plan.slotKinds[i]);
    }
    const std::uint64_t routed = std::uint64_t{options.batchTokens} * plan.expertsUsed;
    parts.compute += routed * sizeof(float) * 2 * (plan.expertHidden + plan.expertWidth);
    parts.output = std::uint64_t{program.vocabulary} * sizeof(float);
    return parts;
}

}  // namespace loader::cpu
