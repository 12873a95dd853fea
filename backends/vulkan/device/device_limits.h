// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What follows from a device's numbers, before it is opened: limits, the queue to use, and whether it will
// do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "backends/vulkan/device/device_facts.h"

namespace loader::vulkan {

/// One multiplication of matrix units: (rows × columns) × (columns × tokens), halves into floats.
struct MatrixShape {
    std::uint32_t rows = 0;
    std::uint32_t tokens = 0;
    std::uint32_t columns = 0;

    bool any() const { return rows != 0; }
};

/// What kernels and plans have to respect.
struct DeviceLimits {
    /// The longest range of a buffer that a shader sees at once; a multiple of the alignment.
    std::uint64_t windowBytes = 0;
    /// The longest buffer.
    std::uint64_t allocationBytes = 0;
    /// Ranges of buffers that are bound start at multiples of it.
    std::uint64_t alignment = 256;
    /// Mapped memory that is not coherent is flushed in multiples of it.
    std::uint64_t flushBytes = 64;
    std::uint32_t invocations = 128;
    std::uint32_t sharedBytes = 16384;
    std::uint32_t groupsX = 65535;
    std::uint32_t groupsY = 65535;
    std::uint32_t storageBuffers = 4;
    std::uint32_t subgroupLeast = 1;
    std::uint32_t subgroupMost = 1;
    /// None where the device has no such units.
    MatrixShape matrix;
    /// What the sizes of flexible matrices are multiples of; none where the device has no such.
    MatrixShape flexible;
    /// Where host and device share their memory and copies are needless.
    bool unified = false;
};

/// @param windowBytes lowers the limit of that name; 0 leaves it
DeviceLimits limitsOf(const DeviceData& data, std::uint64_t windowBytes);
/// Of the shapes that the device has, the largest that the kernels' tiles are made of; none where it has
/// none.
MatrixShape matrixShapeOf(const DeviceData& data);
/// The finest multiples of which the device takes matrices of any size.
MatrixShape flexibleShapeOf(const DeviceData& data);
/// The family whose queue computes: on a card one that does not draw, so that the desktop goes on beside it.
std::optional<std::uint32_t> computeFamily(const DeviceData& data);
/// What every kernel needs and the device lacks, as the end of a sentence; empty where it will do.
std::string lackOf(const DeviceData& data);

}  // namespace loader::vulkan
