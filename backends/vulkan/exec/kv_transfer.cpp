// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/kv_transfer.h"

#include <algorithm>
#include <cstring>

namespace loader::vulkan {
namespace {

/// Of the buffer through which the host reads and writes. @unit bytes
constexpr std::uint64_t kStagingBytes = 16u << 20;

}  // namespace

std::vector<KvTransfer::Rows> KvTransfer::rowsOf(std::uint32_t sequence, std::uint32_t positions) const {
    std::vector<Rows> list;
    if (positions == 0) return list;
    const auto add = [&](const DeviceBuffer& buffer, std::uint32_t heads, std::uint32_t length) {
        const std::uint64_t rowBytes =
            std::uint64_t{kvRowWords(m_options.kv, length)} * sizeof(std::uint32_t);
        for (std::uint32_t head = 0; head < heads; ++head) {
            const std::uint64_t row = (std::uint64_t{sequence} * heads + head) * m_options.contextTokens;
            list.push_back({&buffer, row * rowBytes, positions * rowBytes});
        }
    };
    for (std::size_t layer = 0; layer < m_kv.size(); ++layer) {
        if (m_kv[layer].keys.bytes() == 0) continue;
        const graph::KvLayer& shape = m_parts.program.kvLayers[layer];
        add(m_kv[layer].keys, shape.kvHeads, shape.keyLength);
        add(m_kv[layer].values, shape.kvHeads, shape.valueLength);
    }
    return list;
}

Status KvTransfer::copy(std::uint32_t from, std::uint32_t to, std::uint32_t positions) {
    const std::vector<Rows> source = rowsOf(from, positions);
    const std::vector<Rows> target = rowsOf(to, positions);
    if (source.empty()) return {};
    return m_parts.device->runOnce([&](vk::CommandBuffer commands) {
        for (std::size_t i = 0; i < source.size(); ++i) {
            const vk::BufferCopy region(source[i].offset, target[i].offset, source[i].bytes);
            commands.copyBuffer(source[i].buffer->handle(), target[i].buffer->handle(), 1, &region,
                                m_parts.device->dispatch());
        }
    });
}

std::uint64_t KvTransfer::savedBytes(std::uint32_t positions) const {
    std::uint64_t bytes = 0;
    for (const Rows& rows : rowsOf(0, positions))
        bytes += rows.bytes;
    return bytes;
}

Status KvTransfer::save(std::uint32_t sequence, std::uint32_t positions, std::vector<std::byte>& out) {
    const std::uint64_t bytes = std::min(savedBytes(positions), kStagingBytes);
    if (bytes == 0) return {};
    LOADER_TRY(const DeviceBuffer staging, DeviceBuffer::make(*m_parts.device, bytes, MemoryUse::Readback));
    for (const Rows& rows : rowsOf(sequence, positions)) {
        for (std::uint64_t done = 0; done < rows.bytes; done += bytes) {
            const std::uint64_t part = std::min(bytes, rows.bytes - done);
            LOADER_CHECK(m_parts.device->runOnce([&](vk::CommandBuffer commands) {
                const vk::BufferCopy region(rows.offset + done, 0, part);
                commands.copyBuffer(rows.buffer->handle(), staging.handle(), 1, &region,
                                    m_parts.device->dispatch());
            }));
            LOADER_CHECK(staging.invalidate(0, part));
            const std::span<const std::byte> read = staging.mapped().first(part);
            out.insert(out.end(), read.begin(), read.end());
        }
    }
    return {};
}

Status KvTransfer::restore(std::uint32_t sequence, std::uint32_t positions,
                           std::span<const std::byte> saved) {
    const std::uint64_t bytes = std::min<std::uint64_t>(saved.size(), kStagingBytes);
    if (bytes == 0) return {};
    LOADER_TRY(const DeviceBuffer staging, DeviceBuffer::make(*m_parts.device, bytes, MemoryUse::Upload));
    for (const Rows& rows : rowsOf(sequence, positions)) {
        for (std::uint64_t done = 0; done < rows.bytes; done += bytes) {
            const std::uint64_t part = std::min(bytes, rows.bytes - done);
            std::memcpy(staging.mapped().data(), saved.data(), part);
            saved = saved.subspan(part);
            LOADER_CHECK(staging.flush(0, part));
            LOADER_CHECK(m_parts.device->runOnce([&](vk::CommandBuffer commands) {
                const vk::BufferCopy region(0, rows.offset + done, part);
                commands.copyBuffer(staging.handle(), rows.buffer->handle(), 1, &region,
                                    m_parts.device->dispatch());
            }));
        }
    }
    return {};
}

}  // namespace loader::vulkan
