// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/backend/vulkan_subjects.h"

#include <cstdlib>

#include "backends/vulkan/device/compute_device.h"
#include "backends/vulkan/vulkan_backend.h"

namespace loader::test {

std::vector<Subject> vulkanSubjects() {
    std::vector<Subject> list;
    const auto library = vulkan::VulkanLibrary::open(vulkan::VulkanLibrary::defaultNames());
    if (!library.ok()) return list;
    const auto device = vulkan::ComputeDevice::open(**library, {});
    if (!device.ok()) return list;
    const bool all = std::getenv("LOADER_TEST_LONG") != nullptr;
    for (const vulkan::FeatureTier tier : vulkan::allFeatureTiers()) {
        const bool ends = tier == vulkan::FeatureTier::Fp32 || tier == (*device)->tier();
        if (tier > (*device)->tier() || (!all && !ends)) continue;
        const std::string name(vulkan::nameOf(tier));
        list.push_back({"vulkan-" + name, "vulkan", name, true});
    }
    return list;
}

std::unique_ptr<backend::Backend> makeVulkan(bool forced) {
    vulkan::VulkanSettings settings;
    if (forced) settings.exactWidth = 0;
    // Other tests may run beside this one, and nothing is to be learned from how long that takes.
    settings.device.answerMs = 600'000;
    return std::make_unique<vulkan::VulkanBackend>(std::move(settings));
}

}  // namespace loader::test
