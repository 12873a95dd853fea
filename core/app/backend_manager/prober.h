// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finds out which back ends and devices there are, each in a process of its own: a driver that crashes or
// hangs costs that back end, one that computes wrongly or dies of it costs that device. What was found is
// remembered as long as the drivers are the same.
#pragma once

#include <string>
#include <vector>

#include "core/app/backend_manager/chain.h"
#include "core/app/hardware/driver_identity.h"
#include "core/app/worker_client/worker_client.h"

namespace loader::app {

/// Where results of probes are remembered, and what they depend on.
struct ProbeMemory {
    /// Empty: nothing is remembered.
    std::string folder;
    DriverVariables drivers;
    std::string applicationVersion;
    /// Asks the drivers again, whatever is remembered.
    bool again = false;
};

/// Every back end with its devices or the reason why it has none; each GPU that can compute is tested.
/// @errors W604 and deaths of the process that only reads descriptions; X002
Result<std::vector<BackendCandidate>> probeAll(const WorkerOptions& worker, const ProbeMemory& memory,
                                               CancelToken cancel = {});

/// All back ends; those that the request may use, with their devices. @errors as probeAll()
/// @param preferred also this one; see ChainPolicy
Result<std::vector<BackendCandidate>> probeFor(const protocol::LoadRequest& request,
                                               const WorkerOptions& worker, const ProbeMemory& memory = {},
                                               const std::string& preferred = {});

/// Loads one back end in a process of its own and asks for its devices.
/// @errors B701 to B722, deaths
Result<std::vector<protocol::DeviceEntry>> probeDevices(const std::string& id, const WorkerOptions& worker);

/// Whether a device computes rightly, asked in a process of its own. What it cannot be is in refusal.
/// @param device gets refusal or selfTested; neither where memory was too short to tell
void testDevice(const std::string& id, const WorkerOptions& worker, protocol::DeviceEntry& device);

}  // namespace loader::app
