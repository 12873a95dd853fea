// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/load_plan.h"

#include <algorithm>

#include "backends/vulkan/exec/session_buffers.h"

namespace loader::vulkan {
namespace {

constexpr std::uint64_t kWord = sizeof(std::uint32_t);
/// Attention keeps the keys of some positions and its own sums in shared memory.
constexpr std::uint32_t kMostHeadLength = 256;

SessionLayout layoutOf(const graph::Program& program, std::span<const std::uint32_t> segments,
                       const DeviceLimits& limits, std::uint32_t tokens) {
    return SessionLayout::make(program, segments, tokens, 0, limits);
}

void checkLayer(const graph::KvLayer& layer, const DeviceLimits& limits, const backend::LoadOptions& options,
                std::vector<std::string>& unsupported) {
    const auto [keys, values] = kvLayerBytes(layer, options.kv, options.contextTokens, options.sequences);
    if (std::max(keys, values) > std::min(limits.windowBytes, limits.allocationBytes))
        unsupported.emplace_back("the KV cache of one layer is larger than what a shader sees");
    if (std::max(layer.keyLength, layer.valueLength) > kMostHeadLength)
        unsupported.emplace_back("its attention heads have more than 256 components");
    if (options.kv == backend::KvType::F16 && (layer.keyLength % 2 != 0 || layer.valueLength % 2 != 0))
        unsupported.emplace_back("its attention heads have an odd number of components");
}

/// The options with as many tokens per step as the device's arena holds.
backend::LoadOptions fitStep(const graph::Program& program, std::span<const std::uint32_t> segments,
                             const DeviceLimits& limits, const backend::LoadOptions& options) {
    backend::LoadOptions fitted = options;
    fitted.batchTokens = std::max(fitted.batchTokens, 1u);
    while (fitted.batchTokens > 1 &&
           layoutOf(program, segments, limits, fitted.batchTokens).arenaWords * kWord > limits.windowBytes)
        fitted.batchTokens /= 2;
    return fitted;
}

}  // namespace

LoadPlan planOn(const graph::Program& program, std::span<const std::uint32_t> segments,
                const DeviceLimits& limits, const backend::LoadOptions& options) {
    LoadPlan plan{options, {}, {}};
    if (segments.empty()) return plan;
    plan.weights = WeightLayout::make(program, segments, limits);
    plan.options = fitStep(program, segments, limits, options);
    backend::PlanReport& report = plan.report;
    report.unsupported = plan.weights.unsupported;
    const SessionLayout layout = layoutOf(program, segments, limits, plan.options.batchTokens);
    if (layout.arenaWords * kWord > limits.windowBytes || layout.resultWords * kWord > limits.windowBytes)
        report.unsupported.emplace_back("the activations of one token are larger than what a shader sees");
    report.needed.weights = plan.weights.bytes();
    for (const std::uint32_t index : kvLayersOf(program, segments)) {
        const graph::KvLayer& layer = program.kvLayers[index];
        checkLayer(layer, limits, options, report.unsupported);
        const auto [keys, values] = kvLayerBytes(layer, options.kv, options.contextTokens, options.sequences);
        report.needed.kv += keys + values;
    }
    std::sort(report.unsupported.begin(), report.unsupported.end());
    report.unsupported.erase(std::unique(report.unsupported.begin(), report.unsupported.end()),
                             report.unsupported.end());
    report.needed.compute = (layout.arenaWords + layout.stepWords + layout.uploadWords) * kWord;
    report.needed.output = layout.resultWords * kWord;
    return plan;
}

}  // namespace loader::vulkan
