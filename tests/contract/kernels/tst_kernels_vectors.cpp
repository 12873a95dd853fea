// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The vector helpers of every tier of this machine (vector_checks.h), and denormal numbers.

#include <QTest>
#include <limits>
#include <string>

#include "backends/cpu/kernels/denormals.h"
#include "backends/cpu/kernels/matmul.h"
#include "tests/contract/kernels/vector_checks.h"

using namespace loader;
using namespace loader::cpu;

Q_DECLARE_METATYPE(loader::cpu::IsaTier)

class TestKernelsVectors : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void helpers_data();
    void helpers();
    void denormalsAreOffOnlyInScope();
};

void TestKernelsVectors::helpers_data() {
    QTest::addColumn<IsaTier>("tier");
    QTest::addColumn<QString>("check");
    for (const IsaTier tier : allTiers()) {
        if (tier > detectTier()) continue;
        for (const std::string& check : test::vectorChecks()) {
            const std::string name = check + "/" + std::string(tierName(tier));
            QTest::newRow(name.c_str()) << tier << QString::fromStdString(check);
        }
    }
}

void TestKernelsVectors::helpers() {
    QFETCH(IsaTier, tier);
    QFETCH(QString, check);
    const std::string fault = test::faultOfVectors(selectKernels(tier), check.toStdString());
    QVERIFY2(fault.empty(), fault.c_str());
}

void TestKernelsVectors::denormalsAreOffOnlyInScope() {
    volatile float small = std::numeric_limits<float>::min();
    volatile float half = 0.5f;
    QVERIFY(small * half != 0.0f);
    {
        const DenormalsOff off;
#if defined(__x86_64__) || defined(_M_X64) || defined(__aarch64__)
        QVERIFY(small * half == 0.0f);
#endif
    }
    QVERIFY(small * half != 0.0f);
}

QTEST_GUILESS_MAIN(TestKernelsVectors)
#include "tst_kernels_vectors.moc"
