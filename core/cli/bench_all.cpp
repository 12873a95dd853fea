// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf bench --all: every model of the library, or the one that is named, on every back end and device, each
// in a process of its own. Less is computed than by `gguf bench MODEL`, unless the options ask for more.

#include <QCoreApplication>
#include <cstdio>

#include "core/app/benchmark/suite.h"
#include "core/cli/bench_commands.h"
#include "core/cli/bench_records.h"

namespace loader::cli {
namespace {

Result<app::BenchJob> jobOf(const Context& context) {
    const Arguments& arguments = context.arguments;
    app::BenchJob job;
    LOADER_TRY(const BenchPlan asked, readPlan(arguments));
    if (arguments.has("depth") || arguments.has("no-kv-cache") || arguments.has("no-warm-up"))
        return Error(Errc::X001, {"--all measures prompts and answers alone: leave out --depth, "
                                  "--no-kv-cache and --no-warm-up."});
    if (arguments.has("prompt")) job.promptTokens = asked.prompt;
    if (arguments.has("generate")) job.generatedTokens = asked.generate;
    if (arguments.has("repetitions")) job.repetitions = asked.repetitions;
    if (arguments.has("first-token-runs")) job.firstTokenRuns = asked.firstTokenRuns;
    LOADER_TRY(const auto threads, arguments.number("threads", 1, 1024));
    LOADER_TRY(const auto batch, arguments.number("batch", 1, 65536));
    job.threads = static_cast<std::uint32_t>(threads.value_or(0));
    job.batchTokens = static_cast<std::uint32_t>(batch.value_or(0));
    job.gpuLayers = arguments.text("gpu-layers").value_or("auto");
    job.kv = arguments.text("kv").value_or("");
    job.words = configurationWords(arguments);
    job.mmap = !arguments.has("no-mmap");
    job.architecture = arguments.text("architecture").value_or("");
    return job;
}

Result<std::vector<app::SuiteModel>> modelsOf(const Context& context) {
    std::vector<app::SuiteModel> models;
    if (!context.arguments.operands().empty()) {
        LOADER_TRY(const std::string path, modelPath(context));
        models.push_back({context.arguments.operands().front(), path, std::nullopt});
        return models;
    }
    app::ModelLibrary library(libraryOptions(context));
    LOADER_TRY(const app::LibrarySnapshot* found, library.refresh({}, context.cancel));
    for (const app::LibraryEntry& entry : found->entries) {
        if (entry.kind != app::LibraryKind::Model) continue;
        std::optional<app::BenchFault> fault;
        if (entry.fault) fault = app::benchFault(*entry.fault);
        models.push_back({entry.name, entry.path, std::move(fault)});
    }
    return models;
}

std::string rowText(const app::SuiteRow& row) {
    std::string place = row.backend;
    if (!row.device.empty() && row.device != row.backend) place += " " + row.device;
    std::string line = column(row.model, 28) + " " + column(place, 24) + " " +
                       column(std::string(nameOf(row.outcome.end)), 10) + " ";
    if (const auto& measurement = row.outcome.measurement) {
        char text[160];
        std::snprintf(
            text, sizeof text, "%10.2f %10.2f tokens/s  load %8.1f ms  %s",
            app::spreadOf(measurement->prompt).median, app::spreadOf(measurement->generation).median,
            app::spreadOf(measurement->loadMs).median, sizeText(measurement->peakMemoryBytes).c_str());
        line += text;
    }
    line += "\n";
    if (const auto& fault = row.outcome.fault)
        line += "    " + fault->code + " " + fault->message + " " + fault->action + "\n";
    return line;
}

struct Kept {
    Json json = Json::array();
    std::string text;
};

/// Saves, compares and remembers each row that was measured.
Result<Kept> keep(BenchRecords& records, const app::SuiteReport& report) {
    Kept kept;
    for (const app::SuiteRow& row : report.rows) {
        if (!row.outcome.measurement) continue;
        auto said = records.add(*row.outcome.measurement);
        Json entry = {{"model", row.model}, {"backend", row.backend}, {"device", row.device}};
        // A model that is new has nothing to be compared with: that is no reason to leave out the others.
        if (!said.ok() && said.error().code() != Errc::D320) return std::move(said).error();
        if (said.ok()) {
            entry.update(*said);
            if (!records.text().empty())
                kept.text += "\n" + row.model + " on " + row.backend + ":" +
                             (records.text().front() == '\n' ? "" : "\n") + records.text();
        } else {
            entry["error"] = errorJson(said.error());
            kept.text += "\n" + row.model + " on " + row.backend + ": " + said.error().message() + "\n";
        }
        kept.json.push_back(std::move(entry));
    }
    return kept;
}

void printEnd(Output& output, const app::SuiteReport& report) {
    if (!report.best.empty()) output.write("\nBest for each model\n");
    for (const app::SuiteBest& best : report.best)
        output.write("  " + column(best.model, 28) + " " + best.sentence + "\n");
    if (!report.passedOver.empty()) output.write("\nNot available\n");
    for (const protocol::LoadStep& step : report.passedOver)
        output.write("  " + step.backend + (step.device.empty() ? "" : " " + step.device) + ": " +
                     step.reason + "\n");
}

}  // namespace

Result<int> benchAll(Context& context) {
    Output& output = context.output;
    app::SuitePlan plan;
    LOADER_TRY(plan.job, jobOf(context));
    LOADER_TRY(plan.models, modelsOf(context));
    plan.backend = context.arguments.text("backend").value_or("auto");
    plan.device = context.arguments.text("device").value_or("");
    LOADER_TRY(BenchRecords records, BenchRecords::open(context));
    LOADER_TRY(const auto backends, app::probeAll(workerOptions(), probeMemory(false), context.cancel));
    if (plan.models.empty()) output.note("The library is empty: there is nothing to measure.");

    app::ProcessBenchRunner runner(QCoreApplication::applicationFilePath().toStdString());
    ProgressLine progress("Measuring");
    app::SuiteObserver observer;
    observer.begins = [&progress](const app::SuiteRow& next, std::size_t done, std::size_t total) {
        progress.show(done, total, " " + next.model + " on " + next.backend);
    };
    observer.ended = [&progress, &output](const app::SuiteRow& row) {
        progress.clear();
        if (!output.json()) output.write(rowText(row));
    };
    const app::SuiteReport report = runSuite(plan, backends, runner, observer, context.cancel);
    progress.clear();
    LOADER_TRY(const Kept kept, keep(records, report));
    if (output.json()) {
        Json json = app::suiteJson(report);
        json["records"] = kept.json;
        output.writeJson(json);
    } else {
        printEnd(output, report);
        output.write(kept.text);
    }
    return report.cancelled ? 130 : 0;
}

}  // namespace loader::cli
