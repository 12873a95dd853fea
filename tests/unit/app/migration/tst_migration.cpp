// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Backup, migration and rollback on a disk that fails: killed at every operation, power cut, full, read-only,
// used by two at once. Whatever happens, old files stay as they are, our configuration is the old or the new
// one, and what was begun is finished or undone.
//
// Budget: one machine and one list of disasters; each is short, and they share their helpers.

#include <QTest>
#include <map>
#include <random>

#include "core/app/migration/migration.h"
#include "core/app/migration/rollback.h"
#include "core/app/storage/file_steps.h"
#include "core/app/storage/json_document.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

using namespace loader;
using app::BackupRole;
using app::Json;
using app::MigrationOutcome;
using app::RollbackAction;
using test::FaultKind;
using test::FaultyFiles;
using test::FileCall;
using test::FileFault;
using test::MemoryFiles;

namespace {

constexpr const char* kConfig = "/cfg/gguf-loader/config.json";
constexpr const char* kLegacy = "/home/.gguf-loader/config.json";
constexpr const char* kStore = "/home/.config/GGUFLoader/FloatingChat.conf";
constexpr const char* kLog = "/home/.gguf-loader/logs/app.log";
constexpr const char* kOldConfig = "{\n  \"schema\": 1,\n  \"window\": {\"theme\": \"dark\"}\n}\n";
const std::string kLegacyText = R"({"n_ctx": 2048, "use_mlock": true, "api_key": "sk-never-written"})";

using Content = std::map<std::string, std::string>;

Content contentOf(const MemoryFiles& disk) {
    Content all;
    for (const std::string& path : disk.paths())
        if (const auto bytes = disk.get(path)) all[path] = *bytes;
    return all;
}

/// What is the user's, without what a migration keeps for itself.
Content ownContent(const MemoryFiles& disk) {
    Content own;
    for (const auto& [path, bytes] : contentOf(disk))
        if (!path.starts_with("/data/") && !path.ends_with(".lock") &&
            !path.starts_with(std::string(kConfig) + "."))
            own[path] = bytes;
    return own;
}

class Machine {
public:
    explicit Machine(bool hasConfig) {
        disk.put(kLegacy, kLegacyText, 0600);
        disk.put(kStore, "[General]\nbutton_position=@Point(1 2)\n", 0644);
        disk.put(kLog, std::string(3000, 'x'), 0640);
        disk.putFolder("/cfg");
        disk.putFolder("/data");
        disk.putFolder("/data/gguf-loader");
        if (hasConfig) disk.put(kConfig, kOldConfig, 0644);
        before = contentOf(disk);
    }

    app::MigrationPlaces places() const { return {kConfig, "/data/gguf-loader"}; }

    app::MigrationRequest request() const {
        app::MigrationRequest request;
        request.places = places();
        request.id = "2026-11-22T02-00-00Z";
        request.items = {{BackupRole::Legacy, kLegacy},
                         {BackupRole::Store, kStore},
                         {BackupRole::Log, kLog},
                         {BackupRole::Legacy, "/home/.gguf-loader/missing.json"}};
        request.models = {{"/srv/models/a.gguf", 4096, false}, {"/srv/models/gone.gguf", 0, true}};
        request.patience = std::chrono::milliseconds(0);
        return request;
    }

    static Result<app::ImportRecorder> plan() {
        app::ImportRecorder recorder;
        recorder.setting({kLegacy, "n_ctx"}, app::SettingOwner::global(), "load.context", 2048, 2048, {});
        recorder.setting({kLegacy, "use_mlock"}, app::SettingOwner::global(), "load.mlock", true, true, {});
        recorder.secret({kLegacy, "api_key"}, "it is a secret");
        return recorder;
    }

    app::MigrationSteps steps(app::FileOperations& files) {
        app::MigrationSteps steps;
        steps.plan = [this] {
            ++planned;
            return plan();
        };
        steps.arrive = [&files](const app::ImportRecorder& recorder) -> Status {
            app::JsonDocument config(files, kConfig, "/cfg/gguf-loader/settings.lock", {});
            config.allowReplacingLegacy();
            for (const app::RecordedSetting& setting : recorder.settings()) {
                const std::size_t dot = setting.key.find('.');
                config.set({setting.key.substr(0, dot), setting.key.substr(dot + 1)}, setting.value);
            }
            return config.save();
        };
        steps.log = [this](const std::string& line) { log.push_back(line); };
        return steps;
    }

    Result<MigrationOutcome> migrate(app::FileOperations& files) {
        return app::migrate(files, request(), steps(files), {});
    }
    Result<app::RollbackOutcome> rollBack(app::FileOperations& files, bool complete = true,
                                          bool force = false) {
        app::RollbackRequest request;
        request.places = places();
        request.id = "2026-11-22T03-00-00Z";
        request.complete = complete;
        request.force = force;
        request.patience = std::chrono::milliseconds(0);
        return app::rollBack(files, request, [this](const std::string& line) { log.push_back(line); }, {});
    }

    bool isMigrated() const {
        const auto bytes = disk.get(kConfig);
        const Json config = bytes ? Json::parse(*bytes, nullptr, false) : Json();
        return config.is_object() && config.contains("load") &&
               config["load"].value("mlock", Json()) == true &&
               config["load"].value("context", Json()) == 2048;
    }
    /// Old files as they were; our own as it was, or whole and new.
    std::string damage() const {
        for (const auto& [path, bytes] : before)
            if (path != kConfig && disk.get(path) != bytes) return path + " changed";
        const auto now = disk.get(kConfig);
        const auto old = before.find(kConfig);
        const bool asBefore = old == before.end() ? !now : now == old->second;
        return asBefore || isMigrated() ? ""
                                        : "the configuration is neither old nor new: " + now.value_or("none");
    }
    /// Everything as before, but for the backups.
    bool isAsBefore() const {
        Content own = ownContent(disk);
        return own == before;
    }

    MemoryFiles disk;
    Content before;
    std::vector<std::string> log;
    int planned = 0;
};

/// Damage, then recovery, then all of it once more.
std::string afterwards(Machine& machine, bool migrated) {
    std::string damage = machine.damage();
    if (!damage.empty()) return damage;
    const auto recovered = app::recoverMigration(machine.disk, machine.places());
    if (!recovered) return "no recovery: " + recovered.error().toString();
    damage = machine.damage();
    if (!damage.empty()) return "after recovery: " + damage;
    if (machine.disk.get(machine.places().journal())) return "the journal is still there";
    const auto done = machine.migrate(machine.disk);
    if (!done) return "no second attempt: " + done.error().toString();
    if (!machine.isMigrated()) return "the second attempt changed nothing";
    static_cast<void>(migrated);
    const auto back = machine.rollBack(machine.disk);
    if (!back) return "no rollback: " + back.error().toString();
    if (back->fault()) return "rollback: " + back->fault()->toString();
    return machine.isAsBefore() ? "" : "the rollback left something behind";
}

std::function<FileFault(const FileCall&)> failAt(std::size_t number, const std::string& words) {
    return [number, words](const FileCall& call) {
        return call.number == number && call.what != "lock" ? FileFault{FaultKind::Fail, words} : FileFault{};
    };
}

}  // namespace

class TestMigration : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everythingArrives_data() { bothMachines(); }
    void everythingArrives();
    void fiveRunsAreOne_data() { bothMachines(); }
    void fiveRunsAreOne();
    void aDryRunTouchesNothing();
    void theBackupIsNeverOpenToMore();
    void rollbackRestoresByteForByte_data() { bothMachines(); }
    void rollbackRestoresByteForByte();
    void quickRollbackLeavesStoresAndLogs();
    void whatChangedSinceIsLeftAlone();
    void killedAnywhere_data() { bothMachines(); }
    void killedAnywhere();
    void rollbackKilledAnywhere_data() { bothMachines(); }
    void rollbackKilledAnywhere();
    void powerCutAnywhere_data() { bothMachines(); }
    void powerCutAnywhere();
    void rollbackPowerCutAnywhere();
    void everyWriteMayFail_data() { bothMachines(); }
    void everyWriteMayFail();
    void fullDisks();
    void readOnlyFolders();
    void twoInstances();
    void anOldFileInOurPlace();
    void aSourceThatChangesMeanwhile();
    void aTestLoadThatFails();
    void damagedBackups();
    void unreadableSources();
    void linksAreFollowed();
    void theLogTellsNoValues();
    void clocksThatGoBack();

private:
    static void bothMachines() {
        QTest::addColumn<bool>("hasConfig");
        QTest::newRow("no configuration yet") << false;
        QTest::newRow("a configuration") << true;
    }
};

void TestMigration::everythingArrives() {
    QFETCH(bool, hasConfig);
    Machine machine(hasConfig);
    auto steps = machine.steps(machine.disk);
    bool loaded = false;
    steps.testLoad = [&] {
        loaded = machine.isMigrated();
        return Status();
    };
    const auto done = app::migrate(machine.disk, machine.request(), steps, {});
    QVERIFY2(done.ok(), done ? "" : done.error().toString().c_str());
    QVERIFY(done->changed && done->proven && !done->unproven && loaded);
    QVERIFY(machine.isMigrated());
    QCOMPARE(machine.damage(), std::string());
    QCOMPARE(done->report.lines.size(), std::size_t{3});
    QVERIFY(*app::isMigrated(machine.disk, machine.places(), machine.request().items));
    // What it had before is still in it.
    if (hasConfig) QVERIFY(machine.disk.get(kConfig)->find("dark") != std::string::npos);
    const auto manifest = app::readBackup(machine.disk, "/data/gguf-loader/backups/" + done->backup);
    QVERIFY(manifest.ok());
    QVERIFY(app::verifyBackup(machine.disk, *manifest).ok());
    QCOMPARE(manifest->entries.size(), std::size_t{5});
    QCOMPARE(manifest->find(kConfig)->wasMissing(), !hasConfig);
    QVERIFY(manifest->find("/home/.gguf-loader/missing.json")->wasMissing());
    const std::string inventory = *machine.disk.get(manifest->folder + "/models.txt");
    QCOMPARE(inventory, std::string("4096\t/srv/models/a.gguf\nmissing\t/srv/models/gone.gguf\n"));
}

void TestMigration::fiveRunsAreOne() {
    QFETCH(bool, hasConfig);
    Machine machine(hasConfig);
    QVERIFY(machine.migrate(machine.disk).ok());
    const Content once = contentOf(machine.disk);
    const std::size_t lines = machine.log.size();
    for (int run = 0; run < 5; ++run) {
        const auto again = machine.migrate(machine.disk);
        QVERIFY(again.ok() && !again->changed);
        QCOMPARE(again->report.lines.size(), std::size_t{3});
        QVERIFY(contentOf(machine.disk) == once);
    }
    QCOMPARE(machine.log.size(), lines);
}

void TestMigration::aDryRunTouchesNothing() {
    Machine machine(true);
    FaultyFiles files(machine.disk);
    auto request = machine.request();
    request.dryRun = true;
    const auto done = app::migrate(files, request, machine.steps(files), {});
    QVERIFY(done.ok() && !done->changed);
    QCOMPARE(done->report.lines.size(), std::size_t{3});
    QCOMPARE(files.calls().size(), std::size_t{0});
    const auto real = machine.migrate(machine.disk);
    QVERIFY(real.ok());
    QVERIFY(real->report.toJson() == done->report.toJson());
    const Content before = contentOf(machine.disk);
    app::RollbackRequest back;
    back.places = machine.places();
    back.dryRun = true;
    const auto told = app::rollBack(machine.disk, back, {}, {});
    QVERIFY(told.ok());
    QVERIFY(told->lines.front().action == RollbackAction::Restored);
    QVERIFY(contentOf(machine.disk) == before);
}

void TestMigration::theBackupIsNeverOpenToMore() {
    Machine machine(true);
    const auto done = machine.migrate(machine.disk);
    QVERIFY(done.ok());
    const std::string folder = "/data/gguf-loader/backups/" + done->backup;
    QVERIFY((machine.disk.modeOf(folder) & 077u) == 0);
    for (const std::string& path : machine.disk.paths())
        if (path.starts_with(folder + "/")) QVERIFY2((machine.disk.modeOf(path) & 077u) == 0, path.c_str());
    const auto manifest = app::readBackup(machine.disk, folder);
    QCOMPARE(manifest->find(kLog)->mode, 0640u);
    QCOMPARE(manifest->find(kLegacy)->mode, 0600u);
}

void TestMigration::rollbackRestoresByteForByte() {
    QFETCH(bool, hasConfig);
    Machine machine(hasConfig);
    QVERIFY(machine.migrate(machine.disk).ok());
    // The log was lost, and the rest is as the migration left it.
    QVERIFY(machine.disk.remove(kLog).ok());
    FaultyFiles files(machine.disk);
    const auto back = machine.rollBack(files);
    QVERIFY2(back.ok() && !back->fault(), back ? "" : back.error().toString().c_str());
    QVERIFY(machine.isAsBefore());
    QCOMPARE(machine.disk.modeOf(kLog), 0640u);
    if (hasConfig) QCOMPARE(machine.disk.modeOf(kConfig), 0644u);
    // What equals the backup was not written.
    for (const std::string& call : files.calls())
        QVERIFY2(call.find(kLegacy) == std::string::npos && call.find(kStore) == std::string::npos,
                 call.c_str());
    // Nothing is left to undo, and it may be taken over again.
    QVERIFY(machine.rollBack(machine.disk).error().code() == Errc::C508);
    QVERIFY(!*app::isMigrated(machine.disk, machine.places(), machine.request().items));
    const auto again = machine.migrate(machine.disk);
    QVERIFY(again.ok() && again->changed && machine.isMigrated());
}

void TestMigration::quickRollbackLeavesStoresAndLogs() {
    Machine machine(true);
    QVERIFY(machine.migrate(machine.disk).ok());
    machine.disk.put(kStore, "changed by the old program");
    QVERIFY(machine.disk.remove(kLog).ok());
    const auto back = machine.rollBack(machine.disk, false);
    QVERIFY(back.ok() && !back->fault());
    QVERIFY(*machine.disk.get(kConfig) == kOldConfig);
    QVERIFY(*machine.disk.get(kStore) == "changed by the old program");
    QVERIFY(!machine.disk.get(kLog));
}

void TestMigration::whatChangedSinceIsLeftAlone() {
    Machine machine(true);
    QVERIFY(machine.migrate(machine.disk).ok());
    machine.disk.put(kConfig, R"({"schema":1,"mine":true})");
    machine.disk.put(kLegacy, "{}");
    const auto careful = machine.rollBack(machine.disk);
    QVERIFY(careful.ok() && careful->fault());
    QVERIFY(careful->fault()->code() == Errc::C510);
    QVERIFY(*machine.disk.get(kConfig) == R"({"schema":1,"mine":true})");
    QVERIFY(*machine.disk.get(kLegacy) == "{}");
    const auto forced = machine.rollBack(machine.disk, true, true);
    QVERIFY(forced.ok() && !forced->fault());
    QVERIFY(machine.isAsBefore());
    const auto saved = app::readBackup(machine.disk, "/data/gguf-loader/backups/" + forced->changedSaved);
    QVERIFY(saved.ok());
    QCOMPARE(saved->entries.size(), std::size_t{2});
    QVERIFY(*machine.disk.get(saved->folder + "/" + saved->find(kLegacy)->stored) == "{}");
}

void TestMigration::killedAnywhere() {
    QFETCH(bool, hasConfig);
    std::size_t calls = 0;
    {
        Machine machine(hasConfig);
        FaultyFiles files(machine.disk);
        QVERIFY(machine.migrate(files).ok());
        calls = files.calls().size();
    }
    QVERIFY(calls > 40);
    for (std::size_t at = 0; at < calls; ++at) {
        Machine machine(hasConfig);
        FaultyFiles files(machine.disk, test::stopAt(at));
        const auto killed = machine.migrate(files);
        QVERIFY(files.stopped());
        machine.disk.killProcess();
        const std::string fault = afterwards(machine, killed.ok());
        QVERIFY2(fault.empty(), ("operation " + std::to_string(at) + ": " + fault).c_str());
    }
}

void TestMigration::rollbackKilledAnywhere() {
    QFETCH(bool, hasConfig);
    std::size_t calls = 1;
    for (std::size_t at = 0; at < calls; ++at) {
        Machine machine(hasConfig);
        QVERIFY(machine.migrate(machine.disk).ok());
        machine.disk.put(kLog, "changed");
        FaultyFiles files(machine.disk, test::stopAt(at));
        const auto killed = machine.rollBack(files, true, true);
        if (!files.stopped()) break;
        calls = at + 2;
        machine.disk.killProcess();
        const auto now = machine.disk.get(kConfig);
        const bool whole = machine.isMigrated() || (hasConfig ? now == kOldConfig : !now);
        QVERIFY2(whole, now.value_or("none").c_str());
        const auto again = machine.rollBack(machine.disk, true, true);
        // It may have been finished just before it was killed.
        QVERIFY2(again.ok() || again.error().code() == Errc::C508,
                 again ? "" : again.error().toString().c_str());
        QVERIFY2(machine.isAsBefore(), std::to_string(at).c_str());
    }
    QVERIFY(calls > 20);
}

void TestMigration::powerCutAnywhere() {
    QFETCH(bool, hasConfig);
    std::mt19937 random(7);
    bool more = true;
    std::size_t cuts = 0;
    for (std::size_t at = 0; more; ++at) {
        for (int chance = 0; chance < 20; ++chance, ++cuts) {
            Machine machine(hasConfig);
            FaultyFiles files(machine.disk, test::stopAt(at));
            const auto cut = machine.migrate(files);
            more = files.stopped();
            machine.disk.cutPower(random);
            const std::string fault = afterwards(machine, cut.ok());
            QVERIFY2(fault.empty(), ("operation " + std::to_string(at) + ": " + fault).c_str());
        }
    }
    QVERIFY(cuts > 800);
}

void TestMigration::rollbackPowerCutAnywhere() {
    std::mt19937 random(8);
    bool more = true;
    for (std::size_t at = 0; more; ++at) {
        for (int chance = 0; chance < 20; ++chance) {
            Machine machine(true);
            QVERIFY(machine.migrate(machine.disk).ok());
            FaultyFiles files(machine.disk, test::stopAt(at));
            const auto cut = machine.rollBack(files);
            more = files.stopped();
            machine.disk.cutPower(random);
            QVERIFY(machine.isMigrated() || machine.disk.get(kConfig) == kOldConfig);
            const auto again = machine.rollBack(machine.disk);
            QVERIFY(again.ok() || again.error().code() == Errc::C508);
            QVERIFY2(machine.isAsBefore(), std::to_string(at).c_str());
        }
    }
}

void TestMigration::everyWriteMayFail() {
    QFETCH(bool, hasConfig);
    for (const char* words : {"No space left on device", "Input/output error", "Invalid cross-device link"}) {
        bool reached = true;
        for (std::size_t at = 0; reached; ++at) {
            Machine machine(hasConfig);
            FaultyFiles files(machine.disk, failAt(at, words));
            const auto failed = machine.migrate(files);
            reached = files.calls().size() > at;
            if (!failed) QVERIFY2(failed.error().code() == Errc::F806, failed.error().toString().c_str());
            const std::string fault = afterwards(machine, failed.ok());
            QVERIFY2(fault.empty(), (std::to_string(at) + ": " + fault).c_str());
        }
    }
}

void TestMigration::fullDisks() {
    for (std::uint64_t room = 0; room < 12'000; room += 97) {
        Machine machine(true);
        std::uint64_t used = 0;
        for (const auto& [path, bytes] : machine.before)
            used += bytes.size();
        machine.disk.setCapacity(used + room);
        const auto full = machine.migrate(machine.disk);
        if (!full) QVERIFY2(full.error().code() == Errc::F806, full.error().toString().c_str());
        QCOMPARE(machine.damage(), std::string());
        machine.disk.setCapacity(~std::uint64_t{0});
        const std::string fault = afterwards(machine, full.ok());
        QVERIFY2(fault.empty(), (std::to_string(room) + ": " + fault).c_str());
    }
}

void TestMigration::readOnlyFolders() {
    for (const char* folder : {"/data/gguf-loader", "/cfg/gguf-loader", "/data"}) {
        Machine machine(true);
        machine.disk.makeReadOnly(folder);
        const auto refused = machine.migrate(machine.disk);
        if (folder == std::string("/data")) continue;
        QVERIFY2(!refused.ok(), folder);
        QVERIFY(refused.error().code() == Errc::F806);
        QVERIFY2(machine.damage().empty() && !machine.isMigrated(), folder);
    }
}

void TestMigration::twoInstances() {
    Machine machine(true);
    const auto held = machine.disk.lock(machine.places().lock(), std::chrono::milliseconds(0));
    QVERIFY(held.ok());
    const auto second = machine.migrate(machine.disk);
    QVERIFY(!second.ok() && second.error().code() == Errc::C506);
    QVERIFY(machine.rollBack(machine.disk).error().code() == Errc::C506);
    QVERIFY(ownContent(machine.disk) == machine.before);
}

/// ~/.config/gguf-loader/config.json was a place of the old program too; it has no mark.
void TestMigration::anOldFileInOurPlace() {
    Machine machine(false);
    machine.disk.put(kConfig, R"({"n_ctx": 2048, "use_mlock": true})", 0640);
    machine.before = contentOf(machine.disk);
    auto request = machine.request();
    request.items.insert(request.items.begin(), {BackupRole::Legacy, kConfig});
    const auto done = app::migrate(machine.disk, request, machine.steps(machine.disk), {});
    QVERIFY2(done.ok(), done ? "" : done.error().toString().c_str());
    QVERIFY(done->changed && machine.isMigrated());
    // It is ours now, and no longer among the old ones.
    const auto again = machine.migrate(machine.disk);
    QVERIFY(again.ok() && !again->changed);
    const auto back = machine.rollBack(machine.disk, false);
    QVERIFY(back.ok() && !back->fault());
    QVERIFY(machine.isAsBefore());
    QCOMPARE(machine.disk.modeOf(kConfig), 0640u);
}

void TestMigration::aSourceThatChangesMeanwhile() {
    Machine machine(true);
    auto steps = machine.steps(machine.disk);
    int planned = 0;
    FaultyFiles files(machine.disk, [&](const FileCall& call) {
        // The old program writes after the first look and before the copy is made.
        if (call.what == "create" && call.path.ends_with("unfinished.part0"))
            machine.disk.put(kLegacy, R"({"n_ctx": 4096})");
        return FileFault{};
    });
    steps.plan = [&]() -> Result<app::ImportRecorder> {
        ++planned;
        return Machine::plan();
    };
    const auto done = app::migrate(files, machine.request(), steps, {});
    QVERIFY(done.ok());
    QCOMPARE(planned, 2);
    // What is marked is what was taken over: the next run has nothing to do.
    const auto again = app::migrate(machine.disk, machine.request(), steps, {});
    QVERIFY(again.ok() && !again->changed);
}

void TestMigration::aTestLoadThatFails() {
    Machine machine(false);
    auto steps = machine.steps(machine.disk);
    steps.testLoad = [] { return Status(Error(Errc::F802, {}, "/srv/models/a.gguf")); };
    const auto done = app::migrate(machine.disk, machine.request(), steps, {});
    QVERIFY(done.ok() && done->changed && !done->proven);
    QVERIFY(done->unproven && done->unproven->code() == Errc::C511);
    QVERIFY(machine.isMigrated());
    QVERIFY(machine.rollBack(machine.disk).ok() && machine.isAsBefore());
}

void TestMigration::damagedBackups() {
    Machine machine(true);
    QVERIFY(machine.rollBack(machine.disk).error().code() == Errc::C508);
    const auto done = machine.migrate(machine.disk);
    QVERIFY(done.ok());
    const std::string folder = "/data/gguf-loader/backups/" + done->backup;
    const auto manifest = app::readBackup(machine.disk, folder);
    const std::string text = *machine.disk.get(folder + "/manifest.json");
    for (std::size_t at = 0; at < text.size(); at += 5) {
        std::string damaged = text;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
        machine.disk.put(folder + "/manifest.json", damaged);
        const auto back = machine.rollBack(machine.disk);
        // What cannot be what was written is refused; a changed path is another file, which was not there.
        if (back)
            QVERIFY(!back->fault() || back->fault()->code() == Errc::C510 ||
                    back->fault()->code() == Errc::C507);
        for (const auto& [path, bytes] : machine.before)
            if (path != kConfig) QVERIFY2(machine.disk.get(path) == bytes, path.c_str());
    }
    machine.disk.put(folder + "/manifest.json", text);
    const std::string copy = folder + "/" + manifest->find(kConfig)->stored;
    machine.disk.put(copy, "something else");
    app::RollbackRequest request;
    request.places = machine.places();
    request.backup = done->backup;
    QVERIFY(app::rollBack(machine.disk, request, {}, {}).error().code() == Errc::C507);
    request.backup = "../backups/" + done->backup;
    QVERIFY(app::rollBack(machine.disk, request, {}, {}).error().code() == Errc::X005);
}

void TestMigration::unreadableSources() {
    Machine machine(true);
    machine.disk.putPipe("/home/.gguf-loader/pipe.json");
    machine.disk.putLink("/home/.gguf-loader/loop.json", "/home/.gguf-loader/loop.json");
    auto request = machine.request();
    request.items.push_back({BackupRole::Legacy, "/home/.gguf-loader/pipe.json"});
    request.items.push_back({BackupRole::Legacy, "/home/.gguf-loader/loop.json"});
    const auto done = app::migrate(machine.disk, request, machine.steps(machine.disk), {});
    QVERIFY2(done.ok(), done ? "" : done.error().toString().c_str());
    const auto manifest = app::readBackup(machine.disk, "/data/gguf-loader/backups/" + done->backup);
    QVERIFY(!manifest->find("/home/.gguf-loader/pipe.json")->fault.empty());
    QVERIFY(!manifest->find("/home/.gguf-loader/loop.json")->fault.empty());
    // What was not backed up is told, and left alone.
    const auto back = machine.rollBack(machine.disk);
    QVERIFY(back.ok() && back->fault()->code() == Errc::C507);
    QVERIFY(*machine.disk.get(kConfig) == kOldConfig);
}

void TestMigration::linksAreFollowed() {
    Machine machine(false);
    machine.disk.put("/elsewhere/config.json", kOldConfig, 0600);
    machine.disk.putLink(kConfig, "/elsewhere/config.json");
    QVERIFY(machine.migrate(machine.disk).ok());
    QVERIFY(machine.isMigrated());
    QVERIFY(machine.rollBack(machine.disk).ok());
    QVERIFY(*machine.disk.get("/elsewhere/config.json") == kOldConfig);
    QVERIFY(machine.disk.facts(kConfig)->kind == app::FileKind::Link);
}

void TestMigration::theLogTellsNoValues() {
    Machine machine(false);
    QVERIFY(machine.migrate(machine.disk).ok());
    QVERIFY(machine.rollBack(machine.disk).ok());
    QVERIFY(machine.log.size() > 8);
    for (const std::string& line : machine.log) {
        QVERIFY2(line.find("2048") == std::string::npos, line.c_str());
        QVERIFY2(line.find("sk-never") == std::string::npos, line.c_str());
        QVERIFY(line.find('\n') == std::string::npos);
    }
    // The copy of the file is the only other place where the secret is, and nobody else may read it.
    for (const auto& [path, bytes] : contentOf(machine.disk))
        if (bytes.find("sk-never") != std::string::npos)
            QVERIFY2((machine.disk.modeOf(path) & 077u) == 0, path.c_str());
}

void TestMigration::clocksThatGoBack() {
    Machine machine(true);
    QVERIFY(machine.migrate(machine.disk).ok());
    machine.disk.put(kLegacy, R"({"n_ctx": 1})");
    auto request = machine.request();
    request.id = "1999-01-01T00-00-00Z";
    const auto later = app::migrate(machine.disk, request, machine.steps(machine.disk), {});
    QVERIFY(later.ok() && later->changed);
    // The same second once more is another backup.
    machine.disk.put(kLegacy, R"({"n_ctx": 2})");
    const auto same = app::migrate(machine.disk, request, machine.steps(machine.disk), {});
    QVERIFY(same.ok() && same->backup == "1999-01-01T00-00-00Z-2");
    const auto back = machine.rollBack(machine.disk);
    QVERIFY(back.ok() && back->backup == same->backup);
    QCOMPARE(app::listBackups(machine.disk, machine.places().backups()).size(), std::size_t{3});
}

QTEST_GUILESS_MAIN(TestMigration)
#include "tst_migration.moc"
