// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Exact conversion of any tensor type to float, and reversal of byte order. The reference that faster kernels
// are tested against; one list (types.inc) decides which types there are.
#pragma once

#include <cstddef>
#include <span>

#include "core/engine/quant/tensor_type.h"

namespace loader::quant {

/// Converts whole blocks to floats, bit for bit as the format's reference does. Integers and F64 round to
/// nearest.
/// @shape in: rowBytes(type, values) bytes, at any alignment; out: `values` floats; values is a multiple of
/// the block
///        (a remainder is not converted)
/// @errors none   @thread any
void dequantizeRow(TensorType type, const std::byte* in, float* out, std::size_t values);

/// Reverses the byte order of every field wider than a byte. Doing it twice restores the data.
/// @shape data: whole blocks (a remainder is left as it is), at any alignment   @errors none   @thread any
void swapBlockEndianness(TensorType type, std::span<std::byte> data);

}  // namespace loader::quant
