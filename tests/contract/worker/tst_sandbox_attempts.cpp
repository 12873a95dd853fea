// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One forbidden (or needed) thing per start of the probe, in both profiles. Each row that can be tried safely
// is also tried without a sandbox, where it must be possible: a row that fails everywhere would prove
// nothing.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "tests/contract/worker/probe_process.h"

using namespace loader::test;

namespace {

constexpr const char* kEperm = "denied EPERM";
constexpr const char* kEacces = "denied EACCES";
constexpr const char* kAllowed = "allowed";
constexpr const char* kKilled = "killed SYS";
/// Not tried without a sandbox: harmful there, or dependent on the machine.
constexpr const char* kUntried = "";

int listener(int family, const sockaddr* address, socklen_t bytes) {
    const int made = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(made, address, bytes) != 0 || ::listen(made, 64) != 0) return -1;
    return made;
}

int unixListener(const QByteArray& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.constData(), static_cast<std::size_t>(name.size()));
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
    const auto bytes =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + static_cast<std::size_t>(name.size()));
    return listener(AF_UNIX, reinterpret_cast<sockaddr*>(&address), bytes);
}

}  // namespace

class TestSandboxAttempts : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    QString m_model, m_cache, m_home, m_unixSocket, m_abstractSocket, m_port;
    std::vector<int> m_servers;

    /// Placeholders of the table, filled in here.
    QString filled(QString argument) const {
        return argument.replace(QLatin1String("{folder}"), m_folder.path())
            .replace(QLatin1String("{cache}"), m_cache)
            .replace(QLatin1String("{home}"), m_home)
            .replace(QLatin1String("{unix}"), m_unixSocket)
            .replace(QLatin1String("{abstract}"), m_abstractSocket)
            .replace(QLatin1String("{port}"), m_port);
    }

    int openPassed(const QString& kind) const {
        if (kind == QLatin1String("model"))
            return ::open(m_model.toLocal8Bit().constData(), O_RDONLY | O_CLOEXEC);
        if (kind != QLatin1String("sealed")) return -1;
        const int shared = ::memfd_create("bulk", MFD_ALLOW_SEALING | MFD_CLOEXEC);
        if (::ftruncate(shared, 4096) != 0 || ::fcntl(shared, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
            return -1;
        return shared;
    }

    QString outcome(const QString& profile, const QString& name, const QString& argument,
                    const QString& passed) {
        ProbeStart start;
        start.descriptor = openPassed(passed);
        start.arguments << QStringLiteral("--profile") << profile << QStringLiteral("--cache") << m_cache
                        << QStringLiteral("--parent") << QString::number(::getpid());
        if (start.descriptor >= 0)
            start.arguments << QStringLiteral("--keep") << QString::number(kPassedDescriptor);
        start.arguments << QStringLiteral("try") << name << filled(argument);
        const QString verdict = runProbe(start).verdict();
        if (start.descriptor >= 0) ::close(start.descriptor);
        return verdict;
    }

    static void row(const char* attempt, const char* argument, const char* cpu, const char* gpu,
                    const char* without = kAllowed, const char* passed = "") {
        const QByteArray name = (QByteArray(attempt) + ' ' + argument).trimmed();
        QTest::newRow(name.constData())
            << QString::fromLatin1(attempt) << QString::fromLatin1(argument) << QString::fromLatin1(passed)
            << QString::fromLatin1(without) << QString::fromLatin1(cpu) << QString::fromLatin1(gpu);
    }

    static void fileRows() {
        row("read-file", "/etc/passwd", kEperm, kEacces);
        row("read-file", "{folder}/model.gguf", kEperm, kEacces);
        row("read-file", "/proc/self/status", kEperm, kAllowed);
        row("read-file", "/proc/1/status", kEperm, kEacces, kUntried);
        row("read-folder", "/usr/lib", kEperm, kAllowed);
        row("read-folder", "/", kEperm, kEacces);
        row("read-folder", "{home}", kEperm, kEacces);
        row("create-file", "{home}/.sandbox-probe", kEperm, kEacces);
        row("create-file", "/tmp/sandbox-probe", kEperm, kEacces);
        row("create-file", "/dev/shm/sandbox-probe", kEperm, kEacces);
        row("create-file", "{cache}/sandbox-probe", kEperm, kAllowed);
        row("create-file", "/usr/lib/sandbox-probe", kEperm, kEacces, kUntried);
        row("truncate-file", "{folder}/victim", kEperm, kEperm);
        row("remove-file", "{folder}/other", kEperm, kEacces);
        row("change-mode", "{folder}/model.gguf", kEperm, kEperm);
        row("change-times", "{folder}/model.gguf", kEperm, kEperm);
        row("make-link", "{folder}/link", kEperm, kEperm);
        row("stat-path", "/etc/passwd", kEperm, kAllowed);
        row("stat-path-as-descriptor", "/etc/passwd", kEperm, kAllowed);
        row("watch-files", "", kEperm, kEperm);
        row("memory-file", "", kEperm, kAllowed);
    }

    static void descriptorRows() {
        row("stat-descriptor", "", kAllowed, kAllowed, kAllowed, "model");
        row("map-descriptor", "", kAllowed, kAllowed, kAllowed, "model");
        row("survive-missing-page", "", kAllowed, kAllowed, kAllowed, "model");
        // Q14: the owner of the file may do this everywhere else.
        row("reopen-for-writing", "", kEperm, kEacces, kAllowed, "model");
        row("write-descriptor", "", "failed 9", "failed 9", "failed 9", "model");
        row("map-descriptor-for-writing", "", kEacces, kEacces, kEacces, "model");
        // Q13: the seals hold without any sandbox.
        row("shrink-descriptor", "", kEperm, kEperm, kEperm, "sealed");
        row("map-descriptor-for-writing", "sealed", kAllowed, kAllowed, kAllowed, "sealed");
    }

    static void networkRows() {
        row("connect-tcp", "{port}", kEperm, kEperm);
        row("connect-tcp", "22", kEperm, kEperm, kUntried);
        row("send-datagram", "", kEperm, kEperm);
        row("connect-unix", "{unix}", kEperm, kEperm);
        row("connect-unix", "{abstract}", kEperm, kEperm);
        row("netlink", "", kEperm, kEperm);
        row("socket-pair", "", kEperm, kEperm);
    }

    static void processRows() {
        row("run-program", "", kEperm, kEperm);
        row("run-descriptor", "", kEperm, kEperm);
        row("make-process", "", kEperm, kEperm);
        row("make-process-clone3", "", "denied ENOSYS", "denied ENOSYS");
        row("signal-parent", "", kEperm, kEperm);
        row("signal-parent-thread", "", kEperm, kEperm);
        row("queue-signal-to-parent", "", kEperm, kEperm);
        row("signal-parent-by-descriptor", "", kEperm, kEperm);
        row("trace-parent", "", kKilled, kKilled, kUntried);
        row("read-parent-memory", "", kKilled, kKilled, kUntried);
        row("process-vm-writev", "", kKilled, kKilled, kUntried);
        row("descriptor-of-parent", "", kKilled, kKilled);
        row("open-parent-memory", "", kEperm, kEacces, kUntried);
        row("limit-parent", "", kEperm, kEperm, kUntried);
        row("pin-parent", "", kEperm, kEperm);
        row("set-user", "", kEperm, kEperm);
        row("raise-limit", "", kEperm, kEperm);
        row("become-dumpable", "", kEperm, kEperm);
        row("outlive-parent", "", kEperm, kEperm);
        row("make-shared-memory", "", kEperm, kEperm);
        row("type-into-terminal", "", kEperm, kEperm, kUntried);
        row("type-into-terminal-high-bits", "", kEperm, kEperm, kUntried);
        row("control-device", "", kEperm, "failed 25", "failed 25");
    }

    static void codeRows() {
        row("map-code", "", kEperm, kAllowed);
        row("protect-code", "", kEperm, kAllowed);
        row("protect-code-by-key", "", kEperm, kEperm, kUntried);
        row("map-file-code", "", kEperm, kAllowed);
    }

    static void kernelRows() {
        for (const char* name : {"io-uring-setup", "bpf", "userfaultfd", "perf-event-open", "keyctl", "mount",
                                 "umount", "pivot-root", "chroot", "unshare", "setns", "personality",
                                 "init-module", "kexec-load", "swapon", "reboot", "open-by-handle"})
            row(name, "", kKilled, kKilled, kUntried);
#ifdef __x86_64__
        row("foreign-call", "", kKilled, kKilled, kUntried);
#endif
    }

    static void neededRows() {
        for (const char* name : {"start-thread", "take-memory", "lock-memory", "wait-for-event",
                                 "name-thread", "catch-bus-error", "read-own-limit", "count-processors"})
            row(name, "", kAllowed, kAllowed);
    }

private Q_SLOTS:
    void initTestCase() {
        QVERIFY(m_folder.isValid());
        m_model = m_folder.filePath(QStringLiteral("model.gguf"));
        m_cache = m_folder.filePath(QStringLiteral("cache"));
        // What stands for the user's folder; the real one is left alone.
        m_home = m_folder.filePath(QStringLiteral("home"));
        QVERIFY(QDir().mkdir(m_cache) && QDir().mkdir(m_home));
        QFile file(m_model);
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write(QByteArray(8192, 'm')) == 8192);
        file.close();
        m_unixSocket = m_folder.filePath(QStringLiteral("bus"));
        m_abstractSocket = QStringLiteral("@sandbox-probe-%1").arg(::getpid());
        m_servers.push_back(unixListener(m_unixSocket.toLocal8Bit()));
        m_servers.push_back(unixListener(m_abstractSocket.toLocal8Bit()));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        m_servers.push_back(listener(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address));
        for (const int server : m_servers)
            QVERIFY(server >= 0);
        socklen_t bytes = sizeof address;
        QCOMPARE(::getsockname(m_servers.back(), reinterpret_cast<sockaddr*>(&address), &bytes), 0);
        m_port = QString::number(ntohs(address.sin_port));
    }

    void cleanupTestCase() {
        for (const int server : m_servers)
            ::close(server);
    }

    void init() {
        for (const char* name : {"victim", "other"}) {
            QFile file(m_folder.filePath(QLatin1String(name)));
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write("content") == 7);
        }
    }

    void attempt_data() {
        for (const char* column : {"attempt", "argument", "passed", "without", "cpu", "gpu"})
            QTest::addColumn<QString>(column);
        fileRows();
        descriptorRows();
        networkRows();
        processRows();
        codeRows();
        kernelRows();
        neededRows();
    }

    void attempt() {
        QFETCH(QString, attempt);
        QFETCH(QString, argument);
        QFETCH(QString, passed);
        QFETCH(QString, without);
        QFETCH(QString, cpu);
        QFETCH(QString, gpu);
        QCOMPARE(outcome(QStringLiteral("cpu"), attempt, argument, passed), cpu);
        QCOMPARE(outcome(QStringLiteral("gpu"), attempt, argument, passed), gpu);
        // Last: it may change the files that the row is about.
        if (!without.isEmpty()) QCOMPARE(outcome(QStringLiteral("none"), attempt, argument, passed), without);
    }

    void everythingIsReportedAsInForce_data() {
        QTest::addColumn<QString>("profile");
        QTest::addColumn<bool>("newCode");
        QTest::newRow("cpu") << QStringLiteral("cpu") << true;
        QTest::newRow("gpu") << QStringLiteral("gpu") << false;
    }

    void everythingIsReportedAsInForce() {
        QFETCH(QString, profile);
        QFETCH(bool, newCode);
        const ProbeEnd end = runProbe(
            {{QStringLiteral("--profile"), profile, QStringLiteral("--strict"), QStringLiteral("report")}});
        if (end.output.contains("W620")) QSKIP("this kernel cannot enforce all of it");
        QVERIFY2(end.output.contains("seccomp yes\n"), end.output.constData());
        QVERIFY2(end.output.contains("network yes\nfiles yes\nexec yes\n"), end.output.constData());
        QVERIFY2(end.output.contains(newCode ? "new-code yes\n" : "new-code no\n"), end.output.constData());
        QVERIFY2(!end.output.contains("landlock 0\n"), end.output.constData());
        QCOMPARE(end.output.count("note "), newCode ? 0 : 1);
    }
};

QTEST_GUILESS_MAIN(TestSandboxAttempts)
#include "tst_sandbox_attempts.moc"
