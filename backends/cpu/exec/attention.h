// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Attention over the KV cache in blocks of keys with a running maximum: each key and value is read once for
// all query heads of its group and all tokens of a tile. Only what the mask allows is computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backends/cpu/exec/kv_cache.h"
#include "backends/cpu/kernels/kernel_table.h"
#include "core/engine/graph/program.h"

namespace loader::cpu {

/// Keys that are looked at together.
inline constexpr std::uint32_t kKeyBlock = 64;
/// Tokens of one sequence that share a pass over the keys.
inline constexpr std::uint32_t kTokenTile = 16;

/// What one (token tile, kv head) needs to know.
struct AttentionJob {
    const graph::KvLayer* layer = nullptr;
    KvCache::Place place{};
    /// Query heads per kv head.
    std::uint32_t group = 1;
    float scale = 1.0f;
    float softcap = 0.0f;
    std::uint32_t tokens = 0;
    /// Position of the first token; the others follow.
    std::uint32_t firstPosition = 0;
    /// One past the last position that each token sees. @shape [tokens]
    const std::uint32_t* visibleEnds = nullptr;
    /// First query head of the group, of token t at queries + t × queryStride. @shape [group, keyLength]
    const float* queries = nullptr;
    std::size_t queryStride = 0;
    float* out = nullptr;
    std::size_t outStride = 0;
};

/// Working memory of one thread.
class AttentionScratch {
public:
    AttentionScratch(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                     std::uint32_t maxGroup);
    /// @unit bytes of all buffers
    static std::uint64_t bytes(const graph::Program& program, std::span<const std::uint32_t> kvLayers,
                               std::uint32_t maxGroup);
    std::vector<float> rows;     // keys, then values, of one block
    std::vector<float> scores;   // [tokens × group, kKeyBlock]
    std::vector<float> sums;     // [tokens × group, valueLength]
    std::vector<float> maxima;   // [tokens × group]
    std::vector<float> weights;  // [tokens × group]
};

/// out = softmax(scale × Q Kᵀ) V for one tile.
/// @source Milakov & Gimelshein 2018 (1805.02867) for the running maximum; Dao et al. 2022 (2205.14135) for
/// the blocks
void attend(const VectorKernels& kernels, const KvCache& cache, const AttentionJob& job,
            AttentionScratch& scratch);

}  // namespace loader::cpu
