// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf recommend: settings for a model on this machine, each with its reason, and the speed to expect.
// --measure tries a few, --apply keeps them for the model, --revert takes that back.

#include <QCoreApplication>
#include <cstdio>

#include "core/app/benchmark/config_model_settings.h"
#include "core/app/benchmark/optimiser.h"
#include "core/app/models/recommendation.h"
#include "core/cli/bench_records.h"
#include "core/cli/configuration.h"
#include "core/cli/planning.h"
#include "core/engine/base/thread_pool.h"
#include "core/host/ceilings.h"

namespace loader::cli {
namespace {

/// About a tenth of a second.
Result<app::MachineSpeed> measureMachine(const PlannedModel& model, CancelToken cancel) {
    host::CeilingPlan plan;
    plan.threads = model.settings.threads;
    plan.workingSetBytes = model.facts.tokenBytes;
    plan.quick = true;
    LOADER_TRY(const host::Ceilings ceilings, host::measureCeilings(plan, cancel));
    return app::MachineSpeed{ceilings.memoryReadBytesPerSecond, ceilings.workingSetReadBytesPerSecond,
                             ceilings.int8OpsPerSecond, ceilings.int16OpsPerSecond,
                             ceilings.f32FlopsPerSecond};
}

std::string placeOf(const PlannedModel& model, const app::Verdict& verdict) {
    if (!verdict.device || verdict.gpuLayers == 0) return model.settings.processor;
    return model.situation.devices[*verdict.device].backend;
}

Json adviceJson(const PlannedModel& model, const app::Recommendation& advice) {
    const auto entry = [](Json value, const std::string& reason) {
        return Json{{"value", std::move(value)}, {"reason", reason}};
    };
    Json json = {{"backend", entry(placeOf(model, advice.verdict), advice.backendReason)},
                 {"gpu_layers", entry(advice.verdict.gpuLayers, advice.layersReason)},
                 {"context", entry(advice.settings.contextTokens, advice.contextReason)},
                 {"threads", entry(advice.settings.threads, advice.threadsReason)},
                 {"batch", entry(advice.settings.batchTokens, advice.batchReason)}};
    json["expected"] = nullptr;
    if (advice.speed) {
        json["expected"] = {{"prompt_tokens_per_second", advice.speed->promptTokensPerSecond},
                            {"generation_tokens_per_second", advice.speed->firstTokensPerSecond},
                            {"generation_tokens_per_second_full_context", advice.speed->lastTokensPerSecond},
                            {"basis", advice.speed->basis}};
    }
    PlannedModel chosen = model;
    chosen.settings = advice.settings;
    json["estimate"] = estimateJson(chosen, advice.verdict);
    return json;
}

void printAdvice(Output& output, const PlannedModel& model, const app::Recommendation& advice) {
    const auto line = [&output](const std::string& what, const std::string& value,
                                const std::string& reason) {
        output.write(what + std::string(what.size() < 12 ? 12 - what.size() : 1, ' ') + value +
                     std::string(value.size() < 10 ? 10 - value.size() : 1, ' ') + reason + "\n");
    };
    line("Back end", placeOf(model, advice.verdict), advice.backendReason);
    line("GPU layers", std::to_string(advice.verdict.gpuLayers), advice.layersReason);
    line("Context", std::to_string(advice.settings.contextTokens), advice.contextReason);
    line("Threads", std::to_string(advice.settings.threads), advice.threadsReason);
    line("Batch", std::to_string(advice.settings.batchTokens), advice.batchReason);
    if (advice.speed) {
        char text[200];
        std::snprintf(text, sizeof text,
                      "Expected: %.1f tokens/s for prompts, %.1f tokens/s for answers, %.1f with a full "
                      "context.\n",
                      advice.speed->promptTokensPerSecond, advice.speed->firstTokensPerSecond,
                      advice.speed->lastTokensPerSecond);
        output.write(text + advice.speed->basis + "\n");
    }
    output.write(advice.verdict.sentence + "\n");
}

constexpr std::uint32_t kSweepPrompt = 32;
constexpr std::uint32_t kSweepAnswer = 16;
constexpr std::uint32_t kSweepRepetitions = 5;

app::BenchJob sweepJob(const PlannedModel& model, const Arguments& arguments) {
    app::BenchJob job;
    job.path = model.request.path;
    job.backend = model.request.backend;
    job.device = model.request.device;
    job.gpuLayers = arguments.text("gpu-layers").value_or("");
    job.threads = model.request.threads;
    job.kv = arguments.text("kv").value_or("");
    job.mmap = model.request.useMmap;
    job.architecture = model.request.architecture;
    job.words = configurationWords(arguments);
    job.promptTokens = kSweepPrompt;
    job.generatedTokens = kSweepAnswer;
    job.repetitions = kSweepRepetitions;
    return job;
}

/// At most a minute.
app::SweepReport measureSettings(Context& context, const PlannedModel& model) {
    const app::MachineIdentity machine = app::thisMachine();
    const app::SweepPlan plan{sweepJob(model, context.arguments), machine.cores, machine.threads};
    app::ProcessBenchRunner runner(QCoreApplication::applicationFilePath().toStdString());
    ProgressLine progress("Trying settings");
    return app::sweep(
        plan, runner,
        [&progress](const std::string& next, std::size_t done, std::size_t total) {
            progress.show(done, total, ", " + next);
        },
        context.cancel);
}

void printSweep(Output& output, const app::SweepReport& sweep) {
    output.write("\nTried\n");
    for (const app::SweepStep& step : sweep.steps) {
        char text[120] = "";
        if (const auto& measured = step.outcome.measurement) {
            std::snprintf(text, sizeof text, "%9.1f tokens/s for prompts, %9.1f for answers",
                          app::spreadOf(measured->prompt).median, app::spreadOf(measured->generation).median);
        }
        std::string line = "  " + step.words;
        line += std::string(line.size() < 30 ? 30 - line.size() : 1, ' ') + text;
        if (step.outcome.fault) line += step.outcome.fault->code + " " + step.outcome.fault->message;
        output.write(line + "\n");
    }
    if (sweep.cutShort) output.write("  The time was up before all was tried.\n");
}

void printProposals(Output& output, const std::vector<app::Proposal>& proposals) {
    output.write("\nProposed for this model\n");
    for (const app::Proposal& proposal : proposals) {
        output.write("  " + proposal.key + " = " + proposal.value.dump() + "  " + proposal.reason +
                     (proposal.effect.empty() ? "" : " (" + proposal.effect + ")") + "\n");
    }
}

void printChanges(Output& output, const std::vector<app::SettingChange>& changes) {
    if (changes.empty()) output.write("All of it is what the model has anyway.\n");
    const auto shown = [](const Json& value) {
        return value.is_null() ? std::string("default") : value.dump();
    };
    for (const app::SettingChange& change : changes) {
        output.write(
            "  " + change.key + ": " + shown(change.before) +
            (change.leftAlone ? ", left alone: it was changed since" : " -> " + shown(change.after)) + "\n");
    }
}

/// What `gguf recommend --revert` does.
Result<int> revertSettings(Context& context) {
    LOADER_TRY(const std::string path, modelPath(context));
    app::ConfigModelSettings settings(configuration(context).store(), path);
    LOADER_TRY(const auto changes, app::AppliedSettings(dataFolder()).revert(settings));
    if (context.output.json()) {
        context.output.writeJson({{"model", path}, {"reverted", app::changesJson(changes)}});
        return 0;
    }
    context.output.write("Taken back\n");
    printChanges(context.output, changes);
    return 0;
}

struct Advice {
    app::Recommendation recommendation;
    std::optional<app::SweepReport> sweep;
    std::vector<app::Proposal> proposals;
    std::optional<std::vector<app::SettingChange>> applied;
};

Result<Advice> adviceOn(Context& context, const PlannedModel& model) {
    Advice advice;
    LOADER_TRY(const app::MachineSpeed machine, measureMachine(model, context.cancel));
    app::LoadSettings wanted = model.settings;
    wanted.threads = model.request.threads;
    advice.recommendation = app::recommend(model.facts, wanted, model.wish, model.situation, model.margins,
                                           machine, static_cast<std::uint32_t>(physicalCores()));
    applyMemoryLimit(model, advice.recommendation.verdict);
    if (context.arguments.has("measure")) advice.sweep = measureSettings(context, model);
    LOADER_CHECK(context.cancel.check());
    LOADER_TRY(const app::ModelIdentity identity, app::identityOf(model.request.path));
    const app::UsageProfile profile = app::profileOf(app::History(dataFolder()).read().uses, identity);
    advice.proposals =
        app::propose({model.facts, advice.recommendation, profile, advice.sweep ? &*advice.sweep : nullptr});
    if (!context.arguments.has("apply")) return advice;
    app::ConfigModelSettings settings(configuration(context).store(), model.request.path);
    LOADER_TRY(advice.applied, app::AppliedSettings(dataFolder()).apply(advice.proposals, settings));
    return advice;
}

}  // namespace

Result<int> recommendCommand(Context& context) {
    const Arguments& arguments = context.arguments;
    if (arguments.has("revert")) {
        if (arguments.has("apply") || arguments.has("measure"))
            return Error(Errc::X001, {"--revert takes back what --apply did; give one of them."});
        return revertSettings(context);
    }
    LOADER_TRY(PlannedModel model, planModel(context));
    LOADER_TRY(const Advice advice, adviceOn(context, model));
    const std::string unsupported = unsupportedText(model);
    if (context.output.json()) {
        Json json = adviceJson(model, advice.recommendation);
        if (!unsupported.empty()) json["estimate"]["sentence"] = unsupported;
        json["proposals"] = app::proposalsJson(advice.proposals);
        if (advice.sweep) json["sweep"] = app::sweepJson(*advice.sweep);
        if (advice.applied) json["applied"] = app::changesJson(*advice.applied);
        context.output.writeJson(json);
        return 0;
    }
    printAdvice(context.output, model, advice.recommendation);
    if (!unsupported.empty()) context.output.write(unsupported + "\n");
    if (advice.sweep) printSweep(context.output, *advice.sweep);
    printProposals(context.output, advice.proposals);
    if (advice.applied) {
        context.output.write("\nApplied; take it back with: gguf recommend MODEL --revert\n");
        printChanges(context.output, *advice.applied);
    }
    return 0;
}

}  // namespace loader::cli
