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

/// Tokens of a pair activation that are multiplied together: the results of both records wait in scratch.
constexpr std::size_t kPairTokens = 128;
constexpr std::size_t kPairBytes = 2 * kPairTokens * kPanelRows * sizeof(float);

std::size_t kernelScratchBytes(std::size_t maxColumns) {
    return std::max(kPanelScratchBytes, roundUp(maxColumns * sizeof(float), kAlignment));
}

void runKernel(const TypeKernels& slot, const RowsJob& job) {
    (job.tokens >= kPanelTokens ? slot.panels : slot.rows)(job);
}

/// Adds the results of both records of each token into the job's output; `out` is the first token's first
/// row.
void addPairs(const float* results, std::size_t tokens, std::size_t rows, float* out, const RowsJob& job) {
    for (std::size_t t = 0; t < tokens; ++t) {
        const float* pair = results + 2 * t * kPanelRows;
        float* row = out + t * job.outStride;
        for (std::size_t r = 0; r < rows; ++r) {
            const float sum = pair[r] + pair[kPanelRows + r];
            row[r] = job.accumulate ? row[r] + sum : sum;
        }
    }
}

/// Each token is two records: multiplies both at once, panel by panel, and adds their results.
void multiplyPairs(const TypeKernels& slot, const RowsJob& job) {
    const std::size_t columns = job.weights.columns;
    auto* results = reinterpret_cast<float*>(job.scratch.data + kernelScratchBytes(columns));
    for (std::size_t first = 0; first < job.tokens; first += kPairTokens) {
        const std::size_t tokens = std::min(kPairTokens, job.tokens - first);
        for (std::size_t row = job.rowBegin; row < job.rowEnd; row += kPanelRows) {
            RowsJob part = job;
            part.weights.data += row * job.weights.rowBytes;
            part.weights.rows = std::min(kPanelRows, job.rowEnd - row);
            part.rowBegin = 0;
            part.rowEnd = part.weights.rows;
            part.activation =
                quantizedActivations(ActivationKind::Q8Block32, job.activation.token(first), columns);
            part.tokens = 2 * tokens;
            part.out = results;
            part.outStride = kPanelRows;
            part.accumulate = false;
            runKernel(slot, part);
            addPairs(results, tokens, part.rowEnd, job.out + first * job.outStride + row, job);
        }
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

std::size_t scratchBytes(std::size_t maxColumns) {
    return kernelScratchBytes(maxColumns) + kPairBytes;
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
    assert(activation.kind == slot.activation && "activation of another kind");
    // Layers of one program may differ in width: the input is then the front of a wider row.
    assert(activation.columns >= weights.columns && rowEnd <= weights.rows && "shapes differ");
    assert(scratch.bytes >= scratchBytes(weights.columns) && "scratch too small");
    if (rowBegin >= rowEnd || tokens == 0) return;
    const RowsJob job{weights, rowBegin, rowEnd, activation, tokens, out, outStride, mode == OutputMode::Add,
                      scratch};
    if (activation.kind == ActivationKind::Q8Pair32) {
        multiplyPairs(slot, job);
    } else {
        runKernel(slot, job);
    }
}

void quantizeActivation(const KernelTable& kernels, ActivationKind kind, const float* in, std::size_t columns,
                        std::byte* out) {
    switch (kind) {
        case ActivationKind::F32: std::memcpy(out, in, columns * sizeof(float)); return;
        case ActivationKind::Q8Block32: kernels.vectors.quantizeBlock32(in, columns, out); return;
        case ActivationKind::Q8Block256: kernels.vectors.quantizeBlock256(in, columns, out); return;
        case ActivationKind::Q8Pair32: kernels.vectors.quantizePair32(in, columns, out); return;
    }
}

}  // namespace loader::cpu
