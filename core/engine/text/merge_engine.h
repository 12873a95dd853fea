// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Byte-pair merging of one piece: always the pair of lowest rank, the leftmost of equal ones. Short pieces
// are searched again for each merge; long ones go through a queue with one bucket for each rank, whose
// entries mostly arrive in order, so that a run of one character takes time in proportion to its length.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "core/engine/text/tokenizer.h"
#include "core/engine/text/vocabulary.h"

namespace loader::text {

inline constexpr std::uint32_t kNoRank = 0xFFFFFFFFU;

/// Positions waiting to be merged, by rank and then from left to right.
class MergeQueue {
public:
    void push(std::uint32_t rank, std::uint32_t position) {
        // OPTIMIZATION: runs ask for the same bucket again and again.
        if (rank != m_lastRank) {
            const auto next = static_cast<std::uint32_t>(m_buckets.size());
            const auto [slot, isNew] = m_bucketOfRank.try_emplace(rank, next);
            if (isNew) m_buckets.emplace_back();
            m_lastRank = rank;
            m_lastBucket = slot->second;
        }
        Bucket& bucket = m_buckets[m_lastBucket];
        if (bucket.empty()) m_ranks.push({rank, m_lastBucket});
        bucket.push(position);
    }
    bool empty() const { return m_ranks.empty(); }
    /// Takes the next position; its rank is stored in rank. The queue must not be empty.
    std::uint32_t pop(std::uint32_t& rank) {
        const ActiveRank first = m_ranks.top();
        Bucket& bucket = m_buckets[first.bucket];
        const std::uint32_t position = bucket.pop();
        if (bucket.empty()) m_ranks.pop();
        rank = first.rank;
        return position;
    }

private:
    /// A list in ascending order, and a heap for the few that arrive out of order.
    struct Bucket {
        std::vector<std::uint32_t> sorted;
        std::size_t next = 0;
        std::vector<std::uint32_t> late;

        bool empty() const { return next == sorted.size() && late.empty(); }
        void push(std::uint32_t position) {
            if (next == sorted.size()) {
                sorted.clear();
                next = 0;
            }
            if (sorted.empty() || sorted.back() <= position) {
                sorted.push_back(position);
                return;
            }
            late.push_back(position);
            std::push_heap(late.begin(), late.end(), std::greater<>());
        }
        std::uint32_t pop() {
            const bool takeSorted = next < sorted.size() && (late.empty() || sorted[next] <= late.front());
            if (takeSorted) return sorted[next++];
            std::pop_heap(late.begin(), late.end(), std::greater<>());
            const std::uint32_t position = late.back();
            late.pop_back();
            return position;
        }
    };
    struct ActiveRank {
        std::uint32_t rank;
        std::uint32_t bucket;
        bool operator>(const ActiveRank& other) const { return rank > other.rank; }
    };
    std::uint32_t m_lastRank = kNoRank;
    std::uint32_t m_lastBucket = 0;
    std::unordered_map<std::uint32_t, std::uint32_t> m_bucketOfRank;
    std::vector<Bucket> m_buckets;
    std::priority_queue<ActiveRank, std::vector<ActiveRank>, std::greater<>> m_ranks;
};

/// Merges the symbols of a piece in place. Lookup(left, right) gives the Merge of two symbols, with kNoRank
/// where there is none.
template <class Lookup>
class MergeEngine {
public:
    MergeEngine(Lookup lookup, EncodeCounters& counters)
        : m_lookup(std::move(lookup)), m_counters(counters) {}

    void run(std::vector<std::uint32_t>& symbols) {
        if (symbols.size() < 2) return;
        if (symbols.size() <= kShortPiece) {
            runShort(symbols);
        } else {
            runLong(symbols);
        }
    }

private:
    static constexpr std::size_t kShortPiece = 32;
    static constexpr std::uint32_t kEnd = 0xFFFFFFFFU;
    static constexpr std::uint32_t kGone = 0xFFFFFFFFU;

    Merge look(std::uint32_t left, std::uint32_t right) {
        ++m_counters.pairLookups;
        return m_lookup(left, right);
    }

    void runShort(std::vector<std::uint32_t>& symbols) {
        m_pairs.clear();
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
            m_pairs.push_back(look(symbols[i], symbols[i + 1]));
        while (!m_pairs.empty()) {
            const auto best =
                std::min_element(m_pairs.begin(), m_pairs.end(),
                                 [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
            if (best->rank == kNoRank) return;
            const auto at = static_cast<std::size_t>(best - m_pairs.begin());
            symbols[at] = best->result;
            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
            m_pairs.erase(best);
            if (at > 0) m_pairs[at - 1] = look(symbols[at - 1], symbols[at]);
            if (at < m_pairs.size()) m_pairs[at] = look(symbols[at], symbols[at + 1]);
        }
    }

    struct Link {
        std::uint32_t previous;
        std::uint32_t next;
    };

    void offer(const std::vector<std::uint32_t>& symbols, MergeQueue& queue, std::uint32_t left,
               std::uint32_t right) {
        const Merge merge = look(symbols[left], symbols[right]);
        if (merge.rank == kNoRank) return;
        ++m_counters.queueOperations;
        queue.push(merge.rank, left);
    }

    /// An entry may be outdated. It still holds where the pair that now begins at its place has its rank,
    /// because then that pair was queued with the same rank and place.
    void runLong(std::vector<std::uint32_t>& symbols) {
        const auto count = static_cast<std::uint32_t>(symbols.size());
        std::vector<Link> links(count);
        MergeQueue queue;
        for (std::uint32_t i = 0; i < count; ++i)
            links[i] = {i == 0 ? kEnd : i - 1, i + 1 == count ? kEnd : i + 1};
        for (std::uint32_t i = 0; i + 1 < count; ++i)
            offer(symbols, queue, i, i + 1);
        while (!queue.empty()) {
            std::uint32_t rank = kNoRank;
            const std::uint32_t left = queue.pop(rank);
            ++m_counters.queueOperations;
            const std::uint32_t right = symbols[left] == kGone ? kEnd : links[left].next;
            if (right == kEnd) continue;
            const Merge merge = look(symbols[left], symbols[right]);
            if (merge.rank != rank) continue;
            symbols[left] = merge.result;
            symbols[right] = kGone;
            const std::uint32_t next = links[right].next;
            links[left].next = next;
            if (next != kEnd) links[next].previous = left;
            if (links[left].previous != kEnd) offer(symbols, queue, links[left].previous, left);
            if (next != kEnd) offer(symbols, queue, left, next);
        }
        symbols.erase(std::remove(symbols.begin(), symbols.end(), kGone), symbols.end());
    }

    Lookup m_lookup;
    EncodeCounters& m_counters;
    std::vector<Merge> m_pairs;
};

}  // namespace loader::text
