// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Before and after: what changed by how much, a verdict only where the difference is larger than the scatter,
// and a warning where a model became slower than it used to be. The rules: docs/comparing.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/benchmark/measurement.h"

namespace loader::app {

enum class Change : std::uint8_t {
    /// Too few samples to tell.
    Unknown,
    Same,
    Better,
    Worse,
};
/// "unknown", "same", "better" or "worse".
std::string_view nameOf(Change change);

/// What is compared of a measurement.
enum class Figure : std::uint8_t { Prompt, Generation, Load, FirstToken, Memory };
inline constexpr Figure kFigures[] = {Figure::Prompt, Figure::Generation, Figure::Load, Figure::FirstToken,
                                      Figure::Memory};
/// "prompt", "generation", "load", "first_token" or "memory".
std::string_view nameOf(Figure figure);
/// For people: "Prompt", "First token".
std::string_view labelOf(Figure figure);
/// "tokens/s", "ms" or "bytes".
std::string_view unitOf(Figure figure);
/// Whether more of it is better.
bool isSpeed(Figure figure);
/// All samples; of memory the one figure there is, or none.
std::vector<double> samplesOf(const Measurement& measurement, Figure figure);

struct FigureChange {
    Figure figure = Figure::Prompt;
    Spread before;
    Spread after;
    /// Of the median; positive is more.
    double percent = 0.0;
    Change change = Change::Unknown;
};

struct Comparison {
    /// What both measurements have.
    std::vector<FigureChange> figures;
    /// The geometric mean of how much faster prompt, generation, load and first token became; memory does not
    /// count. Positive is faster; nothing where there is none of them.
    std::optional<double> overallPercent;
    /// "no difference", "better", "worse", "mixed" or "unknown".
    std::string_view verdict;
    /// One sentence.
    std::string sentence;
    /// "threads: 2, then 4".
    std::vector<std::string> differences;
    /// What to do where it became worse.
    std::vector<std::string> advice;
};

/// @param earlier measurements of the history; those of the same settings as `after` or `before` tell how
/// much
///        medians scatter from run to run
/// @errors D320 another model, another machine, another work, nothing to compare
Result<Comparison> compare(const Measurement& before, const Measurement& after,
                           std::span<const Measurement> earlier = {});
Json comparisonJson(const Comparison& comparison);

/// A figure that is worse than it used to be.
struct Regression {
    Figure figure = Figure::Prompt;
    /// The median of the medians of earlier runs, how many there were, and now.
    double usual = 0.0;
    std::size_t runs = 0;
    double now = 0.0;
    double percent = 0.0;
    /// For people.
    std::string sentence;
};

/// Earlier runs that it takes.
inline constexpr std::size_t kRegressionRuns = 3;
/// By how much a figure must be worse.
inline constexpr double kRegressionShare = 0.10;

/// Figures that are worse than the median of earlier runs of the same model, settings, work and machine by
/// more than kRegressionShare, and worse than all of those runs.
std::vector<Regression> regressionsOf(const Measurement& now, std::span<const Measurement> earlier);
Json regressionsJson(const std::vector<Regression>& regressions);

}  // namespace loader::app
