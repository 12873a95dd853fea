// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Where each weight of the loaded segments lies on the device: matrices as they are in the file, cut into
// windows of whole rows (or whole experts) that a shader can see at once; vectors as floats in one table.
// Computed from the program alone, before anything is allocated.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/vulkan/device/compute_device.h"
#include "core/engine/graph/program.h"

namespace loader::vulkan {

/// A part of one matrix that one dispatch computes with.
struct WeightWindow {
    /// Index into WeightLayout::blocks, and the place in it.
    std::uint32_t block = 0;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint32_t firstRow = 0;
    std::uint32_t rows = 0;
    std::uint32_t firstSlice = 0;
    std::uint32_t slices = 1;
    /// Index into all windows of the layout.
    std::uint32_t index = 0;
};

struct PlacedMatrix {
    quant::TensorType type{};
    std::uint32_t columns = 0;
    std::uint32_t rows = 0;
    std::uint32_t rowBytes = 0;
    /// In order of rows, or of slices.
    std::vector<WeightWindow> windows;
    /// The tensors whose bytes follow each other: one, or one for each expert.
    std::vector<graph::TensorId> sources;
};

struct WeightLayout {
    /// By the tensor that an operation names.
    std::map<graph::TensorId, PlacedMatrix> matrices;
    /// Word of each vector (norm weights, biases) in the table of floats.
    std::map<graph::TensorId, std::uint32_t> vectors;
    std::uint32_t vectorWords = 0;
    /// Bytes of each buffer that holds windows.
    std::vector<std::uint64_t> blocks;
    std::uint32_t windows = 0;
    /// Whether a matrix needs the codebooks.
    bool usesGrids = false;
    /// One sentence for each thing that does not fit the device.
    std::vector<std::string> unsupported;

    static WeightLayout make(const graph::Program& program, std::span<const std::uint32_t> segments,
                             const DeviceLimits& limits);
    std::uint64_t bytes() const;
};

}  // namespace loader::vulkan
