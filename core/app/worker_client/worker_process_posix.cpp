// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifndef _WIN32

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "core/app/worker_client/worker_process.h"
#include "core/engine/base/system_text.h"

extern char** environ;

namespace loader::app {
namespace {

constexpr int kConnection = 3;
constexpr const char* kName = "gguf-worker";

std::string signalName(int number) {
    switch (number) {
        case SIGSEGV: return "SIGSEGV";
        case SIGBUS: return "SIGBUS";
        case SIGILL: return "SIGILL";
        case SIGABRT: return "SIGABRT";
        case SIGFPE: return "SIGFPE";
        case SIGKILL: return "SIGKILL";
        case SIGTERM: return "SIGTERM";
        case SIGSYS: return "SIGSYS";
        default: return ::strsignal(number);
    }
}

ProcessEnd endOf(int status) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        return {"signal " + std::to_string(number) + " (" + signalName(number) + ")", true};
    }
    return {"exit status " + std::to_string(WEXITSTATUS(status)), false};
}

/// The lists of posix_spawn, freed with their owner.
struct SpawnPlan {
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
    SpawnPlan() {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
    }
    ~SpawnPlan() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
};

/// A line of /proc/ID/status. @unit bytes
std::uint64_t statusBytes(std::int64_t id, std::string_view key) {
    const auto kibibytes = SystemText().field("/proc/" + std::to_string(id) + "/status", key);
    return kibibytes.value_or(0) * 1024;
}

}  // namespace

std::uint64_t WorkerProcess::residentBytes() const {
    return statusBytes(m_id, "VmRSS:");
}

std::uint64_t WorkerProcess::peakResidentBytes() const {
    return statusBytes(m_id, "VmHWM:");
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const std::string& program,
                                                            const std::vector<std::string>& arguments,
                                                            protocol::Descriptor connection,
                                                            bool inheritErrors) {
    SpawnPlan plan;
    ::posix_spawn_file_actions_addopen(&plan.actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&plan.actions, 1, "/dev/null", O_WRONLY, 0);
    if (!inheritErrors) ::posix_spawn_file_actions_addopen(&plan.actions, 2, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&plan.actions, static_cast<int>(connection.get()), kConnection);
    // A group of its own: what the terminal sends to us (Ctrl+C) is ours to pass on.
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&plan.attributes, &none);
    ::posix_spawnattr_setpgroup(&plan.attributes, 0);
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK;
#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
    // macOS cannot make every descriptor closed at birth: another thread's may be open in between.
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
    if (inheritErrors) ::posix_spawn_file_actions_addinherit_np(&plan.actions, 2);
#endif
    ::posix_spawnattr_setflags(&plan.attributes, flags);

    std::vector<char*> words{const_cast<char*>(kName)};
    for (const std::string& argument : arguments)
        words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    pid_t id = -1;
    const int fault =
        ::posix_spawn(&id, program.c_str(), &plan.actions, &plan.attributes, words.data(), environ);
    if (fault != 0) return Error(Errc::W604, {std::strerror(fault)}, program);
    return std::unique_ptr<WorkerProcess>(new WorkerProcess(id));
}

WorkerProcess::~WorkerProcess() {
    kill();
}

const std::optional<ProcessEnd>& WorkerProcess::poll() {
    if (m_end) return m_end;
    int status = 0;
    const pid_t got = ::waitpid(static_cast<pid_t>(m_id), &status, WNOHANG);
    if (got == m_id) m_end = endOf(status);
    // Somebody else waited for it: that it ended is all that is known.
    if (got < 0 && errno == ECHILD) m_end = ProcessEnd{"unknown reason", true};
    return m_end;
}

const std::optional<ProcessEnd>& WorkerProcess::waitFor(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!poll() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return m_end;
}

const ProcessEnd& WorkerProcess::kill() {
    while (!poll()) {
        ::kill(static_cast<pid_t>(m_id), SIGKILL);
        waitFor(std::chrono::milliseconds(100));
    }
    return *m_end;
}

}  // namespace loader::app

#endif
