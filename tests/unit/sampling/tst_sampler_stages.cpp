// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Each stage of the sampler against a slow implementation, and against examples worked out by hand.

#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "core/engine/sampling/chain.h"
#include "core/engine/sampling/sampler.h"
#include "tests/unit/sampling/slow_sampler.h"

using namespace loader;
using namespace loader::sampling;
using loader::test::SlowSampler;

namespace {

constexpr std::uint32_t kVocabulary = 700;

/// Everything off: a test turns on what it is about.
SamplingParameters plain() {
    SamplingParameters parameters;
    parameters.temperature = 1.0F;
    parameters.topK = 0;
    parameters.topP = 1.0F;
    parameters.minP = 0.0F;
    return parameters;
}

std::vector<float> randomLogits(std::mt19937& random, std::size_t count) {
    std::normal_distribution<float> normal(0.0F, 3.0F);
    std::vector<float> logits(count);
    for (float& logit : logits)
        logit = normal(random);
    return logits;
}

std::vector<TokenId> randomHistory(std::mt19937& random, std::size_t count, int range) {
    std::vector<TokenId> history(count);
    for (TokenId& id : history)
        id = static_cast<TokenId>(random() % static_cast<unsigned>(range));
    return history;
}

SamplingParameters randomParameters(std::mt19937& random) {
    const auto uniform = [&random](float low, float high) {
        return std::uniform_real_distribution<float>(low, high)(random);
    };
    const auto often = [&random] { return random() % 3 == 0; };
    SamplingParameters p = plain();
    p.seed = random();
    p.temperature = uniform(0.3F, 2.0F);
    if (often()) p.topK = 1 + random() % 100;
    if (often()) p.topP = uniform(0.1F, 1.0F);
    if (often()) p.minP = uniform(0.001F, 0.5F);
    if (often()) p.typicalP = uniform(0.1F, 1.0F);
    if (often()) p.repeatPenalty = uniform(0.8F, 1.5F);
    if (often()) p.frequencyPenalty = uniform(-0.5F, 1.0F);
    if (often()) p.presencePenalty = uniform(-0.5F, 1.0F);
    if (often()) p.dryMultiplier = uniform(0.1F, 1.0F);
    p.dryAllowedLength = 1 + random() % 3;
    p.dryBreakerTokens = {3, 5};
    if (often()) p.xtcProbability = 0.5F;
    p.xtcThreshold = uniform(0.01F, 0.4F);
    p.minKeep = 1 + random() % 4;
    if (often()) p.logitBias = {{7, 2.5F}, {1, -std::numeric_limits<float>::infinity()}, {300, -1.0F}};
    if (often()) p.repeatLastN = static_cast<std::int32_t>(random() % 40) - 1;
    std::shuffle(p.order.begin(), p.order.end(), random);
    return p;
}

std::vector<Item> sorted(std::span<const Item> items) {
    std::vector<Item> result(items.begin(), items.end());
    std::sort(result.begin(), result.end(), CanonicalLess{});
    return result;
}

double overlayOf(const Chain& chain, TokenId id) {
    for (const Item& item : chain.overlay()) {
        if (item.id == id) return item.logit;
    }
    return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

class TestSamplerStages : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyStageEqualsTheSlowOne_data();
    void everyStageEqualsTheSlowOne();
    void wholeChainsInAnyOrderEqualTheSlowOne();
    void orderMatters();
    void penaltiesByHand();
    void dryByHand();
    void xtcByHand();
    void typicalLeavesTheObviousOut();
    void parametersOutOfRangeAreNamed();
    void namesDeriveFromOneList();
    void breakersAreFoundInTokenTexts();
};

void TestSamplerStages::everyStageEqualsTheSlowOne_data() {
    QTest::addColumn<int>("stage");
    for (const SamplerStage stage : defaultOrder())
        QTest::newRow(std::string(stageName(stage)).c_str()) << static_cast<int>(stage);
}

void TestSamplerStages::everyStageEqualsTheSlowOne() {
    QFETCH(int, stage);
    const auto which = static_cast<SamplerStage>(stage);
    std::mt19937 random(17);
    int active = 0;
    for (int round = 0; round < 300; ++round) {
        const SamplingParameters parameters = randomParameters(random);
        const std::vector<float> logits = randomLogits(random, kVocabulary);
        const std::vector<TokenId> history = randomHistory(random, 60, 8);
        Chain chain(parameters, kVocabulary);
        if (!chain.active(which)) continue;
        ++active;
        chain.startDense(logits);
        QVERIFY(chain.apply(which, history, {2, 9}).ok());
        chain.keepGreatest(kVocabulary);  // lists what is still dense
        SlowSampler slow{parameters, {}};
        slow.start(logits);
        slow.stage(which, history, 2, 9);
        const std::vector<Item> items = sorted(chain.items());
        QCOMPARE(items.size(), slow.entries.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
            QCOMPARE(items[i].id, slow.entries[i].id);
            QVERIFY(std::abs(items[i].logit - slow.entries[i].logit) < 1e-9);
        }
    }
    QVERIFY(active > 50);
}

void TestSamplerStages::wholeChainsInAnyOrderEqualTheSlowOne() {
    std::mt19937 random(4711);
    int listed = 0;
    for (int round = 0; round < 1500; ++round) {
        const SamplingParameters parameters = randomParameters(random);
        const std::vector<float> logits = randomLogits(random, kVocabulary);
        const std::vector<TokenId> history = randomHistory(random, 50, 8);
        Result<Sampler> sampler = Sampler::create(parameters, kVocabulary);
        QVERIFY(sampler.ok());
        const Result<Choice> choice = sampler->sample(logits, history, 1, 50);
        QVERIFY(choice.ok());
        SlowSampler slow{parameters, {}};
        slow.start(logits);
        for (const SamplerStage stage : parameters.order)
            slow.stage(stage, history, 1, 50);
        QCOMPARE(choice->survivors, static_cast<std::uint32_t>(slow.entries.size()));
        QCOMPARE(choice->id, slow.pick(1, 50));
        if (sampler->needsAllLogits()) continue;

        // The same from what a back end would deliver.
        ++listed;
        std::vector<Candidate> candidates;
        for (std::size_t i = 0; i < logits.size(); ++i)
            candidates.push_back({static_cast<TokenId>(i), logits[i]});
        const auto bias = sampler->sparseBias(history);
        QVERIFY(bias.ok());
        for (const TokenBias& entry : *bias)
            candidates[static_cast<std::size_t>(entry.id)].logit += entry.bias;
        std::sort(candidates.begin(), candidates.end(),
                  [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
        candidates.resize(sampler->candidatesWanted());
        std::shuffle(candidates.begin(), candidates.end(), random);
        const Result<Choice> fromList = sampler->sample(CandidateList{candidates, 1.0}, history, 1, 50);
        QVERIFY(fromList.ok());
        QCOMPARE(fromList->id, choice->id);
        QCOMPARE(fromList->survivors, choice->survivors);
        QVERIFY(std::abs(fromList->probability - choice->probability) < 1e-5);
        QVERIFY(std::isfinite(fromList->logProbability));
        candidates.pop_back();
        QVERIFY(!sampler->sample(CandidateList{candidates, 1.0}, history, 1, 50).ok());
    }
    QVERIFY2(listed > 50, std::to_string(listed).c_str());
}

void TestSamplerStages::orderMatters() {
    SamplingParameters parameters = plain();
    parameters.temperature = 4.0F;
    parameters.topP = 0.6F;
    const std::vector<float> logits = {2.0F, 1.0F, 0.0F, -1.0F};
    parameters.order = {SamplerStage::TopP, SamplerStage::Temperature};
    Result<Sampler> cutFirst = Sampler::create(parameters, 4);
    parameters.order = {SamplerStage::Temperature, SamplerStage::TopP};
    Result<Sampler> heatFirst = Sampler::create(parameters, 4);
    // Softmax of the logits begins 0.644; of a quarter of them 0.364, 0.284: one token against two.
    QCOMPARE(cutFirst->sample(logits, {}, 0, 0)->survivors, 1U);
    QCOMPARE(heatFirst->sample(logits, {}, 0, 0)->survivors, 2U);
}

void TestSamplerStages::penaltiesByHand() {
    SamplingParameters parameters = plain();
    parameters.repeatPenalty = 2.0F;
    parameters.frequencyPenalty = 0.5F;
    parameters.presencePenalty = 0.25F;
    parameters.repeatLastN = 4;
    Chain chain(parameters, 5);
    const std::vector<float> logits = {3.0F, -1.0F, 4.0F, 0.0F, 8.0F};
    chain.startDense(logits);
    const std::vector<TokenId> history = {4, 0, 0, 1, 3};  // the window leaves out token 4
    QVERIFY(chain.apply(SamplerStage::Penalties, history, {}).ok());
    QCOMPARE(overlayOf(chain, 0), 3.0 / 2.0 - 2 * 0.5 - 0.25);
    QCOMPARE(overlayOf(chain, 1), -1.0 * 2.0 - 0.5 - 0.25);
    QCOMPARE(overlayOf(chain, 3), -0.75);
    QCOMPARE(chain.overlay().size(), std::size_t{3});
    const std::vector<TokenId> outside = {5};
    const Status failed = chain.apply(SamplerStage::Penalties, outside, {});
    QVERIFY(!failed.ok() && failed.error().code() == Errc::T211);
}

void TestSamplerStages::dryByHand() {
    SamplingParameters parameters = plain();
    parameters.dryMultiplier = 0.5F;
    parameters.dryBase = 2.0F;
    parameters.dryAllowedLength = 2;
    parameters.topK = 1;
    const auto biasOf = [&parameters](std::vector<TokenId> history, TokenId id) {
        Result<Sampler> sampler = Sampler::create(parameters, 20);
        float bias = 0.0F;
        const auto sparse = sampler->sparseBias(history);
        for (const TokenBias& entry : *sparse) {
            if (entry.id == id) bias = entry.bias;
        }
        return bias;
    };
    // "1 2 3" came before and was followed by 4: a repetition of three tokens, one above what is allowed.
    QCOMPARE(biasOf({1, 2, 3, 4, 9, 1, 2, 3}, 4), -1.0F);
    // Two tokens are the first that cost: multiplier * base^0.
    QCOMPARE(biasOf({1, 2, 4, 9, 1, 2}, 4), -0.5F);
    QCOMPARE(biasOf({1, 4, 9, 1}, 4), 0.0F);
    // Of two earlier copies the longer one counts.
    QCOMPARE(biasOf({2, 3, 4, 1, 2, 3, 4, 9, 1, 2, 3}, 4), -1.0F);
    // A repetition may overlap itself: 7 7 7 7 repeats three tokens.
    QCOMPARE(biasOf({7, 7, 7, 7}, 7), -1.0F);
    // No repetition reaches across a breaker, and a breaker is not punished itself.
    parameters.dryBreakerTokens = {2};
    QCOMPARE(biasOf({1, 2, 3, 4, 9, 1, 2, 3}, 4), 0.0F);
    parameters.dryBreakerTokens = {4};
    QCOMPARE(biasOf({1, 2, 3, 4, 9, 1, 2, 3}, 4), 0.0F);
    // What lies before the window is not seen.
    parameters.dryBreakerTokens = {};
    parameters.dryPenaltyLastN = 7;
    QCOMPARE(biasOf({1, 2, 3, 4, 9, 1, 2, 3}, 4), -0.5F);
    // A very long repetition stays a finite number.
    parameters.dryPenaltyLastN = -1;
    parameters.dryBase = 100.0F;
    QVERIFY(std::isfinite(biasOf(std::vector<TokenId>(500, 7), 7)));
}

void TestSamplerStages::xtcByHand() {
    SamplingParameters parameters = plain();
    parameters.xtcProbability = 1.0F;
    parameters.xtcThreshold = 0.15F;
    Chain chain(parameters, 4);
    const std::vector<float> logits = {std::log(0.1F), std::log(0.4F), std::log(0.2F), std::log(0.3F)};
    chain.startDense(logits);
    QVERIFY(chain.apply(SamplerStage::Xtc, {}, {}).ok());
    // 0.4 and 0.3 go; 0.2 is the least likely that is viable; 0.1 was never viable and stays.
    const std::vector<Item> items = sorted(chain.items());
    QCOMPARE(items.size(), std::size_t{2});
    QCOMPARE(items[0].id, 2);
    QCOMPARE(items[1].id, 0);

    // It strikes with the given probability.
    parameters.xtcProbability = 0.3F;
    Result<Sampler> sampler = Sampler::create(parameters, 4);
    int struck = 0;
    for (std::uint64_t position = 0; position < 20000; ++position)
        struck += sampler->sample(logits, {}, 0, position)->survivors == 2U ? 1 : 0;
    QVERIFY(std::abs(struck - 6000) < 4 * 65);  // four standard deviations
}

void TestSamplerStages::typicalLeavesTheObviousOut() {
    // Entropy of (0.5, then 50 of 0.01) is 2.65 nats; 0.01 has 4.6, 0.5 has 0.69: distance 1.95 each way, and
    // the small ones are nearer by 0.0 only if the entropy is above 2.65. Meister et al., figure 1, is of
    // this shape.
    SamplingParameters parameters = plain();
    parameters.typicalP = 0.3F;
    std::vector<float> logits(61, std::log(0.4F / 60.0F));
    logits[0] = std::log(0.6F);
    Chain chain(parameters, 61);
    chain.startDense(logits);
    QVERIFY(chain.apply(SamplerStage::Typical, {}, {}).ok());
    // Here the entropy is 2.31: the likely token (0.51) is 1.80 away, the rest (5.01) 2.70.
    QCOMPARE(chain.items().size(), std::size_t{1});
    QCOMPARE(chain.items()[0].id, 0);
    logits[0] = std::log(0.2F);
    for (std::size_t i = 1; i < logits.size(); ++i)
        logits[i] = std::log(0.8F / 60.0F);
    chain.startDense(logits);
    QVERIFY(chain.apply(SamplerStage::Typical, {}, {}).ok());
    // Entropy 3.78: the likely token (1.61) is 2.17 away, the rest (4.32) 0.54: the obvious one is left out.
    QVERIFY(std::none_of(chain.items().begin(), chain.items().end(),
                         [](const Item& item) { return item.id == 0; }));
    QCOMPARE(chain.items().size(), std::size_t{23});  // 0.3 / (0.8 / 60) = 22.5
}

void TestSamplerStages::parametersOutOfRangeAreNamed() {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto refused = [](auto change, const char* field) {
        SamplingParameters parameters;
        change(parameters);
        const Status status = parameters.validate();
        return !status.ok() && status.error().code() == Errc::X006 && status.error().args()[0] == field;
    };
    QVERIFY(SamplingParameters{}.validate().ok());
    QVERIFY(refused([nan](auto& p) { p.temperature = nan; }, "temperature"));
    QVERIFY(refused([](auto& p) { p.temperature = -0.1F; }, "temperature"));
    QVERIFY(refused([](auto& p) { p.topP = 1.1F; }, "top_p"));
    QVERIFY(refused([](auto& p) { p.repeatPenalty = 0.0F; }, "repeat_penalty"));
    QVERIFY(refused([](auto& p) { p.repeatLastN = -2; }, "repeat_last_n"));
    QVERIFY(refused([](auto& p) { p.minKeep = 0; }, "min_keep"));
    QVERIFY(refused([](auto& p) { p.order.push_back(SamplerStage::TopK); }, "order"));
    QVERIFY(refused([nan](auto& p) { p.logitBias = {{1, nan}}; }, "logit_bias"));
    QVERIFY(refused([](auto& p) { p.logitBias = {{1, 0.0F}, {1, 1.0F}}; }, "logit_bias"));
    SamplingParameters outside;
    outside.logitBias = {{10, 1.0F}};
    QVERIFY(!Sampler::create(outside, 10).ok());
    QVERIFY(!Sampler::create({}, 0).ok());
}

void TestSamplerStages::namesDeriveFromOneList() {
    QCOMPARE(defaultOrder().size(), kStageCount);
    for (const SamplerStage stage : defaultOrder())
        QVERIFY(stageFromName(stageName(stage)) == stage);
    QVERIFY(!stageFromName("nonsense"));
    QVERIFY(stageFromName("top_k") == SamplerStage::TopK);
}

void TestSamplerStages::breakersAreFoundInTokenTexts() {
    const std::vector<std::string> texts = {"a", "\n", "x:y", " \n\n", "*", ""};
    const std::vector<std::string> breakers = {"\n", ":", ""};
    const std::vector<TokenId> ids = breakerTokens(breakers, 6, [&texts](TokenId id) -> std::string_view {
        return texts[static_cast<std::size_t>(id)];
    });
    QCOMPARE(ids, (std::vector<TokenId>{1, 2, 3}));
}

QTEST_GUILESS_MAIN(TestSamplerStages)
#include "tst_sampler_stages.moc"
