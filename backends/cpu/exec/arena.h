// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The activations of one step: a float row per (slot, token), and beside it the quantised forms that
// projections read. Allocated once for the largest step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backends/cpu/kernels/activation.h"
#include "core/engine/base/result.h"
#include "core/engine/graph/program.h"

namespace loader::cpu {

/// Floats from row to row of `width` values: whole cache lines, and an odd number of them, so that the same
/// columns of many tokens do not fall into the same few cache sets.
constexpr std::size_t rowStride(std::size_t width) {
    constexpr std::size_t kLine = 64 / sizeof(float);
    return ((width + kLine - 1) / kLine | 1) * kLine;
}

/// 64-byte aligned memory that is not initialised.
class AlignedBuffer {
public:
    /// @errors R901
    static Result<AlignedBuffer> create(std::size_t bytes);
    std::byte* data() const { return m_data.get(); }
    float* floats() const { return reinterpret_cast<float*>(m_data.get()); }

private:
    struct Free {
        void operator()(std::byte* data) const;
    };
    std::unique_ptr<std::byte, Free> m_data;
};

/// One slot: floats, and records of each kind that some projection of the program wants.
class SlotRows {
public:
    /// @param kinds bit i: ActivationKind i is wanted
    static Result<SlotRows> create(std::uint32_t width, std::size_t tokens, unsigned kinds);

    std::uint32_t width() const { return m_width; }
    std::size_t stride() const { return m_stride; }
    float* row(std::size_t token) const { return m_floats.floats() + token * m_stride; }
    std::byte* record(ActivationKind kind, std::size_t token) const {
        const auto k = static_cast<std::size_t>(kind);
        return m_records[k].data() + token * m_layouts[k].stride;
    }
    /// All tokens from `first` on, of a kind that create() was told of.
    ActivationView view(ActivationKind kind, std::size_t first = 0) const;

private:
    std::uint32_t m_width = 0;
    std::size_t m_stride = 0;
    AlignedBuffer m_floats;
    std::array<AlignedBuffer, kActivationKinds> m_records;
    std::array<ActivationLayout, kActivationKinds> m_layouts{};
};

/// Bytes that SlotRows::create takes.
std::uint64_t slotBytes(std::uint32_t width, std::size_t tokens, unsigned kinds);

}  // namespace loader::cpu
