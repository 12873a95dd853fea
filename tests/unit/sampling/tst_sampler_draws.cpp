// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the sampler draws: exact distributions, determinism by place, mirostat, odd logits, and no full sort.

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "core/engine/base/random.h"
#include "core/engine/sampling/chain.h"
#include "core/engine/sampling/sampler.h"

using namespace loader;
using namespace loader::sampling;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingParameters plain() {
    SamplingParameters parameters;
    parameters.temperature = 1.0F;
    parameters.topK = 0;
    parameters.topP = 1.0F;
    parameters.minP = 0.0F;
    return parameters;
}

SamplingParameters greedy() {
    SamplingParameters parameters;
    parameters.temperature = 0.0F;
    return parameters;
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature) {
    const double most = *std::max_element(logits.begin(), logits.end());
    std::vector<double> result;
    result.reserve(logits.size());
    for (const float logit : logits)
        result.push_back(std::exp((logit - most) / temperature));
    const double sum = std::accumulate(result.begin(), result.end(), 0.0);
    for (double& value : result)
        value /= sum;
    return result;
}

/// Four standard deviations above the mean of the chi-square distribution.
bool fits(const std::vector<int>& counts, const std::vector<double>& probabilities, int draws) {
    double chiSquare = 0.0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double expected = probabilities[i] * draws;
        chiSquare += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    const auto freedom = static_cast<double>(counts.size() - 1);
    return chiSquare < freedom + 4.0 * std::sqrt(2.0 * freedom);
}

std::vector<float> zipf(std::size_t count, double exponent) {
    std::vector<float> logits(count);
    for (std::size_t i = 0; i < count; ++i)
        logits[i] = static_cast<float>(-exponent * std::log(static_cast<double>(i + 1)));
    std::shuffle(logits.begin(), logits.end(), std::mt19937(5));
    return logits;
}

}  // namespace

class TestSamplerDraws : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void philoxGivesThePublishedNumbers();
    void drawsFollowTheSoftmax_data();
    void drawsFollowTheSoftmax();
    void largeVocabulariesFollowTheSoftmax();
    void drawsAreAFunctionOfTheirPlace();
    void oddLogitsGiveAValidTokenOrAnError();
    void zeroTemperatureTakesTheLowestOfEquals();
    void tinyTemperatureStillTellsLogitsApart();
    void mirostatReachesItsTarget_data();
    void mirostatReachesItsTarget();
    void mirostatGoesOnFromItsState();
    void selectionIsLinearAndNoSort();
    void topKLooksAtFewCandidates();
    void candidatesAreWantedOnlyWhereTheyAreEnough();
    void wrongInputIsRefused();
};

void TestSamplerDraws::philoxGivesThePublishedNumbers() {
    // Known-answer vectors of the authors' Random123 library.
    using Block = std::array<std::uint32_t, 4>;
    QCOMPARE(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    QCOMPARE(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
             (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    QCOMPARE(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
             (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

void TestSamplerDraws::drawsFollowTheSoftmax_data() {
    QTest::addColumn<double>("temperature");
    QTest::addColumn<int>("topK");
    QTest::newRow("all, as they are") << 1.0 << 0;
    QTest::newRow("all, hot") << 2.5 << 0;
    QTest::newRow("top 5, cool") << 0.6 << 5;
}

void TestSamplerDraws::drawsFollowTheSoftmax() {
    QFETCH(double, temperature);
    QFETCH(int, topK);
    constexpr int kDraws = 200000;
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.0F, 1.0F);
    std::vector<float> logits(50);
    for (float& logit : logits)
        logit = normal(random);
    SamplingParameters parameters = plain();
    parameters.temperature = static_cast<float>(temperature);
    parameters.topK = static_cast<std::uint32_t>(topK);
    parameters.seed = 99;
    Result<Sampler> sampler = Sampler::create(parameters, 50);
    std::vector<int> counts(50);
    for (int i = 0; i < kDraws; ++i)
        ++counts[static_cast<std::size_t>(sampler->sample(logits, {}, 0, static_cast<std::uint64_t>(i))->id)];
    if (topK != 0) {
        std::vector<std::size_t> order(50);
        std::iota(order.begin(), order.end(), 0U);
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
        std::vector<float> left;
        std::vector<int> leftCounts;
        for (int i = 0; i < topK; ++i) {
            left.push_back(logits[order[static_cast<std::size_t>(i)]]);
            leftCounts.push_back(counts[order[static_cast<std::size_t>(i)]]);
        }
        QCOMPARE(std::accumulate(leftCounts.begin(), leftCounts.end(), 0), kDraws);
        logits = left;
        counts = leftCounts;
    }
    QVERIFY(fits(counts, softmax(logits, sampler->parameters().temperature), kDraws));
}

void TestSamplerDraws::largeVocabulariesFollowTheSoftmax() {
    constexpr int kDraws = 20000;
    const std::vector<float> logits = zipf(3000, 0.8);
    const std::vector<double> exact = softmax(logits, 1.0);
    std::vector<double> probabilities(30);
    for (std::size_t i = 0; i < exact.size(); ++i)
        probabilities[i % 30] += exact[i];
    Result<Sampler> sampler = Sampler::create(plain(), 3000);
    std::vector<int> counts(30);
    for (int i = 0; i < kDraws; ++i)
        ++counts[static_cast<std::size_t>(sampler->sample(logits, {}, 7, static_cast<std::uint64_t>(i))->id) %
                 30];
    QVERIFY(fits(counts, probabilities, kDraws));
}

void TestSamplerDraws::drawsAreAFunctionOfTheirPlace() {
    const std::vector<float> logits = zipf(1000, 0.5);
    const auto trace = [&logits](std::uint64_t seed, std::uint32_t sequence, std::uint64_t first) {
        SamplingParameters parameters = plain();
        parameters.seed = seed;
        Result<Sampler> sampler = Sampler::create(parameters, 1000);
        std::vector<TokenId> ids;
        for (std::uint64_t position = first; position < 40; ++position)
            ids.push_back(sampler->sample(logits, {}, sequence, position)->id);
        return ids;
    };
    const std::vector<TokenId> whole = trace(1, 0, 0);
    const std::vector<TokenId> tail = trace(1, 0, 25);
    QVERIFY(std::equal(tail.begin(), tail.end(), whole.begin() + 25));
    QCOMPARE(trace(1, 0, 0), whole);
    QVERIFY(trace(2, 0, 0) != whole);
    QVERIFY(trace(1, 1, 0) != whole);
    QVERIFY(trace(1ULL << 32U, 0, 0) != trace(0, 0, 0));
    QVERIFY(uniformAt(1, 0, 1ULL << 32U, 0) != uniformAt(1, 0, 0, 0));
}

void TestSamplerDraws::oddLogitsGiveAValidTokenOrAnError() {
    for (const float temperature : {0.0F, 0.7F}) {
        SamplingParameters parameters;
        parameters.temperature = temperature;
        for (const Mirostat mirostat : {Mirostat::Off, Mirostat::V1, Mirostat::V2}) {
            parameters.mirostat = mirostat;
            Result<Sampler> sampler = Sampler::create(parameters, 4);
            const auto pick = [&sampler](std::vector<float> logits) {
                return sampler->sample(logits, {}, 0, 3);
            };
            QCOMPARE(pick({kNan, 1.0F, kNan, -kInfinity})->id, 1);
            QCOMPARE(pick({0.0F, kInfinity, 5.0F, 3e38F})->id, 1);
            QCOMPARE(pick({-kInfinity, -3e38F, kNan, -kInfinity})->id, 1);
            const Result<Choice> none = pick({kNan, -kInfinity, kNan, -kInfinity});
            QVERIFY(!none.ok() && none.error().code() == Errc::M132);
            const TokenId shared = pick({kInfinity, 1.0F, kInfinity, 0.0F})->id;
            QVERIFY(shared == 0 || shared == 2);
            QVERIFY(pick({0.0F, -0.0F, 0.0F, -0.0F}).ok());
            QVERIFY(pick({3e38F, -3e38F, 3e38F, -3e38F}).ok());
        }
        Result<Sampler> single = Sampler::create(parameters, 1);
        QCOMPARE(single->sample(std::vector<float>{-5.0F}, {}, 0, 0)->id, 0);
    }
    // A bias of -infinity forbids even what the model insists on.
    SamplingParameters parameters;
    parameters.logitBias = {{0, -kInfinity}};
    Result<Sampler> sampler = Sampler::create(parameters, 2);
    QCOMPARE(sampler->sample(std::vector<float>{kInfinity, 0.0F}, {}, 0, 0)->id, 1);
}

void TestSamplerDraws::zeroTemperatureTakesTheLowestOfEquals() {
    Result<Sampler> sampler = Sampler::create(greedy(), 5000);
    std::vector<float> logits(5000, 2.0F);
    QCOMPARE(sampler->sample(logits, {}, 0, 0)->id, 0);
    logits[0] = logits[1] = 1.0F;
    QCOMPARE(sampler->sample(logits, {}, 0, 0)->id, 2);
    logits[4999] = 2.5F;
    QCOMPARE(sampler->sample(logits, {}, 0, 0)->id, 4999);
    // 0 and -0 are equal.
    QCOMPARE(Sampler::create(greedy(), 2)->sample(std::vector<float>{-0.0F, 0.0F}, {}, 0, 0)->id, 0);
    // Ascending logits push every token into the buffer of the scan.
    std::iota(logits.begin(), logits.end(), 0.0F);
    QCOMPARE(sampler->sample(logits, {}, 0, 0)->id, 4999);
}

void TestSamplerDraws::tinyTemperatureStillTellsLogitsApart() {
    SamplingParameters parameters = plain();
    parameters.temperature = std::numeric_limits<float>::denorm_min();
    Result<Sampler> sampler = Sampler::create(parameters, 3);
    for (std::uint64_t position = 0; position < 50; ++position)
        QCOMPARE(sampler->sample(std::vector<float>{1e30F, 3e38F, 2e38F}, {}, 0, position)->id, 1);
}

void TestSamplerDraws::mirostatReachesItsTarget_data() {
    QTest::addColumn<int>("version");
    QTest::addColumn<double>("tau");
    QTest::newRow("version 1, 3 bits") << 1 << 3.0;
    QTest::newRow("version 1, 5 bits") << 1 << 5.0;
    QTest::newRow("version 2, 3 bits") << 2 << 3.0;
    QTest::newRow("version 2, 5 bits") << 2 << 5.0;
}

void TestSamplerDraws::mirostatReachesItsTarget() {
    QFETCH(int, version);
    QFETCH(double, tau);
    const std::vector<float> logits = zipf(5000, 1.1);
    const std::vector<double> exact = softmax(logits, 1.0);
    SamplingParameters parameters = plain();
    parameters.mirostat = static_cast<Mirostat>(version);
    parameters.mirostatTau = static_cast<float>(tau);
    Result<Sampler> sampler = Sampler::create(parameters, 5000);
    QVERIFY(sampler->needsAllLogits());
    double surprise = 0.0;
    constexpr int kSteps = 2500;
    constexpr int kWarmUp = 500;
    for (int i = 0; i < kSteps; ++i) {
        const TokenId id = sampler->sample(logits, {}, 0, static_cast<std::uint64_t>(i))->id;
        if (i >= kWarmUp) surprise -= std::log2(exact[static_cast<std::size_t>(id)]);
    }
    surprise /= kSteps - kWarmUp;
    QVERIFY2(std::abs(surprise - tau) < 0.05, std::to_string(surprise).c_str());
}

void TestSamplerDraws::mirostatGoesOnFromItsState() {
    const std::vector<float> logits = zipf(2000, 1.0);
    SamplingParameters parameters = plain();
    parameters.mirostat = Mirostat::V2;
    Result<Sampler> first = Sampler::create(parameters, 2000);
    QVERIFY(std::isnan(first->save().mirostatMu));
    for (std::uint64_t position = 0; position < 30; ++position)
        QVERIFY(first->sample(logits, {}, 0, position).ok());
    Result<Sampler> second = Sampler::create(parameters, 2000);
    QVERIFY(second->restore(first->save()).ok());
    for (std::uint64_t position = 30; position < 60; ++position)
        QCOMPARE(second->sample(logits, {}, 0, position)->id, first->sample(logits, {}, 0, position)->id);
    QCOMPARE(first->save().mirostatMu, second->save().mirostatMu);
    const Status refused = second->restore({std::numeric_limits<double>::infinity()});
    QVERIFY(!refused.ok() && refused.error().code() == Errc::F807);
}

void TestSamplerDraws::selectionIsLinearAndNoSort() {
    // Comparisons per item at 152,064 items; a sort of as many random ones takes about 19.
    constexpr std::size_t kCount = 152064;
    const auto perItem = [](auto logitOf, double share) {
        std::vector<Item> items(kCount);
        double total = 0.0;
        for (std::size_t i = 0; i < kCount; ++i) {
            const double logit = logitOf(i);
            items[i] = {logit, std::exp(logit), static_cast<TokenId>(i)};
            total += items[i].weight;
        }
        std::size_t comparisons = 0;
        const auto counting = [&comparisons](const Item& a, const Item& b) {
            ++comparisons;
            return CanonicalLess{}(a, b);
        };
        const std::size_t count = smallestPrefix(std::span<Item>(items), share * total, false, counting);
        // The prefix is the right one: minimal, and greater than all the rest.
        double mass = 0.0;
        const Item* last = items.data();
        for (std::size_t i = 0; i < count; ++i) {
            mass += items[i].weight;
            if (CanonicalLess{}(*last, items[i])) last = &items[i];
        }
        bool right = mass >= share * total * (1 - 1e-12) && mass - last->weight < share * total;
        for (std::size_t i = count; i < kCount; ++i)
            right = right && CanonicalLess{}(*last, items[i]);
        return right ? static_cast<double>(comparisons) / kCount : 1e9;
    };
    std::mt19937 random(3);
    std::normal_distribution<double> normal(0.0, 3.0);
    const auto noisy = [&](std::size_t) { return normal(random); };
    const auto flat = [](std::size_t) { return 0.0; };
    const auto rising = [](std::size_t i) { return static_cast<double>(i) * 1e-4; };
    for (const double share : {0.1, 0.5, 0.95}) {
        QVERIFY2(perItem(noisy, share) < 12.0, std::to_string(perItem(noisy, share)).c_str());
        QVERIFY2(perItem(flat, share) < 12.0, std::to_string(perItem(flat, share)).c_str());
        QVERIFY2(perItem(rising, share) < 12.0, std::to_string(perItem(rising, share)).c_str());
    }
}

void TestSamplerDraws::topKLooksAtFewCandidates() {
    std::vector<float> logits = zipf(152064, 1.0);
    std::vector<Item> items;
    TopScan scan(items, 40);
    scan.offer(logits, 0);
    // The buffer never grows beyond its bound, however many tokens there are.
    QVERIFY(items.capacity() < 1024);
    scan.finish();
    QCOMPARE(items.size(), std::size_t{40});
    std::vector<float> sorted = logits;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (const Item& item : items)
        QVERIFY(item.logit >= sorted[39]);
}

void TestSamplerDraws::candidatesAreWantedOnlyWhereTheyAreEnough() {
    const auto wanted = [](auto change) {
        SamplingParameters parameters;
        change(parameters);
        return Sampler::create(parameters, 32000)->candidatesWanted();
    };
    QCOMPARE(wanted([](auto&) {}), 40U);
    QCOMPARE(wanted([](auto& p) { p.temperature = 0.0F; }), 1U);
    QCOMPARE(wanted([](auto& p) { p.presencePenalty = 0.5F; }), 40U);
    QCOMPARE(wanted([](auto& p) { p.dryMultiplier = 0.5F; }), 40U);
    QCOMPARE(wanted([](auto& p) { p.repeatPenalty = 1.1F; }), 104U);
    QCOMPARE(wanted([](auto& p) { p.repeatPenalty = 0.9F; }), 0U);
    QCOMPARE(wanted([](auto& p) { p.repeatPenalty = 1.1F, p.repeatLastN = -1; }), 0U);
    QCOMPARE(wanted([](auto& p) { p.topK = 0; }), 0U);
    QCOMPARE(wanted([](auto& p) { p.mirostat = Mirostat::V2; }), 0U);
    QCOMPARE(wanted([](auto& p) { p.order = {SamplerStage::TopP, SamplerStage::TopK}; }), 0U);
    QCOMPARE(wanted([](auto& p) { p.order = {SamplerStage::MinP, SamplerStage::TopK}; }), 40U);
}

void TestSamplerDraws::wrongInputIsRefused() {
    Result<Sampler> sampler = Sampler::create({}, 100);
    const Result<Choice> shortRow = sampler->sample(std::vector<float>(99), {}, 0, 0);
    QVERIFY(!shortRow.ok() && shortRow.error().code() == Errc::X003);
    std::vector<Candidate> candidates(40);
    candidates[3].id = 100;
    const Result<Choice> outside = sampler->sample(CandidateList{candidates}, {}, 0, 0);
    QVERIFY(!outside.ok() && outside.error().code() == Errc::T211);
}

QTEST_GUILESS_MAIN(TestSamplerDraws)
#include "tst_sampler_draws.moc"
