// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every block layout, checked against types.inc: for each row NAME there is a struct BlockNAME,
// dequantize(block, out) and swapByteOrder(block). Fields are in the byte order of the machine.
#pragma once

#include "core/engine/quant/fp4.h"
#include "core/engine/quant/iq1.h"
#include "core/engine/quant/iq2.h"
#include "core/engine/quant/iq3.h"
#include "core/engine/quant/iq4.h"
#include "core/engine/quant/plain.h"
#include "core/engine/quant/q1_0.h"
#include "core/engine/quant/q2_k.h"
#include "core/engine/quant/q3_k.h"
#include "core/engine/quant/q4_0.h"
#include "core/engine/quant/q4_k.h"
#include "core/engine/quant/q5_0.h"
#include "core/engine/quant/q6_k.h"
#include "core/engine/quant/q8_0.h"
#include "core/engine/quant/tensor_type.h"
#include "core/engine/quant/tq1_0.h"

namespace loader::quant {

/// BlockOf<TensorType::Q4_0>::Type is BlockQ4_0.
template <TensorType type>
struct BlockOf;

#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) \
    static_assert(sizeof(Block##name) == (bytes));            \
    static_assert(Block##name::kValues == (values));          \
    template <>                                               \
    struct BlockOf<TensorType::name> {                        \
        using Type = Block##name;                             \
    };
#include "core/engine/quant/types.inc"

}  // namespace loader::quant
