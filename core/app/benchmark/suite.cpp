// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/suite.h"

#include <cstdio>

namespace loader::app {
namespace {

struct Target {
    std::string backend;
    std::string device;
};

std::vector<Target> targetsOf(const SuitePlan& plan, std::span<const BackendCandidate> backends,
                              std::vector<protocol::LoadStep>& passedOver) {
    protocol::LoadRequest request;
    request.backend = plan.backend;
    request.device = plan.device;
    std::vector<Target> targets;
    for (const Link& link : makeChain(request, backends, passedOver))
        targets.push_back({link.backend, link.device});
    // A device that nobody lists (a script, say) is tried because it was named.
    if (targets.empty() && passedOver.empty() && plan.backend != "auto")
        targets.push_back({plan.backend, plan.device});
    return targets;
}

std::string placeOf(const SuiteRow& row) {
    const bool told = !row.device.empty() && row.device != row.backend;
    return told ? row.backend + " on " + row.device : row.backend;
}

const std::vector<double>& speedsOf(const SuiteRow& row) {
    const Measurement& measurement = *row.outcome.measurement;
    return measurement.generation.empty() ? measurement.prompt : measurement.generation;
}

double speedOf(const SuiteRow& row) {
    return spreadOf(speedsOf(row)).median;
}

std::string sentenceOf(const SuiteRow& best, const SuiteRow* second, bool sure) {
    if (!second) return placeOf(best) + " is the only one that ran it.";
    if (!sure) return placeOf(best) + ", but " + placeOf(*second) + " is as fast within the scatter.";
    char text[64];
    std::snprintf(text, sizeof text, "%.2f times the speed of ", speedOf(best) / speedOf(*second));
    return placeOf(best) + ", " + text + placeOf(*second) + ".";
}

/// Of the rows [begin, end), which are of one model.
void judgeModel(SuiteReport& report, std::size_t begin, std::size_t end) {
    const SuiteRow* best = nullptr;
    const SuiteRow* second = nullptr;
    for (std::size_t i = begin; i < end; ++i) {
        const SuiteRow& row = report.rows[i];
        if (!row.outcome.measurement || speedsOf(row).empty()) continue;
        if (!best || speedOf(row) > speedOf(*best)) {
            second = best;
            best = &row;
        } else if (!second || speedOf(row) > speedOf(*second)) {
            second = &row;
        }
    }
    if (!best) return;
    const bool sure = !second || evidenceOf(speedsOf(*second), speedsOf(*best)) == Evidence::Higher;
    report.best.push_back({best->model, static_cast<std::size_t>(best - report.rows.data()), sure,
                           sentenceOf(*best, second, sure)});
}

Json medianJson(const std::vector<double>& samples) {
    return samples.empty() ? Json(nullptr) : Json(spreadOf(samples).median);
}

Json rowJson(const SuiteRow& row) {
    Json json = {{"model", row.model},
                 {"path", row.path},
                 {"backend", row.backend},
                 {"device", row.device},
                 {"status", nameOf(row.outcome.end)},
                 {"prompt_tokens_per_second", nullptr},
                 {"generation_tokens_per_second", nullptr},
                 {"load_ms", nullptr},
                 {"peak_memory_bytes", nullptr},
                 {"seconds", row.outcome.seconds},
                 {"error", nullptr},
                 {"fix", nullptr}};
    if (const auto& measurement = row.outcome.measurement) {
        json["prompt_tokens_per_second"] = medianJson(measurement->prompt);
        json["generation_tokens_per_second"] = medianJson(measurement->generation);
        json["load_ms"] = medianJson(measurement->loadMs);
        json["peak_memory_bytes"] = measurement->peakMemoryBytes;
        json["measurement"] = measurementJson(*measurement);
    }
    if (const auto& fault = row.outcome.fault) {
        json["error"] = {{"code", fault->code}, {"message", fault->message}};
        json["fix"] = fault->action;
    }
    return json;
}

}  // namespace

SuiteReport runSuite(const SuitePlan& plan, std::span<const BackendCandidate> backends, BenchRunner& runner,
                     const SuiteObserver& observer, CancelToken cancel) {
    SuiteReport report;
    const std::vector<Target> targets = targetsOf(plan, backends, report.passedOver);
    const std::size_t total = plan.models.size() * targets.size();
    std::size_t done = 0;
    const auto finish = [&](SuiteRow row) {
        if (observer.ended) observer.ended(row);
        report.rows.push_back(std::move(row));
    };
    for (const SuiteModel& model : plan.models) {
        const std::size_t begin = report.rows.size();
        if (model.fault) {
            finish({model.name, model.path, {}, {}, {BenchEnd::Failed, std::nullopt, model.fault, 0.0}});
            done += targets.size();
            continue;
        }
        for (const Target& target : targets) {
            if (cancel.cancelled()) break;
            SuiteRow row{model.name, model.path, target.backend, target.device, {}};
            if (observer.begins) observer.begins(row, done, total);
            BenchJob job = plan.job;
            job.path = model.path;
            job.backend = target.backend;
            job.device = target.device;
            row.outcome = runner.run(job, cancel);
            ++done;
            finish(std::move(row));
        }
        judgeModel(report, begin, report.rows.size());
    }
    report.cancelled = cancel.cancelled();
    return report;
}

Json suiteJson(const SuiteReport& report) {
    Json json = {{"rows", Json::array()},
                 {"best", Json::array()},
                 {"unavailable", Json::array()},
                 {"cancelled", report.cancelled}};
    for (const SuiteRow& row : report.rows)
        json["rows"].push_back(rowJson(row));
    for (const SuiteBest& best : report.best) {
        json["best"].push_back({{"model", best.model},
                                {"backend", report.rows[best.row].backend},
                                {"device", report.rows[best.row].device},
                                {"sure", best.sure},
                                {"sentence", best.sentence}});
    }
    for (const protocol::LoadStep& step : report.passedOver)
        json["unavailable"].push_back(
            {{"backend", step.backend}, {"device", step.device}, {"reason", step.reason}});
    return json;
}

}  // namespace loader::app
