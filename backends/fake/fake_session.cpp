// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/fake/fake_session.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>

#include "backends/api/sequence_table.h"
#include "backends/api/top_tokens.h"

namespace loader::fake {
namespace {

using namespace backend;

/// Certain at any usual temperature, however long the word list.
constexpr float kCertain = 40.0f;
/// In front of the tokens of a saved sequence.
constexpr std::uint32_t kSavedMark = 0x454B4146;  // "FAKE"

class FakeSession final : public Session {
public:
    FakeSession(const FakeParts& parts, const SessionOptions& options)
        : m_parts(parts),
          m_table(options.sequences, options.contextTokens),
          m_checkpoints(parts.script.checkpoint, options.sequences),
          m_tokens(options.sequences) {}

    Status forward(std::span<const BatchItem> batch, const OutputRequest& request, ForwardOutput& out,
                   CancelToken cancel) override {
        out = {};
        LOADER_CHECK(m_table.admit(batch, m_visibleEnds));
        LOADER_TRY(const std::vector<TokenId> ids, idsOf(batch));
        LOADER_CHECK(misbehave(m_parts, batch.size(), cancel));
        // Only now, when nothing can fail any more, do the sequences grow.
        for (const BatchItem& item : batch)
            m_checkpoints.forwardBegins(item.sequence, m_table.length(item.sequence));
        for (std::size_t i = 0; i < batch.size(); ++i) {
            std::vector<TokenId>& tokens = m_tokens[batch[i].sequence];
            tokens.resize(batch[i].position[0]);
            tokens.push_back(ids[i]);
            if (batch[i].wantsOutput) appendOutput(tokens, request, out);
        }
        if (request.kind == OutputKind::Pooled) poolBySequence(batch, out);
        m_table.commit(batch);
        return {};
    }

    Result<std::uint32_t> truncate(std::uint32_t sequence, std::uint32_t position) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        position = m_checkpoints.reachable(sequence, m_table.length(sequence), position);
        LOADER_TRY(const std::uint32_t length, m_table.truncate(sequence, position));
        m_tokens[sequence].resize(length);
        return length;
    }

    Status copy(std::uint32_t from, std::uint32_t to) override {
        LOADER_CHECK(m_table.checkSequence(from));
        LOADER_CHECK(m_table.checkSequence(to));
        m_tokens[to] = std::vector<TokenId>(m_tokens[from]);
        m_table.setLength(to, m_table.length(from));
        return {};
    }

    Status save(std::uint32_t sequence, std::vector<std::byte>& out) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        const std::vector<TokenId>& tokens = m_tokens[sequence];
        out.resize(sizeof kSavedMark + tokens.size() * sizeof(TokenId));
        std::memcpy(out.data(), &kSavedMark, sizeof kSavedMark);
        if (!tokens.empty())
            std::memcpy(out.data() + sizeof kSavedMark, tokens.data(), tokens.size() * sizeof(TokenId));
        return {};
    }

    Status restore(std::uint32_t sequence, std::span<const std::byte> saved) override {
        LOADER_CHECK(m_table.checkSequence(sequence));
        std::uint32_t mark = 0;
        if (saved.size() < sizeof mark) return Error(Errc::F807, {"it is too short"});
        std::memcpy(&mark, saved.data(), sizeof mark);
        saved = saved.subspan(sizeof mark);
        const std::size_t count = saved.size() / sizeof(TokenId);
        if (mark != kSavedMark || saved.size() % sizeof(TokenId) != 0 || count > m_table.contextTokens())
            return Error(Errc::F807, {"it belongs to another model or context"});
        std::vector<TokenId> tokens(count);
        if (count != 0) std::memcpy(tokens.data(), saved.data(), saved.size());
        for (const TokenId id : tokens) {
            if (!known(id)) return Error(Errc::F807, {"it has a token outside the word list"});
        }
        m_tokens[sequence] = std::move(tokens);
        m_table.setLength(sequence, static_cast<std::uint32_t>(count));
        return {};
    }

private:
    bool known(TokenId id) const {
        return id >= 0 && static_cast<std::uint32_t>(id) < m_parts.program.vocabulary;
    }

    /// The token of every item; a row that crossed a border carries it in its first number.
    Result<std::vector<TokenId>> idsOf(std::span<const BatchItem> batch) const {
        const graph::Program& program = m_parts.program;
        const graph::Segment& first = program.segments[m_parts.segments.front()];
        const bool embeds = first.kind == graph::SegmentKind::Embedding;
        std::vector<TokenId> ids;
        for (const BatchItem& item : batch) {
            const std::uint32_t position = item.position[0];
            if (program.positionLimit != 0 && position >= program.positionLimit)
                return Error(Errc::R902,
                             {std::to_string(position + 1), std::to_string(program.positionLimit)});
            if (item.token == kNoToken && item.row) {
                const float value = *item.row;
                const bool isId = value >= 0.0f && value < static_cast<float>(program.vocabulary);
                ids.push_back(isId ? static_cast<TokenId>(value) : 0);
                continue;
            }
            if (item.token == kNoToken || !embeds)
                return Error(Errc::B708, {std::to_string(position), "the item has no row"});
            if (!known(item.token))
                return Error(Errc::T211, {std::to_string(item.token), std::to_string(program.vocabulary)});
            ids.push_back(item.token);
        }
        return ids;
    }

    void appendOutput(const std::vector<TokenId>& tokens, const OutputRequest& request, ForwardOutput& out) {
        const graph::Program& program = m_parts.program;
        const std::uint32_t last = m_parts.segments.back();
        if (request.kind == OutputKind::Hidden || request.kind == OutputKind::Pooled) {
            const bool isEnd = last + 1 >= program.segments.size();
            out.rowWidth = isEnd ? program.width : program.carriedWidth(last + 1);
            out.values.resize(out.values.size() + out.rowWidth, 0.0f);
            const std::size_t turned = m_parts.script.wrong && out.rowWidth > 1 ? 1 : 0;
            out.values[out.values.size() - out.rowWidth + turned] = static_cast<float>(tokens.back());
            return;
        }
        if (program.segments[last].kind != graph::SegmentKind::Head) return;
        const float other = m_parts.script.nan ? std::numeric_limits<float>::quiet_NaN() : 0.0f;
        m_logits.assign(program.vocabulary, other);
        const TokenId next = predict(m_parts.script, tokens);
        if (known(next) && !m_parts.script.nan) m_logits[static_cast<std::size_t>(next)] = kCertain;
        appendLogits(m_logits, request, out);
    }

    const FakeParts& m_parts;
    SequenceTable m_table;
    Checkpoints m_checkpoints;
    /// [sequence]
    std::vector<std::vector<TokenId>> m_tokens;
    std::vector<std::uint32_t> m_visibleEnds;
    std::vector<float> m_logits;
};

}  // namespace

Status waitFor(double milliseconds, CancelToken cancel) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    };
    while (elapsed() < milliseconds) {
        LOADER_CHECK(cancel.check());
        const double rest = std::min(milliseconds - elapsed(), 2.0);
        std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(rest));
    }
    return {};
}

Status misbehave(const FakeParts& parts, std::size_t items, CancelToken cancel) {
    const FakeScript& script = parts.script;
    const CallNumber call = ++parts.calls;
    LOADER_CHECK(cancel.check());
    if (call == script.crashCall) std::abort();
    while (call == script.stuckCall)
        std::this_thread::sleep_for(std::chrono::hours(1));
    if (call == script.hangCall) LOADER_CHECK(waitFor(std::numeric_limits<double>::infinity(), cancel));
    const Error failure(script.failError, {"fake", "as its script says"});
    const bool stays = failure.kind() == ErrorKind::DeviceLost;
    const bool fails = script.failCall != 0 && (stays ? call >= script.failCall : call == script.failCall);
    if (fails) return failure;
    return waitFor(script.tokenMilliseconds * static_cast<double>(items), cancel);
}

Result<std::unique_ptr<Session>> makeFakeSession(const FakeParts& parts, const SessionOptions& options,
                                                 std::unique_ptr<Session> computing) {
    if (parts.script.sessionError) return Error(*parts.script.sessionError, {"fake", "as its script says"});
    if (computing) return makeComputingSession(parts, options, std::move(computing));
    return std::unique_ptr<Session>(std::make_unique<FakeSession>(parts, options));
}

}  // namespace loader::fake
