// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTest>

#include "core/host/recommended_sampling.h"

using namespace loader;

class TestRecommendedSampling : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void withoutKeysOurDefaultsStand();
    void keysOfTheFileReplaceDefaults();
    void impossibleValuesAreLeftOut();
};

void TestRecommendedSampling::withoutKeysOurDefaultsStand() {
    const sampling::SamplingParameters defaults;
    const auto parameters = host::recommendedSampling(gguf::Metadata());
    QCOMPARE(parameters.temperature, defaults.temperature);
    QCOMPARE(parameters.topK, defaults.topK);
}

void TestRecommendedSampling::keysOfTheFileReplaceDefaults() {
    gguf::Metadata metadata;
    metadata.set("general.sampling.temp", 0.25f);
    metadata.set("general.sampling.top_k", std::int32_t{7});
    metadata.set("general.sampling.penalty_last_n", std::int32_t{-1});
    const auto parameters = host::recommendedSampling(metadata);
    QCOMPARE(parameters.temperature, 0.25f);
    QCOMPARE(parameters.topK, 7u);
    QCOMPARE(parameters.repeatLastN, -1);
}

void TestRecommendedSampling::impossibleValuesAreLeftOut() {
    gguf::Metadata metadata;
    metadata.set("general.sampling.temp", std::numeric_limits<float>::quiet_NaN());
    metadata.set("general.sampling.top_p", 3.0f);
    metadata.set("general.sampling.top_k", std::int32_t{-5});
    metadata.setText("general.sampling.min_p", "much");
    const sampling::SamplingParameters defaults;
    const auto parameters = host::recommendedSampling(metadata);
    QCOMPARE(parameters.temperature, defaults.temperature);
    QCOMPARE(parameters.topP, defaults.topP);
    QCOMPARE(parameters.topK, defaults.topK);
    QCOMPARE(parameters.minP, defaults.minP);
}

QTEST_APPLESS_MAIN(TestRecommendedSampling)
#include "tst_recommended_sampling.moc"
