// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "core/engine/base/cpu_topology.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace loader {
namespace {

inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Waits while value equals seen: first by spinning, then asleep. The spin is bounded in time because a pause
/// instruction takes 10 to 140 cycles, depending on the processor.
void waitWhile(const std::atomic<std::uint32_t>& value, std::uint32_t seen) {
    constexpr auto kSpin = std::chrono::microseconds(20);
    const auto limit = std::chrono::steady_clock::now() + kSpin;
    while (true) {
        for (int i = 0; i < 64; ++i) {
            if (value.load(std::memory_order_acquire) != seen) return;
            pause();
        }
        if (std::chrono::steady_clock::now() >= limit) break;
    }
    while (value.load(std::memory_order_acquire) == seen)
        value.wait(seen, std::memory_order_acquire);
}

}  // namespace

void TeamMember::barrier() {
    m_pool.barrier();
}

TeamMember::Range TeamMember::share(std::size_t total, std::size_t grain) const {
    const std::size_t units = (total + grain - 1) / grain;
    const std::size_t begin = units * m_index / m_count * grain;
    const std::size_t end = units * (m_index + 1) / m_count * grain;
    return {std::min(begin, total), std::min(end, total)};
}

ThreadPool::ThreadPool(unsigned threads) : m_threads(std::max(1u, threads)) {
    m_workers.reserve(m_threads - 1);
    try {
        for (unsigned i = 1; i < m_threads; ++i)
            m_workers.emplace_back([this, i] { workerLoop(i); });
    } catch (const std::system_error&) {
        // The system gives no more (a limit on memory or on threads): the team is as large as it could
        // become. Its members read its size when the first job comes.
        m_threads = static_cast<unsigned>(m_workers.size()) + 1;
    }
}

ThreadPool::~ThreadPool() {
    m_stopping.store(true, std::memory_order_relaxed);
    m_generation.fetch_add(1, std::memory_order_release);
    m_generation.notify_all();
    for (std::thread& worker : m_workers)
        worker.join();
}

void ThreadPool::runErased(Entry entry, void* context) {
    TeamMember caller(*this, 0, m_threads);
    if (m_threads == 1) {
        entry(context, caller);
        return;
    }
    m_entry = entry;
    m_context = context;
    m_generation.fetch_add(1, std::memory_order_release);
    m_generation.notify_all();
    entry(context, caller);
    barrier();  // every member has left the job
}

void ThreadPool::workerLoop(unsigned index) {
    std::uint32_t seen = 0;
    while (true) {
        waitWhile(m_generation, seen);
        seen = m_generation.load(std::memory_order_acquire);
        if (m_stopping.load(std::memory_order_relaxed)) return;
        TeamMember member(*this, index, m_threads);
        m_entry(m_context, member);
        barrier();
    }
}

void ThreadPool::barrier() {
    if (m_threads == 1) return;
    const std::uint32_t phase = m_phase.load(std::memory_order_acquire);
    if (m_arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == m_threads) {
        m_arrived.store(0, std::memory_order_relaxed);
        m_phase.store(phase + 1, std::memory_order_release);
        m_phase.notify_all();
        return;
    }
    waitWhile(m_phase, phase);
}

unsigned physicalCores() {
    return usableCores(readCpuShare());
}

}  // namespace loader
