// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/arena.h"

#include <new>

namespace loader::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

bool wanted(unsigned kinds, std::size_t kind) {
    return (kinds >> kind & 1u) != 0;
}

}  // namespace

void AlignedBuffer::Free::operator()(std::byte* data) const {
    ::operator delete(data, std::align_val_t(kAlignment));
}

Result<AlignedBuffer> AlignedBuffer::create(std::size_t bytes) {
    auto* data = static_cast<std::byte*>(::operator new(roundUp(bytes == 0 ? 1 : bytes, kAlignment),
                                                        std::align_val_t(kAlignment), std::nothrow));
    if (!data) return Error(Errc::R901, {std::to_string(bytes) + " bytes"});
    AlignedBuffer buffer;
    buffer.m_data.reset(data);
    return buffer;
}

Result<SlotRows> SlotRows::create(std::uint32_t width, std::size_t tokens, unsigned kinds) {
    SlotRows rows;
    rows.m_width = width;
    rows.m_stride = rowStride(width);
    LOADER_TRY(rows.m_floats, AlignedBuffer::create(rows.m_stride * sizeof(float) * tokens));
    for (std::size_t k = 1; k < kActivationKinds; ++k) {
        if (!wanted(kinds, k)) continue;
        rows.m_layouts[k] = activationLayout(static_cast<ActivationKind>(k), width);
        LOADER_TRY(rows.m_records[k], AlignedBuffer::create(rows.m_layouts[k].stride * tokens));
    }
    return rows;
}

ActivationView SlotRows::view(ActivationKind kind, std::size_t first) const {
    if (kind == ActivationKind::F32) return floatActivations(row(first), m_width, m_stride);
    return quantizedActivations(kind, record(kind, first), m_width);
}

std::uint64_t slotBytes(std::uint32_t width, std::size_t tokens, unsigned kinds) {
    std::uint64_t bytes = rowStride(width) * sizeof(float);
    for (std::size_t k = 1; k < kActivationKinds; ++k) {
        if (wanted(kinds, k)) bytes += activationLayout(static_cast<ActivationKind>(k), width).stride;
    }
    return bytes * tokens;
}

}  // namespace loader::cpu
