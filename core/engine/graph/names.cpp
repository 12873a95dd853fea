// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/graph/program.h"

namespace loader::graph {

std::string_view nameOf(NormKind kind) {
    return kind == NormKind::Rms ? "rms" : "layer";
}

std::string_view nameOf(Activation activation) {
    switch (activation) {
        case Activation::Silu: return "silu";
        case Activation::GeluTanh: return "gelu-tanh";
        case Activation::Relu: return "relu";
    }
    return "?";
}

std::string_view nameOf(Gating gating) {
    return gating == Gating::Softmax ? "softmax" : "sigmoid";
}

std::string_view nameOf(RopePairs pairs) {
    return pairs == RopePairs::Adjacent ? "adjacent" : "halves";
}

std::string_view nameOf(SegmentKind kind) {
    switch (kind) {
        case SegmentKind::Embedding: return "embedding";
        case SegmentKind::Mixer: return "mixer";
        case SegmentKind::FeedForward: return "feed-forward";
        case SegmentKind::Head: return "head";
    }
    return "?";
}

std::string_view nameOf(const Op& op) {
    static constexpr std::string_view kNames[] = {
#define LOADER_OP(name) #name,
#include "core/engine/graph/ops.inc"
    };
    static_assert(std::size(kNames) == std::variant_size_v<Op>,
                  "ops.inc and the variant list the same operations");
    return kNames[op.index()];
}

}  // namespace loader::graph
