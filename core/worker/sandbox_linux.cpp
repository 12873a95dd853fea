// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Enters the two layers and then asks the kernel, and tries harmless forbidden things, instead of believing:
// a container or an emulator may accept a filter and not apply it.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "core/worker/sandbox.h"
#include "core/worker/sandbox_layers.h"

namespace loader::worker {
namespace {

/// PR_SET_MDWE and PR_MDWE_REFUSE_EXEC_GAIN, younger than our oldest headers.
constexpr int kDenyWriteThenExecute = 65;
constexpr unsigned long kRefuseExecGain = 1;

/// A file of /proc/self opened while that was allowed; its content is made anew at every read.
class OwnFacts {
public:
    explicit OwnFacts(const char* path) : m_descriptor(::open(path, O_RDONLY | O_CLOEXEC)) {}
    ~OwnFacts() {
        if (m_descriptor >= 0) ::close(m_descriptor);
    }
    OwnFacts(const OwnFacts&) = delete;
    OwnFacts& operator=(const OwnFacts&) = delete;

    /// Empty where there is no /proc.
    std::string read() const {
        std::string text;
        if (m_descriptor < 0 || ::lseek(m_descriptor, 0, SEEK_SET) != 0) return text;
        std::array<char, 4096> part{};
        while (true) {
            const ssize_t got = ::read(m_descriptor, part.data(), part.size());
            if (got <= 0) return text;
            text.append(part.data(), static_cast<std::size_t>(got));
        }
    }

private:
    int m_descriptor;
};

/// The number behind "Name:" of a status file; -1 where there is none.
int field(std::string_view status, std::string_view name) {
    std::size_t at = 0;
    while (at < status.size()) {
        const std::size_t end = std::min(status.find('\n', at), status.size());
        std::string_view line = status.substr(at, end - at);
        at = end + 1;
        if (!line.starts_with(name)) continue;
        line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
        int value = -1;
        static_cast<void>(std::from_chars(line.data(), line.data() + line.size(), value));
        return value;
    }
    return -1;
}

/// Whether some page may be both written and executed, as /proc/self/maps tells.
bool holdsWritableCode(std::string_view maps) {
    std::size_t at = 0;
    while (at < maps.size()) {
        const std::size_t end = std::min(maps.find('\n', at), maps.size());
        const std::string_view line = maps.substr(at, end - at);
        at = end + 1;
        const std::size_t rights = line.find(' ');
        if (rights != std::string_view::npos && line.substr(rights + 1, 3) == "rwx") return true;
    }
    return false;
}

bool refused(long result) {
    return result < 0 && (errno == EPERM || errno == EACCES);
}

bool socketsAreRefused() {
    for (const int family : {AF_INET, AF_UNIX}) {
        const int made = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (made >= 0) ::close(made);
        if (!refused(made)) return false;
    }
    return true;
}

bool pathsAreRefused() {
    const int opened = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened >= 0) ::close(opened);
    return refused(opened);
}

/// Neither call could do anything if it came through: there is no path, and no such combination of flags.
bool processesAreRefused() {
    if (!refused(::syscall(SYS_execve, nullptr, nullptr, nullptr))) return false;
    return refused(::syscall(SYS_clone, CLONE_SIGHAND, nullptr, nullptr, nullptr, nullptr));
}

bool newCodeIsRefused() {
    const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* page = ::mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        ::munmap(page, bytes);
        return false;
    }
    return refused(-1);
}

/// Whether the kernel counts one filter more than before. Inside a container a filter may have been there
/// already.
bool filterIsListed(const std::string& before, const std::string& after) {
    const int filters = field(after, "Seccomp_filters:");
    if (filters >= 0) return filters > field(before, "Seccomp_filters:");
    // Older kernels do not count. Without /proc the calls that are tried have to do.
    return after.empty() || field(after, "Seccomp:") == 2;
}

struct Before {
    OwnFacts status{"/proc/self/status"};
    OwnFacts maps{"/proc/self/maps"};
    std::string statusText = status.read();
    bool severalThreads = field(statusText, "Threads:") > 1;
};

/// One layer that fails is a reason to have the other, and to say so.
LayerOutcome orNote(const Result<LayerOutcome>& layer) {
    return layer.ok() ? *layer : LayerOutcome{0, layer.error().message()};
}

void noteUnlessInForce(SandboxReport& report, bool inForce, const char* sentence) {
    if (!inForce) report.notes.emplace_back(sentence);
}

void verify(const SandboxOptions& options, const Before& before, bool filtered, SandboxReport& report) {
    const bool gpu = options.profile == SandboxProfile::Gpu;
    report.network = socketsAreRefused();
    report.files = pathsAreRefused();
    report.exec = processesAreRefused();
    report.seccomp = filtered && report.exec && filterIsListed(before.statusText, before.status.read());
    if (filtered && !report.seccomp)
        report.notes.emplace_back(
            "seccomp is not in force: the kernel took the filter but does not apply it.");
    noteUnlessInForce(report, report.network, "The network is not closed: a socket can still be made.");
    noteUnlessInForce(report, report.files, "Files are not closed: a path can still be opened.");
    noteUnlessInForce(report, report.exec, "Other programs are not closed: a process can still be made.");
    if (gpu) return;
    const bool writableCode = holdsWritableCode(before.maps.read());
    report.newCode = newCodeIsRefused() && !writableCode;
    noteUnlessInForce(report, report.newCode,
                      writableCode
                          ? "New machine code is possible: some memory was writable and executable before."
                          : "New machine code is possible: memory can still be made executable.");
}

}  // namespace

Result<SandboxReport> enterSandbox(const SandboxOptions& options) {
    const Before before;
    SandboxReport report;
    ::tzset();  // reads the time zone while that is allowed
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return Error(Errc::W621, {"PR_SET_NO_NEW_PRIVS: " + systemReason(errno)});
    // A third, thin layer where the kernel has it; the filter does not depend on it.
    if (options.profile == SandboxProfile::Cpu)
        static_cast<void>(::prctl(kDenyWriteThenExecute, kRefuseExecGain, 0, 0, 0));
    const LayerOutcome paths = orNote(applyLandlock(options, before.severalThreads));
    const LayerOutcome calls = orNote(applySeccomp(options.profile, before.severalThreads));
    report.landlockAbi = paths.level;
    for (const LayerOutcome* layer : {&paths, &calls}) {
        if (!layer->note.empty()) report.notes.push_back(layer->note);
    }
    verify(options, before, calls.level != 0, report);
    if (options.strict && !report.notes.empty()) return Error(Errc::W620, {report.notes.front()});
    if (options.profile == SandboxProfile::Gpu)
        report.notes.emplace_back("New machine code is possible: drivers translate shaders into it.");
    return report;
}

}  // namespace loader::worker
