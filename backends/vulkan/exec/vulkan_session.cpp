// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A conversation's state on the device: checks batches, cuts them into steps, keeps the books of the KV
// cache.

#include "backends/vulkan/exec/vulkan_session.h"

#include <cstring>

#include "backends/api/adapter_check.h"
#include "backends/api/item_check.h"
#include "backends/api/sequence_table.h"
#include "backends/api/top_tokens.h"
#include "backends/vulkan/exec/kv_transfer.h"
#include "backends/vulkan/exec/step_runner.h"

namespace loader::vulkan {
namespace {

using namespace backend;

/// In front of the rows of a saved sequence.
struct SavedHeader {
    std::uint32_t version = 0x766B0001;  // no session of another back end takes it for its own
    std::uint32_t kvType = 0;
    std::uint32_t positions = 0;
    std::uint32_t reserved = 0;
};

class VulkanSession final : public Session {
public:
    VulkanSession(LoadedParts& parts, const SessionOptions& options, std::unique_ptr<StepRunner> runner)
        : m_parts(parts),
          m_options(options),
          m_table(options.sequences, options.contextTokens),
          m_runner(std::move(runner)),
          m_transfer(parts, m_options, m_runner->buffers().kv()) {}

    Status forward(std::span<const BatchItem> batch, const OutputRequest& request, ForwardOutput& out,
                   CancelToken cancel) override {
        out.values.clear();
        out.top.clear();
        out.logSumExp.clear();
        out.rowWidth = 0;
        LOADER_CHECK(m_table.admit(batch, m_visibleEnds));
        const graph::Segment& first = m_parts.program.segments[m_parts.segments.front()];
        LOADER_CHECK(checkItems(m_parts.program, batch, first.kind == graph::SegmentKind::Embedding));
        std::size_t begin = 0;
        while (begin < batch.size()) {
            LOADER_TRY(const std::size_t count,
                       m_table.stepLength(batch, m_visibleEnds, begin, m_runner->stepTokens()));
            const std::span<const std::uint32_t> ends(m_visibleEnds);
            LOADER_CHECK(m_runner->step(batch.subspan(begin, count), ends.subspan(begin, count), request, out,
                                        cancel));
            begin += count;
        }
        if (request.kind == OutputKind::Pooled) poolBySequence(batch, out);
        m_table.commit(batch);
        return {};
    }

    Result<std::uint32_t> truncate(std::uint32_t sequence, std::uint32_t position) override {
        return m_table.truncate(sequence, position);
    }

    Status copy(std::uint32_t from, std::uint32_t to) override {
        LOADER_CHECK(m_table.checkSequence(from));
        LOADER_CHECK(m_table.checkSequence(to));
        if (from == to) return {};
        LOADER_CHECK(m_transfer.copy(from, to, m_table.length(from)));
        m_table.setLength(to, m_table.length(from));
        return {};
    }

    Status save(std::uint32_t sequence, std::vector<std::byte>& out) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        SavedHeader header;
        header.kvType = static_cast<std::uint32_t>(m_options.kv);
        header.positions = m_table.length(sequence);
        out.resize(sizeof header);
        std::memcpy(out.data(), &header, sizeof header);
        return m_transfer.save(sequence, header.positions, out);
    }

    Status restore(std::uint32_t sequence, std::span<const std::byte> saved) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        SavedHeader header;
        const SavedHeader own;
        if (saved.size() < sizeof header) return Error(Errc::F807, {"it is too short"});
        std::memcpy(&header, saved.data(), sizeof header);
        const bool fits = header.version == own.version &&
                          header.kvType == static_cast<std::uint32_t>(m_options.kv) &&
                          header.positions <= m_table.contextTokens() &&
                          saved.size() - sizeof header == m_transfer.savedBytes(header.positions);
        if (!fits) return Error(Errc::F807, {"it belongs to another model, KV type, context or back end"});
        LOADER_CHECK(m_transfer.restore(sequence, header.positions, saved.subspan(sizeof header)));
        m_table.setLength(sequence, header.positions);
        return {};
    }

private:
    LoadedParts& m_parts;
    SessionOptions m_options;
    SequenceTable m_table;
    std::unique_ptr<StepRunner> m_runner;
    KvTransfer m_transfer;
    std::vector<std::uint32_t> m_visibleEnds;
};

}  // namespace

Result<std::unique_ptr<Session>> makeVulkanSession(LoadedParts& parts, const SessionOptions& options) {
    LOADER_CHECK(checkAdapters(parts.program, options.adapters));
    LOADER_TRY(auto runner, StepRunner::create(parts, options));
    return std::unique_ptr<Session>(std::make_unique<VulkanSession>(parts, options, std::move(runner)));
}

}  // namespace loader::vulkan
