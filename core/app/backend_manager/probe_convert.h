// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Devices as a worker tells of them and as the application remembers and shows them: the one place where one
// becomes the other.
#pragma once

#include "core/app/backend_manager/chain.h"
#include "core/app/hardware/gpu_facts.h"

namespace loader::app {

ProbedDevice probedDevice(const protocol::DeviceEntry& entry);
protocol::DeviceEntry deviceEntry(const ProbedDevice& device);

/// What the probe of a back end found, to be shown or remembered.
ProbedBackend probedBackend(const BackendCandidate& candidate);
/// The other way: puts devices and failure into a candidate whose description is known.
void takeProbe(const ProbedBackend& probe, BackendCandidate& candidate);

/// What a worker said of a back end's devices, or why it is not believed.
/// @errors W607
Result<std::vector<protocol::DeviceEntry>> judged(std::vector<protocol::DeviceEntry> devices);

}  // namespace loader::app
