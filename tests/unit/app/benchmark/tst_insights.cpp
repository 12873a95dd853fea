// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the history says: trends, "slower since", what is used most, how often a back end failed; and that it
// does not cry wolf over noise.

#include <QTest>

#include "core/app/benchmark/insights.h"
#include "tests/unit/app/benchmark/sample_measurement.h"

using namespace loader;
using app::HistoryContent;
using app::Insights;
using app::Json;
using test::Noise;
using test::sampleMeasurement;
using test::sampleUse;

namespace {

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kStart = 1'790'000'000;

bool says(const Insights& insights, const std::string& id) {
    for (const app::Insight& insight : insights.sentences) {
        if (insight.id == id) return true;
    }
    return false;
}

}  // namespace

class TestInsights : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void nothing();
    void slowerSince();
    void noiseIsNoTrend();
    void shortAnswersDoNotCount();
    void settingsAreKeptApart();
    void mostUsed();
    void fallbacks();
    void regressionsOfBenchmarks();
    void asJson();
};

void TestInsights::nothing() {
    const Insights insights = app::insightsOf({}, {});
    QVERIFY(insights.trends.empty() && insights.models.empty() && insights.sentences.empty());
}

void TestInsights::slowerSince() {
    HistoryContent history;
    Noise noise(3);
    for (int day = 0; day < 30; ++day)
        history.uses.push_back(
            sampleUse((day < 20 ? 20.0 : 15.0) + 0.4 * noise.normal(), kStart + day * kDay));
    const Insights insights = app::insightsOf(history, {});
    QCOMPARE(insights.trends.size(), std::size_t{1});
    const app::UseTrend& trend = insights.trends.front();
    QVERIFY(trend.slowerSince.has_value());
    QCOMPARE((*trend.slowerSince - kStart) / kDay, std::int64_t{20});
    QVERIFY(std::fabs(trend.slowerPercent - 25.0) < 4.0);
    QVERIFY(std::fabs(trend.recentSpeed - 15.0) < 1.0);
    QVERIFY(says(insights, "slower"));
    QVERIFY(insights.sentences.front().sentence.find("since 2026-10-11") != std::string::npos);
}

void TestInsights::noiseIsNoTrend() {
    // As in life: noise, and now and then an answer beside a busy compiler.
    Noise noise(11);
    int alarms = 0;
    constexpr int kTrials = 500;
    for (int trial = 0; trial < kTrials; ++trial) {
        HistoryContent history;
        for (int i = 0; i < 60; ++i) {
            const double busy = noise.uniform() < 0.1 ? 0.5 : 1.0;
            history.uses.push_back(sampleUse(busy * (20.0 + 2.0 * noise.normal()), kStart + i * 3600));
        }
        alarms += says(app::insightsOf(history, {}), "slower") ? 1 : 0;
    }
    qInfo("%.1f %% false alarms", alarms * 100.0 / kTrials);
    QVERIFY(alarms <= kTrials / 20);
}

void TestInsights::shortAnswersDoNotCount() {
    HistoryContent history;
    for (int i = 0; i < 40; ++i) {
        history.uses.push_back(sampleUse(i < 20 ? 20.0 + 0.01 * i : 2.0, kStart + i));
        if (i >= 20) history.uses.back().tokens = 3;
    }
    const Insights insights = app::insightsOf(history, {});
    QVERIFY(!says(insights, "slower"));
    QCOMPARE(insights.trends.front().answers, std::size_t{40});
    QVERIFY(insights.trends.front().usualSpeed > 19.0);
}

void TestInsights::settingsAreKeptApart() {
    HistoryContent history;
    for (int i = 0; i < 20; ++i)
        history.uses.push_back(sampleUse(20.0, kStart + i));
    for (int i = 0; i < 20; ++i) {
        history.uses.push_back(sampleUse(5.0, kStart + 100 + i));
        history.uses.back().settings.threads = 1;
    }
    const Insights insights = app::insightsOf(history, {});
    QCOMPARE(insights.trends.size(), std::size_t{2});
    QVERIFY(!says(insights, "slower"));
    QCOMPARE(insights.models.size(), std::size_t{1});
    QCOMPARE(insights.models.front().answers, std::size_t{40});
}

void TestInsights::mostUsed() {
    HistoryContent history;
    for (int i = 0; i < 5; ++i) {
        history.uses.push_back(sampleUse());
        history.uses.back().model = test::sampleModel('b', "often.gguf");
        history.uses.back().gpuBusyPercent = 10.0 * i;
    }
    history.uses.push_back(sampleUse());
    const Insights insights = app::insightsOf(history, {});
    QCOMPARE(insights.models.front().model.file, std::string("often.gguf"));
    QCOMPARE(insights.models.front().tokens, std::uint64_t{250});
    QCOMPARE(*insights.trends.front().gpuBusyPercent, 20.0);
    QVERIFY(!insights.trends.back().gpuBusyPercent);
    QCOMPARE(insights.sentences.back().sentence,
             std::string("Most answers came from often.gguf (5), story.gguf (1)."));
}

void TestInsights::fallbacks() {
    const auto load = [](const char* result, const char* step) {
        return Json{{"result", result}, {"report", {{"steps", {{{"backend", "vulkan"}, {"result", step}}}}}}};
    };
    std::vector<Json> loads = {load("loaded", "loaded"), load("loaded", "failed"), load("failed", "failed"),
                               load("loaded", "refused")};
    // A log may hold anything.
    for (const char* odd :
         {"7", "[]", "{}", R"({"report":7})", R"({"result":7,"report":{"steps":[1,{"result":[]}]}})"})
        loads.push_back(Json::parse(odd));
    const Insights insights = app::insightsOf({}, loads);
    QCOMPARE(insights.fallbacks, std::size_t{1});
    QVERIFY(says(insights, "fallbacks"));
    QCOMPARE(insights.loads, std::size_t{7});
}

void TestInsights::regressionsOfBenchmarks() {
    HistoryContent history;
    for (const double speed : {20.0, 20.2, 19.8, 20.1})
        history.measurements.push_back(sampleMeasurement(speed));
    QVERIFY(!says(app::insightsOf(history, {}), "regression"));
    history.measurements.push_back(sampleMeasurement(14.0));
    QVERIFY(says(app::insightsOf(history, {}), "regression"));
    // It became well again.
    history.measurements.push_back(sampleMeasurement(20.0));
    QVERIFY(!says(app::insightsOf(history, {}), "regression"));
}

void TestInsights::asJson() {
    HistoryContent history;
    history.uses.push_back(sampleUse());
    history.damaged = 2;
    const Json json = app::insightsJson(app::insightsOf(history, {}));
    QCOMPARE(json["models"][0]["file"].get<std::string>(), std::string("story.gguf"));
    QVERIFY(json["trends"][0]["slower_since"].is_null());
    QCOMPARE(json["insights"][1]["id"].get<std::string>(), std::string("damaged"));
    QCOMPARE(json["loads"]["count"].get<int>(), 0);
}

QTEST_GUILESS_MAIN(TestInsights)
#include "tst_insights.moc"
