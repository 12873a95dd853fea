// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which types the NEON tier multiplies in integers. All others are converted to float: Q1_0, Q2_0, TQ1_0
// and NVFP4.

template <>
struct Slot<quant::TensorType::Q4_0> : IntSlot<FormatQ4_0> {};
template <>
struct Slot<quant::TensorType::Q4_1> : IntSlot<FormatQ4_1> {};
template <>
struct Slot<quant::TensorType::Q5_0> : IntSlot<FormatQ5_0> {};
template <>
struct Slot<quant::TensorType::Q5_1> : IntSlot<FormatQ5_1> {};
template <>
struct Slot<quant::TensorType::Q8_0> : IntSlot<FormatQ8_0> {};
template <>
struct Slot<quant::TensorType::IQ4_NL> : IntSlot<FormatIQ4_NL> {};
template <>
struct Slot<quant::TensorType::MXFP4> : IntSlot<FormatMXFP4> {};
template <>
struct Slot<quant::TensorType::Q2_K> : IntSlot<FormatQ2_K> {};
template <>
struct Slot<quant::TensorType::Q3_K> : IntSlot<FormatQ3_K> {};
template <>
struct Slot<quant::TensorType::Q4_K> : IntSlot<FormatQ4_K> {};
template <>
struct Slot<quant::TensorType::Q5_K> : IntSlot<FormatQ5_K> {};
template <>
struct Slot<quant::TensorType::Q6_K> : IntSlot<FormatQ6_K> {};
template <>
struct Slot<quant::TensorType::IQ4_XS> : IntSlot<FormatIQ4_XS> {};
template <>
struct Slot<quant::TensorType::IQ2_XXS> : IntSlot<FormatIQ2_XXS> {};
template <>
struct Slot<quant::TensorType::IQ2_XS> : IntSlot<FormatIQ2_XS> {};
template <>
struct Slot<quant::TensorType::IQ2_S> : IntSlot<FormatIQ2_S> {};
template <>
struct Slot<quant::TensorType::IQ3_XXS> : IntSlot<FormatIQ3_XXS> {};
template <>
struct Slot<quant::TensorType::IQ3_S> : IntSlot<FormatIQ3_S> {};
template <>
struct Slot<quant::TensorType::IQ1_S> : IntSlot<FormatIQ1_S> {};
template <>
struct Slot<quant::TensorType::IQ1_M> : IntSlot<FormatIQ1_M> {};
template <>
struct Slot<quant::TensorType::TQ2_0> : IntSlot<FormatTQ2_0> {};
