// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What every process on Linux may do to itself without a filter: descriptors, environment, limits,
// privileges. The order matters: a process that cannot be dumped no longer owns its files in /proc.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "core/worker/sandbox.h"
#include "core/worker/sandbox_layers.h"

namespace loader::worker {
namespace {

constexpr rlim_t kCacheFileBytes = rlim_t{256} << 20;
constexpr rlim_t kCpuDescriptors = 64;
constexpr rlim_t kGpuDescriptors = 256;
constexpr std::string_view kFirstToGo = "500";

constexpr std::array<std::string_view, 5> kPlainVariables = {"LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES",
                                                             "TZ"};
constexpr std::array<std::string_view, 8> kDriverVariables = {
    "VK_DRIVER_FILES",           "VK_ICD_FILENAMES",      "VK_LOADER_DRIVERS_SELECT",
    "VK_LOADER_DRIVERS_DISABLE", "MESA_VK_DEVICE_SELECT", "MESA_SHADER_CACHE_DISABLE",
    "LOADER_VULKAN_TIER",        "LOADER_VULKAN_WITHOUT"};
/// Where drivers, and our own back end, look for a folder of their own.
constexpr std::array<const char*, 5> kFolderVariables = {"HOME", "XDG_CACHE_HOME", "MESA_SHADER_CACHE_DIR",
                                                         "__GL_SHADER_DISK_CACHE_PATH",
                                                         "LOADER_VULKAN_CACHE"};

Error failure(const char* step) {
    return Error(Errc::W621, {std::string(step) + ": " + systemReason(errno)});
}

/// A number that is not open would later be given to a file, which then stands where output is written.
Status fillStandardDescriptors() {
    for (int number = 0; number <= 2; ++number) {
        if (::fcntl(number, F_GETFD) >= 0) continue;
        const int opened = ::open("/dev/null", O_RDWR);
        if (opened < 0) return failure("/dev/null");
        // open() takes the lowest free number, and all below this one are in use.
        if (opened != number) ::close(opened);
    }
    return {};
}

void closeOneByOne(unsigned first, unsigned last) {
    rlimit limit{};
    unsigned end = 65536;
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < end)
        end = static_cast<unsigned>(limit.rlim_cur);
    for (unsigned number = first; number <= last && number < end; ++number)
        ::close(static_cast<int>(number));
}

void closeBetween(unsigned first, unsigned last) {
    if (first > last) return;
#ifdef SYS_close_range
    if (::syscall(SYS_close_range, first, last, 0) == 0) return;
#endif
    closeOneByOne(first, last);
}

void closeOthers(std::vector<int> keep) {
    std::sort(keep.begin(), keep.end());
    unsigned next = 3;
    for (const int number : keep) {
        if (number < 0 || static_cast<unsigned>(number) < next) continue;
        closeBetween(next, static_cast<unsigned>(number) - 1);
        next = static_cast<unsigned>(number) + 1;
    }
    closeBetween(next, ~0u);
}

bool stays(std::string_view name, SandboxProfile profile) {
    const auto in = [name](const auto& list) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    return in(kPlainVariables) || (profile == SandboxProfile::Gpu && in(kDriverVariables));
}

/// The strings lie in the process's own memory, where anything could read them: they are overwritten, not
/// only forgotten.
Status clearEnvironment(const SandboxOptions& options) {
    std::vector<std::pair<std::string, std::string>> kept;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t mark = text.find('=');
        if (mark != std::string_view::npos && stays(text.substr(0, mark), options.profile))
            kept.emplace_back(text.substr(0, mark), text.substr(mark + 1));
        ::explicit_bzero(*entry, text.size());
    }
    if (::clearenv() != 0) return failure("environment");
    // Named outright, the zone is read once; otherwise the C library looks at the file again at every call,
    // which the sandbox denies, and takes UTC.
    const bool zoned =
        std::any_of(kept.begin(), kept.end(), [](const auto& pair) { return pair.first == "TZ"; });
    if (!zoned) kept.emplace_back("TZ", ":/etc/localtime");
    if (options.profile == SandboxProfile::Gpu && !options.cacheFolder.empty()) {
        for (const char* name : kFolderVariables)
            kept.emplace_back(name, options.cacheFolder);
    }
    for (const auto& [name, value] : kept) {
        if (::setenv(name.c_str(), value.c_str(), 1) != 0) return failure("environment");
    }
    return {};
}

Status limit(int resource, rlim_t most, const char* name) {
    rlimit now{};
    if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &now) != 0) return failure(name);
    const rlim_t value = std::min(most, now.rlim_max);
    const rlimit wanted{value, value};
    if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &wanted) != 0) return failure(name);
    return {};
}

Status limitResources(const SandboxOptions& options) {
    const bool gpu = options.profile == SandboxProfile::Gpu;
    LOADER_CHECK(limit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
    LOADER_CHECK(limit(RLIMIT_FSIZE, gpu ? kCacheFileBytes : 0, "RLIMIT_FSIZE"));
    // A log on a file must fail with an error, not end the process.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlim_t usual = gpu ? kGpuDescriptors : kCpuDescriptors;
    return limit(RLIMIT_NOFILE, options.descriptorLimit != 0 ? options.descriptorLimit : usual,
                 "RLIMIT_NOFILE");
}

/// Started by root, the worker is not root. Only the right to keep pages in memory stays.
Status dropCapabilities() {
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    std::array<__user_cap_data_struct, 2> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) return failure("capabilities");
    constexpr __u32 kKept = 1u << CAP_IPC_LOCK;
    sets[0].permitted &= kKept;
    sets[0].effective = sets[0].permitted;
    sets[1].permitted = 0;
    sets[1].effective = 0;
    for (auto& set : sets)
        set.inheritable = 0;
    if (::syscall(SYS_capset, &header, sets.data()) != 0) return failure("capabilities");
    return {};
}

void beFirstToGo() {
    const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    // Where the kernel refuses, the worker is as likely to be chosen as any process; nothing is less safe.
    static_cast<void>(!::write(file, kFirstToGo.data(), kFirstToGo.size()));
    ::close(file);
}

Status endWithParent(std::int64_t parent) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return failure("PR_SET_PDEATHSIG");
    // It may have died before the line above.
    if (parent != 0 && ::getppid() != static_cast<pid_t>(parent))
        return Error(Errc::W621, {"the process that started it is gone"});
    return {};
}

}  // namespace

std::string systemReason(int number) {
    std::array<char, 128> text{};
    return ::strerror_r(number, text.data(), text.size());
}

Status prepareProcess(const SandboxOptions& options) {
    closeOthers(options.keepDescriptors);
    LOADER_CHECK(fillStandardDescriptors());
    LOADER_CHECK(clearEnvironment(options));
    beFirstToGo();
    const int persona = ::personality(0xffffffff);
    // With this mark every readable page would be executable too.
    if (persona != -1 && (persona & READ_IMPLIES_EXEC) != 0)
        ::personality(static_cast<unsigned long>(persona & ~READ_IMPLIES_EXEC));
    LOADER_CHECK(dropCapabilities());
    LOADER_CHECK(endWithParent(options.parentProcess));
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("PR_SET_NO_NEW_PRIVS");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure("PR_SET_DUMPABLE");
    return limitResources(options);
}

}  // namespace loader::worker
