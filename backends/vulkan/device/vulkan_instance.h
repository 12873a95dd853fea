// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A Vulkan instance: the drivers are loaded when it is made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/vulkan/device/newer_vulkan.h"
#include "backends/vulkan/device/vulkan_library.h"

namespace loader::vulkan {

struct InstanceFunctions {
#define LOADER_VULKAN_FUNCTION(name) PFN_vk##name name = nullptr;
#include "backends/vulkan/device/instance_functions.inc"
    /// Of an extension: nothing where no driver knows it.
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR getCooperativeMatrixProperties = nullptr;
    PFN_vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV getFlexibleMatrixProperties =
        nullptr;
};

/// @thread confined to one thread; the library must outlive it
class VulkanInstance {
public:
    /// @errors B721 no driver, B722 too old or not usable
    static Result<std::unique_ptr<VulkanInstance>> create(const VulkanLibrary& library);
    ~VulkanInstance();
    VulkanInstance(const VulkanInstance&) = delete;
    VulkanInstance& operator=(const VulkanInstance&) = delete;

    VkInstance handle() const { return m_instance; }
    const InstanceFunctions& functions() const { return m_functions; }
    /// At least one. @errors B721 the drivers offer none, B722
    Result<std::vector<VkPhysicalDevice>> devices() const;

private:
    VulkanInstance() = default;

    VkInstance m_instance = VK_NULL_HANDLE;
    InstanceFunctions m_functions;
};

/// "VK_ERROR_DEVICE_LOST", or "VkResult -99" for one that we do not expect.
std::string resultText(VkResult result);

}  // namespace loader::vulkan
