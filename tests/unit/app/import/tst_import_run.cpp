// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Dry and real runs into the configuration: the same report, all or nothing, and nothing on a second run.

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <set>

#include "core/app/import/program_target.h"
#include "core/app/storage/file_operations.h"

using namespace loader;
using namespace loader::app;

namespace {

/// Hands over whatever the test says.
class ScriptedImporter final : public Importer {
public:
    using Script = std::function<Status(ImportSink&)>;
    explicit ScriptedImporter(Script script) : m_script(std::move(script)) {}
    std::string_view id() const override { return "scripted"; }
    std::string_view displayName() const override { return "Scripted"; }
    std::vector<Candidate> findCandidates(const SearchRoots&) const override { return {}; }
    Confidence check(const std::string&) const override { return Confidence::Sure; }
    Status read(const std::string&, const SearchRoots&, ImportSink& sink, CancelToken) const override {
        return m_script(sink);
    }

private:
    Script m_script;
};

Status usual(ImportSink& sink) {
    sink.model({"f", "m"}, {"/m/a.gguf", "a", {}, {}});
    sink.setting({"f", "context"}, SettingOwner::global(), settings::kLoadContext, 4096, 4096);
    sink.setting({"f", "threads"}, SettingOwner::model("/m/a.gguf"), settings::kLoadThreads, 4, 4);
    sink.setting({"f", "temp"}, SettingOwner::preset("Story"), settings::kSamplingTemperature, 1.2, 1.2);
    sink.setting({"f", "folder"}, SettingOwner::global(), settings::kModelsFolders, Json::array({"/m"}),
                 "/m");
    sink.conversation({"f", "c"}, {"id", "Talk", {}, {}, {}, {}});
    sink.secret({"f", "key"}, "A secret is not taken over");
    return {};
}

class Program {
public:
    Program() : m_files(systemFiles()), m_store(*m_files, folder()) {}
    std::string folder() const { return m_folder.path().toStdString() + "/config"; }
    ConfigStore& store() { return m_store; }
    ProgramTarget target() {
        ImportKeepers keepers;
        keepers.models = [this](std::span<const ImportedModel> list) -> Result<std::size_t> {
            const std::size_t before = models.size();
            for (const ImportedModel& model : list)
                models.insert(model.path);
            return models.size() - before;
        };
        keepers.conversations = [this](std::span<const ImportedConversation> list,
                                       const ImportTarget::Progress&, CancelToken) -> Result<std::size_t> {
            const std::size_t before = conversations.size();
            for (const ImportedConversation& one : list)
                conversations.insert(one.identity);
            return conversations.size() - before;
        };
        return ProgramTarget(m_store, keepers);
    }
    Json exported() {
        ConfigStore again(*m_files, folder());
        return again.exported();
    }
    std::set<std::string> models;
    std::set<std::string> conversations;

private:
    QTemporaryDir m_folder;
    std::unique_ptr<FileOperations> m_files;
    ConfigStore m_store;
};

Result<ImportOutcome> run(Program& program, const ScriptedImporter::Script& script,
                          ImportOptions options = {}) {
    ProgramTarget target = program.target();
    return runImport(ScriptedImporter(script), "f", {}, target, options, {}, {});
}

}  // namespace

class TestImportRun : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void dryAndReal() {
        Program program;
        const auto dry = run(program, usual, {true, false});
        QVERIFY(dry);
        QVERIFY(!std::filesystem::exists(program.folder()));
        QCOMPARE(dry->recordedSettings, std::size_t{4});
        QCOMPARE(dry->settings + dry->models + dry->conversations, std::size_t{0});
        const auto real = run(program, usual);
        QVERIFY2(real, real ? "" : real.error().toString().c_str());
        QVERIFY(real->report.toJson() == dry->report.toJson());
        QCOMPARE(real->settings, std::size_t{4});
        QCOMPARE(real->models, std::size_t{1});
        QCOMPARE(real->conversations, std::size_t{1});
        QCOMPARE(program.store().get<settings::LoadContext>(), std::int64_t{4096});
        QVERIFY(*program.store().values(SettingOwner::model("/m/a.gguf")).find(settings::kLoadThreads) ==
                Json(4));
        QVERIFY(*program.store().values(SettingOwner::preset("Story")).find(settings::kSamplingTemperature) ==
                Json(1.2));
        const Json arrived = program.exported();
        const auto again = run(program, usual);
        QVERIFY(again);
        QVERIFY(again->report.toJson() == dry->report.toJson());
        QCOMPARE(again->settings + again->models + again->conversations, std::size_t{0});
        QVERIFY(program.exported() == arrived);
        QVERIFY(real->toJson()["dry_run"] == Json(false));
    }

    void whatTheUserSetStays() {
        Program program;
        QVERIFY(program.store().set(settings::kLoadContext, 512));
        QVERIFY(program.store().set(settings::kModelsFolders, Json::array({"/own"})));
        QVERIFY(program.store().save());
        const auto kept = run(program, usual);
        QVERIFY(kept);
        QVERIFY(kept->report.lines[1].verdict == ImportVerdict::Ignored);
        QCOMPARE(program.store().get<settings::LoadContext>(), std::int64_t{512});
        // Folders come to those that are there.
        QVERIFY(program.store().get(settings::kModelsFolders) == Json({"/own", "/m"}));
        const auto overwritten = run(program, usual, {false, true});
        QVERIFY(overwritten);
        QCOMPARE(overwritten->settings, std::size_t{1});
        QCOMPARE(program.store().get<settings::LoadContext>(), std::int64_t{4096});
    }

    void failures() {
        Program program;
        const auto failed = run(program, [](ImportSink& sink) -> Status {
            ignoreErrorBecause("the error comes after it", usual(sink));
            return Error(Errc::C515, {"locked"});
        });
        QCOMPARE(failed.error().code(), Errc::C515);
        const auto thrown = run(program, [](ImportSink&) -> Status {
            static_cast<void>(std::string().at(1));
            return {};
        });
        QCOMPARE(thrown.error().code(), Errc::C501);
        QVERIFY(!std::filesystem::exists(program.folder()));
        QVERIFY(program.models.empty() && program.conversations.empty());
        CancelFlag flag;
        flag.request();
        ProgramTarget target = program.target();
        const auto cancelled = runImport(ScriptedImporter(usual), "f", {}, target, {}, {}, flag);
        QCOMPARE(cancelled.error().code(), Errc::X002);
        QVERIFY(program.models.empty());
    }

    void whatNobodyKeepsIsAnError() {
        Program program;
        ProgramTarget target(program.store(), {});
        const auto outcome = runImport(ScriptedImporter(usual), "f", {}, target, {}, {}, {});
        QCOMPARE(outcome.error().code(), Errc::X003);
    }
};

QTEST_GUILESS_MAIN(TestImportRun)
#include "tst_import_run.moc"
