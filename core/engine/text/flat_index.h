// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// An open-addressing table from a hash to a position in somebody else's vector. Keys stay where they are; the
// caller compares them, so that one table serves texts and pairs alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace loader::text {

/// Mixes all bits of a number (the finaliser of splitmix64).
inline std::uint64_t mixBits(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31);
}

/// Hash of a text; eight bytes at a time.
std::uint64_t hashText(std::string_view text);

/// @thread const functions from any thread
class FlatIndex {
public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFFU;

    /// Empties the table and makes room for count entries.
    void reset(std::size_t count);
    /// Stores a position under a hash. No more than the announced number may be stored.
    void insert(std::uint64_t hash, std::uint32_t position);
    /// The first stored position under this hash for which same(position) holds, or kNone.
    template <class Same>
    std::uint32_t find(std::uint64_t hash, Same same) const {
        if (m_slots.empty()) return kNone;
        const auto tag = static_cast<std::uint32_t>(hash >> 32);
        for (std::size_t at = hash & m_mask; m_slots[at].position != kNone; at = (at + 1) & m_mask) {
            if (m_slots[at].tag == tag && same(m_slots[at].position)) return m_slots[at].position;
        }
        return kNone;
    }

private:
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t position = kNone;
    };
    std::vector<Slot> m_slots;
    std::size_t m_mask = 0;
};

}  // namespace loader::text
