// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A session over sessions on several back ends: carries hidden states over the borders and keeps the
// sequences of all parts at the same length, whatever fails where.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "backends/api/backend.h"
#include "backends/api/sequence_table.h"

namespace loader::host {

struct SessionPart {
    std::unique_ptr<backend::Session> session;
    /// Numbers per item that this part takes from the one in front of it; 0 for the first.
    std::size_t rowWidth = 0;
};

/// @thread confined to one thread at a time
class SplitSession final : public backend::Session {
public:
    SplitSession(std::vector<SessionPart> parts, const backend::SessionOptions& options,
                 std::size_t batchTokens)
        : m_parts(std::move(parts)),
          m_table(options.sequences, options.contextTokens),
          m_batchTokens(batchTokens) {}

    /// After a failure every part goes back to where the batch began. Parts with recurrent state can do that
    /// for a batch that is not cut; after a longer one they may have to go back further, and the next call
    /// then says where the sequence goes on (B708).
    /// @errors those of the parts; X003 a part hands on something else than its program says
    Status forward(std::span<const backend::BatchItem> batch, const backend::OutputRequest& request,
                   backend::ForwardOutput& out, CancelToken cancel) override;
    /// @return the length that all parts reached
    Result<std::uint32_t> truncate(std::uint32_t sequence, std::uint32_t position) override;
    /// A failure empties `to`.
    Status copy(std::uint32_t from, std::uint32_t to) override;
    Status save(std::uint32_t sequence, std::vector<std::byte>& out) override;
    /// A failure leaves the sequence as it was. @errors F807, those of the parts
    Status restore(std::uint32_t sequence, std::span<const std::byte> saved) override;

private:
    Status compute(std::span<const backend::BatchItem> batch, const backend::OutputRequest& request,
                   backend::ForwardOutput& out, CancelToken cancel);
    Status step(std::span<const backend::BatchItem> items, const backend::OutputRequest& request,
                backend::ForwardOutput& out, CancelToken cancel);
    Status carry(std::span<const backend::BatchItem> items, std::size_t part,
                 const backend::ForwardOutput& rows);
    Result<std::uint32_t> cut(std::uint32_t sequence, std::uint32_t position);
    void goBack(std::span<const backend::BatchItem> batch);
    Status restoreParts(std::uint32_t sequence, std::span<const std::byte> saved);

    std::vector<SessionPart> m_parts;
    backend::SequenceTable m_table;
    std::size_t m_batchTokens;
    /// Why the parts do not agree any more, where they could not be brought together after a failure.
    std::optional<Error> m_broken;
    std::vector<std::uint32_t> m_visibleEnds;
    /// What the next part is given.
    std::vector<backend::BatchItem> m_items;
    /// Rows on their way over a border: those that a part reads, and those that it makes of them.
    backend::ForwardOutput m_rows[2];
    backend::ForwardOutput m_stepOut;
};

}  // namespace loader::host
