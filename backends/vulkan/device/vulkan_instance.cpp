// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/vulkan_instance.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace loader::vulkan {
namespace {

constexpr std::uint32_t kMostDevices = 64;
constexpr std::uint32_t kMostExtensions = 1024;
/// Drivers that imitate Vulkan on another interface are only shown to programs that know of them. The names
/// are newer than some headers.
constexpr const char* kPortability = "VK_KHR_portability_enumeration";
constexpr VkInstanceCreateFlags kEnumeratePortability = 0x1;

/// A function of no instance.
template <class Function>
Function global(const VulkanLibrary& library, const char* name) {
    return reinterpret_cast<Function>(library.getInstanceProcAddr()(VK_NULL_HANDLE, name));
}

Status checkVersion(const VulkanLibrary& library) {
    // A library of Vulkan 1.0 has no such function.
    const auto ask = global<PFN_vkEnumerateInstanceVersion>(library, "vkEnumerateInstanceVersion");
    std::uint32_t version = VK_API_VERSION_1_0;
    if (ask != nullptr && ask(&version) != VK_SUCCESS) version = VK_API_VERSION_1_0;
    if (version < VK_API_VERSION_1_1)
        return Error(Errc::B722, {"its library is of version 1.0, and 1.1 is needed"});
    return {};
}

bool offers(const VulkanLibrary& library, std::string_view extension) {
    const auto list =
        global<PFN_vkEnumerateInstanceExtensionProperties>(library, "vkEnumerateInstanceExtensionProperties");
    std::uint32_t count = 0;
    if (list == nullptr || list(nullptr, &count, nullptr) != VK_SUCCESS) return false;
    std::vector<VkExtensionProperties> found(std::min(count, kMostExtensions));
    count = static_cast<std::uint32_t>(found.size());
    const VkResult result = list(nullptr, &count, found.data());
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return false;
    return std::any_of(
        found.begin(), found.begin() + std::min<std::ptrdiff_t>(count, std::ssize(found)),
        [extension](const VkExtensionProperties& one) { return extension == one.extensionName; });
}

Error creationFailure(VkResult result) {
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER) return Error(Errc::B721, {"no driver for it is"});
    return Error(Errc::B722, {"it answers " + resultText(result) + " at the start"});
}

}  // namespace

Result<std::unique_ptr<VulkanInstance>> VulkanInstance::create(const VulkanLibrary& library) {
    LOADER_CHECK(checkVersion(library));
    const auto make = global<PFN_vkCreateInstance>(library, "vkCreateInstance");
    if (make == nullptr) return Error(Errc::B722, {"its library has no vkCreateInstance"});

    VkApplicationInfo application{};
    application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
    application.pApplicationName = "gguf-loader";
    application.pEngineName = "gguf-loader";
    application.apiVersion = VK_API_VERSION_1_3;  // the newest that we use; devices may be older
    VkInstanceCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
    info.pApplicationInfo = &application;
    if (offers(library, kPortability)) {
        info.flags = kEnumeratePortability;
        info.enabledExtensionCount = 1;
        info.ppEnabledExtensionNames = &kPortability;
    }
    auto instance = std::unique_ptr<VulkanInstance>(new VulkanInstance());
    const VkResult result = make(&info, nullptr, &instance->m_instance);
    if (result != VK_SUCCESS) {
        instance->m_instance = VK_NULL_HANDLE;
        return creationFailure(result);
    }
    std::string missing;
    InstanceFunctions& functions = instance->m_functions;
    const auto find = [&](auto& function, const char* name) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
            library.getInstanceProcAddr()(instance->m_instance, name));
        if (function == nullptr && missing.empty()) missing = name;
    };
#define LOADER_VULKAN_FUNCTION(name) find(functions.name, "vk" #name);
#include "backends/vulkan/device/instance_functions.inc"
    // Not everybody has these.
    const std::string needed = missing;
    find(functions.getCooperativeMatrixProperties, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    find(functions.getFlexibleMatrixProperties,
         "vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV");
    if (!needed.empty()) return Error(Errc::B722, {"its library has no " + needed});
    return instance;
}

VulkanInstance::~VulkanInstance() {
    if (m_instance != VK_NULL_HANDLE && m_functions.DestroyInstance != nullptr)
        m_functions.DestroyInstance(m_instance, nullptr);
}

Result<std::vector<VkPhysicalDevice>> VulkanInstance::devices() const {
    std::uint32_t count = 0;
    VkResult result = m_functions.EnumeratePhysicalDevices(m_instance, &count, nullptr);
    std::vector<VkPhysicalDevice> found(std::min(count, kMostDevices));
    count = static_cast<std::uint32_t>(found.size());
    if (result == VK_SUCCESS && count != 0)
        result = m_functions.EnumeratePhysicalDevices(m_instance, &count, found.data());
    // Incomplete is no failure: a device may have come in between, or there are more than anybody has.
    if (result != VK_SUCCESS && result != VK_INCOMPLETE)
        return Error(Errc::B722, {"the devices cannot be listed (" + resultText(result) + ")"});
    found.resize(std::min<std::size_t>(count, found.size()));
    if (found.empty()) return Error(Errc::B721, {"its drivers find no device"});
    return found;
}

std::string resultText(VkResult result) {
    switch (result) {
        case VK_ERROR_OUT_OF_HOST_MEMORY: return "VK_ERROR_OUT_OF_HOST_MEMORY";
        case VK_ERROR_OUT_OF_DEVICE_MEMORY: return "VK_ERROR_OUT_OF_DEVICE_MEMORY";
        case VK_ERROR_INITIALIZATION_FAILED: return "VK_ERROR_INITIALIZATION_FAILED";
        case VK_ERROR_DEVICE_LOST: return "VK_ERROR_DEVICE_LOST";
        case VK_ERROR_MEMORY_MAP_FAILED: return "VK_ERROR_MEMORY_MAP_FAILED";
        case VK_ERROR_FEATURE_NOT_PRESENT: return "VK_ERROR_FEATURE_NOT_PRESENT";
        case VK_ERROR_TOO_MANY_OBJECTS: return "VK_ERROR_TOO_MANY_OBJECTS";
        case VK_ERROR_FRAGMENTED_POOL: return "VK_ERROR_FRAGMENTED_POOL";
        case VK_ERROR_OUT_OF_POOL_MEMORY: return "VK_ERROR_OUT_OF_POOL_MEMORY";
        case VK_ERROR_INVALID_SHADER_NV: return "VK_ERROR_INVALID_SHADER";
        case VK_ERROR_UNKNOWN: return "VK_ERROR_UNKNOWN";
        case VK_ERROR_LAYER_NOT_PRESENT: return "VK_ERROR_LAYER_NOT_PRESENT";
        case VK_ERROR_EXTENSION_NOT_PRESENT: return "VK_ERROR_EXTENSION_NOT_PRESENT";
        case VK_ERROR_INCOMPATIBLE_DRIVER: return "VK_ERROR_INCOMPATIBLE_DRIVER";
        default: return "VkResult " + std::to_string(static_cast<int>(result));
    }
}

}  // namespace loader::vulkan
