// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Inside of the sandbox on Linux: its two layers, which know nothing of each other. Either one alone still
// denies what it can, so a kernel that has only one of them is not a failure but a note.
#pragma once

#include <string>

#include "core/worker/sandbox.h"

namespace loader::worker {

struct LayerOutcome {
    /// Seccomp: 1 where a filter is in place. Landlock: the ABI in use. 0: the kernel has none of it.
    int level = 0;
    /// Why it is not in place, or not for all threads; empty otherwise.
    std::string note;
};

/// Denies every system call that is not on the list of the profile, for all threads.
/// @errors W621 where the filter itself is at fault
Result<LayerOutcome> applySeccomp(SandboxProfile profile, bool severalThreads);

/// Denies paths, and TCP, signals and abstract sockets as far as the kernel's ABI goes. Covers the calling
/// thread and those it starts. @errors W621
Result<LayerOutcome> applyLandlock(const SandboxOptions& options, bool severalThreads);

/// Answers newfstatat() with an empty path, which is how the C library asks about a descriptor; a filter
/// cannot look at the path. @return whether this processor is supported; if not, the filter must let such
/// calls through
bool handleEmptyPathStat();

/// The sentence of a system error number.
std::string systemReason(int number);

}  // namespace loader::worker
