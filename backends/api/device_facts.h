// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a back end says about a device.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace loader::backend {

enum class DeviceKind : std::uint8_t { Cpu, IntegratedGpu, DiscreteGpu, Virtual };

struct DeviceFacts {
    /// Stable across restarts: an UUID where the device has one.
    std::string id;
    std::string name;
    /// Instruction set, driver and the like, for people.
    std::string detail;
    DeviceKind kind = DeviceKind::Cpu;
    std::uint64_t memoryBytes = 0;
    std::uint64_t freeBytes = 0;
    /// Limits and features beyond these, by the names of core/engine/base/device_properties.h.
    std::vector<std::pair<std::string, std::string>> properties{};
};

}  // namespace loader::backend
