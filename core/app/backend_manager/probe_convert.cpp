// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/backend_manager/probe_convert.h"

namespace loader::app {
namespace {

using protocol::DeviceClass;

constexpr std::pair<DeviceClass, ProbedKind> kKinds[] = {
    {DeviceClass::Cpu, ProbedKind::Processor},
    {DeviceClass::IntegratedGpu, ProbedKind::IntegratedGpu},
    {DeviceClass::DiscreteGpu, ProbedKind::DiscreteGpu},
    {DeviceClass::Virtual, ProbedKind::Virtual},
};

ProbedKind kindOf(DeviceClass kind) {
    for (const auto& [one, other] : kKinds) {
        if (one == kind) return other;
    }
    return ProbedKind::Virtual;
}

DeviceClass classOf(ProbedKind kind) {
    for (const auto& [one, other] : kKinds) {
        if (other == kind) return one;
    }
    return DeviceClass::Virtual;
}

}  // namespace

ProbedDevice probedDevice(const protocol::DeviceEntry& entry) {
    ProbedDevice device;
    device.id = entry.id;
    device.name = entry.name;
    device.detail = entry.detail;
    device.kind = kindOf(entry.kind);
    device.memoryBytes = entry.memoryBytes;
    device.freeBytes = entry.freeBytes;
    for (const protocol::DeviceProperty& property : entry.properties)
        device.properties.emplace_back(property.name, property.value);
    if (!entry.refusal.empty()) device.refusal = probeFault(entry.refusal.front());
    device.selfTested = entry.selfTested;
    return device;
}

protocol::DeviceEntry deviceEntry(const ProbedDevice& device) {
    protocol::DeviceEntry entry;
    entry.id = device.id;
    entry.name = device.name;
    entry.detail = device.detail;
    entry.kind = classOf(device.kind);
    entry.memoryBytes = device.memoryBytes;
    entry.freeBytes = device.freeBytes;
    for (const auto& [name, value] : device.properties)
        entry.properties.push_back({name, value});
    if (device.refusal) entry.refusal.push_back(errorOf(*device.refusal));
    entry.selfTested = device.selfTested;
    return entry;
}

ProbedBackend probedBackend(const BackendCandidate& candidate) {
    ProbedBackend probe;
    probe.id = candidate.entry.id;
    probe.name = candidate.entry.displayName;
    for (const protocol::DeviceEntry& device : candidate.devices)
        probe.devices.push_back(probedDevice(device));
    if (!candidate.entry.refusal.empty())
        probe.fault = probeFault(candidate.entry.refusal.front());
    else if (!candidate.failure.empty())
        probe.fault = probeFault(candidate.failure.front());
    probe.remembered = candidate.remembered;
    return probe;
}

void takeProbe(const ProbedBackend& probe, BackendCandidate& candidate) {
    candidate.devices.clear();
    candidate.failure.clear();
    for (const ProbedDevice& device : probe.devices)
        candidate.devices.push_back(deviceEntry(device));
    if (probe.fault) candidate.failure.push_back(errorOf(*probe.fault));
    candidate.remembered = probe.remembered;
    candidate.state = probe.fault ? BackendState::Compatible : BackendState::Probed;
}

Result<std::vector<protocol::DeviceEntry>> judged(std::vector<protocol::DeviceEntry> devices) {
    ProbedBackend probe;
    for (const protocol::DeviceEntry& device : devices)
        probe.devices.push_back(probedDevice(device));
    const Status fine = checkProbe(probe);
    if (!fine.ok()) return Error(Errc::W607, fine.error().args());
    return devices;
}

}  // namespace loader::app
