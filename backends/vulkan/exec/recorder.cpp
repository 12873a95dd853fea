// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/recorder.h"

#include "backends/vulkan/exec/needed_pipelines.h"

namespace loader::vulkan {
namespace {

constexpr std::uint64_t kWord = sizeof(std::uint32_t);

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::create(LoadedParts& parts, const SessionBuffers& buffers) {
    std::unique_ptr<Recorder> made(new Recorder(parts, buffers));
    const ComputeDevice& device = *parts.device;
    const vk::CommandPoolCreateInfo info({}, device.queueFamily());
    auto pool = device.handle().createCommandPoolUnique(info, nullptr, device.dispatch());
    if (pool.result != vk::Result::eSuccess) return device.failure(pool.result, "its command pool");
    made->m_pool = std::move(pool.value);
    return made;
}

Result<RecordedList> Recorder::record(const CommandList& list, CancelToken cancel) {
    const ComputeDevice& device = *m_parts.device;
    {
        const std::lock_guard<std::mutex> lock(m_parts.making);
        LOADER_CHECK(m_parts.pipelines->prepare(pipelinesOf(list), std::move(cancel)));
    }
    const vk::CommandBufferAllocateInfo allocation(*m_pool, vk::CommandBufferLevel::ePrimary, 1);
    auto made = device.handle().allocateCommandBuffersUnique(allocation, device.dispatch());
    if (made.result != vk::Result::eSuccess) return device.failure(made.result, "its command buffers");
    RecordedList recorded;
    recorded.commands = std::move(made.value.front());
    recorded.cost = list.cost;
    const vk::CommandBuffer commands = *recorded.commands;
    const vk::CommandBufferBeginInfo begin{};
    vk::Result result = commands.begin(&begin, device.dispatch());
    if (result != vk::Result::eSuccess) return device.failure(result, "its command buffers");
    m_pipeline = nullptr;
    m_window = m_second = m_layer = kNoWindow;
    const vk::DescriptorSet shared = m_buffers.shared();
    commands.bindDescriptorSets(vk::PipelineBindPoint::eCompute, m_parts.pipelines->layout(), 0, 1, &shared,
                                0, nullptr, device.dispatch());
    for (const Command& command : list.commands) {
        std::visit([this, commands](const auto& concrete) { put(commands, concrete); }, command);
        if (std::holds_alternative<DispatchCommand>(command)) ++recorded.dispatches;
    }
    result = commands.end(device.dispatch());
    if (result != vk::Result::eSuccess) return device.failure(result, "its command buffers");
    return recorded;
}

void Recorder::put(vk::CommandBuffer commands, const DispatchCommand& dispatch) {
    const Dispatch& functions = m_parts.device->dispatch();
    const vk::PipelineLayout layout = m_parts.pipelines->layout();
    const auto bind = [&](std::uint32_t set, vk::DescriptorSet descriptors) {
        commands.bindDescriptorSets(vk::PipelineBindPoint::eCompute, layout, set, 1, &descriptors, 0, nullptr,
                                    functions);
    };
    const vk::Pipeline pipeline = m_parts.pipelines->get(dispatch.pipeline);
    if (pipeline != m_pipeline) commands.bindPipeline(vk::PipelineBindPoint::eCompute, pipeline, functions);
    m_pipeline = pipeline;
    if (dispatch.weights != kNoWindow && dispatch.weights != m_window) {
        bind(1, m_buffers.window(dispatch.weights));
        m_window = dispatch.weights;
    }
    if (dispatch.kvLayer != kNoWindow && dispatch.kvLayer != m_layer) {
        bind(2, m_buffers.kvLayer(dispatch.kvLayer));
        m_layer = dispatch.kvLayer;
    }
    // A shader that can read a second matrix has its set bound whether it does or not.
    const std::uint32_t second =
        dispatch.secondWeights != kNoWindow ? dispatch.secondWeights : dispatch.weights;
    if (second != kNoWindow && second != m_second) {
        bind(3, m_buffers.window(second));
        m_second = second;
    }
    commands.pushConstants(layout, vk::ShaderStageFlagBits::eCompute, 0, kPushBytes, dispatch.push.data(),
                           functions);
    commands.dispatch(dispatch.groups[0], dispatch.groups[1], dispatch.groups[2], functions);
}

void Recorder::put(vk::CommandBuffer commands, const Barrier&) const {
    const auto stages = vk::PipelineStageFlagBits::eComputeShader | vk::PipelineStageFlagBits::eTransfer;
    const vk::MemoryBarrier barrier(vk::AccessFlagBits::eShaderWrite | vk::AccessFlagBits::eTransferWrite,
                                    vk::AccessFlagBits::eShaderRead | vk::AccessFlagBits::eShaderWrite |
                                        vk::AccessFlagBits::eTransferRead |
                                        vk::AccessFlagBits::eTransferWrite | vk::AccessFlagBits::eHostRead);
    commands.pipelineBarrier(stages, stages | vk::PipelineStageFlagBits::eHost, {}, 1, &barrier, 0, nullptr,
                             0, nullptr, m_parts.device->dispatch());
}

void Recorder::put(vk::CommandBuffer commands, const Copy& copy) const {
    const vk::BufferCopy region(copy.fromWord * kWord, copy.toWord * kWord, copy.words * kWord);
    commands.copyBuffer(m_buffers.of(copy.from).handle(), m_buffers.of(copy.to).handle(), 1, &region,
                        m_parts.device->dispatch());
}

}  // namespace loader::vulkan
