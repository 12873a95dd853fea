// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// An architecture as data: what differs between decoder families, as fields. A family is one file with one or
// more specs and one row each in registry.inc; what fields cannot say goes into a block builder of blocks.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/engine/graph/program.h"

namespace loader::arch {

enum class Presence : std::uint8_t { No, Optional, Yes };

/// @thread constant
struct ArchSpec {
    std::string_view name;

    // Positions
    bool rotary = true;
    graph::RopePairs ropePairs = graph::RopePairs::Adjacent;
    double ropeBase = 10000.0;
    /// Divisors per pair in the tensor rope_freqs.weight.
    Presence ropeFactors = Presence::No;
    bool learnedPositions = false;

    // Norms
    graph::NormKind norm = graph::NormKind::Rms;
    bool normBias = false;

    // Attention
    bool fusedQkv = false;
    Presence qkvBias = Presence::No;
    Presence attentionOutputBias = Presence::No;
    /// A norm of each head's query and key in front of the rotation.
    bool headNorms = false;
    /// The key attention.sliding_window applies to every layer.
    bool slidingWindow = false;

    // Feed-forward
    bool gated = true;
    graph::Activation activation = graph::Activation::Silu;
    Presence feedForwardBias = Presence::No;

    // Experts
    Presence experts = Presence::No;
    graph::Gating gating = graph::Gating::Softmax;
    bool normaliseExperts = true;
};

/// A relative: a copy of base, changed.
template <class Change>
constexpr ArchSpec derive(const ArchSpec& base, Change change) {
    ArchSpec spec = base;
    change(spec);
    return spec;
}

}  // namespace loader::arch
