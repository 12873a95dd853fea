// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The Vulkan library of the system, opened at run time and never linked: a system without it runs the program
// as well.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/vulkan/device/vulkan_api.h"
#include "core/engine/base/result.h"

namespace loader::vulkan {

/// The library stays open until the process ends: drivers leave threads and exit handlers behind, whose code
/// must not go away. @thread const
class VulkanLibrary {
public:
    /// The names under which this system has it, the best first.
    static std::vector<std::string> defaultNames();
    /// @errors B720 none of them can be opened, B722 what was opened is no Vulkan library
    static Result<std::unique_ptr<VulkanLibrary>> open(const std::vector<std::string>& names);

    PFN_vkGetInstanceProcAddr getInstanceProcAddr() const { return m_getInstanceProcAddr; }

private:
    explicit VulkanLibrary(PFN_vkGetInstanceProcAddr entry) : m_getInstanceProcAddr(entry) {}

    PFN_vkGetInstanceProcAddr m_getInstanceProcAddr;
};

}  // namespace loader::vulkan
