// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model's weights in the memory of a device, as their layout says.
#pragma once

#include <vector>

#include "backends/vulkan/device/device_buffer.h"
#include "backends/vulkan/exec/weight_layout.h"

namespace loader::vulkan {

struct DeviceWeights {
    WeightLayout layout;
    std::vector<DeviceBuffer> blocks;
    /// Norm weights and biases as floats.
    DeviceBuffer vectors;
    /// Codebooks; one word where no matrix needs them.
    DeviceBuffer grids;

    /// @errors X002 cancelled, R901, B702, B704
    static Result<DeviceWeights> load(ComputeDevice& device, const graph::Program& program,
                                      backend::Weights weights, WeightLayout layout,
                                      backend::Progress* progress, CancelToken cancel);
};

}  // namespace loader::vulkan
