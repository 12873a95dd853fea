// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// fstat() of the C library is newfstatat(descriptor, "", …, AT_EMPTY_PATH). The same call with a path that is
// not empty tells whether any file exists, and a filter sees only the pointer. So the filter turns the call
// into SIGSYS, and this handler asks about the descriptor itself, or denies.

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <bit>

#include "core/worker/sandbox_layers.h"

namespace loader::worker {

#if defined(__x86_64__) || defined(__aarch64__)

namespace {

/// si_code of a signal that a filter raised; its name is missing in older headers.
constexpr int kRaisedByFilter = 1;

struct Registers {
    long descriptor;
    const char* path;
    long out;
};

#ifdef __x86_64__
Registers registersOf(const ucontext_t& context) {
    const auto& registers = context.uc_mcontext.gregs;
    return {static_cast<long>(registers[REG_RDI]), std::bit_cast<const char*>(registers[REG_RSI]),
            static_cast<long>(registers[REG_RDX])};
}
void setResult(ucontext_t& context, long result) {
    context.uc_mcontext.gregs[REG_RAX] = result;
}
#else
Registers registersOf(const ucontext_t& context) {
    const auto& registers = context.uc_mcontext.regs;
    return {static_cast<long>(registers[0]), std::bit_cast<const char*>(registers[1]),
            static_cast<long>(registers[2])};
}
void setResult(ucontext_t& context, long result) {
    context.uc_mcontext.regs[0] = static_cast<unsigned long long>(result);
}
#endif

/// Only system calls: all of it is allowed in a handler.
void onFilteredCall(int, siginfo_t* info, void* state) {
    if (info->si_code != kRaisedByFilter) return;
    const int savedError = errno;
    auto& context = *static_cast<ucontext_t*>(state);
    long result = -EPERM;
    const Registers registers = registersOf(context);
    if (info->si_syscall == SYS_newfstatat && registers.path != nullptr && *registers.path == '\0') {
        result = ::syscall(SYS_fstat, registers.descriptor, registers.out);
        if (result < 0) result = -errno;
    }
    setResult(context, result);
    errno = savedError;
}

}  // namespace

bool handleEmptyPathStat() {
    struct sigaction action {};
    action.sa_sigaction = onFilteredCall;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    ::sigemptyset(&action.sa_mask);
    return ::sigaction(SIGSYS, &action, nullptr) == 0;
}

#else

bool handleEmptyPathStat() {
    return false;
}

#endif

}  // namespace loader::worker
