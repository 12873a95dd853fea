// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Histories and baselines as files that anybody may have written, and what a process says of its benchmark.
// The oracle: what is read can be written and read again, the same; nothing that is concluded from it is
// anything but a finite number.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/app/benchmark/baseline.h"
#include "core/app/benchmark/bench_runner.h"
#include "core/app/benchmark/comparison.h"
#include "core/app/benchmark/insights.h"
#include "core/app/benchmark/optimiser.h"

using namespace loader;
using namespace loader::app;

namespace {

void require(bool holds) {
    if (!holds) __builtin_trap();
}

/// Both directions lose nothing.
void throughJson(const Measurement& measurement) {
    const Json json = measurementJson(measurement);
    const auto again = measurementFromJson(json);
    require(again.ok());
    require(measurementJson(*again).dump() == json.dump());
    require(again->sameSettings(measurement));
}

void compareAll(const std::vector<Measurement>& measurements) {
    constexpr std::size_t kMost = 6;
    for (std::size_t i = 0; i < std::min(measurements.size(), kMost); ++i) {
        for (std::size_t j = 0; j < std::min(measurements.size(), kMost); ++j) {
            const auto comparison = compare(measurements[i], measurements[j], measurements);
            if (!comparison.ok()) {
                require(comparison.error().code() == Errc::D320);
                continue;
            }
            for (const FigureChange& figure : comparison->figures)
                require(std::isfinite(figure.percent));
            require(!comparison->sentence.empty());
            comparisonJson(*comparison).dump();
        }
        for (const Regression& regression : regressionsOf(measurements[i], measurements))
            require(std::isfinite(regression.percent) && !regression.sentence.empty());
    }
}

void readHistory(std::string_view text) {
    const HistoryContent content = History::parse(text);
    for (const Measurement& measurement : content.measurements)
        throughJson(measurement);
    for (const UsageRecord& use : content.uses) {
        const Json json = usageJson(use);
        const auto again = usageFromJson(json);
        require(again.ok());
        require(usageJson(*again).dump() == json.dump());
        profileOf(content.uses, use.model);
    }
    compareAll(content.measurements);
    const Insights insights = insightsOf(content, {});
    for (const UseTrend& trend : insights.trends)
        require(std::isfinite(trend.usualSpeed) && std::isfinite(trend.slowerPercent));
    insightsJson(insights).dump();
}

void readBaseline(std::string_view text) {
    const auto baseline = Baseline::parse(text);
    if (!baseline.ok()) return;
    const auto again = Baseline::parse(baseline->toJson().dump());
    require(again.ok());
    require(again->toJson().dump() == baseline->toJson().dump());
    for (const Measurement& measurement : baseline->measurements())
        require(baseline->find(measurement) != nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 3) {
        case 0: readHistory(text); break;
        case 1: readBaseline(text); break;
        default: {
            const BenchOutcome outcome = outcomeOf(text, "cpu", false);
            require(outcome.measurement.has_value() == (outcome.end == BenchEnd::Done));
            if (outcome.measurement) throughJson(*outcome.measurement);
        }
    }
    return 0;
}
