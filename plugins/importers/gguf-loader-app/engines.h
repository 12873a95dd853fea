// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The engines of the old program, and what stands in their place: engines that use a graphics card become
// Vulkan and then the processor, the one that brings its own processor kernels becomes the processor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/config/setting_list.h"

namespace loader::app::ggufloader {

enum class Engine : std::uint8_t {
    Unknown,
    /// "auto", or nothing.
    Auto,
    Gpu,
    Processor,
    /// It runs other files than GGUF.
    Foreign,
};
/// Underscores are as good as hyphens, and case does not matter.
Engine engineOf(std::string_view name);

/// One member of "backends" or "backend_configs".
struct EngineEntry {
    std::string name;
    Engine engine = Engine::Unknown;
    /// Which value counts where several back ends have one: plan.h.
    int rank = 0;
};
/// In the order in which they count: the preferred one, then those that are on by their priority, then the
/// rest.
std::vector<EngineEntry> rankedEntries(const Json& entries, std::string_view preferred);

/// Our back ends for a list of old ones: each once, the processor last. Empty where none has a counterpart.
std::vector<std::string> backendsFor(const std::vector<std::string>& names);

}  // namespace loader::app::ggufloader
