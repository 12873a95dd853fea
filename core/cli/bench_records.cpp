// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/bench_records.h"

#include <cstdio>

#include "core/app/benchmark/json_fields.h"

namespace loader::cli {
namespace {

/// The file of an option whose value may be left out; nothing where the option is not there.
std::optional<std::string> fileOf(const Context& context, const char* option) {
    if (!context.arguments.has(option)) return std::nullopt;
    const auto named = context.arguments.text(option);
    if (named && !named->empty()) return named;
    return dataFolder() + "/" + app::Baseline::kFileName;
}

std::string valueText(app::Figure figure, double value) {
    if (figure == app::Figure::Memory) return sizeText(static_cast<std::uint64_t>(value));
    char text[48];
    std::snprintf(text, sizeof text, "%.2f %s", value, std::string(unitOf(figure)).c_str());
    return text;
}

std::string comparisonText(const app::Comparison& comparison) {
    std::string text = "\nCompared with the baseline\n";
    for (const app::FigureChange& figure : comparison.figures) {
        char line[200];
        std::snprintf(line, sizeof line, "%-12s %16s -> %16s  %+7.1f %%  %s\n",
                      std::string(labelOf(figure.figure)).c_str(),
                      valueText(figure.figure, figure.before.median).c_str(),
                      valueText(figure.figure, figure.after.median).c_str(), figure.percent,
                      std::string(nameOf(figure.change)).c_str());
        text += line;
    }
    if (comparison.overallPercent) {
        char line[80];
        std::snprintf(line, sizeof line, "%-12s %+.1f %% (positive is faster)\n", "Overall",
                      *comparison.overallPercent);
        text += line;
    }
    text += "Verdict      " + std::string(comparison.verdict) + ": " + comparison.sentence + "\n";
    for (const std::string& difference : comparison.differences)
        text += "Differs      " + difference + "\n";
    for (const std::string& advice : comparison.advice)
        text += "Advice       " + advice + "\n";
    return text;
}

}  // namespace

Result<BenchRecords> BenchRecords::open(const Context& context) {
    BenchRecords records;
    records.m_savePath = fileOf(context, "save");
    records.m_comparePath = fileOf(context, "compare");
    records.m_keepsHistory = !context.arguments.has("no-history");
    records.m_history = app::History(dataFolder());
    if (records.m_comparePath) {
        auto before = app::Baseline::read(*records.m_comparePath);
        const bool absent = !before.ok() && before.error().code() == Errc::F802;
        if (absent) return Error(Errc::D320, {"there is no baseline yet"}, *records.m_comparePath);
        if (!before.ok()) return std::move(before).error();
        records.m_before = std::move(before).value();
    }
    // A file that cannot be read is told before a minute is spent on measuring.
    if (records.m_savePath) LOADER_CHECK(app::Baseline::readOrNew(*records.m_savePath));
    if (records.m_keepsHistory) records.m_content = records.m_history.read();
    return records;
}

Status BenchRecords::checkComparable(const app::Measurement& planned) const {
    if (!m_comparePath || m_before.find(planned)) return {};
    for (const app::Measurement& known : m_before.measurements()) {
        if (!known.model.sameModel(planned.model)) continue;
        LOADER_CHECK(app::compare(known, planned));
    }
    return Error(Errc::D320, {"the baseline has nothing of this model"}, *m_comparePath);
}

Status BenchRecords::save(const app::Measurement& measurement, Json& json) {
    // Read again: another process may have added to it meanwhile.
    LOADER_TRY(app::Baseline baseline, app::Baseline::readOrNew(*m_savePath));
    LOADER_CHECK(baseline.put(measurement));
    LOADER_CHECK(baseline.write(*m_savePath));
    json["saved"] = *m_savePath;
    m_text += "Saved        " + *m_savePath + "\n";
    return {};
}

Result<Json> BenchRecords::add(const app::Measurement& measurement) {
    Json json = Json::object();
    m_text.clear();
    if (m_comparePath) {
        const app::Measurement* before = m_before.find(measurement);
        if (!before) return Error(Errc::D320, {"the baseline has nothing of this model"}, *m_comparePath);
        LOADER_TRY(const app::Comparison comparison,
                   app::compare(*before, measurement, m_content.measurements));
        json["comparison"] = app::comparisonJson(comparison);
        json["comparison"]["baseline"] = {
            {"file", *m_comparePath}, {"time", app::timeText(before->time)}, {"version", before->version}};
        m_text += comparisonText(comparison);
    }
    const std::vector<app::Regression> regressions = app::regressionsOf(measurement, m_content.measurements);
    json["regressions"] = app::regressionsJson(regressions);
    for (const app::Regression& regression : regressions)
        m_text += std::string("Warning      ") +
                  (regression.figure == app::Figure::Memory ? "more memory" : "slower") + " than usual. " +
                  regression.sentence + "\n";
    if (m_keepsHistory)
        ignoreErrorBecause("a history may have gaps; what was measured is shown all the same",
                           m_history.append(measurement));
    if (m_savePath) LOADER_CHECK(save(measurement, json));
    return json;
}

std::vector<std::string> configurationWords(const Arguments& arguments) {
    std::vector<std::string> words;
    if (arguments.has("no-config")) words.push_back("--no-config");
    if (const auto preset = arguments.text("preset")) words.insert(words.end(), {"--preset", *preset});
    return words;
}

app::Measurement plannedMeasurement(const BenchPlan& plan, app::ModelIdentity model) {
    app::Measurement measurement;
    measurement.time = app::currentTime();
    measurement.version = LOADER_VERSION;
    measurement.model = std::move(model);
    measurement.machine = app::thisMachine();
    measurement.work = {plan.prompt, plan.generate, plan.depth, plan.keepCache};
    return measurement;
}

}  // namespace loader::cli
