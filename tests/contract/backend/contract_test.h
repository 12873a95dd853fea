// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the test programs of this folder share with Qt Test: rows per back end, and messages that say what
// went wrong.
#pragma once

#include <QTest>

#include "tests/contract/backend/running_model.h"

namespace loader::test {

template <class T>
QByteArray whyNot(const Result<T>& result) {
    return result.ok() ? QByteArray() : QByteArray::fromStdString(result.error().toString());
}

inline QByteArray describe(const Distance& distance) {
    return QByteArray("cosine ") + QByteArray::number(distance.cosine, 'g', 9) + ", worst difference " +
           QByteArray::number(distance.worst, 'g', 4) + " of the spread";
}

enum class Which { All, Computing, ButTheOracle };

inline void addSubjectRows(Which which) {
    QTest::addColumn<QString>("subject");
    for (const Subject& subject : subjects()) {
        const bool isOracle = subject.name == oracle().name;
        if (which != Which::All && !subject.computes) continue;
        if (which == Which::ButTheOracle && isOracle) continue;
        QTest::addRow("%s", subject.name.c_str()) << QString::fromStdString(subject.name);
    }
}

}  // namespace loader::test

/// Fails the test function with the error's text.
#define CONTRACT_OK(result)                                                                \
    do {                                                                                   \
        auto&& contractResult = (result);                                                  \
        QVERIFY2(contractResult.ok(), ::loader::test::whyNot(contractResult).constData()); \
    } while (false)
#define CONTRACT_NEAR(measured, expected, cosineAtLeast, worstAtMost)                                   \
    do {                                                                                                \
        const ::loader::test::Distance contractDistance = ::loader::test::distance(measured, expected); \
        const QByteArray contractText = ::loader::test::describe(contractDistance);                     \
        QVERIFY2(contractDistance.cosine >= (cosineAtLeast), contractText.constData());                 \
        QVERIFY2(contractDistance.worst <= (worstAtMost), contractText.constData());                    \
    } while (false)
