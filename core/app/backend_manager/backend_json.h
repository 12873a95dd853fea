// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A back end and its devices as JSON, for `gguf backends` and for the support report.
#pragma once

#include <nlohmann/json.hpp>

#include "core/app/backend_manager/chain.h"

namespace loader::app {

/// `error` is there where it is refused or its probe failed; a device has one where it must not be used.
nlohmann::ordered_json backendJson(const BackendCandidate& backend);

}  // namespace loader::app
