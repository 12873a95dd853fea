// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What loading segments on a device would take, and whether they can run there.
#pragma once

#include "backends/api/backend.h"
#include "backends/vulkan/device/device_limits.h"
#include "backends/vulkan/exec/weight_layout.h"

namespace loader::vulkan {

struct LoadPlan {
    /// With as many tokens per step as the device's arena holds.
    backend::LoadOptions options;
    WeightLayout weights;
    backend::PlanReport report;
};

/// @param limits of the device, or those that any good one has
LoadPlan planOn(const graph::Program& program, std::span<const std::uint32_t> segments,
                const DeviceLimits& limits, const backend::LoadOptions& options);

}  // namespace loader::vulkan
