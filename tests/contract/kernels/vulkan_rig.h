// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A Vulkan device with one buffer for each binding of the shaders, for tests of single kernels. Buffers are
// read and written by the host; what a launch leaves alone can be seen.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/vulkan/device/device_buffer.h"
#include "backends/vulkan/device/pipeline_store.h"

namespace loader::test {

/// In the order of sets and bindings.
enum class RigBuffer : std::uint8_t { Arena, Vectors, Step, Grids, Result, Weights, Keys, Values, Second };
inline constexpr std::size_t kRigBuffers = 9;
inline constexpr std::size_t kRigWords = std::size_t{1} << 18;

struct RigLaunch {
    vulkan::PipelineKey key;
    std::vector<std::byte> push;
    std::array<std::uint32_t, 3> groups{1, 1, 1};
};

template <class Push>
RigLaunch rigLaunch(vulkan::ShaderId shader, std::vector<std::uint32_t> constants, const Push& push,
                    std::array<std::uint32_t, 3> groups) {
    RigLaunch launch{{shader, std::move(constants)}, std::vector<std::byte>(sizeof(Push)), groups};
    std::memcpy(launch.push.data(), &push, sizeof(Push));
    return launch;
}

class VulkanRig {
public:
    /// The first device, or the reason why there is none.
    static Result<std::unique_ptr<VulkanRig>> open();

    vulkan::FeatureTier tier() const { return m_device->tier(); }
    const vulkan::DeviceLimits& limits() const { return m_device->limits(); }
    std::string name() const { return m_device->name(); }

    std::span<std::uint32_t> words(RigBuffer buffer);
    /// As floats, for inputs.
    std::span<float> floats(RigBuffer buffer);
    /// Fills a buffer with a pattern that is no number, so that what is read by mistake spoils the result.
    void poison(RigBuffer buffer);
    /// One after the other, each after the end of the one before.
    Status run(std::span<const RigLaunch> launches);
    Status run(const RigLaunch& launch) { return run({&launch, 1}); }

private:
    VulkanRig() = default;
    Status makeSets();

    // In this order: what is made last goes first.
    std::unique_ptr<vulkan::ComputeDevice> m_device;
    std::unique_ptr<vulkan::PipelineStore> m_pipelines;
    std::array<vulkan::DeviceBuffer, kRigBuffers> m_buffers;
    vulkan::Unique<vk::DescriptorPool> m_pool;
    std::vector<vk::DescriptorSet> m_sets;
};

/// What a buffer held before a launch, to see that nothing else was written.
class Untouched {
public:
    Untouched(VulkanRig& rig, RigBuffer buffer);
    /// These words may change.
    void except(std::size_t first, std::size_t count);
    /// The first other word that changed, or nothing.
    std::string fault() const;

private:
    VulkanRig& m_rig;
    RigBuffer m_buffer;
    std::vector<std::uint32_t> m_before;
    std::vector<bool> m_free;
};

/// Σ (got − wanted)² / Σ wanted², or by `least` where that is more; where both are 0, whether got is: 0 or 1.
double normalisedError(std::span<const double> wanted, std::span<const double> got, double least = 0.0);

}  // namespace loader::test
