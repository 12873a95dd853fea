// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What may be wrong with an old configuration: damaged bytes, odd values, paths that lead nowhere. Each is
// told, nothing crashes or hangs, and what is right beside it arrives. Numbers are those of
// docs/migration.md.

#include <sys/stat.h>

#include <QElapsedTimer>
#include <QTest>
#include <thread>

#include "plugins/importers/gguf-loader-app/importer.h"
#include "tests/unit/app/migration/migration_fixture.h"

using namespace loader;
using app::ImportRecorder;
using app::ImportVerdict;
using app::Json;
using test::MigrationFixture;

namespace {

Json arrived(const ImportRecorder& recorder, std::string_view key) {
    Json value;
    for (const app::RecordedSetting& setting : recorder.settings())
        if (setting.key == key) value = setting.value;
    return value;
}

const app::ReportLine* lineOf(const ImportRecorder& recorder, std::string_view key) {
    for (const app::ReportLine& line : recorder.report().lines)
        if (line.source.key == key) return &line;
    return nullptr;
}

/// One configuration file, read as it stands beside a store that is whole.
struct Case {
    MigrationFixture fixture;
    explicit Case(const std::string& bytes, const std::string& name = "config.json") {
        fixture.write("home/.gguf-loader/" + name, bytes);
        fixture.write("home/.config/GGUFLoader/FloatingChat.conf",
                      "[General]\nbutton_position=@Point(5 6)\n");
    }
    ImportRecorder read() const {
        auto recorder = fixture.read("");
        return recorder ? std::move(*recorder) : ImportRecorder();
    }
    Result<ImportRecorder> alone() const {
        return fixture.read(fixture.home() + "/.gguf-loader/config.json");
    }
};

std::string wide(const std::string& ascii, bool bigEndian) {
    std::string bytes = bigEndian ? "\xFE\xFF" : "\xFF\xFE";
    for (const char c : ascii)
        bytes += bigEndian ? std::string(1, '\0') + c : c + std::string(1, '\0');
    return bytes;
}

}  // namespace

class TestMigrationFaults : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void unreadable_data();
    void unreadable();
    void readable_data();
    void readable();
    void odd_data();
    void odd();
    void serialisedObjectsAreNeverUnpacked();
    void lineEndsAndSections();
    void paths();
    void anUnreachableShareIsDecidedSoon();
    void pathsThatAreNoFiles();
    void configurationsThatAreNoFiles();
    void largeFiles();
    void aMillionKeys();
    void unknownKeysAreToldAsTheyAre();
    void otherVersions_data();
    void otherVersions();
    void limitsOfNumbers_data();
    void limitsOfNumbers();
    void twoNamesOfOneSetting();
    void longPrompts();
    void secrets();
    void times_data();
    void times();
    void geometry();
    void cancelled();
    void nothingThere();
};

void TestMigrationFaults::unreadable_data() {
    QTest::addColumn<QByteArray>("bytes");
    const auto row = [](const char* name, const std::string& bytes) {
        QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size()));
    };
    row("1 empty", "");
    row("2 zeros", std::string(6426, '\0'));
    row("3 zeros in front", std::string(114688, '\0') + R"({"n_ctx":1})");
    row("4 cut in a value", R"({"n_ctx": 20)");
    row("4 cut in a text", R"({"model_path": "/m/a)");
    row("5 cut in a character", "{\"model_path\": \"/m/\xC5");
    row("6 more behind it", R"({"n_ctx": 2048} and more)");
    row("7 trailing comma", R"({"n_ctx": 2048,})");
    row("7 comment", "{\"n_ctx\": 2048} // mine");
    row("9 deep", std::string(100000, '['));
    row("9 deep objects", [] {
        std::string text;
        for (int i = 0; i < 100000; ++i)
            text += "{\"a\":";
        return text;
    }());
    row("10 infinite", R"({"n_ctx": 1e999})");
    row("10 NaN", R"({"n_ctx": NaN})");
    row("10 Infinity", R"({"n_ctx": -Infinity})");
    row("16 half UTF-16", wide(R"({"n_ctx": 2048})", false) + "x");
    row("16 UTF-16 that ends early", wide(R"({"n_ctx": 2048)", true));
}

void TestMigrationFaults::unreadable() {
    QFETCH(QByteArray, bytes);
    const Case one(bytes.toStdString());
    const auto alone = one.alone();
    QVERIFY(!alone.ok() && alone.error().code() == Errc::C501);
    const auto before = one.fixture.content();
    const ImportRecorder recorder = one.read();
    // What is whole beside it arrives all the same.
    QVERIFY(arrived(recorder, "window.assistant_position") == Json({5, 6}));
    QCOMPARE(recorder.report().count(ImportVerdict::Invalid), std::size_t{1});
    QCOMPARE(recorder.settings().size(), std::size_t{1});
    QVERIFY(one.fixture.content() == before);
}

void TestMigrationFaults::readable_data() {
    QTest::addColumn<QByteArray>("bytes");
    const auto row = [](const char* name, const std::string& bytes) {
        QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size()));
    };
    const std::string plain = R"({"n_ctx": 2048})";
    row("plain", plain);
    row("8 stands twice", R"({"n_ctx": 1, "n_ctx": 2048})");
    row("12 number as text", R"({"n_ctx": "2048"})");
    row("12 blanks around it", R"({"n_ctx": " 2048 "})");
    row("11 whole number with a point", R"({"n_ctx": 2048.0})");
    row("16 UTF-16", wide(plain, false));
    row("16 UTF-16, big end first", wide(plain, true));
    row("17 mark in front", "\xEF\xBB\xBF" + plain);
    row("18 CR", "{\r\"n_ctx\":\r2048}");
    row("18 CRLF", "{\r\n\"n_ctx\": 2048\r\n}\n\r");
    row("32 no version", R"({"n_ctx": 2048})");
}

void TestMigrationFaults::readable() {
    QFETCH(QByteArray, bytes);
    const ImportRecorder recorder = Case(bytes.toStdString()).read();
    QVERIFY(arrived(recorder, "load.context") == 2048);
}

void TestMigrationFaults::odd_data() {
    QTest::addColumn<QByteArray>("json");
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QByteArray>("value");
    const auto row = [](const char* name, const char* json, const char* key, const char* value) {
        QTest::newRow(name) << QByteArray(json) << QByteArray(key) << QByteArray(value);
    };
    row("11 2^53+1", R"({"n_ctx": 9007199254740993})", "load.context", "null");
    row("11 2^64", R"({"n_ctx": 18446744073709551616})", "load.context", "null");
    row("11 -1 of a batch", R"({"n_batch": -1})", "load.batch", "null");
    row("12 text as number", R"({"default_system_prompt": 5})", "chat.system_prompt", "null");
    row("12 list as number", R"({"n_batch": [512]})", "load.batch", "null");
    row("12 infinite text", R"({"n_batch": "1e999"})", "load.batch", "null");
    row("12 NaN as text", R"({"default_temperature": "nan"})", "sampling.temperature", "null");
    row("13 one", R"({"use_mlock": 1})", "load.mlock", "true");
    row("13 zero", R"({"use_mlock": 0})", "load.mlock", "false");
    row("13 two", R"({"use_mlock": 2})", "load.mlock", "null");
    row("13 yes", R"({"use_mlock": "yes"})", "load.mlock", "true");
    row("13 True", R"({"use_mlock": "True"})", "load.mlock", "true");
    row("13 perhaps", R"({"use_mlock": "perhaps"})", "load.mlock", "null");
    row("14 decimal comma", R"({"default_temperature": "0,7"})", "sampling.temperature", "0.7");
    row("14 thousands", R"({"n_ctx": "4,096,0"})", "load.context", "null");
    row("34 layers that mean auto", R"({"gpu_layers": -1})", "load.gpu_layers", "\"auto\"");
    row("34 layers that mean all", R"({"n_gpu_layers": -1})", "load.gpu_layers", "\"all\"");
    row("39 a theme of nobody", R"({"theme": "#gggggg"})", "window.theme", "null");
    row("39 a theme in capitals", R"({"theme": "Dark"})", "window.theme", "\"dark\"");
}

void TestMigrationFaults::odd() {
    QFETCH(QByteArray, json);
    QFETCH(QByteArray, key);
    QFETCH(QByteArray, value);
    const ImportRecorder recorder = Case(json.toStdString()).read();
    const Json found = arrived(recorder, key.toStdString());
    QVERIFY2(found == Json::parse(value.toStdString()), found.dump().c_str());
    const app::ReportLine* line = lineOf(recorder, Json::parse(json.toStdString()).begin().key());
    QVERIFY(line);
    // What did not arrive is told with what it was.
    if (found.is_null())
        QVERIFY(line->verdict == ImportVerdict::Invalid || line->verdict == ImportVerdict::Ignored);
    if (found.is_null()) QVERIFY(!line->reason.empty());
}

void TestMigrationFaults::serialisedObjectsAreNeverUnpacked() {
    const MigrationFixture fixture;
    fixture.write("home/.config/KiroDeveloper/LLM Toolkit.conf",
                  "[file_dialog]\nrecent_files=@Variant(\\0\\0\\0\\t\\xff\\xff\\xff\\xff)\n"
                  "favorite_directories=@Invalid()\nbytes=@ByteArray(\\xff\\0)\n");
    const auto recorder = fixture.read("");
    QVERIFY(recorder.ok());
    QCOMPARE(recorder->settings().size(), std::size_t{0});
    QCOMPARE(recorder->report().count(ImportVerdict::Ignored), std::size_t{3});
    QVERIFY(lineOf(*recorder, "file_dialog/recent_files")->reason.find("@Variant") != std::string::npos);
}

void TestMigrationFaults::lineEndsAndSections() {
    const MigrationFixture fixture;
    fixture.write("home/.config/GGUFLoader/FloatingChat.conf",
                  "early=1\r[]\rnone=2\r\n[a]b]\nc=3\r\n[General]\rbutton_position=@Point(7 8)\n");
    const auto recorder = fixture.read("");
    QVERIFY(recorder.ok());
    QVERIFY(arrived(*recorder, "window.assistant_position") == Json({7, 8}));
    for (const char* key : {"early", "none", "a/c", "line 2", "line 4"})
        QVERIFY2(lineOf(*recorder, key), key);
}

void TestMigrationFaults::paths() {
    const auto path = [](const std::string& written) {
        const MigrationFixture fixture;
        fixture.write("work/beside.gguf", "x");
        fixture.write("home/.gguf-loader/models/own.gguf", "x");
        fixture.write("home/.gguf-loader/config.json", Json({{"model_path", written}}).dump());
        const auto recorder = fixture.read("");
        std::string found = recorder ? arrived(*recorder, "models.default").dump() : "failed";
        const std::size_t at = found.find(fixture.root());
        return at == std::string::npos ? found : found.replace(at, fixture.root().size(), "ROOT");
    };
    // 21 and 22
    QCOMPARE(path("~/m.gguf"), std::string(R"("ROOT/home/m.gguf")"));
    QCOMPARE(path("$HOME/m.gguf"), std::string(R"("ROOT/home/m.gguf")"));
    QCOMPARE(path("${HOME}/m.gguf"), std::string(R"("ROOT/home/m.gguf")"));
    QCOMPARE(path("%USERPROFILE%/m.gguf"), std::string(R"("ROOT/home/m.gguf")"));
    QCOMPARE(path("$NOWHERE/m.gguf"), std::string(R"("$NOWHERE/m.gguf")"));
    QCOMPARE(path("~other/m.gguf"), std::string(R"("~other/m.gguf")"));
    QCOMPARE(path("beside.gguf"), std::string(R"("ROOT/work/beside.gguf")"));
    QCOMPARE(path("models/../models/own.gguf"), std::string(R"("ROOT/home/.gguf-loader/models/own.gguf")"));
    // 23 and 26: kept as they are, whatever they are.
    QCOMPARE(path("/m/missing.gguf"), std::string(R"("/m/missing.gguf")"));
    QCOMPARE(path("C:\\Models\\a.gguf"), std::string(R"("C:\\Models\\a.gguf")"));
    QCOMPARE(path("NUL:"), std::string(R"("NUL:")"));
    QCOMPARE(path("/m/dot. "), std::string(R"("/m/dot. ")"));
    const std::string longest = "/" + std::string(5000, 'a');
    QCOMPARE(path(longest), "\"" + longest + "\"");
    QCOMPARE(path("/" + std::string(40000, 'a')), std::string("null"));
    // 15: bytes of Windows-1252.
    const ImportRecorder latin = Case("{\"model_path\": \"/m/\xFCn\x80.gguf\"}").read();
    QVERIFY(arrived(latin, "models.default") == "/m/ün€.gguf");
}

void TestMigrationFaults::anUnreachableShareIsDecidedSoon() {
    MigrationFixture fixture;
    fixture.write(
        "home/.gguf-loader/config.json",
        R"({"model_path": "/net/share/a.gguf", "recent_models": ["/net/share/b.gguf", "/net/share/c.gguf"]})");
    const auto look = [](const std::string&) {
        std::this_thread::sleep_for(std::chrono::seconds(3));
        return app::ggufloader::PathState::File;
    };
    const app::GgufLoaderApp importer(look, std::chrono::milliseconds(200));
    ImportRecorder recorder;
    const app::SearchRoots roots = fixture.roots();
    QElapsedTimer timer;
    timer.start();
    QVERIFY(importer.read("", roots, recorder, {}).ok());
    QVERIFY2(timer.elapsed() < 2000, std::to_string(timer.elapsed()).c_str());
    QVERIFY(arrived(recorder, "models.default") == "/net/share/a.gguf");
    QVERIFY(lineOf(recorder, "model_path")->reason.find("did not answer") != std::string::npos);
    QVERIFY(arrived(recorder, "models.recent").size() == 2);
    // The threads that still wait must not outlive the test.
    std::this_thread::sleep_for(std::chrono::milliseconds(3200));
}

void TestMigrationFaults::pathsThatAreNoFiles() {
    const MigrationFixture fixture;
    QVERIFY(::mkfifo((fixture.root() + "/pipe").c_str(), 0600) == 0);
    for (const char* name : {"home", "pipe"}) {
        fixture.write("home/.gguf-loader/config.json",
                      Json({{"model_path", fixture.root() + "/" + name}, {"n_ctx", 512}}).dump());
        const auto recorder = fixture.read("");
        QVERIFY(recorder.ok());
        QVERIFY(lineOf(*recorder, "model_path")->verdict == ImportVerdict::Invalid);
        QVERIFY(arrived(*recorder, "load.context") == 512);
    }
}

void TestMigrationFaults::configurationsThatAreNoFiles() {
    const MigrationFixture fixture;
    const std::string folder = fixture.home() + "/.gguf-loader";
    namespace fs = std::filesystem;
    fs::create_directories(folder + "/settings.json");
    QVERIFY(::mkfifo((folder + "/config.json").c_str(), 0600) == 0);
    fs::create_symlink("nowhere", folder + "/backend_config.json");
    fs::create_symlink("preferences.json", folder + "/preferences.json");
    fixture.write("work/real.json", R"({"n_ctx": 512})");
    fs::create_symlink(fixture.root() + "/work/real.json", folder + "/app_config.json");
    const auto recorder = fixture.read("");
    QVERIFY(recorder.ok());
    // 27: a link is followed, a dangling one and a loop are told.
    QVERIFY(arrived(*recorder, "load.context") == 512);
    QCOMPARE(recorder->report().count(ImportVerdict::Invalid), std::size_t{4});
    QVERIFY(fixture.read(folder + "/config.json").error().code() == Errc::C512);
    QVERIFY(fixture.read(folder + "/nothing.json").error().code() == Errc::F802);
}

void TestMigrationFaults::largeFiles() {
    const Case one("{}");
    std::filesystem::resize_file(one.fixture.home() + "/.gguf-loader/config.json", std::uintmax_t{2} << 30);
    QElapsedTimer timer;
    timer.start();
    QVERIFY(one.alone().error().code() == Errc::C502);
    QVERIFY(arrived(one.read(), "window.assistant_position") == Json({5, 6}));
    QVERIFY(timer.elapsed() < 2000);
}

void TestMigrationFaults::aMillionKeys() {
    std::string text = R"({"n_ctx": 2048)";
    for (int i = 0; i < 1'000'000; ++i)
        text += ",\"k" + std::to_string(i) + "\":1";
    const ImportRecorder recorder = Case(text + "}").read();
    QVERIFY(arrived(recorder, "load.context") == 2048);
    QVERIFY(recorder.report().lines.size() > 1'000'000);
}

void TestMigrationFaults::unknownKeysAreToldAsTheyAre() {
    const ImportRecorder recorder =
        Case(R"({"mine": {"deep": [1, {"x": null}], "empty": {}}, "n_ctx": 5})").read();
    QVERIFY(lineOf(recorder, "mine.deep[0]")->value == 1);
    QVERIFY(lineOf(recorder, "mine.deep[1].x")->verdict == ImportVerdict::Ignored);
    QVERIFY(lineOf(recorder, "mine.empty")->value == Json::object());
}

void TestMigrationFaults::otherVersions_data() {
    QTest::addColumn<QByteArray>("version");
    QTest::addColumn<bool>("valid");
    const auto row = [](const char* version, bool valid) {
        QTest::newRow(version) << QByteArray(version) << valid;
    };
    row("\"1.0.0\"", true);
    row("\"99\"", true);
    row("99", true);
    row("\"2.0.1\"", true);
    row("-3", false);
    row("\"new\"", false);
    row("[1]", false);
    row("\"\"", false);
}

void TestMigrationFaults::otherVersions() {
    QFETCH(QByteArray, version);
    QFETCH(bool, valid);
    const ImportRecorder recorder = Case("{\"version\": " + version.toStdString() + ", \"n_ctx\": 7}").read();
    QCOMPARE(lineOf(recorder, "version")->verdict == ImportVerdict::Ignored, valid);
    // What is understood of it is taken over whatever it calls itself.
    QVERIFY(arrived(recorder, "load.context") == 7);
}

void TestMigrationFaults::limitsOfNumbers_data() {
    QTest::addColumn<QByteArray>("key");
    QTest::addColumn<QByteArray>("target");
    const std::vector<std::pair<const char*, const char*>> all = {
        {"n_batch", "load.batch"},
        {"n_ctx", "load.context"},
        {"n_threads", "load.threads"},
        {"default_temperature", "sampling.temperature"},
        {"default_max_tokens", "answer.max_tokens"},
        {"max_recent_models", "models.recent_limit"},
        {"max_memory_usage", "load.memory_limit"},
        {"n_gpu_layers", "load.gpu_layers"}};
    for (const auto& [key, target] : all)
        QTest::newRow(key) << QByteArray(key) << QByteArray(target);
}

void TestMigrationFaults::limitsOfNumbers() {
    QFETCH(QByteArray, key);
    QFETCH(QByteArray, target);
    const app::SettingSpec* spec = app::findSetting(target.toStdString());
    const auto value = [&](double number) {
        return arrived(Case(Json({{key.toStdString(), number}}).dump()).read(), target.toStdString());
    };
    QVERIFY(value(spec->least) == spec->least);
    QVERIFY(value(spec->most) == spec->most);
    QVERIFY(value(spec->most + 1).is_null());
    // One less than the least may be the word for automatic.
    const Json below = value(spec->least - 1);
    QVERIFY2(below.is_null() || below == 0 || below == "all", below.dump().c_str());
}

void TestMigrationFaults::twoNamesOfOneSetting() {
    // The more special place counts; of two equal ones the first.
    const ImportRecorder recorder = Case(R"({"default_temperature": 0.1, "ai_settings": {"temperature": 0.9},
                                             "n_ctx": 1024, "context_size": 4096})")
                                        .read();
    QVERIFY(arrived(recorder, "sampling.temperature") == 0.9);
    QVERIFY(arrived(recorder, "load.context") == 1024);
    QVERIFY(lineOf(recorder, "default_temperature")->reason.find("ai_settings.temperature") !=
            std::string::npos);
    QVERIFY(lineOf(recorder, "context_size")->verdict == ImportVerdict::Ignored);
    // A value that cannot be does not keep a good one out.
    const ImportRecorder other =
        Case(R"({"default_temperature": 0.1, "ai_settings": {"temperature": -4}})").read();
    QVERIFY(arrived(other, "sampling.temperature") == 0.1);
}

void TestMigrationFaults::longPrompts() {
    std::string prompt(1'048'576, 'a');
    prompt[7] = '\x07';
    prompt[9] = '\x1b';
    const ImportRecorder kept = Case(Json({{"default_system_prompt", prompt}}).dump()).read();
    QVERIFY(arrived(kept, "chat.system_prompt") == prompt);
    const ImportRecorder refused = Case(Json({{"default_system_prompt", prompt + "a"}}).dump()).read();
    QVERIFY(arrived(refused, "chat.system_prompt").is_null());
    QVERIFY(lineOf(refused, "default_system_prompt")->verdict == ImportVerdict::Invalid);
}

void TestMigrationFaults::secrets() {
    const ImportRecorder recorder =
        Case(R"({"api_key": "sk-1", "addons": {"mail": {"smtp_password": "sk-2"}}, "hf_token": ["sk-3"],
                 "credentials": {"user": "sk-4"}, "max_tokens": 5})")
            .read();
    QVERIFY(recorder.report().toJson().dump().find("sk-") == std::string::npos);
    for (const char* key : {"api_key", "addons.mail.smtp_password", "hf_token", "credentials"})
        QVERIFY2(lineOf(recorder, key) && lineOf(recorder, key)->value.is_null(), key);
    QVERIFY(lineOf(recorder, "max_tokens")->value == 5);
}

void TestMigrationFaults::times_data() {
    QTest::addColumn<double>("written");
    QTest::addColumn<qint64>("milliseconds");
    QTest::newRow("seconds") << 1761300000.5 << qint64{1761300000500};
    QTest::newRow("milliseconds") << 1761300000500.0 << qint64{1761300000500};
    QTest::newRow("zero") << 0.0 << qint64{-1};
    QTest::newRow("negative") << -5.0 << qint64{-1};
    QTest::newRow("year 7026") << 159557904000000.0 << qint64{-1};
    QTest::newRow("far") << 1e300 << qint64{-1};
}

void TestMigrationFaults::times() {
    QFETCH(double, written);
    QFETCH(qint64, milliseconds);
    const MigrationFixture fixture;
    const Json record = {{"backend_name", "x"}, {"tokens_per_second", 2.5}, {"last_updated", written}};
    fixture.write("work/model_performance_cache.json",
                  Json({{"backend_profiles", {{"h", {{"k", record}}}}}}).dump());
    const auto recorder = fixture.read("");
    QVERIFY(recorder.ok());
    QCOMPARE(recorder->measurements().size(), std::size_t{1});
    QCOMPARE(qint64{recorder->measurements().front().time.value_or(-1)}, milliseconds);
}

void TestMigrationFaults::geometry() {
    const ImportRecorder recorder =
        Case(R"({"window_position": [-4000, 90000], "window_size": [99999999, "600"]})").read();
    // A place off every screen is kept: which screens there are, the window knows when it opens.
    QVERIFY(arrived(recorder, "window.position") == Json({-4000, 90000}));
    QVERIFY(arrived(recorder, "window.width").is_null());
    QVERIFY(arrived(recorder, "window.height") == 600);
    for (const char* point : {"[1]", "[1,2,3]", "\"1,2\"", "[1e9,2]", "[null,2]", "{}"}) {
        const ImportRecorder odd = Case("{\"window_position\": " + std::string(point) + "}").read();
        QVERIFY2(arrived(odd, "window.position").is_null(), point);
    }
}

void TestMigrationFaults::cancelled() {
    const Case one(R"({"n_ctx": 1})");
    CancelFlag flag;
    flag.request();
    const app::GgufLoaderApp importer;
    ImportRecorder recorder;
    const app::SearchRoots roots = one.fixture.roots();
    QVERIFY(importer.read("", roots, recorder, flag).error().code() == Errc::X002);
}

void TestMigrationFaults::nothingThere() {
    const MigrationFixture fixture;
    QVERIFY(fixture.read("").error().code() == Errc::C509);
    QVERIFY(fixture.read(fixture.home()).error().code() == Errc::C509);
}

QTEST_GUILESS_MAIN(TestMigrationFaults)
#include "tst_migration_faults.moc"
