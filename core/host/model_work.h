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

struct ModelWork {
    /// Weights read for one generated token: the table of tokens counts one row, of experts only those used.
    std::uint64_t weightBytes = 0;
    /// Multiplications with weights for one token of a prompt, without the head.
    std::uint64_t macs = 0;
    /// Those of the head, which only the last token of a prompt needs.
    std::uint64_t headMacs = 0;
    /// Whether most multiplications are with quantised weights.
    bool quantised = false;
};

ModelWork workOf(const graph::Program& program);

/// Bytes of the KV cache that a token reads which sees `length` positions.
std::uint64_t kvBytes(const graph::Program& program, backend::KvType type, std::uint64_t length);

}  // namespace loader::host
