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

#define LOADER_SHADER(id, source, definitions, tier, push) \
    static_assert(sizeof(push) <= kPushConstantBytes && sizeof(push) % sizeof(std::uint32_t) == 0);
#include "backends/vulkan/shaders/shaders.inc"

}  // namespace loader::vulkan
