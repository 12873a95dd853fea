// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/models/machine_situation.h"

#include <algorithm>

#include "core/app/models/saturating.h"

namespace loader::app {
namespace {

/// Of a heap whose driver does not tell what is free: others use some of it.
constexpr std::uint32_t kFreePerMille = 800;

std::uint64_t freeOf(const GpuHeap& heap) {
    if (heap.budgetBytes) return std::min(without(*heap.budgetBytes, heap.usedBytes.value_or(0)), heap.bytes);
    return perMille(heap.bytes, kFreePerMille);
}

bool isGraphics(const ProbedDevice& device) {
    return device.kind == ProbedKind::IntegratedGpu || device.kind == ProbedKind::DiscreteGpu;
}

DeviceSituation situationOf(const std::string& backend, const ProbedDevice& device,
                            std::uint64_t systemBytes) {
    DeviceSituation situation;
    situation.backend = backend;
    situation.id = device.id;
    situation.name = device.name.empty() ? device.id : device.name;
    situation.sharesSystemMemory = device.kind == ProbedKind::IntegratedGpu;
    std::uint64_t all = 0;
    for (const GpuHeap& heap : gpuFacts(device).heaps) {
        situation.heaps.push_back({heap.bytes, freeOf(heap), heap.local});
        all = add(all, heap.bytes);
    }
    if (situation.heaps.empty()) {
        const std::uint64_t free = device.freeBytes != 0 ? std::min(device.freeBytes, device.memoryBytes)
                                                         : perMille(device.memoryBytes, kFreePerMille);
        situation.heaps.push_back({device.memoryBytes, free, true});
        all = device.memoryBytes;
    }
    // Drivers do not tell what the firmware reserved for graphics. What is more than all of the system's
    // memory must have been.
    if (situation.sharesSystemMemory && systemBytes != 0) situation.reservedBytes = without(all, systemBytes);
    return situation;
}

}  // namespace

MemorySituation situationOf(const MemoryFacts& memory, std::span<const ProbedBackend> probes) {
    MemorySituation situation;
    if (const auto available = availableMemory(memory)) {
        situation.availableBytes = available->bytes;
        situation.source = available->source;
    }
    situation.totalBytes = memory.total;
    for (const auto& limit : {memory.groupLimit, memory.process.addressSpace}) {
        if (!limit) continue;
        situation.totalBytes = situation.totalBytes == 0 ? *limit : std::min(situation.totalBytes, *limit);
    }
    for (const ProbedBackend& probe : probes) {
        for (const ProbedDevice& device : probe.devices) {
            if (!isGraphics(device) || !gpuFacts(device).refusal.empty() || device.refusal) continue;
            situation.devices.push_back(situationOf(probe.id, device, memory.total));
        }
    }
    return situation;
}

}  // namespace loader::app
