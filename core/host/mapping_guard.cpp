// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The only process-wide state of this library: signal handlers have no other way to find their data.

#include "core/host/mapping_guard.h"

#ifndef _WIN32

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace loader::host {
namespace {

struct GuardedRange {
    std::atomic<std::uintptr_t> begin{0};
    std::atomic<std::uintptr_t> end{0};
    std::atomic<bool> damaged{false};
};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);

std::array<GuardedRange, MappingGuard::kCapacity> g_ranges;
std::mutex g_registration;
std::uintptr_t g_pageBytes = 4096;

/// Only atomics, mmap and sigaction: all of it is allowed in a handler.
void onBusError(int number, siginfo_t* info, void*) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (GuardedRange& range : g_ranges) {
        const std::uintptr_t begin = range.begin.load(std::memory_order_acquire);
        const std::uintptr_t end = range.end.load(std::memory_order_acquire);
        if (begin == 0 || address < begin || address >= end) continue;
        // Everything behind a missing page is missing too, or worthless by now: one call for all of it.
        const std::uintptr_t intoPage = address & (g_pageBytes - 1);
        void* page = static_cast<std::byte*>(info->si_addr) - intoPage;
        void* mapped = ::mmap(page, end - (address - intoPage), PROT_READ,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        range.damaged.store(true, std::memory_order_release);
        if (mapped != MAP_FAILED) return;
        break;
    }
    // Not ours: the instruction runs again and the default action applies.
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(number, &standard, nullptr);
}

/// A stack of its own for the thread that loads models. Other threads take the handler on theirs: the fault
/// is a missing page of a file, not an exhausted stack.
void installHandler() {
    g_pageBytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    static std::array<std::byte, 64 * 1024> alternateStack;
    stack_t stack{};
    stack.ss_sp = alternateStack.data();
    stack.ss_size = alternateStack.size();
    ::sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = onBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

MappingGuard::MappingGuard(std::span<const std::byte> range) {
    static std::once_flag installed;
    std::call_once(installed, installHandler);
    const std::lock_guard lock(g_registration);
    for (std::size_t i = 0; i < g_ranges.size(); ++i) {
        if (g_ranges[i].begin.load() != 0) continue;
        const auto begin = reinterpret_cast<std::uintptr_t>(range.data());
        const std::uintptr_t whole = (range.size() + g_pageBytes - 1) & ~(g_pageBytes - 1);
        g_ranges[i].damaged.store(false);
        g_ranges[i].end.store(begin + whole);
        g_ranges[i].begin.store(begin);
        m_slot = i;
        return;
    }
}

MappingGuard::~MappingGuard() {
    if (!active()) return;
    const std::lock_guard lock(g_registration);
    g_ranges[m_slot].begin.store(0);
    g_ranges[m_slot].end.store(0);
}

bool MappingGuard::damaged() const {
    return active() && g_ranges[m_slot].damaged.load(std::memory_order_acquire);
}

}  // namespace loader::host

#else

namespace loader::host {

MappingGuard::MappingGuard(std::span<const std::byte>) {}
MappingGuard::~MappingGuard() = default;
bool MappingGuard::damaged() const {
    return false;
}

}  // namespace loader::host

#endif
