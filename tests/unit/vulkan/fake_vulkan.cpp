// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A Vulkan library that does what a test says. It counts its instances, so that a leak is seen.

#include "tests/unit/vulkan/fake_vulkan.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#if defined(_WIN32)
#define LOADER_TEST_EXPORT extern "C" __declspec(dllexport)
#else
#define LOADER_TEST_EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

using loader::test::FakeVulkan;

FakeVulkan g_script = FakeVulkan::Devices;
int g_instances = 0;
int g_instance = 0;
int g_devices[4] = {0, 1, 2, 3};

struct Fake {
    const char* name;
    VkPhysicalDeviceType type;
    std::uint32_t version;
    std::uint64_t bytes;
};
constexpr Fake kFakes[4] = {
    {"Software", VK_PHYSICAL_DEVICE_TYPE_CPU, VK_MAKE_API_VERSION(0, 1, 3, 0), 1u << 30},
    {"Integrated", VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, VK_MAKE_API_VERSION(0, 1, 1, 0), 2ull << 30},
    {"Discrete", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, VK_MAKE_API_VERSION(0, 1, 3, 5), 8ull << 30},
    {"Ancient", VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, VK_MAKE_API_VERSION(0, 1, 0, 65), 1ull << 29},
};

const Fake& fakeOf(VkPhysicalDevice device) {
    return kFakes[*reinterpret_cast<int*>(device)];
}

VkResult VKAPI_CALL instanceVersion(std::uint32_t* version) {
    *version = VK_API_VERSION_1_3;
    return VK_SUCCESS;
}

VkResult VKAPI_CALL instanceExtensions(const char*, std::uint32_t* count, VkExtensionProperties* list) {
    if (list != nullptr && *count > 0) std::strcpy(list[0].extensionName, "VK_KHR_portability_enumeration");
    *count = 1;
    return VK_SUCCESS;
}

VkResult VKAPI_CALL createInstance(const VkInstanceCreateInfo* info, const VkAllocationCallbacks*,
                                   VkInstance* out) {
    if (g_script == FakeVulkan::NoDriver) return VK_ERROR_INCOMPATIBLE_DRIVER;
    // A driver that imitates Vulkan hides itself from a program that does not ask for it.
    if (g_script == FakeVulkan::StartFails || info->flags != 1) return VK_ERROR_INITIALIZATION_FAILED;
    ++g_instances;
    *out = reinterpret_cast<VkInstance>(&g_instance);
    return VK_SUCCESS;
}

void VKAPI_CALL destroyInstance(VkInstance, const VkAllocationCallbacks*) {
    --g_instances;
}

VkResult VKAPI_CALL listDevices(VkInstance, std::uint32_t* count, VkPhysicalDevice* list) {
    if (g_script == FakeVulkan::ListFails) return VK_ERROR_INITIALIZATION_FAILED;
    const bool grows = g_script == FakeVulkan::DeviceComes;
    const std::uint32_t all = g_script == FakeVulkan::NoDevice ? 0 : grows && list == nullptr ? 3 : 4;
    const std::uint32_t given = list == nullptr ? all : std::min(*count, all);
    for (std::uint32_t i = 0; list != nullptr && i < given; ++i)
        list[i] = reinterpret_cast<VkPhysicalDevice>(&g_devices[i]);
    *count = given;
    return given < all ? VK_INCOMPLETE : VK_SUCCESS;
}

VkResult VKAPI_CALL deviceExtensions(VkPhysicalDevice, const char*, std::uint32_t* count,
                                     VkExtensionProperties* list) {
    if (list != nullptr && *count > 0)
        std::strcpy(list[0].extensionName, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    *count = 1;
    return VK_SUCCESS;
}

void VKAPI_CALL properties(VkPhysicalDevice device, VkPhysicalDeviceProperties* out) {
    const Fake& fake = fakeOf(device);
    *out = {};
    out->apiVersion = fake.version;
    out->vendorID = 0x1002;
    out->deviceID = 0x1234;
    out->deviceType = fake.type;
    std::strcpy(out->deviceName, fake.name);
}

void VKAPI_CALL properties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2* out) {
    for (auto* next = static_cast<VkBaseOutStructure*>(out->pNext); next != nullptr; next = next->pNext) {
        // All devices have one UUID, as with faulty drivers.
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES)
            reinterpret_cast<VkPhysicalDeviceIDProperties*>(next)->deviceUUID[15] = 7;
    }
    properties(device, &out->properties);
}

void VKAPI_CALL features2(VkPhysicalDevice, VkPhysicalDeviceFeatures2* out) {
    for (auto* next = static_cast<VkBaseOutStructure*>(out->pNext); next != nullptr; next = next->pNext) {
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES)
            reinterpret_cast<VkPhysicalDeviceShaderFloat16Int8Features*>(next)->shaderFloat16 = VK_TRUE;
    }
}

void VKAPI_CALL memory(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties* out) {
    *out = {};
    out->memoryHeapCount = 1;
    out->memoryHeaps[0] = {fakeOf(device).bytes, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
}

void VKAPI_CALL memory2(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2* out) {
    memory(device, &out->memoryProperties);
    for (auto* next = static_cast<VkBaseOutStructure*>(out->pNext); next != nullptr; next = next->pNext) {
        if (next->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
        auto* budget = reinterpret_cast<VkPhysicalDeviceMemoryBudgetPropertiesEXT*>(next);
        budget->heapBudget[0] = fakeOf(device).bytes / 2;
        budget->heapUsage[0] = fakeOf(device).bytes / 4;
    }
}

void VKAPI_CALL queues(VkPhysicalDevice, std::uint32_t* count, VkQueueFamilyProperties* list) {
    if (list != nullptr && *count > 0) {
        list[0].queueFlags = VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT;
        list[0].queueCount = 3;
    }
    *count = 1;
}

struct Row {
    std::string_view name;
    PFN_vkVoidFunction function;
};

template <class Function>
PFN_vkVoidFunction erased(Function function) {
    return reinterpret_cast<PFN_vkVoidFunction>(function);
}

}  // namespace

LOADER_TEST_EXPORT void fakeVulkanScript(int script) {
    g_script = static_cast<FakeVulkan>(script);
}

LOADER_TEST_EXPORT int fakeVulkanInstances() {
    return g_instances;
}

LOADER_TEST_EXPORT PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance, const char* name) {
    const Row rows[] = {
        {"vkEnumerateInstanceVersion", erased(instanceVersion)},
        {"vkEnumerateInstanceExtensionProperties", erased(instanceExtensions)},
        {"vkCreateInstance", erased(createInstance)},
        {"vkDestroyInstance", erased(destroyInstance)},
        {"vkEnumeratePhysicalDevices", erased(listDevices)},
        {"vkEnumerateDeviceExtensionProperties", erased(deviceExtensions)},
        {"vkGetPhysicalDeviceProperties", erased(properties)},
        {"vkGetPhysicalDeviceProperties2", erased(properties2)},
        {"vkGetPhysicalDeviceFeatures2", erased(features2)},
        {"vkGetPhysicalDeviceMemoryProperties", erased(memory)},
        {"vkGetPhysicalDeviceMemoryProperties2", erased(memory2)},
        {"vkGetPhysicalDeviceQueueFamilyProperties", erased(queues)},
    };
    if (g_script == FakeVulkan::OldLibrary && std::string_view(name) == "vkEnumerateInstanceVersion")
        return nullptr;
    if (g_script == FakeVulkan::FunctionMissing && std::string_view(name) == "vkGetPhysicalDeviceFeatures2")
        return nullptr;
    for (const Row& row : rows) {
        if (row.name == name) return row.function;
    }
    return nullptr;
}
