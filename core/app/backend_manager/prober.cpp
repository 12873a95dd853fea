// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/backend_manager/prober.h"

namespace loader::app {

Result<std::vector<protocol::DeviceEntry>> probeDevices(const std::string& id, const WorkerOptions& worker) {
    WorkerOptions options = worker;
    options.backends = {id};
    options.forGpu = true;
    LOADER_TRY(const auto client, WorkerClient::start(options));
    return client->probe({id, true});
}

Result<std::vector<BackendCandidate>> probeFor(const protocol::LoadRequest& request,
                                               const WorkerOptions& worker) {
    WorkerOptions options = worker;
    options.backends.clear();
    LOADER_TRY(const auto client, WorkerClient::start(options));
    LOADER_TRY(const auto entries, client->listBackends());
    std::vector<BackendCandidate> backends;
    for (const protocol::BackendEntry& entry : entries) {
        BackendCandidate backend{entry, {}, {}};
        const bool linkedIn = entry.path.empty();
        const bool wanted = request.backend == "auto" ? entry.automatic : entry.id == request.backend;
        if (wanted && !linkedIn && entry.refusal.empty() && entry.notBuilt.empty()) {
            auto devices = probeDevices(entry.id, worker);
            if (devices.ok())
                backend.devices = std::move(devices).value();
            else
                backend.failure.push_back(std::move(devices).error());
        }
        backends.push_back(std::move(backend));
    }
    return backends;
}

}  // namespace loader::app
