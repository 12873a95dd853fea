// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#include "core/engine/session/generation.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace loader::session {

namespace {

Status checkIds(std::span<const TokenId> ids, std::uint32_t vocabularySize) {
    for (const TokenId id : ids) {
        if (id < 0 || static_cast<std::uint32_t>(id) >= vocabularySize)
            return Error(Errc::T211, {std::to_string(id), std::to_string(vocabularySize)});
    }
    return {};
}

Status validate(const GenerationOptions& options, std::span<const TokenId> prompt) {
    if (prompt.empty()) return Error(Errc::X001, {"The prompt has no tokens."});
    if (options.batchTokens == 0) return Error(Errc::X006, {"batch", "it is 0"});
    LOADER_CHECK(checkIds(prompt, options.vocabularySize));
    LOADER_CHECK(checkIds(options.produced, options.vocabularySize));
    LOADER_CHECK(checkIds(options.endTokens, options.vocabularySize));
    // One position is left for the answer; without it there is nothing to evaluate for.
    if (prompt.size() >= options.contextTokens)
        return Error(Errc::R902, {std::to_string(prompt.size() + 1), std::to_string(options.contextTokens)});
    return {};
}

/// Forbids the end tokens, whatever bias the user gave them.
void forbid(std::span<const TokenId> ids, std::vector<sampling::TokenBias>& bias) {
    std::erase_if(bias, [ids](const sampling::TokenBias& entry) {
        return std::binary_search(ids.begin(), ids.end(), entry.id);
    });
    for (const TokenId id : ids)
        bias.push_back({id, -std::numeric_limits<float>::infinity()});
}

}  // namespace

std::string_view stopReasonName(StopReason reason) {
    switch (reason) {
        case StopReason::End: return "end";
        case StopReason::Stop: return "stop";
        case StopReason::Length: return "length";
        case StopReason::Context: return "context";
        case StopReason::Cancelled: return "cancelled";
    }
    return {};
}

Generation::Generation(GenerationOptions options, std::vector<TokenId> prompt, TokenText& text,
                       sampling::Sampler sampler, StopMatcher matcher)
    : m_options(std::move(options)),
      m_tokens(std::move(prompt)),
      m_promptTokens(m_tokens.size()),
      m_text(&text),
      m_sampler(std::move(sampler)),
      m_matcher(std::move(matcher)) {}

Result<Generation> Generation::create(GenerationOptions options, std::vector<TokenId> prompt,
                                      TokenText& text) {
    LOADER_CHECK(validate(options, prompt));
    std::sort(options.endTokens.begin(), options.endTokens.end());
    options.endTokens.erase(std::unique(options.endTokens.begin(), options.endTokens.end()),
                            options.endTokens.end());
    // Before the bias of the end tokens is merged in: it would hide that the user listed one twice.
    LOADER_CHECK(options.sampling.validate());
    if (options.ignoreEnd) forbid(options.endTokens, options.sampling.logitBias);
    LOADER_TRY(sampling::Sampler sampler,
               sampling::Sampler::create(options.sampling, options.vocabularySize));
    LOADER_CHECK(sampler.restore(options.samplerState));
    LOADER_TRY(StopMatcher matcher, StopMatcher::create(options.stops));
    Generation generation(std::move(options), std::move(prompt), text, std::move(sampler),
                          std::move(matcher));
    LOADER_CHECK(generation.replay());
    return generation;
}

/// Brings decoder, stop matcher and limits to where they were when the answer broke off.
Status Generation::replay() {
    if (m_options.maxTokens && *m_options.maxTokens == 0) m_done = StopReason::Length;
    for (const TokenId token : m_options.produced) {
        if (m_done) return Error(Errc::X003, {"an answer that was complete cannot go on"});
        take(token);
    }
    if (m_options.cachedTokens > m_tokens.size())
        return Error(Errc::X003, {"the cache is said to hold more than there is"});
    // Logits come only from a token that is evaluated.
    m_evaluated = std::min(m_options.cachedTokens, m_tokens.size() - 1);
    return {};
}

std::optional<Evaluation> Generation::next() const {
    if (m_done) return std::nullopt;
    const std::size_t count = std::min(m_options.batchTokens, m_tokens.size() - m_evaluated);
    const auto chunk = std::span<const TokenId>(m_tokens).subspan(m_evaluated, count);
    return Evaluation{chunk, m_evaluated, m_evaluated + count == m_tokens.size()};
}

Status Generation::expectOutput(bool wanted) const {
    const std::optional<Evaluation> work = next();
    if (!work || work->wantsOutput != wanted)
        return Error(Errc::X003, {"the generation was driven out of turn"});
    return {};
}

Status Generation::evaluated() {
    LOADER_CHECK(expectOutput(false));
    m_evaluated += next()->tokens.size();
    return {};
}

Result<GenerationEvent> Generation::accept(std::span<const float> logits) {
    LOADER_CHECK(expectOutput(true));
    LOADER_TRY(const sampling::Choice choice,
               m_sampler.sample(logits, m_tokens, m_options.sequence, m_tokens.size()));
    m_evaluated = m_tokens.size();
    return take(choice.id);
}

Result<GenerationEvent> Generation::accept(const sampling::CandidateList& list) {
    LOADER_CHECK(expectOutput(true));
    LOADER_TRY(const sampling::Choice choice,
               m_sampler.sample(list, m_tokens, m_options.sequence, m_tokens.size()));
    m_evaluated = m_tokens.size();
    return take(choice.id);
}

bool Generation::isEnd(TokenId token) const {
    return std::binary_search(m_options.endTokens.begin(), m_options.endTokens.end(), token);
}

GenerationEvent Generation::take(TokenId token) {
    GenerationEvent event;
    event.token = token;
    if (isEnd(token) && !m_options.ignoreEnd) {
        finish(StopReason::End, event.text);
        event.done = m_done;
        return event;
    }
    m_tokens.push_back(token);
    event.text = m_matcher.push(m_text->push(token));
    if (m_matcher.matched()) {
        m_done = StopReason::Stop;
    } else if (m_options.maxTokens && producedTokens() >= *m_options.maxTokens) {
        finish(StopReason::Length, event.text);
    } else if (m_tokens.size() >= m_options.contextTokens) {
        finish(StopReason::Context, event.text);
    }
    event.done = m_done;
    return event;
}

void Generation::finish(StopReason reason, std::string& text) {
    text += m_matcher.push(m_text->finish());
    m_done = m_matcher.matched() ? StopReason::Stop : reason;
    text += m_matcher.finish();
}

GenerationEvent Generation::cancel() {
    GenerationEvent event;
    if (!m_done) finish(StopReason::Cancelled, event.text);
    event.done = m_done;
    return event;
}

}  // namespace loader::session
