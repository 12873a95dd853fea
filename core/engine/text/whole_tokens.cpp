// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/text/whole_tokens.h"

#include <algorithm>

namespace loader::text {

WholeTokens::WholeTokens(const Vocabulary& vocabulary)
    : m_vocabulary(vocabulary), m_sorted(vocabulary.wholeTokens()) {
    std::sort(m_sorted.begin(), m_sorted.end(), [&](TokenId a, TokenId b) {
        const int order = vocabulary.text(a).compare(vocabulary.text(b));
        return order != 0 ? order < 0 : a < b;
    });
    for (std::uint32_t i = 0; i < m_sorted.size(); ++i) {
        Range& range = m_byFirstByte[static_cast<unsigned char>(vocabulary.text(m_sorted[i])[0])];
        if (range.last == 0) range.first = i;
        range.last = i + 1;
    }
}

/// The part of a range, whose texts agree up to depth, that has this byte next.
WholeTokens::Range WholeTokens::narrowed(Range range, std::size_t depth, unsigned char byte) const {
    const auto byteOf = [&](TokenId id) {
        const std::string_view text = m_vocabulary.text(id);
        return depth < text.size() ? static_cast<int>(static_cast<unsigned char>(text[depth])) : -1;
    };
    const auto begin = m_sorted.begin() + range.first;
    const auto end = m_sorted.begin() + range.last;
    const auto first = std::partition_point(begin, end, [&](TokenId id) { return byteOf(id) < byte; });
    const auto last = std::partition_point(first, end, [&](TokenId id) { return byteOf(id) <= byte; });
    return {static_cast<std::uint32_t>(first - m_sorted.begin()),
            static_cast<std::uint32_t>(last - m_sorted.begin())};
}

std::optional<TokenId> WholeTokens::match(std::string_view text, bool allowSpecial) const {
    std::optional<TokenId> longest;
    Range range = m_byFirstByte[static_cast<unsigned char>(text[0])];
    for (std::size_t depth = 1; range.first < range.last; ++depth) {
        for (std::uint32_t i = range.first; i < range.last; ++i) {
            const TokenId id = m_sorted[i];
            if (m_vocabulary.text(id).size() != depth) break;
            if (!allowSpecial && m_vocabulary.isSpecial(id)) continue;
            longest = id;
            break;
        }
        if (depth == text.size()) break;
        range = narrowed(range, depth, static_cast<unsigned char>(text[depth]));
    }
    return longest;
}

}  // namespace loader::text
