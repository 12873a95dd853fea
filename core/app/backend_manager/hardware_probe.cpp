// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/backend_manager/hardware_probe.h"

#include "core/app/backend_manager/prober.h"
#include "core/engine/base/device_properties.h"

namespace loader::app {
namespace {

ProbedKind kindOf(protocol::DeviceClass kind) {
    switch (kind) {
        case protocol::DeviceClass::Cpu: return ProbedKind::Processor;
        case protocol::DeviceClass::IntegratedGpu: return ProbedKind::IntegratedGpu;
        case protocol::DeviceClass::DiscreteGpu: return ProbedKind::DiscreteGpu;
        case protocol::DeviceClass::Virtual: return ProbedKind::Virtual;
    }
    return ProbedKind::Virtual;
}

ProbedBackend failed(const std::string& id, const std::string& name, const Error& error) {
    return {id, name, {}, probeFault(error), false};
}

/// Now, by asking the drivers.
ProbedBackend probeNow(const protocol::BackendEntry& entry, const WorkerOptions& worker) {
    const auto devices = probeDevices(entry.id, worker);
    if (!devices.ok()) return failed(entry.id, entry.displayName, devices.error());
    auto probe = probedBackend(entry, *devices);
    return probe.ok() ? std::move(probe).value() : failed(entry.id, entry.displayName, probe.error());
}

/// A process that cannot be started says nothing about drivers.
bool isWorthRemembering(const ProbedBackend& probe) {
    return !probe.fault || probe.fault->code != errorName(Errc::W604);
}

Result<std::vector<protocol::BackendEntry>> listBackends(const WorkerOptions& worker) {
    WorkerOptions options = worker;
    options.backends.clear();
    LOADER_TRY(const auto client, WorkerClient::start(options));
    return client->listBackends();
}

}  // namespace

Result<ProbedBackend> probedBackend(const protocol::BackendEntry& entry,
                                    const std::vector<protocol::DeviceEntry>& devices) {
    ProbedBackend probe{entry.id, entry.displayName, {}, {}, false};
    for (const protocol::DeviceEntry& device : devices) {
        ProbedDevice found{
            device.id,        device.name, device.detail, kindOf(device.kind), device.memoryBytes,
            device.freeBytes, {}};
        for (const protocol::DeviceProperty& property : device.properties)
            found.properties.emplace_back(property.name, property.value);
        if (!device.refusal.empty())
            found.properties.emplace_back(std::string(device_properties::kRefusal),
                                          device.refusal.front().message());
        probe.devices.push_back(std::move(found));
    }
    LOADER_CHECK(checkProbe(probe));
    return probe;
}

std::vector<ProbedBackend> probeHardware(const ProbePlan& plan, CancelToken cancel) {
    const auto entries = listBackends(plan.worker);
    if (!entries.ok()) return {failed("worker", "The process that asks back ends", entries.error())};
    const ProbeCache cache(plan.cacheFolder);
    std::vector<ProbedBackend> probes;
    for (const protocol::BackendEntry& entry : *entries) {
        if (cancel.cancelled()) break;
        if (entry.path.empty() || !entry.automatic) continue;
        if (!entry.refusal.empty()) {
            probes.push_back(failed(entry.id, entry.displayName, entry.refusal.front()));
            continue;
        }
        const std::string identity = driverIdentity(plan.drivers, plan.applicationVersion, entry.path);
        if (auto known = plan.again ? std::nullopt : cache.find(entry.id, identity)) {
            probes.push_back(std::move(*known));
            continue;
        }
        probes.push_back(probeNow(entry, plan.worker));
        if (isWorthRemembering(probes.back()))
            ignoreErrorBecause("a result that is not remembered is asked for again",
                               cache.store(probes.back(), identity));
    }
    return probes;
}

}  // namespace loader::app
