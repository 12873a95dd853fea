// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Drives session::Generation with a loaded model: one conversation in sequence 0, whose cache is used again
// for every prompt that begins like what it holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/session/generation.h"
#include "core/engine/session/history.h"
#include "core/host/loaded_model.h"

namespace loader::host {

struct AnswerOptions {
    sampling::SamplingParameters sampling;
    std::optional<std::size_t> maxTokens;
    std::vector<std::string> stops;
    bool ignoreEnd = false;
    /// Takes away the space that encoding put in front of a text; unset it where the answer continues a text.
    bool removeSpacePrefix = false;
    /// Forgets the cache before every token and computes everything again.
    bool keepCache = true;
};

struct AnswerCallbacks {
    /// Text that may be shown, in whole characters. Returning false ends the answer as if cancelled.
    std::function<bool(const std::string&)> piece;
    std::function<void(std::size_t done, std::size_t total)> promptProgress;
};

struct Answer {
    std::string text;
    /// "end", "stop", "length", "context", "cancelled" or "error".
    std::string stopReason;
    std::size_t promptTokens = 0;
    /// Of the prompt, taken from the cache.
    std::size_t cachedTokens = 0;
    /// Generated, without the end token.
    std::size_t tokens = 0;
    /// Leaves out the first token; 0 where there were fewer than two.
    double tokensPerSecond = 0.0;
    double promptMilliseconds = 0.0;
    /// Why the stop reason is "error"; the text so far is kept.
    std::optional<Error> error;
    std::vector<TokenId> ids;
};

/// @thread confined to one thread. The model must outlive it.
class Generator {
public:
    explicit Generator(LoadedModel& model) : m_model(model) {}

    /// Answers a prompt. What fails after the answer began is in Answer::error.
    /// @errors X001 empty prompt, R902 it does not fit, X006, T211, F801 the file changed
    Result<Answer> answer(std::vector<TokenId> prompt, const AnswerOptions& options,
                          const AnswerCallbacks& callbacks, CancelToken cancel);
    /// Forgets everything.
    Status clear();
    std::span<const TokenId> cached() const { return m_history.tokens(); }

private:
    struct Run;
    Result<std::size_t> reuse(std::span<const TokenId> prompt);
    Status evaluate(Run& run, const session::Evaluation& work, CancelToken cancel);
    Status step(Run& run, CancelToken cancel);
    Status request(Run& run);
    Result<session::GenerationEvent> pick(Run& run);

    LoadedModel& m_model;
    session::TokenHistory m_history;
};

}  // namespace loader::host
