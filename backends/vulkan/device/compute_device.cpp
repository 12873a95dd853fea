// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/compute_device.h"

#include <algorithm>
#include <vector>

namespace loader::vulkan {
namespace {

constexpr const char* kBackend = "vulkan";
/// The name is newer than some headers, and "beta" in all.
constexpr const char* kPortabilitySubset = "VK_KHR_portability_subset";
constexpr std::uint64_t kNanosecondsPerMs = 1'000'000;
constexpr std::uint64_t kAnswerMs = 10'000;
constexpr std::uint64_t kSoftwareAnswerMs = 60'000;

/// What a device is asked for when it is opened: just what its tier needs.
class Wanted {
public:
    Wanted(const DeviceData& data, FeatureTier tier, FeatureSet features) : m_data(data) {
        // Devices that lack a part of Vulkan must be told that we know.
        extension(kPortabilitySubset, data.has(kPortabilitySubset));
        extension(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME, features.has(DeviceFeature::Budget));
        extension(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, features.has(DeviceFeature::HostImport));
        if (tier >= FeatureTier::Fp16) {
            m_arithmetic.shaderFloat16 = VK_TRUE;
            link(m_arithmetic, VK_API_VERSION_1_2, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME);
        }
        if (tier >= FeatureTier::Int8) {
            m_integerDot.shaderIntegerDotProduct = VK_TRUE;
            link(m_integerDot, VK_API_VERSION_1_3, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
        }
        if (tier < FeatureTier::Matrix) return;
        m_memoryModel.vulkanMemoryModel = VK_TRUE;
        link(m_memoryModel, VK_API_VERSION_1_2, VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME);
        m_matrix.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
        m_matrix.cooperativeMatrix = VK_TRUE;
        m_matrix.pNext = m_head;
        m_head = &m_matrix;
        extension(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, true);
        if (tier < FeatureTier::Flexible) return;
        m_flexible.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV;
        m_flexible.cooperativeMatrixFlexibleDimensions = VK_TRUE;
        m_flexible.cooperativeMatrixPerElementOperations = VK_TRUE;
        m_flexible.pNext = m_head;
        m_head = &m_flexible;
        // Their workgroup sizes are constants by id, which Vulkan 1.3 counts to this.
        m_maintenance4.maintenance4 = VK_TRUE;
        link(m_maintenance4, VK_API_VERSION_1_3, VK_KHR_MAINTENANCE_4_EXTENSION_NAME);
        extension(VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME, true);
    }
    Wanted(const Wanted&) = delete;
    Wanted& operator=(const Wanted&) = delete;

    void* head() const { return m_head; }
    const std::vector<const char*>& extensions() const { return m_extensions; }

private:
    void extension(const char* name, bool wanted) {
        if (wanted) m_extensions.push_back(name);
    }
    /// A structure that is of the core since a version, and of an extension before.
    template <class T>
    void link(T& structure, std::uint32_t coreSince, const char* name) {
        structure.pNext = m_head;
        m_head = &structure;
        extension(name, !m_data.isAtLeast(coreSince));
    }

    const DeviceData& m_data;
    vk::PhysicalDeviceShaderFloat16Int8Features m_arithmetic;
    vk::PhysicalDeviceShaderIntegerDotProductFeatures m_integerDot;
    vk::PhysicalDeviceVulkanMemoryModelFeatures m_memoryModel;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR m_matrix{};
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV m_flexible{};
    vk::PhysicalDeviceMaintenance4Features m_maintenance4;
    void* m_head = nullptr;
    std::vector<const char*> m_extensions;
};

/// Stands in for what destroys and frees, see abandon().
template <class Handle>
void VKAPI_CALL keep(VkDevice, Handle, const VkAllocationCallbacks*) {}
void VKAPI_CALL keepCommands(VkDevice, VkCommandPool, std::uint32_t, const VkCommandBuffer*) {}

}  // namespace

Result<std::unique_ptr<ComputeDevice>> ComputeDevice::open(const VulkanLibrary& library,
                                                           const DeviceSettings& settings) {
    auto device = std::unique_ptr<ComputeDevice>(new ComputeDevice());
    LOADER_TRY(device->m_instance, VulkanInstance::create(library));
    LOADER_TRY(FoundDevice found, findDevice(*device->m_instance, settings.id));
    device->m_physical = found.handle;
    device->m_data = std::move(found.data);
    device->m_name = found.facts.name;
    const std::string lack = lackOf(device->m_data);
    if (!lack.empty())
        return Error(Errc::B702, {kBackend, "the device " + device->m_name + " will not do: " + lack});

    device->m_features = offeredFeatures(device->m_data).less(settings.without);
    device->m_tier = std::min(settings.most, detectTier(device->m_data, settings.without));
    device->m_limits = limitsOf(device->m_data, settings.windowBytes);
    device->m_limits.unified = device->m_features.has(DeviceFeature::Unified);
    const bool inSoftware = device->m_data.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    device->m_answerMs = settings.answerMs.value_or(inSoftware ? kSoftwareAnswerMs : kAnswerMs);
    device->m_queueFamily = computeFamily(device->m_data).value_or(0);  // lackOf() saw that there is one
    device->m_budget.start(device->m_instance->functions(), found.handle, device->m_data.memory,
                           device->m_features.has(DeviceFeature::Budget), settings.memoryBytes);
    device->m_dispatch.init(library.getInstanceProcAddr());
    device->m_dispatch.init(vk::Instance(device->m_instance->handle()));
    LOADER_CHECK(device->make());
    return device;
}

Status ComputeDevice::make() {
    const Wanted wanted(m_data, m_tier, m_features);
    const float priority = 1.0f;
    const vk::DeviceQueueCreateInfo queue({}, m_queueFamily, 1, &priority);
    vk::DeviceCreateInfo info({}, queue, {}, wanted.extensions());
    info.pNext = wanted.head();
    const auto device = m_physical.createDevice(info, nullptr, m_dispatch);
    if (device.result != vk::Result::eSuccess) return failure(device.result, "opening " + m_name);
    m_device = device.value;
    m_dispatch.init(m_device);
    m_queue = m_device.getQueue(m_queueFamily, 0, m_dispatch);
    const auto fence = m_device.createFence({}, nullptr, m_dispatch);
    if (fence.result != vk::Result::eSuccess) return failure(fence.result, "vkCreateFence");
    m_fence = fence.value;
    return {};
}

ComputeDevice::~ComputeDevice() {
    if (m_abandoned) {
        // Closing would wait for a device that does not answer; the process is about to end anyway.
        static_cast<void>(m_instance.release());
        return;
    }
    if (!m_device) return;
    if (m_fence) m_device.destroyFence(m_fence, nullptr, m_dispatch);
    m_device.destroy(nullptr, m_dispatch);
}

Status ComputeDevice::check() const {
    return m_lost.load(std::memory_order_relaxed) ? Status(Error(Errc::B704, {m_name})) : Status();
}

Status ComputeDevice::submitAndWait(std::span<const vk::CommandBuffer> commands) {
    const std::lock_guard lock(m_submitting);
    LOADER_CHECK(check());
    vk::Result result = m_device.resetFences(m_fence, m_dispatch);
    if (result != vk::Result::eSuccess) return failure(result, "vkResetFences");
    vk::SubmitInfo info;
    info.commandBufferCount = static_cast<std::uint32_t>(commands.size());
    info.pCommandBuffers = commands.data();
    result = m_queue.submit(info, m_fence, m_dispatch);
    if (result != vk::Result::eSuccess) return failure(result, "vkQueueSubmit");
    m_submissions.fetch_add(1, std::memory_order_relaxed);
    return waitLocked();
}

Status ComputeDevice::waitLocked() {
    const vk::Result result =
        m_device.waitForFences(m_fence, VK_TRUE, m_answerMs * kNanosecondsPerMs, m_dispatch);
    if (result == vk::Result::eSuccess) return {};
    Error error = failure(result, "vkWaitForFences");
    // Work that was submitted and of whose end we know nothing: its memory must stay where it is.
    if (result != vk::Result::eErrorDeviceLost) abandon();
    return error;
}

Status ComputeDevice::runOnce(const std::function<void(vk::CommandBuffer)>& record) {
    LOADER_CHECK(check());
    auto pool = m_device.createCommandPoolUnique(
        vk::CommandPoolCreateInfo(vk::CommandPoolCreateFlagBits::eTransient, m_queueFamily), nullptr,
        m_dispatch);
    if (pool.result != vk::Result::eSuccess) return failure(pool.result, "vkCreateCommandPool");
    const auto buffers = m_device.allocateCommandBuffers(
        vk::CommandBufferAllocateInfo(*pool.value, vk::CommandBufferLevel::ePrimary, 1), m_dispatch);
    if (buffers.result != vk::Result::eSuccess) return failure(buffers.result, "vkAllocateCommandBuffers");
    const vk::CommandBuffer commands = buffers.value.front();
    vk::Result result = commands.begin(
        vk::CommandBufferBeginInfo(vk::CommandBufferUsageFlagBits::eOneTimeSubmit), m_dispatch);
    if (result != vk::Result::eSuccess) return failure(result, "vkBeginCommandBuffer");
    record(commands);
    fullBarrier(commands);
    result = commands.end(m_dispatch);
    if (result != vk::Result::eSuccess) return failure(result, "vkEndCommandBuffer");
    return submitAndWait({&commands, 1});
}

void ComputeDevice::fullBarrier(vk::CommandBuffer commands) const {
    constexpr vk::AccessFlags kDevice = vk::AccessFlagBits::eMemoryRead | vk::AccessFlagBits::eMemoryWrite;
    const vk::MemoryBarrier barrier(vk::AccessFlagBits::eMemoryWrite,
                                    kDevice | vk::AccessFlagBits::eHostRead);
    commands.pipelineBarrier(vk::PipelineStageFlagBits::eAllCommands,
                             vk::PipelineStageFlagBits::eAllCommands | vk::PipelineStageFlagBits::eHost, {},
                             barrier, {}, {}, m_dispatch);
}

Error ComputeDevice::failure(vk::Result result, std::string_view what) const {
    switch (result) {
        case vk::Result::eErrorDeviceLost:
        // Only a wait for an answer ends so.
        case vk::Result::eTimeout:
            m_lost.store(true, std::memory_order_relaxed);
            return Error(Errc::B704, {m_name});
        case vk::Result::eErrorOutOfHostMemory:
        case vk::Result::eErrorOutOfDeviceMemory:
        case vk::Result::eErrorOutOfPoolMemory:
        case vk::Result::eErrorFragmentedPool:
        case vk::Result::eErrorTooManyObjects:
        case vk::Result::eErrorMemoryMapFailed:
            return Error(Errc::R901, {"An unknown amount (" + std::string(what) + ")"});
        default:
            return Error(Errc::B703, {kBackend, std::string(what) + " answers " +
                                                    resultText(static_cast<VkResult>(result))});
    }
}

/// From here on nothing is given back: neither what we hold nor what others made on this device.
void ComputeDevice::abandon() {
    m_abandoned = true;
    m_lost.store(true, std::memory_order_relaxed);
    m_dispatch.vkFreeMemory = keep<VkDeviceMemory>;
    m_dispatch.vkDestroyBuffer = keep<VkBuffer>;
    m_dispatch.vkDestroyCommandPool = keep<VkCommandPool>;
    m_dispatch.vkDestroyDescriptorPool = keep<VkDescriptorPool>;
    m_dispatch.vkDestroyDescriptorSetLayout = keep<VkDescriptorSetLayout>;
    m_dispatch.vkDestroyPipeline = keep<VkPipeline>;
    m_dispatch.vkDestroyPipelineCache = keep<VkPipelineCache>;
    m_dispatch.vkDestroyPipelineLayout = keep<VkPipelineLayout>;
    m_dispatch.vkDestroyQueryPool = keep<VkQueryPool>;
    m_dispatch.vkDestroyShaderModule = keep<VkShaderModule>;
    m_dispatch.vkFreeCommandBuffers = keepCommands;
}

}  // namespace loader::vulkan
