// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A fixed team of threads for kernels: the caller is member 0, a job runs on all members at once and may meet
// at barriers. Waiting spins for about 20 µs and then sleeps, so that a stolen core costs microseconds, not a
// collapse (engine report 1.4). Never OpenMP.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace loader {

class ThreadPool;

/// What a job sees of its team.
class TeamMember {
public:
    unsigned index() const { return m_index; }
    unsigned count() const { return m_count; }
    /// Waits until every member of the team has come here; what they wrote before is visible afterwards.
    void barrier();
    /// The contiguous share [begin, end) of total items that falls to this member, in multiples of grain.
    struct Range {
        std::size_t begin;
        std::size_t end;
    };
    Range share(std::size_t total, std::size_t grain = 1) const;

private:
    friend class ThreadPool;
    TeamMember(ThreadPool& pool, unsigned index, unsigned count)
        : m_pool(pool), m_index(index), m_count(count) {}
    ThreadPool& m_pool;
    unsigned m_index;
    unsigned m_count;
};

/// @thread run() belongs to one thread at a time.
class ThreadPool {
public:
    /// threads counts the caller too; at least 1.
    explicit ThreadPool(unsigned threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    unsigned threads() const { return m_threads; }

    /// Runs job(TeamMember&) on every member and returns when all have finished. job must not throw.
    template <class Job>
    void run(Job&& job) {
        runErased([](void* context,
                     TeamMember& member) { (*static_cast<std::remove_reference_t<Job>*>(context))(member); },
                  &job);
    }

private:
    friend class TeamMember;
    using Entry = void (*)(void*, TeamMember&);

    void runErased(Entry entry, void* context);
    void workerLoop(unsigned index);
    void barrier();

    unsigned m_threads;
    std::vector<std::thread> m_workers;
    Entry m_entry = nullptr;
    void* m_context = nullptr;
    alignas(64) std::atomic<std::uint32_t> m_generation{0};
    alignas(64) std::atomic<std::uint32_t> m_arrived{0};
    alignas(64) std::atomic<std::uint32_t> m_phase{0};
    std::atomic<bool> m_stopping{false};
};

/// Physical cores that this process may use, as far as the system tells; at least 1.
unsigned physicalCores();

}  // namespace loader
