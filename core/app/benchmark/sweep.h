// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Tries a few settings of one model, one after the other, within a limit of time: threads, and where a GPU
// takes layers, how many.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/app/benchmark/bench_runner.h"

namespace loader::app {

struct SweepStep {
    /// "load.threads" or "load.gpu_layers"; empty for the settings as they are.
    std::string key;
    Json value;
    BenchOutcome outcome;
    /// "2 threads", for people.
    std::string words;
};

struct SweepPlan {
    /// What is measured; its threads and layers are those that would be used otherwise.
    BenchJob job;
    /// Of the machine, for this process.
    std::uint32_t cores = 1;
    std::uint32_t threads = 1;
    std::chrono::milliseconds budget = std::chrono::seconds(60);
};

struct SweepReport {
    /// The first one is of the settings as they are.
    std::vector<SweepStep> steps;
    /// Not all was tried: the time was up, or somebody stopped it.
    bool cutShort = false;
    double seconds = 0.0;

    /// The measurement of the settings as they are; null where it failed.
    const Measurement* usual() const;
};

/// Told how far it is.
using SweepProgress = std::function<void(const std::string& next, std::size_t done, std::size_t total)>;

/// Half the cores, the cores, the hardware threads; without what is tried anyway.
std::vector<std::uint32_t> threadCandidates(const SweepPlan& plan, std::uint32_t usual);

SweepReport sweep(const SweepPlan& plan, BenchRunner& runner, const SweepProgress& progress,
                  CancelToken cancel);
Json sweepJson(const SweepReport& report);

}  // namespace loader::app
