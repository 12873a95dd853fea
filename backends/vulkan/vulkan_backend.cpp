// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/vulkan_backend.h"

#include <chrono>
#include <future>

#include "backends/api/device_list.h"
#include "backends/vulkan/device/device_facts.h"
#include "backends/vulkan/exec/load_plan.h"
#include "backends/vulkan/exec/needed_pipelines.h"
#include "backends/vulkan/exec/vulkan_session.h"

namespace loader::vulkan {
namespace {

/// What a plan assumes where no device is named: those of any recent card. Before drivers are loaded nobody
/// knows better, and a device that has less says so itself.
DeviceLimits commonLimits() {
    DeviceLimits limits;
    limits.windowBytes = std::uint64_t{4} << 30;
    limits.allocationBytes = std::uint64_t{4} << 30;
    limits.sharedBytes = 32768;
    limits.invocations = 256;
    return limits;
}

class Stopwatch {
public:
    double milliseconds() const {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - m_began).count();
    }

private:
    std::chrono::steady_clock::time_point m_began = std::chrono::steady_clock::now();
};

class VulkanModel final : public backend::Model {
public:
    VulkanModel(std::unique_ptr<LoadedParts> parts, backend::MemoryParts used)
        : m_parts(std::move(parts)), m_used(used) {}

    backend::LoadEffects effects() const override {
        return {m_used, std::string(nameOf(m_parts->device->tier())), 0};
    }
    Result<std::unique_ptr<backend::Session>> openSession(const backend::SessionOptions& options) override {
        return makeVulkanSession(*m_parts, options);
    }

private:
    std::unique_ptr<LoadedParts> m_parts;
    backend::MemoryParts m_used;
};

}  // namespace

Result<const VulkanLibrary*> VulkanBackend::library() {
    const std::lock_guard<std::mutex> lock(m_opening);
    if (!m_library) {
        LOADER_TRY(m_library, VulkanLibrary::open(m_settings.libraryNames));
    }
    return m_library.get();
}

Result<std::vector<backend::DeviceFacts>> VulkanBackend::devices() {
    LOADER_TRY(const VulkanLibrary* opened, library());
    LOADER_TRY(const auto instance, VulkanInstance::create(*opened));
    LOADER_TRY(const auto found, findDevices(*instance));
    std::vector<backend::DeviceFacts> devices;
    for (const FoundDevice& device : found)
        devices.push_back(device.facts);
    return devices;
}

Result<backend::DeviceFacts> VulkanBackend::device(const std::string& id) {
    return backend::findDevice(*this, id);
}

Result<backend::PlanReport> VulkanBackend::plan(const graph::Program& program,
                                                std::span<const std::uint32_t> segments,
                                                const std::string& device,
                                                const backend::LoadOptions& options) {
    if (device.empty()) return planOn(program, segments, commonLimits(), options).report;
    LOADER_TRY(const VulkanLibrary* opened, library());
    LOADER_TRY(const auto instance, VulkanInstance::create(*opened));
    LOADER_TRY(const FoundDevice found, findDevice(*instance, device));
    backend::PlanReport report =
        planOn(program, segments, limitsOf(found.data, m_settings.device.windowBytes), options).report;
    const std::string lack = lackOf(found.data);
    if (!lack.empty()) report.unsupported.push_back(lack);
    return report;
}

Result<std::unique_ptr<backend::Model>> VulkanBackend::load(const graph::Program& program,
                                                            backend::Weights weights,
                                                            std::span<const std::uint32_t> segments,
                                                            const std::string& device,
                                                            const backend::LoadOptions& options,
                                                            backend::Progress* progress, CancelToken cancel) {
    LOADER_CHECK(cancel.check());
    if (segments.empty()) return Error(Errc::B702, {id(), "no part of the model was asked for"});
    DeviceSettings settings = m_settings.device;
    settings.id = device;
    if (!options.tier.empty()) {
        const auto wanted = featureTierFromName(options.tier);
        if (!wanted)
            return Error(Errc::X001, {"The back end vulkan has no tier named " + options.tier + "."});
        settings.most = std::min(settings.most, *wanted);
    }
    LOADER_TRY(const VulkanLibrary* opened, library());
    LOADER_TRY(auto openedDevice, ComputeDevice::open(*opened, settings));
    const DeviceLimits& limits = openedDevice->limits();
    LoadPlan plan = planOn(program, segments, limits, options);
    if (!plan.report.unsupported.empty()) return Error(Errc::B702, {id(), plan.report.unsupported.front()});
    const std::string cacheFile =
        m_settings.cacheFolder.empty() ? "" : m_settings.cacheFolder + "/vulkan-pipelines.bin";
    LOADER_TRY(auto pipelines, PipelineStore::create(*openedDevice, cacheFile));
    const KernelChoice kernels(openedDevice->tier(), limits, program.width <= m_settings.exactWidth);
    const std::vector<PipelineKey> needed =
        neededPipelines(program, segments, plan.weights, kernels, limits, plan.options);
    LoadTimes times;
    times.pipelines = needed.size();
    const Stopwatch began;
    // Drivers compile for seconds: that goes on while the weights travel.
    auto compiling = std::async(std::launch::async, [&] {
        auto prepared = pipelines->prepare(needed, cancel);
        times.pipelinesMs = began.milliseconds();
        return prepared;
    });
    auto placed =
        DeviceWeights::load(*openedDevice, program, weights, std::move(plan.weights), progress, cancel);
    times.weightsMs = began.milliseconds();
    const auto prepared = compiling.get();
    times.waitedMs = began.milliseconds() - times.weightsMs;
    LOADER_CHECK(prepared);
    if (m_settings.observer) m_settings.observer(times);
    if (!placed.ok()) return std::move(placed).error();
    std::unique_ptr<LoadedParts> parts(new LoadedParts{program,
                                                       {weights.begin(), weights.end()},
                                                       {segments.begin(), segments.end()},
                                                       plan.options,
                                                       std::move(openedDevice),
                                                       kernels,
                                                       std::move(pipelines),
                                                       std::move(placed).value(),
                                                       {}});
    return std::unique_ptr<backend::Model>(
        std::make_unique<VulkanModel>(std::move(parts), plan.report.needed));
}

}  // namespace loader::vulkan
