// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finds out which back ends and devices there are, each in a process of its own: a driver that crashes or
// hangs costs that back end and nothing else.
#pragma once

#include <vector>

#include "core/app/backend_manager/chain.h"
#include "core/app/worker_client/worker_client.h"

namespace loader::app {

/// All back ends; those that the request may use, with their devices.
/// @errors W604 and deaths of the process that only reads descriptions
Result<std::vector<BackendCandidate>> probeFor(const protocol::LoadRequest& request,
                                               const WorkerOptions& worker);

/// Loads one back end in a process of its own and asks for its devices.
/// @errors B701 to B707, deaths
Result<std::vector<protocol::DeviceEntry>> probeDevices(const std::string& id, const WorkerOptions& worker);

}  // namespace loader::app
