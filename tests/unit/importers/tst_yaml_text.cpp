// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// YAML of other programs: what plain words mean, limits, aliases, encodings.

#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "plugins/importers/common/yaml_text.h"

using namespace loader;
using app::Json;
using importers::parseYaml;
using importers::plainScalar;

namespace {

std::string faultOf(const std::string& text, const app::JsonLimits& limits = {}) {
    const auto parsed = parseYaml(text, limits);
    return parsed ? std::string() : parsed.error().args().front();
}

}  // namespace

class TestYamlText : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void words_data() {
        QTest::addColumn<QByteArray>("word");
        QTest::addColumn<QByteArray>("json");
        const auto row = [](const char* word, const char* json) {
            QTest::newRow(word) << QByteArray(word) << QByteArray(json);
        };
        QTest::newRow("empty") << QByteArray() << QByteArray("null");
        row("~", "null");
        row("Null", "null");
        row("yes", "true");
        row("Off", "false");
        row("y", "\"y\"");
        row("tRue", "\"tRue\"");
        row("0", "0");
        row("-1", "-1");
        row("+12", "12");
        row("8_192", "8192");
        row("010", "8");
        row("0x1F", "31");
        row("0b101", "5");
        row("08", "\"08\"");
        row("1:30", "\"1:30\"");
        row("18446744073709551615", "18446744073709551615");
        row("18446744073709551616", "1.8446744073709552e+19");
        row("-9223372036854775809", "-9.223372036854776e+18");
        row("0.5", "0.5");
        row(".5", "0.5");
        row("1.", "1.0");
        row("007.50", "7.5");
        row("1.5e+3", "1500.0");
        row("1e5", "\"1e5\"");
        row("1.5e3", "\"1.5e3\"");
        row(".inf", "\".inf\"");
        row(".nan", "\".nan\"");
        row("1.0e+999", "\"1.0e+999\"");
        row("2024-07-26", "\"2024-07-26\"");
        row("0,7", "\"0,7\"");
        row("-", "\"-\"");
        row("--1", "\"--1\"");
        row("0x", "\"0x\"");
        row("_1", "\"_1\"");
    }
    void words() {
        QFETCH(QByteArray, word);
        QFETCH(QByteArray, json);
        QCOMPARE(QByteArray::fromStdString(plainScalar(word.toStdString()).dump()), json);
    }

    void structures() {
        const auto parsed =
            parseYaml("a: 1\nb: [x, 'y', \"1\"]\nc: {d: null}\ne: |\n  two\n  lines\n? 5\n: five\n");
        QVERIFY(parsed);
        QCOMPARE(QByteArray::fromStdString(parsed->document.dump()),
                 QByteArray(R"({"a":1,"b":["x","y","1"],"c":{"d":null},"e":"two\nlines\n","5":"five"})"));
        QVERIFY(parseYaml("")->document.is_null());
        QVERIFY(parseYaml("# nothing\n")->document.is_null());
        QVERIFY(parseYaml("!!str 12")->document == Json("12"));
        QVERIFY(parseYaml("!!python/object:os.system x")->document == Json("x"));
    }

    void repeatedKeysAreTold() {
        const auto parsed = parseYaml("a: 1\nb:\n  c: 1\n  c: 2\n  c: 3\na: 4\n");
        QVERIFY(parsed);
        QCOMPARE(QByteArray::fromStdString(parsed->document.dump()), QByteArray(R"({"a":4,"b":{"c":3}})"));
        QCOMPARE(parsed->repeated, (std::vector<std::string>{"b.c", "b.c", "a"}));
    }

    void aliases() {
        QCOMPARE(QByteArray::fromStdString(parseYaml("a: &x [1, 2]\nb: *x\n")->document.dump()),
                 QByteArray(R"({"a":[1,2],"b":[1,2]})"));
        QVERIFY(!faultOf("a: *gone\n").empty());
        QVERIFY(!faultOf("a: &x [*x]\n").empty());
        QVERIFY(!faultOf("a: &x 1\n*x : 2\n").empty());
        std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
        for (int i = 1; i < 12; ++i) {
            const std::string before = "*a" + std::to_string(i - 1);
            bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
            for (int k = 0; k < 10; ++k)
                bomb += before + ", ";
            bomb += "]\n";
        }
        QVERIFY(!faultOf(bomb).empty());
        // Few values, but long ones.
        std::string texts = "t: &t " + std::string(1'000'000, 'x') + "\nl: [";
        for (int i = 0; i < 40; ++i)
            texts += "*t, ";
        QVERIFY(!faultOf(texts + "]\n").empty());
    }

    void limits() {
        const std::string deep(65, '[');
        QVERIFY(faultOf(deep + std::string(65, ']')).find("deeper than 64") != std::string::npos);
        QVERIFY(parseYaml(std::string(64, '[') + std::string(64, ']')));
        QVERIFY(!faultOf(std::string(100'000, '[')).empty());
        QVERIFY(!faultOf(std::string(100'000, '{')).empty());
        QVERIFY(!faultOf("[1, 2, 3, 4]", {64, 4}).empty());
        QVERIFY(parseYaml("[1, 2, 3]", {64, 4}));
        QVERIFY(!faultOf("a: 1\n---\nb: 2\n").empty());
        QVERIFY(!faultOf("a: \"\\0\"\n").empty());
        QVERIFY(!faultOf("? [a]\n: 1\n").empty());
        QVERIFY(!faultOf("a: [1, 2\n").empty());
        QVERIFY(!faultOf("\tx: 1\n").empty());
    }

    void manyKeys() {
        std::string text;
        for (int i = 0; i < 200'000; ++i)
            text += "k" + std::to_string(i) + ": 1\n";
        const auto parsed = parseYaml(text);
        QVERIFY(parsed);
        QCOMPARE(parsed->document.size(), std::size_t{200'000});
    }

    /// Faults 15 to 18: Windows-1252, UTF-16, a mark in front, ends of lines of any system.
    void encodings() {
        const QTemporaryDir folder;
        const std::string path = folder.path().toStdString() + "/x.yaml";
        const auto read = [&path](const std::string& bytes) {
            std::ofstream(path, std::ios::binary) << bytes;
            const auto parsed = importers::readYamlFile(path);
            return QByteArray::fromStdString(parsed ? parsed->document.dump() : parsed.error().toString());
        };
        const QByteArray wanted = R"({"pfad":"Müll","n":1})";
        QCOMPARE(read("pfad: Müll\nn: 1\n"), wanted);
        QCOMPARE(read("\xEF\xBB\xBFpfad: Müll\r\nn: 1\r\n"), wanted);
        QCOMPARE(read("pfad: M\xFCll\rn: 1\n\r"), wanted);
        QByteArray wide("\xFF\xFE");
        const QString text = QString::fromUtf8("pfad: Müll\nn: 1\n");
        for (const QChar c : text) {
            wide.append(static_cast<char>(c.unicode() & 0xFF));
            wide.append(static_cast<char>(c.unicode() >> 8));
        }
        QCOMPARE(read(wide.toStdString()), wanted);
        QVERIFY(read(std::string("a: 1\0b", 6)).startsWith("C501"));
        QVERIFY(read(std::string(6'426, '\0')).startsWith("C501"));
    }
};

QTEST_GUILESS_MAIN(TestYamlText)
#include "tst_yaml_text.moc"
