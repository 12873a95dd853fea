// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/shaders/grid_words.h"

#include <span>

#include "backends/vulkan/shaders/grid_layout.h"
#include "core/engine/quant/iq_grids.h"

namespace loader::vulkan {
namespace {

void put(std::vector<std::uint32_t>& words, std::uint32_t offset, std::span<const std::uint64_t> entries) {
    for (const std::uint64_t entry : entries) {
        words[offset++] = static_cast<std::uint32_t>(entry);
        words[offset++] = static_cast<std::uint32_t>(entry >> 32);
    }
}

void put(std::vector<std::uint32_t>& words, std::uint32_t offset, std::span<const std::uint32_t> entries) {
    for (const std::uint32_t entry : entries)
        words[offset++] = entry;
}

}  // namespace

std::vector<std::uint32_t> gridWords() {
    std::vector<std::uint32_t> words(LOADER_GRID_WORDS);
    put(words, LOADER_GRID_IQ2_XXS, std::span<const std::uint64_t>(quant::kIq2XxsGrid));
    put(words, LOADER_GRID_IQ2_XS, std::span<const std::uint64_t>(quant::kIq2XsGrid));
    put(words, LOADER_GRID_IQ2_S, std::span<const std::uint64_t>(quant::kIq2SGrid));
    put(words, LOADER_GRID_IQ3_XXS, std::span<const std::uint32_t>(quant::kIq3XxsGrid));
    put(words, LOADER_GRID_IQ3_S, std::span<const std::uint32_t>(quant::kIq3SGrid));
    put(words, LOADER_GRID_IQ1, std::span<const std::uint64_t>(quant::kIq1Grid));
    return words;
}

}  // namespace loader::vulkan
