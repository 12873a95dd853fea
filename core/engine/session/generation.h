// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One answer as a state machine without input or output: it says what to evaluate, takes logits, and returns
// text. Nothing here calls a back end. A draw depends on the absolute position, so an answer that broke off
// can go on elsewhere from its tokens (GenerationOptions::produced).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/base/token.h"
#include "core/engine/sampling/sampler.h"
#include "core/engine/session/stop_matcher.h"

namespace loader::session {

/// Turns ids into text as they come; implemented by the text part. Only whole UTF-8 characters may come out.
class TokenText {
public:
    virtual ~TokenText() = default;
    virtual std::string push(TokenId token) = 0;
    /// What an unfinished character at the end becomes.
    virtual std::string finish() = 0;
};

enum class StopReason : std::uint8_t { End, Stop, Length, Context, Cancelled };
/// "end", "stop", "length", "context" or "cancelled".
std::string_view stopReasonName(StopReason reason);

struct GenerationOptions {
    sampling::SamplingParameters sampling;
    std::uint32_t vocabularySize = 0;
    /// Tokens the answer may have; none: as many as the context holds.
    std::optional<std::size_t> maxTokens;
    std::size_t contextTokens = 0;
    std::size_t batchTokens = 512;
    std::vector<std::string> stops;
    std::vector<TokenId> endTokens;
    /// Forbids the end tokens by a bias of -infinity.
    bool ignoreEnd = false;
    std::uint32_t sequence = 0;
    /// Positions of prompt + produced that the cache holds already (TokenHistory::plan).
    std::size_t cachedTokens = 0;
    /// Tokens of this answer that were picked before, on another link of the chain: their text was shown,
    /// they count.
    std::vector<TokenId> produced;
    sampling::SamplerState samplerState;
};

struct Evaluation {
    std::span<const TokenId> tokens;
    /// Position of the first of them.
    std::size_t position = 0;
    /// Logits (or candidates) of the last token are wanted.
    bool wantsOutput = false;
};

struct GenerationEvent {
    /// Text that may be shown; whole UTF-8 characters.
    std::string text;
    /// The token picked; none where the answer ended without one (cancelled).
    std::optional<TokenId> token;
    std::optional<StopReason> done;
};

/// Loop: while (auto work = next()) { evaluate; work->wantsOutput ? accept(logits) : evaluated(); }
/// @thread confined to one thread
class Generation {
public:
    /// text must outlive the generation and be fresh. @errors R902 where the prompt does not fit; X006; T211
    static Result<Generation> create(GenerationOptions options, std::vector<TokenId> prompt, TokenText& text);

    /// What to evaluate next; nothing once done. Valid until the next call that is not const.
    std::optional<Evaluation> next() const;
    /// The chunk of next() was evaluated and had no output. @errors X003 out of turn
    Status evaluated();
    /// The chunk of next() was evaluated; picks a token. @errors X003 out of turn; those of Sampler::sample
    Result<GenerationEvent> accept(std::span<const float> logits);
    Result<GenerationEvent> accept(const sampling::CandidateList& list);
    /// Ends the answer; the event carries text that was held back.
    GenerationEvent cancel();

    std::optional<StopReason> done() const { return m_done; }
    /// Prompt and answer, without the end token.
    std::span<const TokenId> tokens() const { return m_tokens; }
    std::size_t promptTokens() const { return m_promptTokens; }
    std::size_t producedTokens() const { return m_tokens.size() - m_promptTokens; }
    /// How many of tokens() the cache holds.
    std::size_t evaluatedTokens() const { return m_evaluated; }
    /// For needsAllLogits(), candidatesWanted(), sparseBias(tokens()) and save().
    sampling::Sampler& sampler() { return m_sampler; }

private:
    Generation(GenerationOptions options, std::vector<TokenId> prompt, TokenText& text,
               sampling::Sampler sampler, StopMatcher matcher);
    Status replay();
    GenerationEvent take(TokenId token);
    bool isEnd(TokenId token) const;
    void finish(StopReason reason, std::string& text);
    Status expectOutput(bool wanted) const;

    GenerationOptions m_options;
    std::vector<TokenId> m_tokens;
    std::size_t m_promptTokens = 0;
    std::size_t m_evaluated = 0;
    TokenText* m_text;
    sampling::Sampler m_sampler;
    StopMatcher m_matcher;
    std::optional<StopReason> m_done;
};

}  // namespace loader::session
