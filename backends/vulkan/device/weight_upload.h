// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Brings weights from the file into the device's memory: several threads read into a ring of staging buffers
// while the device copies those that are full.
#pragma once

#include <span>
#include <vector>

#include "backends/api/backend.h"
#include "backends/vulkan/device/device_buffer.h"

namespace loader::vulkan {

/// One range of host memory and where it goes.
struct UploadPiece {
    std::span<const std::byte> from;
    const DeviceBuffer* to = nullptr;
    std::uint64_t offset = 0;
};

/// Copies all pieces, in any order. @errors X002 cancelled, R901, B704
Status uploadAll(ComputeDevice& device, std::span<const UploadPiece> pieces, backend::Progress* progress,
                 CancelToken cancel);

}  // namespace loader::vulkan
