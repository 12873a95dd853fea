// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The devices of this machine: what an earlier probe found where the drivers are the same, otherwise a probe
// now, in a process of its own for each back end.
#pragma once

#include <string>
#include <vector>

#include "core/app/hardware/driver_identity.h"
#include "core/app/hardware/gpu_facts.h"
#include "core/app/hardware/probe_cache.h"
#include "core/app/worker_client/worker_client.h"

namespace loader::app {

struct ProbePlan {
    WorkerOptions worker;
    /// Where results are remembered.
    std::string cacheFolder;
    DriverVariables drivers;
    std::string applicationVersion;
    /// Asks the drivers although they were asked before.
    bool again = false;
};

/// Of every back end that may be chosen without being named; the linked-in one is the processor and left out.
/// A back end whose probe fails is in the list with its fault.
std::vector<ProbedBackend> probeHardware(const ProbePlan& plan, CancelToken cancel);

/// What a worker said of a back end's devices. @errors X003 not usable
Result<ProbedBackend> probedBackend(const protocol::BackendEntry& entry,
                                    const std::vector<protocol::DeviceEntry>& devices);

}  // namespace loader::app
