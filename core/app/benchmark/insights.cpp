// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/insights.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/app/benchmark/comparison.h"
#include "core/app/benchmark/json_fields.h"

namespace loader::app {
namespace {

/// Answers that tell what is usual, and that it has changed.
constexpr std::size_t kFewestBefore = 5;
constexpr std::size_t kFewestAfter = 5;
/// Shorter answers are mostly the first token, whose time is counted elsewhere.
constexpr std::uint64_t kFewestTokens = 8;
/// What is looked back at.
constexpr std::size_t kMostAnswers = 400;
constexpr std::size_t kRecent = 10;
constexpr std::size_t kModelsNamed = 3;

std::string percentText(double percent) {
    return std::to_string(std::lround(std::fabs(percent))) + " %";
}

std::string speedText(double speed) {
    char text[48];
    std::snprintf(text, sizeof text, "%.1f tokens/s", speed);
    return text;
}

double medianOf(const std::vector<double>& samples) {
    return spreadOf(samples).median;
}

/// Answers of one group in the order of time.
using Group = std::vector<const UsageRecord*>;

std::vector<Group> groupsOf(const std::vector<UsageRecord>& uses) {
    std::vector<Group> groups;
    for (const UsageRecord& use : uses) {
        auto group = std::find_if(groups.begin(), groups.end(), [&use](const Group& candidate) {
            return candidate.front()->sameSettings(use);
        });
        if (group == groups.end()) group = groups.insert(groups.end(), Group());
        group->push_back(&use);
    }
    for (Group& group : groups) {
        std::stable_sort(group.begin(), group.end(),
                         [](const UsageRecord* a, const UsageRecord* b) { return a->time < b->time; });
    }
    return groups;
}

/// Where the speeds fall apart best into faster ones and slower ones behind them.
struct Fall {
    std::size_t begin = 0;
    double before = 0.0;
    double after = 0.0;
};

/// Means find the place, because every answer counts (though none for more than twice the median); medians
/// say how far it fell.
std::optional<Fall> fallOf(const std::vector<double>& speeds) {
    std::optional<Fall> best;
    double largest = 0.0;
    const double most = 2.0 * medianOf(speeds);
    double total = 0.0;
    for (const double speed : speeds)
        total += std::min(speed, most);
    double sum = 0.0;
    for (std::size_t at = 1; at + kFewestAfter <= speeds.size(); ++at) {
        sum += std::min(speeds[at - 1], most);
        if (at < kFewestBefore) continue;
        const auto count = static_cast<double>(at);
        const auto rest = static_cast<double>(speeds.size() - at);
        const double weight = (sum / count - (total - sum) / rest) * std::sqrt(count * rest);
        if (weight <= largest) continue;
        largest = weight;
        best = Fall{at, 0.0, 0.0};
    }
    if (!best) return std::nullopt;
    const auto split = speeds.begin() + static_cast<std::ptrdiff_t>(best->begin);
    best->before = medianOf({speeds.begin(), split});
    best->after = medianOf({split, speeds.end()});
    if (best->before <= 0.0 || best->after > best->before * (1.0 - kRegressionShare)) return std::nullopt;
    return best;
}

/// Whether nearly all that came later is slower than nearly all that came before; ranks, so that one answer
/// beside a busy compiler does not decide.
bool isLasting(const std::vector<double>& speeds, const Fall& fall) {
    const auto split = speeds.begin() + static_cast<std::ptrdiff_t>(fall.begin);
    const std::vector<double> before(speeds.begin(), split);
    const std::vector<double> after(split, speeds.end());
    // Every place was tried for the split, so chance had many throws.
    return rankTest(before, after) <= kRankLimit / static_cast<double>(speeds.size());
}

UseTrend trendOf(const Group& group) {
    UseTrend trend;
    trend.model = group.back()->model;
    trend.settings = group.back()->settings;
    trend.answers = group.size();
    trend.first = group.front()->time;
    trend.last = group.back()->time;
    std::vector<double> speeds;
    std::vector<std::int64_t> times;
    std::vector<double> firstTokens;
    double busy = 0.0;
    std::size_t busyCount = 0;
    for (const UsageRecord* use : group) {
        trend.tokens += use->tokens;
        if (use->firstTokenMs) firstTokens.push_back(*use->firstTokenMs);
        if (use->gpuBusyPercent) {
            busy += *use->gpuBusyPercent;
            ++busyCount;
        }
        if (use->tokens < kFewestTokens || use->tokensPerSecond <= 0.0) continue;
        speeds.push_back(use->tokensPerSecond);
        times.push_back(use->time);
    }
    if (speeds.size() > kMostAnswers) {
        const auto more = static_cast<std::ptrdiff_t>(speeds.size() - kMostAnswers);
        speeds.erase(speeds.begin(), speeds.begin() + more);
        times.erase(times.begin(), times.begin() + more);
    }
    trend.usualSpeed = medianOf(speeds);
    trend.recentSpeed = medianOf(
        {speeds.end() - static_cast<std::ptrdiff_t>(std::min(speeds.size(), kRecent)), speeds.end()});
    trend.usualFirstTokenMs = medianOf(firstTokens);
    if (busyCount != 0) trend.gpuBusyPercent = busy / static_cast<double>(busyCount);
    const auto fall = fallOf(speeds);
    if (fall && isLasting(speeds, *fall)) {
        trend.slowerSince = times[fall->begin];
        trend.slowerPercent = (fall->before - fall->after) / fall->before * 100.0;
    }
    return trend;
}

std::vector<ModelUse> modelsOf(const std::vector<UsageRecord>& uses) {
    std::vector<ModelUse> models;
    for (const UsageRecord& use : uses) {
        auto model = std::find_if(models.begin(), models.end(), [&use](const ModelUse& candidate) {
            return candidate.model.sameModel(use.model);
        });
        if (model == models.end()) model = models.insert(models.end(), ModelUse{use.model, 0, 0});
        model->model.file = use.model.file;
        ++model->answers;
        model->tokens += use.tokens;
    }
    std::stable_sort(models.begin(), models.end(),
                     [](const ModelUse& a, const ModelUse& b) { return a.answers > b.answers; });
    return models;
}

/// Of foreign lines only what is there counts.
bool hasFailedStep(const Json& entry) {
    const auto report = entry.find("report");
    if (report == entry.end() || !report->is_object()) return false;
    const auto steps = report->find("steps");
    if (steps == report->end() || !steps->is_array()) return false;
    return std::any_of(steps->begin(), steps->end(), [](const Json& step) {
        return step.is_object() && step.contains("result") && step["result"] == "failed";
    });
}

void countLoads(Insights& insights, const std::vector<Json>& loads) {
    for (const Json& entry : loads) {
        if (!entry.is_object()) continue;
        ++insights.loads;
        const bool loaded = entry.contains("result") && entry["result"] == "loaded";
        insights.failures += loaded ? 0 : 1;
        insights.fallbacks += loaded && hasFailedStep(entry) ? 1 : 0;
    }
}

std::string dayOf(std::int64_t time) {
    return timeText(time).substr(0, 10);
}

void addSentences(Insights& insights, const HistoryContent& history) {
    for (const UseTrend& trend : insights.trends) {
        if (!trend.slowerSince) continue;
        insights.sentences.push_back(
            {"warning", "slower",
             trend.model.file + " on " + trend.settings.backend + " is " + percentText(trend.slowerPercent) +
                 " slower than usual since " + dayOf(*trend.slowerSince) + " (" +
                 speedText(trend.recentSpeed) + " now).",
             "Close other programs, check power saving and temperature, and measure again with: gguf bench " +
                 trend.model.file + " --compare"});
    }
    for (std::size_t i = 0; i < history.measurements.size(); ++i) {
        const Measurement& latest = history.measurements[i];
        const auto isLater = [&latest](const Measurement& other) { return other.sameSettings(latest); };
        const auto rest = history.measurements.begin() + static_cast<std::ptrdiff_t>(i) + 1;
        if (std::any_of(rest, history.measurements.end(), isLater)) continue;
        const std::span<const Measurement> earlier(history.measurements.data(), i);
        for (const Regression& regression : regressionsOf(latest, earlier))
            insights.sentences.push_back({"warning", "regression",
                                          latest.model.file + " on " + latest.settings.backend + ", " +
                                              dayOf(latest.time) + ": " + regression.sentence,
                                          "Measure again; where it stays, look at what changed since."});
    }
    if (insights.fallbacks != 0) {
        insights.sentences.push_back(
            {"warning", "fallbacks",
             std::to_string(insights.fallbacks) + " of the last " + std::to_string(insights.loads) +
                 " loads ran somewhere else than at first tried, because a back end failed.",
             "`gguf doctor` lists the loads with their reasons."});
    }
    std::string names;
    for (std::size_t i = 0; i < std::min(insights.models.size(), kModelsNamed); ++i)
        names += (names.empty() ? "" : ", ") + insights.models[i].model.file + " (" +
                 std::to_string(insights.models[i].answers) + ")";
    if (!names.empty())
        insights.sentences.push_back({"note", "most-used", "Most answers came from " + names + ".", ""});
    if (history.damaged != 0)
        insights.sentences.push_back(
            {"note", "damaged",
             std::to_string(history.damaged) + " lines of the history could not be read and were left out.",
             ""});
}

}  // namespace

Insights insightsOf(const HistoryContent& history, const std::vector<Json>& loads) {
    Insights insights;
    for (const Group& group : groupsOf(history.uses))
        insights.trends.push_back(trendOf(group));
    insights.models = modelsOf(history.uses);
    countLoads(insights, loads);
    addSentences(insights, history);
    return insights;
}

Json insightsJson(const Insights& insights) {
    Json json = {
        {"insights", Json::array()},
        {"trends", Json::array()},
        {"models", Json::array()},
        {"loads",
         {{"count", insights.loads}, {"fallbacks", insights.fallbacks}, {"failures", insights.failures}}}};
    for (const Insight& insight : insights.sentences)
        json["insights"].push_back({{"weight", insight.weight},
                                    {"id", insight.id},
                                    {"sentence", insight.sentence},
                                    {"remedy", insight.remedy}});
    for (const UseTrend& trend : insights.trends) {
        json["trends"].push_back(
            {{"model", trend.model.file},
             {"settings", settingsJson(trend.settings)},
             {"answers", trend.answers},
             {"tokens", trend.tokens},
             {"first", timeText(trend.first)},
             {"last", timeText(trend.last)},
             {"tokens_per_second", {{"usual", trend.usualSpeed}, {"recent", trend.recentSpeed}}},
             {"first_token_ms", trend.usualFirstTokenMs},
             {"gpu_busy_percent", trend.gpuBusyPercent ? Json(*trend.gpuBusyPercent) : Json(nullptr)},
             {"slower_since", trend.slowerSince ? Json(timeText(*trend.slowerSince)) : Json(nullptr)}});
    }
    for (const ModelUse& model : insights.models)
        json["models"].push_back(
            {{"file", model.model.file}, {"answers", model.answers}, {"tokens", model.tokens}});
    return json;
}

}  // namespace loader::app
