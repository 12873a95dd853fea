// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTest>

#include "core/app/models/recommendation.h"
#include "tests/unit/app/models/made_up_facts.h"

using namespace loader;
using namespace loader::app;
using test::kGiB;
using test::kMiB;

class TestRecommendation : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void roomForAll();
    void aContextThatMemoryLimits();
    void aContextThatSpeedLimits();
    void aModelThatDoesNotFit();
    void wishesAreKept();
    void aDeviceTakesPart();
    void speedsFollowTheCeilings();
};

namespace {

constexpr MachineSpeed kMachine{40e9, 0.0, 900e9, 450e9, 200e9};

MemorySituation machine(std::uint64_t total) {
    MemorySituation situation;
    situation.availableBytes = total;
    situation.totalBytes = total;
    return situation;
}

LoadSettings open() {
    LoadSettings settings;
    settings.contextTokens = 0;
    settings.threads = 0;
    return settings;
}

Recommendation ask(const protocol::ModelFacts& facts, const LoadSettings& wanted,
                   const MemorySituation& situation) {
    return recommend(facts, wanted, {}, situation, {}, kMachine, 4);
}

}  // namespace

void TestRecommendation::roomForAll() {
    auto facts = test::madeUpFacts({});
    facts.trainedContext = 8192;
    const Recommendation advice = ask(facts, open(), machine(64 * kGiB));
    QVERIFY(advice.verdict.fits);
    QCOMPARE(advice.settings.contextTokens, 8192u);
    QCOMPARE(advice.settings.threads, 4u);
    QCOMPARE(advice.settings.batchTokens, 512u);
    QCOMPARE(advice.verdict.gpuLayers, 0u);
    for (const std::string& reason : {advice.backendReason, advice.layersReason, advice.contextReason,
                                      advice.threadsReason, advice.batchReason}) {
        QVERIFY(reason.size() > 10);
        QCOMPARE(reason.back(), '.');
    }
    QVERIFY(advice.speed && advice.speed->firstTokensPerSecond > advice.speed->lastTokensPerSecond);
}

void TestRecommendation::aContextThatMemoryLimits() {
    const auto facts = test::madeUpFacts({});
    const Recommendation advice = ask(facts, open(), machine(5 * kGiB));
    QVERIFY(advice.verdict.fits);
    QVERIFY(advice.settings.contextTokens > 4096 && advice.settings.contextTokens < 25000);
    QVERIFY(advice.contextReason.find("memory") != std::string::npos);
}

void TestRecommendation::aContextThatSpeedLimits() {
    const auto facts = test::madeUpFacts({});
    const Recommendation advice = ask(facts, open(), machine(256 * kGiB));
    const std::uint64_t cache =
        advice.settings.contextTokens * kvBytesPerToken(facts, "cpu", graph::KvType::F16);
    QVERIFY(cache <= facts.tokenBytes && cache > facts.tokenBytes / 100 * 95);
    QVERIFY(advice.speed->lastTokensPerSecond * 2.0 >= advice.speed->firstTokensPerSecond * 0.999);
}

void TestRecommendation::aModelThatDoesNotFit() {
    const Recommendation advice = ask(test::madeUpFacts({}), open(), machine(2 * kGiB));
    QVERIFY(!advice.verdict.fits);
    QCOMPARE(advice.settings.batchTokens, 512u);
    // A little less than needed: smaller steps make room.
    const auto facts = test::madeUpFacts({});
    LoadSettings wanted = open();
    wanted.contextTokens = 4096;
    const std::uint64_t needed = estimate(facts, wanted).total();
    const Recommendation tight = ask(facts, wanted, machine(needed + 256 * kMiB - 20 * kMiB));
    QVERIFY(tight.verdict.fits);
    QVERIFY(tight.settings.batchTokens < 512);
}

void TestRecommendation::wishesAreKept() {
    LoadSettings wanted = open();
    wanted.contextTokens = 1000;
    wanted.threads = 3;
    const Recommendation advice = ask(test::madeUpFacts({}), wanted, machine(64 * kGiB));
    QCOMPARE(advice.settings.contextTokens, 1000u);
    QCOMPARE(advice.settings.threads, 3u);
    QCOMPARE(advice.contextReason, std::string("As asked for."));
}

void TestRecommendation::aDeviceTakesPart() {
    MemorySituation situation = machine(64 * kGiB);
    situation.devices = {{"vulkan", "card", "Card", false, 0, {{24 * kGiB, 24 * kGiB, true}}, 0}};
    const Recommendation advice = ask(test::madeUpFacts({}), open(), situation);
    QCOMPARE(advice.verdict.fit, Fit::Device);
    QCOMPARE(advice.settings.gpuLayers, 32u);
    QCOMPARE(advice.settings.device, std::string("vulkan"));
    QVERIFY(advice.backendReason.find("Card") != std::string::npos);
    // Nobody measured that device.
    QVERIFY(!advice.speed);
}

void TestRecommendation::speedsFollowTheCeilings() {
    const auto facts = test::madeUpFacts({});
    LoadSettings settings;
    settings.threads = 2;
    const ExpectedSpeed speed = expectedSpeed(facts, settings, kMachine);
    const double tokenBytes = static_cast<double>(facts.tokenBytes);
    QVERIFY(speed.firstTokensPerSecond > 40e9 * 0.3 / tokenBytes);
    QVERIFY(speed.firstTokensPerSecond < 40e9 / tokenBytes);
    QVERIFY(speed.promptTokensPerSecond < 900e9 / (2.0 * static_cast<double>(facts.products)));
    MachineSpeed twice = kMachine;
    twice.readBytes *= 2.0;
    QCOMPARE(expectedSpeed(facts, settings, twice).firstTokensPerSecond, 2.0 * speed.firstTokensPerSecond);
    // A small model is read from the caches.
    twice.workingSetBytes = 400e9;
    QVERIFY(expectedSpeed(facts, settings, twice).firstTokensPerSecond > 4.0 * speed.firstTokensPerSecond);
    QVERIFY(speed.basis.find("docs/performance.md") != std::string::npos);
    QVERIFY(speed.basis.find("upper bounds") == std::string::npos);
    auto narrow = facts;
    narrow.width = 512;
    QVERIFY(expectedSpeed(narrow, settings, kMachine).basis.find("upper bounds") != std::string::npos);
    // Nothing measured, nothing promised.
    QCOMPARE(expectedSpeed(facts, settings, {}).promptTokensPerSecond, 0.0);
}

QTEST_APPLESS_MAIN(TestRecommendation)
#include "tst_recommendation.moc"
