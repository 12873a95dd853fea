// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The pipelines that the first prompt and the first answer will use: they are made while weights are
// uploaded. Steps of other numbers of tokens make what they lack themselves.
#pragma once

#include <vector>

#include "backends/vulkan/exec/commands.h"
#include "backends/vulkan/exec/kernel_choice.h"
#include "backends/vulkan/exec/weight_layout.h"

namespace loader::vulkan {

std::vector<PipelineKey> pipelinesOf(const CommandList& list);
std::vector<PipelineKey> neededPipelines(const graph::Program& program,
                                         std::span<const std::uint32_t> segments, const WeightLayout& weights,
                                         const KernelChoice& kernels, const DeviceLimits& limits,
                                         const backend::LoadOptions& options);

}  // namespace loader::vulkan
