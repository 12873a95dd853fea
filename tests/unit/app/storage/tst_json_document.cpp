// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A document that is never lost, whatever stands in its place: the faults of content and of process that
// concern our own files.

#include <QElapsedTimer>
#include <QTest>

#include "core/app/storage/file_steps.h"
#include "core/app/storage/json_document.h"
#include "tests/support/faulty_files.h"
#include "tests/support/json_compare.h"
#include "tests/support/memory_files.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

constexpr const char* kPath = "/c/config.json";
constexpr const char* kLock = "/c/lock";

JsonDocument open(FileOperations& files, int schema = 1, std::vector<MigrationStep> steps = {}) {
    return {files, kPath, kLock, {schema, std::move(steps), std::chrono::milliseconds(0)}};
}

bool hasNotice(const JsonDocument& document, Errc code) {
    for (const Error& notice : document.notices())
        if (notice.code() == code) return true;
    return false;
}

QByteArray utf16(std::u16string_view text) {
    QByteArray bytes;
    for (const char16_t character : text) {
        bytes.append(static_cast<char>(character & 0xFF));
        bytes.append(static_cast<char>(character >> 8));
    }
    return bytes;
}

std::string good(int number) {
    return "{\"schema\":1,\"a\":" + std::to_string(number) + "}";
}

}  // namespace

class TestJsonDocument : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void paths();
    void firstSave();
    void unknownKeysStayInOrder();
    void generationsTurn();
    void sameBytesAreNotWritten();
    void damaged_data();
    void damaged();
    void readable_data();
    void readable();
    void damagedFilesAreNeverOverwritten();
    void theNewestGoodGenerationCounts();
    void aNewerSchemaIsOnlyRead();
    void aLegacyFileIsLeftAlone();
    void steps();
    void aStepThatFails();
    void unreadable_data();
    void unreadable();
    void anotherInstanceIsNotOverwritten();
    void aFileThatBreaksMeanwhile();
    void theLockIsHeld();
    void linksAndModes();
    void tooLargeIsNotWritten();
    void aMillionKeys();
    void generationsComeBack();
};

void TestJsonDocument::paths() {
    Json object = Json::parse(R"({"a":{"b":1},"c":5})");
    QVERIFY(findIn(object, {"a", "b"}) && *findIn(object, {"a", "b"}) == 1);
    QVERIFY(!findIn(object, {"c", "b"}));
    setIn(object, {"c", "d"}, 2);
    setIn(object, {"a", "e"}, 3);
    QVERIFY(eraseIn(object, {"a", "b"}));
    QVERIFY(!eraseIn(object, {"a", "b"}));
    QCOMPARE(object.dump(), std::string(R"({"a":{"e":3},"c":{"d":2}})"));
    QVERIFY(eraseIn(object, {"a", "e"}));
    QCOMPARE(object.dump(), std::string(R"({"c":{"d":2}})"));
}

void TestJsonDocument::firstSave() {
    MemoryFiles files;
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Missing);
    QVERIFY(document.notices().empty());
    QVERIFY(document.save().ok());
    QVERIFY(files.paths().empty());
    document.set({"load", "context"}, 8192);
    QVERIFY(document.changed());
    QVERIFY(document.save().ok());
    QVERIFY(!document.changed());
    QCOMPARE(*files.get(kPath),
             std::string("{\n  \"schema\": 1,\n  \"load\": {\n    \"context\": 8192\n  }\n}\n"));
    QCOMPARE(files.modeOf(kPath), 0600u);
    QCOMPARE(files.paths(), std::vector<std::string>{kPath});
    QCOMPARE(open(files).state(), DocumentState::Good);
}

void TestJsonDocument::unknownKeysStayInOrder() {
    MemoryFiles files;
    files.put(
        kPath,
        R"({"z":[1,{"y":null}],"schema":1,"load":{"colour":"red","context":1},"big":9007199254740993})");
    auto document = open(files);
    document.set({"load", "context"}, 2);
    document.set({"new"}, true);
    QVERIFY(document.save().ok());
    QCOMPARE(Json::parse(*files.get(kPath)).dump(),
             std::string(R"({"z":[1,{"y":null}],"schema":1,"load":{"colour":"red","context":2},)"
                         R"("big":9007199254740993,"new":true})"));
}

void TestJsonDocument::generationsTurn() {
    MemoryFiles files;
    for (int i = 1; i <= 8; ++i) {
        auto document = open(files);
        document.set({"a"}, i);
        QVERIFY(document.save().ok());
    }
    QCOMPARE(files.paths().size(), std::size_t{6});
    QVERIFY(same(Json::parse(*files.get(kPath))["a"], Json(8)));
    for (int number = 1; number <= 5; ++number)
        QVERIFY(same(Json::parse(*files.get(kPath + ("." + std::to_string(number))))["a"], Json(8 - number)));
}

void TestJsonDocument::sameBytesAreNotWritten() {
    MemoryFiles memory;
    for (int run = 0; run < 5; ++run) {
        FaultyFiles files(memory);
        auto document = open(files);
        document.set({"a"}, 1);
        QVERIFY(document.save().ok());
        if (run == 0) continue;
        QCOMPARE(files.calls(), (std::vector<std::string>{"lock /c/lock"}));
    }
    QCOMPARE(memory.paths(), std::vector<std::string>{kPath});
}

void TestJsonDocument::damaged_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::newRow("1 empty") << QByteArray();
    QTest::newRow("2 all NUL") << QByteArray(6426, '\0');
    QTest::newRow("3 NUL in front") << QByteArray(114'688, '\0') + good(1).c_str();
    QTest::newRow("4 cut in a value") << QByteArray(R"({"schema":1,"a":"hal)");
    QTest::newRow("5 cut in a character") << QByteArray("{\"schema\":1,\"a\":\"\xC3");
    QTest::newRow("6 garbage behind") << QByteArray(good(1).c_str()) + " garbage";
    QTest::newRow("7 trailing comma") << QByteArray(R"({"schema":1,"a":1,})");
    QTest::newRow("7 comment") << QByteArray("{\"schema\":1} // mine");
    QTest::newRow("9 deep") << QByteArray("{\"schema\":1,\"a\":") + QByteArray(100'000, '[');
    QTest::newRow("10 1e999") << QByteArray(R"({"schema":1,"a":1e999})");
    QTest::newRow("10 NaN") << QByteArray(R"({"schema":1,"a":NaN})");
    QTest::newRow("10 Infinity") << QByteArray(R"({"schema":1,"a":-Infinity})");
    QTest::newRow("28 too large") << QByteArray(int(kMostConfigBytes) + 1, ' ');
    QTest::newRow("29 too many values")
        << QByteArray("{\"schema\":1,\"a\":[0") + QByteArray(",0").repeated(2'000'000) + "]}";
    QTest::newRow("32 schema as text") << QByteArray(R"({"schema":"1"})");
    QTest::newRow("32 schema negative") << QByteArray(R"({"schema":-1})");
    QTest::newRow("32 schema real") << QByteArray(R"({"schema":1.5})");
    QTest::newRow("32 schema zero") << QByteArray(R"({"schema":0})");
    QTest::newRow("32 schema null") << QByteArray(R"({"schema":null})");
    QTest::newRow("32 schema 2^64") << QByteArray(R"({"schema":18446744073709551616})");
    QTest::newRow("an array") << QByteArray("[1]");
    QTest::newRow("a number") << QByteArray("1");
    QTest::newRow("half UTF-16") << QByteArray("\xFF\xFE{", 3);
}

/// Set aside byte for byte, the last good generation in its place; the next save works.
void TestJsonDocument::damaged() {
    QFETCH(QByteArray, bytes);
    MemoryFiles files;
    files.put(kPath, bytes.toStdString());
    files.put("/c/config.json.1", "rubbish");
    files.put("/c/config.json.2", good(2));
    files.put("/c/config.json.3", good(3));
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Recovered);
    QVERIFY(hasNotice(document, Errc::C519));
    QVERIFY(hasNotice(document, Errc::C501) || hasNotice(document, Errc::C502));
    QVERIFY(same(document.value()["a"], Json(2)));
    QCOMPARE(*files.get("/c/config.json.broken"), bytes.toStdString());
    QCOMPARE(*files.get(kPath), good(2));
    document.set({"a"}, 4);
    QVERIFY(document.save().ok());
    auto again = open(files);
    QCOMPARE(again.state(), DocumentState::Good);
    QVERIFY(again.notices().empty());
    QVERIFY(same(again.value()["a"], Json(4)));
    QCOMPARE(*files.get("/c/config.json.broken"), bytes.toStdString());
}

void TestJsonDocument::readable_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QString>("encoding");
    QTest::newRow("16 UTF-16") << utf16(u"\uFEFF{\"schema\":1,\"t\":\"\u00E4\"}") << "UTF-16";
    QTest::newRow("17 mark") << QByteArray("\xEF\xBB\xBF{\"schema\":1,\"t\":\"\xC3\xA4\"}") << "UTF-8";
    QTest::newRow("18 CR LF") << QByteArray("{\r\n\"schema\":1,\r\"t\":\"\xC3\xA4\"\n}\r\n") << "UTF-8";
    QTest::newRow("15 Windows-1252") << QByteArray("{\"schema\":1,\"t\":\"\xE4\"}") << "Windows-1252";
    QTest::newRow("8 key twice") << QByteArray("{\"schema\":1,\"t\":1,\"t\":\"\xC3\xA4\"}") << "UTF-8";
}

void TestJsonDocument::readable() {
    QFETCH(QByteArray, bytes);
    QFETCH(QString, encoding);
    MemoryFiles files;
    files.put(kPath, bytes.toStdString());
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Good);
    QVERIFY(same(document.value()["t"], Json("\xC3\xA4")));
    QCOMPARE(QString::fromStdString(document.encoding()), encoding);
    QCOMPARE(document.repeated().empty(), bytes.count("\"t\"") < 2);
    document.set({"n"}, 1);
    QVERIFY(document.save().ok());
    QCOMPARE(*files.get("/c/config.json.1"), bytes.toStdString());
    QVERIFY(same(open(files).value()["t"], Json("\xC3\xA4")));
}

void TestJsonDocument::damagedFilesAreNeverOverwritten() {
    MemoryFiles files;
    for (const char* bytes : {"one", "two", "three", "two"}) {
        files.put(kPath, bytes);
        QVERIFY(hasNotice(open(files), Errc::C519));
    }
    QCOMPARE(*files.get("/c/config.json.broken"), std::string("one"));
    QCOMPARE(*files.get("/c/config.json.broken-1"), std::string("two"));
    QCOMPARE(*files.get("/c/config.json.broken-2"), std::string("three"));
    QCOMPARE(files.paths().size(), std::size_t{4});
    QCOMPARE(open(files).state(), DocumentState::Good);
}

void TestJsonDocument::theNewestGoodGenerationCounts() {
    MemoryFiles files;
    files.put(kPath, "rubbish");
    files.put("/c/config.json.1", "{\"schema\":99,\"future\":true}");
    files.put("/c/config.json.2", good(2));
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Newer);
    QVERIFY(same(document.value()["future"], Json(true)));
    // Nothing but rubbish: the defaults, and still nothing is lost.
    for (int number = 1; number <= 5; ++number)
        files.put("/c/config.json." + std::to_string(number), "rubbish " + std::to_string(number));
    files.put(kPath, "rubbish");
    auto empty = open(files);
    QCOMPARE(empty.state(), DocumentState::Recovered);
    QVERIFY(same(empty.value(), Json::parse("{\"schema\":1}")));
    QCOMPARE(*files.get("/c/config.json.5"), std::string("rubbish 5"));
}

void TestJsonDocument::aNewerSchemaIsOnlyRead() {
    MemoryFiles memory;
    const std::string bytes = R"({"schema":99,"a":1,"later":{"b":2}})";
    memory.put(kPath, bytes);
    FaultyFiles files(memory);
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Newer);
    QVERIFY(hasNotice(document, Errc::C503));
    QVERIFY(same(document.value()["a"], Json(1)));
    document.set({"a"}, 2);
    QCOMPARE(document.save().error().code(), Errc::C503);
    QVERIFY(files.calls().empty());
    QCOMPARE(*memory.get(kPath), bytes);
    // Written by a newer version after it was read here.
    memory.put(kPath, good(1));
    document.reload();
    document.set({"a"}, 2);
    memory.put(kPath, bytes);
    QCOMPARE(document.save().error().code(), Errc::C503);
    QCOMPARE(*memory.get(kPath), bytes);
}

void TestJsonDocument::aLegacyFileIsLeftAlone() {
    MemoryFiles files;
    const std::string bytes = R"({"n_ctx":4096})";
    files.put(kPath, bytes);
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Legacy);
    QVERIFY(document.value().empty());
    document.set({"a"}, 2);
    QCOMPARE(document.save().error().code(), Errc::X005);
    QCOMPARE(*files.get(kPath), bytes);
    document.allowReplacingLegacy();
    QVERIFY(document.save().ok());
    QCOMPARE(Json::parse(*files.get(kPath)).dump(), std::string(R"({"schema":1,"a":2})"));
    QCOMPARE(*files.get("/c/config.json.1"), bytes);
}

void TestJsonDocument::steps() {
    const std::vector<MigrationStep> steps = {{1,
                                               [](Json& document) {
                                                   document["b"] = document["a"];
                                                   document.erase("a");
                                                   return Status();
                                               }},
                                              {2, [](Json& document) {
                                                   document["b"] = document["b"].get<int>() * 10;
                                                   return Status();
                                               }}};
    MemoryFiles files;
    const std::string bytes = R"({"schema":1,"a":7,"unknown":[]})";
    files.put(kPath, bytes);
    auto document = open(files, 3, steps);
    QCOMPARE(document.state(), DocumentState::Good);
    QCOMPARE(document.value().dump(), std::string(R"({"schema":3,"unknown":[],"b":70})"));
    // Reading alone changes nothing on disk; the old form is the newest generation after a save.
    QCOMPARE(*files.get(kPath), bytes);
    document.set({"c"}, 1);
    QVERIFY(document.save().ok());
    QCOMPARE(Json::parse(*files.get(kPath)).dump(), std::string(R"({"schema":3,"unknown":[],"b":70,"c":1})"));
    QCOMPARE(*files.get("/c/config.json.1"), bytes);
    QVERIFY(same(open(files, 3, steps).value()["b"], Json(70)));
    QCOMPARE(open(files, 2, steps).state(), DocumentState::Newer);
}

void TestJsonDocument::aStepThatFails() {
    const std::vector<MigrationStep> steps = {{1, [](Json&) { return Status(Error(Errc::C501, {"no"})); }}};
    MemoryFiles files;
    files.put(kPath, good(1));
    for (const auto& some : {steps, std::vector<MigrationStep>{}}) {
        auto document = open(files, 2, some);
        QCOMPARE(document.state(), DocumentState::Unreadable);
        document.set({"a"}, 2);
        QVERIFY(!document.save().ok());
        QCOMPARE(*files.get(kPath), good(1));
    }
}

void TestJsonDocument::unreadable_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<int>("code");
    QTest::newRow("25 a folder") << 0 << int(Errc::C512);
    QTest::newRow("25 a pipe") << 1 << int(Errc::C512);
    QTest::newRow("50 no right to read") << 2 << int(Errc::F804);
    QTest::newRow("27 a loop of links") << 3 << int(Errc::F805);
}

void TestJsonDocument::unreadable() {
    QFETCH(int, kind);
    QFETCH(int, code);
    MemoryFiles memory;
    memory.putFolder("/c");
    if (kind == 0) memory.putFolder(kPath);
    if (kind == 1) memory.putPipe(kPath);
    if (kind == 2) memory.put(kPath, good(1), 0200);
    if (kind == 3) memory.putLink(kPath, "config.json");
    FaultyFiles files(memory);
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Unreadable);
    QVERIFY(hasNotice(document, static_cast<Errc>(code)));
    document.set({"a"}, 2);
    QCOMPARE(int(document.save().error().code()), code);
    QVERIFY(files.calls().empty());
}

void TestJsonDocument::anotherInstanceIsNotOverwritten() {
    MemoryFiles files;
    files.put(kPath, R"({"schema":1,"a":1,"b":1,"c":1})");
    auto first = open(files);
    auto second = open(files);
    first.set({"a"}, 2);
    first.erase({"c"});
    second.set({"b"}, 2);
    QVERIFY(first.save().ok());
    QVERIFY(second.save().ok());
    const std::string both = R"({"schema":1,"a":2,"b":2})";
    QCOMPARE(Json::parse(*files.get(kPath)).dump(), both);
    QCOMPARE(second.value().dump(), both);
}

void TestJsonDocument::aFileThatBreaksMeanwhile() {
    MemoryFiles files;
    files.put(kPath, good(1));
    files.put("/c/config.json.1", R"({"schema":1,"a":0,"old":1})");
    auto document = open(files);
    document.set({"b"}, 2);
    files.put(kPath, "broken now");
    QVERIFY(document.save().ok());
    QVERIFY(hasNotice(document, Errc::C519));
    QCOMPARE(*files.get("/c/config.json.broken"), std::string("broken now"));
    QCOMPARE(Json::parse(*files.get(kPath)).dump(), std::string(R"({"schema":1,"a":0,"old":1,"b":2})"));
}

void TestJsonDocument::theLockIsHeld() {
    MemoryFiles files;
    files.put(kPath, good(1));
    auto document = open(files);
    document.set({"a"}, 2);
    {
        const auto held = files.lock(kLock, std::chrono::milliseconds(0));
        QCOMPARE(document.save().error().code(), Errc::C506);
        QCOMPARE(*files.get(kPath), good(1));
        files.put("/c/other", "x");
        // A damaged file waits for who holds the lock; what counts is known all the same.
        files.put("/c/config.json.1", good(5));
        files.put(kPath, "broken");
        auto other = open(files);
        QVERIFY(same(other.value()["a"], Json(5)));
        QVERIFY(hasNotice(other, Errc::C506));
        QCOMPARE(*files.get(kPath), std::string("broken"));
        other.set({"c"}, 1);
        QVERIFY(other.saveHolding(**held).ok());
        QCOMPARE(*files.get("/c/config.json.broken"), std::string("broken"));
    }
    QVERIFY(document.save().ok());
    QCOMPARE(Json::parse(*files.get(kPath)).dump(), std::string(R"({"schema":1,"a":2,"c":1})"));
}

void TestJsonDocument::linksAndModes() {
    MemoryFiles files;
    files.putLink(kPath, "/dotfiles/gguf.json");
    files.put("/dotfiles/gguf.json", good(1), 0640);
    auto document = open(files);
    document.set({"a"}, 2);
    QVERIFY(document.save().ok());
    QCOMPARE(files.facts(kPath)->kind, FileKind::Link);
    QVERIFY(same(Json::parse(*files.get("/dotfiles/gguf.json"))["a"], Json(2)));
    QCOMPARE(files.modeOf("/dotfiles/gguf.json"), 0640u);
    QCOMPARE(*files.get("/c/config.json.1"), good(1));
    // A dangling one: the file is made where it leads.
    QVERIFY(files.remove("/dotfiles/gguf.json").ok());
    auto dangling = open(files);
    QCOMPARE(dangling.state(), DocumentState::Missing);
    dangling.set({"a"}, 3);
    QVERIFY(dangling.save().ok());
    QVERIFY(same(Json::parse(*files.get("/dotfiles/gguf.json"))["a"], Json(3)));
}

void TestJsonDocument::tooLargeIsNotWritten() {
    MemoryFiles files;
    files.put(kPath, good(1));
    auto document = open(files);
    document.set({"a"}, std::string(kMostConfigBytes, 'x'));
    QCOMPARE(document.save().error().code(), Errc::C502);
    Json deep = 1;
    for (int i = 0; i < 100; ++i)
        deep = Json::array({deep});
    document.reload();
    document.set({"a"}, deep);
    QCOMPARE(document.save().error().code(), Errc::C501);
    QCOMPARE(*files.get(kPath), good(1));
    QCOMPARE(files.paths(), std::vector<std::string>{kPath});
}

/// 29: read, changed and saved in seconds; with line breaks it would be too large to be read again.
void TestJsonDocument::aMillionKeys() {
    MemoryFiles files;
    std::string text = "{\"schema\":1";
    for (int i = 0; i < 1'000'000; ++i)
        text += ",\"k" + std::to_string(i) + "\":0";
    files.put(kPath, text + "}");
    QElapsedTimer timer;
    timer.start();
    auto document = open(files);
    QCOMPARE(document.state(), DocumentState::Good);
    document.set({"a"}, 1);
    const Status saved = document.save();
    QVERIFY2(saved.ok(), saved.ok() ? "" : saved.error().toString().c_str());
    QCOMPARE(open(files).value().size(), std::size_t{1'000'002});
    QVERIFY(timer.elapsed() < 60'000);
}

void TestJsonDocument::generationsComeBack() {
    MemoryFiles files;
    QCOMPARE(open(files).restoreGeneration(1).error().code(), Errc::F802);
    for (int number = 1; number <= 5; ++number)
        files.put(kPath + ("." + std::to_string(number)), good(-number));
    files.put(kPath, good(1));
    // The oldest one too, though it leaves the row of generations when they turn.
    auto document = open(files);
    QVERIFY(document.restoreGeneration(5).ok());
    QVERIFY(same(document.value()["a"], Json(-5)));
    QCOMPARE(*files.get(kPath), good(-5));
    QCOMPARE(*files.get("/c/config.json.1"), good(1));
    files.put("/c/config.json.2", "rubbish");
    QCOMPARE(document.restoreGeneration(2).error().code(), Errc::C501);
    files.put(kPath, R"({"schema":99})");
    QCOMPARE(document.restoreGeneration(1).error().code(), Errc::C503);
    QCOMPARE(*files.get(kPath), std::string(R"({"schema":99})"));
}

QTEST_GUILESS_MAIN(TestJsonDocument)
#include "tst_json_document.moc"
