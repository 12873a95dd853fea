// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What one instruction set tier can do, as data. Each tier exports one constinit table; selectKernels() fills
// the slots that a tier leaves empty from the next lower one. The weight slots are built from
// core/engine/quant/types.inc.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "backends/cpu/isa/cpu_features.h"
#include "backends/cpu/kernels/activation.h"
#include "backends/cpu/kernels/attention_block.h"
#include "core/engine/quant/tensor_type.h"

namespace loader::cpu {

/// Rows of one matrix in the layout of its file. @unit rowBytes: distance from row to row
struct WeightView {
    quant::TensorType type = quant::TensorType::F32;
    const std::byte* data = nullptr;  ///< of any alignment; may end at the end of a mapping
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t rowBytes = 0;
};

/// Working memory of one thread, from ScratchBuffer in matmul.h. 64-byte aligned.
struct Scratch {
    std::byte* data = nullptr;
    std::size_t bytes = 0;
};

/// out[token × outStride + row] (+)= weights[row] · activation[token] for rowBegin <= row < rowEnd.
struct RowsJob {
    WeightView weights;
    std::size_t rowBegin = 0;
    std::size_t rowEnd = 0;
    ActivationView activation;
    std::size_t tokens = 0;
    float* out = nullptr;
    std::size_t outStride = 0;
    bool accumulate = false;
    Scratch scratch;
};
using RowsKernel = void (*)(const RowsJob&);

/// How one weight type is multiplied. `rows` reads the file's layout row by row (few tokens); `panels`
/// unpacks 32 rows at a time (many tokens). Both take activations of the same kind. `wide` is a quicker
/// kernel for many tokens that takes another kind. The `exact` pair takes activations of two terms (Q8Pair32)
/// where `rows` and `panels` take those of one.
struct TypeKernels {
    quant::TensorType type = quant::TensorType::F32;
    ActivationKind activation = ActivationKind::F32;
    RowsKernel rows = nullptr;
    RowsKernel panels = nullptr;
    ActivationKind wideActivation = ActivationKind::F32;
    RowsKernel wide = nullptr;       ///< null where there is none
    RowsKernel exactRows = nullptr;  ///< null where there are none
    RowsKernel exactPanels = nullptr;
};

/// Element-wise and row helpers. Rows of Q8_0 are file blocks: a half scale and 32 int8.
/// @unit exponentials: relative error of 3 × 2^-24 at most; below -87.33 they are 0
struct VectorKernels {
    float (*dot)(const float* a, const float* b, std::size_t count);
    /// y += factor × x
    void (*axpy)(float factor, const float* x, float* y, std::size_t count);
    /// Added up in double.
    double (*sumSquares)(const float* x, std::size_t count);
    double (*sum)(const float* x, std::size_t count);
    /// out = x × factor × weight; weight may be null, out may be x.
    void (*scale)(const float* x, float factor, const float* weight, float* out, std::size_t count);
    /// y += x
    void (*add)(const float* x, float* y, std::size_t count);
    /// y *= x
    void (*multiply)(const float* x, float* y, std::size_t count);

    void (*halfToFloat)(const std::uint16_t* in, float* out, std::size_t count);
    void (*floatToHalf)(const float* in, std::uint16_t* out, std::size_t count);
    /// One token's record. @shape columns: a multiple of the block; out: 64-byte aligned, layout.stride bytes
    void (*quantizeBlock32)(const float* in, std::size_t columns, std::byte* out);
    void (*quantizeBlock256)(const float* in, std::size_t columns, std::byte* out);
    void (*quantizePair32)(const float* in, std::size_t columns, std::byte* out);
    void (*quantizeInt16)(const float* in, std::size_t columns, std::byte* out);
    /// Float row to Q8_0 file blocks, for the KV cache. @shape count: a multiple of 32
    void (*floatToQ8Row)(const float* in, std::byte* out, std::size_t count);

    float (*dotHalf)(const float* query, const std::uint16_t* key, std::size_t count);
    void (*axpyHalf)(float factor, const std::uint16_t* value, float* out, std::size_t count);
    /// @shape count: a multiple of 32
    float (*dotQ8)(const float* query, const std::byte* key, std::size_t count);
    void (*axpyQ8)(float factor, const std::byte* value, float* out, std::size_t count);

    /// out = silu(gate) × up; up may be null (plain silu), out may be gate.
    void (*siluMultiply)(const float* gate, const float* up, float* out, std::size_t count);
    /// out = gelu(gate) × up, tanh form; up may be null, out may be gate.
    void (*geluMultiply)(const float* gate, const float* up, float* out, std::size_t count);
    /// Minus infinity for an empty row.
    float (*maximum)(const float* x, std::size_t count);
    /// x = exp(x - shift); returns the sum. With shift = maximum() the numerator of a softmax, as attention
    /// needs it in parts.
    float (*expRow)(float* x, float shift, std::size_t count);
};

/// One more than the highest number of types.inc: a slot is found by its number, without a search.
inline constexpr std::size_t kTableSlots = [] {
    std::size_t highest = 0;
#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) \
    highest = std::max<std::size_t>(highest, number);
#include "core/engine/quant/types.inc"
    return highest + 1;
}();

struct KernelTable {
    IsaTier tier = IsaTier::Baseline;
    /// Indexed by the type's number in files; `rows` is null where the type is no weight.
    std::array<TypeKernels, kTableSlots> types{};
    VectorKernels vectors{};
    /// Indexed by KvFormat.
    std::array<AttentionKernels, kKvFormats> attention{};

    const TypeKernels& slot(quant::TensorType type) const { return types[static_cast<std::size_t>(type)]; }
    bool supports(quant::TensorType type) const { return slot(type).rows != nullptr; }
    /// Taken with any number of tokens.
    ActivationKind activationKind(quant::TensorType type) const { return slot(type).activation; }
    /// The quickest for many tokens: activationKind() or another, which is taken with any number as well.
    ActivationKind wideActivationKind(quant::TensorType type) const {
        return slot(type).wide != nullptr ? slot(type).wideActivation : slot(type).activation;
    }
};

/// The same table with every type that has them on its kernels for activations of two terms: slower, and as
/// exact as with float activations for all that a model's output shows
/// (docs/adr/0011-two-term-activations.md).
KernelTable withExactActivations(KernelTable table);

/// The complete table of a tier, which must not be above detectTier().
/// @thread the result is const data: copy or share it freely
KernelTable selectKernels(IsaTier tier);

}  // namespace loader::cpu
