// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/text/flat_index.h"

#include <cstring>

namespace loader::text {

std::uint64_t hashText(std::string_view text) {
    std::uint64_t hash = 0x9E3779B97F4A7C15ULL ^ text.size();
    while (text.size() >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), 8);
        hash = mixBits(hash ^ word);
        text.remove_prefix(8);
    }
    if (!text.empty()) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), text.size());
        hash ^= word;
    }
    return mixBits(hash);
}

void FlatIndex::reset(std::size_t count) {
    std::size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    m_slots.assign(slots, Slot{});
    m_mask = slots - 1;
}

void FlatIndex::insert(std::uint64_t hash, std::uint32_t position) {
    std::size_t at = hash & m_mask;
    while (m_slots[at].position != kNone)
        at = (at + 1) & m_mask;
    m_slots[at] = {static_cast<std::uint32_t>(hash >> 32), position};
}

}  // namespace loader::text
