// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Matrices times activations: projections, gated pairs, experts and adapters.

#include <algorithm>

#include "backends/vulkan/exec/lowering.h"

namespace loader::vulkan {

using graph::kNone;

namespace {

constexpr double kGiga = 1e-9;

double productCost(std::uint32_t rows, std::uint32_t columns, std::uint32_t tokens) {
    return 2.0 * kGiga * rows * columns * tokens;
}

}  // namespace

bool Lowering::hasAdapter(graph::TensorId target) const {
    return std::any_of(m_context.adapters.begin(), m_context.adapters.end(),
                       [target](const PlacedAdapter& adapter) { return adapter.target == target; });
}

/// Both matrices are read by the same workgroups: they have to be alike, and nothing may be added to the
/// gate.
bool Lowering::canPair(const graph::Linear& gate, const graph::Linear& up) const {
    if (!gate.present() || m_shape.tokens > KernelChoice::kVectorTokens) return false;
    if (gate.bias != kNone || up.bias != kNone || hasAdapter(gate.weight) || hasAdapter(up.weight))
        return false;
    const PlacedMatrix& a = m_context.weights.matrices.at(gate.weight);
    const PlacedMatrix& b = m_context.weights.matrices.at(up.weight);
    return a.type == b.type && a.rows == b.rows && a.columns == b.columns &&
           a.windows.size() == b.windows.size();
}

ArenaRows Lowering::formOf(const PlacedMatrix& matrix, const Input& input) {
    if (m_context.kernels.formOf(matrix.type, input.few()) == ProductForm::Float) return slot(input.slot);
    ArenaRows form = m_context.layout.form;
    const bool known = m_formed && m_formed->slot == input.slot && m_formed->gathered == input.gathered &&
                       m_formed->parts == input.parts;
    if (known) return form;
    const ArenaRows& rows = slot(input.slot);
    QuantisePush push{};
    push.columns = matrix.columns;
    push.rows = input.tokens;
    push.parts = input.parts;
    push.inOffset = rows.offset;
    push.inStride = rows.stride;
    push.inPartStride = input.partWidth;
    push.outOffset = form.offset;
    push.outStride = form.stride;
    push.outPartStride = divideUp(matrix.columns, 32) * kFormWords;
    push.gatherOffset = input.gathered ? m_context.layout.gatherOffset : LOADER_NONE;
    DispatchCommand dispatch =
        make(m_context.kernels.quantise(), push, divideUp(matrix.columns, KernelChoice::kLine),
             input.tokens * input.parts);
    run({dispatch}, {rows.region, stepRegion()}, {form.region});
    m_formed = input;
    return form;
}

ProductPush Lowering::pushOf(const PlacedMatrix& matrix, const Input& input, const Output& output) {
    const bool integer = m_context.kernels.formOf(matrix.type, input.few()) == ProductForm::Integer;
    const ArenaRows rows = formOf(matrix, input);
    ProductPush push{};
    push.columns = matrix.columns;
    push.tokens = input.tokens;
    push.rowBytes = matrix.rowBytes;
    push.xOffset = rows.offset;
    push.xStride = rows.stride;
    push.outStride = output.rows.stride;
    push.biasOffset = LOADER_NONE;
    push.gatherOffset = input.gathered && !integer ? m_context.layout.gatherOffset : LOADER_NONE;
    push.scale = output.scale;
    push.softcap = output.softcap;
    push.activation = output.activation;
    push.accumulate = output.accumulate ? 1 : 0;
    push.routingOffset = LOADER_NONE;
    return push;
}

void Lowering::dense(const PlacedMatrix& matrix, const graph::Linear& linear, const Input& input,
                     const Output& output) {
    ProductPush push = pushOf(matrix, input, output);
    const Choice choice = input.few()
                              ? m_context.kernels.matvec(matrix.type, matrix.columns, input.tokens, false)
                              : m_context.kernels.matmul(matrix.type, input.tokens);
    std::vector<DispatchCommand> dispatches;
    for (const WeightWindow& window : matrix.windows) {
        if (window.firstRow < output.firstRow || window.firstRow >= output.endRow) continue;
        push.rows = window.rows;
        push.outOffset = output.rows.offset + window.firstRow - output.firstRow;
        if (linear.bias != kNone)
            push.biasOffset = m_context.weights.vectors.at(linear.bias) + window.firstRow;
        DispatchCommand dispatch = make(choice.key, push, 1, divideUp(input.tokens, choice.tokens));
        spread(dispatch, divideUp(push.rows, choice.rows));
        dispatch.weights = window.index;
        dispatches.push_back(dispatch);
    }
    std::vector<std::uint32_t> reads{slot(input.slot).region, m_context.layout.form.region, stepRegion()};
    if (output.accumulate) reads.push_back(output.rows.region);
    const std::uint32_t rows = std::min(matrix.rows, output.endRow) - output.firstRow;
    run(std::move(dispatches), reads, {output.rows.region}, productCost(rows, matrix.columns, input.tokens));
}

void Lowering::product(const graph::Linear& linear, const Input& input, const Output& output) {
    dense(m_context.weights.matrices.at(linear.weight), linear, input, output);
    addAdapters(linear.weight, input, output);
}

void Lowering::floatProduct(std::uint32_t window, const ProductPush& push, std::vector<std::uint32_t> reads,
                            std::uint32_t writes) {
    const bool few = push.tokens <= KernelChoice::kVectorTokens;
    const Choice choice =
        few ? m_context.kernels.matvec(quant::TensorType::F32, push.columns, push.tokens, false)
            : m_context.kernels.matmul(quant::TensorType::F32, push.tokens);
    DispatchCommand dispatch = make(choice.key, push, 1, divideUp(push.tokens, choice.tokens));
    spread(dispatch, divideUp(push.rows, choice.rows));
    dispatch.weights = window;
    run({dispatch}, std::move(reads), {writes}, productCost(push.rows, push.columns, push.tokens));
}

/// out += scale × strength × B (A in), after what the projection itself gives.
void Lowering::addAdapters(graph::TensorId target, const Input& input, const Output& output) {
    const ArenaRows& inner = m_context.layout.adapter;
    const PlacedMatrix& matrix = m_context.weights.matrices.at(target);
    for (const PlacedAdapter& adapter : m_context.adapters) {
        if (adapter.target != target) continue;
        ProductPush push{};
        push.columns = matrix.columns;
        push.rows = adapter.rank;
        push.tokens = input.tokens;
        push.rowBytes = static_cast<std::uint32_t>(matrix.columns * sizeof(float));
        push.xOffset = slot(input.slot).offset;
        push.xStride = slot(input.slot).stride;
        push.outOffset = inner.offset;
        push.outStride = inner.stride;
        push.biasOffset = LOADER_NONE;
        push.gatherOffset = input.gathered ? m_context.layout.gatherOffset : LOADER_NONE;
        push.scale = 1.0f;
        push.routingOffset = LOADER_NONE;
        floatProduct(adapter.a, push, {slot(input.slot).region, stepRegion()}, inner.region);
        push.columns = adapter.rank;
        push.rowBytes = static_cast<std::uint32_t>(adapter.rank * sizeof(float));
        push.xOffset = inner.offset;
        push.xStride = inner.stride;
        push.outStride = output.rows.stride;
        push.gatherOffset = LOADER_NONE;
        push.scale = output.scale * adapter.strength;
        push.accumulate = 1;
        for (std::size_t i = 0; i < matrix.windows.size(); ++i) {
            const WeightWindow& window = matrix.windows[i];
            if (window.firstRow < output.firstRow || window.firstRow >= output.endRow) continue;
            push.rows = window.rows;
            push.outOffset = output.rows.offset + window.firstRow - output.firstRow;
            floatProduct(adapter.firstB + static_cast<std::uint32_t>(i), push,
                         {inner.region, output.rows.region}, output.rows.region);
        }
    }
}

void Lowering::pairProduct(const PlacedMatrix& up, const PlacedMatrix& gate, const Input& input,
                           const Output& output) {
    ProductPush push = pushOf(up, input, output);
    const Choice choice = m_context.kernels.matvec(up.type, up.columns, input.tokens, true);
    std::vector<DispatchCommand> dispatches;
    for (std::size_t i = 0; i < up.windows.size(); ++i) {
        const WeightWindow& window = up.windows[i];
        push.rows = window.rows;
        push.outOffset = output.rows.offset + window.firstRow;
        DispatchCommand dispatch = make(choice.key, push, 1, divideUp(input.tokens, choice.tokens));
        spread(dispatch, divideUp(push.rows, choice.rows));
        dispatch.weights = window.index;
        dispatch.secondWeights = gate.windows[i].index;
        dispatches.push_back(dispatch);
    }
    run(std::move(dispatches), {slot(input.slot).region, m_context.layout.form.region}, {output.rows.region},
        2 * productCost(up.rows, up.columns, input.tokens));
}

void Lowering::expertProduct(const PlacedMatrix& matrix, const PlacedMatrix* gate, const Input& input,
                             const Output& output, const Routing& routing) {
    ProductPush push = pushOf(matrix, input, output);
    const bool integer = m_context.kernels.formOf(matrix.type, input.few()) == ProductForm::Integer;
    push.routingOffset = routing.rows.offset;
    push.routingStride = routing.rows.stride;
    push.used = routing.used;
    push.sliceBytes = matrix.rows * matrix.rowBytes;
    push.xPartStride = routing.inPartStride;
    if (integer && input.parts > 1) push.xPartStride = divideUp(matrix.columns, 32) * kFormWords;
    push.outPartStride = routing.outPartStride;
    push.outOffset = output.rows.offset;
    const Choice choice = m_context.kernels.matvec(matrix.type, matrix.columns, 1, gate != nullptr);
    std::vector<DispatchCommand> dispatches;
    for (std::size_t i = 0; i < matrix.windows.size(); ++i) {
        const WeightWindow& window = matrix.windows[i];
        push.rows = window.rows;
        push.firstExpert = window.firstSlice;
        push.expertCount = window.slices;
        DispatchCommand dispatch = make(choice.key, push, 1, input.tokens * routing.used);
        spread(dispatch, divideUp(push.rows, choice.rows));
        dispatch.weights = window.index;
        if (gate != nullptr) dispatch.secondWeights = gate->windows[i].index;
        dispatches.push_back(dispatch);
    }
    run(std::move(dispatches), {slot(input.slot).region, m_context.layout.form.region, routing.rows.region},
        {output.rows.region},
        (gate != nullptr ? 2 : 1) * productCost(matrix.rows, matrix.columns, input.tokens * routing.used));
}

void Lowering::lower(const graph::QkvOp& op) {
    const Input input{op.in, m_shape.tokens};
    if (op.fused.present()) {
        const std::uint32_t queries = op.heads * op.keyLength;
        const std::uint32_t keys = op.kvHeads * op.keyLength;
        const std::uint32_t values = op.kvHeads * op.valueLength;
        const auto part = [&](graph::SlotId to, std::uint32_t first, std::uint32_t rows) {
            Output output{slot(to)};
            output.firstRow = first;
            output.endRow = first + rows;
            product(op.fused, input, output);
        };
        part(op.queryOut, 0, queries);
        part(op.keyOut, queries, keys);
        part(op.valueOut, queries + keys, values);
    } else {
        product(op.query, input, Output{slot(op.queryOut)});
        product(op.key, input, Output{slot(op.keyOut)});
        product(op.value, input, Output{slot(op.valueOut)});
    }
    normHeads(op.queryOut, op.heads, op.keyLength, op.queryNorm, op.normEpsilon);
    normHeads(op.keyOut, op.kvHeads, op.keyLength, op.keyNorm, op.normEpsilon);
}

void Lowering::lower(const graph::ProjectOp& op) {
    Output output{slot(op.out)};
    output.scale = op.scale;
    output.accumulate = op.accumulate;
    product(op.linear, Input{op.in, m_shape.tokens}, output);
}

void Lowering::lower(const graph::ExpertGateUpOp& op) {
    const PlacedMatrix& up = m_context.weights.matrices.at(op.up);
    const PlacedMatrix& gate = m_context.weights.matrices.at(op.gate);
    const Routing routing{slot(op.routing), op.used, 0, up.rows};
    Input input{op.in, m_shape.tokens};
    input.routed = true;
    if (gate.type == up.type && gate.windows.size() == up.windows.size()) {
        Output output{slot(op.out)};
        output.activation = activationNumber(op.activation);
        expertProduct(up, &gate, input, output, routing);
        return;
    }
    expertProduct(up, nullptr, input, Output{slot(op.out)}, routing);
    expertProduct(gate, nullptr, input, Output{m_context.layout.gate}, routing);
    activate(op.activation, &m_context.layout.gate, slot(op.out), slot(op.out), up.rows * op.used);
}

void Lowering::lower(const graph::ExpertDownOp& op) {
    const PlacedMatrix& down = m_context.weights.matrices.at(op.down);
    const ArenaRows& parts = m_context.layout.expertParts;
    Input input{op.in, m_shape.tokens};
    input.parts = op.used;
    input.partWidth = down.columns;
    input.routed = true;
    expertProduct(down, nullptr, input, Output{parts}, {slot(op.routing), op.used, down.columns, down.rows});
    ExpertSumPush push{};
    push.width = down.rows;
    push.tokens = m_shape.tokens;
    push.used = op.used;
    push.partOffset = parts.offset;
    push.partStride = parts.stride;
    push.routingOffset = slot(op.routing).offset;
    push.routingStride = slot(op.routing).stride;
    push.outOffset = slot(op.out).offset;
    push.outStride = slot(op.out).stride;
    push.accumulate = op.accumulate ? 1 : 0;
    DispatchCommand dispatch =
        make(m_context.kernels.expertSum(), push, divideUp(down.rows, KernelChoice::kLine), m_shape.tokens);
    std::vector<std::uint32_t> reads{parts.region, slot(op.routing).region};
    if (op.accumulate) reads.push_back(slot(op.out).region);
    run({dispatch}, reads, {slot(op.out).region});
}

}  // namespace loader::vulkan
