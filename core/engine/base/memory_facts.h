// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the system says about memory: how much there is, how much this process may still take, and how much it
// has taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/engine/base/size_text.h"
#include "core/engine/base/system_text.h"

namespace loader {

/// Limits of this process and what it uses of them. @unit bytes; nothing where there is no limit
struct ProcessLimits {
    std::optional<std::uint64_t> addressSpace;
    std::optional<std::uint64_t> locked;
    std::uint64_t addressSpaceUsed = 0;
};
ProcessLimits processLimits();

/// @unit bytes; 0 or nothing where the system does not tell
struct MemoryFacts {
    std::uint64_t total = 0;
    /// What can be taken without swapping.
    std::optional<std::uint64_t> available;
    std::uint64_t swapTotal = 0;
    std::uint64_t swapFree = 0;
    /// The group (cgroup v1 or v2) with the least room: its limit, and the room below it.
    std::optional<std::uint64_t> groupLimit;
    std::optional<std::uint64_t> groupRoom;
    ProcessLimits process;
};
MemoryFacts readMemoryFacts(const SystemText& system = SystemText(),
                            const ProcessLimits& limits = processLimits());

struct AvailableMemory {
    std::uint64_t bytes = 0;
    /// What sets the limit: "free memory", "the memory limit of its group", "the address space limit".
    std::string source;
};

/// The smallest of free memory, the group's room and the address space that is left; nothing where the system
/// tells none of them.
std::optional<AvailableMemory> availableMemory(const MemoryFacts& facts = readMemoryFacts());

/// Bytes of this process in memory now and at most; 0 where the system does not tell.
std::uint64_t residentBytes();
std::uint64_t peakResidentBytes();

}  // namespace loader
