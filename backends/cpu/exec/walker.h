// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One member of the team on its way through the planned operations. All members make the same decisions from
// the same data, so that they meet at the same barriers; each computes its share of rows, heads or tokens.
#pragma once

#include <algorithm>
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

    // Token by token, and attention: walker.cpp
    void run(const graph::EmbedOp& op);
    void run(const graph::NormOp& op);
    void run(const graph::RopeStoreOp& op);
    void run(const graph::AttendOp& op);
    // Matrices: walker_products.cpp
    void run(const graph::QkvOp& op);
    void run(const graph::ProjectOp& op);
    void run(const graph::GateUpOp& op);
    // The head: walker_head.cpp
    void run(const graph::HeadOp& op);
    // Experts: walker_experts.cpp
    void run(const graph::RouteOp& op);
    void run(const graph::ExpertGateUpOp& op);
    void run(const graph::ExpertDownOp& op);
    void gatherRouted(const graph::ExpertGateUpOp& op);
    /// The matrices of all experts: one tensor of slices, or, where `separate`, consecutive tensors.
    struct ExpertProduct {
        graph::TensorId first;
        bool separate;
        /// @shape [routed rows, outStride]
        float* out;
    };
    void multiplyExperts(std::span<const ExpertProduct> products, std::uint32_t experts,
                         const SlotRows& input, std::size_t outStride);

    std::size_t tokens() const { return m_state.items.size(); }
    /// Few tokens: what is made per token is made by every member for itself, which saves waiting.
    bool few() const { return tokens() <= kLocalTokens; }
    /// Every member meets here; what was written before may be read, what was read may be written.
    void barrier();
    /// Asks once for each segment whether to go on; all members get the same answer, one segment later.
    bool cancelled(std::size_t segment);
    SlotRows& slot(graph::SlotId id) { return m_state.slots[id]; }
    /// Where to read a slot: this member's own rows, where it made them.
    SlotRows& readable(graph::SlotId id) { return m_ownRows[id] ? m_scratch.local[id] : slot(id); }
    /// Notes that a shared slot is read without a barrier to follow.
    void readUnfenced(graph::SlotId id) { m_unfenced[id] = 1; }
    /// Before a shared slot is written: waits if another member may still be reading it.
    void beforeWrite(graph::SlotId id);
    /// Marks a shared slot as written; `made` are the forms that are up to date.
    void written(graph::SlotId id, KindSet made);

    const graph::WeightRef& weightRef(graph::TensorId id) const { return m_context.program.weights[id]; }
    WeightView viewOf(graph::TensorId id, std::size_t slice = 0) const;
    /// Makes the forms of one token's row that later projections read.
    void quantizeRow(SlotRows& rows, std::size_t token, KindSet kinds);
    /// The form of a slot that a weight wants, made now where nobody has yet.
    ActivationView activation(graph::SlotId id, graph::TensorId weight);
    ActivationView form(graph::SlotId id, ActivationKind kind);
    /// Makes what this operation's readers want, of a slot whose rows were written by several members.
    void finishWrittenByRows(graph::SlotId id);

    /// Some rows of one matrix times the rows of a slot.
    struct Product {
        graph::TensorId weight = graph::kNone;
        graph::TensorId bias = graph::kNone;
        /// The rows, and which row of the whole matrix is their first.
        WeightView rows;
        std::size_t firstRow = 0;
        ActivationView input;
        const float* in = nullptr;
        std::size_t inStride = 0;
        /// Row `firstRow` of the first token.
        float* out = nullptr;
        std::size_t outStride = 0;
        OutputMode mode = OutputMode::Store;
    };
    /// All rows of a matrix, into a slot.
    Product product(const graph::Linear& linear, graph::SlotId in, graph::SlotId out,
                    OutputMode mode = OutputMode::Store);
    /// The same into the side buffer.
    Product sideProduct(const graph::Linear& linear, graph::SlotId in);
    void multiply(const Product& product, TeamMember::Range rows);
    /// One phase: the rows of all products, handed out in panels.
    void multiplyAll(std::span<const Product> products);
    void addBias(const Product& product, TeamMember::Range rows);
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
    /// Calls work(TeamMember::Range) for ranges of rows that together are [0, rows), in whole panels.
    template <class Work>
    void shareRows(std::size_t rows, Work work) {
        m_state.queue.run(m_member, m_phase++, (rows + kPanelRows - 1) / kPanelRows,
                          [&](std::size_t begin, std::size_t end) {
                              work(TeamMember::Range{begin * kPanelRows, std::min(rows, end * kPanelRows)});
                          });
    }
    void normRow(const graph::NormOp& op, const float* in, float* out, std::span<const float> weight,
                 std::span<const float> bias) const;
    void normHeads(const graph::QkvOp& op);
    void activate(graph::Activation activation, const float* gate, float* out, std::size_t count) const;
    std::span<const float> vectorOf(graph::TensorId id, std::vector<float>& storage) const;
    void rotate(const graph::Rope& rope, const Angles& angles, std::size_t token, float* head) const;
    void gatherHeadRows(const graph::HeadOp& op, std::size_t first, std::size_t count, ActivationKind kind);
    void headLogits(const graph::HeadOp& op, std::size_t count, TeamMember::Range rows);
    void headRows(const graph::HeadOp& op, std::size_t first, std::size_t count);

    const ExecutorContext& m_context;
    StepState& m_state;
    MemberScratch& m_scratch;
    TeamMember& m_member;
    CancelToken m_cancel;
    const VectorKernels& m_vectors;
    /// Forms of each shared slot that are up to date.
    std::vector<KindSet> m_valid;
    /// Forms of each slot that this member has made for itself.
    std::vector<KindSet> m_ownForms;
    std::vector<char> m_ownRows;
    std::vector<char> m_unfenced;
    /// Counts the phases of the queue and the barriers; the same in every member.
    std::uint32_t m_phase = 0;
    std::uint32_t m_barriers = 0;
    KindSet m_wanted = 0;  // by the readers of the present operation's result
    std::vector<float> m_weight;
    std::vector<float> m_bias;
    std::vector<float> m_row;
    std::vector<std::uint32_t> m_used;  // experts
};

}  // namespace loader::cpu
