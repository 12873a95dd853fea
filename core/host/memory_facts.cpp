// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/host/memory_facts.h"

#include <charconv>
#include <fstream>
#include <string_view>

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
// windows.h comes first
#include <psapi.h>
#else
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace loader::host {
namespace {

std::optional<std::uint64_t> numberIn(std::string_view text) {
    const std::size_t start = text.find_first_of("0123456789");
    if (start == std::string_view::npos) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data() + start, text.data() + text.size(), value);
    static_cast<void>(end);
    return fault == std::errc() ? std::optional(value) : std::nullopt;
}

/// The number behind a key at the start of a line, as in /proc and in cgroup statistics.
std::optional<std::uint64_t> field(const std::string& path, std::string_view key) {
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with(key)) return numberIn(std::string_view(line).substr(key.size()));
    }
    return std::nullopt;
}

/// The whole file as a number; nothing for "max".
std::optional<std::uint64_t> numberFile(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) return std::nullopt;
    return numberIn(line);
}

void lower(std::optional<AvailableMemory>& least, std::uint64_t bytes, const char* source) {
    if (!least || bytes < least->bytes) least = AvailableMemory{bytes, source};
}

#ifdef __linux__

/// Room under a limit; cached file pages can be dropped and so do not count as used.
std::uint64_t roomBelow(std::uint64_t limit, std::uint64_t used, std::uint64_t droppable) {
    const std::uint64_t firm = used > droppable ? used - droppable : 0;
    return limit > firm ? limit - firm : 0;
}

void lowerByGroup(std::optional<AvailableMemory>& least) {
    constexpr const char* kSource = "the memory limit of its group";
    std::ifstream file("/proc/self/cgroup");
    std::string line;
    while (std::getline(file, line)) {
        const std::size_t path = line.rfind(':');
        if (path == std::string::npos) continue;
        const bool second = line.starts_with("0::");
        if (!second && line.find("memory") == std::string::npos) continue;
        const std::string root = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        // Every group above limits too; inside a container the path may not be visible, the root then is.
        std::string group = line.substr(path + 1);
        while (true) {
            const std::string folder = root + (group == "/" ? "" : group);
            const auto limit = numberFile(folder + (second ? "/memory.max" : "/memory.limit_in_bytes"));
            const auto used = numberFile(folder + (second ? "/memory.current" : "/memory.usage_in_bytes"));
            const auto cached =
                field(folder + "/memory.stat", second ? "inactive_file " : "total_inactive_file ");
            if (limit && used) lower(least, roomBelow(*limit, *used, cached.value_or(0)), kSource);
            if (group.empty() || group == "/") break;
            group.erase(group.rfind('/'));
        }
    }
}

#endif

}  // namespace

std::optional<AvailableMemory> availableMemory() {
    std::optional<AvailableMemory> least;
#ifdef _WIN32
    MEMORYSTATUSEX state{};
    state.dwLength = sizeof(state);
    if (GlobalMemoryStatusEx(&state)) lower(least, state.ullAvailPhys, "free memory");
#elif defined(__linux__)
    if (const auto kib = field("/proc/meminfo", "MemAvailable:")) lower(least, *kib * 1024, "free memory");
    lowerByGroup(least);
#else
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long pageBytes = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && pageBytes > 0)
        lower(least, static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(pageBytes), "memory");
#endif
#ifndef _WIN32
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        const std::uint64_t used = field("/proc/self/status", "VmSize:").value_or(0) * 1024;
        const std::uint64_t whole = limit.rlim_cur;
        lower(least, whole > used ? whole - used : 0, "the address space limit");
    }
#endif
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
    return field("/proc/self/status", "VmRSS:").value_or(0) * 1024;
}

std::uint64_t peakResidentBytes() {
    if (const auto kib = field("/proc/self/status", "VmHWM:")) return *kib * 1024;
    struct rusage usage {};
    if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
    return static_cast<std::uint64_t>(usage.ru_maxrss);
#else
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

#endif

}  // namespace loader::host
