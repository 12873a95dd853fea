// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Before and after: percentages, verdicts, what cannot be compared, and when a model is slower than usual.

#include <QTest>

#include "core/app/benchmark/comparison.h"
#include "tests/unit/app/benchmark/sample_measurement.h"

using namespace loader;
using app::Change;
using app::compare;
using app::Figure;
using app::Measurement;
using test::Noise;
using test::sampleMeasurement;

namespace {

const app::FigureChange& figureOf(const app::Comparison& comparison, Figure figure) {
    for (const app::FigureChange& change : comparison.figures) {
        if (change.figure == figure) return change;
    }
    qFatal("no such figure");
}

/// As a machine with 3 % of noise would measure it.
Measurement noisy(Noise& noise, double speed = 1.0) {
    Measurement measurement = sampleMeasurement();
    const auto draw = [&noise](std::vector<double>& samples, double value) {
        for (double& sample : samples)
            sample = value * (1.0 + 0.03 * noise.normal());
    };
    draw(measurement.prompt, 400.0 * speed);
    draw(measurement.generation, 20.0 * speed);
    draw(measurement.loadMs, 100.0 / speed);
    draw(measurement.firstTokenMs, 400.0 / speed);
    return measurement;
}

}  // namespace

class TestComparison : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void percentages();
    void verdicts();
    void memory();
    void fewSamples();
    void whatCannotBeCompared();
    void differencesAndAdvice();
    void scatterOfEarlierRuns();
    void asJson();
    void falseAlarmsOverall();
    void regressions();
    void regressionsNeedTheSameSettings();
};

void TestComparison::percentages() {
    Measurement after = sampleMeasurement(25.0);
    after.loadMs = {50.0, 51.0, 49.0};
    const auto comparison = compare(sampleMeasurement(20.0), after);
    QVERIFY(comparison.ok());
    QVERIFY(std::fabs(figureOf(*comparison, Figure::Prompt).percent - 25.0) < 1e-9);
    QVERIFY(std::fabs(figureOf(*comparison, Figure::Generation).percent - 25.0) < 1e-9);
    QVERIFY(std::fabs(figureOf(*comparison, Figure::Load).percent + 50.25) < 0.1);
    QCOMPARE(figureOf(*comparison, Figure::FirstToken).percent, 0.0);
    // The fourth root of 1.25 · 1.25 · 2.01 · 1.
    QVERIFY(std::fabs(*comparison->overallPercent - 33.1) < 0.2);
}

void TestComparison::verdicts() {
    QCOMPARE(compare(sampleMeasurement(20.0), sampleMeasurement(20.0))->verdict,
             std::string_view("no difference"));
    QCOMPARE(compare(sampleMeasurement(20.0), sampleMeasurement(20.1))->verdict,
             std::string_view("no difference"));
    const auto better = compare(sampleMeasurement(20.0), sampleMeasurement(24.0));
    QCOMPARE(better->verdict, std::string_view("better"));
    QVERIFY(better->sentence.find("20.0 % more tokens per second (better)") != std::string::npos);
    QVERIFY(better->advice.empty());
    const auto worse = compare(sampleMeasurement(20.0), sampleMeasurement(15.0));
    QCOMPARE(worse->verdict, std::string_view("worse"));
    QCOMPARE(figureOf(*worse, Figure::Generation).change, Change::Worse);
    QVERIFY(!worse->advice.empty());
    Measurement mixed = sampleMeasurement(24.0);
    mixed.loadMs = {300.0, 301.0, 302.0, 303.0};
    const auto both = compare(sampleMeasurement(20.0), mixed);
    QCOMPARE(both->verdict, std::string_view("mixed"));
    QCOMPARE(figureOf(*both, Figure::Load).change, Change::Worse);
}

void TestComparison::memory() {
    const auto change = [](std::uint64_t before, std::uint64_t after) {
        Measurement first = sampleMeasurement();
        Measurement second = sampleMeasurement();
        first.peakMemoryBytes = before << 20;
        second.peakMemoryBytes = after << 20;
        return figureOf(*compare(first, second), Figure::Memory).change;
    };
    QCOMPARE(change(1000, 1010), Change::Same);
    QCOMPARE(change(1000, 1040), Change::Same);
    QCOMPARE(change(1000, 1100), Change::Worse);
    QCOMPARE(change(1000, 500), Change::Better);
    QCOMPARE(change(10, 20), Change::Same);
}

void TestComparison::fewSamples() {
    Measurement before = sampleMeasurement(20.0);
    Measurement after = sampleMeasurement(40.0);
    for (Measurement* side : {&before, &after}) {
        side->prompt.resize(1);
        side->generation.resize(2);
        side->loadMs.resize(1);
        side->firstTokenMs.clear();
    }
    const auto comparison = compare(before, after);
    QVERIFY(comparison.ok());
    QCOMPARE(comparison->verdict, std::string_view("unknown"));
    QCOMPARE(figureOf(*comparison, Figure::Generation).change, Change::Unknown);
    QVERIFY(comparison->overallPercent.has_value());
    QVERIFY(comparison->sentence.find("too few samples") != std::string::npos);
}

void TestComparison::whatCannotBeCompared() {
    const Measurement before = sampleMeasurement();
    const auto refused = [&before](const Measurement& after) {
        const auto comparison = compare(before, after);
        return !comparison.ok() && comparison.error().code() == Errc::D320;
    };
    Measurement other = before;
    other.model = test::sampleModel('b');
    QVERIFY(refused(other));
    other = before;
    other.machine.processor = "Another";
    QVERIFY(refused(other));
    for (const int part : {0, 1, 2, 3}) {
        other = before;
        if (part == 0) other.work.promptTokens = 1;
        if (part == 1) other.work.generatedTokens = 1;
        if (part == 2) other.work.depth = 1;
        if (part == 3) other.work.keepsCache = false;
        QVERIFY(refused(other));
    }
    other = before;
    other.prompt.clear();
    other.generation.clear();
    other.loadMs.clear();
    other.firstTokenMs.clear();
    other.peakMemoryBytes = 0;
    QVERIFY(refused(other));
    // A file that was renamed is the same model.
    other = before;
    other.model.file = "renamed.gguf";
    QVERIFY(compare(before, other).ok());
}

void TestComparison::differencesAndAdvice() {
    Measurement before = sampleMeasurement(20.0);
    before.settings.backend = "vulkan";
    before.settings.device = "GPU 0";
    before.settings.gpuLayers = 32;
    Measurement after = sampleMeasurement(5.0);
    after.version = "0.4.0";
    const auto comparison = compare(before, after);
    QCOMPARE(comparison->verdict, std::string_view("worse"));
    const std::vector<std::string> differences = {"version: 0.3.0, then 0.4.0", "back end: vulkan, then cpu",
                                                  "device: GPU 0, then cpu", "GPU layers: 32, then 0"};
    QCOMPARE(comparison->differences, differences);
    QCOMPARE(comparison->advice.size(), std::size_t{3});
    QVERIFY(comparison->advice.front().find("graphics device") != std::string::npos);
}

void TestComparison::scatterOfEarlierRuns() {
    const std::vector<Measurement> steady = {sampleMeasurement(20.0), sampleMeasurement(20.2),
                                             sampleMeasurement(19.9)};
    const std::vector<Measurement> wild = {sampleMeasurement(15.0), sampleMeasurement(20.0),
                                           sampleMeasurement(27.0)};
    QCOMPARE(compare(sampleMeasurement(20.0), sampleMeasurement(24.0), steady)->verdict,
             std::string_view("better"));
    QCOMPARE(compare(sampleMeasurement(20.0), sampleMeasurement(24.0), wild)->verdict,
             std::string_view("no difference"));
}

void TestComparison::asJson() {
    const app::Json json = app::comparisonJson(*compare(sampleMeasurement(20.0), sampleMeasurement(24.0)));
    std::vector<std::string> keys;
    for (const auto& [key, value] : json.items())
        keys.push_back(key);
    QCOMPARE(keys, (std::vector<std::string>{"verdict", "sentence", "overall_percent", "figures",
                                             "differences", "advice"}));
    QCOMPARE(json["figures"]["generation"]["change"].get<std::string>(), std::string("better"));
    QCOMPARE(json["figures"]["memory"]["unit"].get<std::string>(), std::string("bytes"));
}

void TestComparison::falseAlarmsOverall() {
    constexpr int kTrials = 4000;
    Noise noise(6);
    int alarms = 0;
    int found = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
        alarms += compare(noisy(noise), noisy(noise))->verdict != "no difference" ? 1 : 0;
        found += compare(noisy(noise), noisy(noise, 0.8))->verdict == "worse" ? 1 : 0;
    }
    qInfo("%.2f %% false alarms; 20 %% slower is found in %.1f %%", alarms * 100.0 / kTrials,
          found * 100.0 / kTrials);
    QVERIFY(alarms <= kTrials / 20);
    QVERIFY(found >= kTrials * 9 / 10);
}

void TestComparison::regressions() {
    const std::vector<Measurement> usual = {sampleMeasurement(20.0), sampleMeasurement(20.5),
                                            sampleMeasurement(19.5)};
    QVERIFY(app::regressionsOf(sampleMeasurement(20.0), usual).empty());
    QVERIFY(app::regressionsOf(sampleMeasurement(18.5), usual).empty());
    QVERIFY(app::regressionsOf(sampleMeasurement(30.0), usual).empty());
    const auto slower = app::regressionsOf(sampleMeasurement(17.0), usual);
    QCOMPARE(slower.size(), std::size_t{2});
    QCOMPARE(slower[1].figure, Figure::Generation);
    QCOMPARE(slower[1].runs, std::size_t{3});
    QVERIFY(std::fabs(slower[1].percent + 15.0) < 0.1);
    QCOMPARE(slower[1].sentence,
             std::string(
                 "Generation: 17.0 tokens/s, 15.0 % less than the usual 20.0 tokens/s of 3 earlier runs."));
    Measurement late = sampleMeasurement(20.0);
    late.firstTokenMs = {600.0, 610.0, 590.0};
    QCOMPARE(app::regressionsOf(late, usual).front().figure, Figure::FirstToken);
    QCOMPARE(app::regressionsJson(slower)[0]["figure"].get<std::string>(), std::string("prompt"));
}

void TestComparison::regressionsNeedTheSameSettings() {
    std::vector<Measurement> usual(3, sampleMeasurement(20.0));
    QVERIFY(!app::regressionsOf(sampleMeasurement(10.0), usual).empty());
    usual.pop_back();
    QVERIFY(app::regressionsOf(sampleMeasurement(10.0), usual).empty());
    Measurement other = sampleMeasurement(20.0);
    other.settings.threads = 1;
    usual.push_back(other);
    QVERIFY(app::regressionsOf(sampleMeasurement(10.0), usual).empty());
    // One earlier run was as slow: then it is not new.
    usual.push_back(sampleMeasurement(20.0));
    usual.push_back(sampleMeasurement(9.0));
    QVERIFY(app::regressionsOf(sampleMeasurement(10.0), usual).empty());
}

QTEST_GUILESS_MAIN(TestComparison)
#include "tst_comparison.moc"
