// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a Vulkan device is and can: read from the driver in one go, then told in the words of the boundary.
#pragma once

#include <string>
#include <vector>

#include "backends/api/backend.h"
#include "backends/vulkan/device/newer_vulkan.h"
#include "backends/vulkan/device/vulkan_instance.h"

namespace loader::vulkan {

/// The driver's answers. A structure whose extension is missing stays zero. The pointers in them are not
/// used.
struct DeviceData {
    VkPhysicalDeviceProperties properties{};
    VkPhysicalDeviceIDProperties id{};
    VkPhysicalDeviceSubgroupProperties subgroup{};
    VkPhysicalDeviceMaintenance3Properties allocation{};
    VkPhysicalDeviceMaintenance4Properties buffer{};
    VkPhysicalDeviceDriverProperties driver{};
    VkPhysicalDeviceSubgroupSizeControlProperties subgroupSizes{};
    VkPhysicalDeviceShaderIntegerDotProductProperties integerDot{};

    VkPhysicalDevice16BitStorageFeatures storage16{};
    VkPhysicalDevice8BitStorageFeatures storage8{};
    VkPhysicalDeviceShaderFloat16Int8Features arithmetic{};
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline{};
    VkPhysicalDeviceBufferDeviceAddressFeatures bufferAddress{};
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroupControl{};
    VkPhysicalDeviceShaderIntegerDotProductFeatures integerDotFeatures{};
    VkPhysicalDeviceVulkanMemoryModelFeatures memoryModel{};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix{};
    std::vector<VkCooperativeMatrixPropertiesKHR> matrixShapes;
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV flexibleMatrix{};
    std::vector<VkCooperativeMatrixFlexibleDimensionsPropertiesNV> flexibleShapes;

    VkPhysicalDeviceMemoryProperties memory{};
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
    std::vector<VkQueueFamilyProperties> queues;
    std::vector<std::string> extensions;

    bool has(const char* extension) const;
    bool isAtLeast(std::uint32_t version) const { return properties.apiVersion >= version; }
};

DeviceData readDevice(const InstanceFunctions& functions, VkPhysicalDevice device);

/// @source Vulkan specification, "Limits" and "Features"
backend::DeviceFacts describe(const DeviceData& data);

/// Whether host and device have one memory, so that copies between them are needless.
bool sharesMemory(const DeviceData& data);

/// Discrete before integrated before virtual before processors; of two alike the one with more memory. Ids
/// become unique where drivers give two devices one UUID.
void order(std::vector<backend::DeviceFacts>& devices);

struct FoundDevice {
    VkPhysicalDevice handle = VK_NULL_HANDLE;
    DeviceData data;
    backend::DeviceFacts facts;
};
/// All devices in order(). @errors B721, B722
Result<std::vector<FoundDevice>> findDevices(const VulkanInstance& instance);
/// One of them by id; empty takes the first. @errors those of findDevices(), X001 none of this id
Result<FoundDevice> findDevice(const VulkanInstance& instance, const std::string& id);

}  // namespace loader::vulkan
