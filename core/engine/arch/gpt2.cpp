// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// GPT-2 (Radford et al. 2019): learned positions, LayerNorm, one fused query/key/value matrix, ungated GELU.

#include "core/engine/arch/spec.h"

namespace loader::arch {

extern constexpr ArchSpec kGpt2 = {
    .name = "gpt2",
    .rotary = false,
    .learnedPositions = true,
    .norm = graph::NormKind::Layer,
    .normBias = true,
    .fusedQkv = true,
    .qkvBias = Presence::Yes,
    .attentionOutputBias = Presence::Yes,
    .gated = false,
    .activation = graph::Activation::GeluTanh,
    .feedForwardBias = Presence::Yes,
};

}  // namespace loader::arch
