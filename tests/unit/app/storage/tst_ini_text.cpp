// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What QSettings wrote is read as QSettings reads it, serialised objects excepted; a line that is damaged
// costs that line alone.

#include <QElapsedTimer>
#include <QPoint>
#include <QRect>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>

#include "core/app/storage/ini_text.h"

using namespace loader;
using app::IniText;
using app::IniValue;
using app::Json;
using Kind = IniValue::Kind;

namespace {

IniText parsed(std::string_view text) {
    auto ini = app::parseIni(text);
    return ini ? *ini : IniText();
}

/// {"section/key": value} of all that counts.
Json document(const IniText& ini) {
    Json all = Json::object();
    for (const app::IniEntry& entry : ini.entries)
        if (!entry.superseded) all[entry.path()] = app::valueOf(entry).value;
    return all;
}

/// As text; "missing" where it is not there.
std::string at(const Json& all, const char* key) {
    return all.contains(key) ? all[key].dump() : "missing";
}

}  // namespace

class TestIniText : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void readsWhatQtWrites();
    void lines_data();
    void lines();
    void forms_data();
    void forms();
    void faultsCostTheirLine();
    void repeatedKeys();
    void everyMutationKeepsTheOtherLines();
    void limits();
};

void TestIniText::readsWhatQtWrites() {
    const QTemporaryDir folder;
    const QString path = folder.filePath("store.conf");
    const QStringList texts = {"plain",
                               "",
                               " blanks around ",
                               "comma, semicolon; equals=",
                               "quote \" and \\ backslash",
                               "line\nand\ttab\rend",
                               QString::fromUtf8("żółw 漢字 🎈"),
                               "@starts with at",
                               "@@twice",
                               "\x1b[0m",
                               "C:\\Users\\x\\model.gguf",
                               "12abc",
                               QString(QChar(0x7f)) + "f"};
    {
        QSettings store(path, QSettings::IniFormat);
        for (int i = 0; i < texts.size(); ++i)
            store.setValue(QString("texts/key %1").arg(i), texts[i]);
        store.setValue(QString::fromUtf8("ключ & %"), "name");
        store.setValue("number", 42);
        store.setValue("truth", true);
        store.setValue("file_dialog/recent_files", QStringList{"/m/a, b.gguf", "/m/c;d.gguf", ""});
        store.setValue("file_dialog/none", QStringList());
        store.setValue("button_position", QPoint(-7, 820));
        store.setValue("area", QRect(1, 2, 3, 4));
        store.setValue("bytes", QByteArray("some bytes"));
        store.setValue("raw", QByteArray("\xff\x00\x01", 3));
        store.setValue("opaque", QVariantMap{{"a", 1}});
        store.setValue("General/inner", "x");
        store.beginWriteArray("models");
        store.setArrayIndex(0);
        store.setValue("path", "/m/one.gguf");
        store.endArray();
    }
    const auto read = app::readIniFile(path.toStdString());
    QVERIFY2(read.ok(), read ? "" : read.error().toString().c_str());
    QCOMPARE(read->faults.size(), std::size_t{0});
    const Json all = document(*read);
    for (int i = 0; i < texts.size(); ++i) {
        const Json value = all.value(QString("texts/key %1").arg(i).toStdString(), Json());
        QVERIFY2(value == texts[i].toStdString(), (std::to_string(i) + ": " + value.dump()).c_str());
    }
    QCOMPARE(at(all, "ключ & %"), Json("name").dump());
    QCOMPARE(at(all, "number"), Json("42").dump());
    QCOMPARE(at(all, "truth"), Json("true").dump());
    QCOMPARE(at(all, "file_dialog/recent_files"), Json({"/m/a, b.gguf", "/m/c;d.gguf", ""}).dump());
    QCOMPARE(at(all, "file_dialog/none"), Json().dump());
    QCOMPARE(at(all, "button_position"), Json({-7, 820}).dump());
    QCOMPARE(at(all, "area"), Json({1, 2, 3, 4}).dump());
    QCOMPARE(at(all, "bytes"), Json("some bytes").dump());
    QCOMPARE(at(all, "raw"), Json().dump());
    QCOMPARE(at(all, "opaque"), Json().dump());
    QCOMPARE(at(all, "General/inner"), Json("x").dump());
    QCOMPARE(at(all, "models/1/path"), Json("/m/one.gguf").dump());
    // And nothing that Qt does not see.
    QCOMPARE(static_cast<int>(all.size()), QSettings(path, QSettings::IniFormat).allKeys().size());
}

void TestIniText::lines_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("expected");
    const auto row = [](const char* name, const char* text, const char* expected) {
        QTest::newRow(name) << QByteArray(text) << QByteArray(expected);
    };
    row("empty", "", "{}");
    row("before any section", "a=1\n[s]\nb=2", R"({"a":"1","s/b":"2"})");
    row("line ends", "[s]\r\na=1\rb=2\n\rc=3", R"({"s/a":"1","s/b":"2","s/c":"3"})");
    row("comments", "; a=1\n# b=2\nc=3 ; d\n  ;e=4", R"({"c":"3"})");
    row("general", "[s]\na=1\n[General]\nb=2\n[%General]\nc=3", R"({"s/a":"1","b":"2","General/c":"3"})");
    row("empty section name", "[]\na=1", R"({"a":"1"})");
    row("bracket in the section", "[a]b]\nk=1", R"({"a/k":"1"})");
    row("section without end", "[a\nk=1", R"({"a/k":"1"})");
    row("nested names", "a\\b=1\n[x%2Fy]\nc=2", R"({"a/b":"1","x/y/c":"2"})");
    row("blanks", "  a  =   1 2  \nb=\" 3 \"", R"({"a":"1 2","b":" 3 "})");
    row("list", "a=1, \"2, 3\" ,4\nb=,", R"({"a":["1","2, 3","4"],"b":["",""]})");
    row("escapes", "a=\\x4e00\\\\\\n\\\"\nb=\\xd83c\\xdf88", R"({"a":"一\\\n\"","b":"🎈"})");
    row("half a character", "a=\\xd83c!", R"({"a":"�!"})");
    row("per cent alone", "100%=1\n%zz=2\n%U00zz=3", R"({"100%":"1","%zz":"2","%U00zz":"3"})");
    row("nothing behind =", "a=\nb=\"\"", R"({"a":"","b":""})");
}

void TestIniText::lines() {
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, expected);
    const Json found = document(parsed(text.toStdString()));
    const Json wanted = Json::parse(expected.toStdString());
    QVERIFY2(found == wanted, found.dump().c_str());
}

void TestIniText::forms_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QByteArray>("value");
    const auto row = [](const char* text, Kind kind, const char* value) {
        QTest::newRow(text) << QByteArray(text) << static_cast<int>(kind) << QByteArray(value);
    };
    row("@Point(1 -2)", Kind::Numbers, "[1,-2]");
    row("@Point(1 2 3)", Kind::Opaque, "null");
    row("@Point(1.5 2)", Kind::Opaque, "null");
    row("@Point()", Kind::Opaque, "null");
    row("@Point(99999999999999999999 1)", Kind::Opaque, "null");
    row("@Size(3 4)", Kind::Numbers, "[3,4]");
    row("@Rect(1 2 3 4)", Kind::Numbers, "[1,2,3,4]");
    row("@Invalid()", Kind::Nothing, "null");
    row("@ByteArray(abc)", Kind::Text, R"("abc")");
    row("@String(@x)", Kind::Text, R"("@x")");
    row("@@x", Kind::Text, R"("@x")");
    row("@Variant(\\0\\0\\0\\x1c)", Kind::Opaque, "null");
    row("@DateTime(\\0)", Kind::Opaque, "null");
    row("@home", Kind::Text, R"("@home")");
    row("@Unknown(1)", Kind::Text, "\"@Unknown(1)\"");
    row("@Variant(", Kind::Text, R"("@Variant(")");
}

void TestIniText::forms() {
    QFETCH(QByteArray, text);
    QFETCH(int, kind);
    QFETCH(QByteArray, value);
    const IniText ini = parsed("a=" + text.toStdString());
    QCOMPARE(ini.entries.size(), std::size_t{1});
    const IniValue found = app::valueOf(ini.entries.front());
    QCOMPARE(static_cast<int>(found.kind), kind);
    QVERIFY2(found.value == Json::parse(value.toStdString()), found.value.dump().c_str());
}

void TestIniText::faultsCostTheirLine() {
    const IniText ini = parsed("a=1\nno equals\n=x\nb=\"open\nc=\\q\nd=end\\\ne=\\x\n[open\nf=2\n");
    QCOMPARE(document(ini).dump(), std::string(R"({"a":"1","open/f":"2"})"));
    std::vector<std::size_t> lines;
    for (const app::IniFault& fault : ini.faults)
        lines.push_back(fault.line);
    QCOMPARE(lines, (std::vector<std::size_t>{2, 3, 4, 5, 6, 7, 8}));
}

void TestIniText::repeatedKeys() {
    const IniText ini = parsed("[s]\na=1\n[t]\na=2\n[s]\na=3\n");
    QCOMPARE(document(ini).dump(), std::string(R"({"t/a":"2","s/a":"3"})"));
    QVERIFY(ini.entries.front().superseded);
}

void TestIniText::everyMutationKeepsTheOtherLines() {
    const std::string text = "[s]\nfirst=1\nsecond=\"a, b\"\nthird=@Point(1 2)\nlast=9\n";
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            std::string mutated = text;
            mutated[at] = static_cast<char>(byte);
            const Json all = document(parsed(mutated));
            // The section's own line decides where everything stands; it is line 1.
            if (at < 4 || text[at] == '\n') continue;
            const bool inLast = at >= text.find("last");
            const bool inFirst = at < text.find("second");
            QVERIFY(inLast || all.value("s/last", Json()) == "9" || byte == '[' || byte == '\n' ||
                    byte == '\r');
            QVERIFY(inFirst || all.value("s/first", Json()) == "1");
        }
    }
}

void TestIniText::limits() {
    std::string text;
    for (int i = 0; i < 1'000'000; ++i)
        text += "k" + std::to_string(i) + "=1\n";
    QElapsedTimer timer;
    timer.start();
    const auto all = app::parseIni(text);
    QVERIFY(all.ok());
    QCOMPARE(all->entries.size(), std::size_t{1'000'000});
    QVERIFY2(timer.elapsed() < 20'000, std::to_string(timer.elapsed()).c_str());
    QVERIFY(app::parseIni("a=1\nb\n", 1).error().code() == Errc::C501);
}

QTEST_GUILESS_MAIN(TestIniText)
#include "tst_ini_text.moc"
