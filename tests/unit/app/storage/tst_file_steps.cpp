// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Files on a real disk and on the one in memory: both must behave alike, or tests on the latter would mean
// nothing.

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "core/app/storage/file_steps.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

/// The same steps on either.
struct Place {
    QTemporaryDir temporary;
    MemoryFiles memory;
    std::unique_ptr<FileOperations> real = systemFiles();
    FileOperations* files = nullptr;
    std::string folder;

    explicit Place(bool onDisk) : files(onDisk ? real.get() : &memory) {
        folder = onDisk ? temporary.path().toStdString() : "/home/of/tests";
        if (!onDisk) memory.putFolder(folder);
    }
    std::string at(const std::string& name) const { return joined(folder, name); }
    std::string read(const std::string& name) const {
        auto bytes = files->read(at(name));
        return bytes.ok() ? *bytes : bytes.error().toString();
    }
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        const auto entries = files->list(folder);
        if (!entries.ok()) return {entries.error().toString()};
        for (const FolderEntry& entry : *entries)
            names.push_back(entry.name);
        return names;
    }
};

void bothPlaces() {
    QTest::addColumn<bool>("onDisk");
    QTest::newRow("memory") << false;
    QTest::newRow("disk") << true;
}

}  // namespace

class TestFileSteps : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void pathsAreTakenApart();
    void aFileIsReplaced_data() { bothPlaces(); }
    void aFileIsReplaced();
    void aLinkIsFollowed_data() { bothPlaces(); }
    void aLinkIsFollowed();
    void foldersAreMade_data() { bothPlaces(); }
    void foldersAreMade();
    void aCopyIsProven_data() { bothPlaces(); }
    void aCopyIsProven();
    void leftoversGo_data() { bothPlaces(); }
    void leftoversGo();
    void aLockKeepsOthersOut_data() { bothPlaces(); }
    void aLockKeepsOthersOut();
    void aStaleLockIsTakenOver();
    void aBusyFileIsTriedAgain();
    void theCallsAreInOrder();
    void aCutTakesWhatWasNotSynced();
};

void TestFileSteps::pathsAreTakenApart() {
    QCOMPARE(folderOf("/a/b/c"), std::string("/a/b"));
    QCOMPARE(folderOf("/c"), std::string("/"));
    QCOMPARE(folderOf("c"), std::string("."));
    QCOMPARE(fileNameOf("/a/b/c"), std::string("c"));
    QCOMPARE(joined("/a", "b"), std::string("/a/b"));
    QCOMPARE(joined("/", "b"), std::string("/b"));
    QCOMPARE(sha256Of("abc"),
             std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

void TestFileSteps::aFileIsReplaced() {
    QFETCH(bool, onDisk);
    const Place place(onDisk);
    QVERIFY(replaceFile(*place.files, place.at("a"), "one").ok());
    QCOMPARE(place.read("a"), std::string("one"));
    QCOMPARE(place.files->facts(place.at("a"))->mode, 0600u);
    QVERIFY(place.files->setMode(place.at("a"), 0644).ok());
    QVERIFY(replaceFile(*place.files, place.at("a"), "two").ok());
    QCOMPARE(place.read("a"), std::string("two"));
    QCOMPARE(place.files->facts(place.at("a"))->mode, 0644u);
    QVERIFY(replaceFile(*place.files, place.at("a"), "", 0600, true).ok());
    QCOMPARE(place.files->facts(place.at("a"))->mode, 0600u);
    QCOMPARE(place.names(), std::vector<std::string>{"a"});
    QCOMPARE(replaceFile(*place.files, place.at("no/a"), "x").error().code(), Errc::F806);
    QCOMPARE(replaceFile(*place.files, place.folder, "x").error().code(), Errc::F806);
}

void TestFileSteps::aLinkIsFollowed() {
    QFETCH(bool, onDisk);
    Place place(onDisk);
    const auto link = [&](const std::string& name, const std::string& target) {
        if (onDisk)
            std::filesystem::create_symlink(target, place.at(name));
        else
            place.memory.putLink(place.at(name), target);
    };
    link("near", "real");
    link("far", "near");
    link("round", "about");
    link("about", "round");
    QVERIFY(replaceFile(*place.files, place.at("far"), "through").ok());
    QCOMPARE(place.read("real"), std::string("through"));
    QCOMPARE(place.files->facts(place.at("far"))->kind, FileKind::Link);
    QCOMPARE(place.files->facts(place.at("real"))->kind, FileKind::Regular);
    QCOMPARE(replaceFile(*place.files, place.at("round"), "x").error().code(), Errc::F805);
}

void TestFileSteps::foldersAreMade() {
    QFETCH(bool, onDisk);
    const Place place(onDisk);
    QVERIFY(makeFolders(*place.files, place.at("x/y/z")).ok());
    QVERIFY(makeFolders(*place.files, place.at("x/y/z")).ok());
    QCOMPARE(place.files->facts(place.at("x/y/z"))->kind, FileKind::Folder);
    QCOMPARE(place.files->facts(place.at("x"))->mode, 0700u);
    QVERIFY(replaceFile(*place.files, place.at("x/y/z/f"), "x").ok());
    QVERIFY(!place.files->removeFolder(place.at("x/y/z")).ok());
    QVERIFY(place.files->remove(place.at("x/y/z/f")).ok());
    QVERIFY(place.files->removeFolder(place.at("x/y/z")).ok());
    QVERIFY(place.files->removeFolder(place.at("x/y/z")).ok());
    QVERIFY(place.files->remove(place.at("nothing")).ok());
}

void TestFileSteps::aCopyIsProven() {
    QFETCH(bool, onDisk);
    const Place place(onDisk);
    const std::string bytes(200'000, 'q');
    QVERIFY(replaceFile(*place.files, place.at("a"), bytes, 0644).ok());
    const auto hash = copyFile(*place.files, place.at("a"), place.at("b"), 0700);
    QVERIFY(hash.ok());
    QCOMPARE(*hash, sha256Of(bytes));
    QCOMPARE(*sha256OfFile(*place.files, place.at("b")), *hash);
    QCOMPARE(place.read("b"), bytes);
    QCOMPARE(place.files->facts(place.at("b"))->mode, 0600u);
    QVERIFY(!copyFile(*place.files, place.at("a"), place.at("b")).ok());
    QCOMPARE(copyFile(*place.files, place.at("none"), place.at("c")).error().code(), Errc::F802);
    QCOMPARE(copyFile(*place.files, place.folder, place.at("c")).error().code(), Errc::C512);
    QCOMPARE(place.names(), (std::vector<std::string>{"a", "b"}));
}

void TestFileSteps::leftoversGo() {
    QFETCH(bool, onDisk);
    const Place place(onDisk);
    for (const char* name : {"a", "a.part0", "a.part17", "a.part", "a.partial", "a.part100",
                             "a.broken-1.part3", "ab.part0", "b.part0"})
        QVERIFY(replaceFile(*place.files, place.at(name), "x").ok());
    QVERIFY(removeLeftovers(*place.files, place.at("a")).ok());
    QCOMPARE(place.names(),
             (std::vector<std::string>{"a", "a.part", "a.part100", "a.partial", "ab.part0", "b.part0"}));
}

void TestFileSteps::aLockKeepsOthersOut() {
    QFETCH(bool, onDisk);
    const Place place(onDisk);
    const auto patience = std::chrono::milliseconds(20);
    {
        const auto held = place.files->lock(place.at("l"), patience);
        QVERIFY(held.ok());
        const auto second = place.files->lock(place.at("l"), patience);
        QCOMPARE(second.error().code(), Errc::C506);
        const std::string who = onDisk ? std::to_string(QCoreApplication::applicationPid()) : "another";
        QVERIFY(second.error().message().find(who) != std::string::npos);
    }
    QVERIFY(place.files->lock(place.at("l"), patience).ok());
    QCOMPARE(place.files->lock(place.at("none/l"), patience).error().code(), Errc::F806);
}

/// As a process leaves it that was killed: its number is that of none.
void TestFileSteps::aStaleLockIsTakenOver() {
    const Place place(true);
    QVERIFY(replaceFile(*place.files, place.at("l"),
                        "3999999\nsome-program\n" + QSysInfo::machineHostName().toStdString() + "\n")
                .ok());
    QVERIFY(place.files->lock(place.at("l"), std::chrono::milliseconds(100)).ok());
}

void TestFileSteps::aBusyFileIsTriedAgain() {
    MemoryFiles memory;
    memory.put("/c/a", "old");
    int busy = 9;
    FaultyFiles files(memory, [&busy](const FileCall& call) {
        return call.what == "rename" && busy-- > 0 ? FileFault{FaultKind::Busy, {}} : FileFault{};
    });
    QVERIFY(replaceFile(files, "/c/a", "new").ok());
    QCOMPARE(*memory.get("/c/a"), std::string("new"));
    busy = 10;
    QCOMPARE(replaceFile(files, "/c/a", "newer").error().code(), Errc::F806);
    QCOMPARE(*memory.get("/c/a"), std::string("new"));
    QCOMPARE(memory.paths(), std::vector<std::string>{"/c/a"});
}

void TestFileSteps::theCallsAreInOrder() {
    MemoryFiles memory;
    memory.put("/c/a", "old");
    FaultyFiles files(memory);
    QVERIFY(replaceFile(files, "/c/a", "new").ok());
    QCOMPARE(files.calls(),
             (std::vector<std::string>{"create /c/a.part0", "append /c/a.part0", "sync /c/a.part0",
                                       "close /c/a.part0", "rename /c/a.part0 /c/a", "syncFolder /c"}));
}

/// The disk of tests is only worth something if it loses what a real one may lose.
void TestFileSteps::aCutTakesWhatWasNotSynced() {
    std::mt19937 random(1);
    int lost = 0;
    int torn = 0;
    for (int i = 0; i < 200; ++i) {
        MemoryFiles memory;
        memory.put("/c/a", "old");
        auto file = memory.create("/c/n", 0600);
        QVERIFY((*file)->append(std::string(3000, 'x')).ok());
        QVERIFY(*memory.rename("/c/n", "/c/a"));
        memory.cutPower(random);
        const std::string now = memory.get("/c/a").value_or("");
        lost += now == "old";
        torn += now != "old" && now != std::string(3000, 'x');
    }
    QVERIFY(lost > 20);
    QVERIFY(torn > 20);
}

QTEST_GUILESS_MAIN(TestFileSteps)
#include "tst_file_steps.moc"
