// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The scale searches of Q4_K and Q6_K. Inputs are finite; a scale beyond half precision comes out as
// infinity, which quantizeRow refuses.
#pragma once

#include "core/engine/quant/q4_k.h"
#include "core/engine/quant/q6_k.h"

namespace loader::quant {

/// @shape in: 256 floats
void quantize(const float* in, BlockQ4_K& block);
void quantize(const float* in, BlockQ6_K& block);

}  // namespace loader::quant
