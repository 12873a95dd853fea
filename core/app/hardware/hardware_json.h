// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The machine as JSON, for `--json` and for the support report. What the system does not tell is null.
#pragma once

#include <nlohmann/json.hpp>

#include "core/app/hardware/hardware_facts.h"

namespace loader::app {

nlohmann::ordered_json hardwareJson(const HardwareFacts& facts);
nlohmann::ordered_json probedBackendJson(const ProbedBackend& probe);

}  // namespace loader::app
