// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The buffers of one session on the device, and how shaders see them and the model's weights.
#pragma once

#include <memory>
#include <vector>

#include "backends/vulkan/exec/commands.h"
#include "backends/vulkan/exec/loaded_parts.h"
#include "backends/vulkan/exec/lowering.h"
#include "backends/vulkan/exec/session_layout.h"

namespace loader::vulkan {

/// Keys and values of one layer: [sequence][kvHead][position] rows.
struct KvBuffers {
    DeviceBuffer keys;
    DeviceBuffer values;
};

/// @thread confined to its session
class SessionBuffers {
public:
    /// @errors R901, B702, B704
    static Result<std::unique_ptr<SessionBuffers>> make(LoadedParts& parts,
                                                        const backend::SessionOptions& options,
                                                        const SessionLayout& layout);

    const DeviceBuffer& of(BufferName which) const;
    const DeviceBuffer& upload() const { return m_upload; }
    const DeviceBuffer& result() const { return m_result; }
    /// Indexed by kv layer; empty where the layer lives elsewhere.
    std::span<const KvBuffers> kv() const { return m_kv; }
    std::span<const PlacedAdapter> adapters() const { return m_adapters; }

    vk::DescriptorSet shared() const { return m_shared; }
    /// Of the model's windows, then those of the adapters.
    vk::DescriptorSet window(std::uint32_t index) const { return m_windows[index]; }
    vk::DescriptorSet kvLayer(std::uint32_t index) const { return m_layers[index]; }

private:
    struct Range {
        const DeviceBuffer* buffer = nullptr;
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
    };

    SessionBuffers() = default;
    Status makeBuffers(LoadedParts& parts, const SessionLayout& layout);
    Status makeKv(LoadedParts& parts, const backend::SessionOptions& options);
    Status makeAdapters(LoadedParts& parts, std::span<const backend::Adapter> adapters);
    Status makeSets(LoadedParts& parts);

    DeviceBuffer m_upload;
    DeviceBuffer m_step;
    DeviceBuffer m_arena;
    DeviceBuffer m_result;
    DeviceBuffer m_adapterBytes;
    std::vector<KvBuffers> m_kv;
    std::vector<PlacedAdapter> m_adapters;
    std::vector<Range> m_adapterWindows;
    Unique<vk::DescriptorPool> m_pool;
    vk::DescriptorSet m_shared;
    std::vector<vk::DescriptorSet> m_windows;
    std::vector<vk::DescriptorSet> m_layers;
};

/// Bytes of the keys, then of the values of one layer.
std::pair<std::uint64_t, std::uint64_t> kvLayerBytes(const graph::KvLayer& layer, backend::KvType type,
                                                     std::uint32_t contextTokens, unsigned sequences);

}  // namespace loader::vulkan
