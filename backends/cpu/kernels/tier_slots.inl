// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From the list of types to a tier's table, at compile time. A tier with kernels of its own for a type
// specialises Slot before it calls makeTable(); FallbackSlot is what the tier does for all others.

/// Multiplies in float after converting rows, whatever the type.
struct GenericSlot {
    static constexpr ActivationKind kActivation = ActivationKind::F32;
    static constexpr RowsKernel kRows = genericRows;
    static constexpr RowsKernel kPanels = floatPanels<AnyTypeToFloat>;
};

template <class Source>
struct FloatSlot {
    static constexpr ActivationKind kActivation = ActivationKind::F32;
    static constexpr RowsKernel kRows = floatRows<Source>;
    static constexpr RowsKernel kPanels = floatPanels<RowToFloat<Source>>;
};

template <quant::TensorType type>
struct Slot : GenericSlot {};
template <>
struct Slot<quant::TensorType::F32> : FloatSlot<SourceF32> {};

#ifdef LOADER_TIER_SLOTS
#include LOADER_TIER_SLOTS
#endif

#ifdef LOADER_TIER_HALVES
template <class Source>
using HalvesSlot = LOADER_TIER_HALVES<Source>;
#else
template <class Source>
using HalvesSlot = FloatSlot<Source>;
#endif
template <>
struct Slot<quant::TensorType::F16> : HalvesSlot<SourceF16> {};
template <>
struct Slot<quant::TensorType::BF16> : HalvesSlot<SourceBF16> {};

constexpr VectorKernels makeVectors() {
    VectorKernels v;
    v.dot = dot;
    v.axpy = axpy;
    v.sumSquares = sumSquares;
    v.sum = sum;
    v.scale = scaleRow;
    v.add = addRow;
    v.multiply = multiplyRow;
    v.halfToFloat = halfRowToFloat;
    v.floatToHalf = floatRowToHalf;
    v.quantizeBlock32 = quantizeBlock32;
    v.quantizeBlock256 = quantizeBlock256;
    v.quantizePair32 = quantizePair32;
    v.quantizeInt16 = quantizeInt16;
    v.floatToQ8Row = floatToQ8Row;
    v.dotHalf = dotHalf;
    v.axpyHalf = axpyHalf;
    v.dotQ8 = dotQ8;
    v.axpyQ8 = axpyQ8;
    v.siluMultiply = activateMultiply<silu>;
    v.geluMultiply = activateMultiply<gelu>;
    v.maximum = maximumRow;
    v.expRow = expRow;
    return v;
}

template <quant::TensorType type, quant::TypeRole role>
constexpr void fillSlot(KernelTable& table) {
    if constexpr (role == quant::TypeRole::Weight) {
        using Own = Slot<type>;
        table.types[static_cast<std::size_t>(type)] = {type, Own::kActivation, Own::kRows, Own::kPanels};
        if constexpr (requires { Own::kWide; }) {
            table.types[static_cast<std::size_t>(type)].wideActivation = Own::kWideActivation;
            table.types[static_cast<std::size_t>(type)].wide = Own::kWide;
        }
        if constexpr (requires { Own::kExactRows; }) {
            table.types[static_cast<std::size_t>(type)].exactRows = Own::kExactRows;
            table.types[static_cast<std::size_t>(type)].exactPanels = Own::kExactPanels;
        }
    }
}

constexpr KernelTable makeTable(IsaTier tier) {
    KernelTable table;
    table.tier = tier;
#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) \
    fillSlot<quant::TensorType::name, quant::TypeRole::role>(table);
#include "core/engine/quant/types.inc"
    table.vectors = makeVectors();
    table.attention[static_cast<std::size_t>(KvFormat::F16)] = {attendDirect<KvHalf>, attendPanels<KvHalf>};
    table.attention[static_cast<std::size_t>(KvFormat::Q8_0)] = {attendDirect<KvQ8>, attendPanels<KvQ8>};
    table.attention[static_cast<std::size_t>(KvFormat::F32)] = {attendDirect<KvFloat>, attendPanels<KvFloat>};
    return table;
}
