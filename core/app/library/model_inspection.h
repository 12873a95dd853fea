// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Everything that can be told of a model file without its weights: what its header holds and lacks, and what
// each back end says to it. Read in sandboxed workers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/app/worker_client/worker_client.h"
#include "core/engine/base/cancel_token.h"

namespace loader::app {

/// What a back end says to a model.
struct BackendOpinion {
    std::string id;
    std::string name;
    bool supported = false;
    /// Sentences; empty where it is supported.
    std::vector<std::string> reasons;
};

struct ModelInspection {
    protocol::FileDetails details;
    /// Nothing for a side file and for a model that no back end can run (details.refusal says why).
    std::optional<protocol::ModelFacts> facts;
    std::vector<BackendOpinion> backends;
};

/// @param architecture overrides general.architecture where not empty
/// @errors F802 … F805, GG001 … GG062, S301 … S309, W604, deaths, X002
Result<ModelInspection> inspectModel(const std::string& path, const std::string& architecture,
                                     const WorkerOptions& worker, CancelToken cancel);

/// What is known of back ends without loading one. @errors W604, deaths
Result<std::vector<protocol::BackendEntry>> listBackends(const WorkerOptions& worker);

}  // namespace loader::app
