// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf bench --history: what was measured, newest last, and what measurements and use say together.

#include <cstdio>

#include "core/app/benchmark/insights.h"
#include "core/app/benchmark/json_fields.h"
#include "core/app/diagnostics/load_log.h"
#include "core/cli/bench_commands.h"
#include "core/cli/bench_records.h"

namespace loader::cli {
namespace {

constexpr std::size_t kMostShown = 30;

std::string lineOf(const app::Measurement& measurement) {
    char text[160];
    std::snprintf(text, sizeof text, "  %9.1f %9.1f tokens/s (%u + %u tokens)  load %.0f ms  %s",
                  app::spreadOf(measurement.prompt).median, app::spreadOf(measurement.generation).median,
                  measurement.work.promptTokens, measurement.work.generatedTokens,
                  app::spreadOf(measurement.loadMs).median, sizeText(measurement.peakMemoryBytes).c_str());
    return app::timeText(measurement.time) + "  " + measurement.model.file + " on " +
           measurement.settings.backend + text + "\n";
}

std::string lineOf(const app::UseTrend& trend) {
    char text[160];
    std::snprintf(text, sizeof text, ": %zu answers, usually %.1f tokens/s, lately %.1f; first token %.0f ms",
                  trend.answers, trend.usualSpeed, trend.recentSpeed, trend.usualFirstTokenMs);
    std::string line = trend.model.file + " on " + trend.settings.backend + text;
    if (trend.gpuBusyPercent) {
        std::snprintf(text, sizeof text, "; GPU %.0f %% busy", *trend.gpuBusyPercent);
        line += text;
    }
    return line + "\n";
}

}  // namespace

Result<int> benchHistory(Context& context) {
    Output& output = context.output;
    if (!context.arguments.operands().empty())
        return Error(Errc::X001, {"gguf bench --history shows all models; it takes no MODEL."});
    const app::History history(dataFolder());
    const app::HistoryContent content = history.read();
    const auto loads = app::LoadLog(logFolder()).last(app::LoadLog::kMostLines);
    const app::Insights insights = app::insightsOf(content, loads);
    if (output.json()) {
        Json json = {{"file", history.path()}, {"measurements", Json::array()}};
        for (const app::Measurement& measurement : content.measurements)
            json["measurements"].push_back(app::measurementJson(measurement));
        json.update(app::insightsJson(insights));
        json["damaged_lines"] = content.damaged;
        json["newer_lines"] = content.newer;
        output.writeJson(json);
        return 0;
    }
    if (content.measurements.empty() && content.uses.empty())
        output.note("Nothing was measured yet: gguf bench MODEL");
    const std::size_t count = content.measurements.size();
    for (std::size_t i = count > kMostShown ? count - kMostShown : 0; i < count; ++i)
        output.write(lineOf(content.measurements[i]));
    if (!insights.trends.empty()) output.write("\nIn use\n");
    for (const app::UseTrend& trend : insights.trends)
        output.write("  " + lineOf(trend));
    if (!insights.sentences.empty()) output.write("\n");
    for (const app::Insight& insight : insights.sentences)
        output.write(insight.weight + ": " + insight.sentence + "\n" +
                     (insight.remedy.empty() ? "" : "  " + insight.remedy + "\n"));
    return 0;
}

}  // namespace loader::cli
