// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Which importers are found, what becomes of broken ones, and where they look.

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/app/import/importer_registry.h"
#include "core/app/import/search_roots.h"

using namespace loader;
using namespace loader::app;
namespace fs = std::filesystem;

namespace {

std::string installed() {
    const char* build = std::getenv("LOADER_BUILD_DIR");
    return std::string(build ? build : "build") + "/lib/gguf-loader/importers";
}

/// Knows one path, or throws.
class FakeImporter final : public Importer {
public:
    explicit FakeImporter(std::string id, bool throws = false) : m_id(std::move(id)), m_throws(throws) {}
    std::string_view id() const override { return m_id; }
    std::string_view displayName() const override { return "Fake"; }
    std::vector<Candidate> findCandidates(const SearchRoots& roots) const override {
        if (m_throws) static_cast<void>(std::string().at(1));
        return {{roots.home + "/fake", "settings"}};
    }
    Confidence check(const std::string& path) const override {
        if (m_throws) static_cast<void>(std::string().at(1));
        return path == "/fake" ? Confidence::Maybe : Confidence::No;
    }
    Status read(const std::string&, const SearchRoots&, ImportSink&, CancelToken) const override {
        return {};
    }

private:
    std::string m_id;
    bool m_throws;
};

}  // namespace

class TestImporterRegistry : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void theInstalledOnes() {
        ImporterRegistry registry(installed());
        for (const std::string id : {"consoul", "ctransformers", "hugging-face", "koboldcpp",
                                     "llama-cpp-presets", "llama-cpp-python", "text-generation-webui"}) {
            const auto importer = registry.open(id);
            QVERIFY2(importer, id.c_str());
            QCOMPARE(std::string((*importer)->id()), id);
            // What is read without loading agrees with what is loaded.
            const auto facts = std::find_if(registry.importers().begin(), registry.importers().end(),
                                            [&id](const ImporterFacts& one) { return one.id == id; });
            QCOMPARE(facts->displayName, std::string((*importer)->displayName()));
        }
        const auto unknown = registry.open("nobody");
        QCOMPARE(unknown.error().code(), Errc::C513);
        QVERIFY(unknown.error().action().find("koboldcpp") != std::string::npos);
        QCOMPARE(registry.recognise("/nonexistent").error().code(), Errc::C514);
    }

    void brokenOnesAreLeftOut() {
        const QTemporaryDir folder;
        const std::string place = folder.path().toStdString();
        std::ofstream(place + "/empty.so").close();
        std::ofstream(place + "/text.so") << "no library";
        const fs::path good = installed() + "/importer_koboldcpp.so";
        if (!fs::exists(good)) QSKIP("plugins have another name on this system");
        fs::copy_file(good, place + "/a.so");
        fs::copy_file(good, place + "/b.so");
        fs::copy_file(installed() + "/importer_consoul.so", place + "/open.so");
        fs::permissions(place + "/open.so", fs::perms::others_write, fs::perm_options::add);
        std::ifstream whole(good, std::ios::binary);
        std::string bytes{std::istreambuf_iterator<char>(whole), std::istreambuf_iterator<char>()};
        std::ofstream(place + "/cut.so", std::ios::binary) << bytes.substr(0, bytes.size() / 2);
        ImporterRegistry registry(place);
        std::map<std::string, std::string> refusals;
        for (const ImporterFacts& facts : registry.importers())
            refusals[fs::path(facts.path).filename().string()] = facts.refusal;
        QCOMPARE(refusals.size(), std::size_t{6});
        QCOMPARE(refusals["a.so"], std::string());
        for (const std::string name : {"b.so", "cut.so", "empty.so", "open.so", "text.so"})
            QVERIFY2(!refusals[name].empty(), name.c_str());
        QVERIFY(registry.open("koboldcpp"));
        QCOMPARE(registry.open("consoul").error().code(), Errc::C513);
        QCOMPARE(registry.knownIds(), std::string("koboldcpp"));
        QVERIFY(ImporterRegistry("/nonexistent").importers().empty());
    }

    void linkedInOnes() {
        ImporterRegistry registry("/nonexistent");
        registry.add(std::make_unique<FakeImporter>("fake"));
        registry.add(std::make_unique<FakeImporter>("thrower", true));
        SearchRoots roots;
        roots.home = "/h";
        const auto found = registry.findAll(roots, {});
        QVERIFY(found);
        QCOMPARE(found->size(), std::size_t{1});
        QCOMPARE(found->front().candidate.path, std::string("/h/fake"));
        // One that throws is left out from then on; the others work.
        QCOMPARE(registry.knownIds(), std::string("fake"));
        QVERIFY(registry.recognise("/fake"));
        CancelFlag flag;
        flag.request();
        QCOMPARE(registry.findAll(roots, flag).error().code(), Errc::X002);
    }

    void whereTheyLook() {
        std::map<std::string, std::string> set = {{"XDG_CONFIG_HOME", "/x/config"},
                                                  {"HF_TOKEN", "hidden"},
                                                  {"HF_HOME", "/hf"},
                                                  {"APPDATA", "C:/R"}};
        const auto lookup = [&set](const char* name) {
            const auto found = set.find(name);
            return found == set.end() ? std::string() : found->second;
        };
        const SearchRoots linux = searchRootsOf(SearchRoots::System::Linux, "/h", "/w", lookup);
        QCOMPARE(linux.configHome, std::string("/x/config"));
        QCOMPARE(linux.dataHome, std::string("/h/.local/share"));
        QCOMPARE(linux.cacheHome, std::string("/h/.cache"));
        QCOMPARE(linux.variable("HF_HOME"), std::string("/hf"));
        QVERIFY2(linux.variable("HF_TOKEN").empty(), "a token came in");
        const SearchRoots mac = searchRootsOf(SearchRoots::System::MacOs, "/h", "/w", lookup);
        QCOMPARE(mac.cacheHome, std::string("/h/Library/Caches"));
        QCOMPARE(mac.configHome, std::string("/h/Library/Preferences"));
        const SearchRoots windows = searchRootsOf(SearchRoots::System::Windows, "C:/U", "C:/w", lookup);
        QCOMPARE(windows.configHome, std::string("C:/R"));
        QCOMPARE(windows.dataHome, std::string("C:/U/AppData/Local"));
        for (const char* name : importVariables()) {
            const std::string text = name;
            QVERIFY(text.find("_KEY") == std::string::npos && text.find("TOKEN") == std::string::npos);
        }
    }
};

QTEST_GUILESS_MAIN(TestImporterRegistry)
#include "tst_importer_registry.moc"
