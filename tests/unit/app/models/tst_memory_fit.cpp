// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Situations in which other programs gave a wrong verdict, replayed with made-up hardware, and the rules
// behind the verdicts.

#include <QTest>

#include "core/app/models/memory_fit.h"
#include "tests/unit/app/models/made_up_facts.h"

using namespace loader;
using namespace loader::app;
using test::kGiB;
using test::kMiB;

class TestMemoryFit : public QObject {
    Q_OBJECT

private Q_SLOTS:
    // The eight situations.
    void aModelMuchLargerThanTheCard();
    void aCardFilledToNinetyFivePercent();
    void aModelSlightlyLargerThanTheCard();
    void theModelThatIsReplacedGivesItsMemory();
    void graphicsWhoseMemoryIsTwoHeaps();
    void graphicsWithReservedMemory();
    void graphicsWhoseMemoryIsCountedTwice();
    void twoCardsOfDifferentSize();

    void memoryThatNobodyTells();
    void theMarginStaysFree();
    void theLongestContextIsExact();
    void layersLeaveNoRoomForAnother();
    void automaticContextKeepsToTheModel();
    void layersWithoutADevice();
    void sentencesNameWhatHelps();
};

namespace {

constexpr LayerWish kAutomatic{};
constexpr LayerWish kAll{false, 0xFFFFFFFFu};

DeviceSituation card(std::uint64_t bytes, std::uint64_t freeBytes, const char* name = "Card") {
    return {"vulkan", name, name, false, 0, {{bytes, freeBytes, true}}, 0};
}

MemorySituation machine(std::uint64_t total, std::uint64_t available) {
    MemorySituation situation;
    situation.availableBytes = available;
    situation.totalBytes = total;
    situation.source = "free memory";
    return situation;
}

LoadSettings withContext(std::uint32_t tokens) {
    LoadSettings settings;
    settings.contextTokens = tokens;
    return settings;
}

}  // namespace

/// 30 layers at the longest context are 26 GiB; a user moves all of them to a card of 8.
void TestMemoryFit::aModelMuchLargerThanTheCard() {
    const auto facts = test::madeUpFacts({30, 540 * kMiB, 300 * kMiB, 300 * kMiB, 2, 256, 262144});
    MemorySituation situation = machine(32 * kGiB, 26 * kGiB);
    situation.devices = {card(8 * kGiB, 7700 * kMiB)};
    const Verdict all = judge(facts, withContext(162144), kAll, situation, {});
    QVERIFY(!all.fits);
    QCOMPARE(all.fit, Fit::TooLarge);
    QVERIFY(all.mostLayers > 0 && all.mostLayers < 12);
    const Verdict automatic = judge(facts, withContext(162144), kAutomatic, situation, {});
    QVERIFY(automatic.fits);
    QCOMPARE(automatic.fit, Fit::Split);
    QCOMPARE(automatic.gpuLayers, all.mostLayers);
    QVERIFY(automatic.estimate.device.total() < 7700 * kMiB);
}

/// 30.2 of 31.9 GiB looked like room enough, and the driver then refused a buffer.
void TestMemoryFit::aCardFilledToNinetyFivePercent() {
    const std::uint64_t heap = 32623 * kMiB;
    const auto facts = test::madeUpFacts({64, 277 * kMiB, 200 * kMiB, 200 * kMiB, 4, 128, 262144});
    const LoadSettings settings = withContext(100975);
    MemorySituation situation = machine(64 * kGiB, 56 * kGiB);
    situation.devices = {card(heap, heap)};
    const Verdict all = judge(facts, settings, kAll, situation, {});
    QVERIFY(all.estimate.device.total() > 30 * kGiB && all.estimate.device.total() < heap);
    QVERIFY(!all.fits);
    const Verdict automatic = judge(facts, settings, kAutomatic, situation, {});
    QCOMPARE(automatic.fit, Fit::Split);
    QVERIFY(automatic.gpuLayers >= 56);
    // And a shorter context puts everything on the card.
    QCOMPARE(judge(facts, withContext(65536), kAutomatic, situation, {}).fit, Fit::Device);
}

/// 65 layers that do not quite fit: 55 ran by hand, where one had been chosen.
void TestMemoryFit::aModelSlightlyLargerThanTheCard() {
    const auto facts = test::madeUpFacts({65, 240 * kMiB, 300 * kMiB, 300 * kMiB, 4, 128, 32768});
    MemorySituation situation = machine(64 * kGiB, 50 * kGiB);
    situation.devices = {card(15560 * kMiB, 15500 * kMiB)};
    const Verdict automatic = judge(facts, withContext(4096), kAutomatic, situation, {});
    QCOMPARE(automatic.fit, Fit::Split);
    QVERIFY(automatic.gpuLayers >= 55 && automatic.gpuLayers < 65);
    QVERIFY(!judge(facts, withContext(4096), kAll, situation, {}).fits);
}

/// A card of 24 GiB of which the present model has 80 %; the next one needs 12.
void TestMemoryFit::theModelThatIsReplacedGivesItsMemory() {
    const auto facts = test::madeUpFacts({48, 230 * kMiB, 200 * kMiB, 200 * kMiB, 4, 128, 32768});
    MemorySituation situation = machine(32 * kGiB, 20 * kGiB);
    situation.devices = {card(24 * kGiB, 4 * kGiB)};
    QVERIFY(judge(facts, withContext(4096), kAutomatic, situation, {}).fit != Fit::Device);
    situation.devices[0].replacedBytes = 19 * kGiB;
    QCOMPARE(judge(facts, withContext(4096), kAutomatic, situation, {}).fit, Fit::Device);
    // It gives back no more than the card has.
    situation.devices[0].replacedBytes = 1000 * kGiB;
    QVERIFY(usableBytes(situation.devices[0], {}) < 24 * kGiB);
    // The same in memory.
    MemorySituation memory = machine(24 * kGiB, 6 * kGiB);
    QVERIFY(!judge(facts, withContext(4096), kAutomatic, memory, {}).fits);
    memory.replacedBytes = 15 * kGiB;
    QVERIFY(judge(facts, withContext(4096), kAutomatic, memory, {}).fits);
}

/// 124 GiB that graphics may use appear as a heap of 83 and one of 41, and only the first was counted.
void TestMemoryFit::graphicsWhoseMemoryIsTwoHeaps() {
    const auto large = test::madeUpFacts({80, 1200 * kMiB, 500 * kMiB, 500 * kMiB, 8, 128, 131072});
    MemorySituation situation = machine(125 * kGiB, 120 * kGiB);
    DeviceSituation graphics{"vulkan", "halo", "Halo", true, kGiB / 2, {}, 0};
    graphics.heaps = {{83 * kGiB, 82 * kGiB, true}, {41 * kGiB, 41 * kGiB, false}};
    situation.devices = {graphics};
    QCOMPARE(judge(large, withContext(4096), kAutomatic, situation, {}).fit, Fit::Device);
    // What graphics use is gone from the system: together they cannot have more than there is.
    situation.availableBytes = 90 * kGiB;
    QVERIFY(judge(large, withContext(4096), kAutomatic, situation, {}).fit != Fit::Device);
    QVERIFY(!judge(large, withContext(4096), kAll, situation, {}).fits);
}

/// 128 GiB, of which the firmware gave half to graphics; a program that looks at the system's half refuses.
void TestMemoryFit::graphicsWithReservedMemory() {
    const auto facts = test::madeUpFacts({60, 850 * kMiB, 400 * kMiB, 400 * kMiB, 8, 128, 131072});
    MemorySituation situation = machine(62 * kGiB, 40 * kGiB);
    DeviceSituation graphics{"vulkan", "halo", "Halo", true, 64 * kGiB, {}, 0};
    graphics.heaps = {{64 * kGiB, 63 * kGiB, true}, {31 * kGiB, 31 * kGiB, false}};
    situation.devices = {graphics};
    const Verdict verdict = judge(facts, withContext(8192), kAutomatic, situation, {});
    QVERIFY(verdict.estimate.device.total() > 50 * kGiB);
    QCOMPARE(verdict.fit, Fit::Device);
}

/// A laptop of 16 GiB whose graphics call 8 of them theirs has 16, not 24.
void TestMemoryFit::graphicsWhoseMemoryIsCountedTwice() {
    const auto facts = test::madeUpFacts({40, 400 * kMiB, 300 * kMiB, 300 * kMiB, 8, 128, 32768});
    MemorySituation situation = machine(16 * kGiB, 13 * kGiB);
    DeviceSituation graphics{"vulkan", "igpu", "Graphics", true, 0, {{8 * kGiB, 8 * kGiB, true}}, 0};
    situation.devices = {graphics};
    const Verdict verdict = judge(facts, withContext(4096), kAutomatic, situation, {});
    QVERIFY(verdict.estimate.total() > 16 * kGiB && verdict.estimate.total() < 24 * kGiB);
    QVERIFY(!verdict.fits);
    // Half of the model would be there, were the two memories not one.
    QVERIFY(!judge(facts, withContext(4096), LayerWish{false, 15}, situation, {}).fits);
    situation.devices[0].sharesSystemMemory = false;
    QVERIFY(judge(facts, withContext(4096), LayerWish{false, 15}, situation, {}).fits);
}

/// A card of 12 GiB that reports 19 with what it reaches over the bus, beside one of 24.
void TestMemoryFit::twoCardsOfDifferentSize() {
    DeviceSituation small = card(12 * kGiB, 11800 * kMiB, "Small");
    small.heaps.push_back({7680 * kMiB, 7680 * kMiB, false});
    const DeviceSituation large = card(24 * kGiB, 23607 * kMiB, "Large");
    QVERIFY(usableBytes(small, {}) < 12 * kGiB);
    MemorySituation situation = machine(64 * kGiB, 50 * kGiB);

    const auto middling = test::madeUpFacts({48, 290 * kMiB, 200 * kMiB, 200 * kMiB, 4, 128, 32768});
    situation.devices = {small};
    QCOMPARE(judge(middling, withContext(4096), kAutomatic, situation, {}).fit, Fit::Split);
    situation.devices = {small, large};
    const Verdict verdict = judge(middling, withContext(4096), kAutomatic, situation, {});
    QCOMPARE(verdict.fit, Fit::Device);
    QCOMPARE(verdict.device, std::optional<std::size_t>(1));

    // 30 GiB are in neither, and not in both as if they were one.
    const auto huge = test::madeUpFacts({60, 500 * kMiB, 300 * kMiB, 300 * kMiB, 4, 128, 32768});
    const Verdict split = judge(huge, withContext(4096), kAutomatic, situation, {});
    QCOMPARE(split.fit, Fit::Split);
    QCOMPARE(split.device, std::optional<std::size_t>(1));
    QVERIFY(split.estimate.device.total() <= usableBytes(large, {}));
    QVERIFY(!judge(huge, withContext(4096), kAll, situation, {}).fits);
}

void TestMemoryFit::memoryThatNobodyTells() {
    const Verdict verdict = judge(test::madeUpFacts({}), {}, kAutomatic, {}, {});
    QVERIFY(!verdict.fits);
    QVERIFY(verdict.sentence.find("does not tell") != std::string::npos);
}

void TestMemoryFit::theMarginStaysFree() {
    const auto facts = test::madeUpFacts({});
    const std::uint64_t needed = estimate(facts, {}).total();
    const Margins margins;
    const std::uint64_t total = 8 * kGiB;
    const std::uint64_t least = needed + margins.system.of(total);
    QVERIFY(judge(facts, {}, kAutomatic, machine(total, least), margins).fits);
    QVERIFY(!judge(facts, {}, kAutomatic, machine(total, least - 1), margins).fits);
    QCOMPARE(Margin({100, 0}).of(1 << 20), 100ull);
    QCOMPARE(Margin({100, 30}).of(1'000'000), 30'000ull);
    // Settings: no margin at all.
    Margins none;
    none.system = {};
    QVERIFY(judge(facts, {}, kAutomatic, machine(total, needed), none).fits);
    QVERIFY(!judge(facts, {}, kAutomatic, machine(total, needed - 1), none).fits);
}

void TestMemoryFit::theLongestContextIsExact() {
    const auto facts = test::madeUpFacts({});
    const MemorySituation situation = machine(8 * kGiB, 6 * kGiB);
    const Verdict verdict = judge(facts, withContext(131072), kAutomatic, situation, {});
    QVERIFY(!verdict.fits);
    QVERIFY(verdict.longestContext > 0 && verdict.longestContext % 64 == 0);
    QVERIFY(judge(facts, withContext(verdict.longestContext), kAutomatic, situation, {}).fits);
    QVERIFY(!judge(facts, withContext(verdict.longestContext + 64), kAutomatic, situation, {}).fits);
    QCOMPARE(longestContext(facts, {}, situation, nullptr, {}, 1000), 960u);
    QCOMPARE(longestContext(facts, {}, machine(kGiB, kGiB), nullptr, {}, 0xFFFFFFFFu), 0u);
}

void TestMemoryFit::layersLeaveNoRoomForAnother() {
    const auto facts = test::madeUpFacts({64, 300 * kMiB, 200 * kMiB, 200 * kMiB, 4, 128, 32768});
    MemorySituation situation = machine(64 * kGiB, 60 * kGiB);
    for (std::uint64_t gib = 2; gib < 24; ++gib) {
        situation.devices = {card(gib * kGiB, gib * kGiB - 200 * kMiB)};
        const DeviceSituation& device = situation.devices[0];
        LoadSettings settings = withContext(4096);
        settings.device = "vulkan";
        const std::uint32_t layers = automaticGpuLayers(facts, settings, situation, device, {});
        settings.gpuLayers = layers;
        QVERIFY(fits(estimate(facts, settings), situation, &device, {}));
        if (layers == 64) continue;
        settings.gpuLayers = layers + 1;
        QVERIFY(!fits(estimate(facts, settings), situation, &device, {}));
    }
}

void TestMemoryFit::automaticContextKeepsToTheModel() {
    auto facts = test::madeUpFacts({});
    QCOMPARE(automaticContext(facts, 4096), 4096u);
    facts.trainedContext = 2048;
    QCOMPARE(automaticContext(facts, 4096), 2048u);
    facts.trainedContext = 0;
    QCOMPARE(automaticContext(facts, 4096), 4096u);
    facts.positionLimit = 1024;
    QCOMPARE(automaticContext(facts, 4096), 1024u);
}

void TestMemoryFit::layersWithoutADevice() {
    const auto facts = test::madeUpFacts({});
    const Verdict verdict = judge(facts, {}, kAll, machine(32 * kGiB, 30 * kGiB), {});
    QVERIFY(verdict.fits);
    QCOMPARE(verdict.fit, Fit::Processor);
    QCOMPARE(verdict.gpuLayers, 0u);
    QVERIFY(verdict.sentence.find("no graphics device") != std::string::npos);
}

void TestMemoryFit::sentencesNameWhatHelps() {
    const auto facts = test::madeUpFacts({});
    const Verdict verdict = judge(facts, withContext(131072), kAutomatic, machine(8 * kGiB, 6 * kGiB), {});
    QVERIFY(verdict.sentence.find("-c " + std::to_string(verdict.longestContext)) != std::string::npos);
    QVERIFY(verdict.sentence.find("--kv q8_0") != std::string::npos);
    const Verdict hopeless = judge(facts, withContext(64), kAutomatic, machine(kGiB, kGiB), {});
    QVERIFY(hopeless.sentence.find("smaller model") != std::string::npos);
}

QTEST_APPLESS_MAIN(TestMemoryFit)
#include "tst_memory_fit.moc"
