// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A chat database that somebody damaged: it is set aside as it is, and what can be read of it is kept.

#include <sqlite3.h>

#include <QDir>
#include <QElapsedTimer>
#include <QTest>
#include <random>

#include "tests/unit/app/chats/store_harness.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

constexpr int kChats = 60;
constexpr int kMessages = 40;

void fill(ChatStore& store) {
    for (int i = 0; i < kChats; ++i) {
        ImportedConversation chat;
        chat.identity = "program:" + std::to_string(i);
        chat.title = "chat " + std::to_string(i);
        for (int k = 0; k < kMessages; ++k) {
            const auto parent =
                k == 0 ? std::nullopt : std::optional<std::size_t>(static_cast<std::size_t>(k) - 1);
            chat.messages.push_back(
                {"user", "message " + std::to_string(k) + std::string(300, 'x'), {}, {}, 5, parent});
        }
        ChatImportCounts counts;
        static_cast<void>(store.import(chat, counts));
    }
}

/// A closed database with all of it in the main file.
void makeDatabase(StoreHarness& harness, bool backup = false) {
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    fill(**opened);
    if (backup) CHAT_VERIFY((*opened)->backUp());
    CHAT_VERIFY((*opened)->database().execute("PRAGMA wal_checkpoint(TRUNCATE)"));
}

std::int64_t countOf(ChatStore& store, const std::string& table) {
    const auto number = store.database().number("SELECT count(*) FROM " + table);
    return number ? number->value_or(-1) : -1;
}

int damagedFiles(const StoreHarness& harness) {
    const QDir folder(QString::fromStdString(harness.folder()));
    return static_cast<int>(folder.entryList({"chats.damaged-*"}, QDir::Files).size());
}

}  // namespace

class TstChatFaults : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void lockedByAnother();
    void noDatabaseAtAll();
    void pagesOverwritten();
    void backupFillsTheHoles();
    void cutOff();
    void indexDamagedOnly();
    void logWithoutDatabase();
    void logOfAnotherDatabase();
    void interruptedSalvage();
    void databaseOfAnotherProgram();
    void placesThatCannotBeUsed();
    void circlesAndOrphansInTheFile();
    void anyBytesAnywhere();
};

void TstChatFaults::lockedByAnother() {
    StoreHarness harness;
    makeDatabase(harness);
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    sqlite3* other = nullptr;
    QCOMPARE(sqlite3_open(harness.path().c_str(), &other), SQLITE_OK);
    QCOMPARE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    // Reading goes on; writing waits for five seconds, then says so.
    QCOMPARE((*opened)->list()->size(), std::size_t{kChats});
    QElapsedTimer timer;
    timer.start();
    const auto refused = (*opened)->append(1, said("user", "x"));
    QCOMPARE(refused.error().code(), Errc::D303);
    QVERIFY(timer.elapsed() >= 4000);
    sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
    CHAT_VERIFY((*opened)->append(1, said("user", "x")));
    sqlite3_close(other);
    QCOMPARE(damagedFiles(harness), 0);
}

void TstChatFaults::noDatabaseAtAll() {
    const std::array<std::string, 4> cases = {std::string(6426, '\0'), std::string("{\"chats\": []}"),
                                              std::string("SQLite format 3\0", 16) + std::string(5000, 'x'),
                                              std::string("SQLite format 3\0", 16)};
    for (const std::string& bytes : cases) {
        StoreHarness harness;
        StoreHarness::write(harness.path(), bytes);
        auto opened = harness.open();
        CHAT_VERIFY(opened);
        QVERIFY((*opened)->salvaged());
        QCOMPARE((*opened)->salvaged()->chats, std::size_t{0});
        QVERIFY(StoreHarness::bytesOf((*opened)->salvaged()->setAside) == bytes);
        CHAT_VERIFY((*opened)->addChat({}));
    }
    // An empty file is what a new one begins as.
    StoreHarness harness;
    StoreHarness::write(harness.path(), "");
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QVERIFY(!(*opened)->salvaged());
}

void TstChatFaults::pagesOverwritten() {
    StoreHarness harness;
    makeDatabase(harness);
    std::string bytes = StoreHarness::bytesOf(harness.path());
    const std::size_t pages = bytes.size() / 4096;
    QVERIFY(pages > 100);
    // Every twentieth page, without the ones that hold the schema.
    for (std::size_t page = 60; page < pages; page += 20)
        for (std::size_t i = 0; i < 4096; ++i)
            bytes[page * 4096 + i] = static_cast<char>(i * 31 + page);
    StoreHarness::write(harness.path(), bytes);
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    QVERIFY(store.salvaged());
    const SalvageReport& report = *store.salvaged();
    QVERIFY(StoreHarness::bytesOf(report.setAside) == bytes);
    QVERIFY(!report.fault.empty());
    // Most of it is there, and what is counted is there.
    QVERIFY2(report.messages > kChats * kMessages * 3 / 4, std::to_string(report.messages).c_str());
    QCOMPARE(countOf(store, "messages"), static_cast<std::int64_t>(report.messages));
    QCOMPARE(countOf(store, "conversations"), static_cast<std::int64_t>(report.chats));
    QVERIFY(store.search("message")->hits.size() > 0);
    CHAT_VERIFY(store.checkNow({}));
    QCOMPARE(*store.database().number("SELECT count(*) FROM pragma_foreign_key_check"),
             std::optional<std::int64_t>(0));
    CHAT_VERIFY(store.append(1, said("user", "life goes on")));
    opened->reset();
    auto again = harness.open();
    CHAT_VERIFY(again);
    QVERIFY(!(*again)->salvaged());
}

void TstChatFaults::backupFillsTheHoles() {
    StoreHarness harness;
    makeDatabase(harness, true);
    std::string bytes = StoreHarness::bytesOf(harness.path());
    // The roots of everything.
    for (std::size_t i = 100; i < 40 * 4096; ++i)
        bytes[i] = '\x7F';
    StoreHarness::write(harness.path(), bytes);
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QVERIFY((*opened)->salvaged());
    QCOMPARE((*opened)->salvaged()->chats, std::size_t{kChats});
    QCOMPARE((*opened)->salvaged()->messages, std::size_t{kChats * kMessages});
    QVERIFY((*opened)->salvaged()->fromBackup > 0);
}

void TstChatFaults::cutOff() {
    StoreHarness harness;
    makeDatabase(harness);
    const std::string bytes = StoreHarness::bytesOf(harness.path());
    StoreHarness::write(harness.path(), bytes.substr(0, bytes.size() / 2 + 1000));
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QVERIFY((*opened)->salvaged());
    QVERIFY2((*opened)->salvaged()->messages > 200, std::to_string((*opened)->salvaged()->messages).c_str());
    CHAT_VERIFY((*opened)->checkNow({}));
}

void TstChatFaults::indexDamagedOnly() {
    StoreHarness harness;
    makeDatabase(harness);
    {
        auto opened = harness.open();
        CHAT_VERIFY(opened);
        const auto root = (*opened)->database().number(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'messages_conversation'");
        CHAT_VERIFY(root);
        const auto place = static_cast<std::size_t>(**root - 1) * 4096;
        opened->reset();
        std::string bytes = StoreHarness::bytesOf(harness.path());
        for (std::size_t i = 0; i < 4096; ++i)
            bytes[place + i] = '\x55';
        StoreHarness::write(harness.path(), bytes);
    }
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QVERIFY((*opened)->salvaged());
    QCOMPARE((*opened)->salvaged()->messages, std::size_t{kChats * kMessages});
    QCOMPARE((*opened)->salvaged()->chats, std::size_t{kChats});
}

void TstChatFaults::logWithoutDatabase() {
    StoreHarness harness;
    const std::string log(40'000, 'w');
    StoreHarness::write(harness.path() + "-wal", log);
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QVERIFY((*opened)->salvaged());
    QVERIFY(StoreHarness::bytesOf((*opened)->salvaged()->setAside + "-wal") == log);
    CHAT_VERIFY((*opened)->addChat({}));
}

void TstChatFaults::logOfAnotherDatabase() {
    StoreHarness other;
    std::string log;
    {
        auto opened = other.open();
        CHAT_VERIFY(opened);
        for (int i = 0; i < 30; ++i) {
            NewChat chat;
            chat.title = "of another " + std::to_string(i);
            CHAT_VERIFY((*opened)->addChat(chat));
        }
        log = StoreHarness::bytesOf(other.path() + "-wal");
        QVERIFY(log.size() > 4096);
    }
    StoreHarness harness;
    makeDatabase(harness);
    StoreHarness::write(harness.path() + "-wal", log);
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QVERIFY((*opened)->salvaged());
    QCOMPARE(countOf(**opened, "messages"), std::int64_t{kChats * kMessages});
    QCOMPARE(countOf(**opened, "conversations"), std::int64_t{kChats});
    QVERIFY(StoreHarness::bytesOf((*opened)->salvaged()->setAside + "-wal") == log);
    CHAT_VERIFY((*opened)->checkNow({}));
}

void TstChatFaults::interruptedSalvage() {
    StoreHarness sound;
    makeDatabase(sound);
    const std::string finished = StoreHarness::bytesOf(sound.path());
    StoreHarness harness;
    // Killed when the damaged database was away, its log not, and the new one not yet in place.
    StoreHarness::write(harness.path() + ".salvaged", finished);
    StoreHarness::write(harness.path() + "-wal", std::string(9000, 'w'));
    StoreHarness::write(harness.path() + ".salvaging", "half");
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    QCOMPARE(countOf(**opened, "messages"), std::int64_t{kChats * kMessages});
    QVERIFY(damagedFiles(harness) == 1);
}

void TstChatFaults::databaseOfAnotherProgram() {
    StoreHarness harness;
    sqlite3* other = nullptr;
    QCOMPARE(sqlite3_open(harness.path().c_str(), &other), SQLITE_OK);
    QCOMPARE(
        sqlite3_exec(other, "CREATE TABLE notes(a); INSERT INTO notes VALUES(1)", nullptr, nullptr, nullptr),
        SQLITE_OK);
    sqlite3_close(other);
    const std::string bytes = StoreHarness::bytesOf(harness.path());
    QCOMPARE(harness.open().error().code(), Errc::D305);
    QVERIFY(StoreHarness::bytesOf(harness.path()) == bytes);
    QCOMPARE(damagedFiles(harness), 0);
}

void TstChatFaults::placesThatCannotBeUsed() {
    StoreHarness harness;
    QVERIFY(QDir().mkpath(QString::fromStdString(harness.path())));
    QCOMPARE(harness.open().error().code(), Errc::D303);
    QCOMPARE(ChatStore::open("/nonexistent/folder/chats.db").error().code(), Errc::D303);
}

void TstChatFaults::circlesAndOrphansInTheFile() {
    StoreHarness harness;
    auto opened = harness.open();
    CHAT_VERIFY(opened);
    ChatStore& store = **opened;
    CHAT_VERIFY(store.addChat({}));
    for (const char* text : {"a", "b", "c"})
        CHAT_VERIFY(store.append(1, said("user", text)));
    CHAT_VERIFY(store.database().execute("UPDATE messages SET parent = 3 WHERE id = 1"));
    QCOMPARE(shownOf(store, 1), std::string("user:a user:b user:c"));
    CHAT_VERIFY(store.show(2));
    CHAT_VERIFY(store.deleteMessage(2));
    CHAT_VERIFY(store.undo());
    CHAT_VERIFY(
        store.database().execute("PRAGMA foreign_keys = OFF; UPDATE messages SET parent = 77 WHERE id = 1; "
                                 "UPDATE conversations SET active = 99"));
    CHAT_VERIFY(store.branch(1));
    CHAT_VERIFY(store.show(3));
    QCOMPARE(shownOf(store, 1), std::string("user:a user:b user:c"));
}

void TstChatFaults::anyBytesAnywhere() {
    StoreHarness first;
    makeDatabase(first);
    const std::string sound = StoreHarness::bytesOf(first.path());
    std::mt19937 random(20261122);
    const int rounds = std::getenv("LOADER_TEST_LONG") ? 300 : 12;
    for (int round = 0; round < rounds; ++round) {
        StoreHarness harness;
        std::string bytes = sound;
        const int changes = 1 + static_cast<int>(random() % 40);
        for (int i = 0; i < changes; ++i)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        StoreHarness::write(harness.path(), bytes);
        auto opened = harness.open();
        // A changed application id makes it a file of another program, a changed version a newer one.
        if (!opened) {
            QVERIFY2(opened.error().code() == Errc::D305 || opened.error().code() == Errc::D303,
                     opened.error().toString().c_str());
            continue;
        }
        const auto list = (*opened)->list();
        if (list && !list->empty()) static_cast<void>((*opened)->branch(list->front().id));
        static_cast<void>((*opened)->search("message"));
        if ((*opened)->salvaged()) QVERIFY(StoreHarness::bytesOf((*opened)->salvaged()->setAside) == bytes);
    }
}

QTEST_GUILESS_MAIN(TstChatFaults)
#include "tst_chat_faults.moc"
