// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The codebooks of the IQ types as the buffer `grids` holds them.
#pragma once

#include <cstdint>
#include <vector>

namespace loader::vulkan {

/// LOADER_GRID_WORDS words, as grid_layout.h has them.
std::vector<std::uint32_t> gridWords();

}  // namespace loader::vulkan
