// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the members of a team share while a step runs: the buffers, and what the step is about.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "backends/api/backend.h"
#include "backends/cpu/exec/arena.h"
#include "backends/cpu/exec/attention.h"
#include "backends/cpu/exec/execution_plan.h"
#include "backends/cpu/exec/head_candidates.h"
#include "backends/cpu/exec/kv_cache.h"
#include "backends/cpu/exec/work_queue.h"
#include "backends/cpu/kernels/matmul.h"

namespace loader::cpu {

/// The constant surroundings of a session; all of it outlives the session.
struct ExecutorContext {
    const graph::Program& program;
    const ExecutionPlan& plan;
    const KernelTable& kernels;
    std::span<const backend::Weight> weights;
    std::span<const backend::Adapter> adapters;
};

/// Cosines and sines of one rotary embedding. @shape [items, pairs]
struct Angles {
    std::vector<double> frequencies;  // with the file's divisors applied
    AlignedBuffer cosines;
    AlignedBuffer sines;
};

/// Rows of tokens sorted by the expert they go to.
struct RoutedRows {
    SlotRows input;   // copies of the chosen tokens' rows
    SlotRows hidden;  // after gate, up and activation
    AlignedBuffer gate;
    AlignedBuffer output;
    /// First routed row of each expert. @shape [experts + 1]
    std::vector<std::uint32_t> begins;
    /// Item of each routed row.
    std::vector<std::uint32_t> items;
    /// Routed row of (item, choice). @shape [items, used]
    std::vector<std::uint32_t> rows;
};

/// @thread rows and ranges of rows are written by one member each, between barriers
struct StepState {
    std::vector<SlotRows> slots;
    /// Side buffer for gates and scaled projections. @shape [batchTokens, sideStride]
    AlignedBuffer side;
    std::size_t sideStride = 0;
    std::vector<Angles> angles;  // indexed by rope; empty for ropes that are not used here
    RoutedRows routed;
    /// Rows that the head reads, gathered. @shape [kHeadRows]
    SlotRows headRows;
    AlignedBuffer headLogits;

    std::span<const backend::BatchItem> items;
    std::span<const std::uint32_t> visibleEnds;
    std::vector<TokenTile> tiles;
    std::vector<std::uint32_t> wantedItems;
    AttentionPartials partials;
    KvCache* cache = nullptr;
    const backend::OutputRequest* request = nullptr;
    backend::ForwardOutput* out = nullptr;
    /// Slot that the head would read; kNone where no head is loaded.
    graph::SlotId headInput = graph::kNone;
    WorkQueue queue;
    /// Each member's best tokens of the rows of the head that it multiplied. @shape [members][kHeadRows]
    std::vector<std::vector<HeadCandidates>> candidates;
    /// The answers of the last two segments' questions.
    std::array<std::atomic<bool>, 2> cancelAnswers{};
    std::atomic<bool> cancelled{false};
};

/// Wanted rows whose logits are computed together.
inline constexpr std::size_t kHeadRows = 32;

/// What each member owns.
struct MemberScratch {
    ScratchBuffer kernels;
    AttentionScratch attention;
    /// Rows of few tokens; only for slots that projections read. @shape [slots]
    std::vector<SlotRows> local;
};

}  // namespace loader::cpu
