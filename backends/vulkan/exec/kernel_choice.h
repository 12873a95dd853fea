// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which pipeline computes what on a device: tier, tile and workgroup sizes, by the limits alone. The numbers
// of the specialization constants are said at the head of each shader.
#pragma once

#include "backends/api/backend.h"
#include "backends/vulkan/device/pipeline_store.h"
#include "core/engine/graph/ops.h"

namespace loader::vulkan {

/// A pipeline, and what one workgroup of it covers.
struct Choice {
    PipelineKey key;
    std::uint32_t rows = 1;
    std::uint32_t tokens = 1;
};

/// A product that computes with integers needs its activations quantised.
enum class ProductForm : std::uint8_t { Float, Integer };

/// @thread const
class KernelChoice {
public:
    /// @param exact activations are never rounded to bytes
    KernelChoice(FeatureTier tier, const DeviceLimits& limits, bool exact)
        : m_tier(tier), m_limits(limits), m_exact(exact) {}

    /// @param few what goes through matvec, as few tokens and experts do
    ProductForm formOf(quant::TensorType type, bool few) const;
    /// Few tokens, each weight read once for all of them. @param pair the second matrix gates the first
    Choice matvec(quant::TensorType type, std::uint32_t columns, std::uint32_t tokens, bool pair) const;
    Choice matmul(quant::TensorType type, std::uint32_t tokens) const;
    /// Products of so many tokens go through matvec.
    static constexpr std::uint32_t kVectorTokens = 8;

    PipelineKey norm(graph::NormKind kind, std::uint32_t width) const;
    PipelineKey ropeStore(bool halves, backend::KvType kv) const;
    /// `rows` of the choice are query heads of one kv head, `tokens` tokens.
    Choice attend(backend::KvType kv, std::uint32_t group, std::uint32_t keyLength, std::uint32_t valueLength,
                  bool oneToken) const;
    PipelineKey attendMerge() const;
    PipelineKey activate(bool gated) const;
    PipelineKey quantise() const;
    PipelineKey route() const;
    PipelineKey expertSum() const;
    PipelineKey tokenBias() const;
    PipelineKey topTokens() const;
    /// Threads of a workgroup of the elementwise shaders.
    static constexpr std::uint32_t kLine = 128;

private:
    Choice matmulByMatrices(quant::TensorType type, std::uint32_t tokens) const;

    FeatureTier m_tier;
    DeviceLimits m_limits;
    bool m_exact;
};

}  // namespace loader::vulkan
