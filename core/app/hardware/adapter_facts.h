// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The graphics adapters that the kernel knows, without asking any driver library. Where one of them is
// missing among the probed devices, its driver for computing is missing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/engine/base/system_text.h"

namespace loader::app {

struct AdapterFacts {
    /// "0000:01:00.0", or the name of the node of a GPU that is on the processor's chip.
    std::string place;
    /// 0 where it has no PCI numbers.
    std::uint32_t vendorId = 0;
    std::uint32_t deviceId = 0;
    /// "NVIDIA"; empty for an unknown number.
    std::string vendor;
    /// "nvidia", "amdgpu", "i915"; empty where none is bound.
    std::string kernelDriver;
    bool operator==(const AdapterFacts&) const = default;
};

/// Empty on systems other than Linux. @source PCI class codes 03h (display) and 12h (accelerator)
std::vector<AdapterFacts> readAdapters(const SystemText& system = SystemText());

}  // namespace loader::app
