// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Memory of a device. New memory is cleared: what another program left there is nobody's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backends/vulkan/device/compute_device.h"

namespace loader::vulkan {

enum class MemoryUse : std::uint8_t {
    /// Only the device reads and writes it.
    Device,
    /// The host writes, the device reads.
    Upload,
    /// The device writes, the host reads (cached where that can be had).
    Readback,
};

/// A buffer with memory of its own. Host-visible ones stay mapped.
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
    ComputeDevice* m_device = nullptr;
    Unique<vk::DeviceMemory> m_memory;
    Unique<vk::Buffer> m_buffer;
    std::span<std::byte> m_mapped;
    std::uint64_t m_bytes = 0;
    bool m_coherent = true;
};

}  // namespace loader::vulkan
