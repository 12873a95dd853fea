// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTest>
#include <random>

#include "core/app/models/memory_fit.h"
#include "core/app/models/saturating.h"
#include "tests/unit/app/models/made_up_facts.h"

using namespace loader;
using namespace loader::app;
using test::kMiB;

class TestEstimator : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void partsOfAMappedModel();
    void weightsThatAreReadIntoMemory();
    void theCacheGrowsWithContextAndSequences();
    void rowsBeyondTheContextAreNotTouched();
    void aSplitSharesTheModel();
    void aWholeModelOnADevice();
    void aTableThatEmbeddingAndHeadShare();
    void aBackEndWithoutAPlan();
    void longerWordListsTakeMore();
    void randomFactsNeverWrap();
};

void TestEstimator::partsOfAMappedModel() {
    const auto facts = test::madeUpFacts({});
    LoadSettings settings;
    settings.threads = 2;
    const MemoryEstimate result = estimate(facts, settings);
    QCOMPARE(result.processor.weights, facts.fileBytes);
    QCOMPARE(result.mapped, facts.fileBytes);
    QCOMPARE(result.processor.kv, 32ull * 8 * 2 * 128 * 2 * 4096);
    QCOMPARE(result.processor.compute, kMiB + 512 * 200 * 1024 + 2 * 700 * 1024);
    QCOMPARE(result.processor.output, 32000ull * 4);
    QVERIFY(result.processor.worker > facts.headerBytes);
    QVERIFY(result.processor.worker < 64 * kMiB);
    QCOMPARE(result.device.total(), 0ull);
    QCOMPARE(result.total(), result.processor.total());
    QCOMPARE(result.ownBytes(), result.total() - facts.fileBytes);
}

void TestEstimator::weightsThatAreReadIntoMemory() {
    auto facts = test::madeUpFacts({});
    LoadSettings settings;
    settings.useMmap = false;
    QCOMPARE(estimate(facts, settings).processor.weights, facts.weightBytes);
    QCOMPARE(estimate(facts, settings).mapped, 0ull);
    settings.useMmap = true;
    facts.foreignByteOrder = true;
    QCOMPARE(estimate(facts, settings).processor.weights, facts.weightBytes);
    QCOMPARE(estimate(facts, settings).mapped, 0ull);
}

void TestEstimator::theCacheGrowsWithContextAndSequences() {
    const auto facts = test::madeUpFacts({});
    LoadSettings settings;
    const std::uint64_t once = estimate(facts, settings).processor.kv;
    settings.contextTokens *= 2;
    QCOMPARE(estimate(facts, settings).processor.kv, 2 * once);
    settings.sequences = 3;
    QCOMPARE(estimate(facts, settings).processor.kv, 6 * once);
    settings.kv = graph::KvType::Q8_0;
    QCOMPARE(estimate(facts, settings).processor.kv, 6 * once / 64 * 34);
}

void TestEstimator::rowsBeyondTheContextAreNotTouched() {
    const auto facts = test::madeUpFacts({});
    LoadSettings settings;
    settings.contextTokens = 64;
    QCOMPARE(estimate(facts, settings).processor.compute, kMiB + 64 * 200 * 1024 + 700 * 1024);
}

void TestEstimator::aSplitSharesTheModel() {
    const auto facts = test::madeUpFacts({});
    LoadSettings settings;
    settings.useMmap = false;
    settings.device = "vulkan";
    const MemoryEstimate whole = estimate(facts, settings);
    for (std::uint32_t layers = 1; layers < 32; ++layers) {
        settings.gpuLayers = layers;
        const MemoryEstimate split = estimate(facts, settings);
        QCOMPARE(split.gpuLayers, layers);
        QCOMPARE(split.processor.weights + split.device.weights, whole.processor.weights);
        QCOMPARE(split.processor.kv + split.device.kv, whole.processor.kv);
        QCOMPARE(split.device.weights, layers * 100 * kMiB + facts.headBytes);
        QCOMPARE(split.device.output, 32000ull * 4);
        QCOMPARE(split.processor.output, 0ull);
        // Both sides have buffers of their own.
        QVERIFY(split.device.compute > 0 && split.processor.compute > 0);
    }
}

void TestEstimator::aWholeModelOnADevice() {
    const auto facts = test::madeUpFacts({});
    LoadSettings settings;
    settings.device = "vulkan";
    for (const std::uint32_t layers : {32u, 33u, 0xFFFFFFFFu}) {
        settings.gpuLayers = layers;
        const MemoryEstimate result = estimate(facts, settings);
        QCOMPARE(result.gpuLayers, 32u);
        QCOMPARE(result.device.weights, facts.weightBytes);
        QCOMPARE(result.device.output, 32000ull * 4);
        QCOMPARE(result.processor.total(), result.processor.worker);
    }
}

void TestEstimator::aTableThatEmbeddingAndHeadShare() {
    auto facts = test::madeUpFacts({});
    facts.sharedBytes = facts.headBytes;
    LoadSettings settings;
    settings.useMmap = false;
    const std::uint64_t layers = 32 * 100 * kMiB;
    QCOMPARE(estimate(facts, settings).processor.weights, layers + facts.embeddingBytes);
    // Divided, both sides need it.
    settings.gpuLayers = 1;
    QCOMPARE(estimate(facts, settings).parts().weights, layers + facts.embeddingBytes + facts.headBytes);
}

void TestEstimator::aBackEndWithoutAPlan() {
    auto facts = test::madeUpFacts({});
    facts.plans.clear();
    facts.activationFloats = 50000;
    const MemoryEstimate result = estimate(facts, {});
    QCOMPARE(result.processor.compute, 50000ull * 4 * 512);
    QCOMPARE(result.processor.kv, 32ull * 8 * 2 * 128 * 2 * 4096);
    QCOMPARE(result.processor.output, 32000ull * 4);
}

void TestEstimator::longerWordListsTakeMore() {
    auto facts = test::madeUpFacts({});
    facts.words.tokens = 0;
    const std::uint64_t none = estimate(facts, {}).processor.worker;
    facts.words = {"gpt2", 128000, 1000000, 280000, false};
    const std::uint64_t many = estimate(facts, {}).processor.worker;
    QVERIFY(many > none + 10 * kMiB);
    QVERIFY(many < none + 40 * kMiB);
}

namespace {

/// Numbers of every size, the greatest included.
class Numbers {
public:
    std::uint64_t any() { return m_source() >> (m_source() % 64); }
    std::uint32_t any32() { return static_cast<std::uint32_t>(m_source() >> (32 + m_source() % 32)); }
    std::size_t upTo(std::size_t most) { return m_source() % (most + 1); }
    bool coin() { return m_source() % 2 != 0; }

private:
    std::mt19937_64 m_source{20261121};
};

protocol::ModelFacts randomFacts(Numbers& numbers) {
    protocol::ModelFacts facts;
    facts.fileBytes = numbers.any();
    facts.headerBytes = numbers.any();
    facts.tensors = numbers.any32();
    facts.foreignByteOrder = numbers.coin();
    facts.vocabulary = numbers.any32();
    facts.weightBytes = numbers.any();
    facts.embeddingBytes = numbers.any();
    facts.headBytes = numbers.any();
    facts.sharedBytes = numbers.any();
    facts.activationFloats = numbers.any();
    facts.words = {"llama", numbers.any(), numbers.any(), numbers.any(), numbers.coin()};
    facts.layers.resize(numbers.upTo(5));
    for (auto& layer : facts.layers)
        layer = {numbers.any(), numbers.any(), numbers.any(), numbers.any()};
    facts.kv.resize(numbers.upTo(5));
    for (auto& kv : facts.kv)
        kv = {numbers.any32(), numbers.any32(), numbers.any32(), numbers.any32(), numbers.any32()};
    facts.plans.resize(numbers.upTo(2));
    for (auto& plan : facts.plans) {
        plan.backend = numbers.coin() ? "cpu" : "vulkan";
        plan.fixedBytes = numbers.any();
        plan.itemBytes = numbers.any();
        plan.threadBytes = numbers.any();
        plan.limitedBytes = numbers.any();
        plan.limitBytes = numbers.any();
        plan.outputBytes = numbers.any();
        plan.kvBytes.resize(numbers.upTo(3));
        for (auto& bytes : plan.kvBytes)
            bytes = numbers.any();
    }
    return facts;
}

LoadSettings randomSettings(Numbers& numbers) {
    LoadSettings settings;
    settings.contextTokens = numbers.any32();
    settings.batchTokens = numbers.any32();
    settings.threads = numbers.any32();
    settings.sequences = numbers.any32();
    settings.kv = static_cast<graph::KvType>(numbers.upTo(2));
    settings.useMmap = numbers.coin();
    settings.gpuLayers = numbers.coin() ? static_cast<std::uint32_t>(numbers.upTo(6)) : numbers.any32();
    settings.device = "vulkan";
    return settings;
}

/// No sum is less than what it is the sum of, as it would be had it wrapped.
bool addsUp(const MemoryParts& parts) {
    const std::uint64_t total = parts.total();
    return total >= parts.weights && total >= parts.kv && total >= parts.compute && total >= parts.output &&
           total >= parts.worker;
}

}  // namespace

void TestEstimator::randomFactsNeverWrap() {
    constexpr int kCases = 1'000'000;
    Numbers numbers;
    std::uint64_t countless = 0;
    for (int i = 0; i < kCases; ++i) {
        const protocol::ModelFacts facts = randomFacts(numbers);
        LoadSettings settings = randomSettings(numbers);
        const MemoryEstimate one = estimate(facts, settings);
        settings.contextTokens |= settings.contextTokens << 1;
        settings.batchTokens |= 1;
        const MemoryEstimate larger = estimate(facts, settings);
        const bool fine = addsUp(one.processor) && addsUp(one.device) && addsUp(one.parts()) &&
                          one.total() >= one.processor.total() && one.total() >= one.device.total() &&
                          one.ownBytes() <= one.processor.total() && one.mapped <= one.processor.weights &&
                          one.gpuLayers <= facts.layers.size() && larger.total() >= one.total() &&
                          one.processor.worker > 0;
        if (!fine) QFAIL(qPrintable(QString("case %1").arg(i)));
        countless += one.total() == kCountless ? 1 : 0;
        // What cannot be counted fits nowhere, and nothing fits that is larger than all there is.
        MemorySituation situation;
        situation.availableBytes = numbers.any();
        situation.devices.push_back(
            {"vulkan", "", "", numbers.coin(), 0, {{numbers.any(), numbers.any(), true}}, 0});
        const bool ok = fits(one, situation, &situation.devices[0], {});
        if (ok && one.processor.total() > *situation.availableBytes)
            QFAIL(qPrintable(QString("fits %1").arg(i)));
    }
    // The cases reach both ends.
    QVERIFY(countless > kCases / 100 && countless < kCases / 100 * 99);
}

QTEST_APPLESS_MAIN(TestEstimator)
#include "tst_estimator.moc"
