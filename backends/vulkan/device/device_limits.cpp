// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/device_limits.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "backends/vulkan/shaders/shader_list.h"

namespace loader::vulkan {
namespace {

/// Loads of four words are aligned in every window.
constexpr std::uint64_t kLeastAlignment = 16;
constexpr std::uint32_t kLeastInvocations = 128;
constexpr std::uint32_t kLeastSharedBytes = 16 * 1024;
/// One pipeline layout holds the buffers of all sets.
constexpr std::uint32_t kLeastStorageBuffers =
    std::accumulate(kBuffersOfSet.begin(), kBuffersOfSet.end(), std::uint32_t{0});

/// Limits that a driver did not tell are 0.
std::uint64_t orUnlimited(std::uint64_t told) {
    return told != 0 ? told : std::numeric_limits<std::uint64_t>::max();
}

std::uint32_t invocationsOf(const VkPhysicalDeviceLimits& limits) {
    return std::min(limits.maxComputeWorkGroupInvocations, limits.maxComputeWorkGroupSize[0]);
}

/// What the kernels' tiles are made for, and what every device with matrix units has.
constexpr std::uint32_t kMostMatrixRows = 16;
constexpr std::uint32_t kMostMatrixColumns = 32;

/// Of both kinds of shapes: halves into floats, over a subgroup.
template <class Shape>
bool hasWantedTypes(const Shape& shape) {
    return shape.AType == VK_COMPONENT_TYPE_FLOAT16_KHR && shape.BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
           shape.CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
           shape.ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR && shape.scope == VK_SCOPE_SUBGROUP_KHR;
}

bool fits(const MatrixShape& shape) {
    const auto upTo = [](std::uint32_t size, std::uint32_t most) {
        return std::has_single_bit(size) && size <= most;
    };
    return upTo(shape.rows, kMostMatrixRows) && upTo(shape.tokens, kMostMatrixRows) &&
           upTo(shape.columns, kMostMatrixColumns);
}

std::uint64_t sizeOf(const MatrixShape& shape) {
    return std::uint64_t{shape.rows} * shape.tokens * shape.columns;
}

}  // namespace

MatrixShape matrixShapeOf(const DeviceData& data) {
    MatrixShape best;
    for (const VkCooperativeMatrixPropertiesKHR& told : data.matrixShapes) {
        const MatrixShape shape{told.MSize, told.NSize, told.KSize};
        if (hasWantedTypes(told) && fits(shape) && sizeOf(shape) > sizeOf(best)) best = shape;
    }
    return best;
}

MatrixShape flexibleShapeOf(const DeviceData& data) {
    MatrixShape best;
    for (const VkCooperativeMatrixFlexibleDimensionsPropertiesNV& told : data.flexibleShapes) {
        const MatrixShape shape{told.MGranularity, told.NGranularity, told.KGranularity};
        const bool finer = !best.any() || sizeOf(shape) < sizeOf(best);
        if (hasWantedTypes(told) && fits(shape) && finer) best = shape;
    }
    return best;
}

DeviceLimits limitsOf(const DeviceData& data, std::uint64_t windowBytes) {
    const VkPhysicalDeviceLimits& told = data.properties.limits;
    DeviceLimits limits;
    limits.alignment = std::max<std::uint64_t>(told.minStorageBufferOffsetAlignment, kLeastAlignment);
    limits.allocationBytes = std::min(orUnlimited(data.allocation.maxMemoryAllocationSize),
                                      orUnlimited(data.buffer.maxBufferSize));
    const std::uint64_t window = std::min(
        {std::uint64_t{told.maxStorageBufferRange}, limits.allocationBytes, orUnlimited(windowBytes)});
    limits.windowBytes = window / limits.alignment * limits.alignment;
    limits.flushBytes = std::max<std::uint64_t>(told.nonCoherentAtomSize, 1);
    limits.invocations = invocationsOf(told);
    limits.sharedBytes = told.maxComputeSharedMemorySize;
    limits.groupsX = told.maxComputeWorkGroupCount[0];
    limits.groupsY = told.maxComputeWorkGroupCount[1];
    limits.storageBuffers = told.maxPerStageDescriptorStorageBuffers;
    const std::uint32_t usual = std::max(data.subgroup.subgroupSize, 1u);
    const auto orUsual = [usual](std::uint32_t size) { return size != 0 ? size : usual; };
    limits.subgroupLeast = orUsual(data.subgroupSizes.minSubgroupSize);
    limits.subgroupMost = orUsual(data.subgroupSizes.maxSubgroupSize);
    limits.matrix = matrixShapeOf(data);
    limits.flexible = flexibleShapeOf(data);
    limits.unified = sharesMemory(data);
    return limits;
}

std::optional<std::uint32_t> computeFamily(const DeviceData& data) {
    const bool card = data.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    std::optional<std::uint32_t> first;
    for (std::uint32_t i = 0; i < data.queues.size(); ++i) {
        const VkQueueFamilyProperties& family = data.queues[i];
        if ((family.queueFlags & VK_QUEUE_COMPUTE_BIT) == 0 || family.queueCount == 0) continue;
        const bool draws = (family.queueFlags & VK_QUEUE_GRAPHICS_BIT) != 0;
        if (card && !draws) return i;
        if (!first) first = i;
    }
    return first;
}

std::string lackOf(const DeviceData& data) {
    if (!data.isAtLeast(VK_API_VERSION_1_1)) return "Vulkan 1.1 is needed, and its driver is older";
    if (!computeFamily(data)) return "it has no queue that computes";
    const VkPhysicalDeviceLimits& limits = data.properties.limits;
    struct Need {
        const char* what;
        std::uint64_t has;
        std::uint64_t least;
    };
    const Need needs[] = {
        {"storage buffers for each shader", limits.maxPerStageDescriptorStorageBuffers, kLeastStorageBuffers},
        {"descriptor sets", limits.maxBoundDescriptorSets, kBuffersOfSet.size()},
        {"invocations in a workgroup", invocationsOf(limits), kLeastInvocations},
        {"bytes of shared memory", limits.maxComputeSharedMemorySize, kLeastSharedBytes},
        {"bytes of push constants", limits.maxPushConstantsSize, kPushConstantBytes},
    };
    for (const Need& need : needs) {
        if (need.has < need.least)
            return std::to_string(need.least) + " " + need.what + " are needed, and it has " +
                   std::to_string(need.has);
    }
    return {};
}

}  // namespace loader::vulkan
