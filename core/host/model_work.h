// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How much a model has to read and compute for a token, counted from its program: what speeds are divided by
// to see which part of a machine's ceiling they reach.
#pragma once

#include <cstdint>

#include "backends/api/backend.h"
#include "core/engine/graph/program.h"

namespace loader::host {

/// What a back end multiplies weights of a type with at best.
enum class Products {
    /// 8-bit integers: quantised weights.
    Int8,
    /// 16-bit integers or bfloat16, two at a time: F16 and BF16 weights.
    Int16,
    /// 32-bit floats.
    Float
};

struct ModelWork {
    /// Weights read for one generated token: the table of tokens counts one row, of experts only those used.
    std::uint64_t weightBytes = 0;
    /// Multiplications with weights for one token of a prompt, without the head.
    std::uint64_t macs = 0;
    /// Those of the head, which only the last token of a prompt needs.
    std::uint64_t headMacs = 0;
    /// What most multiplications with weights are, of which the head is left out.
    Products products = Products::Float;
};

ModelWork workOf(const graph::Program& program);

/// The part of an operation's weights that one token needs: of experts only those that are used.
double usedPart(const graph::Op& op);

/// Bytes of the KV cache that a token reads which sees `length` positions.
std::uint64_t kvBytes(const graph::Program& program, backend::KvType type, std::uint64_t length);

}  // namespace loader::host
