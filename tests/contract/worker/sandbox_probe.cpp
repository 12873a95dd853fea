// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A process that enters the worker's sandbox as the worker does and then does one thing that the test asked
// for. sandbox_probe [--old-kernel seccomp,landlock] [--profile cpu|gpu|none] [--strict] [--cache FOLDER]
//               [--keep NUMBER]… [--parent PID] VERB [ARGUMENT…]

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/worker/sandbox.h"
#include "tests/contract/worker/probe_attempts.h"
#include "tests/contract/worker/probe_engine.h"

namespace {

using loader::worker::SandboxOptions;
using loader::worker::SandboxProfile;
using loader::worker::SandboxReport;

constexpr int kRefused = 3;
constexpr int kMisused = 2;

struct Command {
    bool sandboxed = true;
    SandboxOptions options;
    std::string oldKernel;
    std::vector<std::string> words;
    /// All but --old-kernel and its value.
    std::vector<char*> forNewProgram;
    std::string word(std::size_t i) const { return i < words.size() ? words[i] : std::string(); }
};

void say(const std::string& text) {
    const std::string line = text + "\n";
    static_cast<void>(!::write(STDOUT_FILENO, line.data(), line.size()));
}

Command parse(int argc, char** argv) {
    Command command;
    command.forNewProgram.push_back(argv[0]);
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const auto value = [&] { return std::string(i + 1 < argc ? argv[i + 1] : ""); };
        if (word == "--old-kernel") {
            command.oldKernel = value();
            ++i;
            continue;
        }
        command.forNewProgram.push_back(argv[i]);
        if (!command.words.empty() || !word.starts_with("--")) {
            command.words.emplace_back(word);
            continue;
        }
        if (word == "--strict") {
            command.options.strict = true;
            continue;
        }
        if (word == "--profile") {
            command.sandboxed = value() != "none";
            if (value() == "gpu") command.options.profile = SandboxProfile::Gpu;
        } else if (word == "--cache") {
            command.options.cacheFolder = value();
        } else if (word == "--keep") {
            command.options.keepDescriptors.push_back(std::atoi(value().c_str()));
        } else if (word == "--parent") {
            command.options.parentProcess = std::atoi(value().c_str());
        }
        command.forNewProgram.push_back(argv[++i]);
    }
    command.forNewProgram.push_back(nullptr);
    return command;
}

/// Makes this kernel look as if it had been built without something, and starts again.
int startOnOldKernel(Command& command) {
    scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
    int fault = 0;
    const auto missing = [&](int call) {
        fault |= ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0);
    };
    if (command.oldKernel.find("landlock") != std::string::npos) {
        for (const int call : {444, 445, 446})
            missing(call);
    }
    if (command.oldKernel.find("seccomp") != std::string::npos) {
        missing(SCMP_SYS(seccomp));
        for (const int option : {PR_SET_SECCOMP, PR_GET_SECCOMP}) {
            const scmp_arg_cmp asked{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(option), 0};
            fault |= ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1, asked);
        }
    }
    if (command.oldKernel.find("close_range") != std::string::npos) missing(SCMP_SYS(close_range));
    if (fault == 0) fault = ::seccomp_load(filter);
    if (fault == 0) ::execv("/proc/self/exe", command.forNewProgram.data());
    return kMisused;
}

std::string yesNo(bool value) {
    return value ? "yes" : "no";
}

void sayReport(const SandboxReport& report) {
    say("seccomp " + yesNo(report.seccomp));
    say("landlock " + std::to_string(report.landlockAbi));
    say("network " + yesNo(report.network));
    say("files " + yesNo(report.files));
    say("exec " + yesNo(report.exec));
    say("new-code " + yesNo(report.newCode));
    for (const std::string& note : report.notes)
        say("note " + note);
}

int tryAttempt(const Command& command, int ownProgram, pid_t parent) {
    const loader::test::Attempt attempt = loader::test::findAttempt(command.word(1));
    if (attempt == nullptr) return kMisused;
    loader::test::AttemptContext context;
    context.argument = command.word(2);
    if (!command.options.keepDescriptors.empty())
        context.descriptor = command.options.keepDescriptors.front();
    context.ownProgram = ownProgram;
    context.parent = parent;
    say(loader::test::outcomeText(attempt(context)));
    return 0;
}

/// They end with the process.
void startSleepers() {
    for (int i = 0; i < 2; ++i)
        std::thread([] { std::this_thread::sleep_for(std::chrono::hours(1)); }).detach();
}

/// Until the test closes our input.
void waitForEnd() {
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

int sayDescriptors() {
    std::string open;
    for (int number = 0; number < 1024; ++number) {
        if (::fcntl(number, F_GETFD) >= 0) open += (open.empty() ? "" : " ") + std::to_string(number);
    }
    say(open);
    return 0;
}

int sayLimits() {
    const auto limit = [](__rlimit_resource_t what) {
        rlimit now{};
        ::getrlimit(what, &now);
        return std::to_string(now.rlim_cur) + "/" + std::to_string(now.rlim_max);
    };
    say("core " + limit(RLIMIT_CORE));
    say("file-size " + limit(RLIMIT_FSIZE));
    say("descriptors " + limit(RLIMIT_NOFILE));
    say("dumpable " + std::to_string(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)));
    say("no-new-privileges " + std::to_string(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)));
    return 0;
}

/// How much is left in the memory where the environment was handed over, and what can be asked for.
int sayEnvironment(const std::vector<std::pair<const char*, std::size_t>>& handedOver) {
    std::size_t left = 0;
    for (const auto& [text, length] : handedOver) {
        for (std::size_t i = 0; i < length; ++i)
            left += text[i] != '\0' ? 1 : 0;
    }
    say("bytes-left " + std::to_string(left));
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
        say(*entry);
    return 0;
}

int sayLogits(const loader::Result<std::vector<float>>& logits) {
    if (!logits.ok()) {
        say("failed " + logits.error().toString());
        return 1;
    }
    const auto bytes = std::as_bytes(std::span(*logits));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
        if (put <= 0) return 1;
        done += static_cast<std::size_t>(put);
    }
    return 0;
}

/// What happens after the sandbox was entered, or without it.
int act(const Command& command, const SandboxReport& report, int ownProgram, pid_t parent,
        loader::test::ProbeEngine* engine) {
    const std::string verb = command.word(0);
    if (verb == "try") return tryAttempt(command, ownProgram, parent);
    if (verb == "say-allowed") return say("allowed"), 0;
    if (verb == "report") return sayReport(report), 0;
    if (verb == "descriptors") return sayDescriptors();
    if (verb == "limits") return sayLimits();
    if (verb == "local-time") {
        const std::time_t start = 0;
        const std::tm* local = std::localtime(&start);
        return say(std::to_string(local->tm_hour) + ":" + std::to_string(local->tm_min)), 0;
    }
    if (verb == "crash") return ::raise(SIGSEGV);
    if (verb == "measure") {
        const auto seconds = engine->measure(static_cast<std::size_t>(std::atoi(command.word(2).c_str())));
        if (!seconds.ok()) return 1;
        return say(std::to_string(*seconds)), 0;
    }
    if (verb == "compute-by-path") return sayLogits(engine->compute());
    if (verb == "compute-by-descriptor")
        return sayLogits(loader::test::computeFromDescriptor(command.options.keepDescriptors.front()));
    if (verb == "inject") {
        const int port = std::atoi(command.word(3).c_str());
        say("reached " +
            std::to_string(loader::test::runInjectedCode(command.word(1), command.word(2), port)));
        return 0;
    }
    if (verb == "threads") {
        startSleepers();
        say("ready");
        waitForEnd();
        ::_exit(0);
    }
    if (verb == "wait") {
        say("ready");
        while (true)
            std::this_thread::sleep_for(std::chrono::hours(1));
    }
    return kMisused;
}

int runProbe(Command& command) {
    std::vector<std::pair<const char*, std::size_t>> handedOver;
    for (char** entry = environ; *entry != nullptr; ++entry)
        handedOver.emplace_back(*entry, std::strlen(*entry));
    const pid_t parent = ::getppid();
    if (command.sandboxed) {
        const loader::Status prepared = loader::worker::prepareProcess(command.options);
        if (!prepared.ok()) return say("refused " + prepared.error().toString()), kRefused;
    }
    if (command.word(0) == "environment") return sayEnvironment(handedOver);
    const int ownProgram = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    std::unique_ptr<loader::test::ProbeEngine> engine;
    const bool measures = command.word(0) == "measure";
    if (measures || command.word(0) == "compute-by-path") {
        auto loaded =
            loader::test::ProbeEngine::load(command.word(1), measures ? 1 : loader::test::kProbeThreads);
        if (!loaded.ok()) return say("failed " + loaded.error().toString()), 1;
        engine = std::move(loaded).value();
    }
    if (command.word(0) == "threads") startSleepers();
    SandboxReport report;
    if (command.sandboxed) {
        const auto start = std::chrono::steady_clock::now();
        auto entered = loader::worker::enterSandbox(command.options);
        if (!entered.ok()) return say("refused " + entered.error().toString()), kRefused;
        report = std::move(entered).value();
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        if (command.word(0) == "time-to-enter") return say(std::to_string(took.count())), 0;
    }
    if (command.word(0) == "descriptors" && ownProgram >= 0) ::close(ownProgram);
    const int status = act(command, report, ownProgram, parent, engine.get());
    // Threads that sleep for hours are not waited for, and leak detection would need what is denied.
    ::_exit(status);
}

}  // namespace

int main(int argc, char** argv) {
    Command command = parse(argc, argv);
    if (!command.oldKernel.empty()) return startOnOldKernel(command);
    ::_exit(runProbe(command));
}
