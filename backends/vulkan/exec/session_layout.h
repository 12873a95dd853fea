// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Where everything of a session lies in its buffers: slots and intermediate rows in the arena, what the host
// says in the step, what it reads in the result. Computed from the program, so that a plan can count it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "backends/api/backend.h"
#include "backends/vulkan/device/compute_device.h"
#include "backends/vulkan/shaders/push_constants.h"

namespace loader::vulkan {

/// Rows of a head's wanted tokens that are computed at once.
inline constexpr std::uint32_t kHeadRows = 32;
/// Words of a quantised block of 32 values, see quantise.comp.
inline constexpr std::uint32_t kFormWords = 10;
/// Logits that one workgroup of top_tokens sorts.
inline constexpr std::uint32_t kTopChunk = 1024;
/// More candidates than this are not selected on the device: the row of logits is read instead.
inline constexpr std::uint32_t kMostTop = 256;
/// Pairs of one step's token bias; a longer list makes the host read the logits.
inline constexpr std::uint32_t kMostBias = 1024;
/// A step of so few tokens splits long contexts over several workgroups.
inline constexpr std::uint32_t kSplitTokens = 8;
inline constexpr std::uint32_t kMostSplits = 16;

constexpr std::uint32_t divideUp(std::uint32_t value, std::uint32_t by) {
    return (value + by - 1) / by;
}
constexpr std::uint32_t roundUp(std::uint32_t value, std::uint32_t step) {
    return divideUp(value, step) * step;
}

/// Rows of the arena, one for each token. @unit words
struct ArenaRows {
    std::uint32_t offset = 0;
    std::uint32_t stride = 0;
    /// Numbers the region for barriers.
    std::uint32_t region = 0;
};

struct SessionLayout {
    /// Tokens of the largest step.
    std::uint32_t tokens = 0;
    std::map<graph::SlotId, ArenaRows> slots;
    /// Activations of one projection in integer form.
    ArenaRows form;
    /// Gates that are not fused with their products.
    ArenaRows gate;
    ArenaRows scores;
    ArenaRows expertParts;
    ArenaRows attentionParts;
    ArenaRows adapter;
    /// [kHeadRows][vocabulary], and what top_tokens leaves between its passes (two of them, in turn).
    ArenaRows logits;
    ArenaRows candidates[2];
    std::uint64_t arenaWords = 0;
    std::uint32_t regions = 0;

    // The step.
    std::uint32_t itemsOffset = 0;
    std::uint32_t gatherOffset = 0;
    std::uint32_t biasOffset = 0;
    /// Of the rows of each rope that is used.
    std::map<graph::RopeId, std::uint32_t> ropes;
    std::uint64_t stepWords = 0;
    /// Behind the step in the upload buffer: the rows of the slots that cross into the first segment.
    std::uint64_t inputOffset = 0;
    std::uint32_t inputWidth = 0;
    std::uint64_t uploadWords = 0;
    /// Slots that the result or the next part reads, in order; none where a head is among the segments.
    std::vector<graph::SlotId> leaving;
    std::uint32_t leavingWidth = 0;
    std::uint64_t resultWords = 0;

    /// @param adapterRank the largest of the session's adapters
    static SessionLayout make(const graph::Program& program, std::span<const std::uint32_t> segments,
                              std::uint32_t tokens, std::uint32_t adapterRank, const DeviceLimits& limits);
};

/// Words of one row of keys or values. @unit 32 bits; even lengths only for F16
std::uint32_t kvRowWords(backend::KvType type, std::uint32_t length);
/// Layers whose keys and values these segments write, in order.
std::vector<std::uint32_t> kvLayersOf(const graph::Program& program, std::span<const std::uint32_t> segments);
/// The slots in which the first of the segments expects rows.
std::vector<graph::SlotId> enteringSlots(const graph::Program& program,
                                         std::span<const std::uint32_t> segments);
/// The head's input, or nothing.
graph::SlotId headInput(const graph::Program& program, std::span<const std::uint32_t> segments);

}  // namespace loader::vulkan
