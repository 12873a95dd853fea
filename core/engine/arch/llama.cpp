// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Llama and everything published under its architecture name: Mistral, Mixtral, Yi, TinyLlama, SmolLM2.
// Structure: Touvron et al. 2023 (2302.13971), grouped queries 2307.09288, experts 2401.04088.

#include "core/engine/arch/spec.h"

namespace loader::arch {

extern constexpr ArchSpec kLlama = {
    .name = "llama",
    .ropePairs = graph::RopePairs::Adjacent,
    .ropeFactors = Presence::Optional,
    .qkvBias = Presence::Optional,
    .attentionOutputBias = Presence::Optional,
    .feedForwardBias = Presence::Optional,
    .experts = Presence::Optional,
};

}  // namespace loader::arch
