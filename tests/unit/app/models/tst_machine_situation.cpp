// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTest>

#include "core/app/models/machine_situation.h"
#include "core/engine/base/device_properties.h"
#include "tests/unit/app/models/made_up_facts.h"

using namespace loader;
using namespace loader::app;
using test::kGiB;

class TestMachineSituation : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void memoryAndItsLimits();
    void aCardWithABudget();
    void graphicsOfTheProcessor();
    void whatIsNotTold();
    void devicesThatDoNotCount();
    void aProbeDecidesAVerdict();
};

namespace {

struct MadeUpHeap {
    std::uint64_t bytes;
    bool local;
    std::optional<std::uint64_t> budget;
    std::uint64_t used = 0;
};

ProbedDevice deviceOf(ProbedKind kind, const std::vector<MadeUpHeap>& heaps) {
    namespace names = device_properties;
    ProbedDevice device;
    device.id = "id";
    device.name = "Graphics";
    device.kind = kind;
    device.properties.emplace_back(names::kHeaps, std::to_string(heaps.size()));
    for (std::size_t i = 0; i < heaps.size(); ++i) {
        const std::string prefix = std::string(names::kHeapPrefix) + std::to_string(i);
        const auto put = [&](std::string_view key, const std::string& value) {
            device.properties.emplace_back(prefix + std::string(key), value);
        };
        put(names::kHeapBytes, std::to_string(heaps[i].bytes));
        put(names::kHeapLocal, heaps[i].local ? "yes" : "no");
        if (!heaps[i].budget) continue;
        put(names::kHeapBudget, std::to_string(*heaps[i].budget));
        put(names::kHeapUsed, std::to_string(heaps[i].used));
    }
    return device;
}

std::vector<ProbedBackend> probeOf(const ProbedDevice& device) {
    ProbedBackend probe;
    probe.id = "vulkan";
    probe.devices = {device};
    return {probe};
}

MemoryFacts memoryOf(std::uint64_t total, std::uint64_t available) {
    MemoryFacts memory;
    memory.total = total;
    memory.available = available;
    return memory;
}

}  // namespace

void TestMachineSituation::memoryAndItsLimits() {
    MemoryFacts memory = memoryOf(32 * kGiB, 20 * kGiB);
    QCOMPARE(situationOf(memory, {}).totalBytes, 32 * kGiB);
    QCOMPARE(situationOf(memory, {}).availableBytes, std::optional<std::uint64_t>(20 * kGiB));
    memory.groupLimit = 8 * kGiB;
    memory.groupRoom = 5 * kGiB;
    QCOMPARE(situationOf(memory, {}).totalBytes, 8 * kGiB);
    QCOMPARE(situationOf(memory, {}).availableBytes, std::optional<std::uint64_t>(5 * kGiB));
    memory.process.addressSpace = 4 * kGiB;
    memory.process.addressSpaceUsed = kGiB;
    QCOMPARE(situationOf(memory, {}).totalBytes, 4 * kGiB);
    QCOMPARE(situationOf(memory, {}).availableBytes, std::optional<std::uint64_t>(3 * kGiB));
    QVERIFY(!situationOf(MemoryFacts(), {}).availableBytes);
}

void TestMachineSituation::aCardWithABudget() {
    const ProbedDevice card = deviceOf(
        ProbedKind::DiscreteGpu, {{12 * kGiB, true, 11 * kGiB, 2 * kGiB}, {8 * kGiB, false, 8 * kGiB, 0}});
    const auto situation = situationOf(memoryOf(32 * kGiB, 20 * kGiB), probeOf(card));
    QCOMPARE(situation.devices.size(), std::size_t{1});
    const DeviceSituation& device = situation.devices[0];
    QCOMPARE(device.backend, std::string("vulkan"));
    QVERIFY(!device.sharesSystemMemory);
    QCOMPARE(device.heaps.size(), std::size_t{2});
    QCOMPARE(device.heaps[0].freeBytes, 9 * kGiB);
    QVERIFY(device.heaps[0].onDevice && !device.heaps[1].onDevice);
    QVERIFY(usableBytes(device, {}) < 9 * kGiB);
}

void TestMachineSituation::graphicsOfTheProcessor() {
    const ProbedDevice graphics = deviceOf(
        ProbedKind::IntegratedGpu, {{83 * kGiB, true, 83 * kGiB, 0}, {41 * kGiB, false, 41 * kGiB, 0}});
    auto situation = situationOf(memoryOf(125 * kGiB, 120 * kGiB), probeOf(graphics));
    QVERIFY(situation.devices[0].sharesSystemMemory);
    QCOMPARE(situation.devices[0].reservedBytes, 0ull);
    QVERIFY(usableBytes(situation.devices[0], {}) > 110 * kGiB);
    // More than the system has: the rest is reserved for it.
    situation = situationOf(memoryOf(62 * kGiB, 40 * kGiB), probeOf(graphics));
    QCOMPARE(situation.devices[0].reservedBytes, 62 * kGiB);
}

void TestMachineSituation::whatIsNotTold() {
    const ProbedDevice card = deviceOf(ProbedKind::DiscreteGpu, {{10 * kGiB, true, std::nullopt, 0}});
    auto situation = situationOf(memoryOf(32 * kGiB, 20 * kGiB), probeOf(card));
    QVERIFY(situation.devices[0].heaps[0].freeBytes > 7 * kGiB);
    QVERIFY(situation.devices[0].heaps[0].freeBytes < 9 * kGiB);
    ProbedDevice plain;
    plain.kind = ProbedKind::DiscreteGpu;
    plain.memoryBytes = 10 * kGiB;
    plain.freeBytes = 9 * kGiB;
    situation = situationOf(memoryOf(32 * kGiB, 20 * kGiB), probeOf(plain));
    QCOMPARE(situation.devices[0].heaps[0].freeBytes, 9 * kGiB);
    // A budget beyond the heap, and more used than there is.
    const ProbedDevice odd = deviceOf(
        ProbedKind::DiscreteGpu, {{10 * kGiB, true, 90 * kGiB, 0}, {10 * kGiB, true, 1 * kGiB, 5 * kGiB}});
    situation = situationOf(memoryOf(32 * kGiB, 20 * kGiB), probeOf(odd));
    QCOMPARE(situation.devices[0].heaps[0].freeBytes, 10 * kGiB);
    QCOMPARE(situation.devices[0].heaps[1].freeBytes, 0ull);
}

void TestMachineSituation::devicesThatDoNotCount() {
    ProbedDevice refused = deviceOf(ProbedKind::DiscreteGpu, {{10 * kGiB, true, 9 * kGiB, 0}});
    refused.properties.emplace_back(device_properties::kRefusal, "its driver is too old");
    QVERIFY(situationOf(memoryOf(32 * kGiB, 20 * kGiB), probeOf(refused)).devices.empty());
    const ProbedDevice processor = deviceOf(ProbedKind::Processor, {});
    QVERIFY(situationOf(memoryOf(32 * kGiB, 20 * kGiB), probeOf(processor)).devices.empty());
    const ProbedDevice software = deviceOf(ProbedKind::Virtual, {{10 * kGiB, true, 9 * kGiB, 0}});
    QVERIFY(situationOf(memoryOf(32 * kGiB, 20 * kGiB), probeOf(software)).devices.empty());
}

/// From a probe to a verdict: a card that reports 20 GiB, of which 12 are its own.
void TestMachineSituation::aProbeDecidesAVerdict() {
    const ProbedDevice card = deviceOf(
        ProbedKind::DiscreteGpu, {{12 * kGiB, true, 12 * kGiB, kGiB / 4}, {8 * kGiB, false, 8 * kGiB, 0}});
    const auto situation = situationOf(memoryOf(32 * kGiB, 28 * kGiB), probeOf(card));
    const auto facts =
        test::madeUpFacts({48, 290 * test::kMiB, 200 * test::kMiB, 200 * test::kMiB, 4, 128, 32768});
    const Verdict verdict = judge(facts, {}, {}, situation, {});
    QCOMPARE(verdict.fit, Fit::Split);
    QVERIFY(verdict.estimate.device.total() < 12 * kGiB);
    QVERIFY(verdict.sentence.find("Graphics") != std::string::npos);
}

QTEST_APPLESS_MAIN(TestMachineSituation)
#include "tst_machine_situation.moc"
