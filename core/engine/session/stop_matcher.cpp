// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#include "core/engine/session/stop_matcher.h"

#include <utility>

#include "core/engine/base/utf8.h"

namespace loader::session {

Result<StopMatcher> StopMatcher::create(std::span<const std::string> stops) {
    std::size_t bytes = 0;
    for (const std::string& stop : stops) {
        if (stop.empty()) return Error(Errc::X006, {"stop", "a stop string is empty"});
        if (!utf8::isValid(stop)) return Error(Errc::X006, {"stop", "a stop string is not valid UTF-8"});
        if (stop.size() > kMaxBytes - bytes)
            return Error(Errc::X006, {"stop", "the stop strings are too long"});
        bytes += stop.size();
    }
    StopMatcher matcher;
    for (const std::string& stop : stops)
        matcher.insert(stop);
    matcher.link();
    return matcher;
}

std::uint32_t StopMatcher::child(std::uint32_t node, unsigned char byte) const {
    if (node == 0) return m_rootChildren[byte];
    std::uint32_t at = m_nodes[node].firstChild;
    while (at != 0 && m_nodes[at].label != byte)
        at = m_nodes[at].sibling;
    return at;
}

void StopMatcher::insert(std::string_view stop) {
    std::uint32_t node = 0;
    for (const char character : stop) {
        const auto byte = static_cast<unsigned char>(character);
        std::uint32_t next = child(node, byte);
        if (next == 0) {
            next = static_cast<std::uint32_t>(m_nodes.size());
            Node fresh;
            fresh.depth = m_nodes[node].depth + 1;
            fresh.label = byte;
            fresh.sibling = m_nodes[node].firstChild;
            m_nodes.push_back(fresh);
            m_nodes[node].firstChild = next;
            if (node == 0) m_rootChildren[byte] = next;
        }
        node = next;
    }
    m_nodes[node].matchBytes = m_nodes[node].depth;
}

/// Breadth first, so that every failure link is known before it is followed.
void StopMatcher::link() {
    std::vector<std::uint32_t> queue{0};
    queue.reserve(m_nodes.size());
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const std::uint32_t parent = queue[i];
        for (std::uint32_t at = m_nodes[parent].firstChild; at != 0; at = m_nodes[at].sibling) {
            Node& node = m_nodes[at];
            node.fail = parent == 0 ? 0 : step(m_nodes[parent].fail, node.label);
            // The string that is all of this prefix is longer than any that ends in it.
            if (node.matchBytes == 0) node.matchBytes = m_nodes[node.fail].matchBytes;
            queue.push_back(at);
        }
    }
}

std::uint32_t StopMatcher::step(std::uint32_t node, unsigned char byte) const {
    std::uint32_t next = child(node, byte);
    while (next == 0 && node != 0) {
        node = m_nodes[node].fail;
        next = child(node, byte);
    }
    return next;
}

std::string StopMatcher::push(std::string_view piece) {
    if (m_matched) return {};
    std::size_t taken = 0;
    while (taken < piece.size() && !m_matched) {
        m_state = step(m_state, static_cast<unsigned char>(piece[taken]));
        ++taken;
        m_matched = m_nodes[m_state].matchBytes != 0;
    }
    m_held.append(piece.substr(0, taken));
    const Node& node = m_nodes[m_state];
    std::string certain = m_held.substr(0, m_held.size() - (m_matched ? node.matchBytes : node.depth));
    m_held.erase(0, certain.size());
    if (m_matched) m_held.clear();
    return certain;
}

std::string StopMatcher::finish() {
    m_state = 0;
    return std::exchange(m_held, {});
}

}  // namespace loader::session
