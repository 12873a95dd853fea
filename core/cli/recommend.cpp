// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf recommend: settings for a model on this machine, each with its reason, and the speed to expect.

#include <cstdio>

#include "core/app/models/recommendation.h"
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

}  // namespace

Result<int> recommendCommand(Context& context) {
    LOADER_TRY(PlannedModel model, planModel(context));
    const auto cores = static_cast<std::uint32_t>(physicalCores());
    LOADER_TRY(const app::MachineSpeed machine, measureMachine(model, context.cancel));
    app::LoadSettings wanted = model.settings;
    wanted.threads = model.request.threads;
    app::Recommendation advice =
        app::recommend(model.facts, wanted, model.wish, model.situation, model.margins, machine, cores);
    applyMemoryLimit(model, advice.verdict);
    const std::string unsupported = unsupportedText(model);
    if (context.output.json()) {
        Json json = adviceJson(model, advice);
        if (!unsupported.empty()) json["estimate"]["sentence"] = unsupported;
        context.output.writeJson(json);
        return 0;
    }
    printAdvice(context.output, model, advice);
    if (!unsupported.empty()) context.output.write(unsupported + "\n");
    return 0;
}

}  // namespace loader::cli
