// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/worker/probe_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

namespace loader::test {
namespace {

constexpr int kAnswerMs = 60000;
/// Above every number that a test uses.
constexpr int kAside = 200;

std::vector<std::string> bytesOf(const QStringList& list) {
    std::vector<std::string> out;
    for (const QString& text : list)
        out.push_back(text.toStdString());
    return out;
}

std::vector<char*> pointersTo(std::vector<std::string>& list) {
    std::vector<char*> out;
    for (std::string& text : list)
        out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

struct Prepared {
    std::vector<char*> arguments;
    std::vector<char*> environment;
    std::string folder;
    int input = -1;
    int output = -1;
    int passed = -1;
    bool allowCoreDump = false;
};

/// Between fork and exec: only system calls.
[[noreturn]] void becomeProbe(const Prepared& prepared) {
    const int input = ::fcntl(prepared.input, F_DUPFD, kAside);
    const int output = ::fcntl(prepared.output, F_DUPFD, kAside);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    if (prepared.passed >= 0) {
        const int passed = ::fcntl(prepared.passed, F_DUPFD, kAside);
        ::dup2(passed, kPassedDescriptor);
        ::close(passed);
    } else {
        ::close(kPassedDescriptor);
    }
    ::close(input);
    ::close(output);
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = prepared.allowCoreDump ? core.rlim_max : 0;
    ::setrlimit(RLIMIT_CORE, &core);
    if (!prepared.folder.empty() && ::chdir(prepared.folder.c_str()) != 0) ::_exit(126);
    ::execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
    ::_exit(127);
}

}  // namespace

QString ProbeEnd::verdict() const {
    const QByteArray line = output.left(output.indexOf('\n'));
    if (!line.isEmpty()) return QString::fromUtf8(line);
    if (signal != 0) return QStringLiteral("killed %1").arg(QLatin1String(::sigabbrev_np(signal)));
    return QStringLiteral("ended %1").arg(status);
}

ProbeProcess::ProbeProcess(const ProbeStart& start) {
    std::vector<std::string> arguments = bytesOf(QStringList(LOADER_SANDBOX_PROBE) + start.arguments);
    std::vector<std::string> environment = bytesOf(start.environment);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) return;
    Prepared prepared;
    prepared.arguments = pointersTo(arguments);
    prepared.environment = pointersTo(environment);
    prepared.folder = start.folder.toStdString();
    prepared.input = in[0];
    prepared.output = out[1];
    prepared.passed = start.descriptor;
    prepared.allowCoreDump = start.allowCoreDump;
    m_child = ::fork();
    if (m_child == 0) becomeProbe(prepared);
    ::close(in[0]);
    ::close(out[1]);
    m_input = in[1];
    m_output = out[0];
}

ProbeProcess::~ProbeProcess() {
    if (m_child > 0) {
        ::kill(m_child, SIGKILL);
        ::waitpid(m_child, nullptr, 0);
    }
    closeInput();
    if (m_output >= 0) ::close(m_output);
}

QByteArray ProbeProcess::readSome() {
    pollfd wanted{m_output, POLLIN, 0};
    if (::poll(&wanted, 1, kAnswerMs) != 1) return {};
    std::array<char, 65536> part{};
    const ssize_t got = ::read(m_output, part.data(), part.size());
    return got > 0 ? QByteArray(part.data(), got) : QByteArray();
}

QByteArray ProbeProcess::readLine() {
    while (!m_pending.contains('\n')) {
        const QByteArray part = readSome();
        if (part.isEmpty()) return {};
        m_pending += part;
    }
    const auto end = m_pending.indexOf('\n');
    const QByteArray line = m_pending.left(end);
    m_pending.remove(0, end + 1);
    return line;
}

void ProbeProcess::closeInput() {
    if (m_input >= 0) ::close(m_input);
    m_input = -1;
}

ProbeEnd ProbeProcess::finish() {
    ProbeEnd end;
    if (m_child <= 0) return end;
    while (true) {
        const QByteArray part = readSome();
        if (part.isEmpty()) break;
        m_pending += part;
    }
    end.output = m_pending;
    // Its output has ended, or a minute has passed without any: it gets five seconds to follow.
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < 500 && ended == 0; ++i) {
        ended = ::waitpid(m_child, &status, WNOHANG);
        if (ended == 0) ::usleep(10000);
    }
    if (ended == 0) {
        ::kill(m_child, SIGKILL);
        ::waitpid(m_child, &status, 0);
    }
    m_child = -1;
    if (WIFEXITED(status)) end.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) {
        end.signal = WTERMSIG(status);
        end.dumpedCore = WCOREDUMP(status);
    }
    return end;
}

ProbeEnd runProbe(const ProbeStart& start) {
    ProbeProcess process(start);
    process.closeInput();
    return process.finish();
}

}  // namespace loader::test
