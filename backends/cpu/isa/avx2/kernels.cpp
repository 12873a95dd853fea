// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Kernels of the AVX2 tier. The target region opens after the last header, so that no shared inline function
// is compiled for it; everything but the table has internal linkage, and nothing needs a dynamic initialiser.

#include <immintrin.h>

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

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

namespace loader::cpu::isa_avx2 {
namespace {

// The order matters.
// clang-format off
#include "backends/cpu/isa/avx2/vec.inl"
#include "backends/cpu/kernels/vector_ops.inl"
#include "backends/cpu/kernels/quantize.inl"
#include "backends/cpu/kernels/row_streams.inl"
#include "backends/cpu/kernels/float_rows.inl"
#include "backends/cpu/kernels/float_panel.inl"
#include "backends/cpu/kernels/attention_softmax.inl"
#include "backends/cpu/kernels/attention_panels.inl"
#include "backends/cpu/kernels/attention_direct.inl"
#include "backends/cpu/isa/avx2/formats32.inl"
#include "backends/cpu/isa/avx2/formats256.inl"
#include "backends/cpu/isa/avx2/formats_grid.inl"
#include "backends/cpu/isa/avx2/formats_float.inl"
#include "backends/cpu/isa/avx2/int_dot.inl"
#include "backends/cpu/isa/avx2/int_rows.inl"
#include "backends/cpu/isa/avx2/int_rows_terms.inl"
#include "backends/cpu/isa/avx2/int_rows_pairs.inl"
#include "backends/cpu/isa/avx2/int_panel_form.inl"
#include "backends/cpu/isa/avx2/int_tile.inl"
#include "backends/cpu/isa/avx2/int_unpack.inl"
#include "backends/cpu/isa/avx2/int_panels.inl"
#include "backends/cpu/isa/avx2/pair_panels.inl"
#define LOADER_TIER_SLOTS "backends/cpu/isa/avx2/slots.inl"
#include "backends/cpu/kernels/tier_slots.inl"
#undef LOADER_TIER_SLOTS
// clang-format on

}  // namespace

constinit const KernelTable kTable = makeTable(IsaTier::Avx2);

}  // namespace loader::cpu::isa_avx2

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
