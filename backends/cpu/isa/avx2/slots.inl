// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which types the AVX2 and the AVX-512 tier multiply in integers.

template <>
struct Slot<quant::TensorType::Q4_0> : Slot32<FormatQ4_0>, ExactSlot32<FormatQ4_0> {};
template <>
struct Slot<quant::TensorType::Q4_1> : Slot32<FormatQ4_1> {};
template <>
struct Slot<quant::TensorType::Q5_0> : Slot32<FormatQ5_0>, ExactSlot32<FormatQ5_0> {};
template <>
struct Slot<quant::TensorType::Q5_1> : Slot32<FormatQ5_1> {};
template <>
struct Slot<quant::TensorType::Q8_0> {
    // The weights err by a 1/254 of a block's largest value: activations of 8 bits would err as much again.
    static constexpr ActivationKind kActivation = ActivationKind::Q8Pair32;
    static constexpr RowsKernel kRows = intRows<RowOfTerms<FormatQ8_0>>;
    static constexpr RowsKernel kPanels = intPanels<Family32<FormatQ8_0>>;
};
template <>
struct Slot<quant::TensorType::IQ4_NL> : Slot32<FormatIQ4_NL>, ExactSlot32<FormatIQ4_NL> {};
template <>
struct Slot<quant::TensorType::MXFP4> : Slot32<FormatMXFP4>, ExactSlot32<FormatMXFP4> {};
template <>
struct Slot<quant::TensorType::Q2_K> : Slot256<FormatQ2_K> {};
template <>
struct Slot<quant::TensorType::Q3_K> : Slot256<FormatQ3_K> {};
template <>
struct Slot<quant::TensorType::Q4_K> : Slot256<FormatQ4_K> {};
template <>
struct Slot<quant::TensorType::Q5_K> : Slot256<FormatQ5_K> {};
template <>
struct Slot<quant::TensorType::Q6_K> : Slot256<FormatQ6_K> {};
template <>
struct Slot<quant::TensorType::IQ4_XS> : Slot256<FormatIQ4_XS> {};
template <>
struct Slot<quant::TensorType::IQ2_XXS> : Slot256<FormatIQ2_XXS> {};
template <>
struct Slot<quant::TensorType::IQ2_XS> : Slot256<FormatIQ2_XS> {};
template <>
struct Slot<quant::TensorType::IQ2_S> : Slot256<FormatIQ2_S> {};
template <>
struct Slot<quant::TensorType::IQ3_XXS> : Slot256<FormatIQ3_XXS> {};
template <>
struct Slot<quant::TensorType::IQ3_S> : Slot256<FormatIQ3_S> {};
template <>
struct Slot<quant::TensorType::IQ1_S> : Slot256<FormatIQ1_S> {};
template <>
struct Slot<quant::TensorType::IQ1_M> : Slot256<FormatIQ1_M> {};
template <>
struct Slot<quant::TensorType::TQ2_0> : Slot256<FormatTQ2_0> {};
template <>
struct Slot<quant::TensorType::TQ1_0> : Slot256<FormatTQ1_0> {};
template <>
struct Slot<quant::TensorType::NVFP4> : SlotOfFloats<BlockToFloatNVFP4> {};
template <>
struct Slot<quant::TensorType::Q1_0> : SlotOfFloats<BlockToFloatQ1_0> {};
template <>
struct Slot<quant::TensorType::Q2_0> : SlotOfFloats<BlockToFloatQ2_0> {};
