// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How much of each heap this process may still take, by the driver's word where it has one and by our own
// count else.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <utility>

#include "backends/vulkan/device/device_facts.h"

namespace loader::vulkan {

class MemoryBudget;

/// Bytes that count as taken as long as it lives; the budget must outlive it.
class MemoryClaim {
public:
    MemoryClaim() = default;
    MemoryClaim(MemoryBudget& budget, std::uint32_t heap, std::uint64_t bytes)
        : m_budget(&budget), m_heap(heap), m_bytes(bytes) {}
    ~MemoryClaim() { giveBack(); }
    MemoryClaim(MemoryClaim&& other) noexcept
        : m_budget(std::exchange(other.m_budget, nullptr)), m_heap(other.m_heap), m_bytes(other.m_bytes) {}
    MemoryClaim& operator=(MemoryClaim&& other) noexcept {
        if (this != &other) {
            giveBack();
            m_budget = std::exchange(other.m_budget, nullptr);
            m_heap = other.m_heap;
            m_bytes = other.m_bytes;
        }
        return *this;
    }

private:
    void giveBack();

    MemoryBudget* m_budget = nullptr;
    std::uint32_t m_heap = 0;
    std::uint64_t m_bytes = 0;
};

/// @thread any
class MemoryBudget {
public:
    MemoryBudget() = default;
    MemoryBudget(const MemoryBudget&) = delete;
    MemoryBudget& operator=(const MemoryBudget&) = delete;

    /// @param asks whether the driver is asked; without, the sizes of the heaps and our own claims count
    /// @param mostBytes the most that is taken of the device's own heaps together; 0 is no such limit
    void start(const InstanceFunctions& functions, VkPhysicalDevice device,
               const VkPhysicalDeviceMemoryProperties& memory, bool asks, std::uint64_t mostBytes);
    /// @errors R901
    Result<MemoryClaim> claim(std::uint32_t heap, std::uint64_t bytes);
    std::uint64_t freeBytes(std::uint32_t heap) const;
    std::uint64_t claimedBytes() const;

private:
    friend class MemoryClaim;
    void giveBack(std::uint32_t heap, std::uint64_t bytes);
    std::uint64_t leftLocked(std::uint32_t heap) const;

    mutable std::mutex m_mutex;
    const InstanceFunctions* m_functions = nullptr;
    VkPhysicalDevice m_device = VK_NULL_HANDLE;
    VkPhysicalDeviceMemoryProperties m_memory{};
    bool m_asks = false;
    std::uint64_t m_mostBytes = 0;
    std::array<std::uint64_t, VK_MAX_MEMORY_HEAPS> m_claimed{};
};

}  // namespace loader::vulkan
