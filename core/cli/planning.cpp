// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/planning.h"

#include "core/app/config/setting_effects.h"
#include "core/app/models/machine_situation.h"
#include "core/app/worker_client/worker_client.h"
#include "core/cli/configuration.h"
#include "core/engine/base/size_text.h"
#include "core/engine/base/thread_pool.h"

namespace loader::cli {
namespace {

constexpr const char* kProcessor = "cpu";

std::string processorOf(const host::LoadRequest& request) {
    return request.backend == "auto" ? kProcessor : request.backend;
}

/// The header, with the plan of the back end that would run it; read in a sandbox.
Result<protocol::ModelFacts> readFacts(const host::LoadRequest& request) {
    const std::string id = processorOf(request);
    app::WorkerOptions options = workerOptions();
    options.backends = {id};
    LOADER_TRY(const auto worker, app::WorkerClient::start(options));
    return worker->readHeader(request.path, {{}, request.architecture, request.tier, {id}});
}

app::LayerWish wishOf(const host::GpuLayers& layers) {
    switch (layers.kind) {
        case host::GpuLayers::Kind::Auto: return {true, 0};
        case host::GpuLayers::Kind::All: return {false, 0xFFFFFFFFu};
        case host::GpuLayers::Kind::Number: break;
    }
    return {false, layers.number};
}

Json partsJson(const app::MemoryParts& parts) {
    return {{"weights", parts.weights},
            {"kv", parts.kv},
            {"compute", parts.compute},
            {"output", parts.output},
            {"worker", parts.worker}};
}

const char* nameOf(app::Fit fit) {
    switch (fit) {
        case app::Fit::Device: return "device";
        case app::Fit::Split: return "split";
        case app::Fit::Processor: return "processor";
        case app::Fit::TooLarge: break;
    }
    return "too large";
}

}  // namespace

namespace {

Result<PlannedModel> planRequest(Context& context, const host::LoadRequest& request) {
    PlannedModel model;
    model.request = request;
    LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context, request.path));
    model.memoryLimit = app::memoryLimitOf(settings);
    LOADER_TRY(model.facts, readFacts(model.request));
    const std::uint32_t limit = model.facts.positionLimit;
    if (limit != 0 && model.request.contextTokens > limit) {
        return Error(Errc::X001,
                     {"This model cannot have a context of " + std::to_string(model.request.contextTokens) +
                      " tokens; it has positions for " + std::to_string(limit) + "."});
    }
    model.settings.contextTokens = model.request.contextTokens;
    model.settings.batchTokens = model.request.batchTokens;
    model.settings.threads = model.request.threads != 0 ? model.request.threads : physicalCores();
    model.settings.kv = model.request.kv;
    model.settings.useMmap = model.request.useMmap;
    model.settings.processor = processorOf(model.request);
    model.wish = wishOf(model.request.gpuLayers);
    model.situation = app::situationOf(readMemoryFacts(), {});
    return model;
}

}  // namespace

Result<PlannedModel> planModel(Context& context) {
    LOADER_TRY(const host::LoadRequest request, loadRequest(context));
    return planRequest(context, request);
}

void applyMemoryLimit(const PlannedModel& model, app::Verdict& verdict) {
    const std::uint64_t needed = verdict.estimate.total();
    if (model.memoryLimit == 0 || needed <= model.memoryLimit) return;
    verdict.fits = false;
    verdict.fit = app::Fit::TooLarge;
    verdict.sentence = "It needs " + sizeText(needed) + "; the configuration allows " +
                       sizeText(model.memoryLimit) + " (load.memory_limit).";
}

Status checkMemoryLimit(Context& context, const host::LoadRequest& request) {
    LOADER_TRY(const app::EffectiveSettings settings, effectiveSettings(context, request.path));
    const std::uint64_t limit = app::memoryLimitOf(settings);
    if (limit == 0) return {};
    LOADER_TRY(PlannedModel model, planRequest(context, request));
    if (model.settings.contextTokens == 0)
        model.settings.contextTokens = app::automaticContext(model.facts, host::kDefaultContextTokens);
    const app::Verdict verdict =
        app::judge(model.facts, model.settings, model.wish, model.situation, model.margins);
    const std::uint64_t needed = verdict.estimate.total();
    if (needed <= limit) return {};
    return Error(Errc::R901, {sizeText(needed)},
                 "load.memory_limit of the configuration, " + sizeText(limit));
}

Json estimateJson(const PlannedModel& model, const app::Verdict& verdict) {
    const app::MemoryEstimate& estimate = verdict.estimate;
    Json json = {{"total_bytes", estimate.total()},
                 {"parts", partsJson(estimate.parts())},
                 {"fits", verdict.fits && unsupportedText(model).empty()},
                 {"gpu_layers", verdict.gpuLayers},
                 {"context", model.settings.contextTokens}};
    json["verdict"] = nameOf(verdict.fit);
    json["sentence"] = verdict.sentence;
    json["longest_context"] = verdict.longestContext;
    json["processor"] = {{"parts", partsJson(estimate.processor)},
                         {"mapped_bytes", estimate.mapped},
                         {"usable_bytes", verdict.processorUsable}};
    json["available_bytes"] =
        model.situation.availableBytes ? Json(*model.situation.availableBytes) : Json(nullptr);
    json["limit"] = model.situation.source;
    if (verdict.device) {
        const app::DeviceSituation& device = model.situation.devices[*verdict.device];
        json["device"] = {{"backend", device.backend},
                          {"id", device.id},
                          {"name", device.name},
                          {"parts", partsJson(estimate.device)},
                          {"usable_bytes", verdict.deviceUsable}};
    }
    const auto margin = [](const app::Margin& of, const char* reason) {
        return Json{{"least_bytes", of.leastBytes}, {"per_mille", of.perMille}, {"reason", reason}};
    };
    json["margins"] = {{"system", margin(model.margins.system, app::Margins::kSystemReason)},
                       {"device", margin(model.margins.device, app::Margins::kDeviceReason)}};
    return json;
}

std::string unsupportedText(const PlannedModel& model) {
    const protocol::PlanFacts* plan = app::planOf(model.facts, model.settings.processor);
    if (!plan || plan->unsupported.empty()) return {};
    return "The back end " + plan->backend + " cannot run it: " + plan->unsupported.front();
}

}  // namespace loader::cli
