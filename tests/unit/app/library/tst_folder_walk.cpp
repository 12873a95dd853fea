// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is found in folders, and what nobody stumbles over: links in circles, pipes, devices, sockets, names
// without end, folders that may not be read, places that never answer.

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/app/library/place_scanner.h"
#include "core/app/library/stores.h"

#ifndef _WIN32
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace loader::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct Tree {
    QTemporaryDir folder;
    fs::path root{fs::path(folder.path().toStdString())};

    fs::path write(const std::string& name, const std::string& content) const {
        const fs::path path = root / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    fs::path model(const std::string& name) const {
        return write(name, "GGUF" + name + std::string(64, '.'));
    }

    WalkResult walk(PlaceKind kind = PlaceKind::Folder, const KnownFiles& known = {}) const {
        LibraryPlace place;
        place.kind = kind;
        place.path = root.string();
        WalkState state;
        return walkPlace(place, known, state);
    }
    /// Names below the folder.
    std::vector<std::string> found(PlaceKind kind = PlaceKind::Folder) const {
        std::vector<std::string> names;
        for (const FoundFile& file : walk(kind).files)
            names.push_back(fs::path(file.path).lexically_relative(root).generic_string());
        std::sort(names.begin(), names.end());
        return names;
    }
};

using Names = std::vector<std::string>;

}  // namespace

class FolderWalk : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void byContent();
    void hiddenOnesAreLeftOut();
    void anyDepth();
    void linksOnce();
    void oddFiles();
    void veryLongNames();
    void foldersThatMayNotBeRead();
    void knownFilesAreNotOpened();
    void hubCache();
    void blobStore();
    void damagedManifests();
    void missingPlaces();
    void placesThatNeverAnswer();
    void cancel();
};

void FolderWalk::byContent() {
    const Tree tree;
    tree.model("a.gguf");
    tree.model("no ending");
    tree.model("b.bin");
    tree.write("text.gguf", "no model, but somebody thinks so");
    tree.write("short.gguf", "GGUF");
    tree.write("short", "GGUF");
    tree.write("text.txt", "no model at all, and long enough to be looked at");
    tree.write("empty", "");
    QCOMPARE(tree.found(), (Names{"a.gguf", "b.bin", "no ending", "short.gguf", "text.gguf"}));
}

void FolderWalk::hiddenOnesAreLeftOut() {
    const Tree tree;
    tree.model(".hidden.gguf");
    tree.model(".git/a.gguf");
    tree.model("seen/a.gguf");
    QCOMPARE(tree.found(), Names{"seen/a.gguf"});
    // A hidden folder that somebody named is looked at.
    LibraryPlace place;
    place.path = (tree.root / ".git").string();
    WalkState state;
    QCOMPARE(walkPlace(place, {}, state).files.size(), std::size_t{1});
}

void FolderWalk::anyDepth() {
    const Tree tree;
    std::string deep;
    for (int i = 0; i < 60; ++i)
        deep += "d/";
    tree.model(deep + "a.gguf");
    QCOMPARE(tree.found().size(), std::size_t{1});
}

void FolderWalk::linksOnce() {
#ifndef _WIN32
    const Tree tree;
    const Tree other;
    const fs::path far = other.model("far/b.gguf");
    const fs::path real = tree.model("real/a.gguf");
    fs::create_directory_symlink(other.root, tree.root / "elsewhere");
    fs::create_directory_symlink(tree.root, tree.root / "real" / "circle");
    fs::create_directory_symlink("..", tree.root / "real" / "up");
    fs::create_symlink(real, tree.root / "z-again.gguf");
    fs::create_hard_link(real, tree.root / "zz-hard.gguf");
    fs::create_symlink("loop", tree.root / "loop");
    fs::create_symlink("nowhere", tree.root / "dangling.gguf");
    // By name before deeper folders, and each once: the link in the root, and the file behind the other link.
    const auto found = tree.walk().files;
    QCOMPARE(found.size(), std::size_t{2});
    QCOMPARE(tree.found(), (Names{"elsewhere/far/b.gguf", "z-again.gguf"}));
    QVERIFY(tree.walk().notes.empty());
#endif
}

void FolderWalk::oddFiles() {
#ifndef _WIN32
    const Tree tree;
    tree.model("a.gguf");
    QCOMPARE(::mkfifo((tree.root / "pipe.gguf").c_str(), 0600), 0);
    fs::create_symlink("/dev/zero", tree.root / "device.gguf");
    fs::create_symlink("/dev/tty", tree.root / "terminal.gguf");
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string place = (tree.root / "s.gguf").string();
    if (place.size() < sizeof address.sun_path) {
        std::copy(place.begin(), place.end(), address.sun_path);
        QCOMPARE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    fs::create_directory(tree.root / "folder.gguf");
    QCOMPARE(tree.found(), Names{"a.gguf"});
    ::close(socket);
#endif
}

void FolderWalk::veryLongNames() {
#ifndef _WIN32
    const Tree tree;
    tree.model("a.gguf");
    tree.model(std::string(200, 'x') + ".gguf");
    // A path longer than the system takes can only be made step by step.
    const fs::path before = fs::current_path();
    fs::current_path(tree.root);
    const std::string part(250, 'y');
    for (int i = 0; i < 20; ++i) {
        if (::mkdir(part.c_str(), 0700) != 0 || ::chdir(part.c_str()) != 0) break;
    }
    std::ofstream("b.gguf") << "GGUF";
    for (int i = 0; i < 20; ++i)
        QCOMPARE(::chdir(".."), 0);
    fs::current_path(before);
    const auto result = tree.walk();
    QCOMPARE(result.files.size(), std::size_t{2});
    QVERIFY(!beginsAsModel("/" + std::string(5000, 'z')));
    QVERIFY(!identify("/" + std::string(5000, 'z')).ok());
    LibraryPlace place;
    place.path = "/" + std::string(5000, 'z');
    WalkState state;
    QVERIFY(walkPlace(place, {}, state).files.empty());
    // QTemporaryDir cannot remove such a path either.
    fs::current_path(tree.root);
    QCOMPARE(std::system("rm -rf ./yyy*"), 0);
    fs::current_path(before);
#endif
}

void FolderWalk::foldersThatMayNotBeRead() {
#ifndef _WIN32
    if (::geteuid() == 0) QSKIP("the administrator may read everything");
    const Tree tree;
    tree.model("a.gguf");
    tree.model("locked/b.gguf");
    fs::permissions(tree.root / "locked", fs::perms::none);
    const auto result = tree.walk();
    fs::permissions(tree.root / "locked", fs::perms::owner_all);
    QCOMPARE(result.files.size(), std::size_t{1});
    QCOMPARE(result.notes.size(), std::size_t{1});
    QCOMPARE(result.notes[0].code(), Errc::F804);
#endif
}

void FolderWalk::knownFilesAreNotOpened() {
#ifndef _WIN32
    const Tree tree;
    const fs::path path = tree.write("blob", std::string(100, 'x'));
    QVERIFY(tree.found().empty());
    const auto identity = identify(path.string());
    QVERIFY(identity.ok());
    // Who knows it as a model takes it for one as long as it is unchanged.
    QCOMPARE(tree.walk(PlaceKind::Folder, {{path.string(), *identity}}).files.size(), std::size_t{1});
    FileIdentity other = *identity;
    other.modified -= 1;
    QVERIFY(tree.walk(PlaceKind::Folder, {{path.string(), other}}).files.empty());
#endif
}

void FolderWalk::hubCache() {
#ifndef _WIN32
    const Tree tree;
    const std::string sha(64, 'e');
    const std::string old(64, 'd');
    const std::string repository = "models--some--model-GGUF/";
    tree.model(repository + "blobs/" + sha);
    tree.model(repository + "blobs/" + old);
    tree.model(repository + "blobs/" + std::string(64, 'f') + ".incomplete");
    const std::string commit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    tree.write(repository + "refs/main", commit + "\n");
    const fs::path base = tree.root / "models--some--model-GGUF" / "snapshots";
    fs::create_directories(base / commit / "sub");
    fs::create_directories(base / "aaaa");
    fs::create_symlink("../../../blobs/" + sha, base / commit / "sub" / "m-Q4_0.gguf");
    fs::create_symlink("../../blobs/" + sha, base / "aaaa" / "old-name.gguf");
    fs::create_symlink("../../blobs/" + old, base / "aaaa" / "m-Q8_0.gguf");
    tree.model("models--some--model-GGUF/.no_exist/x.gguf");
    tree.model("datasets--some--data/blobs/x");
    const auto files = tree.walk(PlaceKind::HubCache).files;
    std::map<std::string, FoundFile> byName;
    for (const FoundFile& file : files)
        byName[fs::path(file.path).filename().string()] = file;
    // The branch main gives the name where several revisions have one file.
    QVERIFY(byName.contains("m-Q4_0.gguf"));
    QVERIFY(!byName.contains("old-name.gguf"));
    QCOMPARE(byName["m-Q4_0.gguf"].repository, std::string("some/model-GGUF"));
    QCOMPARE(byName["m-Q4_0.gguf"].sha256, sha);
    QCOMPARE(byName["m-Q8_0.gguf"].sha256, old);
    for (const FoundFile& file : files)
        QVERIFY2(file.path.find("/blobs/e") == std::string::npos, file.path.c_str());
#endif
}

void FolderWalk::blobStore() {
    const Tree tree;
    const std::string sha(64, 'a');
    tree.model("blobs/sha256-" + sha);
    tree.write("blobs/sha256-" + std::string(64, 'b'), "a template, which is no model but long enough");
    const auto manifest = [&](const std::string& digest) {
        return R"({"schemaVersion":2,"layers":[{"mediaType":"application/vnd.ollama.image.template","digest":"sha256:)" +
               std::string(64, 'b') + R"("},{"mediaType":"application/vnd.ollama.image.model","digest":")" +
               digest + R"("}]})";
    };
    tree.write("manifests/registry.ollama.ai/library/some/7b", manifest("sha256:" + sha));
    tree.write("manifests/registry.ollama.ai/library/some/latest", manifest("sha256:" + sha));
    tree.write("manifests/other.host/user/thing/v1", manifest("sha256:" + std::string(64, 'c')));
    tree.write("manifests/other.host/user/evil/v1", manifest("sha256:../../../../etc/passwd"));
    const auto result = tree.walk();
    QCOMPARE(result.files.size(), std::size_t{1});
    QCOMPARE(result.files[0].name, std::string("some:7b"));
    QCOMPARE(result.files[0].sha256, sha);
    QVERIFY(result.notes.empty());
}

void FolderWalk::damagedManifests() {
    const Tree tree;
    fs::create_directories(tree.root / "blobs");
    tree.write("manifests/a/b/c/1", "{");
    tree.write("manifests/a/b/c/2", "[1,2]");
    tree.write("manifests/a/b/c/3", R"({"layers":7})");
    tree.write(
        "manifests/a/b/c/4",
        R"({"layers":[1,{"mediaType":1,"digest":2},{"mediaType":"application/vnd.ollama.image.model","digest":3}]})");
    tree.write("manifests/a/b/c/5", std::string(200'000, '['));
    const auto result = tree.walk();
    QVERIFY(result.files.empty());
    QCOMPARE(result.notes.size(), std::size_t{2});
}

void FolderWalk::missingPlaces() {
    const Tree tree;
    LibraryPlace place;
    place.path = (tree.root / "absent").string();
    WalkState state;
    QVERIFY(walkPlace(place, {}, state).missing);
    // A folder that is a file is taken as that file; a single file that is a folder is told.
    place.path = tree.model("a.gguf").string();
    QCOMPARE(walkPlace(place, {}, state).files.size(), std::size_t{1});
    place.kind = PlaceKind::Single;
    place.path = tree.root.string();
    const auto result = walkPlace(place, {}, state);
    QVERIFY(result.files.empty());
    QCOMPARE(result.notes.at(0).code(), Errc::F803);
}

void FolderWalk::placesThatNeverAnswer() {
    // The threads end after the test did not wait for them.
    const auto slow = [](const LibraryPlace& place, const KnownFiles& known, WalkState& state) {
        if (place.path == "/dead") std::this_thread::sleep_for(900ms);
        for (int i = 0; place.path == "/busy" && i < 10; ++i) {
            std::this_thread::sleep_for(60ms);
            ++state.steps;
        }
        LibraryPlace quick = place;
        quick.path = "/absent";
        WalkResult result = walkPlace(quick, known, state);
        result.files.push_back({place.path + "/found", {}, {}, {}, {}});
        return result;
    };
    PlaceScanner scanner(slow, 250ms);
    std::vector<LibraryPlace> places;
    for (const char* path : {"/dead", "/fine", "/busy"})
        places.push_back({PlaceKind::Folder, path, {}, {}, {}, false});
    const auto known = std::make_shared<const KnownFiles>();
    auto begin = std::chrono::steady_clock::now();
    auto scans = scanner.scan(places, known, {});
    QVERIFY(scans.ok());
    QCOMPARE((*scans)[0].unreachable->code(), Errc::C518);
    QVERIFY((*scans)[0].found.files.empty());
    QVERIFY(!(*scans)[1].unreachable && (*scans)[1].found.files.size() == 1);
    // Slow is not dead: what moves is waited for.
    QVERIFY(!(*scans)[2].unreachable && (*scans)[2].found.files.size() == 1);
    // While it still hangs nobody waits for it again.
    begin = std::chrono::steady_clock::now();
    scans = scanner.scan(std::span(places).first(2), known, {});
    QVERIFY(scans.ok() && (*scans)[0].unreachable.has_value());
    QVERIFY(std::chrono::steady_clock::now() - begin < 200ms);
    // Once it answers again, it is looked at again.
    std::this_thread::sleep_for(700ms);
    PlaceScanner patient(slow, 5000ms);
    scans = patient.scan(std::span(places).first(1), known, {});
    QVERIFY(scans.ok() && !(*scans)[0].unreachable);
}

void FolderWalk::cancel() {
    const auto endless = [](const LibraryPlace&, const KnownFiles&, WalkState& state) {
        while (!state.stop) {
            ++state.steps;
            std::this_thread::sleep_for(1ms);
        }
        return WalkResult{};
    };
    PlaceScanner scanner(endless);
    CancelFlag flag;
    std::thread asker([&flag] {
        std::this_thread::sleep_for(50ms);
        flag.request();
    });
    const std::vector<LibraryPlace> places = {{PlaceKind::Folder, "/x", {}, {}, {}, false}};
    const auto scans = scanner.scan(places, std::make_shared<const KnownFiles>(), flag);
    asker.join();
    QVERIFY(!scans.ok());
    QCOMPARE(scans.error().code(), Errc::X002);
}

}  // namespace loader::app

QTEST_GUILESS_MAIN(loader::app::FolderWalk)
#include "tst_folder_walk.moc"
