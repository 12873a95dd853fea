// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One member of the team on its way through the planned operations. All members make the same decisions from
// the same data, so that they meet at the same barriers; each computes its share of rows, heads or tokens.
#pragma once

#include <span>
#include <vector>

#include "backends/cpu/exec/step_state.h"
#include "core/engine/base/thread_pool.h"

namespace loader::cpu {

/// @thread lives on its member's thread for one step
class Walker {
public:
    Walker(const ExecutorContext& context, StepState& state, MemberScratch& scratch, TeamMember& member,
           CancelToken cancel);
    void walk();

private:
    void placeRows();
    void makeAngles();

    // Dense operations: walker.cpp
    void run(const graph::EmbedOp& op);
    void run(const graph::NormOp& op);
    void run(const graph::QkvOp& op);
    void run(const graph::RopeStoreOp& op);
    void run(const graph::AttendOp& op);
    void run(const graph::ProjectOp& op);
    void run(const graph::GateUpOp& op);
    void run(const graph::HeadOp& op);
    // Experts: walker_experts.cpp
    void run(const graph::RouteOp& op);
    void run(const graph::ExpertGateUpOp& op);
    void run(const graph::ExpertDownOp& op);
    void gatherRouted(const graph::ExpertGateUpOp& op);
    void multiplyExperts(graph::TensorId first, bool separate, std::uint32_t experts, const SlotRows& input,
                         float* out, std::size_t stride);

    std::size_t tokens() const { return m_state.items.size(); }
    SlotRows& slot(graph::SlotId id) { return m_state.slots[id]; }
    const graph::WeightRef& weightRef(graph::TensorId id) const { return m_context.program.weights[id]; }
    WeightView viewOf(graph::TensorId id, std::size_t slice = 0) const;
    /// This member's rows of a matrix, in whole panels where many tokens are multiplied.
    TeamMember::Range rowShare(std::size_t rows) const;

    /// The written row of a token is complete: makes the forms that later projections read.
    void quantizeRow(graph::SlotId id, std::size_t token, KindSet kinds);
    /// Marks a slot as written; `made` are the forms that are up to date.
    void written(graph::SlotId id, KindSet made) { m_valid[id] = made | kindBit(ActivationKind::F32); }
    /// Makes the form of a slot that a weight wants, where nobody has yet. Ends with a barrier if it did.
    ActivationView activation(graph::SlotId id, graph::TensorId weight);
    /// Makes what this operation's readers want, of a slot whose rows were written by several members.
    void finishWrittenByRows(graph::SlotId id);

    /// out (+)= W in + b for this member's rows.
    void multiply(const graph::Linear& linear, graph::SlotId in, float* out, std::size_t outStride,
                  OutputMode mode);
    void addBias(graph::TensorId bias, std::size_t rowOffset, TeamMember::Range rows, float* out,
                 std::size_t outStride);
    /// What an adapter of `weight` multiplies, and which row of the whole matrix `out` begins with.
    struct AdapterJob {
        graph::TensorId weight;
        std::size_t firstRow;
        const float* in;
        std::size_t inStride;
        std::size_t tokens;
    };
    void addAdapter(const backend::Adapter& adapter, const AdapterJob& job, TeamMember::Range rows,
                    float* out, std::size_t outStride);
    void addAdapters(const AdapterJob& job, TeamMember::Range rows, float* out, std::size_t outStride);
    void multiplyFused(const graph::QkvOp& op);
    void normHeads(const graph::QkvOp& op);
    void activate(graph::Activation activation, const float* gate, float* out, std::size_t count) const;
    std::span<const float> vectorOf(graph::TensorId id, std::vector<float>& storage) const;
    void rotate(const graph::Rope& rope, const Angles& angles, std::size_t token, float* head) const;
    void headRows(const graph::HeadOp& op, std::size_t first, std::size_t count);

    const ExecutorContext& m_context;
    StepState& m_state;
    MemberScratch& m_scratch;
    TeamMember& m_member;
    CancelToken m_cancel;
    const VectorKernels& m_vectors;
    /// Forms of each slot that are up to date.
    std::vector<KindSet> m_valid;
    KindSet m_wanted = 0;  // by the readers of the present operation's result
    std::vector<float> m_weight;
    std::vector<float> m_bias;
    std::vector<float> m_row;
};

}  // namespace loader::cpu
