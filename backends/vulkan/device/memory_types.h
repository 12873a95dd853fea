// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which of a device's kinds of memory serves which use. Small windows onto a card's memory are kinds too, and
// may come first.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/vulkan/device/device_facts.h"

namespace loader::vulkan {

enum class MemoryUse : std::uint8_t {
    /// Only the device reads and writes it.
    Device,
    /// The host writes, the device reads.
    Upload,
    /// The device writes, the host reads (cached where that can be had).
    Readback,
};

/// Indices of memory types that serve, the best first; empty where none does.
/// @param allowed a bit for each type, as VkMemoryRequirements has it
/// @param unified prefers device memory that the host sees too
std::vector<std::uint32_t> memoryTypesFor(const VkPhysicalDeviceMemoryProperties& memory,
                                          std::uint32_t allowed, std::uint64_t bytes, MemoryUse use,
                                          bool unified);

}  // namespace loader::vulkan
