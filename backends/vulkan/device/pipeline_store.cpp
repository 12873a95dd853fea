// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/pipeline_store.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "core/engine/base/thread_pool.h"

namespace loader::vulkan {
namespace {

constexpr unsigned kMostThreads = 8;

/// Constants 0, 1, 2, … one word each.
std::vector<vk::SpecializationMapEntry> mapEntries(std::size_t count) {
    std::vector<vk::SpecializationMapEntry> entries;
    for (std::uint32_t i = 0; i < count; ++i)
        entries.emplace_back(i, static_cast<std::uint32_t>(i * sizeof(std::uint32_t)), sizeof(std::uint32_t));
    return entries;
}

/// Each key once, and none that is there already.
std::vector<PipelineKey> missingOf(std::span<const PipelineKey> keys,
                                   const std::map<PipelineKey, Unique<vk::Pipeline>>& made) {
    std::vector<PipelineKey> missing;
    for (const PipelineKey& key : keys) {
        if (!made.contains(key)) missing.push_back(key);
    }
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    return missing;
}

}  // namespace

Result<std::unique_ptr<PipelineStore>> PipelineStore::create(ComputeDevice& device, std::string cacheFile) {
    LOADER_CHECK(device.check());
    auto store = std::unique_ptr<PipelineStore>(new PipelineStore());
    store->m_device = &device;
    store->m_cacheFile = std::move(cacheFile);
    LOADER_CHECK(store->makeLayouts());
    LOADER_CHECK(store->makeCache());
    return store;
}

Status PipelineStore::makeLayouts() {
    const Dispatch& dispatch = m_device->dispatch();
    std::vector<vk::DescriptorSetLayout> sets;
    for (const std::uint32_t buffers : kBuffersOfSet) {
        std::vector<vk::DescriptorSetLayoutBinding> bindings;
        for (std::uint32_t i = 0; i < buffers; ++i)
            bindings.emplace_back(i, vk::DescriptorType::eStorageBuffer, 1,
                                  vk::ShaderStageFlagBits::eCompute);
        auto set = m_device->handle().createDescriptorSetLayoutUnique(
            vk::DescriptorSetLayoutCreateInfo({}, bindings), nullptr, dispatch);
        if (set.result != vk::Result::eSuccess)
            return m_device->failure(set.result, "vkCreateDescriptorSetLayout");
        sets.push_back(*set.value);
        m_setLayouts.push_back(std::move(set.value));
    }
    const vk::PushConstantRange push(vk::ShaderStageFlagBits::eCompute, 0, kPushConstantBytes);
    auto layout = m_device->handle().createPipelineLayoutUnique(vk::PipelineLayoutCreateInfo({}, sets, push),
                                                                nullptr, dispatch);
    if (layout.result != vk::Result::eSuccess)
        return m_device->failure(layout.result, "vkCreatePipelineLayout");
    m_layout = std::move(layout.value);
    return {};
}

Status PipelineStore::makeCache() {
    if (!m_cacheFile.empty()) {
        m_owner = cacheOwner(m_device->data());
        m_loaded = readCacheFile(m_cacheFile, m_owner);
    }
    const auto make = [this] {
        return m_device->handle().createPipelineCacheUnique(
            vk::PipelineCacheCreateInfo({}, m_loaded.size(), m_loaded.data()), nullptr, m_device->dispatch());
    };
    auto cache = make();
    if (cache.result != vk::Result::eSuccess && !m_loaded.empty()) {
        // The driver does not take what it gave: without, it takes longer and no more.
        m_loaded.clear();
        cache = make();
    }
    if (cache.result != vk::Result::eSuccess) return m_device->failure(cache.result, "vkCreatePipelineCache");
    m_cache = std::move(cache.value);
    m_warm = !m_loaded.empty();
    return {};
}

Result<Unique<vk::ShaderModule>> PipelineStore::makeModule(ShaderId id) const {
    const Shader& shader = allShaders()[static_cast<std::size_t>(id)];
    if (shader.tier > m_device->tier())
        return Error(Errc::X003, {"the shader " + std::string(shader.name) + " is above the device's tier"});
    auto module = m_device->handle().createShaderModuleUnique(
        vk::ShaderModuleCreateInfo({}, shader.code.size_bytes(), shader.code.data()), nullptr,
        m_device->dispatch());
    if (module.result != vk::Result::eSuccess)
        return m_device->failure(module.result, "reading the shader " + std::string(shader.name));
    return std::move(module.value);
}

Result<Unique<vk::Pipeline>> PipelineStore::makePipeline(const PipelineKey& key,
                                                         vk::ShaderModule module) const {
    const auto entries = mapEntries(key.constants.size());
    const vk::SpecializationInfo special(static_cast<std::uint32_t>(entries.size()), entries.data(),
                                         key.constants.size() * sizeof(std::uint32_t), key.constants.data());
    const vk::PipelineShaderStageCreateInfo stage({}, vk::ShaderStageFlagBits::eCompute, module, "main",
                                                  &special);
    auto made = m_device->handle().createComputePipelineUnique(
        *m_cache, vk::ComputePipelineCreateInfo({}, stage, *m_layout), nullptr, m_device->dispatch());
    if (made.result != vk::Result::eSuccess)
        return m_device->failure(
            made.result,
            "compiling the shader " + std::string(allShaders()[static_cast<std::size_t>(key.shader)].name));
    return std::move(made.value);
}

Status PipelineStore::prepare(std::span<const PipelineKey> keys, CancelToken cancel) {
    LOADER_CHECK(m_device->check());
    LOADER_CHECK(cancel.check());
    const std::vector<PipelineKey> missing = missingOf(keys, m_pipelines);
    if (missing.empty()) return {};
    std::map<ShaderId, Unique<vk::ShaderModule>> modules;
    for (const PipelineKey& key : missing) {
        if (modules.contains(key.shader)) continue;
        LOADER_TRY(modules[key.shader], makeModule(key.shader));
    }
    // No result yet, a pipeline or an error.
    std::vector<std::optional<Result<Unique<vk::Pipeline>>>> made(missing.size());
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    const std::size_t threads = std::min<std::size_t>(
        {std::max(std::thread::hardware_concurrency(), 1u), kMostThreads, missing.size()});
    ThreadPool team(static_cast<unsigned>(threads));
    team.run([&](TeamMember&) {
        while (!failed.load(std::memory_order_relaxed) && !cancel.cancelled()) {
            const std::size_t i = next.fetch_add(1);
            if (i >= missing.size()) return;
            made[i].emplace(makePipeline(missing[i], *modules.at(missing[i].shader)));
            if (!made[i]->ok()) failed.store(true, std::memory_order_relaxed);
        }
    });
    Status status;
    for (std::size_t i = 0; i < missing.size(); ++i) {
        if (!made[i]) continue;
        if (!made[i]->ok()) {
            status = std::move(*made[i]).error();
            continue;
        }
        m_pipelines.emplace(missing[i], std::move(*made[i]).value());
        m_changed = true;
    }
    LOADER_CHECK(status);
    return cancel.check();
}

vk::Pipeline PipelineStore::get(const PipelineKey& key) const {
    const auto found = m_pipelines.find(key);
    return found != m_pipelines.end() ? *found->second : vk::Pipeline();
}

void PipelineStore::save() {
    if (m_cacheFile.empty() || !m_changed || !m_device->check().ok()) return;
    const auto data = m_device->handle().getPipelineCacheData(*m_cache, m_device->dispatch());
    if (data.result != vk::Result::eSuccess) return;
    m_changed = false;
    // What would not be read is not written.
    if (!isOfDriver(data.value, m_owner)) return;
    // Everything came from the file: then it is not written again.
    if (data.value == m_loaded) return;
    const Status written = writeCacheFile(m_cacheFile, m_owner, data.value);
    if (written.ok()) m_loaded = data.value;
    ignoreErrorBecause("without the file the next start takes longer, and no more", written);
}

}  // namespace loader::vulkan
