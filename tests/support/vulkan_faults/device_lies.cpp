// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/vulkan_faults/device_lies.h"

#include <algorithm>
#include <cstring>

namespace loader::test {
namespace {

constexpr VkStructureType kProperties = VK_STRUCTURE_TYPE_APPLICATION_INFO;
constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kVisible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
constexpr VkMemoryPropertyFlags kCoherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
constexpr std::uint64_t kWindowBytes = std::uint64_t{256} << 20;

template <class T>
void lower(const FaultScript& script, std::string_view name, T& member) {
    const auto found = script.limits.find(name);
    if (found != script.limits.end()) member = static_cast<T>(found->second);
}

void lowerLimits(const FaultScript& script, VkStructureType type, void* structure) {
#define LOADER_FAULT_LIMIT(name, structureType, Structure, member) \
    if (type == structureType) lower(script, #name, static_cast<Structure*>(structure)->member);
#include "tests/support/vulkan_faults/limits.inc"
}

void lieSubgroups(const FaultScript& script, VkStructureType type, void* structure) {
    if (type == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES) {
        auto& told = *static_cast<VkPhysicalDeviceSubgroupProperties*>(structure);
        told.subgroupSize = script.subgroup.value_or(told.subgroupSize);
        if (script.hidesSubgroupArithmetic) told.supportedOperations &= ~VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    } else if (type == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES) {
        auto& told = *static_cast<VkPhysicalDeviceVulkan11Properties*>(structure);
        told.subgroupSize = script.subgroup.value_or(told.subgroupSize);
        if (script.hidesSubgroupArithmetic)
            told.subgroupSupportedOperations &= ~VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    } else if (type == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES) {
        auto& told = *static_cast<VkPhysicalDeviceSubgroupSizeControlProperties*>(structure);
        told.minSubgroupSize = script.subgroup.value_or(told.minSubgroupSize);
        told.maxSubgroupSize = script.subgroup.value_or(told.maxSubgroupSize);
    }
}

/// Calls `look` with each feature of a chain that the script hides.
template <class Look>
void forHiddenFeatures(const FaultScript& script, void* chain, const Look& look) {
    for (auto* next = static_cast<VkBaseOutStructure*>(chain); next != nullptr; next = next->pNext) {
        void* structure = next;
#define LOADER_FAULT_FEATURE(structureType, Structure, member)                       \
    if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##structureType &&          \
        script.hiddenFeatures.contains(#member)) {                                   \
        look(#member, static_cast<VkPhysicalDevice##Structure*>(structure)->member); \
    }
#include "tests/support/vulkan_faults/features.inc"
    }
}

bool isHidden(const FaultScript& script, const char* extension) {
    if (script.hiddenExtensions.contains(std::string_view(extension))) return true;
    // Memory that is imported lies in no heap that was made up.
    return script.memory != MemoryLie::Truth &&
           std::strcmp(extension, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0;
}

}  // namespace

bool fakesBudget(const FaultScript& script) {
    return script.budgetPercent.has_value();
}

void lieProperties(const FaultScript& script, VkPhysicalDeviceProperties& properties) {
    properties.deviceType = script.type.value_or(properties.deviceType);
    properties.apiVersion = script.apiVersion.value_or(properties.apiVersion);
    lowerLimits(script, kProperties, &properties);
}

void lieProperties(const FaultScript& script, VkPhysicalDeviceProperties2& properties) {
    lieProperties(script, properties.properties);
    for (auto* next = static_cast<VkBaseOutStructure*>(properties.pNext); next != nullptr;
         next = next->pNext) {
        lowerLimits(script, next->sType, next);
        lieSubgroups(script, next->sType, next);
    }
}

void lieFeatures(const FaultScript& script, VkPhysicalDeviceFeatures2& features) {
    forHiddenFeatures(script, features.pNext, [](const char*, VkBool32& told) { told = VK_FALSE; });
}

void lieExtensions(const FaultScript& script, std::vector<VkExtensionProperties>& extensions) {
    std::erase_if(extensions,
                  [&](const VkExtensionProperties& one) { return isHidden(script, one.extensionName); });
    const auto isBudget = [](const VkExtensionProperties& one) {
        return std::strcmp(one.extensionName, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME) == 0;
    };
    if (!fakesBudget(script) || std::any_of(extensions.begin(), extensions.end(), isBudget)) return;
    VkExtensionProperties made{};
    std::strcpy(made.extensionName, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    made.specVersion = VK_EXT_MEMORY_BUDGET_SPEC_VERSION;
    extensions.push_back(made);
}

bool lieMemory(const FaultScript& script, VkPhysicalDeviceMemoryProperties& memory) {
    const std::uint64_t bytes = script.heapBytes.value_or(memory.memoryHeaps[0].size);
    if (script.memory == MemoryLie::Truth) {
        memory.memoryHeaps[0].size = bytes;
        return true;
    }
    if (memory.memoryTypeCount != 1) return false;
    const std::uint64_t host = memory.memoryHeaps[0].size;
    memory = {};
    const auto heap = [&memory](std::uint64_t size, bool local) {
        memory.memoryHeaps[memory.memoryHeapCount] = {
            size, local ? VkMemoryHeapFlags{VK_MEMORY_HEAP_DEVICE_LOCAL_BIT} : 0};
        return memory.memoryHeapCount++;
    };
    const auto type = [&memory](VkMemoryPropertyFlags flags, std::uint32_t ofHeap) {
        memory.memoryTypes[memory.memoryTypeCount++] = {flags, ofHeap};
    };
    if (script.memory == MemoryLie::Window) type(kLocal | kVisible | kCoherent, heap(kWindowBytes, true));
    type(kLocal, heap(bytes, true));
    const std::uint32_t hosts = heap(host, false);
    type(kVisible | kCoherent, hosts);
    const bool coherent = script.memory != MemoryLie::Incoherent;
    type(kVisible | kCached | (coherent ? kCoherent : 0), hosts);
    return true;
}

void lieBudget(const FaultScript& script, const VkPhysicalDeviceMemoryProperties& memory,
               const std::uint64_t* used, VkPhysicalDeviceMemoryProperties2& told) {
    // The driver's own budget speaks of its own heaps, not of made-up ones.
    if (!fakesBudget(script) && script.memory == MemoryLie::Truth && !script.heapBytes) return;
    const std::uint64_t percent = script.budgetPercent.value_or(100);
    for (auto* next = static_cast<VkBaseOutStructure*>(told.pNext); next != nullptr; next = next->pNext) {
        if (next->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
        void* structure = next;
        auto& budget = *static_cast<VkPhysicalDeviceMemoryBudgetPropertiesEXT*>(structure);
        for (std::uint32_t i = 0; i < memory.memoryHeapCount; ++i) {
            budget.heapBudget[i] = memory.memoryHeaps[i].size / 100 * percent;
            budget.heapUsage[i] = used[i];
        }
    }
}

std::string askedTooMuch(const FaultScript& script, const VkDeviceCreateInfo& info) {
    std::string asked;
    for (std::uint32_t i = 0; i < info.enabledExtensionCount; ++i) {
        if (isHidden(script, info.ppEnabledExtensionNames[i])) asked = info.ppEnabledExtensionNames[i];
    }
    forHiddenFeatures(script, const_cast<void*>(info.pNext), [&asked](const char* name, VkBool32 wanted) {
        if (wanted != VK_FALSE) asked = name;
    });
    return asked;
}

std::uint64_t limitOr(const FaultScript& script, std::string_view name, std::uint64_t real) {
    const auto found = script.limits.find(name);
    return found != script.limits.end() ? found->second : real;
}

}  // namespace loader::test
