// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the system says about memory: how much this process may still take, and how much it has taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/engine/base/size_text.h"

namespace loader::host {

struct AvailableMemory {
    std::uint64_t bytes = 0;
    /// What sets the limit: "free memory", "the memory limit of its group", "the address space limit".
    std::string source;
};

/// The smallest of free memory, the group's limit (cgroup v1 or v2) and RLIMIT_AS; nothing where the system
/// tells none of them.
std::optional<AvailableMemory> availableMemory();

/// Bytes of this process in memory now and at most; 0 where the system does not tell.
std::uint64_t residentBytes();
std::uint64_t peakResidentBytes();

using loader::sizeText;

}  // namespace loader::host
