// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The first layer: a filter of system calls. What is not listed is denied with EPERM, so that it shows as an
// ordinary error; what only an attacker calls ends the process. libseccomp writes the filter.

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "core/worker/sandbox_layers.h"

namespace loader::worker {
namespace {

using Condition = scmp_arg_cmp;

/// With any arguments: they act on the process itself and on descriptors it already has.
constexpr const char* kPlainCalls[] = {
    // descriptors; pipes also because sanitizers try memory with one
    "read", "write", "readv", "writev", "pread64", "preadv", "preadv2", "lseek", "close", "dup", "fstat",
    "recvmsg", "sendmsg", "recvfrom", "shutdown", "poll", "ppoll", "select", "pselect6", "eventfd2", "pipe2",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "fadvise64", "readahead",
    // memory
    "munmap", "mremap", "brk", "mlock", "mlock2", "munlock",
    // threads
    "futex", "set_robust_list", "rseq", "membarrier", "sched_yield", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getcpu", "exit", "exit_group",
    // time and chance
    "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time", "times",
    "getrandom", "restart_syscall",
    // signals to itself
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack",
    // facts about itself
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrusage", "getrlimit",
    "sysinfo"};

/// What drivers need besides. Paths are Landlock's business; what it does not cover (modes, owners, times,
/// links) is not here.
constexpr const char* kDriverCalls[] = {
    "open",      "openat",    "stat",           "lstat",           "statx",           "newfstatat",
    "access",    "faccessat", "faccessat2",     "readlink",        "readlinkat",      "getdents64",
    "getcwd",    "statfs",    "fstatfs",        "mkdir",           "mkdirat",         "rmdir",
    "unlink",    "unlinkat",  "rename",         "renameat",        "renameat2",       "ftruncate",
    "fallocate", "flock",     "fsync",          "fdatasync",       "pwrite64",        "pwritev",
    "pwritev2",  "mmap",      "mprotect",       "madvise",         "mincore",         "memfd_create",
    "dup2",      "dup3",      "timerfd_create", "timerfd_settime", "timerfd_gettime", "uname",
    "getresuid", "getresgid", "getpriority"};

/// No code of ours and no driver calls these.
constexpr const char* kDeadlyCalls[] = {
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "pidfd_open",
    // large doors into the kernel
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "add_key", "keyctl", "request_key", "open_by_handle_at", "name_to_handle_at", "modify_ldt", "iopl",
    "ioperm", "vm86", "vm86old", "lookup_dcookie", "uselib",
    // the machine
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "kexec_load", "kexec_file_load", "init_module", "finit_module",
    "delete_module", "create_module", "swapon", "swapoff", "reboot", "acct", "quotactl", "quotactl_fd",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "setns",
    "unshare", "personality"};

// Names that older headers lack.
constexpr std::uint64_t kGetDuplicateOnExec = F_DUPFD_CLOEXEC;
constexpr std::uint64_t kAddSeals = 1033;
constexpr std::uint64_t kGetSeals = 1034;
constexpr std::uint64_t kLockFirst = 36;         // F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW
constexpr std::uint64_t kDetached = 0x00400000;  // CLONE_DETACHED: without effect, but one C library sets it
constexpr std::uint64_t kFirstHarmfulAdvice = 100;  // MADV_HWPOISON, MADV_SOFT_OFFLINE

constexpr std::uint64_t kAll32 = 0xffffffff;

/// An argument that the kernel takes as an int; what stands in its upper half does not count.
Condition is(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, kAll32, value & kAll32};
}
Condition maskedIs(unsigned argument, std::uint64_t mask, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

class Filter {
public:
    Filter() : m_context(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), ::seccomp_release) {
        if (m_context == nullptr) m_fault = -ENOMEM;
    }

    /// Names that this processor or this libseccomp does not have stay denied.
    void add(std::uint32_t action, const char* name, std::initializer_list<Condition> conditions = {}) {
        const int call = ::seccomp_syscall_resolve_name(name);
        if (call < 0 || m_fault != 0) return;
        m_fault = ::seccomp_rule_add_array(m_context.get(), action, call,
                                           static_cast<unsigned>(conditions.size()), conditions.begin());
    }
    void addAll(std::uint32_t action, std::span<const char* const> names) {
        for (const char* name : names)
            add(action, name);
    }
    void allow(const char* name, std::initializer_list<Condition> conditions = {}) {
        add(SCMP_ACT_ALLOW, name, conditions);
    }
    void allowEach(const char* name, unsigned argument, std::initializer_list<std::uint64_t> values) {
        for (const std::uint64_t value : values)
            allow(name, {is(argument, value)});
    }

    scmp_filter_ctx context() const { return m_context.get(); }
    /// 0, or a negative error number.
    int fault() const { return m_fault; }

private:
    std::unique_ptr<void, decltype(&::seccomp_release)> m_context;
    int m_fault = 0;
};

/// Threads of this process, and nothing else that clone() can make. clone3() hides its arguments from a
/// filter; told that it does not exist, the C library takes clone().
void allowThreads(Filter& filter) {
    constexpr std::uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    constexpr std::uint64_t kHarmless = CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                        CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | kDetached;
    filter.allow("clone", {maskedIs(0, ~kHarmless, kThread)});
    filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
    const auto self = static_cast<std::uint64_t>(::getpid());
    filter.allow("tgkill", {is(0, self)});
    filter.allowEach("sched_setaffinity", 0, {0, self});
}

void allowOnDescriptors(Filter& filter, bool gpu) {
    filter.allowEach("fcntl", 1, {F_GETFD, F_SETFD, F_GETFL, F_DUPFD, kGetDuplicateOnExec, kGetSeals});
    // Not O_ASYNC: it sends signals.
    filter.allow("fcntl", {is(1, F_SETFL),
                           maskedIs(2, ~std::uint64_t{O_ACCMODE | O_APPEND | O_NONBLOCK} & kAll32, 0)});
    // No address: a socket that is not connected could be pointed anywhere.
    filter.allow("sendto", {maskedIs(4, ~std::uint64_t{0}, 0)});
    if (!gpu) return;
    filter.allowEach("fcntl", 1,
                     {F_GETLK, F_SETLK, F_SETLKW, kLockFirst, kLockFirst + 1, kLockFirst + 2, kAddSeals});
    // Every control call but those of terminals, whose numbers have 'T' in the second byte: one of them types
    // into the terminal as if the user had. A filter has no "not equal" under a mask, so one rule for each
    // bit that differs.
    for (unsigned position = 8; position < 16; ++position) {
        const std::uint64_t bit = std::uint64_t{1} << position;
        filter.allow("ioctl", {maskedIs(1, bit, ~(std::uint64_t{'T'} << 8) & bit)});
    }
}

void allowPlainMemory(Filter& filter) {
    filter.allow("mmap", {maskedIs(2, PROT_EXEC, 0)});
    filter.allow("mprotect", {maskedIs(2, PROT_EXEC, 0)});
    filter.allow("madvise", {{2, SCMP_CMP_LT, kFirstHarmfulAdvice, 0}});
}

void allowSelfFacts(Filter& filter) {
    // Reads a limit of this process; sets none.
    filter.allow("prlimit64", {is(0, 0), maskedIs(2, ~std::uint64_t{0}, 0)});
    filter.allowEach("prctl", 0,
                     {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS});
}

/// Kernels before 4.14 can only end the thread; the worker then hangs, and the main process ends it.
std::uint32_t deadlyAction() {
    constexpr unsigned kEndsProcesses = 3;
    return ::seccomp_api_get() >= kEndsProcesses ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_KILL_THREAD;
}

void addRules(Filter& filter, SandboxProfile profile) {
    const bool gpu = profile == SandboxProfile::Gpu;
    filter.addAll(deadlyAction(), kDeadlyCalls);
    filter.addAll(SCMP_ACT_ALLOW, kPlainCalls);
    allowThreads(filter);
    allowOnDescriptors(filter, gpu);
    allowSelfFacts(filter);
    if (gpu) {
        filter.addAll(SCMP_ACT_ALLOW, kDriverCalls);
        return;
    }
    allowPlainMemory(filter);
    const std::uint32_t answer = handleEmptyPathStat() ? SCMP_ACT_TRAP : SCMP_ACT_ALLOW;
    filter.add(answer, "newfstatat", {maskedIs(3, AT_EMPTY_PATH, AT_EMPTY_PATH)});
}

/// Attributes that an old kernel does not have are told apart from those that matter.
int setAttributes(const Filter& filter, bool severalThreads) {
    scmp_filter_ctx context = filter.context();
    // Another word size or system call table: never ours.
    int fault = ::seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, deadlyAction());
    if (fault == 0) fault = ::seccomp_attr_set(context, SCMP_FLTATR_API_SYSRAWRC, 1);
    // A tree instead of a long list of comparisons. Only speed, so a refusal is no fault.
    static_cast<void>(::seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    // Kernels before 5.16 slow filtered processes down against speculation; nothing else lives in this one.
    static_cast<void>(::seccomp_attr_set(context, SCMP_FLTATR_CTL_SSB, 1));
    const int everyThread = ::seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
    return severalThreads && fault == 0 ? everyThread : fault;
}

}  // namespace

Result<LayerOutcome> applySeccomp(SandboxProfile profile, bool severalThreads) {
    Filter filter;
    if (filter.fault() == 0) addRules(filter, profile);
    if (filter.fault() != 0) return Error(Errc::W621, {"seccomp, rules: " + systemReason(-filter.fault())});
    int fault = setAttributes(filter, severalThreads);
    if (fault == 0) fault = ::seccomp_load(filter.context());
    if (fault == 0) return LayerOutcome{1, {}};
    const int reason = fault < 0 ? -fault : fault;
    return LayerOutcome{
        0, "seccomp is not in force: the kernel refuses a filter (" + systemReason(reason) + ")."};
}

}  // namespace loader::worker
