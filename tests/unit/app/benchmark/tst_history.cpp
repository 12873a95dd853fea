// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The history keeps what it was given, survives damage, stays within its bounds, and holds no text.

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QTest>
#include <atomic>
#include <fstream>
#include <thread>

#include "core/app/benchmark/history.h"
#include "tests/unit/app/benchmark/sample_measurement.h"

using namespace loader;
using app::History;
using app::HistoryContent;
using app::Json;
using test::sampleMeasurement;
using test::sampleUse;

class TestHistory : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void thereAndBack();
    void damageCostsALine();
    void cutOffAtEveryByte();
    void newerLinesAreKept();
    void staysWithinItsBounds();
    void manyAtOnce();
    void whereNothingCanBeWritten();
    void holdsNoText();
};

void TestHistory::thereAndBack() {
    const QTemporaryDir folder;
    const History history(folder.filePath("data/gguf-loader").toStdString());
    QVERIFY(history.read().measurements.empty());
    QVERIFY(history.append(sampleMeasurement(20.0)).ok());
    QVERIFY(history.append(sampleUse(19.0)).ok());
    QVERIFY(history.append(sampleMeasurement(21.0)).ok());
    const HistoryContent content = history.read();
    QCOMPARE(content.measurements.size(), std::size_t{2});
    QCOMPARE(content.uses.size(), std::size_t{1});
    QCOMPARE(content.damaged + content.newer, std::size_t{0});
    QCOMPARE(app::usageJson(content.uses[0]).dump(), app::usageJson(sampleUse(19.0)).dump());
    QCOMPARE(app::spreadOf(content.measurements[1].generation).median, 21.0);
    const auto others = QFile::ReadOther | QFile::ReadGroup;
    QVERIFY(!(QFile::permissions(QString::fromStdString(history.path())) & others));
}

void TestHistory::damageCostsALine() {
    const QTemporaryDir folder;
    const History history(folder.path().toStdString());
    const std::string good = app::usageJson(sampleUse()).dump();
    std::string text;
    const std::vector<std::string> bad = {"nonsense",
                                          "{}",
                                          "[]",
                                          "{\"kind\":\"use\"}",
                                          "\xff\xff\xff",
                                          std::string(100'000, 'a'),
                                          std::string(5000, '['),
                                          good.substr(0, good.size() / 2),
                                          std::string("a\0b", 3)};
    for (const std::string& line : bad)
        text += line + "\n" + good + "\n\n";
    std::ofstream(history.path(), std::ios::binary) << text;
    const HistoryContent content = history.read();
    QCOMPARE(content.uses.size(), bad.size());
    QCOMPARE(content.damaged, bad.size());
}

void TestHistory::cutOffAtEveryByte() {
    const std::string line = app::usageJson(sampleUse()).dump() + "\n";
    for (std::size_t length = 0; length <= line.size(); length += 7) {
        const QTemporaryDir folder;
        const History history(folder.path().toStdString());
        std::ofstream(history.path(), std::ios::binary) << line << line.substr(0, length);
        QVERIFY(history.append(sampleUse(33.0)).ok());
        const HistoryContent content = history.read();
        // The first and the last one are there, whatever became of the one in the middle.
        QVERIFY(content.uses.size() >= 2);
        QCOMPARE(content.uses.back().tokensPerSecond, 33.0);
        QVERIFY(content.damaged <= 1);
    }
}

void TestHistory::newerLinesAreKept() {
    Json newer = app::usageJson(sampleUse());
    newer["schema"] = 7u;
    newer["unheard"] = "of";
    const HistoryContent content = History::parse(newer.dump() + "\n");
    QCOMPARE(content.newer, std::size_t{1});
    QCOMPARE(content.damaged, std::size_t{0});
}

void TestHistory::staysWithinItsBounds() {
    const QTemporaryDir folder;
    const History history(folder.path().toStdString());
    const std::string measurement = app::measurementJson(sampleMeasurement()).dump() + "\n";
    Json newer = app::measurementJson(sampleMeasurement());
    newer["schema"] = 7u;
    {
        std::ofstream file(history.path(), std::ios::binary);
        file << newer.dump() << "\n" << measurement << "damage\n";
        std::uint64_t bytes = 0;
        for (std::int64_t time = 1'700'000'000; bytes <= History::kMostBytes; ++time) {
            const std::string line = app::usageJson(sampleUse(10.0, time)).dump() + "\n";
            file << line;
            bytes += line.size();
        }
    }
    QVERIFY(history.append(sampleUse(11.0, 1'790'000'000)).ok());
    QVERIFY(static_cast<std::uint64_t>(QFileInfo(QString::fromStdString(history.path())).size()) <=
            History::kKeptBytes);
    const HistoryContent content = history.read();
    QVERIFY(content.uses.size() <= History::kMostUses);
    QVERIFY(content.uses.size() > 1000);
    QCOMPARE(content.uses.back().time, std::int64_t{1'790'000'000});
    QCOMPARE(content.damaged, std::size_t{0});
    // In order, without gaps between those that stayed.
    for (std::size_t i = 2; i + 1 < content.uses.size(); ++i)
        QCOMPARE(content.uses[i].time, content.uses[i - 1].time + 1);
}

void TestHistory::manyAtOnce() {
    const QTemporaryDir folder;
    constexpr int kWriters = 4;
    constexpr int kEach = 25;
    std::vector<std::thread> writers;
    std::atomic<int> written{0};
    for (int writer = 0; writer < kWriters; ++writer) {
        writers.emplace_back([&folder, &written] {
            const History history(folder.path().toStdString());
            for (int i = 0; i < kEach; ++i)
                written += history.append(sampleUse()).ok() ? 1 : 0;
        });
    }
    for (std::thread& writer : writers)
        writer.join();
    const HistoryContent content = History(folder.path().toStdString()).read();
    QCOMPARE(content.uses.size(), static_cast<std::size_t>(written.load()));
    QCOMPARE(content.damaged, std::size_t{0});
    QVERIFY(written > 0);
}

void TestHistory::whereNothingCanBeWritten() {
    QVERIFY(!History("/dev/null/folder").append(sampleUse()).ok());
    QVERIFY(History("/dev/null/folder").read().uses.empty());
    const QTemporaryDir folder;
    QVERIFY(QFile(folder.filePath(History::kFileName)).open(QIODevice::WriteOnly) &&
            QFile::remove(folder.filePath(History::kFileName)));
    QVERIFY(QDir(folder.path()).mkdir(History::kFileName));
    QVERIFY(!History(folder.path().toStdString()).append(sampleUse()).ok());
    QVERIFY(History(folder.path().toStdString()).read().uses.empty());
}

void TestHistory::holdsNoText() {
    // Every member of a record, so that a new one is looked at here.
    const Json json = app::usageJson(sampleUse());
    std::vector<std::string> keys;
    for (const auto& [key, value] : json.items())
        keys.push_back(key);
    const std::vector<std::string> known = {
        "schema",    "kind",           "time",          "version",          "model",
        "settings",  "prompt_tokens",  "cached_tokens", "tokens",           "tokens_per_second",
        "prompt_ms", "first_token_ms", "memory_bytes",  "gpu_busy_percent", "failed_links"};
    QCOMPARE(keys, known);
    QVERIFY(json["model"]["file"].get<std::string>().find('/') == std::string::npos);
}

QTEST_GUILESS_MAIN(TestHistory)
#include "tst_history.moc"
