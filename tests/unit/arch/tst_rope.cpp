// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rotary frequencies against values worked out by hand from the papers' formulas.

#include <QTest>
#include <cmath>
#include <numbers>

#include "core/engine/arch/rope.h"

using namespace loader;
using namespace loader::arch;

namespace {

bool near(double value, double expected) {
    return std::abs(value - expected) <= 1e-9 * std::abs(expected);
}

/// Base 10000 and 8 dimensions: 10000^0, 10000^-1/4, 10000^-1/2, 10000^-3/4 are powers of ten.
HyperParameters plain() {
    HyperParameters values;
    values.ropeDims = 8;
    values.ropeBase = 10000.0;
    return values;
}

}  // namespace

class TestRope : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void withoutScaling();
    void linearDividesEveryFrequency();
    void yarnLeavesFastPairsAndDividesSlowOnes();
    void yarnFollowsItsRamp();
    void attentionFactorMultiplies();
};

void TestRope::withoutScaling() {
    const graph::Rope rope = makeRope(plain(), graph::RopePairs::Halves);
    QVERIFY(rope.pairs == graph::RopePairs::Halves);
    QCOMPARE(rope.dims(), 8u);
    const double expected[] = {1.0, 0.1, 0.01, 0.001};
    for (std::size_t i = 0; i < 4; ++i)
        QVERIFY(near(rope.frequencies[i], expected[i]));
    QCOMPARE(rope.magnitude, 1.0);
}

void TestRope::linearDividesEveryFrequency() {
    HyperParameters values = plain();
    values.scaling = RopeScaling::Linear;
    values.scalingFactor = 4.0;
    const graph::Rope rope = makeRope(values, graph::RopePairs::Adjacent);
    const double expected[] = {0.25, 0.025, 0.0025, 0.00025};
    for (std::size_t i = 0; i < 4; ++i)
        QVERIFY(near(rope.frequencies[i], expected[i]));
    QCOMPARE(rope.magnitude, 1.0);
}

// Original context 2π × 100: a pair turns 100 / 10^i times. 32 turns: i = log10(100 / 32) = 0.49, down to 0.
// One turn: i = 2. So the ramp goes from 0 to 2: pair 0 is kept, pair 1 is half and half, pairs 2 and 3 are
// divided.
void TestRope::yarnLeavesFastPairsAndDividesSlowOnes() {
    HyperParameters values = plain();
    values.scaling = RopeScaling::Yarn;
    values.scalingFactor = 4.0;
    // 628 instead of 628.3: one turn is then at 1.9998, which rounds up to 2.
    values.originalContext = 628;
    const graph::Rope rope = makeRope(values, graph::RopePairs::Adjacent);
    const double expected[] = {1.0, 0.5 * 0.1 + 0.5 * 0.025, 0.0025, 0.00025};
    for (std::size_t i = 0; i < 4; ++i)
        QVERIFY2(near(rope.frequencies[i], expected[i]), qPrintable(QString::number(rope.frequencies[i])));
    QVERIFY(near(rope.magnitude, 1.0 + 0.1 * std::log(4.0)));
    QVERIFY(near(rope.magnitude, 1.1386294361119891));
}

// As published models have it: 128 dimensions, base 10^6, 32768 positions, factor 4. Turns of pair i over the
// original context: 32768 / 2π × 10^(-6i/64). 32 turns at i = 23.59, one turn at i = 39.65; the ramp goes
// from 23 to 40.
void TestRope::yarnFollowsItsRamp() {
    HyperParameters values;
    values.ropeDims = 128;
    values.ropeBase = 1e6;
    values.scaling = RopeScaling::Yarn;
    values.scalingFactor = 4.0;
    values.originalContext = 32768;
    const graph::Rope rope = makeRope(values, graph::RopePairs::Halves);
    for (std::size_t i = 0; i < 64; ++i) {
        const double original = std::pow(10.0, -6.0 * static_cast<double>(i) / 64.0);
        const double kept = i <= 23 ? 1.0 : i >= 40 ? 0.0 : (40.0 - static_cast<double>(i)) / 17.0;
        const double expected = original * (kept + (1.0 - kept) / 4.0);
        QVERIFY2(near(rope.frequencies[i], expected), qPrintable(QString::number(i)));
    }
}

void TestRope::attentionFactorMultiplies() {
    HyperParameters values = plain();
    values.ropeAttentionFactor = 0.5;
    QCOMPARE(makeRope(values, graph::RopePairs::Adjacent).magnitude, 0.5);
    values.scaling = RopeScaling::Yarn;
    values.scalingFactor = std::numbers::e;
    values.originalContext = 628;
    QVERIFY(near(makeRope(values, graph::RopePairs::Adjacent).magnitude, 0.55));
}

QTEST_APPLESS_MAIN(TestRope)
#include "tst_rope.moc"
