// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a step does, as plain data: dispatches, barriers and copies. Made without a device, so that plans,
// tests and the list of needed pipelines come from the same place as what is recorded.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <variant>
#include <vector>

#include "backends/vulkan/device/pipeline_store.h"

namespace loader::vulkan {

inline constexpr std::uint32_t kNoWindow = LOADER_NONE;
inline constexpr std::size_t kPushBytes = 128;

struct DispatchCommand {
    PipelineKey pipeline;
    std::array<std::uint32_t, 3> groups{1, 1, 1};
    std::array<std::byte, kPushBytes> push{};
    /// Windows for sets 1 and 3, and the KV layer for set 2; kNoWindow where the shader reads none.
    std::uint32_t weights = kNoWindow;
    std::uint32_t secondWeights = kNoWindow;
    std::uint32_t kvLayer = kNoWindow;

    template <class Push>
    void setPush(const Push& values) {
        static_assert(sizeof(Push) <= kPushBytes);
        std::memcpy(push.data(), &values, sizeof values);
    }
};

/// Everything before is visible to everything after.
struct Barrier {};

enum class BufferName : std::uint8_t { Upload, Step, Arena, Result };

/// From one of the session's buffers to another. @unit words of 32 bits
struct Copy {
    BufferName from{};
    BufferName to{};
    std::uint64_t fromWord = 0;
    std::uint64_t toWord = 0;
    std::uint64_t words = 0;
};

using Command = std::variant<DispatchCommand, Barrier, Copy>;

/// What is recorded into one command buffer.
struct CommandList {
    std::vector<Command> commands;
    /// Multiplications and additions, in thousands of millions; paces submissions.
    double cost = 0.0;
};

/// Gathers commands and puts barriers only where an operation needs what an earlier one wrote, or writes what
/// an earlier one reads. @thread confined
class CommandWriter {
public:
    /// A part of memory that operations read and write as a whole; the user numbers them.
    using Region = std::uint32_t;

    /// Dispatches that write different parts of the same regions and run side by side.
    void run(std::vector<DispatchCommand> dispatches, const std::vector<Region>& reads,
             const std::vector<Region>& writes, double cost = 0.0) {
        order(reads, writes);
        for (DispatchCommand& dispatch : dispatches)
            m_list.commands.emplace_back(std::move(dispatch));
        m_list.cost += cost;
    }
    void copy(const Copy& copy, const std::vector<Region>& reads, const std::vector<Region>& writes) {
        order(reads, writes);
        m_list.commands.emplace_back(copy);
    }
    /// What was gathered; a barrier is its last command, so that lists may follow each other.
    CommandList take() {
        if (!m_read.empty() || !m_written.empty()) barrier();
        return std::exchange(m_list, {});
    }

private:
    static bool has(const std::vector<Region>& set, Region region) {
        for (const Region known : set) {
            if (known == region) return true;
        }
        return false;
    }
    void order(const std::vector<Region>& reads, const std::vector<Region>& writes) {
        bool conflict = false;
        for (const Region region : reads)
            conflict = conflict || has(m_written, region);
        for (const Region region : writes)
            conflict = conflict || has(m_written, region) || has(m_read, region);
        if (conflict) barrier();
        m_read.insert(m_read.end(), reads.begin(), reads.end());
        m_written.insert(m_written.end(), writes.begin(), writes.end());
    }
    void barrier() {
        m_list.commands.emplace_back(Barrier{});
        m_read.clear();
        m_written.clear();
    }

    CommandList m_list;
    std::vector<Region> m_read;
    std::vector<Region> m_written;
};

}  // namespace loader::vulkan
