// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Attention over the KV cache as a list of independent units: (tile of tokens, kv head, range of keys). Each
// unit reads its keys and values once for all query heads of the group and all tokens of the tile, in blocks
// with a running maximum. How the list is cut depends on the batch alone, never on the number of threads, so
// the result does not either. Only what the mask allows is computed. See docs/adr/0012.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backends/cpu/exec/arena.h"
#include "backends/cpu/exec/kv_cache.h"
#include "backends/cpu/kernels/kernel_table.h"
#include "core/engine/graph/program.h"

namespace loader::cpu {

/// Items that follow each other in one sequence, at most AttentionSizes::tileTokens of them.
struct TokenTile {
    std::uint32_t firstItem = 0;
    std::uint32_t count = 0;
};

/// Units that an operation is cut into where it has keys enough, for up to half as many threads.
inline constexpr std::uint32_t kAttentionUnits = 32;

/// How large everything is, for the largest of some layers.
struct AttentionSizes {
    static AttentionSizes of(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                             std::uint32_t maxGroup, std::size_t batchTokens);
    std::uint32_t tileTokens = 1;
    /// Query rows of a tile, padded for the kernels.
    std::size_t tileRows = 0;
    /// Query and sum rows. @unit floats
    std::size_t keyStride = 0;
    std::size_t valueStride = 0;
    std::size_t panelFloats = 0;
    /// Rows that wait for being merged, of all units together.
    std::size_t partialRows = 0;

    std::uint64_t scratchBytes() const;  ///< of each thread
    std::uint64_t sharedBytes() const;   ///< of all threads together
};

/// Working memory of one thread.
class AttentionScratch {
public:
    /// @errors R901
    static Result<AttentionScratch> create(const AttentionSizes& sizes);

private:
    friend class AttentionWork;
    AlignedBuffer m_floats;
    float* m_queries = nullptr;
    float* m_sums = nullptr;
    float* m_panels = nullptr;
    float* m_maxima = nullptr;
    float* m_weights = nullptr;
    std::uint32_t* m_begins = nullptr;
    std::uint32_t* m_ends = nullptr;
};

/// Where the units of one (tile, kv head) leave their parts until the last of them merges.
class AttentionPartials {
public:
    /// @errors R901
    Status allocate(const AttentionSizes& sizes);

private:
    friend class AttentionWork;
    AlignedBuffer m_rows;
    std::size_t m_capacity = 0;
    /// Parts of each (tile, kv head) that are there; 0 between operations.
    std::array<std::atomic<std::uint32_t>, kAttentionUnits> m_arrived{};
};

/// One attention operation of a step. @shape queries [items, heads × keyLength], out [items, heads ×
/// valueLength]
struct AttentionJob {
    const graph::KvLayer* layer = nullptr;
    /// Of the program's KV layers.
    std::uint32_t kvLayer = 0;
    /// Query heads per kv head.
    std::uint32_t group = 1;
    float scale = 1.0f;
    float softcap = 0.0f;
    std::span<const TokenTile> tiles;
    std::span<const backend::BatchItem> items;
    /// One past the last position that each item sees.
    std::span<const std::uint32_t> visibleEnds;
    const float* queries = nullptr;
    std::size_t queryStride = 0;
    float* out = nullptr;
    std::size_t outStride = 0;
};

/// out = softmax(scale × Q Kᵀ) V. Every unit below units() must be run once, by any thread and in any order;
/// the one that finishes a (tile, kv head) also merges its parts, so that no second phase is needed.
/// @source Milakov & Gimelshein 2018 (1805.02867) for the running maximum; Dao et al. 2022 (2205.14135) for
/// the blocks; Dao et al. 2023 (Flash-Decoding) for ranges of keys
/// @thread const after construction, and each thread may make its own from the same job
class AttentionWork {
public:
    AttentionWork(const KernelTable& kernels, const KvCache& cache, const AttentionJob& job,
                  AttentionPartials& partials);
    std::size_t units() const { return m_firstUnit.back(); }
    void run(std::size_t unit, AttentionScratch& scratch) const;

private:
    struct Unit;
    /// The keys that a tile sees, and how they are cut.
    struct Keys {
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
        std::uint32_t rangeKeys = 0;
        std::uint32_t ranges = 1;
        std::size_t partialRow = 0;
    };

    void cutKeys(std::uint32_t mostRanges);
    AttentionRows prepare(const Unit& unit, AttentionScratch& scratch) const;
    void finish(const Unit& unit, const AttentionRows& rows) const;
    void leavePart(const Unit& unit, const AttentionRows& rows) const;
    void merge(const Unit& unit, const AttentionRows& rows) const;
    float* partial(const Unit& unit, std::uint32_t range, std::size_t row) const;
    float* outputRow(const Unit& unit, std::size_t row) const;

    const KernelTable& m_kernels;
    const KvCache& m_cache;
    const AttentionJob& m_job;
    AttentionPartials& m_partials;
    std::size_t m_keyStride;
    std::size_t m_valueStride;
    std::vector<Keys> m_keys;              // of each tile
    std::vector<std::size_t> m_firstUnit;  // of each tile, and one past the last
};

}  // namespace loader::cpu
