// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Saving settings on a machine that is stopped at every operation, whose power is cut there, whose disk is
// full, fails or may not be written: old or new, never neither; a damaged file is still somewhere.
// LOADER_CUTS raises the number of cuts at each operation.

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cstdlib>
#include <functional>

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

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
/// Longer than a sector, so that it can tear.
const std::string kPadding(3000, 'p');

std::string content(int number) {
    return Json({{"schema", 1}, {"unknown", {1, 2}}, {"pad", kPadding}, {"a", number}}).dump(2) + "\n";
}

JsonDocument open(FileOperations& files, const std::string& path = kPath) {
    return {files, path, folderOf(path) + "/lock", {1, {}, std::chrono::milliseconds(0)}};
}

Status saveNumber(FileOperations& files, int number, const std::string& path = kPath) {
    auto document = open(files, path);
    document.set({"a"}, number);
    return document.save();
}

int cutsOfEach() {
    const char* wanted = std::getenv("LOADER_CUTS");
    return wanted ? std::max(1, std::atoi(wanted)) : 40;
}

/// What is done on a disk, and what must be true of it afterwards however far that came.
struct Scenario {
    std::function<void(MemoryFiles&)> prepare;
    std::function<void(FileOperations&)> act;
    /// Empty where all is well.
    std::function<QString(MemoryFiles&)> check;
};

void fiveGenerations(MemoryFiles& files) {
    files.put(kPath, content(1), 0644);
    for (int number = 1; number <= 5; ++number)
        files.put(kPath + ("." + std::to_string(number)), content(-number));
}

/// One of these numbers, with all else that was there; and the next save works and leaves nothing lying
/// about.
QString holds(MemoryFiles& files, const std::vector<int>& numbers) {
    auto document = open(files);
    if (document.state() != DocumentState::Good) return "the file is not good";
    if (!document.notices().empty()) return QString::fromStdString(document.notices().front().toString());
    const Json number = document.value().value("a", Json(nullptr));
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end())
        return "a is " + QString::fromStdString(number.dump());
    if (document.value()["unknown"] != Json({1, 2}) || document.value()["pad"] != kPadding)
        return "something else was lost";
    const Status again = saveNumber(files, 77);
    if (!again.ok()) return "the next save fails: " + QString::fromStdString(again.error().toString());
    if (open(files).value()["a"] != Json(77)) return "the next save does not arrive";
    for (const std::string& path : files.paths())
        if (path.find(".part") != std::string::npos) return "left behind: " + QString::fromStdString(path);
    return {};
}

bool someFileIs(const MemoryFiles& files, const std::string& bytes) {
    const auto paths = files.paths();
    return std::any_of(paths.begin(), paths.end(),
                       [&](const std::string& path) { return files.get(path) == bytes; });
}

const std::string kDamaged = content(1).substr(0, 2000);

Scenario plainSave() {
    return {fiveGenerations, [](FileOperations& files) { (void)saveNumber(files, 2).ok(); },
            [](MemoryFiles& files) {
                return holds(files, {1, 2});
            }};
}

Scenario twoSaves() {
    return {fiveGenerations,
            [](FileOperations& files) {
                (void)saveNumber(files, 2).ok();
                (void)saveNumber(files, 3).ok();
            },
            [](MemoryFiles& files) {
                return holds(files, {1, 2, 3});
            }};
}

Scenario throughALink() {
    return {[](MemoryFiles& files) {
                files.putLink(kPath, "/d/real.json");
                files.put("/d/real.json", content(1));
            },
            [](FileOperations& files) { (void)saveNumber(files, 2).ok(); },
            [](MemoryFiles& files) {
                if (files.facts(kPath)->kind != FileKind::Link) return QString("the link is gone");
                return holds(files, {1, 2});
            }};
}

/// A first save: nothing or all of it.
Scenario firstSave() {
    return {[](MemoryFiles& files) { files.putFolder("/home"); },
            [](FileOperations& files) { (void)saveNumber(files, 2, "/home/c/config.json").ok(); },
            [](MemoryFiles& files) {
                auto document = open(files, "/home/c/config.json");
                const bool none = document.state() == DocumentState::Missing;
                const bool whole =
                    document.state() == DocumentState::Good && document.value()["a"] == Json(2);
                if (!none && !whole) return QString("half a first save");
                return saveNumber(files, 3, "/home/c/config.json").ok() ? QString() : "no second one";
            }};
}

/// The quarantine: the damaged bytes are somewhere, and the newest good generation counts.
Scenario quarantine() {
    return {[](MemoryFiles& files) {
                fiveGenerations(files);
                files.put(kPath, kDamaged);
            },
            [](FileOperations& files) { (void)open(files).state(); },
            [](MemoryFiles& files) {
                if (!someFileIs(files, kDamaged)) return QString("the damaged file is lost");
                if (open(files).value().value("a", 0) != -1) return QString("not the newest generation");
                if (!someFileIs(files, kDamaged)) return QString("the damaged file is lost afterwards");
                return holds(files, {-1});
            }};
}

}  // namespace

class TestSaveCrashes : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void stopped_data() { scenarios(); }
    void stopped();
    void powerCut_data() { scenarios(); }
    void powerCut();
    void diskFull();
    void failingCalls_data();
    void failingCalls();
    void readOnlyFolder();
    void killedProcess();

private:
    void scenarios();
    std::vector<Scenario> m_scenarios = {plainSave(), twoSaves(), throughALink(), firstSave(), quarantine()};
};

void TestSaveCrashes::scenarios() {
    QTest::addColumn<int>("index");
    QTest::newRow("X1 a save, X7 with five generations") << 0;
    QTest::newRow("X3 two saves") << 1;
    QTest::newRow("a save through a link") << 2;
    QTest::newRow("a first save") << 3;
    QTest::newRow("X8 a quarantine") << 4;
}

void TestSaveCrashes::stopped() {
    QFETCH(int, index);
    const Scenario& scenario = m_scenarios[static_cast<std::size_t>(index)];
    std::size_t stop = 0;
    for (bool ended = false; !ended; ++stop) {
        MemoryFiles memory;
        scenario.prepare(memory);
        FaultyFiles files(memory, stopAt(stop));
        scenario.act(files);
        ended = !files.stopped();
        memory.killProcess();
        const QString wrong = scenario.check(memory);
        QVERIFY2(wrong.isEmpty(), qPrintable(QString("stopped at call %1: %2").arg(stop).arg(wrong)));
    }
    QVERIFY(stop > 8);
}

/// X2, and the same of the others: any subset of what was not synced, torn sectors, names in any order.
void TestSaveCrashes::powerCut() {
    QFETCH(int, index);
    const Scenario& scenario = m_scenarios[static_cast<std::size_t>(index)];
    std::mt19937 random(static_cast<unsigned>(index) + 1);
    int cuts = 0;
    std::size_t stop = 0;
    for (bool ended = false; !ended; ++stop) {
        for (int i = 0; i < cutsOfEach(); ++i, ++cuts) {
            MemoryFiles memory;
            scenario.prepare(memory);
            FaultyFiles files(memory, stopAt(stop));
            scenario.act(files);
            ended = !files.stopped();
            memory.cutPower(random);
            const QString wrong = scenario.check(memory);
            QVERIFY2(wrong.isEmpty(), qPrintable(QString("cut at call %1: %2").arg(stop).arg(wrong)));
        }
    }
    qInfo("%d cuts at %d places", cuts, int(stop));
}

/// X4: as many bytes free as it takes to fail at every one of the writes.
void TestSaveCrashes::diskFull() {
    int failures = 0;
    for (std::uint64_t room = 0; room < 16'000; room += 250) {
        MemoryFiles memory;
        fiveGenerations(memory);
        std::uint64_t used = 0;
        for (const std::string& path : memory.paths())
            used += memory.get(path)->size();
        memory.setCapacity(used + room);
        const Status saved = saveNumber(memory, 2);
        failures += !saved.ok();
        if (!saved.ok()) QCOMPARE(saved.error().code(), Errc::F806);
        memory.setCapacity(~std::uint64_t{0});
        const QString wrong = holds(memory, saved.ok() ? std::vector<int>{2} : std::vector<int>{1});
        QVERIFY2(wrong.isEmpty(), qPrintable(QString("%1 bytes free: %2").arg(room).arg(wrong)));
    }
    QVERIFY(failures > 10 && failures < 60);
}

void TestSaveCrashes::failingCalls_data() {
    QTest::addColumn<QString>("what");
    QTest::addColumn<QString>("words");
    QTest::newRow("49 no space") << "append"
                                 << "No space left on device";
    QTest::newRow("49 quota") << "append"
                              << "Disk quota exceeded";
    QTest::newRow("55 fsync") << "sync"
                              << "Input/output error";
    QTest::newRow("55 fsync of the folder") << "syncFolder"
                                            << "Input/output error";
    QTest::newRow("56 EXDEV") << "rename"
                              << "Invalid cross-device link";
    QTest::newRow("56 EPERM") << "rename"
                              << "Operation not permitted";
    QTest::newRow("close") << "close"
                           << "Input/output error";
    QTest::newRow("create") << "create"
                            << "Too many open files";
    QTest::newRow("remove") << "remove"
                            << "Input/output error";
}

/// Each call of a kind fails once, the others work; then all of them fail.
void TestSaveCrashes::failingCalls() {
    QFETCH(QString, what);
    QFETCH(QString, words);
    const auto kind = what.toStdString();
    int failed = 0;
    for (int one = -1; one < 12; ++one) {
        MemoryFiles memory;
        fiveGenerations(memory);
        memory.put("/c/config.json.part0", "left over");
        int count = 0;
        FaultyFiles files(memory, [&](const FileCall& call) {
            if (call.what != kind) return FileFault{};
            const bool now = one < 0 || count == one;
            ++count;
            return now ? FileFault{FaultKind::Fail, words.toStdString()} : FileFault{};
        });
        auto document = open(files);
        document.set({"a"}, 2);
        const Status saved = document.save();
        failed += !saved.ok();
        if (!saved.ok()) QVERIFY(saved.error().message().find(words.toStdString()) != std::string::npos);
        QCOMPARE(document.changed(), !saved.ok());
        // What failed may be tried again once the disk is well.
        const QString wrong = holds(memory, saved.ok() ? std::vector<int>{2} : std::vector<int>{1, 2});
        QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    }
    QVERIFY(failed >= 2);
}

/// X5 and 50: nothing is written, what is there counts, and the reason is said.
void TestSaveCrashes::readOnlyFolder() {
    MemoryFiles memory;
    fiveGenerations(memory);
    memory.makeReadOnly("/c");
    const auto before = memory.paths();
    QVERIFY(same(open(memory).value()["a"], Json(1)));
    QCOMPARE(saveNumber(memory, 2).error().code(), Errc::F806);
    QCOMPARE(memory.paths(), before);
    // A damaged file cannot be set aside there; the good generation counts all the same.
    MemoryFiles other;
    fiveGenerations(other);
    other.put(kPath, kDamaged);
    other.makeReadOnly("/c");
    const auto document = open(other);
    QVERIFY(same(document.value()["a"], Json(-1)));
    QVERIFY(document.notices().size() >= 2);
    QCOMPARE(*other.get(kPath), kDamaged);
}

/// X1 on a real disk: a real process that is gone in the middle, with its lock.
void TestSaveCrashes::killedProcess() {
#ifdef _WIN32
    QSKIP("needs fork()");
#else
    const QTemporaryDir folder;
    const std::string path = folder.path().toStdString() + "/config.json";
    const auto system = systemFiles();
    for (std::size_t stop = 0;; ++stop) {
        const int before = 1000 + static_cast<int>(stop);
        QVERIFY(replaceFile(*system, path, content(before)).ok());
        const pid_t child = ::fork();
        if (child == 0) {
            FaultyFiles files(*system, [stop](const FileCall& call) {
                if (call.number == stop) ::_exit(9);
                return FileFault{};
            });
            ::_exit(saveNumber(files, 2, path).ok() ? 0 : 1);
        }
        int status = 0;
        QCOMPARE(::waitpid(child, &status, 0), child);
        QVERIFY(WIFEXITED(status) && WEXITSTATUS(status) != 1);
        auto document = open(*system, path);
        QCOMPARE(document.state(), DocumentState::Good);
        QVERIFY(document.value()["a"] == Json(before) || document.value()["a"] == Json(2));
        QVERIFY(same(document.value()["pad"], Json(kPadding)));
        const Status again = saveNumber(*system, 77, path);
        QVERIFY2(again.ok(), again.ok() ? "" : again.error().toString().c_str());
        if (WEXITSTATUS(status) == 0) {
            QVERIFY(stop > 10);
            break;
        }
    }
#endif
}

QTEST_GUILESS_MAIN(TestSaveCrashes)
#include "tst_save_crashes.moc"
