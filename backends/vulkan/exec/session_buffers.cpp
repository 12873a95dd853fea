// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/session_buffers.h"

#include <algorithm>
#include <array>

#include "backends/vulkan/device/weight_upload.h"

namespace loader::vulkan {
namespace {

constexpr std::uint64_t kWord = sizeof(std::uint32_t);

/// What shaders may read beyond a matrix, see WeightLayout.
constexpr std::uint64_t kReadBehind = 4;

std::uint64_t wholeWords(std::uint64_t bytes) {
    return (bytes + kWord - 1) / kWord * kWord;
}

}  // namespace

std::pair<std::uint64_t, std::uint64_t> kvLayerBytes(const graph::KvLayer& layer, backend::KvType type,
                                                     std::uint32_t contextTokens, unsigned sequences) {
    const std::uint64_t rows = std::uint64_t{layer.kvHeads} * contextTokens * sequences;
    return {rows * kvRowWords(type, layer.keyLength) * kWord,
            rows * kvRowWords(type, layer.valueLength) * kWord};
}

Result<std::unique_ptr<SessionBuffers>> SessionBuffers::make(LoadedParts& parts,
                                                             const backend::SessionOptions& options,
                                                             const SessionLayout& layout) {
    std::unique_ptr<SessionBuffers> made(new SessionBuffers);
    LOADER_CHECK(made->makeBuffers(parts, layout));
    LOADER_CHECK(made->makeKv(parts, options));
    LOADER_CHECK(made->makeAdapters(parts, options.adapters));
    LOADER_CHECK(made->makeSets(parts));
    return made;
}

const DeviceBuffer& SessionBuffers::of(BufferName which) const {
    switch (which) {
        case BufferName::Upload: return m_upload;
        case BufferName::Step: return m_step;
        case BufferName::Arena: return m_arena;
        case BufferName::Result: return m_result;
    }
    return m_result;
}

Status SessionBuffers::makeBuffers(LoadedParts& parts, const SessionLayout& layout) {
    ComputeDevice& device = *parts.device;
    LOADER_TRY(m_upload, DeviceBuffer::make(device, layout.uploadWords * kWord, MemoryUse::Upload));
    LOADER_TRY(m_step, DeviceBuffer::make(device, layout.stepWords * kWord, MemoryUse::Device));
    LOADER_TRY(m_arena, DeviceBuffer::make(device, layout.arenaWords * kWord, MemoryUse::Device));
    LOADER_TRY(m_result, DeviceBuffer::make(device, layout.resultWords * kWord, MemoryUse::Readback));
    return {};
}

Status SessionBuffers::makeKv(LoadedParts& parts, const backend::SessionOptions& options) {
    m_kv.resize(parts.program.kvLayers.size());
    for (const std::uint32_t layer : kvLayersOf(parts.program, parts.segments)) {
        const auto [keys, values] =
            kvLayerBytes(parts.program.kvLayers[layer], options.kv, options.contextTokens, options.sequences);
        LOADER_TRY(m_kv[layer].keys, DeviceBuffer::make(*parts.device, keys, MemoryUse::Device));
        LOADER_TRY(m_kv[layer].values, DeviceBuffer::make(*parts.device, values, MemoryUse::Device));
    }
    return {};
}

Status SessionBuffers::makeAdapters(LoadedParts& parts, std::span<const backend::Adapter> adapters) {
    const std::uint64_t align = std::max<std::uint64_t>(parts.device->limits().alignment, kWord);
    const WeightLayout& layout = parts.weights.layout;
    std::uint64_t bytes = 0;
    std::vector<UploadPiece> pieces;
    const auto place = [&](std::span<const float> values) {
        pieces.push_back({std::as_bytes(values), &m_adapterBytes, bytes});
        m_adapterWindows.push_back({&m_adapterBytes, bytes, values.size_bytes() + kReadBehind});
        bytes += (values.size_bytes() + kReadBehind + align - 1) / align * align;
        return layout.windows + static_cast<std::uint32_t>(m_adapterWindows.size()) - 1;
    };
    for (const backend::Adapter& adapter : adapters) {
        const auto target = layout.matrices.find(adapter.target);
        if (target == layout.matrices.end()) continue;  // a projection of a segment that lives elsewhere
        PlacedAdapter placed{adapter.target, adapter.rank, adapter.strength};
        placed.a = place(adapter.a);
        placed.firstB = placed.a + 1;
        for (const WeightWindow& window : target->second.windows) {
            place(adapter.b.subspan(std::size_t{window.firstRow} * adapter.rank,
                                    std::size_t{window.rows} * adapter.rank));
        }
        m_adapters.push_back(placed);
    }
    if (pieces.empty()) return {};
    LOADER_TRY(m_adapterBytes, DeviceBuffer::make(*parts.device, bytes, MemoryUse::Device));
    return uploadAll(*parts.device, pieces, nullptr, {});
}

Status SessionBuffers::makeSets(LoadedParts& parts) {
    const ComputeDevice& device = *parts.device;
    const Dispatch& dispatch = device.dispatch();
    std::vector<Range> windows(parts.weights.layout.windows);
    for (const auto& [id, matrix] : parts.weights.layout.matrices) {
        for (const WeightWindow& window : matrix.windows) {
            windows[window.index] = {&parts.weights.blocks[window.block], window.offset,
                                     wholeWords(window.bytes) + kReadBehind};
        }
    }
    windows.insert(windows.end(), m_adapterWindows.begin(), m_adapterWindows.end());

    const auto sets = static_cast<std::uint32_t>(1 + windows.size() + m_kv.size());
    const vk::DescriptorPoolSize size(vk::DescriptorType::eStorageBuffer,
                                      static_cast<std::uint32_t>(5 + windows.size() + 2 * m_kv.size()));
    const vk::DescriptorPoolCreateInfo info({}, sets, 1, &size);
    auto pool = device.handle().createDescriptorPoolUnique(info, nullptr, dispatch);
    if (pool.result != vk::Result::eSuccess) return device.failure(pool.result, "its descriptors");
    m_pool = std::move(pool.value);

    vk::Result result = vk::Result::eSuccess;
    const auto bind = [&](std::uint32_t set, const std::vector<Range>& ranges) {
        const vk::DescriptorSetLayout layout = parts.pipelines->setLayout(set);
        const vk::DescriptorSetAllocateInfo allocation(*m_pool, 1, &layout);
        vk::DescriptorSet made;
        const vk::Result now = device.handle().allocateDescriptorSets(&allocation, &made, dispatch);
        if (now != vk::Result::eSuccess) {
            result = now;
            return made;
        }
        std::vector<vk::DescriptorBufferInfo> buffers;
        for (const Range& range : ranges)
            buffers.emplace_back(range.buffer->handle(), range.offset, range.bytes);
        const vk::WriteDescriptorSet write(made, 0, 0, static_cast<std::uint32_t>(buffers.size()),
                                           vk::DescriptorType::eStorageBuffer, nullptr, buffers.data());
        device.handle().updateDescriptorSets(1, &write, 0, nullptr, dispatch);
        return made;
    };
    const auto whole = [](const DeviceBuffer& buffer) { return Range{&buffer, 0, buffer.bytes()}; };
    m_shared = bind(0, {whole(m_arena), whole(parts.weights.vectors), whole(m_step),
                        whole(parts.weights.grids), whole(m_result)});
    for (const Range& window : windows)
        m_windows.push_back(bind(1, {window}));
    for (const KvBuffers& layer : m_kv) {
        const bool here = layer.keys.bytes() != 0;
        m_layers.push_back(here ? bind(2, {whole(layer.keys), whole(layer.values)}) : vk::DescriptorSet());
    }
    if (result != vk::Result::eSuccess) return device.failure(result, "its descriptors");
    return {};
}

}  // namespace loader::vulkan
