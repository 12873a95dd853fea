// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A process that writes chats is killed at any moment: what it had said to be stored is there afterwards.
// LOADER_TEST_LONG in the environment or --long: a thousand times instead of thirty.

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QProcess>
#include <QTest>
#include <cstdio>
#include <random>

#include "core/app/chats/streamed_answer.h"
#include "tests/unit/app/chats/store_harness.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

std::string textOf(long number) {
    return "message " + std::to_string(number) + std::string(static_cast<std::size_t>(number % 3000), 'x');
}

/// The child: writes until it is killed, and says on standard output what is stored.
int writeForever(const std::string& path, long first) {
    auto opened = ChatStore::open(path);
    if (!opened) {
        std::printf("E %s\n", opened.error().toString().c_str());
        return 1;
    }
    ChatStore& store = **opened;
    if (store.list()->empty() && !store.addChat({})) return 1;
    for (long number = first;; ++number) {
        const auto id = store.append(1, said("user", textOf(number)));
        if (!id) {
            std::printf("E %s\n", id.error().toString().c_str());
            std::fflush(stdout);
            return 1;
        }
        std::printf("S %ld %lld\n", number, static_cast<long long>(*id));
        std::fflush(stdout);
        if (number % 7 == 0 && !store.edit(*id, "edited")) return 1;
        if (number % 11 == 0) {
            const auto answer = store.beginAnswer(1, said("assistant", ""));
            if (!answer || !store.growAnswer(*answer, textOf(number))) return 1;
            std::printf("A %ld %lld\n", number, static_cast<long long>(*answer));
            std::fflush(stdout);
            if (!store.finishAnswer(*answer)) return 1;
        }
        if (number % 13 == 0 && (!store.rename(1, "title " + std::to_string(number)) || !store.undo()))
            return 1;
    }
}

}  // namespace

class TstChatKills : public QObject {
    Q_OBJECT

public:
    bool all = std::getenv("LOADER_TEST_LONG") != nullptr;

private Q_SLOTS:
    void nothingThatWasStoredIsLost();
};

void TstChatKills::nothingThatWasStoredIsLost() {
    StoreHarness harness;
    std::mt19937 random(7);
    std::map<long long, long> stored;
    long next = 0;
    const int rounds = all ? 1000 : 30;
    qint64 slowest = 0;
    for (int round = 0; round < rounds; ++round) {
        QProcess child;
        child.start(QCoreApplication::applicationFilePath(),
                    {"--writer", QString::fromStdString(harness.path()), QString::number(next)});
        QVERIFY(child.waitForStarted());
        if (round % 3 != 0) child.waitForReadyRead(10'000);
        QTest::qSleep(static_cast<int>(random() % 40));
        child.kill();
        QVERIFY(child.waitForFinished());
        const QList<QByteArray> lines = child.readAllStandardOutput().split('\n');
        for (qsizetype i = 0; i + 1 < lines.size(); ++i) {
            const QList<QByteArray> words = lines[i].split(' ');
            QVERIFY2(words.size() == 3 && words[0] != "E", lines[i].constData());
            stored[words[2].toLongLong()] = words[1].toLong();
            next = std::max(next, words[1].toLong() + 1);
        }
        // A message may have been stored without a chance to say so: its number comes again.
        QElapsedTimer timer;
        timer.start();
        auto opened = harness.open();
        slowest = std::max(slowest, timer.elapsed());
        CHAT_VERIFY(opened);
        QVERIFY(!(*opened)->salvaged());
        const bool look = round % 10 == 9 || round + 1 == rounds;
        if (!look || (*opened)->list()->empty()) continue;
        const auto tree = (*opened)->tree(1);
        CHAT_VERIFY(tree);
        std::map<long long, const Message*> present;
        for (const Message& message : *tree)
            present[message.id] = &message;
        for (const auto& [id, number] : stored) {
            QVERIFY2(present.count(id) == 1, std::to_string(id).c_str());
            QVERIFY(present[id]->text == textOf(number));
        }
        CHAT_VERIFY((*opened)->checkNow({}));
        CHAT_VERIFY((*opened)->database().execute(
            "INSERT INTO message_index(message_index) VALUES('integrity-check')"));
    }
    qInfo("%zu messages stored over %d kills, none lost; the slowest start took %lld ms", stored.size(),
          rounds, slowest);
    QVERIFY(stored.size() > static_cast<std::size_t>(rounds));
}

int main(int argc, char** argv) {
    if (argc == 4 && std::string(argv[1]) == "--writer") return writeForever(argv[2], std::atol(argv[3]));
    QCoreApplication application(argc, argv);
    TstChatKills test;
    std::vector<char*> arguments;
    for (int i = 0; i < argc; ++i) {
        if (std::string(argv[i]) == "--long")
            test.all = true;
        else
            arguments.push_back(argv[i]);
    }
    return QTest::qExec(&test, static_cast<int>(arguments.size()), arguments.data());
}

#include "tst_chat_kills.moc"
