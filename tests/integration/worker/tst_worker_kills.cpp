// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// kill -9 of the worker at random points of an answer, again and again: the text stays whole, and nothing is
// left behind in this process.

#include <QDir>
#include <QRandomGenerator>
#include <fstream>
#include <thread>

#include "tests/integration/worker/fault_test.h"

namespace loader::test {
namespace {

std::size_t openDescriptors() {
    return static_cast<std::size_t>(
        QDir("/proc/self/fd").entryList(QDir::NoDotAndDotDot | QDir::AllEntries | QDir::System).size());
}

std::uint64_t residentKib() {
    std::ifstream file("/proc/self/status");
    std::string line;
    while (std::getline(file, line)) {
        if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
    }
    return 0;
}

/// Children of this process, living or dead.
std::size_t childProcesses() {
    std::size_t count = 0;
    const std::string parent = "PPid:\t" + std::to_string(::getpid());
    for (const QString& entry : QDir("/proc").entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        std::ifstream file(("/proc/" + entry + "/status").toStdString());
        std::string line;
        while (std::getline(file, line)) {
            if (line == parent) ++count;
        }
    }
    return count;
}

}  // namespace

class WorkerKills : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void again_and_again();
};

void WorkerKills::again_and_again() {
    const int wanted = qEnvironmentVariableIsSet("LOADER_TEST_LONG") ? 1000 : 40;
    HostFixture fixture;
    const protocol::Answer expected = fixture.undisturbed();
    QVERIFY(!expected.text.empty());
    auto host = fixture.load();
    QVERIFY(host.ok());
    QRandomGenerator random(4711);
    std::size_t descriptors = 0;
    std::uint64_t memory = 0;
    int struck = 0;
    int round = 0;
    for (; struck < wanted; ++round) {
        QVERIFY(round < 20 * wanted);
        const auto process = static_cast<pid_t>((*host)->worker().processId());
        const auto delay = std::chrono::microseconds(random.bounded(30000));
        std::thread killer([process, delay] {
            std::this_thread::sleep_for(delay);
            ::kill(process, SIGKILL);
        });
        std::string shown;
        protocol::AnswerCallbacks callbacks;
        callbacks.piece = [&shown](const protocol::AnswerPiece& piece) {
            shown += piece.text;
            return true;
        };
        auto answer = (*host)->generate(fixture.prompt, fixture.answerOptions(), callbacks, {});
        killer.join();
        QVERIFY2(answer.ok(), answer.ok() ? "" : answer.error().toString().c_str());
        QVERIFY2(!answer->error, answer->error ? answer->error->toString().c_str() : "");
        QCOMPARE(answer->text, expected.text);
        QCOMPARE(shown, expected.text);
        if ((*host)->worker().processId() != process) ++struck;
        if (struck >= wanted / 4 && descriptors == 0) {
            descriptors = openDescriptors();
            memory = residentKib();
        }
    }
    // The others came too late for an answer, or between two.
    qInfo("%d of %d struck in the middle of an answer", struck, round);
    QCOMPARE(openDescriptors(), descriptors);
    QVERIFY2(residentKib() < memory + 2048,
             qPrintable(QString::number(residentKib() - memory) + " KiB more"));
    QVERIFY(childProcesses() <= 1);
    host->reset();
    QCOMPARE(childProcesses(), std::size_t{0});
}

}  // namespace loader::test

QTEST_GUILESS_MAIN(loader::test::WorkerKills)
#include "tst_worker_kills.moc"
