// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/device_buffer.h"

#include <algorithm>
#include <cstring>

#include "core/engine/base/checked.h"
#include "core/engine/base/size_text.h"

namespace loader::vulkan {
namespace {

/// Fill commands write words.
constexpr std::uint64_t kWordBytes = 4;
/// So much is cleared by one submission, so that none takes long.
constexpr std::uint64_t kClearBytes = std::uint64_t{1} << 30;

}  // namespace

Result<DeviceBuffer> DeviceBuffer::make(ComputeDevice& device, std::uint64_t bytes, MemoryUse use) {
    LOADER_CHECK(device.check());
    const auto words = checkedRoundUp(std::max(bytes, kWordBytes), kWordBytes);
    if (!words || *words > device.limits().allocationBytes)
        return Error(Errc::B702, {"vulkan", "a buffer of " + sizeText(bytes) + " is needed, and the device " +
                                                device.name() + " gives at most " +
                                                sizeText(device.limits().allocationBytes) + " at once"});
    DeviceBuffer buffer;
    buffer.m_device = &device;
    buffer.m_bytes = *words;
    using Usage = vk::BufferUsageFlagBits;
    const vk::BufferCreateInfo info({}, *words,
                                    Usage::eStorageBuffer | Usage::eTransferSrc | Usage::eTransferDst);
    auto made = device.handle().createBufferUnique(info, nullptr, device.dispatch());
    if (made.result != vk::Result::eSuccess) return device.failure(made.result, "vkCreateBuffer");
    buffer.m_buffer = std::move(made.value);
    LOADER_CHECK(buffer.allocate(use));
    LOADER_CHECK(buffer.clear(use));
    return buffer;
}

Status DeviceBuffer::allocate(MemoryUse use) {
    ComputeDevice& device = *m_device;
    const vk::MemoryRequirements needed =
        device.handle().getBufferMemoryRequirements(*m_buffer, device.dispatch());
    m_memoryBytes = needed.size;
    const VkPhysicalDeviceMemoryProperties& memory = device.data().memory;
    const Error none(Errc::R901, {sizeText(needed.size)});
    for (const std::uint32_t index :
         memoryTypesFor(memory, needed.memoryTypeBits, needed.size, use, device.limits().unified)) {
        const VkMemoryType& type = memory.memoryTypes[index];
        auto claim = device.budget().claim(type.heapIndex, needed.size);
        if (!claim.ok()) continue;
        auto made = device.handle().allocateMemoryUnique(vk::MemoryAllocateInfo(needed.size, index), nullptr,
                                                         device.dispatch());
        if (made.result == vk::Result::eErrorOutOfDeviceMemory) continue;
        if (made.result == vk::Result::eErrorOutOfHostMemory) return none;
        if (made.result != vk::Result::eSuccess) return device.failure(made.result, "vkAllocateMemory");
        m_claim = std::move(claim).value();
        m_memory = std::move(made.value);
        return bind(type);
    }
    return none;
}

Status DeviceBuffer::bind(const VkMemoryType& type) {
    const ComputeDevice& device = *m_device;
    const vk::Result bound = device.handle().bindBufferMemory(*m_buffer, *m_memory, 0, device.dispatch());
    if (bound != vk::Result::eSuccess) return device.failure(bound, "vkBindBufferMemory");
    m_coherent = (type.propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
    if ((type.propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) == 0) return {};
    const auto mapped = device.handle().mapMemory(*m_memory, 0, VK_WHOLE_SIZE, {}, device.dispatch());
    if (mapped.result != vk::Result::eSuccess) return device.failure(mapped.result, "vkMapMemory");
    m_mapped = {static_cast<std::byte*>(mapped.value), static_cast<std::size_t>(m_bytes)};
    return {};
}

Status DeviceBuffer::clear(MemoryUse use) {
    if (use != MemoryUse::Device) {
        std::memset(m_mapped.data(), 0, m_mapped.size());
        return flush(0, m_bytes);
    }
    for (std::uint64_t at = 0; at < m_bytes; at += kClearBytes) {
        const std::uint64_t part = std::min(kClearBytes, m_bytes - at);
        LOADER_CHECK(m_device->runOnce([&](vk::CommandBuffer commands) {
            commands.fillBuffer(*m_buffer, at, part, 0, m_device->dispatch());
        }));
    }
    return {};
}

Status DeviceBuffer::flush(std::uint64_t offset, std::uint64_t bytes) const {
    if (m_coherent || m_mapped.empty() || bytes == 0) return {};
    const vk::Result result =
        m_device->handle().flushMappedMemoryRanges(rangeOf(offset, bytes), m_device->dispatch());
    return result == vk::Result::eSuccess ? Status() : m_device->failure(result, "vkFlushMappedMemoryRanges");
}

Status DeviceBuffer::invalidate(std::uint64_t offset, std::uint64_t bytes) const {
    if (m_coherent || m_mapped.empty() || bytes == 0) return {};
    const vk::Result result =
        m_device->handle().invalidateMappedMemoryRanges(rangeOf(offset, bytes), m_device->dispatch());
    return result == vk::Result::eSuccess ? Status()
                                          : m_device->failure(result, "vkInvalidateMappedMemoryRanges");
}

vk::MappedMemoryRange DeviceBuffer::rangeOf(std::uint64_t offset, std::uint64_t bytes) const {
    const FlushRange range = flushRange(offset, bytes, m_device->limits().flushBytes, m_memoryBytes);
    return vk::MappedMemoryRange(*m_memory, range.offset, range.bytes);
}

FlushRange flushRange(std::uint64_t offset, std::uint64_t bytes, std::uint64_t atom,
                      std::uint64_t memoryBytes) {
    const std::uint64_t begin = std::min(offset, memoryBytes) / atom * atom;
    const std::uint64_t last = bytes < memoryBytes - begin ? offset + bytes : memoryBytes;
    const std::uint64_t end = checkedRoundUp(last, atom).value_or(memoryBytes);
    // The end of the memory counts as a multiple.
    return {begin, std::min(end, memoryBytes) - begin};
}

}  // namespace loader::vulkan
