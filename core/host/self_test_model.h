// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The tiny model of the self-test: random weights, the same on every machine and in every run.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "backends/api/backend.h"
#include "core/host/random_blocks.h"

namespace loader::host {

/// One layer (more where there are more types than it has matrices), heads of 64, grouped queries, gated
/// feed-forward.
/// @thread const after make
class SelfTestModel {
public:
    static constexpr std::uint32_t kWidth = 256;
    static constexpr std::uint32_t kVocabulary = 64;

    /// @errors X003 no usable weights of a type could be made
    static Result<std::unique_ptr<SelfTestModel>> make(std::span<const quant::TensorType> types);

    const graph::Program& program() const { return m_program; }
    backend::Weights weights() const { return m_weights; }

private:
    SelfTestModel() = default;
    void addSlots();
    Status addLayer(std::uint32_t layer);
    Status addHead();
    Result<graph::Linear> matrix(std::uint64_t columns, std::uint64_t rows);
    Result<std::vector<std::byte>> randomMatrix(quant::TensorType type, std::size_t values);
    void addWeight(quant::TensorType type, std::uint64_t columns, std::uint64_t rows,
                   std::vector<std::byte> data);
    graph::NormOp norm();

    graph::Program m_program;
    std::vector<backend::Weight> m_weights;
    std::vector<std::vector<std::byte>> m_data;
    std::vector<quant::TensorType> m_types;
    std::map<quant::TensorType, RandomBlocks> m_blocks;
    std::size_t m_matrices = 0;
};

}  // namespace loader::host
