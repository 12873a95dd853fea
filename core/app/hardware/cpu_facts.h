// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The processor: what it is, what of it this process may use, and what it can do.
#pragma once

#include <string>
#include <vector>

#include "core/engine/base/cpu_flags.h"
#include "core/engine/base/cpu_topology.h"

namespace loader::app {

/// Caches that are alike.
struct CacheFacts {
    unsigned level = 0;
    /// "data", "instruction" or "unified".
    std::string kind;
    std::uint64_t bytes = 0;
    /// Hardware threads that have one of them in common.
    unsigned sharedBy = 0;
    unsigned count = 0;
    bool operator==(const CacheFacts&) const = default;
};

struct CpuFacts {
    /// "AMD", "Intel", "Arm" …; empty where the system does not tell, as the next two.
    std::string vendor;
    std::string model;
    /// The board, on small computers.
    std::string board;
    CpuShare share;
    CpuLayout layout;
    CpuFlags flags;
    /// The kernels that the flags allow.
    std::string tier;
    /// Nearest first; empty where the system does not tell.
    std::vector<CacheFacts> caches;
};

/// What is asked from the processor and the kernel directly and not read from files.
struct CpuAnswers {
    CpuFlags flags;
    std::string brand;
    std::vector<unsigned> allowed;
};
CpuAnswers askCpu();

CpuFacts readCpuFacts(const SystemText& system = SystemText(), const CpuAnswers& answers = askCpu());

/// Of the last level, all of them together; 0 where not known.
std::uint64_t lastLevelCacheBytes(const CpuFacts& facts);

}  // namespace loader::app
