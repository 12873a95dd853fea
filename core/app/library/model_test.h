// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The quick test of a model: load it as a user would, let it write a few tokens, and say how that went.
#pragma once

#include <optional>
#include <string>

#include "core/app/backend_manager/model_host.h"

namespace loader::app {

struct ModelTestResult {
    bool works = false;
    std::string backend;
    std::string device;
    std::uint32_t gpuLayers = 0;
    double loadMilliseconds = 0.0;
    /// Of the worker, after loading; 0 where the system does not tell.
    std::uint64_t memoryBytes = 0;
    std::uint64_t tokens = 0;
    double tokensPerSecond = 0.0;
    /// What it wrote; empty for a model without a word list.
    std::string text;
    std::optional<protocol::LoadReport> report;
    std::optional<Error> error;
};

struct ModelTestOptions {
    std::string prompt = "The quick brown fox";
    std::uint64_t tokens = 16;
};

/// Never fails: what goes wrong is the result. X002 in it means that it was cancelled.
ModelTestResult testModel(const protocol::LoadRequest& request, const HostOptions& host,
                          const ModelTestOptions& options, const LoadProgress& progress, CancelToken cancel);

}  // namespace loader::app
