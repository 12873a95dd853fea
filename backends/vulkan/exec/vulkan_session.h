// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#pragma once

#include <memory>

#include "backends/vulkan/exec/loaded_parts.h"

namespace loader::vulkan {

/// @param parts outlives it @errors R901, B702, B704, X001
Result<std::unique_ptr<backend::Session>> makeVulkanSession(LoadedParts& parts,
                                                            const backend::SessionOptions& options);

}  // namespace loader::vulkan
