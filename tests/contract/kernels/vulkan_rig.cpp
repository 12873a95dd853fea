// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/kernels/vulkan_rig.h"

#include <algorithm>

#include "backends/vulkan/shaders/grid_words.h"

namespace loader::test {
namespace {

using vulkan::DeviceBuffer;

constexpr std::uint64_t kAnswerMs = 120'000;
/// A quiet NaN as a float, and as bytes the most negative but one.
constexpr std::uint32_t kPoison = 0xFFC18181u;

}  // namespace

Result<std::unique_ptr<VulkanRig>> VulkanRig::open() {
    using vulkan::VulkanLibrary;
    auto rig = std::unique_ptr<VulkanRig>(new VulkanRig());
    LOADER_TRY(const auto library, VulkanLibrary::open(VulkanLibrary::defaultNames()));
    vulkan::DeviceSettings settings;
    settings.answerMs = kAnswerMs;
    LOADER_TRY(rig->m_device, vulkan::ComputeDevice::open(*library, settings));
    LOADER_TRY(rig->m_pipelines, vulkan::PipelineStore::create(*rig->m_device, {}));
    for (DeviceBuffer& buffer : rig->m_buffers) {
        LOADER_TRY(buffer, DeviceBuffer::make(*rig->m_device, kRigWords * sizeof(std::uint32_t),
                                              vulkan::MemoryUse::Readback));
    }
    const std::vector<std::uint32_t> grids = vulkan::gridWords();
    std::copy(grids.begin(), grids.end(), rig->words(RigBuffer::Grids).begin());
    LOADER_CHECK(rig->makeSets());
    return rig;
}

Status VulkanRig::makeSets() {
    const auto& dispatch = m_device->dispatch();
    const vk::DescriptorPoolSize size(vk::DescriptorType::eStorageBuffer, kRigBuffers);
    auto pool = m_device->handle().createDescriptorPoolUnique(
        vk::DescriptorPoolCreateInfo({}, static_cast<std::uint32_t>(vulkan::kBuffersOfSet.size()), size),
        nullptr, dispatch);
    if (pool.result != vk::Result::eSuccess) return m_device->failure(pool.result, "vkCreateDescriptorPool");
    m_pool = std::move(pool.value);
    std::size_t next = 0;
    for (std::uint32_t set = 0; set < vulkan::kBuffersOfSet.size(); ++set) {
        const vk::DescriptorSetLayout layout = m_pipelines->setLayout(set);
        const auto made = m_device->handle().allocateDescriptorSets(
            vk::DescriptorSetAllocateInfo(*m_pool, layout), dispatch);
        if (made.result != vk::Result::eSuccess)
            return m_device->failure(made.result, "vkAllocateDescriptorSets");
        m_sets.push_back(made.value.front());
        for (std::uint32_t binding = 0; binding < vulkan::kBuffersOfSet[set]; ++binding) {
            const vk::DescriptorBufferInfo info(m_buffers[next++].handle(), 0, VK_WHOLE_SIZE);
            m_device->handle().updateDescriptorSets(
                vk::WriteDescriptorSet(m_sets.back(), binding, 0, vk::DescriptorType::eStorageBuffer, {},
                                       info),
                {}, dispatch);
        }
    }
    return {};
}

std::span<std::uint32_t> VulkanRig::words(RigBuffer buffer) {
    const auto bytes = m_buffers[static_cast<std::size_t>(buffer)].mapped();
    return {reinterpret_cast<std::uint32_t*>(bytes.data()), bytes.size() / sizeof(std::uint32_t)};
}

std::span<float> VulkanRig::floats(RigBuffer buffer) {
    const auto bytes = m_buffers[static_cast<std::size_t>(buffer)].mapped();
    return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

void VulkanRig::poison(RigBuffer buffer) {
    const auto all = words(buffer);
    std::fill(all.begin(), all.end(), kPoison);
}

Status VulkanRig::run(std::span<const RigLaunch> launches) {
    std::vector<vulkan::PipelineKey> keys;
    for (const RigLaunch& launch : launches)
        keys.push_back(launch.key);
    LOADER_CHECK(m_pipelines->prepare(keys, {}));
    for (const DeviceBuffer& buffer : m_buffers)
        LOADER_CHECK(buffer.flush(0, buffer.bytes()));
    const auto& dispatch = m_device->dispatch();
    LOADER_CHECK(m_device->runOnce([&](vk::CommandBuffer commands) {
        commands.bindDescriptorSets(vk::PipelineBindPoint::eCompute, m_pipelines->layout(), 0, m_sets, {},
                                    dispatch);
        for (const RigLaunch& launch : launches) {
            commands.bindPipeline(vk::PipelineBindPoint::eCompute, m_pipelines->get(launch.key), dispatch);
            commands.pushConstants(m_pipelines->layout(), vk::ShaderStageFlagBits::eCompute, 0,
                                   static_cast<std::uint32_t>(launch.push.size()), launch.push.data(),
                                   dispatch);
            commands.dispatch(launch.groups[0], launch.groups[1], launch.groups[2], dispatch);
            m_device->fullBarrier(commands);
        }
    }));
    for (const DeviceBuffer& buffer : m_buffers)
        LOADER_CHECK(buffer.invalidate(0, buffer.bytes()));
    return {};
}

Untouched::Untouched(VulkanRig& rig, RigBuffer buffer) : m_rig(rig), m_buffer(buffer) {
    const auto words = rig.words(buffer);
    m_before.assign(words.begin(), words.end());
    m_free.resize(words.size());
}

void Untouched::except(std::size_t first, std::size_t count) {
    std::fill_n(m_free.begin() + static_cast<std::ptrdiff_t>(first), count, true);
}

std::string Untouched::fault() const {
    const auto words = m_rig.words(m_buffer);
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (!m_free[i] && words[i] != m_before[i])
            return "word " + std::to_string(i) + " of buffer " + std::to_string(static_cast<int>(m_buffer)) +
                   " was written";
    }
    return {};
}

double normalisedError(std::span<const double> wanted, std::span<const double> got, double least) {
    double error = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        error += (got[i] - wanted[i]) * (got[i] - wanted[i]);
        size += wanted[i] * wanted[i];
    }
    size = std::max(size, least);
    if (size > 0.0) return error / size;
    return error == 0.0 ? 0.0 : 1.0;
}

}  // namespace loader::test
