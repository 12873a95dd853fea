// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Conversion of floats to tensor types, for files that this program writes. Not on any path that runs a
// model.
#pragma once

#include <cstddef>

#include "core/engine/base/result.h"
#include "core/engine/quant/tensor_type.h"

namespace loader::quant {

/// Whether quantizeRow can write this type: F32, F16, BF16, Q4_0, Q8_0, Q4_K, Q6_K.
bool canQuantize(TensorType type);

/// Converts `values` floats. F16 and BF16 round to nearest even; Q4_0 and Q8_0 give the bytes of the format's
/// reference; Q4_K and Q6_K search scales that make the error small, large values counting more.
/// @shape in: `values` floats, whole blocks; out: rowBytes(type, values) bytes, at any alignment
/// @errors X004 for other types; X001 for a broken row, for NaN or infinity in a block type, and for values
/// whose scale
///         exceeds half precision; `out` is then partly written
/// @thread any; rows are independent
Status quantizeRow(TensorType type, const float* in, std::byte* out, std::size_t values);

}  // namespace loader::quant
