// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the history tells somebody who uses models: which ones, how fast they are, whether one became slower
// and since when, how often a back end failed.
#pragma once

#include <string>
#include <vector>

#include "core/app/benchmark/history.h"

namespace loader::app {

/// All answers of one model with the same settings.
struct UseTrend {
    ModelIdentity model;
    RunSettings settings;
    std::size_t answers = 0;
    std::uint64_t tokens = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    /// Of answers, by their medians. @unit tokens per second; milliseconds
    double usualSpeed = 0.0;
    double recentSpeed = 0.0;
    double usualFirstTokenMs = 0.0;
    /// Nothing where nobody told.
    std::optional<double> gpuBusyPercent;
    /// Since when answers are slower than before, by more than they scatter and more than 10 %; in seconds
    /// since 1970.
    std::optional<std::int64_t> slowerSince;
    double slowerPercent = 0.0;
};

struct ModelUse {
    ModelIdentity model;
    std::size_t answers = 0;
    std::uint64_t tokens = 0;
};

/// A thing worth saying; `weight` as of findings.
struct Insight {
    /// "warning" or "note".
    std::string weight;
    /// "slower", "regression", "fallbacks", "most-used", "damaged".
    std::string id;
    std::string sentence;
    std::string remedy;
};

struct Insights {
    std::vector<UseTrend> trends;
    /// Most answers first.
    std::vector<ModelUse> models;
    /// Loads of the log, and those that did not run where they were meant to at first.
    std::size_t loads = 0;
    std::size_t fallbacks = 0;
    std::size_t failures = 0;
    std::vector<Insight> sentences;
};

/// @param loads entries of the load log (core/app/diagnostics/load_log.h); whatever is in them
/// @thread any; pure
Insights insightsOf(const HistoryContent& history, const std::vector<Json>& loads);
Json insightsJson(const Insights& insights);

}  // namespace loader::app
