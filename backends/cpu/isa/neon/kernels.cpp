// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Kernels of the NEON tier: ARMv8.2 with the integer dot product. The target region opens after the last
// header, so that no shared inline function is compiled for it; everything but the table has internal
// linkage, and nothing needs a dynamic initialiser.

#include <arm_neon.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "backends/cpu/isa/unroll.h"
#include "backends/cpu/kernels/panel_shape.h"
#include "backends/cpu/kernels/tier_tables.h"
#include "core/engine/base/half.h"
#include "core/engine/quant/blocks.h"
#include "core/engine/quant/dequantize.h"

// GCC inlines the intrinsics only into functions of the architecture that its header names for them.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

namespace loader::cpu::isa_neon {
namespace {

// The order matters.
// clang-format off
#include "backends/cpu/isa/neon/vec.inl"
#include "backends/cpu/kernels/vector_ops.inl"
#include "backends/cpu/kernels/quantize.inl"
#include "backends/cpu/kernels/row_streams.inl"
#include "backends/cpu/kernels/float_rows.inl"
#include "backends/cpu/kernels/float_panel.inl"
#include "backends/cpu/kernels/attention_softmax.inl"
#include "backends/cpu/kernels/attention_panels.inl"
#include "backends/cpu/kernels/attention_direct.inl"
#include "backends/cpu/isa/neon/formats.inl"
#include "backends/cpu/isa/neon/formats_grid.inl"
#include "backends/cpu/isa/neon/int_dot.inl"
#include "backends/cpu/isa/neon/int_rows.inl"
#include "backends/cpu/isa/neon/int_panels.inl"
#define LOADER_TIER_SLOTS "backends/cpu/isa/neon/slots.inl"
#include "backends/cpu/kernels/tier_slots.inl"
#undef LOADER_TIER_SLOTS
// clang-format on

}  // namespace

constinit const KernelTable kTable = makeTable(IsaTier::Neon);

}  // namespace loader::cpu::isa_neon

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
