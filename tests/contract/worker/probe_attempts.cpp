// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Budget: a flat list of attempts, one function each.

#include "tests/contract/worker/probe_attempts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "core/host/mapping_guard.h"

namespace loader::test {
namespace {

using Context = const AttemptContext&;

int outcome(long result) {
    return result < 0 ? errno : 0;
}

int outcomeOfDescriptor(int descriptor) {
    if (descriptor < 0) return errno;
    ::close(descriptor);
    return 0;
}

int open(const std::string& path, int flags) {
    return outcomeOfDescriptor(::open(path.c_str(), flags | O_CLOEXEC, 0600));
}

// --- files ---

int readFile(Context c) {
    return open(c.argument, O_RDONLY);
}
int readFolder(Context c) {
    return open(c.argument, O_RDONLY | O_DIRECTORY);
}
int createFile(Context c) {
    const int error = open(c.argument, O_WRONLY | O_CREAT | O_EXCL);
    if (error == 0) ::unlink(c.argument.c_str());
    return error;
}
int truncateFile(Context c) {
    return outcome(::truncate(c.argument.c_str(), 1));
}
int removeFile(Context c) {
    return outcome(::unlink(c.argument.c_str()));
}
int changeMode(Context c) {
    return outcome(::chmod(c.argument.c_str(), 0600));
}
int changeTimes(Context c) {
    return outcome(::utimensat(AT_FDCWD, c.argument.c_str(), nullptr, 0));
}
int makeLink(Context c) {
    const int error = outcome(::symlink("/etc/passwd", c.argument.c_str()));
    if (error == 0) ::unlink(c.argument.c_str());
    return error;
}
int statPath(Context c) {
    struct stat facts {};
    return outcome(::stat(c.argument.c_str(), &facts));
}
/// The way around a filter that only looks at the flag.
int statPathAsDescriptor(Context c) {
    struct stat facts {};
    return outcome(::fstatat(AT_FDCWD, c.argument.c_str(), &facts, AT_EMPTY_PATH));
}
int statDescriptor(Context c) {
    struct stat facts {};
    if (::fstatat(c.descriptor, "", &facts, AT_EMPTY_PATH) != 0) return errno;
    struct stat same {};
    if (::fstat(c.descriptor, &same) != 0) return errno;
    return facts.st_ino == same.st_ino && facts.st_size == same.st_size && facts.st_size > 0 ? 0 : EIO;
}
int reopenForWriting(Context c) {
    return open("/proc/self/fd/" + std::to_string(c.descriptor), O_RDWR);
}
int writeDescriptor(Context c) {
    return outcome(::write(c.descriptor, "x", 1));
}
int mapDescriptorForWriting(Context c) {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, c.descriptor, 0);
    return page == MAP_FAILED ? errno : 0;
}
int shrinkDescriptor(Context c) {
    return outcome(::ftruncate(c.descriptor, 0));
}
int memoryFile(Context) {
    return outcomeOfDescriptor(static_cast<int>(::syscall(SYS_memfd_create, "probe", 0)));
}
int watchFiles(Context) {
    return outcomeOfDescriptor(static_cast<int>(::syscall(SYS_inotify_init1, 0)));
}

// --- network and other sockets ---

int connectTcp(Context c) {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) return errno;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(c.argument.c_str())));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int error = outcome(::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address));
    ::close(made);
    return error;
}
/// As a name look-up would begin.
int sendDatagram(Context) {
    const int made = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (made < 0) return errno;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto sent = ::sendto(made, "x", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const int error = outcome(sent);
    ::close(made);
    return error;
}
int connectUnix(Context c) {
    const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) return errno;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::min(c.argument.size(), sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, c.argument.data(), length);
    // '@' stands for the zero byte of an abstract name.
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    const int error = outcome(::connect(made, reinterpret_cast<sockaddr*>(&address), bytes));
    ::close(made);
    return error;
}
int netlink(Context) {
    return outcomeOfDescriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}
int socketPair(Context) {
    int ends[2];
    return outcome(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
}

// --- other processes ---

int runProgram(Context) {
    char* const arguments[] = {const_cast<char*>("echo"), const_cast<char*>("allowed"), nullptr};
    char* const environment[] = {nullptr};
    ::execve("/bin/echo", arguments, environment);
    return errno;
}
int runDescriptor(Context c) {
    char* const arguments[] = {const_cast<char*>("probe"), const_cast<char*>("say-allowed"), nullptr};
    char* const environment[] = {nullptr};
    ::syscall(SYS_execveat, c.ownProgram, "", arguments, environment, AT_EMPTY_PATH);
    return errno;
}
int makeProcess(Context) {
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) ::_exit(0);
    if (child < 0) return errno;
    ::waitpid(child, nullptr, 0);
    return 0;
}
int makeProcessClone3(Context) {
    struct {
        std::uint64_t flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls;
    } arguments{};
    arguments.exitSignal = SIGCHLD;
    const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (child == 0) ::_exit(0);
    if (child < 0) return errno;
    ::waitpid(child, nullptr, 0);
    return 0;
}
int signalParent(Context c) {
    return outcome(::kill(c.parent, 0));
}
int signalParentThread(Context c) {
    return outcome(::syscall(SYS_tgkill, c.parent, c.parent, 0));
}
int queueSignalToParent(Context c) {
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    return outcome(::syscall(SYS_rt_sigqueueinfo, c.parent, SIGWINCH, &info));
}
int signalParentByDescriptor(Context c) {
    return outcome(::fcntl(1, F_SETOWN, c.parent));
}
int traceParent(Context c) {
    return outcome(::ptrace(PTRACE_SEIZE, c.parent, nullptr, nullptr));
}
int readParentMemory(Context c) {
    char byte = 0;
    iovec here{&byte, 1};
    iovec there{const_cast<AttemptContext*>(&c), 1};
    return outcome(::process_vm_readv(c.parent, &here, 1, &there, 1, 0));
}
int openParentMemory(Context c) {
    return open("/proc/" + std::to_string(c.parent) + "/mem", O_RDWR);
}
int limitParent(Context c) {
    return outcome(::prlimit(c.parent, RLIMIT_CORE, nullptr, nullptr));
}
int pinParent(Context c) {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    if (::sched_getaffinity(c.parent, sizeof processors, &processors) != 0) return errno;
    return outcome(::sched_setaffinity(c.parent, sizeof processors, &processors));
}
int descriptorOfParent(Context c) {
    return outcome(::syscall(SYS_pidfd_open, c.parent, 0));
}

// --- own rights ---

int setUser(Context) {
    return outcome(::syscall(SYS_setuid, ::getuid()));
}
int raiseLimit(Context) {
    rlimit now{};
    if (::getrlimit(RLIMIT_NOFILE, &now) != 0) return errno;
    return outcome(::setrlimit(RLIMIT_NOFILE, &now));
}
int becomeDumpable(Context) {
    return outcome(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
int outliveParent(Context) {
    return outcome(::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
}
int typeIntoTerminal(Context) {
    char letter = 'x';
    return outcome(::ioctl(0, TIOCSTI, &letter));
}
/// The kernel looks at 32 bits of the number, a careless filter at 64.
int typeIntoTerminalHighBits(Context) {
    char letter = 'x';
    return outcome(::syscall(SYS_ioctl, 0, (1ul << 40) | TIOCSTI, &letter));
}
int controlDevice(Context) {
    // A graphics call on something that is no graphics device: 'd', 0.
    return outcome(::ioctl(0, _IOWR('d', 0, long), nullptr));
}

// --- new code ---

int mapCode(Context) {
    void* page =
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
}
int protectCode(Context) {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return errno;
    return outcome(::mprotect(page, 4096, PROT_READ | PROT_EXEC));
}
int protectCodeByKey(Context) {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return errno;
    return outcome(::syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1));
}
int mapFileCode(Context c) {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, c.ownProgram, 0);
    return page == MAP_FAILED ? errno : 0;
}
int makeSharedMemory(Context) {
    const int made = ::shmget(IPC_PRIVATE, 4096, 0600);
    if (made < 0) return errno;
    ::shmctl(made, IPC_RMID, nullptr);
    return 0;
}

// --- doors into the kernel; arguments that would do nothing if they came through ---

template <long kCall>
int emptyCall(Context) {
    return outcome(::syscall(kCall, 0, 0, 0, 0, 0, 0));
}
/// The other system call table of the same processor.
int foreignCall(Context) {
#ifdef __x86_64__
    return outcome(::syscall(0x40000000 | SYS_getpid));
#else
    return ENOSYS;
#endif
}

// --- what must keep working ---

int startThread(Context) {
    int value = 0;
    std::thread([&value] { value = 7; }).join();
    return value == 7 ? 0 : EIO;
}
int takeMemory(Context) {
    std::vector<char> memory(std::size_t{64} << 20, 'x');
    return memory.back() == 'x' ? 0 : EIO;
}
int mapDescriptor(Context c) {
    void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, c.descriptor, 0);
    if (page == MAP_FAILED) return errno;
    if (::madvise(page, 4096, MADV_WILLNEED) != 0) return errno;
    // Kernels without large pages say EINVAL, a filter EPERM.
    if (::madvise(page, 4096, MADV_HUGEPAGE) != 0 && errno == EPERM) return EPERM;
    const char first = *static_cast<volatile char*>(page);
    return first == 'm' && ::munmap(page, 4096) == 0 ? 0 : EIO;
}
/// The file ends after two pages of four: the signal's handler puts a page of zeros there.
int surviveMissingPage(Context c) {
    constexpr std::size_t kBytes = 4 * 4096;
    void* pages = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, c.descriptor, 0);
    if (pages == MAP_FAILED) return errno;
    const auto* content = static_cast<const volatile char*>(pages);
    const host::MappingGuard guard({static_cast<const std::byte*>(pages), kBytes});
    const bool zero = content[kBytes - 1] == 0;
    return zero && content[0] == 'm' && guard.damaged() ? 0 : EIO;
}
int lockMemory(Context) {
    std::vector<char> memory(4096);
    return outcome(::mlock(memory.data(), memory.size()));
}
int waitForEvent(Context) {
    const int event = ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return errno;
    pollfd wanted{event, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, 1000);
    ::close(event);
    return ready == 1 ? 0 : EIO;
}
int nameThread(Context) {
    return outcome(::prctl(PR_SET_NAME, "probe", 0, 0, 0));
}
int catchBusError(Context) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    return outcome(::sigaction(SIGBUS, &action, nullptr));
}
int readOwnLimit(Context) {
    rlimit now{};
    return outcome(::getrlimit(RLIMIT_AS, &now));
}
int countProcessors(Context) {
    return std::thread::hardware_concurrency() > 0 ? 0 : EIO;
}

struct NamedAttempt {
    std::string_view name;
    Attempt attempt;
};

constexpr NamedAttempt kAttempts[] = {
    {"read-file", readFile},
    {"read-folder", readFolder},
    {"create-file", createFile},
    {"truncate-file", truncateFile},
    {"remove-file", removeFile},
    {"change-mode", changeMode},
    {"change-times", changeTimes},
    {"make-link", makeLink},
    {"stat-path", statPath},
    {"stat-path-as-descriptor", statPathAsDescriptor},
    {"stat-descriptor", statDescriptor},
    {"reopen-for-writing", reopenForWriting},
    {"write-descriptor", writeDescriptor},
    {"map-descriptor-for-writing", mapDescriptorForWriting},
    {"shrink-descriptor", shrinkDescriptor},
    {"memory-file", memoryFile},
    {"watch-files", watchFiles},
    {"connect-tcp", connectTcp},
    {"send-datagram", sendDatagram},
    {"connect-unix", connectUnix},
    {"netlink", netlink},
    {"socket-pair", socketPair},
    {"run-program", runProgram},
    {"run-descriptor", runDescriptor},
    {"make-process", makeProcess},
    {"make-process-clone3", makeProcessClone3},
    {"signal-parent", signalParent},
    {"signal-parent-thread", signalParentThread},
    {"queue-signal-to-parent", queueSignalToParent},
    {"signal-parent-by-descriptor", signalParentByDescriptor},
    {"trace-parent", traceParent},
    {"read-parent-memory", readParentMemory},
    {"open-parent-memory", openParentMemory},
    {"limit-parent", limitParent},
    {"pin-parent", pinParent},
    {"descriptor-of-parent", descriptorOfParent},
    {"set-user", setUser},
    {"raise-limit", raiseLimit},
    {"become-dumpable", becomeDumpable},
    {"outlive-parent", outliveParent},
    {"type-into-terminal", typeIntoTerminal},
    {"type-into-terminal-high-bits", typeIntoTerminalHighBits},
    {"control-device", controlDevice},
    {"map-code", mapCode},
    {"protect-code", protectCode},
    {"protect-code-by-key", protectCodeByKey},
    {"map-file-code", mapFileCode},
    {"make-shared-memory", makeSharedMemory},
    {"io-uring-setup", emptyCall<SYS_io_uring_setup>},
    {"bpf", emptyCall<SYS_bpf>},
    {"userfaultfd", emptyCall<SYS_userfaultfd>},
    {"perf-event-open", emptyCall<SYS_perf_event_open>},
    {"keyctl", emptyCall<SYS_keyctl>},
    {"mount", emptyCall<SYS_mount>},
    {"umount", emptyCall<SYS_umount2>},
    {"pivot-root", emptyCall<SYS_pivot_root>},
    {"chroot", emptyCall<SYS_chroot>},
    {"unshare", emptyCall<SYS_unshare>},
    {"setns", emptyCall<SYS_setns>},
    {"personality", emptyCall<SYS_personality>},
    {"init-module", emptyCall<SYS_init_module>},
    {"kexec-load", emptyCall<SYS_kexec_load>},
    {"swapon", emptyCall<SYS_swapon>},
    {"reboot", emptyCall<SYS_reboot>},
    {"process-vm-writev", emptyCall<SYS_process_vm_writev>},
    {"open-by-handle", emptyCall<SYS_open_by_handle_at>},
    {"foreign-call", foreignCall},
    {"start-thread", startThread},
    {"take-memory", takeMemory},
    {"map-descriptor", mapDescriptor},
    {"survive-missing-page", surviveMissingPage},
    {"lock-memory", lockMemory},
    {"wait-for-event", waitForEvent},
    {"name-thread", nameThread},
    {"catch-bus-error", catchBusError},
    {"read-own-limit", readOwnLimit},
    {"count-processors", countProcessors},
};

}  // namespace

Attempt findAttempt(std::string_view name) {
    const auto* found = std::find_if(std::begin(kAttempts), std::end(kAttempts),
                                     [name](const NamedAttempt& row) { return row.name == name; });
    return found == std::end(kAttempts) ? nullptr : found->attempt;
}

std::string outcomeText(int error) {
    switch (error) {
        case 0: return "allowed";
        case EPERM: return "denied EPERM";
        case EACCES: return "denied EACCES";
        case ENOSYS: return "denied ENOSYS";
        default: return "failed " + std::to_string(error);
    }
}

}  // namespace loader::test
