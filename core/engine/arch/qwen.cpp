// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Qwen2 (2407.10671): biases on query, key and value. Qwen3 (2505.09388): norms of each head instead of the
// biases.

#include "core/engine/arch/spec.h"

namespace loader::arch {

extern constexpr ArchSpec kQwen2 = {
    .name = "qwen2",
    .ropePairs = graph::RopePairs::Halves,
    .ropeBase = 10000.0,
    .ropeFactors = Presence::Optional,
    .qkvBias = Presence::Yes,
};

extern constexpr ArchSpec kQwen3 = derive(kQwen2, [](ArchSpec& spec) {
    spec.name = "qwen3";
    spec.qkvBias = Presence::No;
    spec.headNorms = true;
});

}  // namespace loader::arch
