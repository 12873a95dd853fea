// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/kernels/matmul.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "backends/cpu/kernels/tier_tables.h"

namespace loader::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

struct TierTable {
    IsaTier tier;
    const KernelTable* table;
};

/// Lowest tier first.
constexpr TierTable kTables[] = {
#define LOADER_ISA_TIER(name, text, space) {IsaTier::name, &space::kTable},
#include "backends/cpu/isa/tiers.inc"
};

/// Overwrites with what the higher tier has; its empty slots leave the lower tier's in place.
void raise(KernelTable& table, const KernelTable& higher) {
    table.tier = higher.tier;
    table.vectors = higher.vectors;
    table.attention = higher.attention;
    for (std::size_t i = 0; i < table.types.size(); ++i) {
        if (higher.types[i].rows != nullptr) table.types[i] = higher.types[i];
    }
}

}  // namespace

KernelTable selectKernels(IsaTier tier) {
    KernelTable table = *kTables[0].table;
    for (const TierTable& candidate : kTables) {
        if (candidate.tier > IsaTier::Baseline && candidate.tier <= tier) raise(table, *candidate.table);
    }
    return table;
}

KernelTable withExactActivations(KernelTable table) {
    for (TypeKernels& slot : table.types) {
        if (slot.exactRows == nullptr) continue;
        slot.activation = ActivationKind::Q8Pair32;
        slot.rows = slot.exactRows;
        slot.panels = slot.exactPanels;
    }
    return table;
}

std::size_t scratchBytes(std::size_t maxColumns) {
    return std::max(kPanelScratchBytes, roundUp(maxColumns * sizeof(float), kAlignment));
}

Result<ScratchBuffer> ScratchBuffer::create(std::size_t bytes) {
    std::unique_ptr<std::byte[]> storage;
    if (bytes <= std::numeric_limits<std::size_t>::max() - kAlignment) {
        storage.reset(new (std::nothrow) std::byte[bytes + kAlignment]);
    }
    if (!storage) return Error(Errc::R901, {std::to_string(bytes) + " bytes"});
    const auto address = reinterpret_cast<std::uintptr_t>(storage.get());
    std::byte* aligned = storage.get() + (roundUp(address, kAlignment) - address);
    return ScratchBuffer(std::move(storage), aligned, bytes);
}

void multiplyRows(const KernelTable& kernels, const WeightView& weights, std::size_t rowBegin,
                  std::size_t rowEnd, const ActivationView& activation, std::size_t tokens, float* out,
                  std::size_t outStride, Scratch scratch, OutputMode mode) {
    const TypeKernels& slot = kernels.slot(weights.type);
    assert(slot.rows != nullptr && "the type is no weight type");
    const bool wide = activation.kind != slot.activation;
    assert((!wide || (slot.wide != nullptr && activation.kind == slot.wideActivation)) &&
           "activation of another kind");
    // Layers of one program may differ in width: the input is then the front of a wider row.
    assert(activation.columns >= weights.columns && rowEnd <= weights.rows && "shapes differ");
    assert(scratch.bytes >= scratchBytes(weights.columns) && "scratch too small");
    if (rowBegin >= rowEnd || tokens == 0) return;
    const RowsJob job{weights, rowBegin, rowEnd, activation, tokens, out, outStride, mode == OutputMode::Add,
                      scratch};
    (wide ? slot.wide : tokens >= kPanelTokens ? slot.panels : slot.rows)(job);
}

void quantizeActivation(const KernelTable& kernels, ActivationKind kind, const float* in, std::size_t columns,
                        std::byte* out) {
    switch (kind) {
        case ActivationKind::F32: std::memcpy(out, in, columns * sizeof(float)); return;
        case ActivationKind::Q8Block32: kernels.vectors.quantizeBlock32(in, columns, out); return;
        case ActivationKind::Q8Block256: kernels.vectors.quantizeBlock256(in, columns, out); return;
        case ActivationKind::Q8Pair32: kernels.vectors.quantizePair32(in, columns, out); return;
        case ActivationKind::Int16Block32: kernels.vectors.quantizeInt16(in, columns, out); return;
    }
}

}  // namespace loader::cpu
