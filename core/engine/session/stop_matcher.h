// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finds stop strings in text that comes in pieces. A tail that may still become a stop string is held back.
// One automaton for all strings; time is linear in the text, and the borders of the pieces make no
// difference.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::session {

/// @thread confined to one thread
class StopMatcher {
public:
    /// At most kMaxBytes bytes of stop strings together.
    static constexpr std::size_t kMaxBytes = 64U * 1024U;

    /// @errors X006 for an empty string, one that is not UTF-8, or too many bytes
    static Result<StopMatcher> create(std::span<const std::string> stops);

    /// Takes a piece and returns the text that is now certain to stand before any stop string. The stop
    /// string that ends first decides; of those, the longest. After a match nothing is returned any more.
    std::string push(std::string_view piece);
    /// The text held back, once no more pieces come; empty after a match.
    std::string finish();
    bool matched() const { return m_matched; }

private:
    /// A state of the automaton stands for a prefix of a stop string. @source Aho & Corasick 1975
    struct Node {
        std::uint32_t fail = 0;
        /// Length of the prefix. @unit bytes
        std::uint32_t depth = 0;
        /// Length of the longest stop string that ends here; 0 for none. @unit bytes
        std::uint32_t matchBytes = 0;
        /// Edges are a list of siblings: there are few, and the table stays small.
        std::uint32_t firstChild = 0;
        std::uint32_t sibling = 0;
        unsigned char label = 0;
    };

    StopMatcher() = default;
    std::uint32_t child(std::uint32_t node, unsigned char byte) const;
    std::uint32_t step(std::uint32_t node, unsigned char byte) const;
    void insert(std::string_view stop);
    void link();

    std::vector<Node> m_nodes{1};
    std::array<std::uint32_t, 256> m_rootChildren{};
    std::uint32_t m_state = 0;
    bool m_matched = false;
    std::string m_held;
};

}  // namespace loader::session
