// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every case of tests/data/importers, through the plugins as they are installed: the report is the expected
// one, accounts for every key, dry and real; a second run changes nothing; the source stays as it was.
// LOADER_WRITE_GOLDENS=1 writes the expected reports anew.

#include <QTest>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "core/app/import/importer_registry.h"
#include "core/app/storage/json_text.h"
#include "plugins/importers/common/places.h"
#include "plugins/importers/common/yaml_text.h"
#include "tests/unit/importers/import_fixture.h"

using namespace loader;
using test::ImportFixture;

namespace {

using app::Json;

void countLeaves(const std::string& key, const Json& value, std::map<std::string, int>& leaves) {
    const auto structured = [](const Json& entry) { return entry.is_structured(); };
    if (value.is_object() && !value.empty()) {
        for (const auto& [name, below] : value.items())
            countLeaves(key.empty() ? name : key + "." + name, below, leaves);
    } else if (value.is_array() && std::any_of(value.begin(), value.end(), structured)) {
        for (std::size_t i = 0; i < value.size(); ++i)
            countLeaves(key + "[" + std::to_string(i) + "]", value[i], leaves);
    } else {
        ++leaves[key];
    }
}

/// The keys of a file as a reader of the format counts them; nothing where the file is of no format known
/// here.
std::map<std::string, int> keysOf(const std::string& path) {
    const auto ends = [&path](std::string_view end) { return importers::endsWithNoCase(path, end); };
    const bool yaml = ends(".yaml") || ends(".yml");
    if (!yaml && !ends(".json") && !ends(".kcpps") && !ends(".kcppt")) return {};
    const auto text = yaml ? importers::readYamlFile(path) : app::readJsonFile(path);
    std::map<std::string, int> leaves;
    if (!text || !text->document.is_object()) return leaves;
    countLeaves({}, text->document, leaves);
    for (const std::string& again : text->repeated)
        ++leaves[again];
    return leaves;
}

std::string expectedPath(const std::string& name) {
    return ImportFixture::folderOfAll() + "/" + name + "/expected.json";
}

std::string contentOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// One line of the report in one line of text: what changes shows in a difference.
std::string goldenText(const Json& report, const ImportFixture& fixture) {
    std::string text = "{\"report\":[\n";
    const Json& lines = report.at("report");
    for (std::size_t i = 0; i < lines.size(); ++i)
        text += lines[i].dump(-1, ' ', false, Json::error_handler_t::replace) +
                (i + 1 < lines.size() ? ",\n" : "\n");
    return fixture.neutral(text + "]}\n");
}

}  // namespace

class TestImporterFixtures : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        const char* build = std::getenv("LOADER_BUILD_DIR");
        m_registry = std::make_unique<app::ImporterRegistry>(std::string(build ? build : "build") +
                                                             "/lib/gguf-loader/importers");
        QVERIFY2(!m_registry->importers().empty(), "the plugins were not found");
        for (const app::ImporterFacts& facts : m_registry->importers())
            QVERIFY2(facts.refusal.empty(), (facts.id + ": " + facts.refusal).c_str());
    }

    void everyCaseNamesItsSource() {
        QVERIFY(ImportFixture::all().size() >= 20);
        for (const std::string& name : ImportFixture::all()) {
            const ImportFixture fixture(name);
            QVERIFY2(fixture.description().value("keys_from", "").size() > 10, name.c_str());
            QVERIFY2(fixture.fault().empty(), fixture.fault().c_str());
        }
    }

    void report_data() { addCases(); }
    void report() {
        QFETCH(std::string, name);
        const ImportFixture fixture(name);
        const auto importer = m_registry->open(fixture.importer());
        QVERIFY2(importer, fixture.importer().c_str());
        test::MemoryTarget target;
        const auto before = fixture.state();
        const auto roots = fixture.roots();

        const auto dry = app::runImport(**importer, fixture.path(), roots, target, {true, false}, {}, {});
        const std::string error = fixture.description().value("error", "");
        if (!error.empty()) {
            QVERIFY2(!dry, "it was read");
            QCOMPARE(std::string(dry.error().name()), error);
            QVERIFY(fixture.state() == before);
            return;
        }
        QVERIFY2(dry, dry ? "" : dry.error().toString().c_str());
        QVERIFY2(target.contents() == test::MemoryTarget().contents(), "a dry run changed something");
        const std::string text = goldenText(dry->report.toJson(), fixture);
        if (std::getenv("LOADER_WRITE_GOLDENS")) std::ofstream(expectedPath(name), std::ios::binary) << text;
        QCOMPARE(QByteArray::fromStdString(text), QByteArray::fromStdString(contentOf(expectedPath(name))));

        const auto real = app::runImport(**importer, fixture.path(), roots, target, {}, {}, {});
        QVERIFY(real);
        QCOMPARE(goldenText(real->report.toJson(), fixture), text);
        const Json arrived = target.contents();
        const auto again = app::runImport(**importer, fixture.path(), roots, target, {}, {}, {});
        QVERIFY(again);
        QCOMPARE(goldenText(again->report.toJson(), fixture), text);
        QVERIFY2(target.contents() == arrived, "a second run changed something");
        QCOMPARE(again->settings + again->models + again->conversations + again->measurements,
                 std::size_t{0});
        QCOMPARE(again->recordedSettings, std::size_t{0});
        QVERIFY2(fixture.state() == before, "the source was changed");
    }

    void everyKeyIsAccountedFor_data() { addCases(); }
    void everyKeyIsAccountedFor() {
        QFETCH(std::string, name);
        const ImportFixture fixture(name);
        const auto importer = m_registry->open(fixture.importer());
        app::ImportRecorder recorder;
        if (!(*importer)->read(fixture.path(), fixture.roots(), recorder, {})) return;
        std::map<std::string, std::map<std::string, int>> told;
        for (const app::ReportLine& line : recorder.report().lines) {
            if (!line.source.key.empty()) ++told[line.source.file][line.source.key];
        }
        const Json byHand = fixture.description().value("keys", Json::object());
        for (const auto& [file, count] : byHand.items()) {
            int lines = 0;
            for (const auto& [key, times] : told[fixture.root() + "/" + file])
                lines += times;
            QCOMPARE(lines, count.get<int>());
        }
        // A pattern that fits several models sets each of them, so one key may have several lines.
        const bool several = fixture.description().value("several_lines_for_a_key", false);
        for (auto& [file, keys] : told) {
            auto expected = keysOf(file);
            if (expected.empty()) continue;
            if (several) {
                for (auto& [key, times] : keys)
                    times = expected.count(key) != 0 ? expected[key] : times;
            }
            for (const auto& [key, times] : expected)
                QVERIFY2(keys[key] == times, (file + ": " + key).c_str());
            QCOMPARE(keys.size(), expected.size());
        }
    }

    void whatIsFound_data() { addCases(); }
    void whatIsFound() {
        QFETCH(std::string, name);
        const ImportFixture fixture(name);
        const auto importer = m_registry->open(fixture.importer());
        const Json& wanted = fixture.description();
        if (wanted.contains("candidates")) {
            Json found = Json::array();
            for (const app::Candidate& candidate : (*importer)->findCandidates(fixture.roots()))
                found.push_back(fixture.neutral(candidate.path) + ": " + candidate.what);
            QCOMPARE(QByteArray::fromStdString(found.dump()),
                     QByteArray::fromStdString(wanted["candidates"].dump()));
        }
        if (wanted.contains("error")) return;
        const auto confidence = (*importer)->check(fixture.path());
        QVERIFY2(confidence != app::Confidence::No, "it does not know its own file");
        const auto recognised = m_registry->recognise(fixture.path());
        QVERIFY(recognised);
        QCOMPARE(std::string((*recognised)->id()), fixture.importer());
    }

    void cancelledRunsChangeNothing_data() { addCases(); }
    void cancelledRunsChangeNothing() {
        QFETCH(std::string, name);
        const ImportFixture fixture(name);
        const auto importer = m_registry->open(fixture.importer());
        test::MemoryTarget target;
        CancelFlag flag;
        flag.request();
        const auto outcome =
            app::runImport(**importer, fixture.path(), fixture.roots(), target, {}, {}, flag);
        QVERIFY(!outcome);
        QVERIFY(target.contents() == test::MemoryTarget().contents());
    }

    /// Cut off at any byte or with bytes changed, a file is an error or other lines, never a crash.
    void damagedSources_data() { addCases(); }
    void damagedSources() {
        QFETCH(std::string, name);
        const ImportFixture fixture(name);
        const auto importer = m_registry->open(fixture.importer());
        std::vector<std::string> files;
        for (const auto& [path, state] : fixture.state()) {
            const bool link = std::filesystem::is_symlink(path);
            if (!link && std::filesystem::is_regular_file(path) && !importers::endsWithNoCase(path, ".gguf"))
                files.push_back(path);
        }
        for (const std::string& path : files) {
            const std::string whole = contentOf(path);
            const std::size_t step = std::max<std::size_t>(whole.size() / 40, 1);
            for (std::size_t at = 0; at < whole.size(); at += step) {
                std::string damaged = at % 2 == 0 ? whole.substr(0, at) : whole;
                if (at % 2 != 0) damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(at % 7 + 1));
                std::ofstream(path, std::ios::binary) << damaged;
                app::ImportRecorder recorder;
                ignoreErrorBecause("either answer is fine",
                                   (*importer)->read(fixture.path(), fixture.roots(), recorder, {}));
            }
            std::ofstream(path, std::ios::binary) << whole;
        }
    }

private:
    void addCases() {
        QTest::addColumn<std::string>("name");
        for (const std::string& name : ImportFixture::all())
            QTest::newRow(name.c_str()) << name;
    }

    std::unique_ptr<app::ImporterRegistry> m_registry;
};

QTEST_GUILESS_MAIN(TestImporterFixtures)
#include "tst_importer_fixtures.moc"
