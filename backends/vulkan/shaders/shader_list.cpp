// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/shaders/shader_list.h"

#include <cstddef>

namespace loader::vulkan {
namespace code {

// Defined by the file that embed_words.py writes at build time.
#define LOADER_SHADER(id, source, definitions, tier, push) \
    extern const std::uint32_t k##id[];                    \
    extern const std::size_t k##id##Words;
#include "backends/vulkan/shaders/shaders.inc"

}  // namespace code

std::span<const Shader> allShaders() {
    static const Shader kShaders[] = {
#define LOADER_SHADER(id, source, definitions, tier, push) \
    {ShaderId::id, #id, FeatureTier::tier, {code::k##id, code::k##id##Words}},
#include "backends/vulkan/shaders/shaders.inc"
    };
    return kShaders;
}

WeightFamily familyOf(quant::TensorType type) {
    using quant::TensorType;
    switch (type) {
        case TensorType::F32:
        case TensorType::F16:
        case TensorType::BF16: return WeightFamily::Float;
        case TensorType::Q2_K:
        case TensorType::Q3_K:
        case TensorType::Q4_K:
        case TensorType::Q5_K:
        case TensorType::Q6_K: return WeightFamily::K;
        case TensorType::IQ1_S:
        case TensorType::IQ1_M:
        case TensorType::IQ2_XXS:
        case TensorType::IQ2_XS:
        case TensorType::IQ2_S:
        case TensorType::IQ3_XXS:
        case TensorType::IQ3_S:
        case TensorType::IQ4_XS: return WeightFamily::Grid;
        default: return WeightFamily::Plain;
    }
}

ShaderId inFamily(ShaderId plain, quant::TensorType type) {
    return static_cast<ShaderId>(static_cast<unsigned>(plain) + static_cast<unsigned>(familyOf(type)));
}

#define LOADER_SHADER(id, source, definitions, tier, push) \
    static_assert(sizeof(push) <= kPushConstantBytes && sizeof(push) % sizeof(std::uint32_t) == 0);
#include "backends/vulkan/shaders/shaders.inc"

// inFamily() counts on it.
static_assert(static_cast<int>(ShaderId::MatvecInt8Grid) - static_cast<int>(ShaderId::MatvecInt8) ==
              static_cast<int>(WeightFamily::Grid));

}  // namespace loader::vulkan
