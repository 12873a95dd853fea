// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The building blocks of a layer: each takes its tensors from the file and appends macro-operations to a
// segment.
#pragma once

#include <string>

#include "core/engine/arch/hyper_parameters.h"
#include "core/engine/arch/spec.h"
#include "core/engine/arch/tensor_table.h"
#include "core/engine/base/result.h"
#include "core/engine/graph/program.h"

namespace loader::arch {

/// Slots that all decoder families share.
struct Slots {
    graph::SlotId stream;
    graph::SlotId normed;
    graph::SlotId query;
    graph::SlotId key;
    graph::SlotId value;
    graph::SlotId attended;
    graph::SlotId hidden;
    graph::SlotId routing;
};

/// What every block needs while a program is built.
struct BuildContext {
    const ArchSpec& spec;
    const HyperParameters& values;
    TensorTable& tensors;
    graph::Program& program;
    Slots slots;
    graph::RopeId rope = graph::kNone;
};

/// "blk.7." + name
std::string layerTensor(std::uint32_t layer, const std::string& name);

/// norm(in) -> out with the weights `name`.weight and, where the family has them, `name`.bias.
Status addNorm(BuildContext& context, graph::Segment& segment, const std::string& name, graph::SlotId in,
               graph::SlotId out);
/// Embedding of tokens, with learned positions where the family has them.
Status addEmbedding(BuildContext& context, graph::Segment& segment);
/// Query/key/value, rotation, KV write, attention, output projection onto the stream.
Status addAttention(BuildContext& context, graph::Segment& segment, std::uint32_t layer);
/// Dense feed-forward onto the stream.
Status addFeedForward(BuildContext& context, graph::Segment& segment, std::uint32_t layer);
/// Routed experts onto the stream.
Status addExperts(BuildContext& context, graph::Segment& segment, std::uint32_t layer);
/// Last norm and output matrix; the embedding table where the file has no output matrix.
Status addHead(BuildContext& context, graph::Segment& segment);

}  // namespace loader::arch
