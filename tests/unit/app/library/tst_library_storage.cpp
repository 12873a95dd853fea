// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Index and book of the library: what comes back, what damage costs, and that the book is never overwritten.

#include <sqlite3.h>

#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "core/app/library/library_index.h"
#include "core/app/library/model_book.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

IndexedFile fileAt(const std::string& path) {
    IndexedFile file;
    file.path = path;
    file.identity = {FileIdentity::Kind::File, 123, -5, 7, ~std::uint64_t{0}, 42};
    file.name = "name";
    file.repository = "org/name";
    file.sha256 = std::string(64, 'a');
    file.facts.name = "Zürich";
    file.facts.types = {{"Q4_K", 1, 2}, {"F32", 3, 4}};
    file.facts.parameters = ~std::uint64_t{0};
    return file;
}

bool same(const IndexedFile& a, const IndexedFile& b) {
    return a.path == b.path && a.identity == b.identity && a.name == b.name && a.repository == b.repository &&
           a.sha256 == b.sha256 && protocol::encode(a.facts) == protocol::encode(b.facts) &&
           a.fault.size() == b.fault.size();
}

std::string contentOf(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

void write(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

class LibraryStorage : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void rowsComeBack();
    void oneChangeOrNone();
    void anotherVersion();
    void notADatabase_data();
    void notADatabase();
    void damageAnywhere();
    void aFlippedBitInARow();
    void noPlaceForIt();
    void twoAtOnce();
    void bookComesBack();
    void brokenBook_data();
    void brokenBook();
    void newerBook();
    void refusedChange();
    void bookOfTwoPrograms();

private:
    static std::string in(const QTemporaryDir& folder) {
        return folder.filePath("library.sqlite").toStdString();
    }
};

void LibraryStorage::rowsComeBack() {
    const QTemporaryDir folder;
    // A path may be no UTF-8, and have a zero nowhere but at its end.
    std::vector<IndexedFile> files = {fileAt("/a/b.gguf"), fileAt("/a/\xFF\xFE.gguf"), fileAt("/z")};
    files[2].fault = {Error(Errc::GG055, {"t", "1", "2"}, "offset 7")};
    {
        const auto index = LibraryIndex::open(in(folder), "1");
        QVERIFY(!index->note());
        QVERIFY(index->change(files, {}).ok());
    }
    const auto index = LibraryIndex::open(in(folder), "1");
    QVERIFY(!index->note());
    const auto back = index->load();
    QCOMPARE(back.size(), files.size());
    for (std::size_t i = 0; i < files.size(); ++i)
        QVERIFY(std::any_of(back.begin(), back.end(),
                            [&](const IndexedFile& file) { return same(file, files[i]); }));
    for (const IndexedFile& file : back) {
        if (file.path == "/z") QCOMPARE(file.fault[0].toString(), files[2].fault[0].toString());
    }
    const std::string gone = "/a/b.gguf";
    QVERIFY(index->change({}, {&gone, 1}).ok());
    QCOMPARE(index->load().size(), std::size_t{2});
}

void LibraryStorage::oneChangeOrNone() {
    const QTemporaryDir folder;
    const auto index = LibraryIndex::open(in(folder), "1");
    std::vector<IndexedFile> files(200);
    for (std::size_t i = 0; i < files.size(); ++i)
        files[i] = fileAt("/" + std::to_string(i));
    QVERIFY(index->change(files, {}).ok());
    QVERIFY(index->change({}, {}).ok());
    // Another program holds the pen.
    sqlite3* other = nullptr;
    QCOMPARE(sqlite3_open(in(folder).c_str(), &other), SQLITE_OK);
    QCOMPARE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    const std::vector<IndexedFile> more = {fileAt("/more")};
    const auto changed = index->change(more, {});
    QVERIFY(!changed.ok());
    QCOMPARE(changed.error().code(), Errc::D303);
    // Reading goes on.
    QCOMPARE(index->load().size(), std::size_t{200});
    sqlite3_close(other);
    QVERIFY(index->change(more, {}).ok());
    QCOMPARE(index->load().size(), std::size_t{201});
}

void LibraryStorage::anotherVersion() {
    const QTemporaryDir folder;
    const std::vector<IndexedFile> files = {fileAt("/a")};
    QVERIFY(LibraryIndex::open(in(folder), "1")->change(files, {}).ok());
    QCOMPARE(LibraryIndex::open(in(folder), "1")->load().size(), std::size_t{1});
    // What another version read is read again, without a word.
    const auto newer = LibraryIndex::open(in(folder), "2");
    QVERIFY(!newer->note());
    QVERIFY(newer->load().empty());
    QVERIFY(newer->change(files, {}).ok());
    QCOMPARE(LibraryIndex::open(in(folder), "2")->load().size(), std::size_t{1});
}

void LibraryStorage::notADatabase_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::newRow("text") << QByteArray("this is no database, but somebody's text\n").repeated(100);
    QTest::newRow("zeros") << QByteArray(10'000, '\0');
    QTest::newRow("a head alone") << QByteArray("SQLite format 3\0", 16);
    QTest::newRow("a head and noise") << QByteArray("SQLite format 3\0", 16) + QByteArray(9000, '\x55');
}

void LibraryStorage::notADatabase() {
    QFETCH(const QByteArray, content);
    const QTemporaryDir folder;
    write(in(folder), content.toStdString());
    const auto index = LibraryIndex::open(in(folder), "1");
    const std::vector<IndexedFile> files = {fileAt("/a")};
    QVERIFY(index->change(files, {}).ok());
    QCOMPARE(index->load().size(), std::size_t{1});
    // It was built again in its place.
    QCOMPARE(LibraryIndex::open(in(folder), "1")->load().size(), std::size_t{1});
}

void LibraryStorage::damageAnywhere() {
    const QTemporaryDir folder;
    std::vector<IndexedFile> files(120);
    for (std::size_t i = 0; i < files.size(); ++i)
        files[i] = fileAt("/models/number " + std::to_string(i));
    QVERIFY(LibraryIndex::open(in(folder), "1")->change(files, {}).ok());
    const std::string whole = contentOf(in(folder));
    QVERIFY(whole.size() > 10'000);
    std::mt19937 random(5);
    for (int round = 0; round < 60; ++round) {
        std::string broken = whole;
        if (round % 3 == 0) {
            broken.resize(random() % broken.size());
        } else {
            const std::size_t at = random() % broken.size();
            const std::size_t length = std::min<std::size_t>(1 + random() % 600, broken.size() - at);
            for (std::size_t i = at; i < at + length; ++i)
                broken[i] = static_cast<char>(random());
        }
        for (const char* suffix : {"-wal", "-shm"})
            fs::remove(in(folder) + suffix);
        write(in(folder), broken);
        const auto index = LibraryIndex::open(in(folder), "1");
        // What comes back was there, in full; what is lost is read again.
        for (const IndexedFile& file : index->load()) {
            const auto was = std::find_if(files.begin(), files.end(),
                                          [&](const IndexedFile& other) { return other.path == file.path; });
            QVERIFY(was != files.end() && same(*was, file));
        }
        QVERIFY(index->change(files, {}).ok());
        QCOMPARE(index->load().size(), files.size());
    }
}

void LibraryStorage::aFlippedBitInARow() {
    const QTemporaryDir folder;
    const std::vector<IndexedFile> files = {fileAt("/a"), fileAt("/b")};
    QVERIFY(LibraryIndex::open(in(folder), "1")->change(files, {}).ok());
    sqlite3* other = nullptr;
    QCOMPARE(sqlite3_open(in(folder).c_str(), &other), SQLITE_OK);
    QCOMPARE(sqlite3_exec(other, "UPDATE files SET bytes = bytes + 1 WHERE path = CAST('/a' AS BLOB)",
                          nullptr, nullptr, nullptr),
             SQLITE_OK);
    QCOMPARE(sqlite3_changes(other), 1);
    sqlite3_close(other);
    const auto back = LibraryIndex::open(in(folder), "1")->load();
    QCOMPARE(back.size(), std::size_t{1});
    QCOMPARE(back[0].path, std::string("/b"));
}

void LibraryStorage::noPlaceForIt() {
    const QTemporaryDir folder;
    // The name is taken by a folder: the index lives in memory and says so.
    fs::create_directories(in(folder) + "/x");
    const auto index = LibraryIndex::open(in(folder), "1");
    QCOMPARE(index->note()->code(), Errc::D303);
    const std::vector<IndexedFile> files = {fileAt("/a")};
    QVERIFY(index->change(files, {}).ok());
    QCOMPARE(index->load().size(), std::size_t{1});
    QVERIFY(fs::exists(in(folder) + "/x"));
    const auto nowhere = LibraryIndex::open({}, "1");
    QVERIFY(!nowhere->note());
    QVERIFY(nowhere->change(files, {}).ok());
}

void LibraryStorage::twoAtOnce() {
    const QTemporaryDir folder;
    const auto one = LibraryIndex::open(in(folder), "1");
    const auto two = LibraryIndex::open(in(folder), "1");
    for (int i = 0; i < 20; ++i) {
        const std::vector<IndexedFile> mine = {fileAt("/one/" + std::to_string(i))};
        const std::vector<IndexedFile> yours = {fileAt("/two/" + std::to_string(i))};
        QVERIFY(one->change(mine, {}).ok());
        QVERIFY(two->change(yours, {}).ok());
    }
    QCOMPARE(one->load().size(), std::size_t{40});
    QCOMPARE(two->load().size(), std::size_t{40});
}

void LibraryStorage::bookComesBack() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("deep/models.json").toStdString();
    ModelBook book(path);
    QVERIFY(book.read().ok() && book.read()->models.empty());
    QVERIFY(book.change([](BookPages& pages) -> Status {
                    pages.models.push_back({"/a/ü.gguf", "name", "/a/p.gguf", "ab"});
                    pages.made.push_back({"/z", {FileIdentity::Kind::File, ~std::uint64_t{0}, -7, 0, 1, 2}});
                    return {};
                })
                .ok());
    const auto pages = ModelBook(path).read();
    QVERIFY(pages.ok());
    QCOMPARE(pages->models.at(0).path, std::string("/a/ü.gguf"));
    QCOMPARE(pages->models.at(0).projector, std::string("/a/p.gguf"));
    QCOMPARE(pages->made.at(0).identity.bytes, ~std::uint64_t{0});
    QCOMPARE(pages->made.at(0).identity.modified, std::int64_t{-7});
}

void LibraryStorage::brokenBook_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("zeros") << QByteArray(600, '\0');
    QTest::newRow("cut") << QByteArray(R"({"schema":1,"models":[{"path":"/a)");
    QTest::newRow("a list") << QByteArray("[]");
    QTest::newRow("no schema") << QByteArray("{}");
    QTest::newRow("a negative schema") << QByteArray(R"({"schema":-1})");
    QTest::newRow("deep") << QByteArray(100'000, '[');
}

void LibraryStorage::brokenBook() {
    QFETCH(const QByteArray, content);
    const QTemporaryDir folder;
    const std::string path = folder.filePath("models.json").toStdString();
    write(path, content.toStdString());
    ModelBook book(path);
    QVERIFY(book.read().ok());
    QCOMPARE(book.note()->code(), Errc::D301);
    QCOMPARE(contentOf(path + ".broken"), content.toStdString());
    QVERIFY(!fs::exists(path));
    // A second one does not replace the first.
    write(path, "{");
    QVERIFY(book.read().ok());
    QCOMPARE(contentOf(path + ".broken"), content.toStdString());
    QCOMPARE(contentOf(path + ".broken-2"), std::string("{"));
}

void LibraryStorage::newerBook() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("models.json").toStdString();
    const std::string content = R"({"schema":99,"models":[{"path":"/a","later":1}],"later":[1]})";
    write(path, content);
    ModelBook book(path);
    const auto pages = book.read();
    QVERIFY(pages.ok() && pages->models.size() == 1);
    QCOMPARE(book.note()->code(), Errc::C503);
    const auto changed = book.change([](BookPages&) -> Status { return {}; });
    QCOMPARE(changed.error().code(), Errc::C503);
    QCOMPARE(contentOf(path), content);
}

void LibraryStorage::refusedChange() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("models.json").toStdString();
    ModelBook book(path);
    QVERIFY(book.change([](BookPages& pages) -> Status {
                    pages.models.push_back({"/x", {}, {}, {}});
                    return {};
                })
                .ok());
    const std::string before = contentOf(path);
    const auto refused = book.change([](BookPages& pages) -> Status {
        pages.models.clear();
        return Error(Errc::X002);
    });
    QCOMPARE(refused.error().code(), Errc::X002);
    QCOMPARE(contentOf(path), before);
}

void LibraryStorage::bookOfTwoPrograms() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("models.json").toStdString();
    ModelBook one(path);
    ModelBook two(path);
    for (int i = 0; i < 10; ++i) {
        for (ModelBook* book : {&one, &two}) {
            QVERIFY(book->change([&](BookPages& pages) -> Status {
                            pages.models.push_back(
                                {(book == &one ? "/one" : "/two") + std::to_string(i), {}, {}, {}});
                            return {};
                        })
                        .ok());
        }
    }
    QCOMPARE(one.read()->models.size(), std::size_t{20});
}

}  // namespace loader::app

QTEST_GUILESS_MAIN(loader::app::LibraryStorage)
#include "tst_library_storage.moc"
