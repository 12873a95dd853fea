// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// GPUs through Vulkan. This version finds the devices and tells what they can; it computes nothing on them
// yet, and plan() says so before any driver is loaded.
#pragma once

#include "backends/api/backend.h"
#include "backends/vulkan/device/vulkan_library.h"

namespace loader::vulkan {

/// @thread devices() from one thread at a time; plan() and load() from any
class VulkanBackend final : public backend::Backend {
public:
    explicit VulkanBackend(std::vector<std::string> libraryNames = VulkanLibrary::defaultNames())
        : m_libraryNames(std::move(libraryNames)) {}

    std::string id() const override { return "vulkan"; }
    /// Opens the library and loads the drivers, which may take a second. @errors B720, B721, B722
    Result<std::vector<backend::DeviceFacts>> devices() override;
    Result<backend::DeviceFacts> device(const std::string& id) override;
    Result<backend::PlanReport> plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                     const std::string& device, const backend::LoadOptions& options) override;
    /// @errors B702 always, with plan()'s reason
    Result<std::unique_ptr<backend::Model>> load(const graph::Program& program, backend::Weights weights,
                                                 std::span<const std::uint32_t> segments,
                                                 const std::string& device,
                                                 const backend::LoadOptions& options,
                                                 backend::Progress* progress, CancelToken cancel) override;

private:
    std::vector<std::string> m_libraryNames;
    std::unique_ptr<VulkanLibrary> m_library;
};

}  // namespace loader::vulkan
