// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every model on every back end and device: how fast each is, what failed and what to do about it, and which
// back end is the best for each model.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/app/backend_manager/chain.h"
#include "core/app/benchmark/bench_runner.h"

namespace loader::app {

struct SuiteModel {
    std::string name;
    std::string path;
    /// Why it cannot be loaded at all: then nothing is tried.
    std::optional<BenchFault> fault;
};

struct SuiteRow {
    std::string model;
    std::string path;
    /// Empty where the model itself is at fault.
    std::string backend;
    std::string device;
    BenchOutcome outcome;
};

/// The fastest of a model's rows, by generation.
struct SuiteBest {
    std::string model;
    std::size_t row = 0;
    /// Faster than each other row by more than they scatter.
    bool sure = false;
    /// For people.
    std::string sentence;
};

struct SuiteReport {
    std::vector<SuiteRow> rows;
    std::vector<SuiteBest> best;
    /// Back ends and devices that were left out, with the reason.
    std::vector<protocol::LoadStep> passedOver;
    bool cancelled = false;
};

struct SuitePlan {
    std::vector<SuiteModel> models;
    /// What every job starts from; path, back end and device are filled in.
    BenchJob job;
    /// "auto" is every back end that may be chosen without being named.
    std::string backend = "auto";
    std::string device;
};

/// Told before a row is measured and when it is.
struct SuiteObserver {
    std::function<void(const SuiteRow& next, std::size_t done, std::size_t total)> begins = {};
    std::function<void(const SuiteRow& row)> ended = {};
};

/// @param backends what the probes found
SuiteReport runSuite(const SuitePlan& plan, std::span<const BackendCandidate> backends, BenchRunner& runner,
                     const SuiteObserver& observer, CancelToken cancel);
Json suiteJson(const SuiteReport& report);

}  // namespace loader::app
