// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/comparison.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/engine/base/size_text.h"

namespace loader::app {
namespace {

/// Memory is told once, and exactly: smaller changes of it do not matter to anybody.
constexpr double kMemoryShare = 0.05;
constexpr double kMemoryBytes = 16.0 * 1024 * 1024;
/// Runs whose medians tell how much runs scatter.
constexpr std::size_t kScatterRuns = 3;

double percentOf(double before, double after) {
    return before > 0.0 ? (after - before) / before * 100.0 : 0.0;
}

std::string percentText(double percent) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", std::fabs(percent));
    return text;
}

std::string valueText(Figure figure, double value) {
    if (figure == Figure::Memory) return sizeText(static_cast<std::uint64_t>(value));
    char text[48];
    std::snprintf(text, sizeof text, "%.1f %s", value, std::string(unitOf(figure)).c_str());
    return text;
}

/// The median of a figure in each run that has it.
std::vector<double> mediansOf(std::span<const Measurement> runs, const Measurement& like, Figure figure) {
    std::vector<double> medians;
    for (const Measurement& run : runs) {
        if (!run.sameSettings(like)) continue;
        const std::vector<double> samples = samplesOf(run, figure);
        if (!samples.empty()) medians.push_back(spreadOf(samples).median);
    }
    return medians;
}

/// Half the range of the medians of earlier runs, of whichever side scatters more.
double betweenRuns(const Measurement& before, const Measurement& after, std::span<const Measurement> earlier,
                   Figure figure) {
    double scatter = 0.0;
    for (const Measurement* side : {&before, &after}) {
        const std::vector<double> medians = mediansOf(earlier, *side, figure);
        if (medians.size() >= kScatterRuns) scatter = std::max(scatter, spreadOf(medians).range() / 2.0);
    }
    return scatter;
}

Change memoryChange(double before, double after) {
    const double difference = std::fabs(after - before);
    if (difference <= kMemoryBytes || difference <= kMemoryShare * before) return Change::Same;
    return after < before ? Change::Better : Change::Worse;
}

Change changeOf(Figure figure, std::span<const double> before, std::span<const double> after,
                double between) {
    if (figure == Figure::Memory) return memoryChange(before.front(), after.front());
    switch (evidenceOf(before, after, between)) {
        case Evidence::TooFew: return Change::Unknown;
        case Evidence::WithinSpread: return Change::Same;
        case Evidence::Lower: return isSpeed(figure) ? Change::Worse : Change::Better;
        case Evidence::Higher: return isSpeed(figure) ? Change::Better : Change::Worse;
    }
    return Change::Unknown;
}

Error incomparable(const std::string& why) {
    return Error(Errc::D320, {why});
}

Status checkComparable(const Measurement& before, const Measurement& after) {
    if (!before.model.sameModel(after.model))
        return incomparable("they are of different models, " + before.model.file + " and " +
                            after.model.file);
    if (before.machine != after.machine) return incomparable("they come from different machines");
    if (before.work != after.work) {
        const auto work = [](const Workload& of) {
            return std::to_string(of.promptTokens) + " and " + std::to_string(of.generatedTokens) +
                   " tokens at depth " + std::to_string(of.depth);
        };
        const bool sizes = work(before.work) != work(after.work);
        return incomparable(sizes ? "one computed " + work(before.work) + ", the other " + work(after.work)
                                  : "only one of them used the cache");
    }
    return {};
}

void addDifference(Comparison& comparison, const char* what, const std::string& before,
                   const std::string& after) {
    if (before == after) return;
    const auto shown = [](const std::string& value) { return value.empty() ? std::string("none") : value; };
    comparison.differences.push_back(std::string(what) + ": " + shown(before) + ", then " + shown(after));
}

void findDifferences(Comparison& comparison, const Measurement& before, const Measurement& after) {
    const RunSettings& first = before.settings;
    const RunSettings& second = after.settings;
    const auto number = [&comparison](const char* what, std::uint32_t old, std::uint32_t now) {
        addDifference(comparison, what, std::to_string(old), std::to_string(now));
    };
    addDifference(comparison, "version", before.version, after.version);
    addDifference(comparison, "back end", first.backend, second.backend);
    addDifference(comparison, "device", first.device, second.device);
    addDifference(comparison, "driver", first.driver, second.driver);
    number("threads", first.threads, second.threads);
    number("GPU layers", first.gpuLayers, second.gpuLayers);
    number("context", first.contextTokens, second.contextTokens);
    number("batch", first.batchTokens, second.batchTokens);
    addDifference(comparison, "KV cache", first.kv, second.kv);
    addDifference(comparison, "mapping", first.mmap ? "on" : "off", second.mmap ? "on" : "off");
}

void giveAdvice(Comparison& comparison, const Measurement& before, const Measurement& after) {
    if (before.settings.gpuLayers > after.settings.gpuLayers)
        comparison.advice.push_back(
            "Fewer layers were on the graphics device than before; `gguf doctor` tells why.");
    if (before.settings != after.settings)
        comparison.advice.push_back("The settings differ; with the earlier ones it was faster.");
    if (before.version != after.version)
        comparison.advice.push_back("It was another version of this program; please report the difference.");
    if (before.settings == after.settings)
        comparison.advice.push_back(
            "The settings are the same: close other programs, check power saving and temperature, then "
            "measure "
            "again.");
}

/// Better and worse together are mixed; what is unknown counts only where nothing is known.
std::string_view verdictOf(const std::vector<FigureChange>& figures) {
    const auto any = [&figures](Change change) {
        return std::any_of(figures.begin(), figures.end(),
                           [change](const FigureChange& figure) { return figure.change == change; });
    };
    const bool better = any(Change::Better);
    const bool worse = any(Change::Worse);
    if (better && worse) return "mixed";
    if (better) return "better";
    if (worse) return "worse";
    const bool speedKnown = std::any_of(figures.begin(), figures.end(), [](const FigureChange& figure) {
        return figure.figure != Figure::Memory && figure.change == Change::Same;
    });
    return speedKnown ? "no difference" : "unknown";
}

std::string sentenceOf(const Comparison& comparison) {
    if (comparison.verdict == "unknown")
        return "There are too few samples for a verdict; measure with at least -r 5 on both sides.";
    if (comparison.verdict == "no difference") return "No difference that is larger than the scatter.";
    std::string sentence;
    for (const FigureChange& figure : comparison.figures) {
        if (figure.change != Change::Better && figure.change != Change::Worse) continue;
        const bool more = figure.percent > 0.0;
        sentence += (sentence.empty() ? "" : "; ") + std::string(labelOf(figure.figure)) + ": " +
                    percentText(figure.percent) + (more ? " more " : " less ") +
                    std::string(isSpeed(figure.figure)            ? "tokens per second"
                                : figure.figure == Figure::Memory ? "memory"
                                                                  : "time") +
                    (figure.change == Change::Better ? " (better)" : " (worse)");
    }
    return sentence + ".";
}

std::optional<double> overallOf(const std::vector<FigureChange>& figures) {
    double logarithms = 0.0;
    std::size_t count = 0;
    for (const FigureChange& figure : figures) {
        const bool usable = figure.before.median > 0.0 && figure.after.median > 0.0;
        if (figure.figure == Figure::Memory || !usable) continue;
        const double ratio = figure.after.median / figure.before.median;
        logarithms += std::log(isSpeed(figure.figure) ? ratio : 1.0 / ratio);
        ++count;
    }
    if (count == 0) return std::nullopt;
    return (std::exp(logarithms / static_cast<double>(count)) - 1.0) * 100.0;
}

}  // namespace

std::string_view nameOf(Change change) {
    switch (change) {
        case Change::Unknown: break;
        case Change::Same: return "same";
        case Change::Better: return "better";
        case Change::Worse: return "worse";
    }
    return "unknown";
}

std::string_view nameOf(Figure figure) {
    switch (figure) {
        case Figure::Prompt: return "prompt";
        case Figure::Generation: return "generation";
        case Figure::Load: return "load";
        case Figure::FirstToken: return "first_token";
        case Figure::Memory: break;
    }
    return "memory";
}

std::string_view labelOf(Figure figure) {
    switch (figure) {
        case Figure::Prompt: return "Prompt";
        case Figure::Generation: return "Generation";
        case Figure::Load: return "Load";
        case Figure::FirstToken: return "First token";
        case Figure::Memory: break;
    }
    return "Memory";
}

std::string_view unitOf(Figure figure) {
    if (isSpeed(figure)) return "tokens/s";
    return figure == Figure::Memory ? "bytes" : "ms";
}

bool isSpeed(Figure figure) {
    return figure == Figure::Prompt || figure == Figure::Generation;
}

std::vector<double> samplesOf(const Measurement& measurement, Figure figure) {
    switch (figure) {
        case Figure::Prompt: return measurement.prompt;
        case Figure::Generation: return measurement.generation;
        case Figure::Load: return measurement.loadMs;
        case Figure::FirstToken: return measurement.firstTokenMs;
        case Figure::Memory: break;
    }
    if (measurement.peakMemoryBytes == 0) return {};
    return {static_cast<double>(measurement.peakMemoryBytes)};
}

Result<Comparison> compare(const Measurement& before, const Measurement& after,
                           std::span<const Measurement> earlier) {
    LOADER_CHECK(checkComparable(before, after));
    Comparison comparison;
    for (const Figure figure : kFigures) {
        const std::vector<double> old = samplesOf(before, figure);
        const std::vector<double> now = samplesOf(after, figure);
        if (old.empty() || now.empty()) continue;
        FigureChange change{figure, spreadOf(old), spreadOf(now), 0.0, Change::Unknown};
        change.percent = percentOf(change.before.median, change.after.median);
        change.change = changeOf(figure, old, now, betweenRuns(before, after, earlier, figure));
        comparison.figures.push_back(change);
    }
    if (comparison.figures.empty()) return incomparable("they have no figure in common");
    comparison.overallPercent = overallOf(comparison.figures);
    comparison.verdict = verdictOf(comparison.figures);
    comparison.sentence = sentenceOf(comparison);
    findDifferences(comparison, before, after);
    if (comparison.verdict == "worse" || comparison.verdict == "mixed") giveAdvice(comparison, before, after);
    return comparison;
}

Json comparisonJson(const Comparison& comparison) {
    const auto spreadJson = [](const Spread& spread) {
        return Json{{"median", spread.median}, {"min", spread.least}, {"max", spread.most}};
    };
    Json json = {
        {"verdict", comparison.verdict},
        {"sentence", comparison.sentence},
        {"overall_percent", comparison.overallPercent ? Json(*comparison.overallPercent) : Json(nullptr)},
        {"figures", Json::object()},
        {"differences", comparison.differences},
        {"advice", comparison.advice}};
    for (const FigureChange& figure : comparison.figures) {
        json["figures"][std::string(nameOf(figure.figure))] = {{"unit", unitOf(figure.figure)},
                                                               {"before", spreadJson(figure.before)},
                                                               {"after", spreadJson(figure.after)},
                                                               {"percent", figure.percent},
                                                               {"change", nameOf(figure.change)}};
    }
    return json;
}

std::vector<Regression> regressionsOf(const Measurement& now, std::span<const Measurement> earlier) {
    std::vector<Regression> found;
    for (const Figure figure : kFigures) {
        const std::vector<double> samples = samplesOf(now, figure);
        const std::vector<double> medians = mediansOf(earlier, now, figure);
        if (samples.empty() || medians.size() < kRegressionRuns) continue;
        const Spread usual = spreadOf(medians);
        const double value = spreadOf(samples).median;
        const bool worse = isSpeed(figure)
                               ? value < std::min(usual.median * (1.0 - kRegressionShare), usual.least)
                               : value > std::max(usual.median * (1.0 + kRegressionShare), usual.most);
        if (!worse) continue;
        Regression regression{figure, usual.median, medians.size(), value, percentOf(usual.median, value),
                              {}};
        regression.sentence = std::string(labelOf(figure)) + ": " + valueText(figure, value) + ", " +
                              percentText(regression.percent) + (isSpeed(figure) ? " less" : " more") +
                              " than the usual " + valueText(figure, usual.median) + " of " +
                              std::to_string(medians.size()) + " earlier runs.";
        found.push_back(std::move(regression));
    }
    return found;
}

Json regressionsJson(const std::vector<Regression>& regressions) {
    Json list = Json::array();
    for (const Regression& regression : regressions) {
        list.push_back({{"figure", nameOf(regression.figure)},
                        {"usual", regression.usual},
                        {"runs", regression.runs},
                        {"now", regression.now},
                        {"percent", regression.percent},
                        {"sentence", regression.sentence}});
    }
    return list;
}

}  // namespace loader::app
