// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// After the first tokens a sampler asks for no memory. This program counts every allocation.

#include <QTest>
#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include "core/engine/sampling/sampler.h"

namespace {

std::atomic<long> g_allocations{0};

}  // namespace

void* operator new(std::size_t size) {
    ++g_allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

using namespace loader;
using namespace loader::sampling;

class TestSamplerSteady : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void noAllocationPerToken_data();
    void noAllocationPerToken();
};

void TestSamplerSteady::noAllocationPerToken_data() {
    QTest::addColumn<int>("kind");
    QTest::newRow("usual chain") << 0;
    QTest::newRow("penalties and DRY") << 1;
    QTest::newRow("no top-k: typical, top-p, XTC") << 2;
    QTest::newRow("mirostat 1") << 3;
    QTest::newRow("greedy") << 4;
}

void TestSamplerSteady::noAllocationPerToken() {
    QFETCH(int, kind);
    constexpr std::uint32_t kVocabulary = 20000;
    SamplingParameters parameters;
    parameters.logitBias = {{5, 1.0F}};
    if (kind == 1) {
        parameters.repeatPenalty = 1.1F;
        parameters.dryMultiplier = 0.8F;
        parameters.dryPenaltyLastN = 256;
    }
    if (kind == 2) {
        parameters.topK = 0;
        parameters.typicalP = 0.9F;
        parameters.xtcProbability = 0.5F;
    }
    if (kind == 3) parameters.mirostat = Mirostat::V1;
    if (kind == 4) parameters.temperature = 0.0F;
    Result<Sampler> sampler = Sampler::create(parameters, kVocabulary);
    std::mt19937 random(2);
    std::normal_distribution<float> normal(0.0F, 3.0F);
    std::vector<float> logits(kVocabulary);
    for (float& logit : logits)
        logit = normal(random);
    std::vector<TokenId> history;
    history.reserve(700);
    for (int i = 0; i < 600; ++i)
        history.push_back(static_cast<TokenId>(random() % 50));

    long counted = 0;
    bool good = true;
    for (int token = 0; token < 60; ++token) {
        const long before = g_allocations;
        const Result<Choice> choice = sampler->sample(logits, history, 0, history.size());
        // The first tokens grow the buffers to their size.
        if (token >= 20) counted += g_allocations - before;
        good = good && choice.ok();
        if (choice.ok()) history.push_back(choice->id);
    }
    QVERIFY(good);
    QCOMPARE(counted, 0L);
}

QTEST_GUILESS_MAIN(TestSamplerSteady)
#include "tst_sampler_steady.moc"
