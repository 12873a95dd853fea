// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The file in which a driver's finished pipelines are kept between runs. Drivers read such data with little
// care: nothing reaches them that this program did not write for this device, driver and set of shaders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backends/vulkan/device/device_facts.h"

namespace loader::vulkan {

/// Whose pipelines they are; all of it must be the same.
struct CacheOwner {
    std::uint8_t device[VK_UUID_SIZE]{};
    std::uint8_t format[VK_UUID_SIZE]{};
    std::uint32_t vendor = 0;
    std::uint32_t model = 0;
    std::uint32_t driverVersion = 0;
    /// Of the code of all shaders: a new build has new pipelines.
    std::uint64_t shaders = 0;
};

CacheOwner cacheOwner(const DeviceData& data);

/// Whether data begins with the head that a driver itself has to put first. Old drivers do not look at it,
/// and lavapipe 26.2 gives 20 bytes of its 32. @source Vulkan specification, VkPipelineCacheHeaderVersionOne
bool isOfDriver(std::span<const std::uint8_t> data, const CacheOwner& owner);
/// The driver's data of the file; empty where there is none that can be trusted.
std::vector<std::uint8_t> readCacheFile(const std::string& path, const CacheOwner& owner);
/// @errors F804, F806; B702 more than is kept
Status writeCacheFile(const std::string& path, const CacheOwner& owner, std::span<const std::uint8_t> data);

}  // namespace loader::vulkan
