// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a few repeated measurements say, and whether two sets of them differ by more than they scatter. The
// rule, why it is so strict, and the rate of false alarms that tests hold it to: docs/comparing.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace loader::app {

/// All zero where there are no samples.
struct Spread {
    double median = 0.0;
    double least = 0.0;
    double most = 0.0;
    double range() const { return most - least; }
};
Spread spreadOf(std::span<const double> samples);

/// The probability that two sets that come from one distribution are ranked apart at least as much as these
/// (rank-sum test, two-sided): exact for up to 40 samples together, ties included, the normal approximation
/// beyond. 1 where one of them is empty.
/// @source Mann & Whitney 1947; Lehmann, Nonparametrics, section 1.2 for ties
double rankTest(std::span<const double> before, std::span<const double> after);

enum class Evidence : std::uint8_t {
    /// Fewer than kFewestSamples on one side: nothing can be said.
    TooFew,
    /// Not more than the scatter.
    WithinSpread,
    Lower,
    Higher,
};

/// Fewer than this and nothing is said.
inline constexpr std::size_t kFewestSamples = 3;
/// From here on ranks are tested.
inline constexpr std::size_t kRankedSamples = 5;
/// Of the rank test. Several figures are judged side by side, so it is stricter than one alone needs.
inline constexpr double kRankLimit = 0.01;
/// Smaller differences are never called: from one process to the next as much changes by itself.
inline constexpr double kLeastShare = 0.02;

/// Whether `after` differs from `before` by more than they scatter: by more than kLeastShare, by more than
/// the larger half range and more than `between`, and, with five samples on each side, by ranks (kRankLimit);
/// with fewer the ranges must lie apart and the medians by more than twice the larger range.
/// @param between half the range of the medians of earlier runs, where they are known
Evidence evidenceOf(std::span<const double> before, std::span<const double> after, double between = 0.0);

}  // namespace loader::app
