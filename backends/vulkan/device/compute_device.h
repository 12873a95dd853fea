// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// An opened device with one queue for computing and copying.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backends/vulkan/device/device_facts.h"
#include "backends/vulkan/device/device_limits.h"
#include "backends/vulkan/device/feature_tier.h"
#include "backends/vulkan/device/memory_budget.h"
#include "backends/vulkan/device/vulkan_hpp.h"
#include "backends/vulkan/device/vulkan_library.h"

namespace loader::vulkan {

struct DeviceSettings {
    /// UUID text as DeviceFacts::id has it; empty takes the first in order().
    std::string id;
    /// Tiers above this are left unused.
    FeatureTier most = FeatureTier::Flexible;
    /// Left unused though the driver offers them.
    FeatureSet without;
    /// The longest range of a buffer that a shader sees at once; 0 takes the device's limit.
    std::uint64_t windowBytes = 0;
    /// The most that is taken of the device's own memory; 0 is as much as the driver gives.
    std::uint64_t memoryBytes = 0;
    /// A submission that takes longer counts as a loss of the device. By default 10 s, and a minute for a
    /// device in software: that one compiles when it computes first, on the processors that everybody else
    /// wants too.
    std::optional<std::uint64_t> answerMs;
};

/// @thread handle(), dispatch(), limits() from any; submit() from any, one after the other
class ComputeDevice {
public:
    /// @errors B721, B722 no such driver; X001 no such device; B702 it lacks what every kernel needs; B703
    static Result<std::unique_ptr<ComputeDevice>> open(const VulkanLibrary& library,
                                                       const DeviceSettings& settings);
    /// Whatever was made on the device must be gone by now.
    ~ComputeDevice();
    ComputeDevice(const ComputeDevice&) = delete;
    ComputeDevice& operator=(const ComputeDevice&) = delete;

    vk::Device handle() const { return m_device; }
    vk::PhysicalDevice physical() const { return m_physical; }
    const Dispatch& dispatch() const { return m_dispatch; }
    const DeviceLimits& limits() const { return m_limits; }
    const DeviceData& data() const { return m_data; }
    FeatureTier tier() const { return m_tier; }
    /// What the driver offers and the settings leave.
    FeatureSet features() const { return m_features; }
    /// For messages: the name that users know.
    const std::string& name() const { return m_name; }
    std::uint32_t queueFamily() const { return m_queueFamily; }
    MemoryBudget& budget() { return m_budget; }

    /// Submits recorded commands as one batch and waits for them.
    /// @errors B704 lost, or nothing came within the limit; R901 no memory left; B703
    Status submitAndWait(std::span<const vk::CommandBuffer> commands);
    /// Records commands that are used once, runs them and waits. What they wrote is visible to every later
    /// submission and to the host. @errors as submitAndWait()
    Status runOnce(const std::function<void(vk::CommandBuffer)>& record);
    /// Makes everything before it visible to everything after it, in this and in later submissions.
    void fullBarrier(vk::CommandBuffer commands) const;
    /// B704 once the device is lost: then no later call can succeed.
    Status check() const;
    /// The error of a failed call, in the words of the boundary: what is the call that failed, for people.
    Error failure(vk::Result result, std::string_view what) const;
    /// Submissions so far: tests count them.
    std::uint64_t submissions() const { return m_submissions.load(std::memory_order_relaxed); }

private:
    ComputeDevice() = default;
    Status make();
    Status waitLocked();
    void abandon();

    std::unique_ptr<VulkanInstance> m_instance;
    vk::PhysicalDevice m_physical;
    vk::Device m_device;
    vk::Queue m_queue;
    Dispatch m_dispatch;
    DeviceLimits m_limits;
    DeviceData m_data;
    FeatureSet m_features;
    FeatureTier m_tier = FeatureTier::Fp32;
    std::string m_name;
    std::uint32_t m_queueFamily = 0;
    std::uint64_t m_answerMs = 0;
    MemoryBudget m_budget;
    std::mutex m_submitting;
    vk::Fence m_fence;
    std::atomic<std::uint64_t> m_submissions{0};
    /// Seen in any call, also in const ones.
    mutable std::atomic<bool> m_lost{false};
    /// The device may still be at work on what it was given.
    bool m_abandoned = false;
};

}  // namespace loader::vulkan
