// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is decided about a device before it is opened, on made-up ones: tiers, limits, queues, kinds of
// memory, and whether a file of finished pipelines is to be trusted. Needs no driver.

#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "backends/vulkan/device/device_buffer.h"
#include "backends/vulkan/device/pipeline_cache_file.h"

using namespace loader;
using namespace loader::vulkan;

namespace {

constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kVisible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
constexpr VkMemoryPropertyFlags kCoherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
constexpr VkMemoryHeapFlags kLocalHeap = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// A card that has everything and lies about nothing.
DeviceData card() {
    DeviceData data;
    data.properties.apiVersion = VK_API_VERSION_1_3;
    data.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    VkPhysicalDeviceLimits& limits = data.properties.limits;
    limits.maxPerStageDescriptorStorageBuffers = 64;
    limits.maxBoundDescriptorSets = 8;
    limits.maxComputeWorkGroupInvocations = 1024;
    limits.maxComputeWorkGroupSize[0] = 1024;
    limits.maxComputeSharedMemorySize = 48 * 1024;
    limits.maxPushConstantsSize = 256;
    limits.maxStorageBufferRange = 0xFFFFFFFFu;
    limits.minStorageBufferOffsetAlignment = 64;
    limits.nonCoherentAtomSize = 256;
    data.subgroup.subgroupSize = 32;
    data.subgroup.supportedStages = VK_SHADER_STAGE_COMPUTE_BIT;
    data.subgroup.supportedOperations = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    data.arithmetic.shaderFloat16 = VK_TRUE;
    data.integerDotFeatures.shaderIntegerDotProduct = VK_TRUE;
    data.matrix.cooperativeMatrix = VK_TRUE;
    data.memoryModel.vulkanMemoryModel = VK_TRUE;
    VkCooperativeMatrixPropertiesKHR shape{};
    shape.MSize = 16;
    shape.NSize = 16;
    shape.KSize = 16;
    shape.CType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    shape.ResultType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    shape.scope = VK_SCOPE_SUBGROUP_KHR;
    data.matrixShapes = {shape};
    VkQueueFamilyProperties all{};
    all.queueFlags = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT;
    all.queueCount = 1;
    VkQueueFamilyProperties copies = all;
    copies.queueFlags = VK_QUEUE_TRANSFER_BIT;
    VkQueueFamilyProperties computes = all;
    computes.queueFlags = VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT;
    data.queues = {all, copies, computes};
    return data;
}

struct Heap {
    std::uint64_t bytes;
    bool local;
};
struct Type {
    std::uint32_t heap;
    VkMemoryPropertyFlags flags;
};

VkPhysicalDeviceMemoryProperties memoryOf(std::initializer_list<Heap> heaps,
                                          std::initializer_list<Type> types) {
    VkPhysicalDeviceMemoryProperties memory{};
    for (const Heap& heap : heaps)
        memory.memoryHeaps[memory.memoryHeapCount++] = {heap.bytes, heap.local ? kLocalHeap : 0};
    for (const Type& type : types)
        memory.memoryTypes[memory.memoryTypeCount++] = {type.flags, type.heap};
    return memory;
}

using Indices = std::vector<std::uint32_t>;

CacheOwner owner() {
    CacheOwner result;
    for (std::uint8_t i = 0; i < VK_UUID_SIZE; ++i) {
        result.device[i] = i;
        result.format[i] = static_cast<std::uint8_t>(100 + i);
    }
    result.vendor = 0x10DE;
    result.model = 0x2684;
    result.driverVersion = 7;
    result.shaders = 0x1234567890ABCDEF;
    return result;
}

/// What a driver gives: its own head, then whatever it likes.
std::vector<std::uint8_t> driverData(const CacheOwner& of) {
    std::vector<std::uint8_t> data(1000);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::uint8_t>(i * 7);
    const auto word = [&data](std::size_t at, std::uint32_t value) {
        for (std::size_t i = 0; i < 4; ++i)
            data[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
    };
    word(0, 32);
    word(4, 1);
    word(8, of.vendor);
    word(12, of.model);
    std::copy(std::begin(of.format), std::end(of.format), data.begin() + 16);
    return data;
}

std::string contentOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

class TestVulkanDeviceChoice : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void names();
    void choices();
    void tiers();
    void matrixNeedsItsShape();
    void anySizeNeedsItsShape();
    void largestMatrixShape();
    void knownBadDrivers();
    void limits();
    void limitsThatAreNotTold();
    void queues();
    void lacks();
    void memoryOfACard();
    void memoryWithAWindow();
    void memoryOfAChip();
    void memoryOfNoUse();
    void flushes();
    void cacheFile();
    void cacheFileOfAnother();
    void cacheFileDamaged();
    void cacheFileNotWritten();
};

void TestVulkanDeviceChoice::names() {
    QCOMPARE(allFeatureTiers().size(), std::size_t{5});
    for (const FeatureTier tier : allFeatureTiers())
        QVERIFY(featureTierFromName(nameOf(tier)) == tier);
    for (const DeviceFeature feature : allDeviceFeatures())
        QVERIFY(deviceFeatureFromName(nameOf(feature)) == feature);
    QVERIFY(featureTierFromName("FP16") == FeatureTier::Fp16);
    QVERIFY(!featureTierFromName("fp1"));
    QVERIFY(!featureTierFromName(""));
    QCOMPARE(nameOf(FeatureTier::Matrix), std::string_view("matrix"));
    QCOMPARE(nameOf(DeviceFeature::HostImport), std::string_view("host_import"));
}

void TestVulkanDeviceChoice::choices() {
    const auto nothing = readFeatureChoice("", "");
    QVERIFY(nothing.ok());
    QVERIFY(nothing->most == FeatureTier::Flexible);
    QVERIFY(nothing->without == FeatureSet());
    const auto some = readFeatureChoice(" fp16", "budget, ,INT8,");
    QVERIFY(some.ok());
    QVERIFY(some->most == FeatureTier::Fp16);
    QVERIFY(some->without.has(DeviceFeature::Budget) && some->without.has(DeviceFeature::Int8));
    QVERIFY(!some->without.has(DeviceFeature::Fp16));
    const auto wrong = readFeatureChoice("fp8", "");
    QVERIFY(!wrong.ok() && wrong.error().code() == Errc::X005);
    QVERIFY(wrong.error().message().find("LOADER_VULKAN_TIER names fp8") != std::string::npos);
    const auto unknown = readFeatureChoice("", "fp16,magic");
    QVERIFY(!unknown.ok());
    QVERIFY(unknown.error().message().find("magic; known are fp16, subgroups") != std::string::npos);
}

void TestVulkanDeviceChoice::tiers() {
    QVERIFY(detectTier(DeviceData()) == FeatureTier::Fp32);
    DeviceData data = card();
    QVERIFY(detectTier(data) == FeatureTier::Matrix);
    const auto without = [&data](DeviceFeature feature) {
        FeatureSet set;
        set.set(feature);
        return detectTier(data, set);
    };
    QVERIFY(without(DeviceFeature::Matrix) == FeatureTier::Int8);
    QVERIFY(without(DeviceFeature::Int8) == FeatureTier::Fp16);
    QVERIFY(without(DeviceFeature::Fp16) == FeatureTier::Fp32);
    QVERIFY(without(DeviceFeature::Subgroups) == FeatureTier::Fp32);
    QVERIFY(without(DeviceFeature::Budget) == FeatureTier::Matrix);
    data.subgroup.supportedStages = VK_SHADER_STAGE_FRAGMENT_BIT;
    QVERIFY(detectTier(data) == FeatureTier::Fp32);
}

void TestVulkanDeviceChoice::matrixNeedsItsShape() {
    DeviceData data = card();
    data.matrixShapes.front().ResultType = VK_COMPONENT_TYPE_FLOAT16_KHR;
    QVERIFY(detectTier(data) == FeatureTier::Int8);
    data = card();
    data.matrixShapes.clear();
    QVERIFY(detectTier(data) == FeatureTier::Int8);
    data = card();
    data.memoryModel.vulkanMemoryModel = VK_FALSE;
    QVERIFY(detectTier(data) == FeatureTier::Int8);
    data = card();
    data.matrixShapes.front().NSize = 24;
    QVERIFY(detectTier(data) == FeatureTier::Int8);
    data.matrixShapes.front().NSize = 64;
    QVERIFY(detectTier(data) == FeatureTier::Int8);
}

void TestVulkanDeviceChoice::anySizeNeedsItsShape() {
    DeviceData data = card();
    data.properties.apiVersion = VK_API_VERSION_1_3;
    data.flexibleMatrix.cooperativeMatrixFlexibleDimensions = VK_TRUE;
    data.flexibleMatrix.cooperativeMatrixPerElementOperations = VK_TRUE;
    QVERIFY(detectTier(data) == FeatureTier::Matrix);
    VkCooperativeMatrixFlexibleDimensionsPropertiesNV coarse{};
    coarse.MGranularity = 16;
    coarse.NGranularity = 16;
    coarse.KGranularity = 16;
    coarse.CType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    coarse.ResultType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    coarse.scope = VK_SCOPE_SUBGROUP_KHR;
    auto fine = coarse;
    fine.NGranularity = 8;
    auto uneven = coarse;
    uneven.KGranularity = 24;
    data.flexibleShapes = {uneven, coarse, fine};
    QVERIFY(detectTier(data) == FeatureTier::Flexible);
    QCOMPARE(limitsOf(data, 0).flexible.tokens, 8u);
    FeatureSet without;
    without.set(DeviceFeature::Flexible);
    QVERIFY(detectTier(data, without) == FeatureTier::Matrix);
    data.flexibleMatrix.cooperativeMatrixPerElementOperations = VK_FALSE;
    QVERIFY(detectTier(data) == FeatureTier::Matrix);
    data.flexibleMatrix.cooperativeMatrixPerElementOperations = VK_TRUE;
    data.properties.apiVersion = VK_API_VERSION_1_2;
    QVERIFY(detectTier(data) == FeatureTier::Matrix);
    data.properties.apiVersion = VK_API_VERSION_1_3;
    data.flexibleShapes = {uneven};
    QVERIFY(detectTier(data) == FeatureTier::Matrix);
}

void TestVulkanDeviceChoice::largestMatrixShape() {
    DeviceData data = card();
    VkCooperativeMatrixPropertiesKHR shape = data.matrixShapes.front();
    shape.NSize = 8;
    data.matrixShapes.insert(data.matrixShapes.begin(), shape);
    shape.NSize = 32;
    data.matrixShapes.push_back(shape);
    shape.NSize = 16;
    shape.KSize = 32;
    shape.AType = VK_COMPONENT_TYPE_FLOAT32_KHR;
    data.matrixShapes.push_back(shape);
    const MatrixShape best = limitsOf(data, 0).matrix;
    QCOMPARE(best.rows, 16u);
    QCOMPARE(best.tokens, 16u);
    QCOMPARE(best.columns, 16u);
    data.matrixShapes.clear();
    QVERIFY(!limitsOf(data, 0).matrix.any());
}

void TestVulkanDeviceChoice::knownBadDrivers() {
    DeviceData data = card();
    QVERIFY(knownFault(data).empty());
    data.driver.driverID = VK_DRIVER_ID_AMD_PROPRIETARY;
    QVERIFY(detectTier(data) == FeatureTier::Int8);
    QVERIFY(!knownFault(data).empty());
    // It was not held back from what it does not offer.
    data.matrix.cooperativeMatrix = VK_FALSE;
    QVERIFY(detectTier(data) == FeatureTier::Int8);
    QVERIFY(knownFault(data).empty());
    data.driver.driverID = VK_DRIVER_ID_MESA_RADV;
    data.matrix.cooperativeMatrix = VK_TRUE;
    QVERIFY(detectTier(data) == FeatureTier::Matrix);
}

void TestVulkanDeviceChoice::limits() {
    DeviceData data = card();
    data.allocation.maxMemoryAllocationSize = 2 * kGiB;
    data.buffer.maxBufferSize = kGiB;
    DeviceLimits limits = limitsOf(data, 0);
    QCOMPARE(limits.allocationBytes, kGiB);
    QCOMPARE(limits.windowBytes, kGiB);
    QCOMPARE(limits.alignment, std::uint64_t{64});
    QCOMPARE(limits.subgroupLeast, 32u);
    QCOMPARE(limits.subgroupMost, 32u);
    QVERIFY(!limits.unified);
    limits = limitsOf(data, 1'000'000);
    QCOMPARE(limits.windowBytes, std::uint64_t{1'000'000 / 64 * 64});
    // A range cannot be longer than the device allows, whatever is asked for.
    data.properties.limits.maxStorageBufferRange = 1u << 27;
    QCOMPARE(limitsOf(data, kGiB).windowBytes, 128 * kMiB);
    data.subgroupSizes.minSubgroupSize = 8;
    data.subgroupSizes.maxSubgroupSize = 64;
    QCOMPARE(limitsOf(data, 0).subgroupLeast, 8u);
    QCOMPARE(limitsOf(data, 0).subgroupMost, 64u);
}

void TestVulkanDeviceChoice::limitsThatAreNotTold() {
    DeviceData data = card();
    data.properties.limits.minStorageBufferOffsetAlignment = 1;
    data.properties.limits.nonCoherentAtomSize = 0;
    data.subgroup.subgroupSize = 0;
    const DeviceLimits limits = limitsOf(data, 0);
    QCOMPARE(limits.alignment, std::uint64_t{16});
    QCOMPARE(limits.flushBytes, std::uint64_t{1});
    QCOMPARE(limits.allocationBytes, ~std::uint64_t{0});
    QCOMPARE(limits.windowBytes, std::uint64_t{0xFFFFFFF0});
    QCOMPARE(limits.subgroupLeast, 1u);
}

void TestVulkanDeviceChoice::queues() {
    DeviceData data = card();
    QCOMPARE(computeFamily(data).value(), 2u);
    data.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    QCOMPARE(computeFamily(data).value(), 0u);
    data.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    data.queues[2].queueCount = 0;
    QCOMPARE(computeFamily(data).value(), 0u);
    data.queues.resize(1);
    data.queues[0].queueFlags = VK_QUEUE_GRAPHICS_BIT;
    QVERIFY(!computeFamily(data));
}

void TestVulkanDeviceChoice::lacks() {
    QCOMPARE(lackOf(card()), std::string());
    DeviceData data = card();
    data.properties.limits.maxPerStageDescriptorStorageBuffers = 4;
    QCOMPARE(lackOf(data), std::string("9 storage buffers for each shader are needed, and it has 4"));
    data = card();
    data.properties.limits.maxComputeWorkGroupInvocations = 64;
    QCOMPARE(lackOf(data), std::string("128 invocations in a workgroup are needed, and it has 64"));
    data = card();
    data.properties.limits.maxComputeSharedMemorySize = 8192;
    QCOMPARE(lackOf(data), std::string("16384 bytes of shared memory are needed, and it has 8192"));
    data = card();
    data.properties.limits.maxPushConstantsSize = 64;
    QCOMPARE(lackOf(data), std::string("128 bytes of push constants are needed, and it has 64"));
    data = card();
    data.queues.clear();
    QCOMPARE(lackOf(data), std::string("it has no queue that computes"));
    data.properties.apiVersion = VK_API_VERSION_1_0;
    QCOMPARE(lackOf(data), std::string("Vulkan 1.1 is needed, and its driver is older"));
}

void TestVulkanDeviceChoice::memoryOfACard() {
    // The window comes first and is small; the types of the large heap follow, one of them seen by the host.
    const auto memory = memoryOf({{256 * kMiB, true}, {8 * kGiB, true}, {16 * kGiB, false}},
                                 {{0, kLocal | kVisible | kCoherent},
                                  {1, kLocal},
                                  {2, kVisible | kCoherent},
                                  {2, kVisible | kCoherent | kCached}});
    const std::uint32_t all = ~0u;
    QCOMPARE(memoryTypesFor(memory, all, kMiB, MemoryUse::Device, false), (Indices{1, 0}));
    QCOMPARE(memoryTypesFor(memory, all, kGiB, MemoryUse::Device, false), (Indices{1}));
    QCOMPARE(memoryTypesFor(memory, all, kMiB, MemoryUse::Upload, false), (Indices{2, 3, 0}));
    QCOMPARE(memoryTypesFor(memory, all, kMiB, MemoryUse::Readback, false), (Indices{3, 2, 0}));
    QCOMPARE(memoryTypesFor(memory, 1u << 2, kMiB, MemoryUse::Readback, false), (Indices{2}));
    QVERIFY(memoryTypesFor(memory, all, 9 * kGiB, MemoryUse::Device, false).empty());
}

void TestVulkanDeviceChoice::memoryWithAWindow() {
    // The whole of the card's memory is seen by the host (resizable window).
    const auto memory = memoryOf({{16 * kGiB, false}, {8 * kGiB, true}}, {{0, kVisible | kCoherent},
                                                                          {1, kLocal | kVisible | kCoherent},
                                                                          {1, kLocal},
                                                                          {0, kVisible | kCached}});
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Device, false), (Indices{2, 1}));
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Upload, false), (Indices{1, 0}));
    // Cached memory counts more than coherent memory: the host reads it.
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Readback, false), (Indices{3, 0, 1}));
}

void TestVulkanDeviceChoice::memoryOfAChip() {
    const auto memory = memoryOf(
        {{12 * kGiB, true}},
        {{0, kLocal}, {0, kLocal | kVisible | kCoherent}, {0, kLocal | kVisible | kCoherent | kCached}});
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Device, true), (Indices{2, 1, 0}));
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Device, false), (Indices{0, 1, 2}));
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Upload, true), (Indices{1, 2}));
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Readback, true), (Indices{2, 1}));
}

void TestVulkanDeviceChoice::memoryOfNoUse() {
    // Protected and device-coherent memory must be asked for; a type may name a heap that does not exist.
    auto memory = memoryOf({{kGiB, true}}, {{0, kLocal | VK_MEMORY_PROPERTY_PROTECTED_BIT},
                                            {0, kLocal | VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD},
                                            {5, kLocal},
                                            {0, kLocal}});
    QCOMPARE(memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Device, false), (Indices{3}));
    memory.memoryTypeCount = ~0u;
    memory.memoryHeapCount = ~0u;
    QVERIFY(!memoryTypesFor(memory, ~0u, kMiB, MemoryUse::Device, false).empty());
}

void TestVulkanDeviceChoice::flushes() {
    const auto same = [](FlushRange range, std::uint64_t offset, std::uint64_t bytes) {
        return range.offset == offset && range.bytes == bytes;
    };
    QVERIFY(same(flushRange(0, 1, 256, 4096), 0, 256));
    QVERIFY(same(flushRange(255, 2, 256, 4096), 0, 512));
    QVERIFY(same(flushRange(256, 256, 256, 4096), 256, 256));
    // The memory ends in the middle of an atom.
    QVERIFY(same(flushRange(4090, 10, 256, 4100), 3840, 260));
    QVERIFY(same(flushRange(0, ~std::uint64_t{0}, 256, 4100), 0, 4100));
    QVERIFY(same(flushRange(5000, 1, 256, 4100), 4096, 4));
}

void TestVulkanDeviceChoice::cacheFile() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("pipelines").toStdString();
    QVERIFY(readCacheFile(path, owner()).empty());
    const std::vector<std::uint8_t> data = driverData(owner());
    QVERIFY(writeCacheFile(path, owner(), data).ok());
    QVERIFY(readCacheFile(path, owner()) == data);
    QCOMPARE(contentOf(path).size(), data.size() + 96);
}

void TestVulkanDeviceChoice::cacheFileOfAnother() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("pipelines").toStdString();
    QVERIFY(writeCacheFile(path, owner(), driverData(owner())).ok());
    const auto refused = [&path](auto change) {
        CacheOwner other = owner();
        change(other);
        return readCacheFile(path, other).empty();
    };
    QVERIFY(!refused([](CacheOwner&) {}));
    QVERIFY(refused([](CacheOwner& other) { other.device[15] = 99; }));
    QVERIFY(refused([](CacheOwner& other) { other.format[0] = 99; }));
    QVERIFY(refused([](CacheOwner& other) { other.vendor = 1; }));
    QVERIFY(refused([](CacheOwner& other) { other.model = 1; }));
    QVERIFY(refused([](CacheOwner& other) { other.driverVersion = 8; }));
    QVERIFY(refused([](CacheOwner& other) { other.shaders ^= 1; }));
    // Our head fits, and the driver's own is of another driver.
    CacheOwner other = owner();
    other.format[3] = 1;
    QVERIFY(writeCacheFile(path, owner(), driverData(other)).ok());
    QVERIFY(readCacheFile(path, owner()).empty());
    QVERIFY(writeCacheFile(path, owner(), std::vector<std::uint8_t>(31)).ok());
    QVERIFY(readCacheFile(path, owner()).empty());
}

void TestVulkanDeviceChoice::cacheFileDamaged() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("pipelines").toStdString();
    QVERIFY(writeCacheFile(path, owner(), driverData(owner())).ok());
    const std::string whole = contentOf(path);
    // Every byte of the head, and some of the data.
    for (std::size_t i = 0; i < whole.size(); i += i < 96 ? 1 : 29) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
        write(path, flipped);
        QVERIFY2(readCacheFile(path, owner()).empty(), std::to_string(i).c_str());
    }
    for (std::size_t length = 0; length < whole.size(); length += 61) {
        write(path, whole.substr(0, length));
        QVERIFY(readCacheFile(path, owner()).empty());
    }
    write(path, whole + "x");
    QVERIFY(readCacheFile(path, owner()).empty());
    write(path, std::string(5000, '\x5A'));
    QVERIFY(readCacheFile(path, owner()).empty());
    // A hole of 4 GiB: refused by its length, before memory is had for it.
    write(path, whole);
    QVERIFY(QFile(QString::fromStdString(path)).resize(qint64{4} << 30));
    QVERIFY(readCacheFile(path, owner()).empty());
    write(path, whole);
    QVERIFY(!readCacheFile(path, owner()).empty());
}

void TestVulkanDeviceChoice::cacheFileNotWritten() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("no folder/pipelines").toStdString();
    QVERIFY(!writeCacheFile(path, owner(), driverData(owner())).ok());
    QVERIFY(readCacheFile(folder.path().toStdString(), owner()).empty());
}

QTEST_APPLESS_MAIN(TestVulkanDeviceChoice)
#include "tst_vulkan_device_choice.moc"
