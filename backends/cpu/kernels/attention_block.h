// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the attention kernels of every tier work on: query rows on their way over the keys, and a block of
// keys and values in the layout of the cache.
#pragma once

#include <cstddef>
#include <cstdint>

namespace loader::cpu {

/// Keys that are looked at together; blocks begin at multiples of it.
inline constexpr std::size_t kKeyBlock = 64;
/// Query rows that a register tile of attendPanels holds; it takes whole tiles.
inline constexpr std::size_t kQueryTile = 6;
/// Query and sum rows are padded to multiples of this, with zeros.
inline constexpr std::size_t kHeadPadding = 16;

/// How keys and values are kept.
enum class KvFormat : std::uint8_t { F16, Q8_0, F32 };
inline constexpr std::size_t kKvFormats = 3;

/// Consecutive keys and values of one head, at most kKeyBlock.
struct KeyBlock {
    const std::byte* keys = nullptr;
    const std::byte* values = nullptr;
    std::size_t keyRowBytes = 0;
    std::size_t valueRowBytes = 0;
    std::size_t keyLength = 0;
    std::size_t valueLength = 0;
    /// Position of the first.
    std::uint32_t begin = 0;
    std::uint32_t count = 0;
};

/// Rows of queries and what they have summed up so far: exp(score - maximum) × value, and the weights alone.
struct AttentionRows {
    std::size_t count = 0;
    /// Scaled. @shape [count, keyStride]
    const float* queries = nullptr;
    std::size_t keyStride = 0;
    /// @shape [count, valueStride]
    float* sums = nullptr;
    std::size_t valueStride = 0;
    float* maxima = nullptr;
    float* weights = nullptr;
    /// Positions [begin, end) that each row sees.
    const std::uint32_t* begins = nullptr;
    const std::uint32_t* ends = nullptr;
    /// Scores become cap × tanh(score / cap); 0 means none.
    float softcap = 0.0f;
};

/// Adds one block to every row. `direct` reads the cache's own layout again for every few rows and wants no
/// memory: for few rows. `panels` converts the block to floats once: for many rows.
/// @shape panels: attentionPanelFloats(), 64-byte aligned; rows: a multiple of kQueryTile
struct AttentionKernels {
    void (*direct)(const AttentionRows& rows, const KeyBlock& block) = nullptr;
    void (*panels)(const AttentionRows& rows, const KeyBlock& block, float* panels) = nullptr;
};

/// Eight converted rows wait for their transposition.
constexpr std::size_t attentionPanelFloats(std::size_t keyLength, std::size_t valueStride) {
    return (kKeyBlock + 8) * (keyLength + kHeadPadding) + kKeyBlock * valueStride;
}

}  // namespace loader::cpu
