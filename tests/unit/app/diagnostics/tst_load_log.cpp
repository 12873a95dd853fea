// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The log of loads keeps the last lines, survives damage, and holds nothing that it should not.

#include <QDateTime>
#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <atomic>
#include <thread>

#include "core/app/diagnostics/load_recorder.h"

using namespace loader;
using app::LoadLog;
using Json = nlohmann::ordered_json;

class TestLoadLog : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void folders();
    void keepsTheLast();
    void survivesDamage();
    void manyAtOnce();
    void failsQuietly();
    void tellsNoPath();
    void tails();
};

void TestLoadLog::folders() {
    QCOMPARE(app::logFolder("/state", "/home/a"), std::string("/state/gguf-loader/logs"));
    QCOMPARE(app::logFolder("", "/home/a"), std::string("/home/a/.local/state/gguf-loader/logs"));
    QCOMPARE(app::logFolder("relative", "/home/a"), std::string("/home/a/.local/state/gguf-loader/logs"));
}

void TestLoadLog::keepsTheLast() {
    const QTemporaryDir folder;
    const LoadLog log(folder.filePath("deep/logs").toStdString());
    QVERIFY(log.last(5).empty());
    for (int i = 0; i < static_cast<int>(LoadLog::kMostLines) + 7; ++i)
        QVERIFY(log.append({{"number", i}}).ok());
    const auto all = log.last(1000);
    QCOMPARE(all.size(), LoadLog::kMostLines);
    QCOMPARE(all.front()["number"].get<int>(), 7);
    QCOMPARE(all.back()["number"].get<int>(), 206);
    const auto two = log.last(2);
    QCOMPARE(two.size(), std::size_t{2});
    QCOMPARE(two.front()["number"].get<int>(), 205);
    // Nobody else's business.
    const auto rights = QFile::permissions(folder.filePath("deep/logs"));
    QVERIFY(!(rights & (QFile::ReadOther | QFile::ReadGroup)));
    QCOMPARE(QDir(folder.filePath("deep/logs")).entryList(QDir::Files | QDir::Hidden).size(), 1);
}

void TestLoadLog::survivesDamage() {
    const QTemporaryDir folder;
    const LoadLog log(folder.path().toStdString());
    QFile file(QString::fromStdString(log.path()));
    QVERIFY(file.open(QFile::WriteOnly));
    file.write("no JSON\n\n[1]\n{\"a\":");
    file.write(QByteArray("[").repeated(5000));
    file.write("\n{\"deep\":" + QByteArray("[").repeated(500) + QByteArray("]").repeated(500) + "}\n");
    file.write(QByteArray("\0\xff\xfe\n", 4));
    file.write("{\"number\":1}");
    file.close();
    QVERIFY(log.append({{"number", 2}, {"text", "a\xff z"}}).ok());
    const auto entries = log.last(100);
    QCOMPARE(entries.size(), std::size_t{2});
    QCOMPARE(entries[0]["number"].get<int>(), 1);
    QCOMPARE(entries[1]["number"].get<int>(), 2);
    QVERIFY(!log.append({{"text", std::string(LoadLog::kMostLineBytes, 'x')}}).ok());
    QCOMPARE(log.last(100).size(), std::size_t{2});
}

void TestLoadLog::manyAtOnce() {
    const QTemporaryDir folder;
    const LoadLog log(folder.path().toStdString());
    std::vector<std::thread> threads;
    std::atomic<int> written{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 10; ++n)
                written += log.append({{"n", n}}).ok() ? 1 : 0;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    // What said that it was written is there.
    QCOMPARE(static_cast<int>(log.last(1000).size()), written.load());
    QVERIFY(written > 0);
}

void TestLoadLog::failsQuietly() {
    const QTemporaryDir folder;
    QFile file(folder.filePath("in the way"));
    QVERIFY(file.open(QFile::WriteOnly));
    const LoadLog log(folder.filePath("in the way/logs").toStdString());
    QVERIFY(!log.append({{"a", 1}}).ok());
    QVERIFY(log.last(3).empty());
    // A recorder does not even tell.
    app::LoadRecorder recorder(log, "test");
    recorder.record({}, {}, std::nullopt);
}

void TestLoadLog::tellsNoPath() {
    const QTemporaryDir folder;
    const LoadLog log(folder.path().toStdString());
    protocol::LoadRequest request;
    request.path = "/home/jana/secret project/model.gguf";
    protocol::LoadReport report;
    report.steps.push_back({"cpu", "", 0, "failed", "F802: There is no such file."});
    {
        app::LoadRecorder recorder(log, "test 1");
        recorder.record(request, report, Error(Errc::F802, {}, request.path));
        recorder.record(request, report, std::nullopt);
        // The user stopped it: nothing to help with.
        recorder.record(request, report, Error(Errc::X002));
    }
    const auto entries = log.last(10);
    QCOMPARE(entries.size(), std::size_t{2});
    QCOMPARE(entries[0]["result"].get<std::string>(), std::string("failed"));
    QCOMPARE(entries[0]["error"]["code"].get<std::string>(), std::string("F802"));
    QCOMPARE(entries[0]["report"]["steps"].size(), std::size_t{1});
    QCOMPARE(entries[1]["result"].get<std::string>(), std::string("loaded"));
    QCOMPARE(entries[1]["model"].get<std::string>(), std::string("model.gguf"));
    QVERIFY(entries[1]["time"].get<std::string>().ends_with("Z"));
    for (const Json& entry : entries)
        QVERIFY(entry.dump().find("jana") == std::string::npos);
}

void TestLoadLog::tails() {
    const QTemporaryDir folder;
    QVERIFY(app::logTail(folder.path().toStdString(), 3).file.empty());
    QVERIFY(app::logTail("/nonexistent", 3).file.empty());
    for (const char* name : {"old.log", "new.log", "other.txt"}) {
        QFile file(folder.filePath(name));
        QVERIFY(file.open(QFile::ReadWrite));
        file.write("one\ntwo\n\nthree\nfour\n");
        const int age = QByteArray(name).startsWith("old") ? 100 : 0;
        QVERIFY(file.setFileTime(QDateTime::currentDateTime().addSecs(-age), QFile::FileModificationTime));
    }
    const app::LogTail tail = app::logTail(folder.path().toStdString(), 3);
    QCOMPARE(tail.file, std::string("new.log"));
    QCOMPARE(tail.lines, (std::vector<std::string>{"two", "three", "four"}));
}

QTEST_GUILESS_MAIN(TestLoadLog)
#include "tst_load_log.moc"
