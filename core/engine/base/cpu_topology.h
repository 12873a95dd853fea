// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How many processors there are, which of them share a core, and how many of them this process may use:
// affinity and the group's share of time count. On other systems than Linux only the number of threads is
// known.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/engine/base/system_text.h"

namespace loader {

/// What there is, and what of it this process may use.
struct CpuShare {
    /// Hardware threads that are switched on, and the cores that they are on.
    unsigned threads = 0;
    unsigned cores = 0;
    /// Of those, what the affinity mask leaves to this process.
    unsigned allowedThreads = 0;
    unsigned allowedCores = 0;
    /// How many processors' worth of time the groups leave; nothing where they do not limit it.
    std::optional<double> quota;
};

/// Cores that are alike. Processors with fast and slow cores have several kinds.
struct CoreKind {
    unsigned cores = 0;
    unsigned threads = 0;
    /// Highest clock; 0 where the system does not tell. @unit kHz
    std::uint64_t clockKilohertz = 0;
    bool operator==(const CoreKind&) const = default;
};

struct CpuLayout {
    unsigned packages = 1;
    unsigned numaNodes = 1;
    /// Fastest first; empty where the system does not tell.
    std::vector<CoreKind> kinds;
};

/// The processors of the affinity mask; empty where the system has none.
std::vector<unsigned> allowedProcessors();

/// @source Linux Documentation/ABI/stable/sysfs-devices-system-cpu
CpuShare readCpuShare(const SystemText& system = SystemText(),
                      const std::vector<unsigned>& allowed = allowedProcessors());
CpuLayout readCpuLayout(const SystemText& system = SystemText());

/// Threads that a team of equals should have: the allowed cores, or fewer where the group's time is less. At
/// least 1.
unsigned usableCores(const CpuShare& share);

}  // namespace loader
