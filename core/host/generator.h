// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Drives session::Generation with a loaded model: one conversation in sequence 0, whose cache is used again
// for every prompt that begins like what it holds.
#pragma once

#include <span>
#include <vector>

#include "core/engine/session/generation.h"
#include "core/engine/session/history.h"
#include "core/host/loaded_model.h"
#include "core/protocol/answer.h"

namespace loader::host {

using protocol::Answer;
using protocol::AnswerCallbacks;
using protocol::AnswerOptions;
using protocol::AnswerPiece;

/// @thread confined to one thread. The model must outlive it.
class Generator {
public:
    explicit Generator(LoadedModel& model) : m_model(model) {}

    /// Answers a prompt. What fails after the answer began is in Answer::error.
    /// @errors X001 empty prompt, R902 it does not fit, X006, T211, F801 the file changed
    Result<Answer> answer(std::vector<TokenId> prompt, const AnswerOptions& options,
                          const AnswerCallbacks& callbacks, CancelToken cancel);
    /// The logits behind the last token. @shape [vocabulary] @errors X001 no tokens, R902, X002, F801
    Result<std::vector<float>> score(std::span<const TokenId> ids, CancelToken cancel);
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
