// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The process around the sandbox: threads, descriptors, environment, limits, its parent and its end.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>

#include "tests/contract/worker/probe_process.h"

using namespace loader::test;

namespace {

QByteArray contentOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

QByteArray processFile(pid_t process, const char* name) {
    return contentOf(QStringLiteral("/proc/%1/%2").arg(process).arg(QLatin1String(name)));
}

/// Whether it is gone, or dead and not yet collected.
bool hasEnded(pid_t process) {
    const QByteArray stat = processFile(process, "stat");
    return stat.isEmpty() || stat.mid(stat.lastIndexOf(')') + 2).startsWith('Z');
}

void profileRows() {
    QTest::addColumn<QString>("profile");
    QTest::newRow("cpu") << QStringLiteral("cpu");
    QTest::newRow("gpu") << QStringLiteral("gpu");
}

}  // namespace

class TestSandboxProcess : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void everyThreadIsFiltered_data() { profileRows(); }
    /// Q2: two threads were there before, two came afterwards.
    void everyThreadIsFiltered() {
        QFETCH(QString, profile);
        ProbeProcess probe({{QStringLiteral("--profile"), profile, QStringLiteral("threads")}});
        QCOMPARE(probe.readLine(), QByteArray("ready"));
        const QDir tasks(QStringLiteral("/proc/%1/task").arg(probe.id()));
        const QStringList threads = tasks.entryList(QDir::Dirs | QDir::NoDotAndDotDot);
        QVERIFY2(threads.size() >= 5, qPrintable(QString::number(threads.size())));
        for (const QString& thread : threads) {
            const QByteArray status = contentOf(tasks.filePath(thread + QStringLiteral("/status")));
            QVERIFY2(status.contains("\nSeccomp:\t2\n"), status.constData());
            QVERIFY2(status.contains("\nNoNewPrivs:\t1\n"), status.constData());
            // At most the right to keep pages in memory.
            QVERIFY2(status.contains("\nCapEff:\t0000000000000000\n") ||
                         status.contains("\nCapEff:\t0000000000004000\n"),
                     status.constData());
        }
    }

    /// Threads that ran before are outside of Landlock, and the report says so.
    void threadsBeforeAreANote() {
        const ProbeEnd end = runProbe({{QStringLiteral("--profile"), QStringLiteral("cpu"),
                                        QStringLiteral("--strict"), QStringLiteral("threads")}});
        QCOMPARE(end.status, 3);
        QVERIFY2(end.output.contains("Landlock"), end.output.constData());
    }

    void descriptors_data() {
        QTest::addColumn<QStringList>("options");
        QTest::addColumn<bool>("passed");
        QTest::addColumn<QString>("expected");
        QTest::newRow("none passed") << QStringList() << false << QStringLiteral("0 1 2");
        QTest::newRow("passed but not kept") << QStringList() << true << QStringLiteral("0 1 2");
        QTest::newRow("kept") << QStringList{QStringLiteral("--keep"), QStringLiteral("10")} << true
                              << QStringLiteral("0 1 2 10");
        QTest::newRow("kept, without close_range")
            << QStringList{QStringLiteral("--old-kernel"), QStringLiteral("close_range"),
                           QStringLiteral("--keep"), QStringLiteral("10")}
            << true << QStringLiteral("0 1 2 10");
        QTest::newRow("named but not there") << QStringList{QStringLiteral("--keep"), QStringLiteral("10")}
                                             << false << QStringLiteral("0 1 2");
    }
    /// Q3: this test holds one that every child inherits.
    void descriptors() {
        QFETCH(QStringList, options);
        QFETCH(bool, passed);
        QFETCH(QString, expected);
        const int leaked = ::open("/dev/null", O_RDWR);
        QVERIFY(leaked >= 0 && ::dup2(leaked, 77) == 77);
        const QStringList verb{QStringLiteral("descriptors")};
        const int file = passed ? leaked : -1;
        const QString without =
            runProbe({QStringList{QStringLiteral("--profile"), QStringLiteral("none")} + verb, file})
                .verdict();
        const QString verdict = runProbe({options + verb, file}).verdict();
        ::close(leaked);
        ::close(77);
        QVERIFY2(without.contains(QStringLiteral(" 77")), qPrintable(without));
        QCOMPARE(verdict, expected);
    }

    void environmentHoldsNoSecret_data() { profileRows(); }
    /// Q4: not even in the memory where the system put it.
    void environmentHoldsNoSecret() {
        QFETCH(QString, profile);
        ProbeStart start;
        start.environment = {QStringLiteral("PATH=/usr/bin"),      QStringLiteral("LANG=C.UTF-8"),
                             QStringLiteral("HF_TOKEN=hf_secret"), QStringLiteral("OPENAI_API_KEY=sk-secret"),
                             QStringLiteral("HOME=/home/someone"), QStringLiteral("VK_DRIVER_FILES=/x.json"),
                             QStringLiteral("LD_PRELOAD=")};
        start.arguments = {QStringLiteral("--profile"), QStringLiteral("none"),
                           QStringLiteral("environment")};
        QVERIFY(runProbe(start).output.contains("hf_secret"));
        start.arguments = {QStringLiteral("--profile"), profile, QStringLiteral("--cache"),
                           QStringLiteral("/cache"), QStringLiteral("environment")};
        QByteArrayList lines = runProbe(start).output.trimmed().split('\n');
        std::sort(lines.begin(), lines.end());
        QByteArrayList expected = {"LANG=C.UTF-8", "TZ=:/etc/localtime", "bytes-left 0"};
        if (profile == QLatin1String("gpu")) {
            expected = {"HOME=/cache",
                        "LANG=C.UTF-8",
                        "LOADER_VULKAN_CACHE=/cache",
                        "MESA_SHADER_CACHE_DIR=/cache",
                        "TZ=:/etc/localtime",
                        "VK_DRIVER_FILES=/x.json",
                        "XDG_CACHE_HOME=/cache",
                        "__GL_SHADER_DISK_CACHE_PATH=/cache",
                        "bytes-left 0"};
        }
        QCOMPARE(lines, expected);
    }

    void knowsTheTimeZone_data() {
        QTest::addColumn<QString>("zone");
        QTest::newRow("of the system") << QString();
        QTest::newRow("by rule") << QStringLiteral("TZ=XYZ-5:30");
        QTest::newRow("by name") << QStringLiteral("TZ=Asia/Kolkata");
    }
    void knowsTheTimeZone() {
        QFETCH(QString, zone);
        ProbeStart start;
        if (!zone.isEmpty()) start.environment << zone;
        start.arguments = {QStringLiteral("--profile"), QStringLiteral("none"), QStringLiteral("local-time")};
        const QString plain = runProbe(start).verdict();
        for (const char* profile : {"cpu", "gpu"}) {
            start.arguments[1] = QLatin1String(profile);
            QCOMPARE(runProbe(start).verdict(), plain);
        }
        if (!zone.isEmpty() && plain == QLatin1String("0:0")) QSKIP("this system has no data of time zones");
        if (!zone.isEmpty()) QCOMPARE(plain, QStringLiteral("5:30"));
    }

    void limits() {
        const QByteArray cpu = runProbe({{QStringLiteral("limits")}}).output;
        QCOMPARE(cpu,
                 QByteArray("core 0/0\nfile-size 0/0\ndescriptors 64/64\ndumpable 0\nno-new-privileges 1\n"));
        const QByteArray gpu =
            runProbe({{QStringLiteral("--profile"), QStringLiteral("gpu"), QStringLiteral("limits")}}).output;
        QVERIFY2(gpu.contains("file-size 268435456/268435456\ndescriptors 256/256\n"), gpu.constData());
    }

    void isFirstToGoWhenMemoryRunsOut() {
        ProbeProcess probe({{QStringLiteral("wait")}});
        QCOMPARE(probe.readLine(), QByteArray("ready"));
        QCOMPARE(processFile(probe.id(), "oom_score_adj").trimmed(), QByteArray("500"));
    }

    /// Q15: the parent of the probe is a process of its own, which is killed.
    void endsWithItsParent() {
        int pipe[2];
        QCOMPARE(::pipe2(pipe, O_CLOEXEC), 0);
        const pid_t parent = ::fork();
        if (parent == 0) {
            ProbeProcess probe(
                {{QStringLiteral("--parent"), QString::number(::getpid()), QStringLiteral("wait")}});
            const pid_t child = probe.readLine() == "ready" ? probe.id() : -1;
            static_cast<void>(!::write(pipe[1], &child, sizeof child));
            ::pause();
            ::_exit(0);
        }
        ::close(pipe[1]);
        pid_t child = -1;
        QCOMPARE(::read(pipe[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
        ::close(pipe[0]);
        QVERIFY(child > 0 && !hasEnded(child));
        QElapsedTimer timer;
        timer.start();
        ::kill(parent, SIGKILL);
        ::waitpid(parent, nullptr, 0);
        while (!hasEnded(child) && timer.elapsed() < 5000)
            ::usleep(1000);
        QVERIFY2(timer.elapsed() < 1000, qPrintable(QString::number(timer.elapsed())));
    }

    void refusesAnotherParent() {
        const ProbeEnd end =
            runProbe({{QStringLiteral("--parent"), QStringLiteral("1"), QStringLiteral("report")}});
        if (::getpid() == 1) QSKIP("this test is process 1");
        QCOMPARE(end.status, 3);
        QVERIFY2(end.output.contains("W621"), end.output.constData());
    }

    /// Q20: where the system would write one for any other process.
    void leavesNoCoreDump() {
        const QTemporaryDir folder;
        ProbeStart start;
        start.folder = folder.path();
        start.allowCoreDump = true;
        start.arguments = {QStringLiteral("--profile"), QStringLiteral("none"), QStringLiteral("crash")};
        const ProbeEnd plain = runProbe(start);
        start.arguments = {QStringLiteral("crash")};
        const int before = QDir(folder.path()).entryList(QDir::Files).size();
        const ProbeEnd end = runProbe(start);
        QVERIFY(!end.dumpedCore);
        QCOMPARE(QDir(folder.path()).entryList(QDir::Files).size(), before);
        if (!plain.dumpedCore) QSKIP("this system writes no core dumps, so none was there to be avoided");
        QCOMPARE(end.signal, SIGSEGV);
    }

    void entersWithinTwentyMilliseconds() {
        double best = 1e9;
        for (int i = 0; i < 5; ++i) {
            const QString took = runProbe({{QStringLiteral("time-to-enter")}}).verdict();
            best = std::min(best, took.toDouble());
        }
        qInfo("%.2f ms", best);
        QVERIFY(best > 0.0 && best < 20.0);
    }
};

QTEST_GUILESS_MAIN(TestSandboxProcess)
#include "tst_sandbox_process.moc"
