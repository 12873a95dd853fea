// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/model_work.h"

#include <algorithm>
#include <iterator>

namespace loader::host {
namespace {

Products productsOf(quant::TensorType type) {
    switch (type) {
        case quant::TensorType::F32: return Products::Float;
        case quant::TensorType::F16:
        case quant::TensorType::BF16: return Products::Int16;
        default: return Products::Int8;
    }
}

double bytesPerValue(backend::KvType type) {
    switch (type) {
        case backend::KvType::F16: return 2.0;
        case backend::KvType::Q8_0: return 34.0 / 32.0;
        case backend::KvType::F32: return 4.0;
    }
    return 0.0;
}

}  // namespace

double usedPart(const graph::Op& op) {
    double part = 1.0;
    const auto count = [&part](std::uint32_t used, std::uint32_t experts) {
        if (experts != 0) part = static_cast<double>(used) / experts;
    };
    if (const auto* gateUp = std::get_if<graph::ExpertGateUpOp>(&op)) count(gateUp->used, gateUp->experts);
    if (const auto* down = std::get_if<graph::ExpertDownOp>(&op)) count(down->used, down->experts);
    return part;
}

ModelWork workOf(const graph::Program& program) {
    ModelWork work;
    double bytes = 0.0;
    double macs = 0.0;
    double macsWith[3] = {};
    for (const graph::Segment& segment : program.segments) {
        for (const graph::Op& op : segment.ops) {
            const bool looksUp = std::holds_alternative<graph::EmbedOp>(op);
            const bool isHead = std::holds_alternative<graph::HeadOp>(op);
            const double part = usedPart(op);
            for (const graph::TensorId id : graph::weightUse(op, program)) {
                const graph::WeightRef& weight = program.weights[id];
                bytes +=
                    looksUp ? static_cast<double>(weight.rowBytes) : part * static_cast<double>(weight.bytes);
                const bool isMatrix = !looksUp && weight.rows * weight.slices > 1;
                if (!isMatrix) continue;
                const double count = part * static_cast<double>(weight.columns * weight.rows * weight.slices);
                if (isHead) work.headMacs += static_cast<std::uint64_t>(count);
                if (!isHead) macs += count;
                if (!isHead) macsWith[static_cast<std::size_t>(productsOf(weight.type))] += count;
            }
        }
    }
    work.weightBytes = static_cast<std::uint64_t>(bytes);
    work.macs = static_cast<std::uint64_t>(macs);
    const auto* most = std::max_element(std::begin(macsWith), std::end(macsWith));
    if (macs > 0.0) work.products = static_cast<Products>(most - std::begin(macsWith));
    return work;
}

std::uint64_t kvBytes(const graph::Program& program, backend::KvType type, std::uint64_t length) {
    double bytes = 0.0;
    for (const graph::KvLayer& layer : program.kvLayers) {
        const std::uint64_t seen = layer.window != 0 ? std::min<std::uint64_t>(length, layer.window) : length;
        const std::uint64_t values = std::uint64_t{layer.kvHeads} * (layer.keyLength + layer.valueLength);
        bytes += static_cast<double>(seen * values) * bytesPerValue(type);
    }
    return static_cast<std::uint64_t>(bytes);
}

}  // namespace loader::host
