// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is known of a program before a session is opened: which activations need which quantised form, how
// large the buffers are, what cannot be run. Made once per model, read by every session.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backends/api/backend.h"
#include "backends/cpu/kernels/kernel_table.h"
#include "core/engine/graph/program.h"

namespace loader::cpu {

/// Up to so many tokens each member makes norms and quantised forms for itself: it takes about as long as
/// waiting for another member to have made them.
inline constexpr std::size_t kLocalTokens = 4;

/// Bits of ActivationKind.
using KindSet = unsigned;
inline KindSet kindBit(ActivationKind kind) {
    return 1u << static_cast<unsigned>(kind);
}

struct PlannedOp {
    const graph::Op* op = nullptr;
    /// Forms of the written slot that later projections read before it is written again.
    KindSet wanted = 0;
};

struct PlannedSegment {
    const graph::Segment* segment = nullptr;
    std::vector<PlannedOp> ops;
};

struct ExecutionPlan {
    std::vector<PlannedSegment> segments;
    /// Forms of each slot that some projection reads.
    std::vector<KindSet> slotKinds;
    /// Slots that only projections of these segments read: each member may make such rows for itself.
    std::vector<char> projectedOnly;
    bool needsLocal(std::size_t slot) const { return projectedOnly[slot] != 0 || slotKinds[slot] != 0; }
    /// Layers of the program's KV cache that these segments use.
    std::vector<std::uint32_t> kvLayers;
    std::vector<std::uint32_t> ropes;
    /// Longest row of any weight; sizes the kernels' scratch.
    std::size_t maxColumns = 0;
    /// Widest output that goes through the side buffer (gates, fused or scaled projections).
    std::size_t sideWidth = 0;
    /// Query heads per kv head, at most.
    std::uint32_t maxGroup = 1;
    /// Experts: rows of one token after routing, hidden and output width; 0 where there are none.
    std::uint32_t expertsUsed = 0;
    std::size_t expertHidden = 0;
    std::size_t expertWidth = 0;
    KindSet expertInKinds = 0;
    KindSet expertHiddenKinds = 0;
    KindSet headKinds = 0;

    static ExecutionPlan make(const graph::Program& program, std::span<const std::uint32_t> segments,
                              const KernelTable& kernels);
};

/// One sentence for each thing in these segments that this back end cannot run.
std::vector<std::string> unsupportedParts(const graph::Program& program,
                                          std::span<const std::uint32_t> segments,
                                          const KernelTable& kernels);

/// Bytes of a session with these options.
backend::MemoryParts sessionMemory(const graph::Program& program, const ExecutionPlan& plan,
                                   const backend::LoadOptions& options, unsigned threads);

}  // namespace loader::cpu
