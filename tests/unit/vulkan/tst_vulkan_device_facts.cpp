// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Devices as drivers describe them, told in the words of the boundary: made-up cards with the oddities of
// real ones.

#include <QTest>
#include <cstring>

#include "backends/vulkan/device/device_facts.h"
#include "core/engine/base/device_properties.h"

using namespace loader;
using namespace loader::vulkan;
namespace names = loader::device_properties;

namespace {

std::string told(const backend::DeviceFacts& device, std::string_view key) {
    for (const auto& [one, value] : device.properties) {
        if (one == key) return value;
    }
    return {};
}

/// A card whose first heap is the small window through which the processor sees its memory.
DeviceData card() {
    DeviceData data;
    std::strcpy(data.properties.deviceName, "Example 4000");
    data.properties.vendorID = 0x10DE;
    data.properties.deviceID = 0x2684;
    data.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    data.properties.apiVersion = VK_MAKE_API_VERSION(0, 1, 3, 242);
    data.properties.driverVersion = 535u << 22 | 154u << 14 | 5u << 6;
    data.properties.limits.maxStorageBufferRange = 0xFFFFFFFFu;
    data.properties.limits.maxComputeWorkGroupSize[0] = 1024;
    std::strcpy(data.driver.driverName, "NVIDIA");
    std::strcpy(data.driver.driverInfo, "535.154.05");
    for (std::uint8_t i = 0; i < VK_UUID_SIZE; ++i)
        data.id.deviceUUID[i] = static_cast<std::uint8_t>(0xA0 + i);
    data.memory.memoryHeapCount = 3;
    data.memory.memoryHeaps[0] = {256u << 20, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
    data.memory.memoryHeaps[1] = {8ull << 30, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
    data.memory.memoryHeaps[2] = {16ull << 30, 0};
    data.memory.memoryTypeCount = 2;
    data.memory.memoryTypes[0] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                  0};
    data.memory.memoryTypes[1] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 1};
    data.extensions = {VK_EXT_MEMORY_BUDGET_EXTENSION_NAME, "VK_KHR_cooperative_matrix"};
    data.budget.heapBudget[1] = 7ull << 30;
    data.budget.heapUsage[1] = 1ull << 30;
    data.arithmetic.shaderFloat16 = VK_TRUE;
    return data;
}

backend::DeviceFacts named(const char* id, backend::DeviceKind kind, std::uint64_t bytes) {
    backend::DeviceFacts device;
    device.id = id;
    device.kind = kind;
    device.memoryBytes = bytes;
    return device;
}

}  // namespace

class TestVulkanDeviceFacts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aCard();
    void versions();
    void memoryOfOneHeap();
    void memoryThatIsTaken();
    void resizableWindow();
    void withoutUuid();
    void hostileDriver();
    void oldDevice();
    void kinds();
    void ordered();
    void results();
};

void TestVulkanDeviceFacts::aCard() {
    const backend::DeviceFacts facts = describe(card());
    QCOMPARE(facts.id, std::string("a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf"));
    QCOMPARE(facts.name, std::string("Example 4000"));
    QCOMPARE(facts.detail, std::string("Vulkan 1.3.242, NVIDIA 535.154.5.0"));
    QCOMPARE(facts.memoryBytes, 8ull << 30);
    QCOMPARE(facts.freeBytes, 6ull << 30);
    QCOMPARE(told(facts, names::kVendor), std::string("NVIDIA"));
    QCOMPARE(told(facts, names::kDriverInfo), std::string("535.154.05"));
    QCOMPARE(told(facts, names::kHeaps), std::string("3"));
    QCOMPARE(told(facts, "heap.0.bytes"), std::to_string(256u << 20));
    QCOMPARE(told(facts, "heap.1.budget_bytes"), std::to_string(7ull << 30));
    QCOMPARE(told(facts, "heap.2.device_local"), std::string("no"));
    QCOMPARE(told(facts, names::kMaxStorageRangeBytes), std::string("4294967295"));
    QCOMPARE(told(facts, names::kMaxGroupSize), std::string("1024,0,0"));
    QCOMPARE(told(facts, names::kHalfFloat), std::string("yes"));
    QCOMPARE(told(facts, names::kCooperativeMatrix), std::string("yes"));
    QCOMPARE(told(facts, names::kIntegerDot), std::string("no"));
    QCOMPARE(told(facts, names::kHostVisibleLocal), std::string("no"));
    // What the driver did not tell is not told as nought.
    QCOMPARE(told(facts, names::kMaxBufferBytes), std::string());
}

void TestVulkanDeviceFacts::versions() {
    DeviceData data = card();
    data.properties.vendorID = 0x1002;
    data.properties.driverVersion = VK_MAKE_API_VERSION(0, 22, 3, 6);
    QCOMPARE(told(describe(data), names::kDriverVersion), std::string("22.3.6"));
    data.properties.vendorID = 0x8086;
    data.driver.driverID = VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS;
    data.properties.driverVersion = 101u << 14 | 4146;
    QCOMPARE(told(describe(data), names::kDriverVersion), std::string("101.4146"));
}

void TestVulkanDeviceFacts::memoryOfOneHeap() {
    DeviceData data = card();
    data.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    data.memory.memoryHeapCount = 1;
    data.extensions.clear();
    data.budget = {};
    const backend::DeviceFacts facts = describe(data);
    QVERIFY(facts.kind == backend::DeviceKind::IntegratedGpu);
    QCOMPARE(facts.memoryBytes, 256ull << 20);
    QCOMPARE(facts.freeBytes, 0ull);
    QCOMPARE(told(facts, "heap.0.budget_bytes"), std::string());
    data.memory.memoryHeaps[0].flags = 0;
    QCOMPARE(describe(data).memoryBytes, 0ull);
}

void TestVulkanDeviceFacts::memoryThatIsTaken() {
    DeviceData data = card();
    data.budget.heapUsage[1] = 9ull << 30;
    QCOMPARE(describe(data).freeBytes, 0ull);
    data.budget.heapUsage[1] = 0;
    data.budget.heapBudget[1] = ~std::uint64_t{0};
    QCOMPARE(describe(data).freeBytes, 8ull << 30);
}

void TestVulkanDeviceFacts::resizableWindow() {
    DeviceData data = card();
    data.memory.memoryTypes[1].propertyFlags |= VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    QCOMPARE(told(describe(data), names::kHostVisibleLocal), std::string("yes"));
}

void TestVulkanDeviceFacts::withoutUuid() {
    DeviceData data = card();
    data.id = {};
    QCOMPARE(describe(data).id, std::string("10de-2684"));
}

void TestVulkanDeviceFacts::hostileDriver() {
    DeviceData data = card();
    std::memset(data.properties.deviceName, 0xFF, sizeof data.properties.deviceName);
    std::memset(data.driver.driverName, 'x', sizeof data.driver.driverName);
    data.memory.memoryHeapCount = 0xFFFFFFFFu;
    data.memory.memoryTypeCount = 0xFFFFFFFFu;
    const backend::DeviceFacts facts = describe(data);
    QCOMPARE(facts.name.size(), std::size_t{VK_MAX_PHYSICAL_DEVICE_NAME_SIZE} * 3);  // U+FFFD each
    QCOMPARE(told(facts, names::kDriver).size(), std::size_t{VK_MAX_DRIVER_NAME_SIZE});
    QCOMPARE(told(facts, names::kHeaps), std::string("16"));
}

void TestVulkanDeviceFacts::oldDevice() {
    DeviceData data = card();
    data.properties.apiVersion = VK_MAKE_API_VERSION(0, 1, 0, 3);
    const backend::DeviceFacts facts = describe(data);
    QCOMPARE(told(facts, names::kRefusal), std::string("Its driver is of Vulkan 1.0.3, and 1.1 is needed."));
    QCOMPARE(told(facts, names::kHalfFloat), std::string());
    QVERIFY(told(describe(card()), names::kRefusal).empty());
}

void TestVulkanDeviceFacts::kinds() {
    DeviceData data = card();
    data.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_CPU;
    QVERIFY(describe(data).kind == backend::DeviceKind::Cpu);
    data.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU;
    QVERIFY(describe(data).kind == backend::DeviceKind::Virtual);
    data.properties.deviceType = static_cast<VkPhysicalDeviceType>(99);
    QVERIFY(describe(data).kind == backend::DeviceKind::Virtual);
    QCOMPARE(told(describe(data), names::kDeviceType), std::string("other"));
}

void TestVulkanDeviceFacts::ordered() {
    using enum backend::DeviceKind;
    std::vector<backend::DeviceFacts> devices = {
        named("software", Cpu, 99),     named("guest", Virtual, 50),     named("chip", IntegratedGpu, 64),
        named("small", DiscreteGpu, 8), named("large", DiscreteGpu, 24), named("large", DiscreteGpu, 24)};
    order(devices);
    std::vector<std::string> ids;
    for (const backend::DeviceFacts& device : devices)
        ids.push_back(device.id);
    QCOMPARE(ids, (std::vector<std::string>{"large", "large#2", "small", "chip", "guest", "software"}));
}

void TestVulkanDeviceFacts::results() {
    QCOMPARE(resultText(VK_ERROR_DEVICE_LOST), std::string("VK_ERROR_DEVICE_LOST"));
    QCOMPARE(resultText(static_cast<VkResult>(-99)), std::string("VkResult -99"));
}

QTEST_APPLESS_MAIN(TestVulkanDeviceFacts)
#include "tst_vulkan_device_facts.moc"
