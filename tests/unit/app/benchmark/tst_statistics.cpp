// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The rank test against known tables, and the rule of evidenceOf() against simulations with a fixed seed: how
// often it calls a difference where there is none, and how often it finds one that is there.

#include <QTest>
#include <functional>

#include "tests/unit/app/benchmark/sample_measurement.h"

using namespace loader;
using app::Evidence;
using test::Noise;

namespace {

using Draw = std::function<double(Noise&)>;

struct Kind {
    const char* name;
    Draw draw;
};

/// Speeds as they scatter in life: symmetric, flat, with a tail to the slow side, with rare interruptions,
/// jumping between two states of a shared core.
const std::vector<Kind>& kinds() {
    static const std::vector<Kind> all = {
        {"normal", [](Noise& noise) { return 100.0 + 5.0 * noise.normal(); }},
        {"flat", [](Noise& noise) { return 95.0 + 10.0 * noise.uniform(); }},
        {"tail", [](Noise& noise) { return 100.0 - 5.0 * noise.exponential(); }},
        {"interrupted",
         [](Noise& noise) { return 100.0 + noise.normal() - (noise.uniform() < 0.1 ? 30.0 : 0.0); }},
        {"two states",
         [](Noise& noise) { return (noise.uniform() < 0.5 ? 100.0 : 90.0) + 0.5 * noise.normal(); }},
    };
    return all;
}

std::vector<double> drawn(Noise& noise, const Draw& draw, std::size_t count, double factor = 1.0) {
    std::vector<double> samples;
    for (std::size_t i = 0; i < count; ++i)
        samples.push_back(factor * draw(noise));
    return samples;
}

}  // namespace

class TestStatistics : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void spreads();
    void ranksOfTables();
    void ranksWithTies();
    void manyRanks();
    void evidence();
    void falseAlarms_data();
    void falseAlarms();
    void realDifferencesAreFound();
};

void TestStatistics::spreads() {
    const std::vector<double> odd = {3.0, 1.0, 2.0};
    const std::vector<double> even = {4.0, 1.0, 2.0, 3.0};
    QCOMPARE(app::spreadOf(odd).median, 2.0);
    QCOMPARE(app::spreadOf(even).median, 2.5);
    QCOMPARE(app::spreadOf(even).least, 1.0);
    QCOMPARE(app::spreadOf(even).range(), 3.0);
    QCOMPARE(app::spreadOf({}).median, 0.0);
}

void TestStatistics::ranksOfTables() {
    // All of one set below the other: 2 of C(n + m, n) ways.
    const std::vector<double> low = {1, 2, 3, 4, 5};
    const std::vector<double> high = {6, 7, 8, 9, 10};
    QVERIFY(std::fabs(app::rankTest(low, high) - 2.0 / 252.0) < 1e-12);
    QCOMPARE(app::rankTest(high, low), app::rankTest(low, high));
    const std::vector<double> three = {1, 2, 3};
    const std::vector<double> four = {4, 5, 6, 7};
    QVERIFY(std::fabs(app::rankTest(three, four) - 2.0 / 35.0) < 1e-12);
    // U = 2 of 5 and 5: 4 of 252 ways are as far to each side (U = 0: 1, 1: 1, 2: 2).
    const std::vector<double> mixed = {1, 2, 3, 4, 7};
    const std::vector<double> rest = {5, 6, 8, 9, 10};
    QVERIFY(std::fabs(app::rankTest(mixed, rest) - 8.0 / 252.0) < 1e-12);
    QCOMPARE(app::rankTest({}, low), 1.0);
}

void TestStatistics::ranksWithTies() {
    const std::vector<double> same = {5, 5, 5, 5, 5};
    QCOMPARE(app::rankTest(same, same), 1.0);
    // Ranks 1.5, 1.5 against 3.5, 3.5: 2 of the 6 ways are this far from the middle.
    const std::vector<double> low = {1, 1};
    const std::vector<double> high = {2, 2};
    QVERIFY(std::fabs(app::rankTest(low, high) - 2.0 / 6.0) < 1e-12);
}

void TestStatistics::manyRanks() {
    // Beyond 40 samples the normal approximation counts; it agrees with what is exact for hardly fewer.
    const auto rising = [](std::size_t count, double first) {
        std::vector<double> samples;
        for (std::size_t i = 0; i < count; ++i)
            samples.push_back(first + static_cast<double>(i));
        return samples;
    };
    for (const double shift : {0.5, 4.5, 8.5}) {
        const double exact = app::rankTest(rising(20, 0.0), rising(20, shift));
        const double approximate = app::rankTest(rising(21, 0.0), rising(20, shift + 0.5));
        QVERIFY2(std::fabs(exact - approximate) < 0.05,
                 qPrintable(QString("%1 %2").arg(exact).arg(approximate)));
    }
    QVERIFY(app::rankTest(rising(30, 0.0), rising(30, 100.0)) < 1e-9);
    const std::vector<double> equal(60, 3.0);
    QCOMPARE(app::rankTest(equal, equal), 1.0);
}

void TestStatistics::evidence() {
    const std::vector<double> base = {100, 101, 99, 100.5, 99.5};
    const std::vector<double> faster = {110, 111, 109, 110.5, 109.5};
    const std::vector<double> hardly = {101.5, 101.6, 101.7, 101.8, 101.9};
    QCOMPARE(app::evidenceOf(base, faster), Evidence::Higher);
    QCOMPARE(app::evidenceOf(faster, base), Evidence::Lower);
    QCOMPARE(app::evidenceOf(base, base), Evidence::WithinSpread);
    // Apart, but by less than a process differs from the next.
    QCOMPARE(app::evidenceOf(base, hardly), Evidence::WithinSpread);
    // Earlier runs scattered by more than that.
    QCOMPARE(app::evidenceOf(base, faster, 12.0), Evidence::WithinSpread);
    // Few samples need more; two are none.
    const std::vector<double> three = {100, 101, 102};
    const std::vector<double> near = {104, 105, 106};
    const std::vector<double> far = {110, 111, 112};
    QCOMPARE(app::evidenceOf(three, near), Evidence::WithinSpread);
    QCOMPARE(app::evidenceOf(three, far), Evidence::Higher);
    QCOMPARE(app::evidenceOf(three, std::vector<double>{200, 201}), Evidence::TooFew);
    QCOMPARE(app::evidenceOf({}, three), Evidence::TooFew);
    // What is not a number never counts as a difference.
    QCOMPARE(app::evidenceOf(three, std::vector<double>{NAN, NAN, NAN}), Evidence::WithinSpread);
}

void TestStatistics::falseAlarms_data() {
    QTest::addColumn<int>("before");
    QTest::addColumn<int>("after");
    for (const auto& [before, after] : std::vector<std::pair<int, int>>{
             {3, 3}, {4, 4}, {3, 5}, {4, 10}, {5, 5}, {5, 10}, {7, 7}, {10, 10}, {30, 30}})
        QTest::addRow("%d and %d", before, after) << before << after;
}

void TestStatistics::falseAlarms() {
    QFETCH(const int, before);
    QFETCH(const int, after);
    constexpr int kTrials = 4000;
    for (const Kind& kind : kinds()) {
        Noise noise(20261122);
        int alarms = 0;
        for (int trial = 0; trial < kTrials; ++trial) {
            const auto first = drawn(noise, kind.draw, static_cast<std::size_t>(before));
            const auto second = drawn(noise, kind.draw, static_cast<std::size_t>(after));
            alarms += app::evidenceOf(first, second) != Evidence::WithinSpread ? 1 : 0;
        }
        const double rate = static_cast<double>(alarms) / kTrials;
        qInfo("%-12s %2d and %2d samples: %.2f %% false alarms", kind.name, before, after, rate * 100.0);
        QVERIFY2(rate <= 0.05, kind.name);
    }
}

void TestStatistics::realDifferencesAreFound() {
    constexpr int kTrials = 1000;
    Noise noise(42);
    const Draw steady = [](Noise& source) { return 100.0 + 1.5 * source.normal(); };
    for (const double factor : {0.9, 1.1}) {
        int found = 0;
        for (int trial = 0; trial < kTrials; ++trial) {
            const auto first = drawn(noise, steady, 5);
            const auto second = drawn(noise, steady, 5, factor);
            const Evidence right = factor > 1.0 ? Evidence::Higher : Evidence::Lower;
            const Evidence evidence = app::evidenceOf(first, second);
            QVERIFY(evidence == right || evidence == Evidence::WithinSpread);
            found += evidence == right ? 1 : 0;
        }
        qInfo("a change to %.0f %% with 1.5 %% of noise: found in %.1f %%", factor * 100.0,
              found * 100.0 / kTrials);
        QVERIFY(found > kTrials * 9 / 10);
    }
}

QTEST_GUILESS_MAIN(TestStatistics)
#include "tst_statistics.moc"
