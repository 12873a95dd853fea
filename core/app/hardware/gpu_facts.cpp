// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/gpu_facts.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/engine/base/device_properties.h"
#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

namespace names = device_properties;

constexpr std::size_t kMostDevices = 64;
constexpr std::size_t kMostProperties = 256;
constexpr std::size_t kMostTextBytes = 1024;
constexpr std::size_t kMostArguments = 8;
constexpr std::uint64_t kMostHeaps = 16;  // VK_MAX_MEMORY_HEAPS

constexpr std::pair<ProbedKind, std::string_view> kKinds[] = {
    {ProbedKind::Processor, "cpu"},
    {ProbedKind::IntegratedGpu, "integrated"},
    {ProbedKind::DiscreteGpu, "discrete"},
    {ProbedKind::Virtual, "virtual"},
};

/// A decimal number and nothing else.
std::optional<std::uint64_t> numberOf(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

std::uint64_t numberIn(const ProbedDevice& device, std::string_view key) {
    return numberOf(device.property(key)).value_or(0);
}

std::uint32_t smallNumberIn(const ProbedDevice& device, std::string_view key) {
    const std::uint64_t value = numberIn(device, key);
    return value <= 0xFFFFFFFFu ? static_cast<std::uint32_t>(value) : 0;
}

bool yes(const ProbedDevice& device, std::string_view key) {
    return device.property(key) == "yes";
}

std::vector<GpuHeap> heapsOf(const ProbedDevice& device) {
    std::vector<GpuHeap> heaps;
    const std::uint64_t count = std::min(numberIn(device, names::kHeaps), kMostHeaps);
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string prefix = std::string(names::kHeapPrefix) + std::to_string(i);
        const auto key = [&prefix](std::string_view end) { return prefix + std::string(end); };
        GpuHeap heap;
        heap.bytes = numberIn(device, key(names::kHeapBytes));
        heap.local = yes(device, key(names::kHeapLocal));
        heap.budgetBytes = numberOf(device.property(key(names::kHeapBudget)));
        heap.usedBytes = numberOf(device.property(key(names::kHeapUsed)));
        heaps.push_back(heap);
    }
    return heaps;
}

Error unusable(const std::string& what) {
    return Error(Errc::X003, {"the probe of a back end " + what});
}

bool isText(std::string_view text) {
    return text.size() <= kMostTextBytes && utf8::isValid(text);
}

bool isText(const ProbeFault& fault) {
    bool fine = fault.args.size() <= kMostArguments && isText(fault.code) && isText(fault.message) &&
                isText(fault.action) && isText(fault.place);
    for (const std::string& argument : fault.args)
        fine = fine && isText(argument);
    return fine;
}

Status checkDevice(const ProbedDevice& device) {
    if (device.id.empty()) return unusable("found a device without a name of its own");
    if (device.properties.size() > kMostProperties) return unusable("tells too much of one device");
    bool fine = isText(device.id) && isText(device.name) && isText(device.detail);
    for (const auto& [key, value] : device.properties)
        fine = fine && isText(key) && isText(value);
    if (device.refusal) fine = fine && isText(*device.refusal);
    return fine ? Status() : Status(unusable("gave texts that are too long or not UTF-8"));
}

}  // namespace

std::string_view nameOf(ProbedKind kind) {
    for (const auto& [one, name] : kKinds) {
        if (one == kind) return name;
    }
    return {};
}

std::optional<ProbedKind> probedKindOf(std::string_view name) {
    for (const auto& [kind, one] : kKinds) {
        if (one == name) return kind;
    }
    return std::nullopt;
}

std::string_view ProbedDevice::property(std::string_view key) const {
    for (const auto& [one, value] : properties) {
        if (one == key) return value;
    }
    return {};
}

ProbeFault probeFault(const Error& error) {
    return {std::string(error.name()), error.message(), error.action(), error.args(), error.place()};
}

Error errorOf(const ProbeFault& fault) {
    const auto code = errorFromName(fault.code);
    return code ? Error(*code, fault.args, fault.place) : Error(Errc::X003, {fault.message}, fault.place);
}

Status checkProbe(const ProbedBackend& probe) {
    if (probe.devices.size() > kMostDevices) return unusable("found too many devices");
    bool fine = isText(probe.id) && isText(probe.name);
    if (probe.fault) fine = fine && isText(*probe.fault);
    if (!fine) return unusable("gave texts that are too long or not UTF-8");
    std::set<std::string_view> ids;
    for (const ProbedDevice& device : probe.devices) {
        LOADER_CHECK(checkDevice(device));
        if (!ids.insert(device.id).second) return unusable("gave two devices one name");
    }
    return {};
}

GpuFacts gpuFacts(const ProbedDevice& device) {
    GpuFacts facts;
    facts.vendorId = smallNumberIn(device, names::kVendorId);
    facts.vendor = device.property(names::kVendor);
    facts.driver = device.property(names::kDriver);
    facts.driverVersion = device.property(names::kDriverVersion);
    facts.apiVersion = device.property(names::kApiVersion);
    facts.refusal = device.property(names::kRefusal);
    facts.heaps = heapsOf(device);
    facts.maxAllocationBytes = numberIn(device, names::kMaxAllocationBytes);
    facts.maxBufferBytes = numberIn(device, names::kMaxBufferBytes);
    facts.maxStorageRangeBytes = numberIn(device, names::kMaxStorageRangeBytes);
    facts.subgroupSize = smallNumberIn(device, names::kSubgroupSize);
    facts.halfFloat = yes(device, names::kHalfFloat);
    facts.integerDot = yes(device, names::kIntegerDot);
    facts.cooperativeMatrix = yes(device, names::kCooperativeMatrix);
    facts.bufferAddress = yes(device, names::kBufferAddress);
    facts.timelineSemaphore = yes(device, names::kTimelineSemaphore);
    return facts;
}

}  // namespace loader::app
