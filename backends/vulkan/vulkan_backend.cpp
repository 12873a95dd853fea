// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/vulkan_backend.h"

#include "backends/api/device_list.h"
#include "backends/vulkan/device/device_facts.h"

namespace loader::vulkan {
namespace {

constexpr const char* kNotBuilt = "computing on Vulkan devices is not built in this version";

}  // namespace

Result<std::vector<backend::DeviceFacts>> VulkanBackend::devices() {
    if (!m_library) {
        LOADER_TRY(m_library, VulkanLibrary::open(m_libraryNames));
    }
    LOADER_TRY(const auto instance, VulkanInstance::create(*m_library));
    LOADER_TRY(const auto handles, instance->devices());
    std::vector<backend::DeviceFacts> devices;
    for (const VkPhysicalDevice handle : handles)
        devices.push_back(describe(readDevice(instance->functions(), handle)));
    order(devices);
    return devices;
}

Result<backend::DeviceFacts> VulkanBackend::device(const std::string& id) {
    return backend::findDevice(*this, id);
}

Result<backend::PlanReport> VulkanBackend::plan(const graph::Program&, std::span<const std::uint32_t>,
                                                const std::string&, const backend::LoadOptions&) {
    backend::PlanReport report;
    report.unsupported.emplace_back(kNotBuilt);
    return report;
}

Result<std::unique_ptr<backend::Model>> VulkanBackend::load(const graph::Program&, backend::Weights,
                                                            std::span<const std::uint32_t>,
                                                            const std::string&, const backend::LoadOptions&,
                                                            backend::Progress*, CancelToken) {
    return Error(Errc::B702, {id(), kNotBuilt});
}

}  // namespace loader::vulkan
