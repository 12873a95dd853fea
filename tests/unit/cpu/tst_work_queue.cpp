// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every unit of every phase is done once, whatever the team and the number of units.

#include <QTest>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "backends/cpu/exec/work_queue.h"
#include "core/engine/base/thread_pool.h"

using namespace loader;
using namespace loader::cpu;

class TestWorkQueue : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyUnitOnce_data() {
        QTest::addColumn<unsigned>("threads");
        for (unsigned threads : {1u, 2u, 3u, 5u})
            QTest::addRow("%u threads", threads) << threads;
    }

    void everyUnitOnce() {
        QFETCH(unsigned, threads);
        constexpr std::size_t kPhases = 60;
        ThreadPool pool(threads);
        WorkQueue queue;
        std::vector<std::vector<std::atomic<int>>> done;
        for (std::size_t phase = 0; phase < kPhases; ++phase)
            done.emplace_back(phase * 7 % 41);
        for (int round = 0; round < 3; ++round) {
            queue.reset();
            pool.run([&](TeamMember& member) {
                for (std::uint32_t phase = 0; phase < kPhases; ++phase) {
                    queue.run(member, 2 * phase, done[phase].size(), [&](std::size_t begin, std::size_t end) {
                        for (std::size_t i = begin; i < end; ++i)
                            done[phase][i].fetch_add(1);
                    });
                    member.barrier();
                    queue.runEach(member, 2 * phase + 1, done[phase].size(),
                                  [&](std::size_t unit) { done[phase][unit].fetch_add(1); });
                    member.barrier();
                }
            });
            for (const auto& phase : done) {
                for (const std::atomic<int>& count : phase)
                    QCOMPARE(count.load(), 2 * (round + 1));
            }
        }
    }

    /// The others take over what a member that is held up has not begun.
    void othersTakeTheRest() {
        ThreadPool pool(2);
        WorkQueue queue;
        queue.reset();
        std::atomic<std::size_t> doneByFirst{0};
        pool.run([&](TeamMember& member) {
            queue.run(member, 0, 400, [&](std::size_t begin, std::size_t end) {
                if (member.index() == 0) {
                    doneByFirst += end - begin;
                } else {
                    std::this_thread::sleep_for(std::chrono::milliseconds(200));
                }
            });
        });
        QVERIFY2(doneByFirst >= 225, "the first member did no more than its half");
    }
};

QTEST_GUILESS_MAIN(TestWorkQueue)
#include "tst_work_queue.moc"
