// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every form of the old program's settings: the report is the one beside the case, every key is told exactly
// once, the second run says the same, and no source changes by a byte.

#include <QTest>
#include <cstdlib>
#include <fstream>
#include <random>

#include "core/app/storage/json_text.h"
#include "plugins/importers/gguf-loader-app/importer.h"
#include "tests/unit/app/migration/migration_fixture.h"

using namespace loader;
using app::ImportRecorder;
using app::ImportVerdict;
using app::Json;
using test::MigrationFixture;

namespace {

/// What arrived for a setting of the whole program; null where nothing did.
Json arrived(const ImportRecorder& recorder, std::string_view key) {
    Json value;
    for (const app::RecordedSetting& setting : recorder.settings())
        if (setting.key == key) value = setting.value;
    return value;
}

bool isJson(const std::string& path) {
    return std::string_view(path).ends_with(".json");
}

std::vector<app::ReportLine> linesOf(const ImportRecorder& recorder, const std::string& file) {
    std::vector<app::ReportLine> lines;
    for (const app::ReportLine& line : recorder.report().lines)
        if (line.source.file == file) lines.push_back(line);
    return lines;
}

std::size_t mutations() {
    const char* wanted = std::getenv("LOADER_TEST_LONG");
    return wanted ? 100'000 : 5000;
}

}  // namespace

class TestMigrationFixtures : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void thereAreEnough();
    void reports_data();
    void reports();
    void theSampleOfTheGuideArrivesWhole();
    void minusOneKeepsItsMeaning();
    void noSecretIsTold();
    void everyCandidateIsFoundAndRecognised();
    void mutationsLoseNothing();
};

void TestMigrationFixtures::thereAreEnough() {
    QVERIFY(MigrationFixture::names().size() >= 20);
}

void TestMigrationFixtures::reports_data() {
    QTest::addColumn<QString>("name");
    for (const std::string& name : MigrationFixture::names())
        QTest::newRow(name.c_str()) << QString::fromStdString(name);
}

void TestMigrationFixtures::reports() {
    QFETCH(QString, name);
    const std::string folder = MigrationFixture::dataFolder() + "/" + name.toStdString();
    QVERIFY2(!test::fileBytes(folder + "/origin.txt").empty(), "the case names no project and file");
    const MigrationFixture fixture(name.toStdString());
    const auto before = fixture.content();
    const auto recorder = fixture.read(fixture.from());
    QVERIFY2(recorder.ok(), recorder ? "" : recorder.error().toString().c_str());
    const std::string report = fixture.report(*recorder).dump(1) + "\n";
    if (std::getenv("LOADER_WRITE_REPORTS"))
        std::ofstream(folder + "/report.json", std::ios::binary) << report;
    const std::string expected = test::fileBytes(folder + "/report.json");
    QVERIFY2(report == expected, report.c_str());

    for (const auto& [path, bytes] : before) {
        const auto text = isJson(path) ? app::parseJson(bytes) : Result<app::JsonText>(Error(Errc::C501));
        const auto lines = linesOf(*recorder, path);
        if (!text || lines.empty()) continue;
        const std::string fault = test::accountOf(test::leavesOf(text->document), lines);
        QVERIFY2(fault.empty(), (path + ": " + fault).c_str());
    }
    // A second run, with all of it set: the same report, nothing new, nothing touched.
    const auto again = fixture.read(fixture.from(), [&](const app::SettingOwner&, std::string_view key) {
        return arrived(*recorder, key);
    });
    QVERIFY(again.ok());
    QCOMPARE(QString::fromStdString(fixture.report(*again).dump(1)),
             QString::fromStdString(fixture.report(*recorder).dump(1)));
    QVERIFY(fixture.content() == before);
}

void TestMigrationFixtures::theSampleOfTheGuideArrivesWhole() {
    const MigrationFixture fixture("01-flat-guide-sample");
    const auto recorder = fixture.read("");
    QVERIFY(recorder.ok());
    QCOMPARE(recorder->settings().size(), std::size_t{5});
    QVERIFY(arrived(*recorder, "models.default") == "/path/to/model.gguf");
    QVERIFY(arrived(*recorder, "load.gpu_layers") == 35);
    QVERIFY(arrived(*recorder, "load.context") == 2048);
    QVERIFY(arrived(*recorder, "load.batch") == 512);
    QVERIFY(arrived(*recorder, "load.mlock") == true);
    QCOMPARE(recorder->report().count(ImportVerdict::Ignored), std::size_t{0});
    QCOMPARE(recorder->report().count(ImportVerdict::Invalid), std::size_t{0});
    // And in the form that the guide turns it into, the same five.
    const auto translated = MigrationFixture("03-guide-new-form").read("");
    QVERIFY(translated.ok());
    for (const char* key : {"models.default", "load.gpu_layers", "load.context", "load.batch", "load.mlock"})
        QVERIFY2(arrived(*translated, key) == arrived(*recorder, key), key);
}

void TestMigrationFixtures::minusOneKeepsItsMeaning() {
    const auto value = [](const std::string& json) {
        const MigrationFixture fixture;
        fixture.write("home/.gguf-loader/config.json", json);
        const auto recorder = fixture.read("");
        return recorder ? arrived(*recorder, "load.gpu_layers") : Json("failed");
    };
    QVERIFY(value(R"({"n_gpu_layers":-1})") == "all");
    QVERIFY(value(R"({"gpu_layers":-1})") == "auto");
    QVERIFY(value(R"({"backends":{"llama-cpp-python":{"gpu_layers":-1}}})") == "auto");
    QVERIFY(value(R"({"backends":{"llama-cpp-python":{"n_gpu_layers":-1}}})") == "all");
    QVERIFY(value(R"({"n_gpu_layers":0})") == 0);
    QVERIFY(value(R"({"n_gpu_layers":-2})").is_null());
}

void TestMigrationFixtures::noSecretIsTold() {
    for (const std::string& name : MigrationFixture::names()) {
        const MigrationFixture fixture(name);
        const auto recorder = fixture.read(fixture.from());
        QVERIFY(recorder.ok());
        const std::string report = recorder->report().toJson().dump();
        QVERIFY2(report.find("never shown") == std::string::npos, name.c_str());
        QVERIFY2(report.find("never_shown") == std::string::npos, name.c_str());
    }
}

void TestMigrationFixtures::everyCandidateIsFoundAndRecognised() {
    const app::GgufLoaderApp importer;
    const MigrationFixture fixture("20-several-files");
    const app::SearchRoots roots = fixture.roots();
    std::vector<std::string> found;
    for (const app::Candidate& candidate : importer.findCandidates(roots)) {
        found.push_back(candidate.path.substr(fixture.home().size()));
        QVERIFY2(importer.check(candidate.path) != app::Confidence::No, candidate.path.c_str());
    }
    // Our own configuration, which has a mark, is none of them.
    const std::vector<std::string> wanted = {
        "/.gguf-loader/backend_config.json", "/.gguf-loader/config.json", "/.gguf-loader/preferences.json",
        "/.gguf-loader/mine.config.json", "/.config/KiroDeveloper/LLM Toolkit.conf"};
    QVERIFY(found == wanted);
    QVERIFY(importer.check(fixture.home() + "/.config/gguf-loader/config.json") == app::Confidence::No);
    QVERIFY(importer.check(fixture.home() + "/.gguf-loader") == app::Confidence::Maybe);
    QVERIFY(importer.check(fixture.home() + "/nothing") == app::Confidence::No);
}

/// Random damage to every case. Whatever parses is accounted for key by key; a line of a store that was not
/// touched says what it said; nothing crashes, and no source is written to.
void TestMigrationFixtures::mutationsLoseNothing() {
    struct Source {
        std::string path;
        std::string bytes;
    };
    std::vector<Source> sources;
    for (const std::string& name : MigrationFixture::names()) {
        const MigrationFixture fixture(name);
        for (const auto& [path, bytes] : fixture.content())
            if (!std::string_view(path).ends_with(".gguf"))
                sources.push_back({path.substr(path.rfind('/') + 1), bytes});
    }
    std::mt19937 random(20261122);
    const MigrationFixture fixture;
    std::size_t understood = 0;
    for (std::size_t round = 0; round < mutations(); ++round) {
        const Source& source = sources[random() % sources.size()];
        std::string bytes = source.bytes;
        for (std::size_t hits = 1 + random() % 3; hits > 0 && !bytes.empty(); --hits) {
            const std::size_t at = random() % bytes.size();
            switch (random() % 4) {
                case 0: bytes[at] = static_cast<char>(random()); break;
                case 1: bytes.erase(at, 1 + random() % 4); break;
                case 2: bytes.insert(at, 1, "0\"{}[],:-\\\n;=@"[random() % 14]); break;
                default: bytes.resize(at); break;
            }
        }
        const std::string path = "home/case/" + source.path;
        fixture.write(path, bytes);
        const auto recorder = fixture.read(fixture.root() + "/" + path);
        QVERIFY(test::fileBytes(fixture.root() + "/" + path) == bytes);
        const auto document = isJson(source.path) ? app::readJsonFile(fixture.root() + "/" + path)
                                                  : Result<app::JsonText>(Error(Errc::C501));
        if (!isJson(source.path)) continue;
        QCOMPARE(recorder.ok(), document.ok());
        if (!document || !document->document.is_object() || !document->repeated.empty()) continue;
        ++understood;
        const std::string fault =
            test::accountOf(test::leavesOf(document->document), recorder->report().lines);
        QVERIFY2(fault.empty() || document->document.empty(), (fault + "\n" + bytes).c_str());
        // A key of the first sample that the damage left alone arrives.
        const Json original = Json::parse(source.bytes, nullptr, false);
        if (source.bytes.find("n_gpu_layers\": 35") == std::string::npos) continue;
        for (const auto& [key, setting] :
             std::map<std::string, std::string>{{"n_gpu_layers", "load.gpu_layers"},
                                                {"n_ctx", "load.context"},
                                                {"n_batch", "load.batch"},
                                                {"use_mlock", "load.mlock"}})
            if (document->document.value(key, Json()) == original[key])
                QVERIFY2(arrived(*recorder, setting) == original[key], bytes.c_str());
    }
    QVERIFY(understood > mutations() / 20);
}

QTEST_GUILESS_MAIN(TestMigrationFixtures)
#include "tst_migration_fixtures.moc"
