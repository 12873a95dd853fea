// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Kernels of the baseline tier: complete, portable, multiplied in float.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "backends/cpu/isa/unroll.h"
#include "backends/cpu/kernels/panel_shape.h"
#include "backends/cpu/kernels/tier_tables.h"
#include "core/engine/base/half.h"
#include "core/engine/quant/dequantize.h"

namespace loader::cpu::isa_baseline {
namespace {

// The order matters.
// clang-format off
#include "backends/cpu/isa/baseline/vec.inl"
#include "backends/cpu/kernels/vector_ops.inl"
#include "backends/cpu/kernels/quantize.inl"
#include "backends/cpu/kernels/row_streams.inl"
#include "backends/cpu/kernels/float_rows.inl"
#include "backends/cpu/kernels/float_panel.inl"
#include "backends/cpu/kernels/attention_softmax.inl"
#include "backends/cpu/kernels/attention_panels.inl"
#include "backends/cpu/kernels/attention_direct.inl"
#include "backends/cpu/kernels/tier_slots.inl"
// clang-format on

}  // namespace

constinit const KernelTable kTable = makeTable(IsaTier::Baseline);

}  // namespace loader::cpu::isa_baseline
