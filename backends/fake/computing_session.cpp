// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A session in front of one that computes: right results, until the script says otherwise.

#include <algorithm>
#include <limits>

#include "backends/api/sequence_table.h"
#include "backends/fake/fake_session.h"

namespace loader::fake {
namespace {

using namespace backend;

/// The token after this one, the first after the last.
TokenId tokenAfter(TokenId token, std::uint32_t vocabulary) {
    const TokenId next = token + 1;
    return static_cast<std::uint32_t>(next) < vocabulary ? next : 0;
}

class ComputingSession final : public Session {
public:
    ComputingSession(const FakeParts& parts, const SessionOptions& options,
                     std::unique_ptr<Session> computing)
        : m_parts(parts),
          m_table(options.sequences, options.contextTokens),
          m_checkpoints(parts.script.checkpoint, options.sequences),
          m_computing(std::move(computing)) {}

    Status forward(std::span<const BatchItem> batch, const OutputRequest& request, ForwardOutput& out,
                   CancelToken cancel) override {
        out = {};
        LOADER_CHECK(m_table.admit(batch, m_visibleEnds));
        LOADER_CHECK(misbehave(m_parts, batch.size(), cancel));
        LOADER_CHECK(m_computing->forward(batch, request, out, cancel));
        for (const BatchItem& item : batch)
            m_checkpoints.forwardBegins(item.sequence, m_table.length(item.sequence));
        m_table.commit(batch);
        spoil(out);
        return {};
    }

    Result<std::uint32_t> truncate(std::uint32_t sequence, std::uint32_t position) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        position = m_checkpoints.reachable(sequence, m_table.length(sequence), position);
        LOADER_TRY(const std::uint32_t reached, m_computing->truncate(sequence, position));
        m_table.setLength(sequence, reached);
        return reached;
    }

    Status copy(std::uint32_t from, std::uint32_t to) override {
        LOADER_CHECK(m_computing->copy(from, to));
        m_table.setLength(to, m_table.length(from));
        return {};
    }

    Status save(std::uint32_t sequence, std::vector<std::byte>& out) override {
        return m_computing->save(sequence, out);
    }

    Status restore(std::uint32_t sequence, std::span<const std::byte> saved) override {
        LOADER_CHECK(m_computing->restore(sequence, saved));
        // Only the session behind knows how long the sequence is now: it is asked for more than there can be.
        LOADER_TRY(const std::uint32_t length, m_computing->truncate(sequence, m_table.contextTokens()));
        m_table.setLength(sequence, length);
        return {};
    }

private:
    void spoil(ForwardOutput& out) const {
        if (m_parts.script.nan) {
            constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
            std::fill(out.values.begin(), out.values.end(), kNan);
            for (TopToken& top : out.top)
                top.logit = kNan;
        }
        if (!m_parts.script.wrong) return;
        const auto width = static_cast<std::ptrdiff_t>(out.rowWidth);
        for (auto row = out.values.begin(); width != 0 && row != out.values.end(); row += width)
            std::rotate(row, row + width - 1, row + width);
        for (TopToken& top : out.top) {
            if (top.token != kNoToken) top.token = tokenAfter(top.token, m_parts.program.vocabulary);
        }
    }

    const FakeParts& m_parts;
    SequenceTable m_table;
    Checkpoints m_checkpoints;
    std::unique_ptr<Session> m_computing;
    std::vector<std::uint32_t> m_visibleEnds;
};

}  // namespace

std::unique_ptr<Session> makeComputingSession(const FakeParts& parts, const SessionOptions& options,
                                              std::unique_ptr<Session> computing) {
    return std::make_unique<ComputingSession>(parts, options, std::move(computing));
}

}  // namespace loader::fake
