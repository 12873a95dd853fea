// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the faulty layer knows of each instance and device, and what it decides about a call.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/vulkan_faults/fault_record.h"

namespace loader::test {

struct InstanceState {
    VkInstance handle = VK_NULL_HANDLE;
    PFN_vkGetInstanceProcAddr next = nullptr;
    /// Bytes by heap, of all its devices.
    std::array<std::uint64_t, VK_MAX_MEMORY_HEAPS> used{};
    std::mutex memory;

    /// Found when the instance was made: asked later, the loader answers with the first layer.
    std::array<PFN_vkVoidFunction, kFaultFunctions> functions{};
    PFN_vkGetDeviceProcAddr nextDevice = nullptr;

    template <class Function>
    Function of(FaultFunction function) const {
        return reinterpret_cast<Function>(functions[static_cast<std::size_t>(function)]);
    }
};

struct Allocation {
    std::uint64_t bytes = 0;
    std::uint32_t heap = 0;
    VkMemoryPropertyFlags flags = 0;
    /// Of memory that is said not to be coherent: what the host sees, until it flushes or invalidates.
    std::vector<std::byte> shadow;
    std::byte* real = nullptr;
};

struct DeviceState {
    VkDevice handle = VK_NULL_HANDLE;
    VkPhysicalDevice physical = VK_NULL_HANDLE;
    std::shared_ptr<InstanceState> instance;
    PFN_vkGetDeviceProcAddr nextProcAddr = nullptr;
    std::array<PFN_vkVoidFunction, kFaultFunctions> next{};
    VkPhysicalDeviceLimits limits{};
    VkPhysicalDeviceMemoryProperties realMemory{};
    VkPhysicalDeviceMemoryProperties memory{};
    std::atomic<bool> lost{false};
    std::atomic<bool> hung{false};
    std::mutex lock;
    std::map<VkDeviceMemory, Allocation> allocations;
    std::map<VkBuffer, std::uint64_t> buffers;
};

/// Handles that the loader dispatches begin with a pointer that is the same for all that belong together.
inline void* keyOf(const void* handle) {
    return *static_cast<void* const*>(handle);
}

std::shared_ptr<InstanceState> instanceOf(const void* handle);
std::shared_ptr<DeviceState> deviceOf(const void* handle);
void addInstance(std::shared_ptr<InstanceState> state);
void addDevice(std::shared_ptr<DeviceState> state);
void removeInstance(const void* handle);
void removeDevice(const void* handle);

/// As set, or as LOADER_VULKAN_FAULTS says; a text that is not understood ends the process.
std::shared_ptr<const FaultScript> currentScript();
void setScript(const char* text);
/// The file LOADER_VULKAN_COUNTS, or memory of this process.
FaultRecord& record();
/// Says that the program went against what it was told.
void violation(const std::string& text);

struct Verdict {
    bool answers = false;
    VkResult result = VK_SUCCESS;
    bool skip = false;
    bool none = false;
};

/// Counts a call and says what becomes of it. @param device null where there is none
Verdict judge(FaultFunction function, DeviceState* device);
/// Waits as a device that hangs lets wait. @return TIMEOUT, or DEVICE_LOST once the driver gives it up
VkResult hangFor(DeviceState& device, std::uint64_t nanoseconds);

}  // namespace loader::test
