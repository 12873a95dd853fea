// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/split_session.h"

#include <algorithm>
#include <cstring>

#include "backends/api/top_tokens.h"

namespace loader::host {
namespace {

using namespace backend;

/// In front of a saved sequence, followed by one 64-bit length for each part and then by what the parts
/// saved.
struct SavedHeader {
    std::uint32_t mark = 0x54494C53;  // "SLIT"
    std::uint32_t version = 1;
    std::uint32_t parts = 0;
    std::uint32_t positions = 0;
};

void clear(ForwardOutput& out) {
    out.values.clear();
    out.rowWidth = 0;
    out.top.clear();
    out.logSumExp.clear();
}

void append(const ForwardOutput& from, ForwardOutput& to) {
    to.values.insert(to.values.end(), from.values.begin(), from.values.end());
    to.top.insert(to.top.end(), from.top.begin(), from.top.end());
    to.logSumExp.insert(to.logSumExp.end(), from.logSumExp.begin(), from.logSumExp.end());
    if (from.rowWidth != 0) to.rowWidth = from.rowWidth;
}

Error unusable() {
    return Error(Errc::F807, {"it belongs to another model, split or context"});
}

}  // namespace

Status SplitSession::forward(std::span<const BatchItem> batch, const OutputRequest& request,
                             ForwardOutput& out, CancelToken cancel) {
    clear(out);
    if (m_broken) return *m_broken;
    LOADER_CHECK(m_table.admit(batch, m_visibleEnds));
    // The mean needs the rows of the whole batch, so that it is taken here.
    OutputRequest wanted = request;
    if (request.kind == OutputKind::Pooled) wanted.kind = OutputKind::Hidden;
    auto outcome = compute(batch, wanted, out, cancel);
    if (!outcome.ok()) {
        clear(out);
        goBack(batch);
        return outcome;
    }
    if (request.kind == OutputKind::Pooled) poolBySequence(batch, out);
    m_table.commit(batch);
    return {};
}

Status SplitSession::compute(std::span<const BatchItem> batch, const OutputRequest& request,
                             ForwardOutput& out, CancelToken cancel) {
    std::size_t begin = 0;
    while (begin < batch.size()) {
        LOADER_CHECK(cancel.check());
        LOADER_TRY(const std::size_t count, m_table.stepLength(batch, m_visibleEnds, begin, m_batchTokens));
        if (count == batch.size()) return step(batch, request, out, cancel);
        LOADER_CHECK(step(batch.subspan(begin, count), request, m_stepOut, cancel));
        append(m_stepOut, out);
        begin += count;
    }
    return {};
}

Status SplitSession::step(std::span<const BatchItem> items, const OutputRequest& request, ForwardOutput& out,
                          CancelToken cancel) {
    if (m_parts.size() == 1) return m_parts.front().session->forward(items, request, out, cancel);
    OutputRequest hidden;
    hidden.kind = OutputKind::Hidden;
    m_items.assign(items.begin(), items.end());
    for (std::size_t i = 0; i + 1 < m_parts.size(); ++i) {
        for (BatchItem& item : m_items)
            item.wantsOutput = true;
        ForwardOutput& rows = m_rows[i % 2];
        LOADER_CHECK(m_parts[i].session->forward(m_items, hidden, rows, cancel));
        LOADER_CHECK(carry(items, i + 1, rows));
    }
    return m_parts.back().session->forward(m_items, request, out, cancel);
}

Status SplitSession::carry(std::span<const BatchItem> items, std::size_t part, const ForwardOutput& rows) {
    const std::size_t width = m_parts[part].rowWidth;
    if (rows.rowWidth != width || rows.values.size() != items.size() * width)
        return Error(Errc::X003, {"a part of a model handed on rows of another shape"});
    for (std::size_t i = 0; i < items.size(); ++i) {
        m_items[i] = items[i];
        m_items[i].token = kNoToken;
        m_items[i].row = rows.values.data() + i * width;
    }
    return {};
}

/// Shortens the sequence in every part, as often as it takes until all stand at the same place.
Result<std::uint32_t> SplitSession::cut(std::uint32_t sequence, std::uint32_t position) {
    bool agreed = false;
    while (!agreed) {
        agreed = true;
        for (SessionPart& part : m_parts) {
            LOADER_TRY(const std::uint32_t reached, part.session->truncate(sequence, position));
            if (reached > position) return Error(Errc::X003, {"a sequence grew when it was shortened"});
            agreed = agreed && reached == position;
            position = reached;
        }
    }
    m_table.setLength(sequence, position);
    return position;
}

void SplitSession::goBack(std::span<const BatchItem> batch) {
    for (std::uint32_t sequence = 0; sequence < m_table.sequences(); ++sequence) {
        const auto concerns = [sequence](const BatchItem& item) { return item.sequence == sequence; };
        if (std::none_of(batch.begin(), batch.end(), concerns)) continue;
        auto reached = cut(sequence, m_table.length(sequence));
        if (!reached.ok()) m_broken = std::move(reached).error();
    }
}

Result<std::uint32_t> SplitSession::truncate(std::uint32_t sequence, std::uint32_t position) {
    if (m_broken) return *m_broken;
    LOADER_CHECK(m_table.checkSequence(sequence));
    auto reached = cut(sequence, std::min(position, m_table.length(sequence)));
    if (!reached.ok()) m_broken = reached.error();
    return reached;
}

Status SplitSession::copy(std::uint32_t from, std::uint32_t to) {
    if (m_broken) return *m_broken;
    LOADER_CHECK(m_table.checkSequence(from));
    LOADER_CHECK(m_table.checkSequence(to));
    if (from == to) return {};
    for (SessionPart& part : m_parts) {
        auto copied = part.session->copy(from, to);
        if (copied.ok()) continue;
        auto emptied = cut(to, 0);
        if (!emptied.ok()) m_broken = std::move(emptied).error();
        return copied;
    }
    m_table.setLength(to, m_table.length(from));
    return {};
}

Status SplitSession::save(std::uint32_t sequence, std::vector<std::byte>& out) {
    if (m_broken) return *m_broken;
    LOADER_CHECK(m_table.checkSequence(sequence));
    SavedHeader header;
    header.parts = static_cast<std::uint32_t>(m_parts.size());
    header.positions = m_table.length(sequence);
    out.resize(sizeof header + m_parts.size() * sizeof(std::uint64_t));
    std::memcpy(out.data(), &header, sizeof header);
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < m_parts.size(); ++i) {
        LOADER_CHECK(m_parts[i].session->save(sequence, bytes));
        const std::uint64_t length = bytes.size();
        std::memcpy(out.data() + sizeof header + i * sizeof length, &length, sizeof length);
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
    return {};
}

Status SplitSession::restore(std::uint32_t sequence, std::span<const std::byte> saved) {
    if (m_broken) return *m_broken;
    LOADER_CHECK(m_table.checkSequence(sequence));
    // A part finds out only when its turn comes that its bytes are no good; those in front of it have
    // forgotten by then what they held.
    std::vector<std::byte> before;
    LOADER_CHECK(save(sequence, before));
    auto outcome = restoreParts(sequence, saved);
    if (outcome.ok()) return {};
    auto undone = restoreParts(sequence, before);
    if (!undone.ok()) m_broken = std::move(undone).error();
    return outcome;
}

Status SplitSession::restoreParts(std::uint32_t sequence, std::span<const std::byte> saved) {
    SavedHeader header;
    const std::size_t lengths = m_parts.size() * sizeof(std::uint64_t);
    if (saved.size() < sizeof header + lengths) return Error(Errc::F807, {"it is too short"});
    const SavedHeader expected;
    std::memcpy(&header, saved.data(), sizeof header);
    const bool fits = header.mark == expected.mark && header.version == expected.version &&
                      header.parts == m_parts.size() && header.positions <= m_table.contextTokens();
    if (!fits) return unusable();
    std::span<const std::byte> bytes = saved.subspan(sizeof header + lengths);
    for (std::size_t i = 0; i < m_parts.size(); ++i) {
        std::uint64_t length = 0;
        std::memcpy(&length, saved.data() + sizeof header + i * sizeof length, sizeof length);
        const bool last = i + 1 == m_parts.size();
        if (length > bytes.size() || (last && length != bytes.size())) return unusable();
        const auto own = static_cast<std::size_t>(length);
        LOADER_CHECK(m_parts[i].session->restore(sequence, bytes.first(own)));
        // Each part checked its own bytes; that they are equally long is for this session to see.
        LOADER_TRY(const std::uint32_t reached,
                   m_parts[i].session->truncate(sequence, m_table.contextTokens()));
        if (reached != header.positions) return unusable();
        bytes = bytes.subspan(own);
    }
    m_table.setLength(sequence, header.positions);
    return {};
}

}  // namespace loader::host
