// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Q7: kernels without Landlock, without seccomp, without both. A filter around the probe makes this kernel
// answer as such a kernel does. The probe runs, says what is not in force, and refuses where it was told to
// be strict.

#include <QTest>

#include "tests/contract/worker/probe_process.h"

using namespace loader::test;

class TestSandboxOldKernel : public QObject {
    Q_OBJECT

    static ProbeEnd run(const QString& missing, const QString& profile, const QStringList& rest) {
        return runProbe(
            {QStringList{QStringLiteral("--old-kernel"), missing, QStringLiteral("--profile"), profile} +
             rest});
    }

private Q_SLOTS:
    void report_data() {
        QTest::addColumn<QString>("missing");
        QTest::addColumn<QString>("profile");
        QTest::addColumn<QByteArray>("expected");
        QTest::addColumn<QByteArray>("note");
        // Seccomp alone closes everything for the CPU; Landlock alone closes files.
        QTest::newRow("cpu without Landlock")
            << QStringLiteral("landlock") << QStringLiteral("cpu")
            << QByteArray("seccomp yes\nlandlock 0\nnetwork yes\nfiles yes\nexec yes\nnew-code yes\n")
            << QByteArray("note Landlock is not in force");
        QTest::newRow("gpu without Landlock")
            << QStringLiteral("landlock") << QStringLiteral("gpu")
            << QByteArray("seccomp yes\nlandlock 0\nnetwork yes\nfiles no\nexec yes\nnew-code no\n")
            << QByteArray("note Files are not closed");
        QTest::newRow("cpu without both")
            << QStringLiteral("landlock,seccomp") << QStringLiteral("cpu")
            << QByteArray("seccomp no\nlandlock 0\nnetwork no\nfiles no\nexec no\nnew-code no\n")
            << QByteArray("note seccomp is not in force");
        QTest::newRow("gpu without both")
            << QStringLiteral("landlock,seccomp") << QStringLiteral("gpu")
            << QByteArray("seccomp no\nlandlock 0\nnetwork no\nfiles no\nexec no\nnew-code no\n")
            << QByteArray("note The network is not closed");
    }

    void report() {
        QFETCH(QString, missing);
        QFETCH(QString, profile);
        QFETCH(QByteArray, expected);
        QFETCH(QByteArray, note);
        const ProbeEnd end = run(missing, profile, {QStringLiteral("report")});
        QCOMPARE(end.status, 0);
        QVERIFY2(end.output.startsWith(expected), end.output.constData());
        QVERIFY2(end.output.contains(note), end.output.constData());
    }

    void withoutSeccompAlone() {
        const ProbeEnd end =
            run(QStringLiteral("seccomp"), QStringLiteral("cpu"), {QStringLiteral("report")});
        QCOMPARE(end.status, 0);
        QVERIFY2(end.output.startsWith("seccomp no\n"), end.output.constData());
        QVERIFY2(end.output.contains("network no\n"), end.output.constData());
        QVERIFY2(end.output.contains("exec no\n"), end.output.constData());
        if (end.output.contains("landlock 0\n")) QSKIP("this kernel has no Landlock");
        QVERIFY2(end.output.contains("files yes\n"), end.output.constData());
    }

    void everythingNeededStillWorks() {
        const ProbeEnd end = run(QStringLiteral("landlock,seccomp"), QStringLiteral("cpu"),
                                 {QStringLiteral("try"), QStringLiteral("start-thread")});
        QCOMPARE(end.verdict(), QStringLiteral("allowed"));
    }

    void strictRefuses_data() {
        QTest::addColumn<QString>("missing");
        QTest::newRow("Landlock") << QStringLiteral("landlock");
        QTest::newRow("seccomp") << QStringLiteral("seccomp");
        QTest::newRow("both") << QStringLiteral("landlock,seccomp");
    }

    void strictRefuses() {
        QFETCH(QString, missing);
        for (const char* profile : {"cpu", "gpu"}) {
            const ProbeEnd end =
                run(missing, QLatin1String(profile), {QStringLiteral("--strict"), QStringLiteral("report")});
            QCOMPARE(end.status, 3);
            QVERIFY2(end.output.startsWith("refused W620"), end.output.constData());
        }
    }
};

QTEST_GUILESS_MAIN(TestSandboxOldKernel)
#include "tst_sandbox_old_kernel.moc"
