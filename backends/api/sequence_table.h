// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The bookkeeping that every back end needs in front of a batch: which sequences exist, how long they are,
// whether a batch continues them, and what each item may see. Header only, so that back ends share no
// library.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "backends/api/backend.h"

namespace loader::backend {

/// @thread confined to its session.
class SequenceTable {
public:
    SequenceTable(unsigned sequences, std::uint32_t contextTokens)
        : m_lengths(sequences, 0), m_contextTokens(contextTokens) {}

    std::size_t sequences() const { return m_lengths.size(); }
    std::uint32_t contextTokens() const { return m_contextTokens; }
    std::uint32_t length(std::uint32_t sequence) const { return m_lengths[sequence]; }
    Status checkSequence(std::uint32_t sequence) const {
        if (sequence < m_lengths.size()) return {};
        return Error(Errc::B708, {std::to_string(sequence), "no such sequence"});
    }

    /// Checks that the batch continues its sequences. visibleEnds[i] is one past the last position item i
    /// sees.
    /// @errors B708, R902
    Status admit(std::span<const BatchItem> batch, std::vector<std::uint32_t>& visibleEnds) const {
        std::vector<std::uint32_t> next = m_lengths;
        visibleEnds.resize(batch.size());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const BatchItem& item = batch[i];
            LOADER_CHECK(checkSequence(item.sequence));
            const std::uint32_t position = item.position[0];
            if (position != next[item.sequence]) {
                return Error(Errc::B708, {std::to_string(position),
                                          "the sequence goes on at " + std::to_string(next[item.sequence])});
            }
            if (position >= m_contextTokens) {
                return Error(Errc::R902, {std::to_string(position + 1), std::to_string(m_contextTokens)});
            }
            ++next[item.sequence];
            visibleEnds[i] = position + 1;
        }
        widenGroups(batch, visibleEnds);
        return {};
    }

    /// As many items of an admitted batch from `begin` on as a step of at most `most` items holds, so that no
    /// item of it sees a position that only a later step computes: bidirectional groups stay whole, also
    /// where other sequences lie between their items.
    /// @errors R902 a group does not fit a step
    Result<std::size_t> stepLength(std::span<const BatchItem> batch,
                                   std::span<const std::uint32_t> visibleEnds, std::size_t begin,
                                   std::size_t most) const {
        if (batch.size() - begin <= most) return batch.size() - begin;
        struct Ends {
            std::uint32_t computed = 0;
            std::uint32_t seen = 0;
        };
        std::vector<Ends> ends(m_lengths.size());
        std::size_t unfinished = 0;
        std::size_t count = 0;
        for (std::size_t i = 0; i < most; ++i) {
            const BatchItem& item = batch[begin + i];
            Ends& own = ends[item.sequence];
            if (own.seen > own.computed) --unfinished;
            own.computed = item.position[0] + 1;
            own.seen = std::max(own.seen, visibleEnds[begin + i]);
            if (own.seen > own.computed) ++unfinished;
            if (unfinished == 0) count = i + 1;
        }
        if (count == 0)
            return Error(Errc::R902, {"a group of more than " + std::to_string(most), std::to_string(most)});
        return count;
    }

    /// Makes an admitted and computed batch part of the sequences.
    void commit(std::span<const BatchItem> batch) {
        for (const BatchItem& item : batch)
            ++m_lengths[item.sequence];
    }
    /// Shortens a sequence to at most `position`. @return the length reached. @errors B708
    Result<std::uint32_t> truncate(std::uint32_t sequence, std::uint32_t position) {
        LOADER_CHECK(checkSequence(sequence));
        m_lengths[sequence] = std::min(position, m_lengths[sequence]);
        return m_lengths[sequence];
    }
    void setLength(std::uint32_t sequence, std::uint32_t length) { m_lengths[sequence] = length; }

private:
    /// Items of one bidirectional group see up to the last of them.
    static void widenGroups(std::span<const BatchItem> batch, std::vector<std::uint32_t>& visibleEnds) {
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (batch[i].group == 0) continue;
            for (std::size_t j = 0; j < batch.size(); ++j) {
                const bool together =
                    batch[j].group == batch[i].group && batch[j].sequence == batch[i].sequence;
                if (together) visibleEnds[i] = std::max(visibleEnds[i], batch[j].position[0] + 1);
            }
        }
    }

    std::vector<std::uint32_t> m_lengths;
    std::uint32_t m_contextTokens;
};

}  // namespace loader::backend
