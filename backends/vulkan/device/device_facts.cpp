// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/device_facts.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "core/engine/base/device_properties.h"
#include "core/engine/base/utf8.h"

namespace loader::vulkan {
namespace {

namespace names = device_properties;

constexpr std::uint32_t kMostExtensions = 1024;
constexpr std::uint32_t kMostQueueFamilies = 64;
constexpr std::uint32_t kNvidia = 0x10DE;
constexpr std::uint32_t kMostMatrixShapes = 256;

/// Makes a structure the next one of a chain that the driver fills in.
class Chain {
public:
    explicit Chain(void*& head) : m_tail(&head) {}

    template <class T>
    void add(T& structure, VkStructureType type, bool wanted = true) {
        if (!wanted) return;
        structure.sType = type;
        *m_tail = &structure;
        m_tail = &structure.pNext;
    }

private:
    void** m_tail;
};

void readExtensions(const InstanceFunctions& functions, VkPhysicalDevice device, DeviceData& data) {
    std::uint32_t count = 0;
    if (functions.EnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr) != VK_SUCCESS) return;
    std::vector<VkExtensionProperties> found(std::min(count, kMostExtensions));
    count = static_cast<std::uint32_t>(found.size());
    const VkResult result =
        functions.EnumerateDeviceExtensionProperties(device, nullptr, &count, found.data());
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return;
    found.resize(std::min<std::size_t>(count, found.size()));
    for (const VkExtensionProperties& one : found)
        data.extensions.emplace_back(one.extensionName,
                                     ::strnlen(one.extensionName, VK_MAX_EXTENSION_NAME_SIZE));
    std::sort(data.extensions.begin(), data.extensions.end());
}

void readProperties(const InstanceFunctions& functions, VkPhysicalDevice device, DeviceData& data) {
    const bool is12 = data.isAtLeast(VK_API_VERSION_1_2);
    const bool is13 = data.isAtLeast(VK_API_VERSION_1_3);
    VkPhysicalDeviceProperties2 all{};
    all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    Chain chain(all.pNext);
    chain.add(data.id, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES);
    chain.add(data.subgroup, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES);
    chain.add(data.allocation, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
    chain.add(data.driver, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
              is12 || data.has(VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME));
    chain.add(data.buffer, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES,
              is13 || data.has(VK_KHR_MAINTENANCE_4_EXTENSION_NAME));
    chain.add(data.subgroupSizes, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES,
              is13 || data.has(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME));
    chain.add(data.integerDot, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES,
              is13 || data.has(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME));
    functions.GetPhysicalDeviceProperties2(device, &all);
}

void readFeatures(const InstanceFunctions& functions, VkPhysicalDevice device, DeviceData& data) {
    const bool is12 = data.isAtLeast(VK_API_VERSION_1_2);
    const bool is13 = data.isAtLeast(VK_API_VERSION_1_3);
    VkPhysicalDeviceFeatures2 all{};
    all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    Chain chain(all.pNext);
    chain.add(data.storage16, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES);
    chain.add(data.storage8, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES,
              is12 || data.has(VK_KHR_8BIT_STORAGE_EXTENSION_NAME));
    chain.add(data.arithmetic, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
              is12 || data.has(VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME));
    chain.add(data.timeline, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
              is12 || data.has(VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME));
    chain.add(data.bufferAddress, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES,
              is12 || data.has(VK_KHR_BUFFER_DEVICE_ADDRESS_EXTENSION_NAME));
    chain.add(data.subgroupControl, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
              is13 || data.has(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME));
    chain.add(data.integerDotFeatures, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES,
              is13 || data.has(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME));
    chain.add(data.memoryModel, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES,
              is12 || data.has(VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME));
    chain.add(data.matrix, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
              data.has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME));
    chain.add(data.flexibleMatrix, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV,
              data.has(VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME));
    functions.GetPhysicalDeviceFeatures2(device, &all);
}

/// A list of shapes of matrices that a driver tells; empty where it tells none.
template <class Shape, class List>
std::vector<Shape> shapesOf(List list, VkPhysicalDevice device, VkStructureType type) {
    std::uint32_t count = 0;
    if (list == nullptr || list(device, &count, nullptr) != VK_SUCCESS) return {};
    Shape empty{};
    empty.sType = type;
    std::vector<Shape> found(std::min(count, kMostMatrixShapes), empty);
    count = static_cast<std::uint32_t>(found.size());
    const VkResult result = list(device, &count, found.data());
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return {};
    found.resize(std::min<std::size_t>(count, found.size()));
    return found;
}

void readMatrixShapes(const InstanceFunctions& functions, VkPhysicalDevice device, DeviceData& data) {
    if (data.matrix.cooperativeMatrix == 0) return;
    data.matrixShapes =
        shapesOf<VkCooperativeMatrixPropertiesKHR>(functions.getCooperativeMatrixProperties, device,
                                                   VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR);
    if (data.flexibleMatrix.cooperativeMatrixFlexibleDimensions == 0) return;
    data.flexibleShapes = shapesOf<VkCooperativeMatrixFlexibleDimensionsPropertiesNV>(
        functions.getFlexibleMatrixProperties, device,
        VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_FLEXIBLE_DIMENSIONS_PROPERTIES_NV);
}

void readMemory(const InstanceFunctions& functions, VkPhysicalDevice device, DeviceData& data) {
    VkPhysicalDeviceMemoryProperties2 all{};
    all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
    Chain chain(all.pNext);
    chain.add(data.budget, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT,
              data.has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME));
    functions.GetPhysicalDeviceMemoryProperties2(device, &all);
    data.memory = all.memoryProperties;
}

// --- in words ---

using Properties = std::vector<std::pair<std::string, std::string>>;

/// Names come from drivers: never longer than their array, and always made UTF-8.
template <std::size_t N>
std::string textOf(const char (&text)[N]) {
    return utf8::sanitized(std::string_view(text, ::strnlen(text, N)));
}

std::string yesNo(bool yes) {
    return yes ? "yes" : "no";
}

template <std::size_t N>
std::string listOf(const std::uint32_t (&numbers)[N]) {
    std::string text;
    for (const std::uint32_t number : numbers)
        text += (text.empty() ? "" : ",") + std::to_string(number);
    return text;
}

std::string hex(std::uint64_t value, int digits) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (int i = digits - 1; i >= 0; --i)
        text += kDigits[value >> (4 * i) & 0xF];
    return text;
}

std::string versionText(std::uint32_t version) {
    return std::to_string(VK_API_VERSION_MAJOR(version)) + "." +
           std::to_string(VK_API_VERSION_MINOR(version)) + "." +
           std::to_string(VK_API_VERSION_PATCH(version));
}

/// Each vendor packs its version differently. @source NVIDIA's and Intel's forms as vulkan.gpuinfo.org reads
/// them
std::string driverVersion(const DeviceData& data) {
    const std::uint32_t version = data.properties.driverVersion;
    if (data.properties.vendorID == kNvidia && data.driver.driverID != VK_DRIVER_ID_MESA_NVK) {
        return std::to_string(version >> 22) + "." + std::to_string(version >> 14 & 0xFF) + "." +
               std::to_string(version >> 6 & 0xFF) + "." + std::to_string(version & 0x3F);
    }
    if (data.driver.driverID == VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS)
        return std::to_string(version >> 14) + "." + std::to_string(version & 0x3FFF);
    return versionText(version);
}

/// The driver's UUID of the device, which is the same after a restart; where it gives none, what the device
/// is.
std::string idOf(const DeviceData& data) {
    std::string id;
    bool any = false;
    for (std::size_t i = 0; i < VK_UUID_SIZE; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
        id += hex(data.id.deviceUUID[i], 2);
        any = any || data.id.deviceUUID[i] != 0;
    }
    if (any) return id;
    return hex(data.properties.vendorID, 4) + "-" + hex(data.properties.deviceID, 4);
}

struct Kind {
    backend::DeviceKind kind;
    const char* told;
};

Kind kindOf(VkPhysicalDeviceType type) {
    switch (type) {
        case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return {backend::DeviceKind::DiscreteGpu, "discrete"};
        case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
            return {backend::DeviceKind::IntegratedGpu, "integrated"};
        case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return {backend::DeviceKind::Virtual, "virtual"};
        case VK_PHYSICAL_DEVICE_TYPE_CPU: return {backend::DeviceKind::Cpu, "cpu"};
        default: return {backend::DeviceKind::Virtual, "other"};
    }
}

std::span<const VkMemoryHeap> heapsOf(const DeviceData& data) {
    return {data.memory.memoryHeaps, std::min<std::size_t>(data.memory.memoryHeapCount, VK_MAX_MEMORY_HEAPS)};
}

bool isLocal(const VkMemoryHeap& heap) {
    return (heap.flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0;
}

/// The heap that weights would go to: the largest of the device's own. Small windows onto it are heaps too.
std::optional<std::size_t> mainHeap(const DeviceData& data) {
    const auto heaps = heapsOf(data);
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < heaps.size(); ++i) {
        if (isLocal(heaps[i]) && (!best || heaps[i].size > heaps[*best].size)) best = i;
    }
    return best;
}

/// What this process may still take of it; 0 where the driver does not tell.
std::uint64_t freeOf(const DeviceData& data, std::size_t heap) {
    const std::uint64_t budget = std::min(data.budget.heapBudget[heap], data.memory.memoryHeaps[heap].size);
    const std::uint64_t used = data.budget.heapUsage[heap];
    return budget > used ? budget - used : 0;
}

bool hostSeesMainHeap(const DeviceData& data, std::optional<std::size_t> heap) {
    constexpr VkMemoryPropertyFlags kBoth =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    const std::uint32_t count = std::min<std::uint32_t>(data.memory.memoryTypeCount, VK_MAX_MEMORY_TYPES);
    for (std::uint32_t i = 0; heap && i < count; ++i) {
        const VkMemoryType& type = data.memory.memoryTypes[i];
        if (type.heapIndex == *heap && (type.propertyFlags & kBoth) == kBoth) return true;
    }
    return false;
}

void add(Properties& list, std::string_view key, std::string value) {
    if (!value.empty()) list.emplace_back(std::string(key), std::move(value));
}

/// Limits that a structure did not tell are left out rather than told as 0.
void addNumber(Properties& list, std::string_view key, std::uint64_t value) {
    if (value != 0) list.emplace_back(std::string(key), std::to_string(value));
}

void addOrigin(const DeviceData& data, Properties& list) {
    add(list, names::kVendorId, std::to_string(data.properties.vendorID));
    add(list, names::kVendor, std::string(names::vendorName(data.properties.vendorID)));
    add(list, names::kDeviceId, std::to_string(data.properties.deviceID));
    add(list, names::kDeviceType, kindOf(data.properties.deviceType).told);
    add(list, names::kDriver, textOf(data.driver.driverName));
    add(list, names::kDriverInfo, textOf(data.driver.driverInfo));
    add(list, names::kDriverVersion, driverVersion(data));
    add(list, names::kApiVersion, versionText(data.properties.apiVersion));
    if (!data.isAtLeast(VK_API_VERSION_1_1))
        add(list, names::kRefusal,
            "Its driver is of Vulkan " + versionText(data.properties.apiVersion) + ", and 1.1 is needed.");
}

void addHeaps(const DeviceData& data, Properties& list) {
    const auto heaps = heapsOf(data);
    add(list, names::kHeaps, std::to_string(heaps.size()));
    for (std::size_t i = 0; i < heaps.size(); ++i) {
        const std::string prefix = std::string(names::kHeapPrefix) + std::to_string(i);
        const auto key = [&prefix](std::string_view end) { return prefix + std::string(end); };
        add(list, key(names::kHeapBytes), std::to_string(heaps[i].size));
        add(list, key(names::kHeapLocal), yesNo(isLocal(heaps[i])));
        if (!data.has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME)) continue;
        add(list, key(names::kHeapBudget), std::to_string(data.budget.heapBudget[i]));
        add(list, key(names::kHeapUsed), std::to_string(data.budget.heapUsage[i]));
    }
}

std::string subgroupOperations(VkSubgroupFeatureFlags flags) {
    constexpr std::pair<VkSubgroupFeatureFlags, const char*> kNames[] = {
        {VK_SUBGROUP_FEATURE_BASIC_BIT, "basic"},
        {VK_SUBGROUP_FEATURE_VOTE_BIT, "vote"},
        {VK_SUBGROUP_FEATURE_ARITHMETIC_BIT, "arithmetic"},
        {VK_SUBGROUP_FEATURE_BALLOT_BIT, "ballot"},
        {VK_SUBGROUP_FEATURE_SHUFFLE_BIT, "shuffle"},
        {VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT, "shuffle_relative"},
        {VK_SUBGROUP_FEATURE_CLUSTERED_BIT, "clustered"},
        {VK_SUBGROUP_FEATURE_QUAD_BIT, "quad"},
    };
    std::string text;
    for (const auto& [flag, name] : kNames) {
        if ((flags & flag) != 0) text += (text.empty() ? "" : ",") + std::string(name);
    }
    return text;
}

void addLimits(const DeviceData& data, Properties& list) {
    const VkPhysicalDeviceLimits& limits = data.properties.limits;
    addNumber(list, names::kMaxAllocationBytes, data.allocation.maxMemoryAllocationSize);
    addNumber(list, names::kMaxBufferBytes, data.buffer.maxBufferSize);
    addNumber(list, names::kMaxStorageRangeBytes, limits.maxStorageBufferRange);
    addNumber(list, names::kMaxAllocations, limits.maxMemoryAllocationCount);
    addNumber(list, names::kMaxPushConstantBytes, limits.maxPushConstantsSize);
    addNumber(list, names::kSharedMemoryBytes, limits.maxComputeSharedMemorySize);
    addNumber(list, names::kMaxInvocations, limits.maxComputeWorkGroupInvocations);
    add(list, names::kMaxGroupSize, listOf(limits.maxComputeWorkGroupSize));
    add(list, names::kMaxGroupCount, listOf(limits.maxComputeWorkGroupCount));
    addNumber(list, names::kMaxStorageBuffers, limits.maxPerStageDescriptorStorageBuffers);
    addNumber(list, names::kStorageAlignmentBytes, limits.minStorageBufferOffsetAlignment);
    addNumber(list, names::kAtomBytes, limits.nonCoherentAtomSize);
    addNumber(list, names::kSubgroupSize, data.subgroup.subgroupSize);
    addNumber(list, names::kMinSubgroupSize, data.subgroupSizes.minSubgroupSize);
    addNumber(list, names::kMaxSubgroupSize, data.subgroupSizes.maxSubgroupSize);
    // Only what compute shaders may use counts.
    const bool inCompute = (data.subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
    if (inCompute)
        add(list, names::kSubgroupOperations, subgroupOperations(data.subgroup.supportedOperations));
    std::uint32_t compute = 0;
    std::uint32_t transfer = 0;
    for (const VkQueueFamilyProperties& family : data.queues) {
        const bool computes = (family.queueFlags & VK_QUEUE_COMPUTE_BIT) != 0;
        const bool draws = (family.queueFlags & VK_QUEUE_GRAPHICS_BIT) != 0;
        if (computes) compute += family.queueCount;
        if (!computes && !draws && (family.queueFlags & VK_QUEUE_TRANSFER_BIT) != 0)
            transfer += family.queueCount;
    }
    add(list, names::kComputeQueues, std::to_string(compute));
    add(list, names::kTransferQueues, std::to_string(transfer));
}

void addFeatures(const DeviceData& data, Properties& list) {
    const auto feature = [&list](std::string_view key, bool yes) { add(list, key, yesNo(yes)); };
    feature(names::kHalfFloat, data.arithmetic.shaderFloat16 != 0);
    feature(names::kInt8, data.arithmetic.shaderInt8 != 0);
    feature(names::kStorage16, data.storage16.storageBuffer16BitAccess != 0);
    feature(names::kStorage8, data.storage8.storageBuffer8BitAccess != 0);
    feature(names::kIntegerDot, data.integerDotFeatures.shaderIntegerDotProduct != 0);
    feature(names::kIntegerDotFast, data.integerDot.integerDotProduct4x8BitPackedSignedAccelerated != 0);
    feature(names::kCooperativeMatrix, data.has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME) ||
                                           data.has(VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME));
    feature(names::kBufferAddress, data.bufferAddress.bufferDeviceAddress != 0);
    feature(names::kTimelineSemaphore, data.timeline.timelineSemaphore != 0);
    feature(names::kSubgroupSizeControl, data.subgroupControl.subgroupSizeControl != 0);
    feature(names::kMemoryBudget, data.has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME));
    feature(names::kPushDescriptor, data.has(VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME));
    feature(names::kHostMemoryImport, data.has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME));
    feature(names::kDeviceFault, data.has(VK_EXT_DEVICE_FAULT_EXTENSION_NAME));
    feature(names::kHostVisibleLocal, hostSeesMainHeap(data, mainHeap(data)));
}

int rank(backend::DeviceKind kind) {
    switch (kind) {
        case backend::DeviceKind::DiscreteGpu: return 0;
        case backend::DeviceKind::IntegratedGpu: return 1;
        case backend::DeviceKind::Virtual: return 2;
        case backend::DeviceKind::Cpu: return 3;
    }
    return 4;
}

bool comesFirst(const backend::DeviceFacts& a, const backend::DeviceFacts& b) {
    if (rank(a.kind) != rank(b.kind)) return rank(a.kind) < rank(b.kind);
    if (a.memoryBytes != b.memoryBytes) return a.memoryBytes > b.memoryBytes;
    return a.id < b.id;
}

/// order() of whatever holds facts.
template <class T, class FactsOf>
void orderBy(std::vector<T>& devices, FactsOf factsOf) {
    std::stable_sort(devices.begin(), devices.end(),
                     [&](const T& a, const T& b) { return comesFirst(factsOf(a), factsOf(b)); });
    std::set<std::string> taken;
    for (T& device : devices) {
        std::string& id = factsOf(device).id;
        const std::string told = id;
        for (int copy = 2; !taken.insert(id).second; ++copy)
            id = told + "#" + std::to_string(copy);
    }
}

}  // namespace

bool DeviceData::has(const char* extension) const {
    return std::binary_search(extensions.begin(), extensions.end(), std::string_view(extension));
}

DeviceData readDevice(const InstanceFunctions& functions, VkPhysicalDevice device) {
    DeviceData data;
    functions.GetPhysicalDeviceProperties(device, &data.properties);
    if (!data.isAtLeast(VK_API_VERSION_1_1)) {
        // The newer functions are not this device's; it is listed with the reason.
        functions.GetPhysicalDeviceMemoryProperties(device, &data.memory);
        return data;
    }
    readExtensions(functions, device, data);
    readProperties(functions, device, data);
    readFeatures(functions, device, data);
    readMatrixShapes(functions, device, data);
    readMemory(functions, device, data);
    std::uint32_t families = 0;
    functions.GetPhysicalDeviceQueueFamilyProperties(device, &families, nullptr);
    families = std::min(families, kMostQueueFamilies);
    data.queues.resize(families);
    functions.GetPhysicalDeviceQueueFamilyProperties(device, &families, data.queues.data());
    data.queues.resize(std::min<std::size_t>(families, data.queues.size()));
    return data;
}

backend::DeviceFacts describe(const DeviceData& data) {
    backend::DeviceFacts facts;
    facts.id = idOf(data);
    facts.name = textOf(data.properties.deviceName);
    facts.kind = kindOf(data.properties.deviceType).kind;
    const std::string driver = textOf(data.driver.driverName);
    facts.detail = "Vulkan " + versionText(data.properties.apiVersion) + ", " +
                   (driver.empty() ? "driver" : driver) + " " + driverVersion(data);
    if (const auto heap = mainHeap(data)) {
        facts.memoryBytes = data.memory.memoryHeaps[*heap].size;
        facts.freeBytes = freeOf(data, *heap);
    }
    addOrigin(data, facts.properties);
    addHeaps(data, facts.properties);
    if (data.isAtLeast(VK_API_VERSION_1_1)) {
        addLimits(data, facts.properties);
        addFeatures(data, facts.properties);
    }
    return facts;
}

bool sharesMemory(const DeviceData& data) {
    const VkPhysicalDeviceType type = data.properties.deviceType;
    return (type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU || type == VK_PHYSICAL_DEVICE_TYPE_CPU) &&
           hostSeesMainHeap(data, mainHeap(data));
}

void order(std::vector<backend::DeviceFacts>& devices) {
    orderBy(
        devices, [](auto& facts) -> auto& { return facts; });
}

Result<std::vector<FoundDevice>> findDevices(const VulkanInstance& instance) {
    LOADER_TRY(const auto handles, instance.devices());
    std::vector<FoundDevice> devices;
    for (const VkPhysicalDevice handle : handles) {
        FoundDevice device;
        device.handle = handle;
        device.data = readDevice(instance.functions(), handle);
        device.facts = describe(device.data);
        devices.push_back(std::move(device));
    }
    orderBy(
        devices, [](auto& device) -> auto& { return device.facts; });
    return devices;
}

Result<FoundDevice> findDevice(const VulkanInstance& instance, const std::string& id) {
    LOADER_TRY(auto found, findDevices(instance));
    std::string known;
    for (FoundDevice& device : found) {
        if (id.empty() || device.facts.id == id) return std::move(device);
        known += (known.empty() ? "" : ", ") + device.facts.id;
    }
    return Error(Errc::X001, {"The back end vulkan has no device " + id + "; it has: " + known + "."});
}

}  // namespace loader::vulkan
