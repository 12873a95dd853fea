// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a model on a device shares with its sessions.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "backends/api/backend.h"
#include "backends/vulkan/exec/device_weights.h"
#include "backends/vulkan/exec/kernel_choice.h"

namespace loader::vulkan {

/// @thread const but for the pipelines, which a session makes under the mutex
struct LoadedParts {
    const graph::Program& program;
    /// Of the file: the host looks up the rows of the token table.
    std::vector<backend::Weight> fileWeights;
    std::vector<std::uint32_t> segments;
    backend::LoadOptions options;
    /// Before what was made of it: members end in reverse order.
    std::unique_ptr<ComputeDevice> device;
    KernelChoice kernels;
    std::unique_ptr<PipelineStore> pipelines;
    DeviceWeights weights;
    std::mutex making;
};

}  // namespace loader::vulkan
