// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf bench: speeds, times and memory of a model, and which part of this machine's ceilings they reach. The
// time to the first token is that of fresh child processes, from their start to the first token of a
// 128-token prompt. The ceilings are measured before and after the model, in child processes too, and the
// larger figures count: two virtual processors may share a core for a while, and a ceiling taken in such a
// moment would lie below what the model reached in a better one. Where it still does, it is measured again.

#include <algorithm>
#include <cstdio>

#include "core/app/benchmark/gpu_use.h"
#include "core/app/benchmark/json_fields.h"
#include "core/cli/bench_ceilings.h"
#include "core/cli/bench_commands.h"
#include "core/cli/bench_records.h"
#include "core/engine/base/device_properties.h"
#include "core/engine/base/memory_facts.h"

namespace loader::cli {
namespace {

/// How often the ceilings are measured at most after the model.
constexpr int kCeilingRounds = 8;

/// @param share of the ceiling; null where none was measured
Json speedJson(std::uint32_t tokens, const std::vector<double>& values, const Json& share) {
    const app::Spread spread = app::spreadOf(values);
    return {{"tokens", tokens},
            {"tokens_per_second", {{"median", spread.median}, {"min", spread.least}, {"max", spread.most}}},
            {"share", share}};
}

void printTable(Output& output, const Json& result, const host::Ceilings& ceilings,
                const PromptCeiling& against) {
    const auto line = [&output](const char* what, const Json& speed, const char* ceiling) {
        char text[200];
        const Json& rate = speed["tokens_per_second"];
        std::snprintf(text, sizeof text, "%-12s %6u tokens  %10.2f tokens/s  (min %.2f, max %.2f)", what,
                      speed["tokens"].get<unsigned>(), rate["median"].get<double>(),
                      rate["min"].get<double>(), rate["max"].get<double>());
        output.write(text);
        if (speed["share"].is_number()) {
            std::snprintf(text, sizeof text, "  %5.1f %% of %s", speed["share"].get<double>() * 100.0,
                          ceiling);
            output.write(text);
        }
        output.write("\n");
    };
    output.write("Model        " + result["model"].get<std::string>() + "\nBack end     " +
                 result["backend"].get<std::string>() + " on " + result["device"].get<std::string>() +
                 (against.key != nullptr ? ", " + result["threads"].dump() + " threads" : "") + "\n");
    line("Prompt", result["prompt"], against.name);
    line("Generation", result["generation"], "read bandwidth");
    char text[400];
    std::snprintf(text, sizeof text, "Depth        %u\nLoad         %.1f ms\n",
                  result["depth"].get<unsigned>(), result["load_ms"].get<double>());
    output.write(text);
    if (result["first_token_ms"].is_number()) {
        std::snprintf(text, sizeof text, "First token  %.1f ms (process start, 128-token prompt)\n",
                      result["first_token_ms"].get<double>());
        output.write(text);
    }
    std::snprintf(text, sizeof text, "Memory       %s at most\n",
                  sizeText(result["peak_memory_bytes"].get<std::uint64_t>()).c_str());
    output.write(text);
    if (against.key == nullptr) {
        const bool onProcessor = result["threads"].get<unsigned>() != 0;
        output.write(onProcessor ? "Ceilings     not measured\n"
                                 : "Ceilings     those of a device are not measured\n");
        return;
    }
    std::snprintf(text, sizeof text, "Ceilings     %s, %.2f GB/s on the model's own size\n",
                  ceilingsText(ceilings).c_str(), ceilings.workingSetReadBytesPerSecond / 1e9);
    output.write(text);
}

/// What a driver is, from what its back end tells of the device.
std::string driverOf(const Loaded& loaded) {
    const host::LoadReport& report = loaded.model->report();
    const auto backend = loaded.registry->open(report.backend);
    if (!backend.ok()) return {};
    const auto device = (*backend)->device(report.device);
    if (!device.ok()) return {};
    std::string driver;
    for (const auto& [key, value] : device->properties) {
        const bool tells = key == device_properties::kDriver || key == device_properties::kDriverVersion;
        if (tells) driver += (driver.empty() ? "" : " ") + value;
    }
    return app::plainText(driver);
}

struct Measured {
    Speeds speeds;
    Judged judged;
    host::Ceilings ceilings;
    /// Whether the ceilings mean anything.
    bool hasCeilings = false;
    std::optional<double> gpuBusyPercent;
};

Result<Measured> measure(const Loaded& loaded, const host::LoadRequest& request, const BenchPlan& plan,
                         bool wantsCeilings, CancelToken cancel) {
    host::LoadedModel& model = *loaded.model;
    const unsigned threads = model.report().threads;
    const host::ModelWork work = host::workOf(model.program());
    Measured measured;
    // The ceilings are the processor's; a device has others, which nobody measures here.
    measured.hasCeilings = wantsCeilings && threads != 0;
    if (measured.hasCeilings) {
        LOADER_TRY(measured.ceilings, ceilingsByChild(threads, work.weightBytes, cancel));
    }
    const bool onDevice = threads == 0 || model.report().gpuLayers != 0;
    app::GpuUseMonitor monitor(onDevice ? app::systemGpuUse() : nullptr);
    if (onDevice) monitor.start();
    LOADER_TRY(measured.speeds, measureSpeeds(model, plan, cancel));
    measured.gpuBusyPercent = monitor.stop();
    const double kv =
        plan.keepCache
            ? static_cast<double>(host::kvBytes(model.program(), request.kv, plan.depth + plan.generate / 2))
            : 0.0;
    int round = 0;
    while (measured.hasCeilings && (round == 0 || (measured.judged.exceeds() && round < kCeilingRounds))) {
        LOADER_TRY(const host::Ceilings again, ceilingsByChild(threads, work.weightBytes, cancel));
        measured.ceilings = host::larger(measured.ceilings, again);
        measured.judged = judge(plan, measured.speeds, measured.ceilings, work, kv);
        ++round;
    }
    return measured;
}

Json resultJson(const Loaded& loaded, const host::LoadRequest& request, const BenchPlan& plan,
                const Measured& measured, const app::Measurement& measurement) {
    const host::LoadReport& report = loaded.model->report();
    const bool judged = measured.hasCeilings;
    const auto share = [judged](double value) { return judged ? Json(value) : Json(); };
    const std::vector<double>& first = measurement.firstTokenMs;
    return {{"model", loaded.model->name()},
            {"backend", report.backend},
            {"device", report.device},
            {"threads", report.threads},
            {"prompt", speedJson(plan.prompt, measured.speeds.prompt, share(measured.judged.promptShare))},
            {"generation",
             speedJson(plan.generate, measured.speeds.generation, share(measured.judged.generationShare))},
            {"depth", plan.depth},
            {"load_ms", report.loadMilliseconds},
            {"first_token_ms", first.empty() ? Json() : Json(app::spreadOf(first).median)},
            {"peak_memory_bytes", measurement.peakMemoryBytes},
            {"weight_bytes", host::workOf(loaded.model->program()).weightBytes},
            {"prompt_ceiling", judged ? Json(measured.judged.against.key) : Json()},
            {"ceilings", judged ? ceilingsJson(measured.ceilings) : Json()},
            {"load_report", reportJson(report, request)},
            {"measurement", app::measurementJson(measurement)}};
}

Result<BenchPlan> planOf(Context& context, host::LoadRequest& request) {
    LOADER_TRY(BenchPlan plan, readPlan(context.arguments));
    LOADER_CHECK(fitToPositions(context.arguments, request.path, plan));
    const std::uint32_t longest = std::max({plan.prompt, plan.depth + plan.generate, 1u});
    if (request.contextTokens != 0 && request.contextTokens < longest)
        return Error(Errc::R902, {std::to_string(longest), std::to_string(request.contextTokens)});
    if (request.contextTokens == 0) request.contextTokens = longest;
    return plan;
}

Result<int> benchOne(Context& context) {
    LOADER_TRY(host::LoadRequest request, loadRequest(context));
    // The context of a measurement follows from what is measured, not from what answers usually get.
    if (!context.arguments.has("context")) request.contextTokens = 0;
    if (context.arguments.has("first-token-probe")) return firstTokenProbe(context, request);
    LOADER_TRY(const BenchPlan plan, planOf(context, request));
    LOADER_TRY(app::ModelIdentity identity, app::identityOf(request.path));
    app::Measurement measurement = plannedMeasurement(plan, std::move(identity));
    LOADER_TRY(BenchRecords records, BenchRecords::open(context));
    LOADER_CHECK(records.checkComparable(measurement));

    LOADER_TRY(FirstTokens first, measureFirstTokens(plan.firstTokenRuns, context.cancel));
    LOADER_TRY(const Loaded loaded, loadModel(context, request));
    const bool wantsCeilings = !context.arguments.has("no-ceilings");
    LOADER_TRY(const Measured measured, measure(loaded, request, plan, wantsCeilings, context.cancel));
    measurement.settings = app::settingsOf(request, loaded.model->report());
    measurement.settings.driver = driverOf(loaded);
    measurement.prompt = measured.speeds.prompt;
    measurement.generation = measured.speeds.generation;
    measurement.loadMs = std::move(first.loads);
    measurement.loadMs.push_back(loaded.model->report().loadMilliseconds);
    measurement.firstTokenMs = std::move(first.times);
    measurement.peakMemoryBytes = peakResidentBytes();
    measurement.gpuBusyPercent = measured.gpuBusyPercent;
    LOADER_TRY(const Json kept, records.add(measurement));

    Json result = resultJson(loaded, request, plan, measured, measurement);
    result.update(kept);
    if (context.output.json()) {
        context.output.writeJson(result);
        return 0;
    }
    printTable(context.output, result, measured.ceilings, measured.judged.against);
    context.output.write(records.text());
    return 0;
}

}  // namespace

Result<int> benchCommand(Context& context) {
    const Arguments& arguments = context.arguments;
    if (arguments.has("ceilings")) return printCeilings(context);
    if (arguments.has("history")) return benchHistory(context);
    if (arguments.has("all")) return benchAll(context);
    if (arguments.operands().empty()) return Error(Errc::X001, {"gguf bench needs a MODEL."});
    return benchOne(context);
}

}  // namespace loader::cli
