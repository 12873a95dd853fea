// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The shaders as SPIR-V. Their specialization constants, in order, are said in each source.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "backends/vulkan/device/feature_tier.h"
#include "backends/vulkan/shaders/push_constants.h"
#include "core/engine/quant/tensor_type.h"

namespace loader::vulkan {

enum class ShaderId : std::uint8_t {
#define LOADER_SHADER(id, source, definitions, tier, push) id,
#include "backends/vulkan/shaders/shaders.inc"
};

/// Storage buffers of the descriptor sets 0 to 3; push_constants.h says which they are.
inline constexpr std::array<std::uint32_t, 4> kBuffersOfSet = {5, 1, 2, 1};
inline constexpr std::uint32_t kPushConstantBytes = 128;

struct Shader {
    ShaderId id;
    std::string_view name;
    /// Lowest tier of a device that can make a pipeline of it.
    FeatureTier tier;
    std::span<const std::uint32_t> code;
};

/// Types that one shader decodes: with scales per block, K-quants, codebooks, floats.
enum class WeightFamily : std::uint8_t { Plain, K, Grid, Float };
WeightFamily familyOf(quant::TensorType type);
/// The shader of a product for a type, from the one for plain weights. Products of bytes have none for
/// floats.
ShaderId inFamily(ShaderId plain, quant::TensorType type);

/// All of them, indexed by id.
std::span<const Shader> allShaders();

}  // namespace loader::vulkan
