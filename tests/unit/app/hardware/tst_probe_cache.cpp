// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Probes: what another process or a file says of devices is judged before it is used, and survives being
// stored.

#include <QTest>
#include <fstream>
#include <sstream>

#include "core/app/hardware/probe_cache.h"
#include "core/engine/base/device_properties.h"
#include "tests/support/fixture_root.h"

using namespace loader;
using namespace loader::app;
using loader::test::FixtureRoot;
namespace names = loader::device_properties;

namespace {

ProbedBackend graphicsCard() {
    ProbedBackend probe;
    probe.id = "vulkan";
    probe.name = "GPU (Vulkan)";
    ProbedDevice device;
    device.id = "00000000-0000-0000-0000-000000000001";
    device.name = "Ümlaut 4000 \"Ti\"";
    device.detail = "Vulkan 1.3.0";
    device.kind = ProbedKind::DiscreteGpu;
    device.memoryBytes = 8ull << 30;
    device.freeBytes = 7ull << 30;
    device.properties = {{std::string(names::kVendorId), "4318"},
                         {std::string(names::kHeaps), "2"},
                         {"heap.0.bytes", "8589934592"},
                         {"heap.0.device_local", "yes"},
                         {"heap.0.budget_bytes", "8000000000"},
                         {"heap.0.used_bytes", "5"},
                         {"heap.1.bytes", "16000000000"},
                         {"heap.1.device_local", "no"},
                         {std::string(names::kMaxAllocationBytes), "4294967292"},
                         {std::string(names::kSubgroupSize), "32"},
                         {std::string(names::kHalfFloat), "yes"},
                         {std::string(names::kIntegerDot), "no"}};
    probe.devices.push_back(device);
    return probe;
}

std::string contentOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

class TestProbeCache : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void facts();
    void oddFacts();
    void judged();
    void storedAndFound();
    void failuresAreRemembered();
    void otherDriversFindNothing();
    void damaged();
    void hostile_data();
    void hostile();
    void namesStayInTheFolder();
    void folderThatCannotBeWritten();
};

void TestProbeCache::facts() {
    const ProbedBackend probe = graphicsCard();
    const GpuFacts facts = gpuFacts(probe.devices.front());
    QCOMPARE(facts.vendorId, 0x10DEu);
    QCOMPARE(facts.heaps.size(), 2u);
    QCOMPARE(facts.heaps[0].bytes, 8ull << 30);
    QVERIFY(facts.heaps[0].local && !facts.heaps[1].local);
    QCOMPARE(facts.heaps[0].budgetBytes.value(), 8000000000ull);
    QVERIFY(!facts.heaps[1].budgetBytes);
    QCOMPARE(facts.maxAllocationBytes, 4294967292ull);
    QCOMPARE(facts.subgroupSize, 32u);
    QVERIFY(facts.halfFloat && !facts.integerDot && !facts.cooperativeMatrix);
}

void TestProbeCache::oddFacts() {
    ProbedDevice device;
    device.properties = {
        {std::string(names::kHeaps), "4000000000"},    {"heap.0.bytes", "-1"},
        {"heap.1.bytes", "99999999999999999999999"},   {"heap.2.bytes", "12 GiB"},
        {std::string(names::kVendorId), "4294967296"}, {std::string(names::kHalfFloat), "YES"}};
    const GpuFacts facts = gpuFacts(device);
    QCOMPARE(facts.heaps.size(), 16u);
    for (const GpuHeap& heap : facts.heaps)
        QCOMPARE(heap.bytes, 0ull);
    QCOMPARE(facts.vendorId, 0u);
    QVERIFY(!facts.halfFloat);
}

void TestProbeCache::judged() {
    QVERIFY(checkProbe(graphicsCard()).ok());
    ProbedBackend probe = graphicsCard();
    probe.devices.push_back(probe.devices.front());
    QVERIFY(!checkProbe(probe).ok());  // two of one id
    probe = graphicsCard();
    probe.devices.front().id.clear();
    QVERIFY(!checkProbe(probe).ok());
    probe = graphicsCard();
    probe.devices.front().name = "\xFF";
    QVERIFY(!checkProbe(probe).ok());
    probe = graphicsCard();
    probe.devices.front().properties.emplace_back("key", std::string(5000, 'a'));
    QVERIFY(!checkProbe(probe).ok());
    probe = graphicsCard();
    probe.devices.front().properties.resize(1000);
    QVERIFY(!checkProbe(probe).ok());
    probe = graphicsCard();
    for (int i = 0; i < 100; ++i) {
        probe.devices.push_back(probe.devices.front());
        probe.devices.back().id += std::to_string(i);
    }
    QVERIFY(!checkProbe(probe).ok());
}

void TestProbeCache::storedAndFound() {
    const FixtureRoot root;
    const ProbeCache cache(root.root() + "/new/folder");
    QVERIFY(!cache.find("vulkan", "id"));
    QVERIFY(cache.store(graphicsCard(), "id").ok());
    const auto found = cache.find("vulkan", "id");
    QVERIFY(found.has_value());
    QVERIFY(found->remembered);
    const ProbedDevice& device = found->devices.at(0);
    const ProbedBackend original = graphicsCard();
    QCOMPARE(device.name, original.devices[0].name);
    QCOMPARE(device.memoryBytes, original.devices[0].memoryBytes);
    QVERIFY(device.kind == ProbedKind::DiscreteGpu);
    QCOMPARE(device.property(names::kSubgroupSize), std::string_view("32"));
    // What changes by the minute is not taken from a file.
    QCOMPARE(device.freeBytes, 0ull);
    QVERIFY(!gpuFacts(device).heaps[0].budgetBytes);
    QVERIFY(cache.forget("vulkan").ok());
    QVERIFY(!cache.find("vulkan", "id"));
    QVERIFY(cache.forget("vulkan").ok());
}

void TestProbeCache::failuresAreRemembered() {
    const FixtureRoot root;
    const ProbeCache cache(root.root());
    ProbedBackend probe{"vulkan", "GPU", {}, probeFault(Error(Errc::B720, {"not there"})), false};
    QVERIFY(cache.store(probe, "id").ok());
    const auto found = cache.find("vulkan", "id");
    QCOMPARE(found.value().fault.value().code, std::string("B720"));
    QVERIFY(found->fault->message.find("not there") != std::string::npos);
}

void TestProbeCache::otherDriversFindNothing() {
    const FixtureRoot root;
    const ProbeCache cache(root.root());
    QVERIFY(cache.store(graphicsCard(), "drivers of May").ok());
    QVERIFY(!cache.find("vulkan", "drivers of June"));
    QVERIFY(!cache.find("cpu", "drivers of May"));
    QVERIFY(cache.find("vulkan", "drivers of May"));
}

void TestProbeCache::damaged() {
    const FixtureRoot root;
    const ProbeCache cache(root.root());
    QVERIFY(cache.store(graphicsCard(), "id").ok());
    const std::string whole = contentOf(root.root() + "/vulkan.json");
    QVERIFY(whole.size() > 500);
    for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
        root.write("/vulkan.json", whole.substr(0, length));
        QVERIFY2(!cache.find("vulkan", "id"), std::to_string(length).c_str());
    }
    // A changed byte may change a name; it never breaks anything.
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 0x15);
        root.write("/vulkan.json", changed);
        const auto found = cache.find("vulkan", "id");
        if (found) QVERIFY(checkProbe(*found).ok());
    }
}

void TestProbeCache::hostile_data() {
    QTest::addColumn<QByteArray>("text");
    const QByteArray head = R"({"schema":1,"identity":"id","backend":)";
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("list") << QByteArray("[]");
    QTest::newRow("deep") << QByteArray(200000, '[');
    QTest::newRow("deep in place") << head + QByteArray(200000, '[');
    QTest::newRow("deep and closed") << head + QByteArray(50000, '[') + QByteArray(50000, ']') + "}";
    QTest::newRow("too long") << QByteArray(2 << 20, ' ');
    QTest::newRow("no back end") << QByteArray(R"({"schema":1,"identity":"id"})");
    QTest::newRow("other schema") << QByteArray(
        R"({"schema":2,"identity":"id","backend":{"id":"vulkan","name":"","devices":[]}})");
    QTest::newRow("schema as text") << QByteArray(
        R"({"schema":"1","identity":"id","backend":{"id":"vulkan","name":"","devices":[]}})");
    QTest::newRow("other back end") << head + R"({"id":"cpu","name":"","devices":[]}})";
    QTest::newRow("devices missing") << head + R"({"id":"vulkan","name":""}})";
    QTest::newRow("device is a number") << head + R"({"id":"vulkan","name":"","devices":[7]}})";
    QTest::newRow("device without id")
        << head +
               R"({"id":"vulkan","name":"","devices":[{"id":"","name":"","detail":"","kind":"cpu","memory_bytes":1,"properties":[]}]}})";
    QTest::newRow("unknown kind")
        << head +
               R"({"id":"vulkan","name":"","devices":[{"id":"a","name":"","detail":"","kind":"toaster","memory_bytes":1,"properties":[]}]}})";
    QTest::newRow("negative memory")
        << head +
               R"({"id":"vulkan","name":"","devices":[{"id":"a","name":"","detail":"","kind":"cpu","memory_bytes":-1,"properties":[]}]}})";
    QTest::newRow("property of three")
        << head +
               R"({"id":"vulkan","name":"","devices":[{"id":"a","name":"","detail":"","kind":"cpu","memory_bytes":1,"properties":[["a","b","c"]]}]}})";
    QTest::newRow("property of numbers")
        << head +
               R"({"id":"vulkan","name":"","devices":[{"id":"a","name":"","detail":"","kind":"cpu","memory_bytes":1,"properties":[[1,2]]}]}})";
    QTest::newRow("fault is text") << head + R"({"id":"vulkan","name":"","devices":[],"fault":"B720"}})";
    QTest::newRow("not UTF-8") << head + "{\"id\":\"vulkan\",\"name\":\"\xFF\",\"devices\":[]}}";
}

void TestProbeCache::hostile() {
    QFETCH(QByteArray, text);
    const FixtureRoot root;
    root.write("/vulkan.json", text.toStdString());
    QVERIFY(!ProbeCache(root.root()).find("vulkan", "id"));
}

void TestProbeCache::namesStayInTheFolder() {
    const FixtureRoot root;
    const ProbeCache cache(root.root() + "/probes");
    for (const char* id : {"../escape", "", "a/b", "UPPER", "dot.json"}) {
        ProbedBackend probe = graphicsCard();
        probe.id = id;
        QVERIFY(!cache.store(probe, "id").ok());
        QVERIFY(!cache.find(id, "id"));
    }
    QVERIFY(!std::filesystem::exists(root.root() + "/escape.json"));
}

void TestProbeCache::folderThatCannotBeWritten() {
    const FixtureRoot root;
    root.write("/file", "");
    QVERIFY(!ProbeCache(root.root() + "/file/below").store(graphicsCard(), "id").ok());
    // A folder where the file should be is no file.
    root.folder("/vulkan.json");
    QVERIFY(!ProbeCache(root.root()).find("vulkan", "id"));
}

QTEST_APPLESS_MAIN(TestProbeCache)
#include "tst_probe_cache.moc"
