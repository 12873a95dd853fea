// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Moves rows of the KV cache: from sequence to sequence, to the host and back.
#pragma once

#include <span>
#include <vector>

#include "backends/vulkan/exec/session_buffers.h"

namespace loader::vulkan {

/// @thread confined to its session
class KvTransfer {
public:
    KvTransfer(LoadedParts& parts, const backend::SessionOptions& options, std::span<const KvBuffers> kv)
        : m_parts(parts), m_options(options), m_kv(kv) {}

    /// The first `positions` rows of every layer and head.
    Status copy(std::uint32_t from, std::uint32_t to, std::uint32_t positions);
    /// Appends them to out: layer by layer, keys then values, head by head.
    Status save(std::uint32_t sequence, std::uint32_t positions, std::vector<std::byte>& out);
    std::uint64_t savedBytes(std::uint32_t positions) const;
    /// @param saved savedBytes(positions) bytes
    Status restore(std::uint32_t sequence, std::uint32_t positions, std::span<const std::byte> saved);

private:
    /// The rows of one head, which lie together.
    struct Rows {
        const DeviceBuffer* buffer = nullptr;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
    };

    std::vector<Rows> rowsOf(std::uint32_t sequence, std::uint32_t positions) const;

    LoadedParts& m_parts;
    const backend::SessionOptions& m_options;
    std::span<const KvBuffers> m_kv;
};

}  // namespace loader::vulkan
