// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The activations of a batch in the form that a weight type multiplies with. Made once per (input, token) and
// shared by every projection that reads the same input. One token is one contiguous record;
// activationLayout() says where its parts lie.
#pragma once

#include <cstddef>
#include <cstdint>

namespace loader::cpu {

enum class ActivationKind : std::uint8_t {
    F32,         ///< floats as they are
    Q8Block32,   ///< int8 -127 … 127, one f32 scale per 32 values
    Q8Block256,  ///< int8 -127 … 127, one f32 scale per 256 values
    /// 16 bits as two int8 -127 … 127, one f32 scale per 32 values: scale × (256 × high + low). For weights
    /// whose own error is so small that 8 bits of activation would spoil it
    /// (docs/adr/0011-two-term-activations.md). Each block is a cache line: 32 high terms, then 32 low.
    Q8Pair32,
    /// int16 -8191 … 8191, one f32 scale per 32 values; zeros fill the last block.
    Int16Block32,
};
inline constexpr std::size_t kActivationKinds = 5;

/// Whether the form is wanted only where a step has kPanelTokens tokens or more.
constexpr bool onlyForManyTokens(ActivationKind kind) {
    return kind == ActivationKind::Int16Block32;
}

/// Values that share one scale; 1 for F32. A row must be a multiple of it, but for Int16Block32.
constexpr std::size_t activationBlock(ActivationKind kind) {
    return kind == ActivationKind::F32 ? 1 : kind == ActivationKind::Q8Block256 ? 256 : 32;
}

/// Byte offsets inside one token's record. Parts that a kind lacks are 0.
struct ActivationLayout {
    std::size_t scales = 0;  ///< f32, one per block
    std::size_t sums = 0;    ///< f32 per 32 values: scale times their sum; Q8Block32 only
    /// i32 per 32 values: -128 × their sum; of Q8Pair32 the sum of 256 × high + low
    std::size_t offsets32 = 0;
    std::size_t offsets16 = 0;  ///< i32 per 16 values: -128 × their sum; Q8Block256 only
    std::size_t evenOddSums =
        0;  ///< i16 per 16 values, in each 256 first the 8 even then the 8 odd groups; Q8Block256 only
    std::size_t stride = 0;  ///< bytes from token to token
};

constexpr std::size_t roundUp(std::size_t value, std::size_t step) {
    return (value + step - 1) / step * step;
}

/// @shape columns: a multiple of activationBlock(kind); any for Int16Block32
constexpr ActivationLayout activationLayout(ActivationKind kind, std::size_t columns) {
    ActivationLayout layout;
    if (kind == ActivationKind::F32) {
        layout.stride = roundUp(columns * sizeof(float), 64);
        return layout;
    }
    if (kind == ActivationKind::Int16Block32) {
        const std::size_t blocks = roundUp(columns, 32) / 32;
        layout.scales = blocks * 64;
        layout.stride = layout.scales + roundUp(blocks * sizeof(float), 64);
        if (layout.stride % 128 == 0) layout.stride += 64;
        return layout;
    }
    const std::size_t terms = kind == ActivationKind::Q8Pair32 ? 2 : 1;
    layout.scales = roundUp(columns * terms, 64);
    layout.offsets32 = layout.scales + roundUp(columns / activationBlock(kind) * sizeof(float), 64);
    std::size_t end = layout.offsets32 + roundUp(columns / 32 * sizeof(std::int32_t), 64);
    if (kind == ActivationKind::Q8Block32) {
        layout.sums = end;
        end += roundUp(columns / 32 * sizeof(float), 64);
    } else if (kind == ActivationKind::Q8Block256) {
        layout.offsets16 = end;
        layout.evenOddSums = end + roundUp(columns / 16 * sizeof(std::int32_t), 64);
        end = layout.evenOddSums + roundUp(columns / 16 * sizeof(std::int16_t), 64);
    }
    // An odd number of cache lines, so that the tokens of a tile do not fall into the same cache set.
    layout.stride = end % 128 == 0 ? end + 64 : end;
    return layout;
}

/// A batch of activation records. Does not own.
/// @thread const; any number of readers
struct ActivationView {
    ActivationKind kind = ActivationKind::F32;
    std::size_t columns = 0;
    const std::byte* data = nullptr;  ///< 64-byte aligned for the Q8 kinds
    ActivationLayout layout;

    const std::byte* token(std::size_t index) const { return data + index * layout.stride; }
    const float* floats(std::size_t index) const { return reinterpret_cast<const float*>(token(index)); }
    ActivationView from(std::size_t firstToken) const { return {kind, columns, token(firstToken), layout}; }
};

/// Floats of the caller as activations, without a copy. @unit stride: floats from token to token
inline ActivationView floatActivations(const float* data, std::size_t columns, std::size_t stride) {
    ActivationLayout layout;
    layout.stride = stride * sizeof(float);
    return {ActivationKind::F32, columns, reinterpret_cast<const std::byte*>(data), layout};
}

/// Records written by quantizeActivation() of matmul.h at `data`.
inline ActivationView quantizedActivations(ActivationKind kind, const std::byte* data, std::size_t columns) {
    return {kind, columns, data, activationLayout(kind, columns)};
}

}  // namespace loader::cpu
