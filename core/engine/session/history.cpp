// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#include "core/engine/session/history.h"

#include <algorithm>

namespace loader::session {

std::size_t TokenHistory::commonPrefix(std::span<const TokenId> next) const {
    const auto ends = std::mismatch(m_tokens.begin(), m_tokens.end(), next.begin(), next.end());
    return static_cast<std::size_t>(ends.first - m_tokens.begin());
}

ReusePlan TokenHistory::plan(std::span<const TokenId> next) const {
    return planAfterTruncate(next, m_tokens.size());
}

ReusePlan TokenHistory::planAfterTruncate(std::span<const TokenId> next, std::size_t reached) const {
    if (next.empty()) return {};
    const std::size_t keep = std::min({commonPrefix(next), next.size() - 1, reached});
    return {keep, next.subspan(keep)};
}

void TokenHistory::truncate(std::size_t position) {
    if (position < m_tokens.size()) m_tokens.resize(position);
}

void TokenHistory::append(std::span<const TokenId> evaluated) {
    m_tokens.insert(m_tokens.end(), evaluated.begin(), evaluated.end());
}

}  // namespace loader::session
