// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// All of a machine in one value: what `gguf hardware`, the settings page and the support report show.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/app/hardware/adapter_facts.h"
#include "core/app/hardware/cpu_facts.h"
#include "core/app/hardware/disk_facts.h"
#include "core/app/hardware/gpu_facts.h"
#include "core/app/hardware/memory_speed.h"
#include "core/app/hardware/os_facts.h"
#include "core/engine/base/memory_facts.h"

namespace loader::app {

/// Asks the back ends, or what they said before. May take seconds.
using ProbeProvider = std::function<std::vector<ProbedBackend>(CancelToken cancel)>;

struct HardwareQuery {
    SessionVariables session;
    /// Places whose disks count: where models and caches are.
    std::vector<std::string> paths;
    /// Null: devices are not probed, and the result says so.
    ProbeProvider probes;
    /// Takes about 50 ms of all processors.
    bool measureMemory = true;
};

struct HardwareFacts {
    CpuFacts cpu;
    MemoryFacts memory;
    /// Nothing where it was not measured or could not be.
    std::optional<MemorySpeed> memorySpeed;
    OsFacts os;
    /// One for each path that could be asked for.
    std::vector<DiskFacts> disks;
    std::vector<AdapterFacts> adapters;
    /// Nothing where nobody has probed.
    std::optional<std::vector<ProbedBackend>> probes;
};

/// @errors X002
Result<HardwareFacts> readHardware(const HardwareQuery& query, CancelToken cancel = {},
                                   const SystemText& system = SystemText());

}  // namespace loader::app
