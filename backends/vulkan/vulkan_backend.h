// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// GPUs through Vulkan: finds them, tells what they can, and computes on them.
#pragma once

#include <functional>
#include <mutex>

#include "backends/api/backend.h"
#include "backends/vulkan/device/compute_device.h"
#include "backends/vulkan/device/vulkan_library.h"

namespace loader::vulkan {

/// How a load went. @unit milliseconds from when weights and pipelines were begun
struct LoadTimes {
    double weightsMs = 0.0;
    double pipelinesMs = 0.0;
    /// What the pipelines took longer than the weights.
    double waitedMs = 0.0;
    std::size_t pipelines = 0;
};

struct VulkanSettings {
    std::vector<std::string> libraryNames = VulkanLibrary::defaultNames();
    /// What is left unused of devices, and limits that tests lower. Its id is not used.
    DeviceSettings device;
    /// In models up to this width activations are not rounded to bytes: with few dimensions the roundings do
    /// not average out, and such models are quick anyway.
    std::uint32_t exactWidth = 768;
    /// Where made pipelines are kept between runs; empty keeps none.
    std::string cacheFolder;
    /// Told of each load that placed its weights; for measurements.
    std::function<void(const LoadTimes&)> observer;
};

/// @thread any: the library is opened once
class VulkanBackend final : public backend::Backend {
public:
    explicit VulkanBackend(VulkanSettings settings = {}) : m_settings(std::move(settings)) {}

    std::string id() const override { return "vulkan"; }
    /// Opens the library and loads the drivers, which may take a second. @errors B720, B721, B722
    Result<std::vector<backend::DeviceFacts>> devices() override;
    Result<backend::DeviceFacts> device(const std::string& id) override;
    Result<backend::PlanReport> plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                     const std::string& device, const backend::LoadOptions& options) override;
    /// @errors B702, B703, B704, B72x, R901, X001 no such device or tier, X002
    Result<std::unique_ptr<backend::Model>> load(const graph::Program& program, backend::Weights weights,
                                                 std::span<const std::uint32_t> segments,
                                                 const std::string& device,
                                                 const backend::LoadOptions& options,
                                                 backend::Progress* progress, CancelToken cancel) override;

private:
    Result<const VulkanLibrary*> library();

    VulkanSettings m_settings;
    std::mutex m_opening;
    std::unique_ptr<VulkanLibrary> m_library;
};

}  // namespace loader::vulkan
