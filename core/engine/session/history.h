// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the cache of one sequence holds, and how much of it a new prompt can use again.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "core/engine/base/token.h"

namespace loader::session {

/// Positions below `keep` stay in the cache; the rest is truncated, and evaluation starts there.
struct ReusePlan {
    std::size_t keep = 0;
    /// Tokens of the new list from `keep` on. Never empty where the new list is not: logits come only from a
    /// token that is evaluated, so the last one always is.
    std::span<const TokenId> evaluate;
};

/// Mirrors the cache: position i holds tokens()[i]. @thread confined to one thread
class TokenHistory {
public:
    TokenHistory() = default;
    explicit TokenHistory(std::vector<TokenId> tokens) : m_tokens(std::move(tokens)) {}

    std::span<const TokenId> tokens() const { return m_tokens; }
    std::size_t size() const { return m_tokens.size(); }

    std::size_t commonPrefix(std::span<const TokenId> next) const;
    ReusePlan plan(std::span<const TokenId> next) const;
    /// The plan once the back end said which position it could go back to: recurrent state falls back to a
    /// checkpoint, which may be earlier than asked for.
    ReusePlan planAfterTruncate(std::span<const TokenId> next, std::size_t reached) const;

    /// Records that the cache now ends at `position`; later positions are forgotten.
    void truncate(std::size_t position);
    /// Records tokens that were evaluated at the end.
    void append(std::span<const TokenId> evaluated);

private:
    std::vector<TokenId> m_tokens;
};

}  // namespace loader::session
