// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the probe of a back end found. It comes from another process or from a file, and is judged before it
// is used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::app {

/// Why something cannot be used, as an Error that was written down.
struct ProbeFault {
    /// A code of error_codes.inc.
    std::string code;
    std::string message;
    std::string action;
    std::vector<std::string> args = {};
    std::string place = {};
};
ProbeFault probeFault(const Error& error);
/// X003 for a code that this version does not have.
Error errorOf(const ProbeFault& fault);

enum class ProbedKind : std::uint8_t { Processor, IntegratedGpu, DiscreteGpu, Virtual };
/// "cpu", "integrated", "discrete", "virtual".
std::string_view nameOf(ProbedKind kind);
std::optional<ProbedKind> probedKindOf(std::string_view name);

struct ProbedDevice {
    std::string id;
    std::string name;
    std::string detail;
    ProbedKind kind = ProbedKind::Processor;
    std::uint64_t memoryBytes = 0;
    /// 0 where nobody told, as in a remembered probe.
    std::uint64_t freeBytes = 0;
    /// Keys: core/engine/base/device_properties.h.
    std::vector<std::pair<std::string, std::string>> properties;
    /// Why it must not be used.
    std::optional<ProbeFault> refusal = std::nullopt;
    /// It passed the self-test.
    bool selfTested = false;

    /// Empty where the back end did not tell.
    std::string_view property(std::string_view key) const;
};

struct ProbedBackend {
    std::string id;
    std::string name;
    std::vector<ProbedDevice> devices;
    /// Why the probe found nothing.
    std::optional<ProbeFault> fault;
    /// Not asked now: the drivers are those of an earlier probe.
    bool remembered = false;
};

/// Counts, lengths, UTF-8, and that no two devices have one id. @errors X003 what is wrong with it
Status checkProbe(const ProbedBackend& probe);

struct GpuHeap {
    std::uint64_t bytes = 0;
    /// The device's own memory.
    bool local = false;
    /// What this process may have in all, and what it has; nothing where the driver does not tell.
    std::optional<std::uint64_t> budgetBytes;
    std::optional<std::uint64_t> usedBytes;
};

/// The properties that decisions need, as numbers. 0, empty or false where they are not told.
struct GpuFacts {
    std::uint32_t vendorId = 0;
    std::string_view vendor;
    std::string_view driver;
    std::string_view driverVersion;
    std::string_view apiVersion;
    /// Why it cannot be used, whatever the model.
    std::string_view refusal;
    std::vector<GpuHeap> heaps;
    std::uint64_t maxAllocationBytes = 0;
    std::uint64_t maxBufferBytes = 0;
    std::uint64_t maxStorageRangeBytes = 0;
    std::uint32_t subgroupSize = 0;
    bool halfFloat = false;
    bool integerDot = false;
    bool cooperativeMatrix = false;
    bool bufferAddress = false;
    bool timelineSemaphore = false;
};

/// Views into the device's properties. What is no number counts as not told.
GpuFacts gpuFacts(const ProbedDevice& device);

}  // namespace loader::app
