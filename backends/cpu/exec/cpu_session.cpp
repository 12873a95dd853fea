// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A conversation's state on the CPU: checks batches, cuts them into steps, keeps the KV cache.

#include "backends/cpu/exec/cpu_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/api/adapter_check.h"
#include "backends/api/item_check.h"
#include "backends/api/sequence_table.h"
#include "backends/api/top_tokens.h"
#include "backends/cpu/exec/executor.h"

namespace loader::cpu {
namespace {

using namespace backend;

/// In front of the rows of a saved sequence.
struct SavedHeader {
    std::uint32_t version = 1;
    std::uint32_t kvType = 0;
    std::uint32_t positions = 0;
    std::uint32_t reserved = 0;
};

class CpuSession final : public Session {
public:
    CpuSession(const LoadedParts& parts, const SessionOptions& options, KvCache cache)
        : m_parts(parts),
          m_adapters(options.adapters),
          m_table(options.sequences, options.contextTokens),
          m_cache(std::move(cache)) {}

    Status open() {
        const ExecutorContext context{m_parts.program, m_parts.plan, m_parts.kernels, m_parts.weights,
                                      m_adapters};
        LOADER_TRY(m_executor, Executor::create(context, m_parts.options.batchTokens, m_parts.threads));
        return {};
    }

    Status forward(std::span<const BatchItem> batch, const OutputRequest& request, ForwardOutput& out,
                   CancelToken cancel) override {
        out.values.clear();
        out.top.clear();
        out.logSumExp.clear();
        out.rowWidth = 0;
        LOADER_CHECK(m_table.admit(batch, m_visibleEnds));
        const bool embeds = m_parts.plan.segments.front().segment->kind == graph::SegmentKind::Embedding;
        LOADER_CHECK(checkItems(m_parts.program, batch, embeds));
        std::size_t begin = 0;
        while (begin < batch.size()) {
            LOADER_TRY(const std::size_t count,
                       m_table.stepLength(batch, m_visibleEnds, begin, m_parts.options.batchTokens));
            const std::span<const std::uint32_t> ends(m_visibleEnds);
            LOADER_CHECK(m_executor->step(batch.subspan(begin, count), ends.subspan(begin, count), m_cache,
                                          request, out, cancel));
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
        m_cache.copy(from, to, m_table.length(from));
        m_table.setLength(to, m_table.length(from));
        return {};
    }

    Status save(std::uint32_t sequence, std::vector<std::byte>& out) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        SavedHeader header;
        header.kvType = static_cast<std::uint32_t>(m_cache.type());
        header.positions = m_table.length(sequence);
        out.resize(sizeof header);
        std::memcpy(out.data(), &header, sizeof header);
        m_cache.save(sequence, header.positions, out);
        return {};
    }

    Status restore(std::uint32_t sequence, std::span<const std::byte> saved) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        SavedHeader header;
        if (saved.size() < sizeof header) return Error(Errc::F807, {"it is too short"});
        std::memcpy(&header, saved.data(), sizeof header);
        const bool fits = header.version == 1 &&
                          header.kvType == static_cast<std::uint32_t>(m_cache.type()) &&
                          header.positions <= m_table.contextTokens() &&
                          saved.size() - sizeof header == m_cache.savedBytes(header.positions);
        if (!fits) return Error(Errc::F807, {"it belongs to another model, KV type or context"});
        m_cache.restore(sequence, header.positions, saved.subspan(sizeof header));
        m_table.setLength(sequence, header.positions);
        return {};
    }

private:
    const LoadedParts& m_parts;
    std::vector<Adapter> m_adapters;
    SequenceTable m_table;
    KvCache m_cache;
    std::unique_ptr<Executor> m_executor;
    std::vector<std::uint32_t> m_visibleEnds;
};

}  // namespace

Result<std::unique_ptr<Session>> makeCpuSession(const LoadedParts& parts, const SessionOptions& options) {
    LOADER_CHECK(checkAdapters(parts.program, options.adapters));
    LOADER_TRY(KvCache cache, KvCache::create(parts.program, parts.plan.kvLayers, options.kv,
                                              options.contextTokens, options.sequences));
    auto session = std::make_unique<CpuSession>(parts, options, std::move(cache));
    LOADER_CHECK(session->open());
    return std::unique_ptr<Session>(std::move(session));
}

}  // namespace loader::cpu
