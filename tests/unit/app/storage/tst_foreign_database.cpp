// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Databases of other programs: with and without a log, locked, damaged; nothing beside them changes.

#include <sqlite3.h>

#include <QCoreApplication>
#include <QDir>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include "core/app/storage/foreign_database.h"

using namespace loader;
using namespace loader::app;

namespace {

std::string bytesOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return std::move(text).str();
}

void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

/// Names, sizes and times of everything in a folder.
std::string stateOf(const QString& folder) {
    std::string state;
    for (const QFileInfo& file : QDir(folder).entryInfoList(QDir::Files, QDir::Name)) {
        state += file.fileName().toStdString() + " " +
                 std::to_string(file.lastModified().toMSecsSinceEpoch()) + " ";
        state += std::to_string(std::hash<std::string>()(bytesOf(file.filePath().toStdString()))) + "\n";
    }
    return state;
}

/// The program that has it open.
class Owner {
public:
    explicit Owner(const std::string& path) { sqlite3_open(path.c_str(), &m_handle); }
    ~Owner() { sqlite3_close(m_handle); }
    bool run(const char* sql) { return sqlite3_exec(m_handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK; }

private:
    sqlite3* m_handle = nullptr;
};

constexpr const char* kRows =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, "
    "hex(randomblob(100)) FROM n";

std::int64_t countOf(Database& database) {
    const auto number = database.number("SELECT count(*) FROM t");
    return number ? number->value_or(-1) : -1;
}

}  // namespace

class TstForeignDatabase : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void plainFile();
    void whatStandsInTheLogOnly();
    void logCutAnywhere();
    void lockedAndUnfinished();
    void damagedOnes();
    void anyBytes();
};

void TstForeignDatabase::plainFile() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("db.sqlite").toStdString();
    {
        Owner owner(path);
        QVERIFY(owner.run("CREATE TABLE t(a, b)") && owner.run(kRows));
    }
    const std::string before = stateOf(folder.path());
    {
        auto opened = openForeignDatabase(path);
        QVERIFY2(opened.ok(), opened ? "" : opened.error().toString().c_str());
        QCOMPARE(countOf(**opened), std::int64_t{500});
        QVERIFY(!(*opened)->execute("DELETE FROM t"));
    }
    QCOMPARE(stateOf(folder.path()), before);
}

void TstForeignDatabase::whatStandsInTheLogOnly() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("db.sqlite").toStdString();
    Owner owner(path);
    QVERIFY(owner.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a, b)"));
    QVERIFY(owner.run(kRows));
    const std::string before = stateOf(folder.path());
    auto opened = openForeignDatabase(path);
    QVERIFY2(opened.ok(), opened ? "" : opened.error().toString().c_str());
    QCOMPARE(countOf(**opened), std::int64_t{500});
    QCOMPARE(stateOf(folder.path()), before);
    QVERIFY(owner.run("DELETE FROM t WHERE a > 100; PRAGMA wal_checkpoint(TRUNCATE)"));
    opened = openForeignDatabase(path);
    QCOMPARE(countOf(**opened), std::int64_t{100});
    QVERIFY(owner.run(kRows));
    opened = openForeignDatabase(path);
    QCOMPARE(countOf(**opened), std::int64_t{600});
}

void TstForeignDatabase::logCutAnywhere() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("db.sqlite").toStdString();
    Owner owner(path);
    QVERIFY(owner.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a, b)"));
    for (int i = 0; i < 20; ++i)
        QVERIFY(owner.run("INSERT INTO t VALUES(1, hex(randomblob(900)))"));
    const std::string image = bytesOf(path);
    const std::string log = bytesOf(path + "-wal");
    QTemporaryDir other;
    const std::string copy = other.filePath("x.db").toStdString();
    // What SQLite itself makes of the same two files is what we make of them.
    for (std::size_t cut = 0; cut <= log.size(); cut += 3001) {
        write(copy, image);
        write(copy + "-wal", log.substr(0, cut));
        const auto merged = withLog(image, std::string_view(log).substr(0, cut), copy);
        QVERIFY(merged.ok());
        std::int64_t mine = -1;
        if (!merged->empty()) {
            auto opened = Database::openCopy(*merged, copy);
            QVERIFY(opened.ok());
            mine = countOf(**opened);
        }
        auto theirs = Database::open(copy, Database::Mode::ReadWrite);
        QVERIFY(theirs.ok());
        QCOMPARE(mine, countOf(**theirs));
        theirs->reset();
        QFile::remove(QString::fromStdString(copy));
        QFile::remove(QString::fromStdString(copy + "-wal"));
        QFile::remove(QString::fromStdString(copy + "-shm"));
    }
}

void TstForeignDatabase::lockedAndUnfinished() {
#ifndef _WIN32
    QTemporaryDir folder;
    const std::string path = folder.filePath("db.sqlite").toStdString();
    {
        Owner owner(path);
        QVERIFY(owner.run("CREATE TABLE t(a, b)") && owner.run(kRows));
    }
    // Another process: locks of our own would go with the first file that is closed.
    QProcess holder;
    holder.start(QCoreApplication::applicationFilePath(), {"--hold", QString::fromStdString(path)});
    QVERIFY(holder.waitForReadyRead(20'000));
    const auto locked = openForeignDatabase(path);
    holder.kill();
    QVERIFY(holder.waitForFinished());
    QVERIFY(!locked.ok());
    QCOMPARE(locked.error().code(), Errc::C515);
    // What it left behind is a change that was not finished.
    const auto after = openForeignDatabase(path);
    QVERIFY(after.ok() || after.error().code() == Errc::C515);
#endif
    QTemporaryDir other;
    const std::string hot = other.filePath("hot.db").toStdString();
    {
        Owner maker(hot);
        QVERIFY(maker.run("CREATE TABLE t(a, b)"));
    }
    write(hot + "-journal", std::string("\xD9\xD5\x05\xF9\x20\xA1\x63\xD7", 8) + std::string(600, 'j'));
    QCOMPARE(openForeignDatabase(hot).error().code(), Errc::C515);
    write(hot + "-journal", std::string(600, '\0'));
    QVERIFY(openForeignDatabase(hot).ok());
}

void TstForeignDatabase::damagedOnes() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("db.sqlite").toStdString();
    QCOMPARE(openForeignDatabase(path).error().code(), Errc::F802);
    write(path + "-wal", std::string(500, 'x'));
    QCOMPARE(openForeignDatabase(path).error().code(), Errc::C515);
    QFile::remove(QString::fromStdString(path + "-wal"));
    for (const std::string& bytes : {std::string(), std::string(9000, '\0'), std::string("SQLite format 3"),
                                     std::string("SQLite format 3\0", 16) + std::string(8000, 'x')}) {
        write(path, bytes);
        QCOMPARE(openForeignDatabase(path).error().code(), Errc::C515);
    }
    QFile::remove(QString::fromStdString(path));
    QDir().mkpath(QString::fromStdString(path));
    QCOMPARE(openForeignDatabase(path).error().code(), Errc::C512);
}

void TstForeignDatabase::anyBytes() {
    QTemporaryDir folder;
    const std::string path = folder.filePath("db.sqlite").toStdString();
    Owner owner(path);
    QVERIFY(owner.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a, b)"));
    QVERIFY(owner.run(kRows) && owner.run(kRows));
    const std::string image = bytesOf(path);
    const std::string log = bytesOf(path + "-wal");
    std::mt19937 random(3);
    for (int round = 0; round < 200; ++round) {
        std::string other = log;
        for (int i = 0; i < 3; ++i)
            other[round % 2 == 0 ? random() % 200 : random() % other.size()] = static_cast<char>(random());
        const auto merged = withLog(image, other, path);
        if (!merged || merged->empty()) continue;
        QVERIFY(merged->size() <= image.size() + log.size());
        const auto opened = Database::openCopy(*merged, path);
        if (opened) static_cast<void>(countOf(**opened));
    }
}

int main(int argc, char** argv) {
    if (argc == 3 && std::string(argv[1]) == "--hold") {
        Owner owner(argv[2]);
        std::puts(owner.run("BEGIN EXCLUSIVE; DELETE FROM t") ? "held" : "not held");
        std::fflush(stdout);
        for (int i = 0; i < 600; ++i)
            QTest::qSleep(100);
        return 0;
    }
    QCoreApplication application(argc, argv);
    TstForeignDatabase test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_foreign_database.moc"
