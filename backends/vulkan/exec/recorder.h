// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From lists of commands to command buffers that are submitted again and again.
#pragma once

#include <vector>

#include "backends/vulkan/exec/session_buffers.h"

namespace loader::vulkan {

/// @unit cost: as CommandList has it
struct RecordedList {
    Unique<vk::CommandBuffer> commands;
    double cost = 0.0;
    std::uint32_t dispatches = 0;
};

/// @thread confined to its session
class Recorder {
public:
    /// Both outlive it. @errors R901, B704
    static Result<std::unique_ptr<Recorder>> create(LoadedParts& parts, const SessionBuffers& buffers);

    /// Makes the pipelines that are missing, then records. @errors B703, B704, R901, X002
    Result<RecordedList> record(const CommandList& list, CancelToken cancel);

private:
    Recorder(LoadedParts& parts, const SessionBuffers& buffers) : m_parts(parts), m_buffers(buffers) {}
    void put(vk::CommandBuffer commands, const DispatchCommand& dispatch);
    void put(vk::CommandBuffer commands, const Barrier&) const;
    void put(vk::CommandBuffer commands, const Copy& copy) const;

    LoadedParts& m_parts;
    const SessionBuffers& m_buffers;
    Unique<vk::CommandPool> m_pool;
    /// What the list being recorded has bound last.
    vk::Pipeline m_pipeline;
    std::uint32_t m_window = kNoWindow;
    std::uint32_t m_second = kNoWindow;
    std::uint32_t m_layer = kNoWindow;
};

}  // namespace loader::vulkan
