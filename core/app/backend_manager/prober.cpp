// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/backend_manager/prober.h"

#include "core/app/backend_manager/probe_convert.h"
#include "core/app/hardware/probe_cache.h"

namespace loader::app {
namespace {

using protocol::DeviceClass;
using protocol::DeviceEntry;

bool isGpu(const DeviceEntry& device) {
    return device.kind == DeviceClass::DiscreteGpu || device.kind == DeviceClass::IntegratedGpu;
}

/// Whether a failure says something of the driver. That no process could be started says nothing.
bool isWorthRemembering(const Error& error) {
    return error.code() != Errc::W604 && error.code() != Errc::W608 &&
           error.kind() != ErrorKind::OutOfMemory && error.kind() != ErrorKind::Cancelled;
}

WorkerOptions optionsFor(const std::string& id, const WorkerOptions& worker) {
    WorkerOptions options = worker;
    options.backends = {id};
    options.forGpu = true;
    return options;
}

/// Asks the back end itself. @return whether the answer may be remembered
bool ask(BackendCandidate& backend, const WorkerOptions& worker) {
    auto devices = probeDevices(backend.entry.id, worker);
    if (!devices.ok()) {
        backend.failure.push_back(std::move(devices).error());
        backend.state = BackendState::Compatible;
        return isWorthRemembering(backend.failure.front());
    }
    backend.devices = std::move(devices).value();
    backend.state = BackendState::Probed;
    bool complete = true;
    for (DeviceEntry& device : backend.devices) {
        if (!isGpu(device) || !device.refusal.empty()) continue;
        testDevice(backend.entry.id, worker, device);
        const bool judgedNow = device.selfTested || !device.refusal.empty();
        complete =
            complete && judgedNow && (device.refusal.empty() || isWorthRemembering(device.refusal.front()));
    }
    return complete;
}

void probeOne(BackendCandidate& backend, const WorkerOptions& worker, const ProbeMemory& memory) {
    if (!backend.entry.refusal.empty()) return;
    // What is linked in has no driver that could change, and none that could be slow.
    const bool remembers = !memory.folder.empty() && !backend.entry.path.empty();
    if (!remembers) {
        ask(backend, worker);
        return;
    }
    const ProbeCache cache(memory.folder);
    const std::string identity =
        driverIdentity(memory.drivers, memory.applicationVersion, backend.entry.path);
    if (!memory.again) {
        if (const auto known = cache.find(backend.entry.id, identity)) return takeProbe(*known, backend);
    }
    // A program that cannot remember asks again next time: no reason to fail.
    if (ask(backend, worker))
        ignoreErrorBecause("a cache may be lost", cache.store(probedBackend(backend), identity));
    else
        ignoreErrorBecause("a cache may be lost", cache.forget(backend.entry.id));
}

Result<std::vector<BackendCandidate>> listAll(const WorkerOptions& worker) {
    WorkerOptions options = worker;
    options.backends.clear();
    LOADER_TRY(const auto client, WorkerClient::start(options));
    LOADER_TRY(auto entries, client->listBackends());
    std::vector<BackendCandidate> backends;
    for (protocol::BackendEntry& entry : entries) {
        const BackendState state = entry.refusal.empty() ? BackendState::Compatible : BackendState::Found;
        backends.push_back({std::move(entry), {}, {}, state, false});
    }
    return backends;
}

}  // namespace

Result<std::vector<DeviceEntry>> probeDevices(const std::string& id, const WorkerOptions& worker) {
    LOADER_TRY(const auto client, WorkerClient::start(optionsFor(id, worker)));
    LOADER_TRY(auto devices, client->probe({id, false, {}}));
    return judged(std::move(devices));
}

void testDevice(const std::string& id, const WorkerOptions& worker, DeviceEntry& device) {
    const auto tested = [&]() -> Result<DeviceEntry> {
        LOADER_TRY(const auto client, WorkerClient::start(optionsFor(id, worker)));
        LOADER_TRY(auto said, client->probe({id, true, device.id}));
        LOADER_TRY(auto devices, judged(std::move(said)));
        if (devices.size() != 1 || devices.front().id != device.id)
            return Error(Errc::W607, {"it tested another device than the one that was named"});
        return std::move(devices.front());
    }();
    device.refusal.clear();
    device.selfTested = tested.ok() && tested->selfTested && tested->refusal.empty();
    if (!tested.ok())
        device.refusal.push_back(tested.error());
    else
        device.refusal = tested->refusal;
}

Result<std::vector<BackendCandidate>> probeAll(const WorkerOptions& worker, const ProbeMemory& memory,
                                               CancelToken cancel) {
    LOADER_TRY(std::vector<BackendCandidate> backends, listAll(worker));
    for (BackendCandidate& backend : backends) {
        LOADER_CHECK(cancel.check());
        probeOne(backend, worker, memory);
    }
    return backends;
}

Result<std::vector<BackendCandidate>> probeFor(const protocol::LoadRequest& request,
                                               const WorkerOptions& worker, const ProbeMemory& memory,
                                               const std::string& preferred) {
    LOADER_TRY(std::vector<BackendCandidate> backends, listAll(worker));
    for (BackendCandidate& backend : backends) {
        const protocol::BackendEntry& entry = backend.entry;
        const bool wanted = request.backend == "auto" ? entry.automatic || entry.id == preferred
                                                      : entry.id == request.backend;
        if (wanted && !entry.path.empty()) probeOne(backend, worker, memory);
    }
    return backends;
}

}  // namespace loader::app
