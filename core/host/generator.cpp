// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/generator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/engine/text/detokenizer.h"

namespace loader::host {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The detokenizer as a generation wants it; a model without word list has no text.
class StreamText final : public session::TokenText {
public:
    StreamText(std::shared_ptr<const text::Vocabulary> vocabulary, bool removeSpacePrefix) {
        if (vocabulary)
            m_stream.emplace(std::move(vocabulary), text::DecodeOptions{false, removeSpacePrefix});
    }
    std::string push(TokenId token) override { return m_stream ? m_stream->push(token) : std::string(); }
    std::string finish() override { return m_stream ? m_stream->finish() : std::string(); }

private:
    std::optional<text::Detokenizer> m_stream;
};

}  // namespace

/// One answer on its way.
struct Generator::Run {
    session::Generation& generation;
    const AnswerOptions& options;
    const AnswerCallbacks& callbacks;
    Answer& answer;
    backend::ForwardOutput out;
    backend::OutputRequest request;
    std::vector<backend::BatchItem> batch;
    std::vector<backend::TokenBias> bias;
    std::vector<sampling::Candidate> candidates;
    Clock::time_point start = Clock::now();
    Clock::time_point firstToken{};
    Clock::time_point lastToken{};
    Clock::time_point lastCheck = Clock::now();
    std::size_t picked = 0;
    /// Prompt and what was produced before: all that is read before the first token.
    std::size_t toRead = 0;
    bool unwanted = false;
};

Status Generator::clear() {
    m_history.truncate(0);
    LOADER_TRY(const std::uint32_t reached, m_model.session().truncate(0, 0));
    static_cast<void>(reached);
    return {};
}

Result<std::size_t> Generator::reuse(std::span<const TokenId> prompt) {
    session::ReusePlan plan = m_history.plan(prompt);
    if (plan.keep < m_history.size()) {
        LOADER_TRY(const std::uint32_t reached,
                   m_model.session().truncate(0, static_cast<std::uint32_t>(plan.keep)));
        plan = m_history.planAfterTruncate(prompt, reached);
        m_history.truncate(reached);
    }
    return plan.keep;
}

Result<Answer> Generator::answer(std::vector<TokenId> prompt, const AnswerOptions& options,
                                 const AnswerCallbacks& callbacks, CancelToken cancel) {
    LOADER_CHECK(m_model.checkUnchanged());
    Answer answer;
    answer.promptTokens = prompt.size();
    if (!options.keepCache) LOADER_CHECK(clear());
    LOADER_TRY(answer.cachedTokens, reuse(prompt));

    session::GenerationOptions generationOptions;
    generationOptions.sampling = options.sampling;
    generationOptions.vocabularySize = m_model.program().vocabulary;
    if (options.maxTokens) generationOptions.maxTokens = static_cast<std::size_t>(*options.maxTokens);
    generationOptions.contextTokens = m_model.contextTokens();
    generationOptions.batchTokens = m_model.batchTokens();
    generationOptions.stops = options.stops;
    generationOptions.ignoreEnd = options.ignoreEnd;
    generationOptions.produced = options.produced;
    generationOptions.cachedTokens = answer.cachedTokens;
    std::shared_ptr<const text::Vocabulary> vocabulary;
    if (m_model.hasText()) {
        LOADER_TRY(const ModelText* words, m_model.text());
        vocabulary = words->vocabulary;
        const auto& ends = vocabulary->endOfGeneration();
        generationOptions.endTokens.assign(ends.begin(), ends.end());
    }
    StreamText stream(std::move(vocabulary), options.removeSpacePrefix);
    LOADER_TRY(auto generation,
               session::Generation::create(std::move(generationOptions), std::move(prompt), stream));

    Run run{generation, options, callbacks, answer, {}, {}, {}, {}, {}};
    run.toRead = generation.tokens().size();
    while (!generation.done()) {
        auto stepped = step(run, cancel);
        if (stepped.ok() && !run.unwanted) continue;
        const bool asked = stepped.ok() || stepped.error().kind() == ErrorKind::Cancelled;
        if (!asked) {
            // Another link may go on behind the tokens: half a character and the beginning of what may
            // become a stop text are its to show.
            answer.error = std::move(stepped).error();
            break;
        }
        const session::GenerationEvent event = generation.cancel();
        answer.text += event.text;
        if (callbacks.piece && !event.text.empty()) callbacks.piece({std::nullopt, event.text});
        break;
    }
    answer.stopReason =
        answer.error ? "error" : std::string(session::stopReasonName(generation.done().value()));
    answer.tokens = generation.producedTokens();
    const auto all = generation.tokens();
    answer.ids.assign(all.begin() + static_cast<std::ptrdiff_t>(answer.promptTokens), all.end());
    if (run.picked > 1) {
        const double seconds = std::chrono::duration<double>(run.lastToken - run.firstToken).count();
        if (seconds > 0.0) answer.tokensPerSecond = static_cast<double>(run.picked - 1) / seconds;
    }
    return answer;
}

Result<std::vector<float>> Generator::score(std::span<const TokenId> ids, CancelToken cancel) {
    if (ids.empty()) return Error(Errc::X001, {"The prompt has no tokens."});
    if (ids.size() > m_model.contextTokens())
        return Error(Errc::R902, {std::to_string(ids.size()), std::to_string(m_model.contextTokens())});
    LOADER_CHECK(m_model.checkUnchanged());
    LOADER_CHECK(clear());
    backend::ForwardOutput out;
    std::vector<backend::BatchItem> batch;
    for (std::size_t begin = 0; begin < ids.size(); begin += batch.size()) {
        batch.assign(std::min<std::size_t>(m_model.batchTokens(), ids.size() - begin), {});
        for (std::size_t i = 0; i < batch.size(); ++i) {
            batch[i].token = ids[begin + i];
            batch[i].position[0] = static_cast<std::uint32_t>(begin + i);
            batch[i].wantsOutput = begin + i + 1 == ids.size();
        }
        LOADER_CHECK(m_model.session().forward(batch, {}, out, cancel));
        m_history.append(ids.subspan(begin, batch.size()));
        LOADER_CHECK(m_model.checkDamage());
    }
    return std::move(out.values);
}

Status Generator::request(Run& run) {
    sampling::Sampler& sampler = run.generation.sampler();
    run.request = {};
    if (sampler.needsAllLogits()) return {};
    run.request.kind = backend::OutputKind::TopTokens;
    run.request.top = sampler.candidatesWanted();
    LOADER_TRY(const auto bias, sampler.sparseBias(run.generation.tokens()));
    run.bias.clear();
    for (const sampling::TokenBias& entry : bias)
        run.bias.push_back({entry.id, entry.bias});
    run.request.bias = run.bias;
    return {};
}

Status Generator::evaluate(Run& run, const session::Evaluation& work, CancelToken cancel) {
    run.batch.clear();
    for (std::size_t i = 0; i < work.tokens.size(); ++i) {
        backend::BatchItem item;
        item.token = work.tokens[i];
        item.position[0] = static_cast<std::uint32_t>(work.position + i);
        item.wantsOutput = work.wantsOutput && i + 1 == work.tokens.size();
        run.batch.push_back(item);
    }
    if (work.wantsOutput) LOADER_CHECK(request(run));
    LOADER_CHECK(m_model.session().forward(run.batch, run.request, run.out, cancel));
    m_history.append(work.tokens);
    LOADER_CHECK(m_model.checkDamage());
    // A file that was overwritten in place raises no signal: its facts are looked at now and then.
    if (secondsSince(run.lastCheck) < 0.25) return {};
    run.lastCheck = Clock::now();
    return m_model.checkUnchanged();
}

Result<session::GenerationEvent> Generator::pick(Run& run) {
    if (run.request.kind == backend::OutputKind::Logits) return run.generation.accept(run.out.values);
    run.candidates.clear();
    for (const backend::TopToken& top : run.out.top) {
        if (top.token != kNoToken) run.candidates.push_back({top.token, top.logit});
    }
    sampling::CandidateList list;
    list.candidates = run.candidates;
    if (!run.out.logSumExp.empty()) list.logSumExp = run.out.logSumExp.front();
    return run.generation.accept(list);
}

Status Generator::step(Run& run, CancelToken cancel) {
    LOADER_CHECK(cancel.check());
    auto work = run.generation.next();
    if (!work) return Error(Errc::X003, {"an answer neither ended nor went on"});
    run.out.values.clear();
    run.out.top.clear();
    run.out.logSumExp.clear();
    if (!run.options.keepCache && run.picked > 0 && work->wantsOutput) {
        // Measures what the cache saves: the same token from everything before it, computed anew.
        LOADER_CHECK(clear());
        const session::Evaluation whole{run.generation.tokens(), 0, true};
        LOADER_CHECK(evaluate(run, whole, cancel));
    } else {
        LOADER_CHECK(evaluate(run, *work, cancel));
    }
    const bool inPrompt = run.picked == 0;
    if (inPrompt && run.callbacks.promptProgress)
        run.callbacks.promptProgress(work->position + work->tokens.size(), run.toRead);
    if (!work->wantsOutput) return run.generation.evaluated();

    if (inPrompt) run.answer.promptMilliseconds = secondsSince(run.start) * 1000.0;
    LOADER_TRY(const session::GenerationEvent event, pick(run));
    run.lastToken = Clock::now();
    if (inPrompt) run.firstToken = run.lastToken;
    ++run.picked;
    run.answer.text += event.text;
    if (!run.callbacks.piece) return {};
    // The end token is no part of the answer.
    AnswerPiece piece{event.token, event.text};
    if (event.done == session::StopReason::End) piece.token.reset();
    if (piece.token || !piece.text.empty()) run.unwanted = !run.callbacks.piece(piece);
    return {};
}

}  // namespace loader::host
