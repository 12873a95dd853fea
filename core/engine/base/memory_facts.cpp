// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/memory_facts.h"

#include <algorithm>
#include <cstdio>

#include "core/engine/base/control_groups.h"

#ifdef _WIN32
#include <windows.h>
// windows.h comes first
#include <psapi.h>
#else
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace loader {
namespace {

constexpr const char* kStatus = "/proc/self/status";

std::uint64_t kibibytes(const SystemText& system, const char* file, std::string_view key) {
    // A number this large is no amount of memory.
    constexpr std::uint64_t kMost = ~std::uint64_t{0} / 1024;
    return std::min(system.field(file, key).value_or(0), kMost) * 1024;
}

/// Room under a limit; cached file pages can be dropped and so do not count as used.
std::uint64_t roomBelow(std::uint64_t limit, std::uint64_t used, std::uint64_t droppable) {
    const std::uint64_t firm = used > droppable ? used - droppable : 0;
    return limit > firm ? limit - firm : 0;
}

void readGroups(const SystemText& system, MemoryFacts& facts) {
    for (const ControlGroup& group : controlGroups(system, "memory")) {
        for (const std::string& folder : group.folders) {
            const auto limit =
                system.number(folder + (group.second ? "/memory.max" : "/memory.limit_in_bytes"));
            const auto used =
                system.number(folder + (group.second ? "/memory.current" : "/memory.usage_in_bytes"));
            if (!limit || !used) continue;
            // Version 1 writes "no limit" as a number near 2^63.
            if (facts.total != 0 && *limit >= facts.total && !group.second) continue;
            const auto cached = system.field(folder + "/memory.stat",
                                             group.second ? "inactive_file " : "total_inactive_file ");
            const std::uint64_t room = roomBelow(*limit, *used, cached.value_or(0));
            if (facts.groupRoom && *facts.groupRoom <= room) continue;
            facts.groupLimit = *limit;
            facts.groupRoom = room;
        }
    }
}

void lower(std::optional<AvailableMemory>& least, std::uint64_t bytes, const char* source) {
    if (!least || bytes < least->bytes) least = AvailableMemory{bytes, source};
}

}  // namespace

ProcessLimits processLimits() {
    ProcessLimits limits;
#ifndef _WIN32
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        limits.addressSpace = static_cast<std::uint64_t>(limit.rlim_cur);
#ifdef RLIMIT_MEMLOCK
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        limits.locked = static_cast<std::uint64_t>(limit.rlim_cur);
#endif
    if (limits.addressSpace) limits.addressSpaceUsed = kibibytes(SystemText(), kStatus, "VmSize:");
#endif
    return limits;
}

MemoryFacts readMemoryFacts(const SystemText& system, const ProcessLimits& limits) {
    constexpr const char* kMemory = "/proc/meminfo";
    MemoryFacts facts;
    facts.process = limits;
#ifdef _WIN32
    MEMORYSTATUSEX state{};
    state.dwLength = sizeof(state);
    if (system.isThisSystem() && GlobalMemoryStatusEx(&state)) {
        facts.total = state.ullTotalPhys;
        facts.available = state.ullAvailPhys;
    }
#elif !defined(__linux__)
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long pageBytes = ::sysconf(_SC_PAGESIZE);
    if (system.isThisSystem() && pages > 0 && pageBytes > 0) {
        facts.total = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(pageBytes);
        facts.available = facts.total;
    }
#endif
    if (system.exists(kMemory)) {
        facts.total = kibibytes(system, kMemory, "MemTotal:");
        if (system.field(kMemory, "MemAvailable:"))
            facts.available = kibibytes(system, kMemory, "MemAvailable:");
        facts.swapTotal = kibibytes(system, kMemory, "SwapTotal:");
        facts.swapFree = kibibytes(system, kMemory, "SwapFree:");
    }
    readGroups(system, facts);
    return facts;
}

std::optional<AvailableMemory> availableMemory(const MemoryFacts& facts) {
    std::optional<AvailableMemory> least;
    if (facts.available) lower(least, *facts.available, "free memory");
    if (facts.groupRoom) lower(least, *facts.groupRoom, "the memory limit of its group");
    if (facts.process.addressSpace)
        lower(least, roomBelow(*facts.process.addressSpace, facts.process.addressSpaceUsed, 0),
              "the address space limit");
    return least;
}

#ifdef _WIN32

std::uint64_t residentBytes() {
    PROCESS_MEMORY_COUNTERS counters{};
    return GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters)) ? counters.WorkingSetSize
                                                                                  : 0;
}

std::uint64_t peakResidentBytes() {
    PROCESS_MEMORY_COUNTERS counters{};
    return GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof(counters))
               ? counters.PeakWorkingSetSize
               : 0;
}

#else

std::uint64_t residentBytes() {
    return kibibytes(SystemText(), kStatus, "VmRSS:");
}

std::uint64_t peakResidentBytes() {
    if (const std::uint64_t bytes = kibibytes(SystemText(), kStatus, "VmHWM:")) return bytes;
    struct rusage usage {};
    if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
    return static_cast<std::uint64_t>(usage.ru_maxrss);
#else
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

#endif

}  // namespace loader
