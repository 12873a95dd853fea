// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Pipelines by shader and specialization constants: made once per model, several threads at a time, through a
// cache on disk that belongs to one device, driver and build.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/vulkan/device/compute_device.h"
#include "backends/vulkan/device/pipeline_cache_file.h"
#include "backends/vulkan/shaders/shader_list.h"

namespace loader::vulkan {

/// Specialization constants 0, 1, 2, … of a shader.
struct PipelineKey {
    ShaderId shader{};
    std::vector<std::uint32_t> constants;
    auto operator<=>(const PipelineKey&) const = default;
};

/// @thread get() is const after prepare()
class PipelineStore {
public:
    /// @param cacheFile where finished pipelines are kept between runs; empty keeps nothing. A file that is
    /// not
    ///        ours, of another device or damaged is not used and is replaced.
    static Result<std::unique_ptr<PipelineStore>> create(ComputeDevice& device, std::string cacheFile);

    /// Sets 0 to 3 of every shader, see push_constants.h.
    vk::DescriptorSetLayout setLayout(std::uint32_t set) const { return *m_setLayouts[set]; }
    vk::PipelineLayout layout() const { return *m_layout; }

    /// Makes those that are missing, by several threads. @errors B703 the driver cannot compile it, X002,
    /// R901
    Status prepare(std::span<const PipelineKey> keys, CancelToken cancel);
    /// One that prepare() made; none of any other key.
    vk::Pipeline get(const PipelineKey& key) const;
    /// Writes the cache file, where something new was made. A failure is no reason not to go on.
    void save();
    /// Whether the cache file was there and could be trusted.
    bool isWarm() const { return m_warm; }

private:
    PipelineStore() = default;
    Status makeLayouts();
    Status makeCache();
    Result<Unique<vk::ShaderModule>> makeModule(ShaderId id) const;
    Result<Unique<vk::Pipeline>> makePipeline(const PipelineKey& key, vk::ShaderModule module) const;

    ComputeDevice* m_device = nullptr;
    std::string m_cacheFile;
    CacheOwner m_owner;
    /// What the file holds.
    std::vector<std::uint8_t> m_loaded;
    Unique<vk::PipelineCache> m_cache;
    std::vector<Unique<vk::DescriptorSetLayout>> m_setLayouts;
    Unique<vk::PipelineLayout> m_layout;
    std::map<PipelineKey, Unique<vk::Pipeline>> m_pipelines;
    bool m_warm = false;
    bool m_changed = false;
};

}  // namespace loader::vulkan
