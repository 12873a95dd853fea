// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// An opened device with one queue for computing and, where there is one, one for copying.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "backends/vulkan/device/device_facts.h"
#include "backends/vulkan/device/feature_tier.h"
#include "backends/vulkan/device/vulkan_hpp.h"
#include "backends/vulkan/device/vulkan_library.h"

namespace loader::vulkan {

struct DeviceSettings {
    /// UUID text as DeviceFacts::id has it; empty takes the first in order().
    std::string id;
    /// Tiers above this are left unused.
    FeatureTier most = FeatureTier::Matrix;
    /// The longest range of a buffer that a shader sees at once; 0 takes the device's limit.
    std::uint64_t windowBytes = 0;
};

/// What kernels and plans have to respect.
struct DeviceLimits {
    std::uint64_t windowBytes = 0;
    std::uint64_t allocationBytes = 0;
    std::uint64_t alignment = 256;
    std::uint32_t invocations = 128;
    std::uint32_t sharedBytes = 16384;
    std::uint32_t groupsX = 65535;
    std::uint32_t groupsY = 65535;
    std::uint32_t storageBuffers = 4;
    std::uint32_t subgroupLeast = 1;
    std::uint32_t subgroupMost = 1;
    /// Where host and device share their memory and copies are needless.
    bool unified = false;
};

/// @thread handle(), dispatch(), limits() from any; submit() from any, one after the other
class ComputeDevice {
public:
    /// @errors B721, B722 no such driver; X001 no such device; B702 it lacks what every kernel needs; B703
    static Result<std::unique_ptr<ComputeDevice>> open(const VulkanLibrary& library,
                                                       const DeviceSettings& settings);
    ~ComputeDevice();
    ComputeDevice(const ComputeDevice&) = delete;
    ComputeDevice& operator=(const ComputeDevice&) = delete;

    vk::Device handle() const { return m_device; }
    vk::PhysicalDevice physical() const { return m_physical; }
    const Dispatch& dispatch() const { return m_dispatch; }
    const DeviceLimits& limits() const { return m_limits; }
    const DeviceData& data() const { return m_data; }
    FeatureTier tier() const { return m_tier; }
    /// For messages: the name that users know.
    const std::string& name() const { return m_name; }
    std::uint32_t queueFamily() const { return m_queueFamily; }

    /// Submits recorded commands as one batch and waits for them.
    /// @errors B704 lost, or nothing came within the limit; R901 no memory left; B703
    Status submitAndWait(std::span<const vk::CommandBuffer> commands);
    /// The error of a failed call, in the words of the boundary: what is the call that failed, for people.
    Error failure(vk::Result result, std::string_view what) const;
    /// Submissions so far: tests count them.
    std::uint64_t submissions() const;

private:
    ComputeDevice() = default;

    vk::Instance m_instance;
    vk::PhysicalDevice m_physical;
    vk::Device m_device;
    vk::Queue m_queue;
    Dispatch m_dispatch;
    DeviceLimits m_limits;
    DeviceData m_data;
    FeatureTier m_tier = FeatureTier::Fp32;
    std::string m_name;
    std::uint32_t m_queueFamily = 0;
    std::mutex m_submitting;
    Unique<vk::Fence> m_fence;
    std::uint64_t m_submissions = 0;
};

}  // namespace loader::vulkan
