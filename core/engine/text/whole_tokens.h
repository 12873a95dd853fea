// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finds the tokens that are recognised as a whole, before any other rule: special and user-defined ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/engine/text/vocabulary.h"

namespace loader::text {

/// @thread const functions from any thread
class WholeTokens {
public:
    explicit WholeTokens(const Vocabulary& vocabulary);

    /// The longest token that text begins with; special ones only where they are allowed.
    std::optional<TokenId> match(std::string_view text, bool allowSpecial) const;

private:
    struct Range {
        std::uint32_t first = 0;
        std::uint32_t last = 0;  // exclusive
    };
    Range narrowed(Range range, std::size_t depth, unsigned char byte) const;

    const Vocabulary& m_vocabulary;
    std::vector<TokenId> m_sorted;  // by text, then by id
    std::array<Range, 256> m_byFirstByte{};
};

}  // namespace loader::text
