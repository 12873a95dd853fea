// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The program of every variant as text, against NAME.txt of this folder. A changed program is reviewed as a
// difference of these files: run the test with LOADER_UPDATE_GOLDEN=1 to write them anew.

#include <QDir>
#include <QFile>
#include <QTest>

#include "tests/support/model_parts.h"

using namespace loader;
using namespace loader::test;

namespace {

QString folder() {
    return qEnvironmentVariable("LOADER_SOURCE_DIR", ".") + "/tests/golden/graphs/";
}

}  // namespace

class TestGraphDumps : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void programEqualsGolden_data();
    void programEqualsGolden();
    void everyGoldenHasAVariant();
};

void TestGraphDumps::programEqualsGolden_data() {
    QTest::addColumn<QString>("variant");
    for (const std::string_view name : modelVariants()) {
        const std::string text(name);
        QTest::addRow("%s", text.c_str()) << QString::fromStdString(text);
    }
}

void TestGraphDumps::programEqualsGolden() {
    QFETCH(const QString, variant);
    const auto parts = makeVariant(variant.toStdString());
    QVERIFY(parts.ok());
    const auto lowered = parts->lower();
    QVERIFY(lowered.ok());
    const QString measured = QString::fromStdString(graph::dump(lowered->program));
    QFile file(folder() + variant + ".txt");
    if (qEnvironmentVariableIsSet("LOADER_UPDATE_GOLDEN")) {
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(measured.toUtf8());
        QSKIP("written anew");
    }
    QVERIFY2(file.open(QIODevice::ReadOnly), qPrintable(file.fileName()));
    const QStringList expected = QString::fromUtf8(file.readAll()).split('\n');
    const QStringList lines = measured.split('\n');
    for (qsizetype i = 0; i < std::min(lines.size(), expected.size()); ++i)
        QCOMPARE(lines[i], expected[i]);
    QCOMPARE(lines.size(), expected.size());
}

void TestGraphDumps::everyGoldenHasAVariant() {
    const QStringList files = QDir(folder()).entryList({"*.txt"}, QDir::Files).filter(".txt");
    const auto variants = modelVariants();
    QStringList names;
    for (const std::string_view name : variants)
        names.append(QString::fromStdString(std::string(name)) + ".txt");
    for (const QString& file : files) {
        if (file != "CMakeLists.txt") QVERIFY2(names.contains(file), qPrintable(file));
    }
}

QTEST_APPLESS_MAIN(TestGraphDumps)
#include "tst_graph_dumps.moc"
