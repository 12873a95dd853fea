// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/cpu_topology.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "core/engine/base/control_groups.h"

#ifdef __linux__
#include <sched.h>
#endif

namespace loader {
namespace {

constexpr const char* kProcessors = "/sys/devices/system/cpu";

std::string folderOf(unsigned processor) {
    return std::string(kProcessors) + "/cpu" + std::to_string(processor);
}

std::vector<unsigned> onlineProcessors(const SystemText& system) {
    return numberList(system.line(std::string(kProcessors) + "/online").value_or(""));
}

bool contains(const std::vector<unsigned>& sorted, unsigned value) {
    return std::binary_search(sorted.begin(), sorted.end(), value);
}

/// The threads of one core list the same siblings, and so have the same name.
std::string coreOf(const SystemText& system, unsigned processor) {
    const auto siblings = system.line(folderOf(processor) + "/topology/thread_siblings_list");
    return siblings && !siblings->empty() ? *siblings : std::to_string(processor);
}

/// How strong each processor is among its like; equal numbers are one kind of core.
std::map<unsigned, unsigned> strengths(const SystemText& system, const std::vector<unsigned>& processors) {
    std::map<unsigned, unsigned> found;
    // Where there are two kinds, Linux on x86-64 names them as two devices.
    const std::vector<unsigned> fast = numberList(system.line("/sys/devices/cpu_core/cpus").value_or(""));
    const std::vector<unsigned> slow = numberList(system.line("/sys/devices/cpu_atom/cpus").value_or(""));
    const bool named = !fast.empty() && !slow.empty();
    std::uint64_t kindCapacity = 0;
    std::vector<std::pair<std::uint64_t, unsigned>> byCapacity;
    for (const unsigned processor : processors) {
        if (named) found[processor] = contains(fast, processor) ? 2 : 1;
        const auto capacity = system.number(folderOf(processor) + "/cpu_capacity").value_or(0);
        byCapacity.emplace_back(std::min<std::uint64_t>(capacity, 1u << 20), processor);
    }
    if (named) return found;
    // Capacities differ a little among equal cores, by their clocks.
    std::sort(byCapacity.begin(), byCapacity.end());
    unsigned strength = 0;
    for (const auto& [capacity, processor] : byCapacity) {
        if (strength == 0 || capacity * 10 > kindCapacity * 11) {
            kindCapacity = capacity;
            ++strength;
        }
        found[processor] = strength;
    }
    return found;
}

std::vector<CoreKind> kindsOf(const SystemText& system, const std::vector<unsigned>& processors) {
    std::map<unsigned, CoreKind, std::greater<>> kinds;
    std::set<std::string> seen;
    for (const auto& [processor, strength] : strengths(system, processors)) {
        CoreKind& kind = kinds[strength];
        ++kind.threads;
        if (seen.insert(coreOf(system, processor)).second) ++kind.cores;
        const auto clock = system.number(folderOf(processor) + "/cpufreq/cpuinfo_max_freq").value_or(0);
        kind.clockKilohertz = std::max(kind.clockKilohertz, clock);
    }
    std::vector<CoreKind> list;
    for (const auto& [strength, kind] : kinds)
        list.push_back(kind);
    return list;
}

/// Time per period of one group. @source Linux Documentation/admin-guide/cgroup-v2.rst, cpu.max;
/// sched-bwc.rst
std::optional<double> quotaOf(const SystemText& system, const std::string& folder, bool second) {
    std::optional<std::uint64_t> time;
    std::optional<std::uint64_t> period;
    if (second) {
        const auto both = system.line(folder + "/cpu.max");  // "200000 100000" or "max 100000"
        if (!both || both->starts_with("max")) return std::nullopt;
        const std::size_t space = both->find(' ');
        time = firstNumber(both->substr(0, space));
        if (space != std::string::npos) period = firstNumber(both->substr(space));
    } else {
        const auto text = system.line(folder + "/cpu.cfs_quota_us");
        if (!text || text->starts_with('-')) return std::nullopt;
        time = firstNumber(*text);
        period = system.number(folder + "/cpu.cfs_period_us");
    }
    if (!time || !period || *time == 0 || *period == 0) return std::nullopt;
    return static_cast<double>(*time) / static_cast<double>(*period);
}

std::optional<double> leastQuota(const SystemText& system) {
    std::optional<double> least;
    for (const ControlGroup& group : controlGroups(system, "cpu")) {
        for (const std::string& folder : group.folders) {
            const auto quota = quotaOf(system, folder, group.second);
            if (quota && (!least || *quota < *least)) least = quota;
        }
    }
    return least;
}

}  // namespace

std::vector<unsigned> allowedProcessors() {
    std::vector<unsigned> allowed;
#ifdef __linux__
    // The kernel refuses a mask that is smaller than its own.
    constexpr std::size_t kMost = 8192;
    cpu_set_t* mask = CPU_ALLOC(kMost);
    if (mask == nullptr) return allowed;
    const std::size_t bytes = CPU_ALLOC_SIZE(kMost);
    CPU_ZERO_S(bytes, mask);
    if (::sched_getaffinity(0, bytes, mask) == 0) {
        for (unsigned processor = 0; processor < kMost; ++processor) {
            if (CPU_ISSET_S(processor, bytes, mask)) allowed.push_back(processor);
        }
    }
    CPU_FREE(mask);
#endif
    return allowed;
}

CpuShare readCpuShare(const SystemText& system, const std::vector<unsigned>& allowed) {
    CpuShare share;
    const std::vector<unsigned> processors = onlineProcessors(system);
    std::set<std::string> cores;
    std::set<std::string> allowedCores;
    for (const unsigned processor : processors) {
        const std::string core = coreOf(system, processor);
        cores.insert(core);
        if (!allowed.empty() && !contains(allowed, processor)) continue;
        ++share.allowedThreads;
        allowedCores.insert(core);
    }
    share.threads = static_cast<unsigned>(processors.size());
    share.cores = static_cast<unsigned>(cores.size());
    share.allowedCores = static_cast<unsigned>(allowedCores.size());
    if (share.allowedThreads == 0) {
        // Nothing to read, as in a sandbox: the affinity mask at best is known.
        const unsigned known = allowed.empty() ? std::max(1u, std::thread::hardware_concurrency())
                                               : static_cast<unsigned>(allowed.size());
        share.threads = share.cores = share.allowedThreads = share.allowedCores = known;
    }
    share.quota = leastQuota(system);
    return share;
}

CpuLayout readCpuLayout(const SystemText& system) {
    CpuLayout layout;
    const std::vector<unsigned> processors = onlineProcessors(system);
    std::set<std::uint64_t> packages;
    for (const unsigned processor : processors)
        packages.insert(system.number(folderOf(processor) + "/topology/physical_package_id").value_or(0));
    layout.packages = std::max(1u, static_cast<unsigned>(packages.size()));
    const auto nodes = numberList(system.line("/sys/devices/system/node/online").value_or(""));
    layout.numaNodes = std::max(1u, static_cast<unsigned>(nodes.size()));
    layout.kinds = kindsOf(system, processors);
    return layout;
}

unsigned usableCores(const CpuShare& share) {
    unsigned cores = share.allowedCores;
    // A part of a processor more would stop the whole team at the end of every period.
    if (share.quota && *share.quota < cores) cores = static_cast<unsigned>(*share.quota);
    return std::max(1u, cores);
}

}  // namespace loader
