// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/statistics.h"

#include <algorithm>
#include <cmath>

namespace loader::app {
namespace {

constexpr std::size_t kMostExact = 40;

struct Ranked {
    /// Twice the rank of each sample, so that ranks between two numbers stay whole; `before` comes first.
    std::vector<std::size_t> doubled;
    /// Sum of t³ - t over groups of t equal samples.
    double ties = 0.0;
};

Ranked ranksOf(std::span<const double> before, std::span<const double> after) {
    std::vector<double> all(before.begin(), before.end());
    all.insert(all.end(), after.begin(), after.end());
    std::vector<std::size_t> order(all.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = i;
    std::sort(order.begin(), order.end(), [&all](std::size_t a, std::size_t b) { return all[a] < all[b]; });
    Ranked ranked{std::vector<std::size_t>(all.size()), 0.0};
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin + 1;
        while (end < order.size() && all[order[end]] == all[order[begin]])
            ++end;
        // The mean of the ranks begin + 1 … end, twice.
        for (std::size_t i = begin; i < end; ++i)
            ranked.doubled[order[i]] = begin + 1 + end;
        const auto equal = static_cast<double>(end - begin);
        ranked.ties += equal * equal * equal - equal;
        begin = end;
    }
    return ranked;
}

/// Counts, over all ways to choose `chosen` of the samples, how far their ranks are from the middle.
double exactProbability(const std::vector<std::size_t>& doubled, std::size_t chosen, std::size_t observed) {
    const std::size_t count = doubled.size();
    const std::size_t middle = chosen * (count + 1);
    const std::size_t most = 2 * count * chosen + 1;
    std::vector<std::vector<double>> ways(chosen + 1, std::vector<double>(most, 0.0));
    ways[0][0] = 1.0;
    for (const std::size_t rank : doubled) {
        for (std::size_t picked = chosen; picked > 0; --picked) {
            for (std::size_t sum = most; sum-- > rank;)
                ways[picked][sum] += ways[picked - 1][sum - rank];
        }
    }
    const auto distance = [middle](std::size_t sum) { return sum > middle ? sum - middle : middle - sum; };
    double all = 0.0;
    double apart = 0.0;
    for (std::size_t sum = 0; sum < most; ++sum) {
        all += ways[chosen][sum];
        if (distance(sum) >= distance(observed)) apart += ways[chosen][sum];
    }
    return all > 0.0 ? apart / all : 1.0;
}

double normalProbability(const Ranked& ranked, std::size_t chosen, std::size_t observed) {
    const auto first = static_cast<double>(chosen);
    const auto count = static_cast<double>(ranked.doubled.size());
    const double second = count - first;
    const double middle = first * (count + 1.0) / 2.0;
    const double variance = first * second / 12.0 * (count + 1.0 - ranked.ties / (count * (count - 1.0)));
    if (variance <= 0.0) return 1.0;
    const double apart = std::fabs(static_cast<double>(observed) / 2.0 - middle) - 0.5;
    return apart <= 0.0 ? 1.0 : std::erfc(apart / std::sqrt(2.0 * variance));
}

bool liesApart(const Spread& before, const Spread& after) {
    const bool disjoint = before.most < after.least || after.most < before.least;
    return disjoint &&
           std::fabs(after.median - before.median) > 2.0 * std::max(before.range(), after.range());
}

}  // namespace

Spread spreadOf(std::span<const double> samples) {
    if (samples.empty()) return {};
    std::vector<double> sorted(samples.begin(), samples.end());
    std::sort(sorted.begin(), sorted.end());
    const std::size_t middle = sorted.size() / 2;
    const double median =
        sorted.size() % 2 != 0 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0;
    return {median, sorted.front(), sorted.back()};
}

double rankTest(std::span<const double> before, std::span<const double> after) {
    if (before.empty() || after.empty()) return 1.0;
    const Ranked ranked = ranksOf(before, after);
    std::size_t observed = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
        observed += ranked.doubled[i];
    if (ranked.doubled.size() <= kMostExact) return exactProbability(ranked.doubled, before.size(), observed);
    return normalProbability(ranked, before.size(), observed);
}

Evidence evidenceOf(std::span<const double> before, std::span<const double> after, double between) {
    if (before.size() < kFewestSamples || after.size() < kFewestSamples) return Evidence::TooFew;
    const Spread first = spreadOf(before);
    const Spread second = spreadOf(after);
    const double difference = second.median - first.median;
    const double scatter = std::max(
        {std::max(first.range(), second.range()) / 2.0, between, kLeastShare * std::fabs(first.median)});
    if (!(std::fabs(difference) > scatter)) return Evidence::WithinSpread;
    const bool ranked = before.size() >= kRankedSamples && after.size() >= kRankedSamples;
    const bool sure = ranked ? rankTest(before, after) <= kRankLimit : liesApart(first, second);
    if (!sure) return Evidence::WithinSpread;
    return difference > 0.0 ? Evidence::Higher : Evidence::Lower;
}

}  // namespace loader::app
