// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What operations read and write, and from that what crosses the border between two segments.

#include "core/engine/graph/program.h"

#include <algorithm>

namespace loader::graph {
namespace {

void addOutput(SlotUse& use, SlotId out, bool accumulate) {
    if (accumulate) use.reads.push_back(out);
    use.writes.push_back(out);
}

struct UseOf {
    SlotUse operator()(const EmbedOp& op) const { return {{}, {op.out}}; }
    SlotUse operator()(const NormOp& op) const {
        SlotUse use{{op.in}, {}};
        addOutput(use, op.out, op.accumulate);
        return use;
    }
    SlotUse operator()(const QkvOp& op) const { return {{op.in}, {op.queryOut, op.keyOut, op.valueOut}}; }
    SlotUse operator()(const RopeStoreOp& op) const { return {{op.query, op.key, op.value}, {op.query}}; }
    SlotUse operator()(const AttendOp& op) const { return {{op.query}, {op.out}}; }
    SlotUse operator()(const ProjectOp& op) const {
        SlotUse use{{op.in}, {}};
        addOutput(use, op.out, op.accumulate);
        return use;
    }
    SlotUse operator()(const GateUpOp& op) const { return {{op.in}, {op.out}}; }
    SlotUse operator()(const RouteOp& op) const { return {{op.in}, {op.out}}; }
    SlotUse operator()(const ExpertGateUpOp& op) const { return {{op.in, op.routing}, {op.out}}; }
    SlotUse operator()(const ExpertDownOp& op) const {
        SlotUse use{{op.in, op.routing}, {}};
        addOutput(use, op.out, op.accumulate);
        return use;
    }
    SlotUse operator()(const HeadOp& op) const { return {{op.in}, {}}; }
};

struct WeightsOf {
    const Program& program;
    std::vector<TensorId> used;

    void add(TensorId id) {
        if (id != kNone) used.push_back(id);
    }
    void add(const Linear& linear) {
        add(linear.weight);
        add(linear.bias);
    }
    void addExperts(TensorId first, bool separate, std::uint32_t experts) {
        for (std::uint32_t i = 0; i < (separate ? experts : 1); ++i)
            add(first + i);
    }

    void operator()(const EmbedOp& op) {
        add(op.tokens);
        add(op.positions);
    }
    void operator()(const NormOp& op) {
        add(op.weight);
        add(op.bias);
    }
    void operator()(const QkvOp& op) {
        for (const Linear* linear : {&op.query, &op.key, &op.value, &op.fused})
            add(*linear);
        add(op.queryNorm);
        add(op.keyNorm);
    }
    void operator()(const RopeStoreOp& op) {
        if (op.rope != kNone) add(program.ropes[op.rope].factors);
    }
    void operator()(const AttendOp&) {}
    void operator()(const ProjectOp& op) { add(op.linear); }
    void operator()(const GateUpOp& op) {
        add(op.gate);
        add(op.up);
    }
    void operator()(const RouteOp& op) { add(op.linear); }
    void operator()(const ExpertGateUpOp& op) {
        addExperts(op.gate, op.separate, op.experts);
        addExperts(op.up, op.separate, op.experts);
    }
    void operator()(const ExpertDownOp& op) { addExperts(op.down, op.separate, op.experts); }
    void operator()(const HeadOp& op) { add(op.linear); }
};

}  // namespace

SlotUse slotUse(const Op& op) {
    return std::visit(UseOf{}, op);
}

std::vector<TensorId> weightUse(const Op& op, const Program& program) {
    WeightsOf collector{program, {}};
    std::visit(collector, op);
    return std::move(collector.used);
}

std::uint64_t weightBytes(const Program& program, std::span<const std::uint32_t> segments) {
    std::vector<bool> counted(program.weights.size(), false);
    std::uint64_t bytes = 0;
    for (const std::uint32_t index : segments) {
        for (const Op& op : program.segments[index].ops) {
            for (const TensorId id : weightUse(op, program)) {
                if (!counted[id]) bytes += program.weights[id].bytes;
                counted[id] = true;
            }
        }
    }
    return bytes;
}

std::uint32_t Program::carriedWidth(std::size_t segment) const {
    std::uint32_t total = 0;
    for (SlotId slot : segments[segment].carried)
        total += slots[slot].width;
    return total;
}

void Program::finish() {
    // Backwards liveness: a slot is alive in front of an operation that reads it, until one that only writes
    // it.
    std::vector<bool> alive(slots.size(), false);
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
        for (auto op = segment->ops.rbegin(); op != segment->ops.rend(); ++op) {
            const SlotUse use = slotUse(*op);
            for (SlotId slot : use.writes)
                alive[slot] = false;
            for (SlotId slot : use.reads)
                alive[slot] = true;
        }
        segment->carried.clear();
        for (SlotId slot = 0; slot < slots.size(); ++slot) {
            if (alive[slot]) segment->carried.push_back(slot);
        }
    }
}

}  // namespace loader::graph
