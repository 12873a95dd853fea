// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/memory_budget.h"

#include <algorithm>

#include "core/engine/base/size_text.h"

namespace loader::vulkan {
namespace {

std::uint64_t less(std::uint64_t all, std::uint64_t taken) {
    return all > taken ? all - taken : 0;
}

}  // namespace

void MemoryClaim::giveBack() {
    if (m_budget != nullptr) m_budget->giveBack(m_heap, m_bytes);
    m_budget = nullptr;
}

void MemoryBudget::start(const InstanceFunctions& functions, VkPhysicalDevice device,
                         const VkPhysicalDeviceMemoryProperties& memory, bool asks, std::uint64_t mostBytes) {
    m_functions = &functions;
    m_device = device;
    m_memory = memory;
    m_memory.memoryHeapCount = std::min<std::uint32_t>(m_memory.memoryHeapCount, VK_MAX_MEMORY_HEAPS);
    m_asks = asks;
    m_mostBytes = mostBytes;
}

std::uint64_t MemoryBudget::leftLocked(std::uint32_t heap) const {
    if (heap >= m_memory.memoryHeapCount) return 0;
    std::uint64_t left = less(m_memory.memoryHeaps[heap].size, m_claimed[heap]);
    if (m_asks) {
        VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
        budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
        VkPhysicalDeviceMemoryProperties2 all{};
        all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
        all.pNext = &budget;
        m_functions->GetPhysicalDeviceMemoryProperties2(m_device, &all);
        left = std::min(left, less(budget.heapBudget[heap], budget.heapUsage[heap]));
    }
    const auto isLocal = [this](std::uint32_t i) {
        return (m_memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0;
    };
    if (m_mostBytes == 0 || !isLocal(heap)) return left;
    std::uint64_t taken = 0;
    for (std::uint32_t i = 0; i < m_memory.memoryHeapCount; ++i)
        taken += isLocal(i) ? m_claimed[i] : 0;
    return std::min(left, less(m_mostBytes, taken));
}

Result<MemoryClaim> MemoryBudget::claim(std::uint32_t heap, std::uint64_t bytes) {
    const std::lock_guard lock(m_mutex);
    if (bytes > leftLocked(heap)) return Error(Errc::R901, {sizeText(bytes)});
    m_claimed[heap] += bytes;
    return MemoryClaim(*this, heap, bytes);
}

std::uint64_t MemoryBudget::freeBytes(std::uint32_t heap) const {
    const std::lock_guard lock(m_mutex);
    return leftLocked(heap);
}

std::uint64_t MemoryBudget::claimedBytes() const {
    const std::lock_guard lock(m_mutex);
    std::uint64_t all = 0;
    for (const std::uint64_t bytes : m_claimed)
        all += bytes;
    return all;
}

void MemoryBudget::giveBack(std::uint32_t heap, std::uint64_t bytes) {
    const std::lock_guard lock(m_mutex);
    m_claimed[heap] -= bytes;
}

}  // namespace loader::vulkan
