// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/needed_pipelines.h"

#include "backends/vulkan/exec/lowering.h"

namespace loader::vulkan {

std::vector<PipelineKey> pipelinesOf(const CommandList& list) {
    std::vector<PipelineKey> keys;
    for (const Command& command : list.commands) {
        if (const auto* dispatch = std::get_if<DispatchCommand>(&command)) keys.push_back(dispatch->pipeline);
    }
    return keys;
}

std::vector<PipelineKey> neededPipelines(const graph::Program& program,
                                         std::span<const std::uint32_t> segments, const WeightLayout& weights,
                                         const KernelChoice& kernels, const DeviceLimits& limits,
                                         const backend::LoadOptions& options) {
    const SessionLayout layout = SessionLayout::make(program, segments, options.batchTokens, 0, limits);
    Lowering lowering({program, weights, layout, kernels, limits, options.kv, options.contextTokens});
    std::vector<PipelineKey> keys;
    const auto add = [&keys](const CommandList& list) {
        const std::vector<PipelineKey> more = pipelinesOf(list);
        keys.insert(keys.end(), more.begin(), more.end());
    };
    for (const std::uint32_t index : segments) {
        add(lowering.segment(program.segments[index], {}));
        add(lowering.segment(program.segments[index], {options.batchTokens, false, 1}));
        for (const graph::Op& op : program.segments[index].ops) {
            if (const auto* head = std::get_if<graph::HeadOp>(&op)) add(lowering.head(*head, {1, 1, 0}));
        }
    }
    return keys;
}

}  // namespace loader::vulkan
