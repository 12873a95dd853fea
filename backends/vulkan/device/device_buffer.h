// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Memory of a device. New memory is cleared: what another program left there is nobody's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backends/vulkan/device/compute_device.h"
#include "backends/vulkan/device/memory_types.h"

namespace loader::vulkan {

/// A buffer with memory of its own. Host-visible ones stay mapped; where host and device share their memory,
/// those for the device are host-visible too.
class DeviceBuffer {
public:
    DeviceBuffer() = default;
    /// Cleared to zero. @errors R901 the device has no such memory left, B702 larger than it allows, B704
    static Result<DeviceBuffer> make(ComputeDevice& device, std::uint64_t bytes, MemoryUse use);

    vk::Buffer handle() const { return *m_buffer; }
    std::uint64_t bytes() const { return m_bytes; }
    /// The whole buffer, or nothing where the host cannot see it.
    std::span<std::byte> mapped() const { return m_mapped; }
    /// Makes what the host wrote visible to the device, or what the device wrote visible to the host; nothing
    /// to do on coherent memory.
    Status flush(std::uint64_t offset, std::uint64_t bytes) const;
    Status invalidate(std::uint64_t offset, std::uint64_t bytes) const;

private:
    Status allocate(MemoryUse use);
    Status bind(const VkMemoryType& type);
    Status clear(MemoryUse use);
    vk::MappedMemoryRange rangeOf(std::uint64_t offset, std::uint64_t bytes) const;

    ComputeDevice* m_device = nullptr;
    MemoryClaim m_claim;
    Unique<vk::DeviceMemory> m_memory;
    Unique<vk::Buffer> m_buffer;
    std::span<std::byte> m_mapped;
    std::uint64_t m_bytes = 0;
    std::uint64_t m_memoryBytes = 0;
    bool m_coherent = true;
};

/// The part of mapped memory to flush for a range of it. @source Vulkan specification, VkMappedMemoryRange
struct FlushRange {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};
FlushRange flushRange(std::uint64_t offset, std::uint64_t bytes, std::uint64_t atom,
                      std::uint64_t memoryBytes);

}  // namespace loader::vulkan
