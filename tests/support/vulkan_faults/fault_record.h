// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the faulty layer counts, in memory that several processes may share through a file, so that a test
// sees what its workers did even after they were killed.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/support/vulkan_faults/fault_script.h"

namespace loader::test {

/// Lies in the file as it is. @thread any, of any process
struct FaultRecord {
    std::atomic<std::uint64_t> calls[kFaultFunctions];
    std::atomic<std::uint64_t> ruleCalls[kMostRules];
    std::atomic<std::uint64_t> fired;
    std::atomic<std::uint64_t> processes;
    std::atomic<std::uint32_t> armed;
    /// What the program did against the limits that it was told.
    std::atomic<std::uint32_t> violations;
    /// Objects of devices that were made and not destroyed.
    std::atomic<std::int64_t> objects;
    char firstViolation[240];

    std::uint64_t callsOf(FaultFunction function) const {
        return calls[static_cast<std::size_t>(function)].load();
    }
};

/// Maps the file, making it where it is missing or short. @return null where that fails
FaultRecord* mapFaultRecord(const std::string& path);
void unmapFaultRecord(FaultRecord* record);

}  // namespace loader::test
