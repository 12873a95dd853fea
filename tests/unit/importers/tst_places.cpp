// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Paths of foreign files: faults 21 to 26 of the list for migrations.

#include <QTemporaryDir>
#include <QTest>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#ifndef _WIN32
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#endif

#include "plugins/importers/common/places.h"

using namespace loader;
using importers::PathState;
using importers::Place;
using importers::Places;

namespace {

app::SearchRoots rootsIn(const std::string& home) {
    app::SearchRoots roots;
    roots.home = home;
    roots.working = home + "/work";
    roots.environment = {{"MODELS", "/m"}, {"HF_HOME", "/hf"}};
    return roots;
}

PathState sleepyLook(const std::string& path) {
    if (path.find("/dead/") != std::string::npos) std::this_thread::sleep_for(std::chrono::seconds(3));
    return PathState::File;
}

}  // namespace

class TestPlaces : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void variables() {
        const app::SearchRoots roots = rootsIn("/home/a");
        QCOMPARE(importers::expandedPath("~/x", roots), std::string("/home/a/x"));
        QCOMPARE(importers::expandedPath("~", roots), std::string("/home/a"));
        QCOMPARE(importers::expandedPath("~other/x", roots), std::string("~other/x"));
        QCOMPARE(importers::expandedPath("a~/x", roots), std::string("a~/x"));
        QCOMPARE(importers::expandedPath("$HOME/x", roots), std::string("/home/a/x"));
        QCOMPARE(importers::expandedPath("${MODELS}/x", roots), std::string("/m/x"));
        QCOMPARE(importers::expandedPath("%HF_HOME%/x", roots), std::string("/hf/x"));
        QCOMPARE(importers::expandedPath("$GONE/$/100%", roots), std::string("$GONE/$/100%"));
        QCOMPARE(importers::expandedPath("${MODELS", roots), std::string("${MODELS"));
        app::SearchRoots windows = roots;
        windows.system = app::SearchRoots::System::Windows;
        windows.configHome = "C:/Users/a/AppData/Roaming";
        windows.dataHome = "C:/Users/a/AppData/Local";
        QCOMPARE(importers::expandedPath("%APPDATA%\\Jan", windows),
                 std::string("C:/Users/a/AppData/Roaming\\Jan"));
        QCOMPARE(importers::expandedPath("%LOCALAPPDATA%", windows), windows.dataHome);
    }

    void relativeOnes() {
        const QTemporaryDir folder;
        const std::string home = std::filesystem::canonical(folder.path().toStdString()).string();
        std::filesystem::create_directories(home + "/work");
        std::filesystem::create_directories(home + "/conf");
        std::ofstream(home + "/beside.gguf") << "GGUF";
        std::ofstream(home + "/work/started.gguf") << "GGUF";
        const app::SearchRoots roots = rootsIn(home);
        Places places(roots);
        QCOMPARE(places.resolve("../beside.gguf", home + "/conf").path, home + "/beside.gguf");
        QCOMPARE(places.resolve("started.gguf", home + "/conf").path, home + "/work/started.gguf");
        const Place gone = places.resolve("./x/../gone.gguf", home + "/conf");
        QCOMPARE(gone.path, home + "/conf/gone.gguf");
        QVERIFY(gone.state == PathState::Missing && !gone.note().empty());
        QVERIFY(places.resolve(home + "/conf", {}).state == PathState::Folder);
        // Above the root there is nothing more.
        QCOMPARE(places.resolve("/../../x.gguf", {}).path, std::string("/x.gguf"));
    }

    void whatIsNoFile() {
#ifndef _WIN32
        const QTemporaryDir folder;
        const std::string home = folder.path().toStdString();
        const app::SearchRoots roots = rootsIn(home);
        Places places(roots);
        QCOMPARE(::mkfifo((home + "/pipe.gguf").c_str(), 0600), 0);
        QVERIFY(places.resolve("pipe.gguf", home).state == PathState::Other);
        QVERIFY(places.resolve("/dev/zero", home).state == PathState::Other);
        const int server = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (home + "/s").copy(address.sun_path, sizeof address.sun_path - 1);
        QCOMPARE(::bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        QVERIFY(places.resolve("s", home).state == PathState::Other);
        ::close(server);
        QVERIFY(!importers::isGguf(home + "/pipe.gguf"));
        QCOMPARE(::symlink("loop", (home + "/loop").c_str()), 0);
        QVERIFY(places.resolve("loop", home).state == PathState::Missing);
#endif
    }

    void whatIsNoPathHere() {
        app::SearchRoots roots = rootsIn("/home/a");
        Places places(roots);
        for (const std::string text :
             {"", "C:\\models\\x.gguf", "d:/x", "\\\\server\\share\\x", "https://a.example/x.gguf"})
            QVERIFY2(!places.resolve(text, "/b").fault.empty(), text.c_str());
        QVERIFY(!places.resolve(std::string(5'000, 'a'), "/b").fault.empty());
        QVERIFY(!places.resolve(std::string("a\0b", 3), "/b").fault.empty());
        QVERIFY(places.resolve("CON", "/b").fault.empty());
        roots.system = app::SearchRoots::System::Windows;
        Places windows(roots);
        for (const std::string text :
             {"CON", "C:\\x\\NUL:", "aux.gguf", "COM1", "lpt9.bin", "C:\\x.", "C:\\x "})
            QVERIFY2(!windows.resolve(text, "C:\\b").fault.empty(), text.c_str());
        for (const std::string text : {"C:\\console.gguf", "com.gguf", "C:\\x\\auxiliary"})
            QVERIFY2(windows.resolve(text, "C:\\b").fault.empty(), text.c_str());
    }

    void deadSharesCostTheWaitOnce() {
        const app::SearchRoots roots = rootsIn("/home/a");
        Places places(roots, std::chrono::milliseconds(100), sleepyLook);
        const auto begin = std::chrono::steady_clock::now();
        QVERIFY(places.resolve("/dead/a.gguf", {}).state == PathState::Unreachable);
        QVERIFY(places.resolve("/dead/b.gguf", {}).state == PathState::Unreachable);
        QVERIFY(places.resolve("/alive/b.gguf", {}).state == PathState::File);
        QVERIFY(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
        QVERIFY(!places.resolve("/dead/b.gguf", {}).note().empty());
    }

    void names() {
        QCOMPARE(importers::fileName("/a/b.c"), std::string("b.c"));
        QCOMPARE(importers::folderOf("/a"), std::string("/"));
        QCOMPARE(importers::folderOf("a"), std::string());
        QCOMPARE(importers::stemOf("/a/x.tar.gz"), std::string("x.tar"));
        QCOMPARE(importers::stemOf("/a/.hidden"), std::string(".hidden"));
        QVERIFY(importers::endsWithNoCase("X.GGUF", ".gguf"));
        QVERIFY(!importers::endsWithNoCase("gguf", ".gguf"));
        QVERIFY(importers::namesIn("/nonexistent").empty());
        QVERIFY(importers::filesBelow("/nonexistent").empty());
    }
};

QTEST_GUILESS_MAIN(TestPlaces)
#include "tst_places.moc"
