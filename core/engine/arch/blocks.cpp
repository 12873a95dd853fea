// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/arch/blocks.h"

#include <cmath>

namespace loader::arch {
namespace {

using graph::kNone;
using graph::Linear;
using graph::TensorId;

Result<TensorId> takeBias(BuildContext& context, const std::string& name, Presence presence,
                          std::uint64_t rows) {
    if (presence == Presence::No) return kNone;
    const Shape shape{rows, 1, 1};
    return presence == Presence::Yes ? context.tensors.take(name + ".bias", shape)
                                     : context.tensors.takeOptional(name + ".bias", shape);
}

Result<Linear> takeLinear(BuildContext& context, const std::string& name, std::uint64_t columns,
                          std::uint64_t rows, Presence bias) {
    Linear linear;
    LOADER_TRY(linear.weight, context.tensors.take(name + ".weight", {columns, rows, 1}));
    LOADER_TRY(linear.bias, takeBias(context, name, bias, rows));
    return linear;
}

Result<graph::QkvOp> makeQkv(BuildContext& context, std::uint32_t layer) {
    const ArchSpec& spec = context.spec;
    const HyperParameters& values = context.values;
    const LayerParameters& numbers = values.layers[layer];
    const std::uint64_t queryRows = std::uint64_t{numbers.heads} * values.keyLength;
    const std::uint64_t keyRows = std::uint64_t{numbers.kvHeads} * values.keyLength;
    const std::uint64_t valueRows = std::uint64_t{numbers.kvHeads} * values.valueLength;

    graph::QkvOp op;
    if (spec.fusedQkv) {
        LOADER_TRY(op.fused, takeLinear(context, layerTensor(layer, "attn_qkv"), values.width,
                                        queryRows + keyRows + valueRows, spec.qkvBias));
    } else {
        const auto take = [&](const char* name, std::uint64_t rows) {
            return takeLinear(context, layerTensor(layer, name), values.width, rows, spec.qkvBias);
        };
        LOADER_TRY(op.query, take("attn_q", queryRows));
        LOADER_TRY(op.key, take("attn_k", keyRows));
        LOADER_TRY(op.value, take("attn_v", valueRows));
    }
    if (spec.headNorms) {
        const Shape head{values.keyLength, 1, 1};
        LOADER_TRY(op.queryNorm, context.tensors.take(layerTensor(layer, "attn_q_norm.weight"), head));
        LOADER_TRY(op.keyNorm, context.tensors.take(layerTensor(layer, "attn_k_norm.weight"), head));
        op.normEpsilon = static_cast<float>(values.normEpsilon);
    }
    op.heads = numbers.heads;
    op.kvHeads = numbers.kvHeads;
    op.keyLength = values.keyLength;
    op.valueLength = values.valueLength;
    op.in = context.slots.normed;
    op.queryOut = context.slots.query;
    op.keyOut = context.slots.key;
    op.valueOut = context.slots.value;
    return op;
}

/// One tensor with all experts, or, in files of early 2024, one tensor for each.
struct ExpertTensors {
    TensorId first = kNone;
    bool separate = false;
};

Result<ExpertTensors> takeExperts(BuildContext& context, std::uint32_t layer, const std::string& name,
                                  std::uint64_t columns, std::uint64_t rows) {
    const std::string joined = layerTensor(layer, name + "_exps.weight");
    const std::string firstSeparate = layerTensor(layer, name + ".0.weight");
    if (context.tensors.has(joined) || !context.tensors.has(firstSeparate)) {
        LOADER_TRY(const TensorId id, context.tensors.take(joined, {columns, rows, context.values.experts}));
        return ExpertTensors{id, false};
    }
    ExpertTensors experts{kNone, true};
    for (std::uint32_t i = 0; i < context.values.experts; ++i) {
        const std::string one = layerTensor(layer, name + "." + std::to_string(i) + ".weight");
        LOADER_TRY(const TensorId id, context.tensors.take(one, {columns, rows, 1}));
        if (i == 0) experts.first = id;
    }
    return experts;
}

}  // namespace

std::string layerTensor(std::uint32_t layer, const std::string& name) {
    return "blk." + std::to_string(layer) + "." + name;
}

Status addNorm(BuildContext& context, graph::Segment& segment, const std::string& name, graph::SlotId in,
               graph::SlotId out) {
    graph::NormOp op;
    op.kind = context.spec.norm;
    const Shape shape{context.values.width, 1, 1};
    LOADER_TRY(op.weight, context.tensors.take(name + ".weight", shape));
    if (context.spec.normBias) {
        LOADER_TRY(op.bias, context.tensors.take(name + ".bias", shape));
    }
    op.epsilon = static_cast<float>(context.values.normEpsilon);
    op.in = in;
    op.out = out;
    segment.ops.emplace_back(op);
    return {};
}

Status addEmbedding(BuildContext& context, graph::Segment& segment) {
    graph::EmbedOp op;
    LOADER_TRY(op.tokens, context.tensors.take("token_embd.weight",
                                               {context.values.width, context.program.vocabulary, 1}));
    if (context.spec.learnedPositions) {
        const gguf::TensorInfo* table = context.tensors.find("position_embd.weight");
        const std::uint64_t rows = table ? table->dims[1] : context.values.context;
        LOADER_TRY(op.positions,
                   context.tensors.take("position_embd.weight", {context.values.width, rows, 1}));
        context.program.positionLimit =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, 0xFFFFFFFFu));
    }
    op.out = context.slots.stream;
    segment.ops.emplace_back(op);
    return {};
}

Status addAttention(BuildContext& context, graph::Segment& segment, std::uint32_t layer) {
    const HyperParameters& values = context.values;
    const Slots& slots = context.slots;
    const LayerParameters& numbers = values.layers[layer];
    LOADER_TRY(graph::QkvOp qkv, makeQkv(context, layer));
    segment.ops.emplace_back(qkv);

    const auto kvLayer = static_cast<std::uint32_t>(context.program.kvLayers.size());
    context.program.kvLayers.push_back(
        {layer, numbers.kvHeads, values.keyLength, values.valueLength, values.window});
    segment.ops.emplace_back(
        graph::RopeStoreOp{context.rope, kvLayer, numbers.heads, slots.query, slots.key, slots.value});

    graph::AttendOp attend;
    attend.kvLayer = kvLayer;
    attend.heads = numbers.heads;
    attend.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(values.keyLength)));
    attend.query = slots.query;
    attend.out = slots.attended;
    segment.ops.emplace_back(attend);

    graph::ProjectOp project;
    LOADER_TRY(project.linear, takeLinear(context, layerTensor(layer, "attn_output"),
                                          std::uint64_t{numbers.heads} * values.valueLength, values.width,
                                          context.spec.attentionOutputBias));
    project.in = slots.attended;
    project.out = slots.stream;
    project.accumulate = true;
    segment.ops.emplace_back(project);
    return {};
}

Status addFeedForward(BuildContext& context, graph::Segment& segment, std::uint32_t layer) {
    const ArchSpec& spec = context.spec;
    const std::uint64_t width = context.values.width;
    const std::uint64_t hidden = context.values.layers[layer].feedForward;
    graph::GateUpOp gateUp;
    if (spec.gated) {
        LOADER_TRY(gateUp.gate,
                   takeLinear(context, layerTensor(layer, "ffn_gate"), width, hidden, spec.feedForwardBias));
    }
    LOADER_TRY(gateUp.up,
               takeLinear(context, layerTensor(layer, "ffn_up"), width, hidden, spec.feedForwardBias));
    gateUp.activation = spec.activation;
    gateUp.in = context.slots.normed;
    gateUp.out = context.slots.hidden;
    segment.ops.emplace_back(gateUp);

    graph::ProjectOp down;
    LOADER_TRY(down.linear,
               takeLinear(context, layerTensor(layer, "ffn_down"), hidden, width, spec.feedForwardBias));
    down.in = context.slots.hidden;
    down.out = context.slots.stream;
    down.accumulate = true;
    segment.ops.emplace_back(down);
    return {};
}

Status addExperts(BuildContext& context, graph::Segment& segment, std::uint32_t layer) {
    const HyperParameters& values = context.values;
    const std::uint64_t hidden = values.expertFeedForward;
    graph::RouteOp route;
    LOADER_TRY(route.linear, takeLinear(context, layerTensor(layer, "ffn_gate_inp"), values.width,
                                        values.experts, Presence::No));
    route.experts = values.experts;
    route.used = values.expertsUsed;
    route.gating = context.spec.gating;
    route.normalise = context.spec.normaliseExperts;
    route.in = context.slots.normed;
    route.out = context.slots.routing;
    segment.ops.emplace_back(route);

    LOADER_TRY(const ExpertTensors gate, takeExperts(context, layer, "ffn_gate", values.width, hidden));
    LOADER_TRY(const ExpertTensors up, takeExperts(context, layer, "ffn_up", values.width, hidden));
    LOADER_TRY(const ExpertTensors down, takeExperts(context, layer, "ffn_down", hidden, values.width));
    if (gate.separate != up.separate || gate.separate != down.separate) {
        return Error(Errc::M125,
                     {layerTensor(layer, "ffn_*"), "partly joined experts", "all joined or all separate"});
    }
    segment.ops.emplace_back(graph::ExpertGateUpOp{
        gate.first, up.first, gate.separate, values.experts, values.expertsUsed, context.spec.activation,
        context.slots.normed, context.slots.routing, context.slots.hidden});
    segment.ops.emplace_back(graph::ExpertDownOp{down.first, down.separate, values.experts,
                                                 values.expertsUsed, context.slots.hidden,
                                                 context.slots.routing, context.slots.stream, true});
    return {};
}

Status addHead(BuildContext& context, graph::Segment& segment) {
    LOADER_CHECK(addNorm(context, segment, "output_norm", context.slots.stream, context.slots.normed));
    graph::HeadOp op;
    const Shape shape{context.values.width, context.program.vocabulary, 1};
    const char* name = context.tensors.has("output.weight") ? "output.weight" : "token_embd.weight";
    LOADER_TRY(op.linear.weight, context.tensors.take(name, shape));
    op.in = context.slots.normed;
    segment.ops.emplace_back(op);
    return {};
}

}  // namespace loader::arch
