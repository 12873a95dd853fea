// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Hands the units of a phase to the members of a team. Each begins with a stretch of its own, which keeps a
// stream of weights unbroken, and then takes what is left piece by piece, so that a member whose core was
// taken away for a while does not hold up the others.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/engine/base/thread_pool.h"

namespace loader::cpu {

/// @thread run() is called by every member of one team, for the same phases in the same order, with a barrier
/// between two phases
class WorkQueue {
public:
    /// Before a team starts.
    void reset() {
        for (Counter& counter : m_counters)
            counter.taken.store(0, std::memory_order_relaxed);
    }

    /// Calls work(begin, end) for ranges that together are [0, units), each on one member.
    template <class Work>
    void run(const TeamMember& member, std::uint32_t phase, std::size_t units, Work&& work) {
        const std::size_t members = member.count();
        const std::size_t own = members == 1 ? units : units * 3 / 4 / members;
        if (own != 0) work(own * member.index(), own * (member.index() + 1));
        const std::size_t shared = own * members;
        takePieces(member, phase, shared, units, std::max<std::size_t>(1, (units - shared) / (members * 8)),
                   work);
    }

    /// Calls work(unit) for every unit, each on whichever member is free: for units of unequal length.
    template <class Work>
    void runEach(const TeamMember& member, std::uint32_t phase, std::size_t units, Work&& work) {
        takePieces(member, phase, 0, units, 1, [&](std::size_t unit, std::size_t) { work(unit); });
    }

private:
    template <class Work>
    void takePieces(const TeamMember& member, std::uint32_t phase, std::size_t begin, std::size_t end,
                    std::size_t piece, Work&& work) {
        // The counter of the next phase was last used two phases ago, which every member has left.
        if (member.index() == 0) counterOf(phase + 1).store(0, std::memory_order_relaxed);
        std::atomic<std::size_t>& taken = counterOf(phase);
        while (true) {
            const std::size_t first = begin + taken.fetch_add(piece, std::memory_order_relaxed);
            if (first >= end) return;
            work(first, std::min(end, first + piece));
        }
    }

    struct alignas(64) Counter {
        std::atomic<std::size_t> taken{0};
    };
    std::atomic<std::size_t>& counterOf(std::uint32_t phase) {
        return m_counters[phase % m_counters.size()].taken;
    }

    std::array<Counter, 3> m_counters;
};

}  // namespace loader::cpu
