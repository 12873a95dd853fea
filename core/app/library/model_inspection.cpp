// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/model_inspection.h"

#include "core/app/models/estimator.h"

namespace loader::app {
namespace {

/// A process of its own for each: a plugin that crashes costs its opinion.
BackendOpinion ask(const protocol::BackendEntry& entry, const std::string& path,
                   const std::string& architecture, const WorkerOptions& worker,
                   ModelInspection& inspection) {
    BackendOpinion opinion{entry.id, entry.displayName, false, {}};
    if (!entry.refusal.empty()) {
        opinion.reasons.push_back(entry.refusal.front().message());
        return opinion;
    }
    WorkerOptions options = worker;
    options.backends = {entry.id};
    options.forGpu = entry.gpuOnly;
    auto client = WorkerClient::start(options);
    if (!client.ok()) {
        opinion.reasons.push_back(client.error().message());
        return opinion;
    }
    auto facts = (*client)->readHeader(path, {{}, architecture, {}, {entry.id}});
    if (!facts.ok()) {
        opinion.reasons.push_back(facts.error().message());
        return opinion;
    }
    const protocol::PlanFacts* plan = planOf(*facts, entry.id);
    if (!plan) {
        opinion.reasons.push_back("The back end has no device that could be asked.");
    } else {
        opinion.reasons = plan->unsupported;
        opinion.supported = opinion.reasons.empty();
        if (!inspection.facts) {
            inspection.facts = std::move(facts).value();
        } else {
            inspection.facts->plans.push_back(*plan);
        }
    }
    return opinion;
}

}  // namespace

Result<std::vector<protocol::BackendEntry>> listBackends(const WorkerOptions& worker) {
    WorkerOptions options = worker;
    options.backends.clear();
    options.forGpu = false;
    LOADER_TRY(const auto client, WorkerClient::start(options));
    return client->listBackends();
}

Result<ModelInspection> inspectModel(const std::string& path, const std::string& architecture,
                                     const WorkerOptions& worker, CancelToken cancel) {
    WorkerOptions options = worker;
    options.backends.clear();
    options.forGpu = false;
    LOADER_TRY(const auto client, WorkerClient::start(options));
    ModelInspection inspection;
    auto details = client->readDetails(path, architecture);
    if (!details.ok()) return std::move(details).error().within(path);
    inspection.details = std::move(details).value();
    LOADER_TRY(const auto backends, client->listBackends());
    for (const protocol::BackendEntry& entry : backends) {
        LOADER_CHECK(cancel.check());
        const bool asks = inspection.details.refusal.empty() && inspection.details.summary.sideFile.empty();
        if (asks) {
            inspection.backends.push_back(ask(entry, path, architecture, worker, inspection));
            continue;
        }
        // What nobody can lower, no back end need be asked for.
        BackendOpinion opinion{entry.id, entry.displayName, false, {}};
        opinion.reasons.push_back(inspection.details.refusal.empty()
                                      ? "The file is " + inspection.details.summary.sideFile +
                                            ", not a model."
                                      : inspection.details.refusal.front().message());
        inspection.backends.push_back(std::move(opinion));
    }
    return inspection;
}

}  // namespace loader::app
