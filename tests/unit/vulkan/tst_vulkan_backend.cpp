// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Finding devices through a scripted Vulkan library, and through this system's where it has a driver.

#include <dlfcn.h>

#include <QTest>
#include <fstream>
#include <set>

#include "backends/vulkan/vulkan_backend.h"
#include "core/engine/base/device_properties.h"
#include "tests/unit/vulkan/fake_vulkan.h"

using namespace loader;
using loader::test::FakeVulkan;
namespace names = loader::device_properties;

namespace {

/// The scripted library as the test sees it; the back end opens the same one.
class Script {
public:
    explicit Script(FakeVulkan script) : m_library(::dlopen(FAKE_VULKAN, RTLD_NOW)) {
        const auto set = reinterpret_cast<void (*)(int)>(::dlsym(m_library, "fakeVulkanScript"));
        set(static_cast<int>(script));
    }
    int instances() const { return reinterpret_cast<int (*)()>(::dlsym(m_library, "fakeVulkanInstances"))(); }

private:
    void* m_library;
};

std::string_view told(const backend::DeviceFacts& device, std::string_view key) {
    for (const auto& [one, value] : device.properties) {
        if (one == key) return value;
    }
    return {};
}

vulkan::VulkanSettings with(std::vector<std::string> libraryNames) {
    vulkan::VulkanSettings settings;
    settings.libraryNames = std::move(libraryNames);
    return settings;
}

bool thisProcessMaps(const char* name) {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    while (std::getline(maps, line)) {
        if (line.find(name) != std::string::npos) return true;
    }
    return false;
}

}  // namespace

class TestVulkanBackend : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void planOpensNothing();
    void devices();
    void faults_data();
    void faults();
    void deviceComesInBetween();
    void noLibrary();
    void anotherLibrary();
    void hundredTimes();
    void realDriver();
};

void TestVulkanBackend::planOpensNothing() {
    vulkan::VulkanBackend back;
    const auto plan = back.plan(graph::Program(), {}, "", {});
    QVERIFY(plan.ok());
    QVERIFY(plan->unsupported.empty());
    const auto model = back.load(graph::Program(), {}, {}, "", {}, nullptr, {});
    QVERIFY(!model.ok());
    QVERIFY(model.error().code() == Errc::B702);
    QVERIFY(!thisProcessMaps("libvulkan"));
}

void TestVulkanBackend::devices() {
    const Script script(FakeVulkan::Devices);
    vulkan::VulkanBackend back(with({FAKE_VULKAN}));
    const auto found = back.devices();
    QVERIFY2(found.ok(), found.ok() ? "" : found.error().toString().c_str());
    std::vector<std::string> order;
    std::set<std::string> ids;
    for (const backend::DeviceFacts& device : *found) {
        order.push_back(device.name);
        ids.insert(device.id);
    }
    QCOMPARE(order, (std::vector<std::string>{"Discrete", "Ancient", "Integrated", "Software"}));
    QCOMPARE(ids.size(), 4u);
    const backend::DeviceFacts& best = found->front();
    QVERIFY(best.kind == backend::DeviceKind::DiscreteGpu);
    QCOMPARE(best.id, std::string("00000000-0000-0000-0000-000000000007"));
    QCOMPARE(best.memoryBytes, 8ull << 30);
    QCOMPARE(best.freeBytes, 2ull << 30);
    QCOMPARE(told(best, names::kHalfFloat), std::string_view("yes"));
    QCOMPARE(told(best, names::kComputeQueues), std::string_view("3"));
    QVERIFY(told(best, names::kRefusal).empty());
    QVERIFY(told((*found)[1], names::kRefusal).find("1.1 is needed") != std::string_view::npos);
    // A device of Vulkan 1.1 without the extension is not asked for what it may not know.
    QCOMPARE(told((*found)[2], names::kHalfFloat), std::string_view("no"));
    QCOMPARE(script.instances(), 0);
}

void TestVulkanBackend::faults_data() {
    QTest::addColumn<FakeVulkan>("script");
    QTest::addColumn<QString>("code");
    QTest::newRow("library of 1.0") << FakeVulkan::OldLibrary << "B722";
    QTest::newRow("no driver") << FakeVulkan::NoDriver << "B721";
    QTest::newRow("start fails") << FakeVulkan::StartFails << "B722";
    QTest::newRow("no device") << FakeVulkan::NoDevice << "B721";
    QTest::newRow("list fails") << FakeVulkan::ListFails << "B722";
    QTest::newRow("function missing") << FakeVulkan::FunctionMissing << "B722";
}

void TestVulkanBackend::faults() {
    QFETCH(FakeVulkan, script);
    QFETCH(QString, code);
    const Script running(script);
    vulkan::VulkanBackend back(with({FAKE_VULKAN}));
    const auto found = back.devices();
    QVERIFY(!found.ok());
    QCOMPARE(std::string(found.error().name()), code.toStdString());
    QVERIFY(!found.error().action().empty());
    QCOMPARE(running.instances(), 0);
}

void TestVulkanBackend::deviceComesInBetween() {
    const Script script(FakeVulkan::DeviceComes);
    const auto found = vulkan::VulkanBackend(with({FAKE_VULKAN})).devices();
    QVERIFY(found.ok());
    QCOMPARE(found->size(), 3u);
}

void TestVulkanBackend::noLibrary() {
    const auto found = vulkan::VulkanBackend(with({"libno-such-vulkan.so.1", "libno-other.so"})).devices();
    QVERIFY(!found.ok());
    QVERIFY(found.error().code() == Errc::B720);
    QVERIFY(found.error().message().find("libno-such-vulkan") != std::string::npos);
    QVERIFY(vulkan::VulkanBackend(with({})).devices().error().code() == Errc::B720);
}

void TestVulkanBackend::anotherLibrary() {
    const auto found = vulkan::VulkanBackend(with({"libm.so.6"})).devices();
    if (!found.ok() && found.error().code() == Errc::B720) QSKIP("no libm.so.6 here");
    QVERIFY(found.error().code() == Errc::B722);
}

void TestVulkanBackend::hundredTimes() {
    const Script script(FakeVulkan::Devices);
    vulkan::VulkanBackend back(with({FAKE_VULKAN}));
    for (int i = 0; i < 100; ++i)
        QVERIFY(back.devices().ok());
    QCOMPARE(script.instances(), 0);
}

void TestVulkanBackend::realDriver() {
    const auto found = vulkan::VulkanBackend().devices();
    if (!found.ok()) QSKIP(("no Vulkan device here: " + found.error().toString()).c_str());
    QVERIFY(!found->empty());
    const auto again = vulkan::VulkanBackend().devices();
    QVERIFY(again.ok());
    for (std::size_t i = 0; i < found->size(); ++i) {
        const backend::DeviceFacts& device = (*found)[i];
        QCOMPARE(device.id, (*again)[i].id);
        QVERIFY(!device.name.empty());
        QVERIFY(device.memoryBytes > 0);
        QVERIFY(device.freeBytes <= device.memoryBytes);
        // Limits that every Vulkan device has. @source Vulkan specification, "Required Limits"
        QVERIFY(std::stoull(std::string(told(device, names::kMaxStorageRangeBytes))) >= 1ull << 27);
        QVERIFY(std::stoull(std::string(told(device, names::kMaxPushConstantBytes))) >= 128);
    }
}

QTEST_APPLESS_MAIN(TestVulkanBackend)
#include "tst_vulkan_backend.moc"
