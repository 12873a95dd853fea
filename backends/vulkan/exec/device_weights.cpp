// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/exec/device_weights.h"

#include <algorithm>

#include "backends/vulkan/device/weight_upload.h"
#include "backends/vulkan/shaders/grid_words.h"
#include "core/engine/quant/dequantize.h"

namespace loader::vulkan {
namespace {

/// Bytes of all sources of a matrix in a row, cut at the borders of its windows.
void addPieces(const PlacedMatrix& matrix, backend::Weights weights, std::span<const DeviceBuffer> blocks,
               std::vector<UploadPiece>& pieces) {
    const std::uint64_t sliceBytes = std::uint64_t{matrix.rows} * matrix.rowBytes;
    for (const WeightWindow& window : matrix.windows) {
        const bool joined = matrix.sources.size() == 1;
        if (joined) {
            const std::uint64_t begin =
                window.firstSlice * sliceBytes + std::uint64_t{window.firstRow} * matrix.rowBytes;
            pieces.push_back({weights[matrix.sources.front()].bytes.subspan(begin, window.bytes),
                              &blocks[window.block], window.offset});
            continue;
        }
        for (std::uint32_t slice = 0; slice < window.slices; ++slice) {
            pieces.push_back({weights[matrix.sources[window.firstSlice + slice]].bytes.first(sliceBytes),
                              &blocks[window.block], window.offset + slice * sliceBytes});
        }
    }
}

std::vector<float> vectorTable(const WeightLayout& layout, const graph::Program& program,
                               backend::Weights weights) {
    std::vector<float> table(std::max<std::uint32_t>(layout.vectorWords, 1));
    for (const auto& [id, offset] : layout.vectors) {
        const graph::WeightRef& weight = program.weights[id];
        quant::dequantizeRow(weight.type, weights[id].bytes.data(), table.data() + offset, weight.columns);
    }
    return table;
}

}  // namespace

Result<DeviceWeights> DeviceWeights::load(ComputeDevice& device, const graph::Program& program,
                                          backend::Weights weights, WeightLayout layout,
                                          backend::Progress* progress, CancelToken cancel) {
    DeviceWeights made;
    made.layout = std::move(layout);
    for (const std::uint64_t bytes : made.layout.blocks) {
        LOADER_CHECK(cancel.check());
        LOADER_TRY(DeviceBuffer block, DeviceBuffer::make(device, bytes, MemoryUse::Device));
        made.blocks.push_back(std::move(block));
    }
    const std::vector<float> vectors = vectorTable(made.layout, program, weights);
    const std::vector<std::uint32_t> grids =
        made.layout.usesGrids ? gridWords() : std::vector<std::uint32_t>{0};
    LOADER_TRY(made.vectors,
               DeviceBuffer::make(device, std::as_bytes(std::span(vectors)).size(), MemoryUse::Device));
    LOADER_TRY(made.grids,
               DeviceBuffer::make(device, std::as_bytes(std::span(grids)).size(), MemoryUse::Device));
    std::vector<UploadPiece> pieces{{std::as_bytes(std::span(vectors)), &made.vectors, 0},
                                    {std::as_bytes(std::span(grids)), &made.grids, 0}};
    for (const auto& [id, matrix] : made.layout.matrices)
        addPieces(matrix, weights, made.blocks, pieces);
    LOADER_CHECK(uploadAll(device, pieces, progress, std::move(cancel)));
    return made;
}

}  // namespace loader::vulkan
