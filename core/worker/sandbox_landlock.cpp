// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The second layer: Landlock by its three system calls. The kernel tells its ABI, and each step adds what it
// can deny. Numbers and structures stand here because the headers of our oldest system end at ABI 2.
// https://docs.kernel.org/userspace-api/landlock.html

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "core/worker/sandbox_layers.h"

namespace loader::worker {
namespace {

// The same on every processor: these calls are younger than the common table.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;
constexpr int kRulePathBeneath = 1;
constexpr int kNewestAbi = 7;

struct RulesetAttributes {
    std::uint64_t files = 0;
    std::uint64_t network = 0;
    std::uint64_t scoped = 0;
};

struct __attribute__((packed)) PathRule {
    std::uint64_t allowed;
    std::int32_t folder;
};

constexpr std::uint64_t bit(unsigned number) {
    return std::uint64_t{1} << number;
}
constexpr std::uint64_t kWriteFile = bit(1);
constexpr std::uint64_t kReadFile = bit(2);
constexpr std::uint64_t kReadFolder = bit(3);
constexpr std::uint64_t kRemoveFolder = bit(4);
constexpr std::uint64_t kRemoveFile = bit(5);
constexpr std::uint64_t kMakeFolder = bit(7);
constexpr std::uint64_t kMakeFile = bit(8);
constexpr std::uint64_t kFirstRights = bit(13) - 1;  // ABI 1: all of 0 to 12
constexpr std::uint64_t kMoveAcross = bit(13);       // ABI 2
constexpr std::uint64_t kTruncate = bit(14);         // ABI 3
constexpr std::uint64_t kDeviceControl = bit(15);    // ABI 5
constexpr std::uint64_t kTcp = bit(0) | bit(1);      // ABI 4: bind, connect
constexpr std::uint64_t kScopes = bit(0) | bit(1);   // ABI 6: abstract sockets, signals

constexpr std::uint64_t kRead = kReadFile | kReadFolder;
constexpr std::uint64_t kDevice = kReadFile | kWriteFile | kDeviceControl;
constexpr std::uint64_t kOwnFolder =
    kRead | kWriteFile | kRemoveFolder | kRemoveFile | kMakeFolder | kMakeFile | kMoveAcross | kTruncate;
/// What can be asked for a single file; a rule on a file with more is refused.
constexpr std::uint64_t kFileRights = bit(0) | kReadFile | kWriteFile | kTruncate | kDeviceControl;

struct Place {
    const char* pattern;
    std::uint64_t rights;
};

/// What drivers and the Vulkan loader read, and the devices they drive. Patterns that match nothing are
/// normal.
constexpr Place kDriverPlaces[] = {
    {"/usr/lib", kRead},
    {"/usr/lib32", kRead},
    {"/usr/lib64", kRead},
    {"/usr/local/lib", kRead},
    {"/lib", kRead},
    {"/lib64", kRead},
    {"/usr/share/vulkan", kRead},
    {"/usr/local/share/vulkan", kRead},
    {"/usr/share/drirc.d", kRead},
    {"/usr/share/libdrm", kRead},
    {"/usr/share/nvidia", kRead},
    {"/etc/vulkan", kRead},
    {"/etc/drirc", kReadFile},
    {"/etc/ld.so.cache", kReadFile},
    {"/proc/self", kRead},
    {"/proc/cpuinfo", kReadFile},
    {"/proc/devices", kReadFile},
    {"/proc/meminfo", kReadFile},
    {"/proc/modules", kReadFile},
    {"/proc/driver/nvidia", kRead},
    {"/sys/bus/pci/devices", kRead},
    {"/sys/class/drm", kRead},
    {"/sys/dev/char", kRead},
    {"/sys/devices", kRead},
    {"/dev/dri", kReadFolder},
    {"/dev/dri/renderD*", kDevice},
    {"/dev/nvidia*", kDevice | kReadFolder},
    {"/dev/dxg", kDevice},
    {"/dev/null", kDevice},
    {"/dev/urandom", kReadFile},
};

RulesetAttributes attributesFor(int abi) {
    RulesetAttributes attributes;
    attributes.files = kFirstRights;
    if (abi >= 2) attributes.files |= kMoveAcross;
    if (abi >= 3) attributes.files |= kTruncate;
    if (abi >= 4) attributes.network = kTcp;
    if (abi >= 5) attributes.files |= kDeviceControl;
    if (abi >= 6) attributes.scoped = kScopes;
    return attributes;
}

/// A kernel refuses a structure with fields that it does not know.
std::size_t attributeBytesFor(int abi) {
    if (abi < 4) return offsetof(RulesetAttributes, network);
    return abi < 6 ? offsetof(RulesetAttributes, scoped) : sizeof(RulesetAttributes);
}

Error failure(const std::string& step) {
    return Error(Errc::W621, {"Landlock, " + step + ": " + systemReason(errno)});
}

class Ruleset {
public:
    explicit Ruleset(int abi)
        : m_attributes(attributesFor(abi)),
          m_descriptor(
              static_cast<int>(::syscall(kCreateRuleset, &m_attributes, attributeBytesFor(abi), 0))) {}
    ~Ruleset() {
        if (m_descriptor >= 0) ::close(m_descriptor);
    }
    Ruleset(const Ruleset&) = delete;
    Ruleset& operator=(const Ruleset&) = delete;

    bool ok() const { return m_descriptor >= 0; }

    Status allow(const char* path, std::uint64_t rights) {
        const int place = ::open(path, O_PATH | O_CLOEXEC);
        // What does not exist, or may not be reached anyway, needs no permission.
        if (place < 0) return {};
        struct stat facts {};
        const bool folder = ::fstat(place, &facts) == 0 && S_ISDIR(facts.st_mode);
        const PathRule rule{rights & m_attributes.files & (folder ? ~std::uint64_t{0} : kFileRights), place};
        const long added =
            rule.allowed == 0 ? 0 : ::syscall(kAddRule, m_descriptor, kRulePathBeneath, &rule, 0);
        const int reason = errno;
        ::close(place);
        errno = reason;
        if (added != 0) return failure(path);
        return {};
    }

    Status allowMatches(const Place& wanted) {
        glob_t matches{};
        Status outcome;
        if (::glob(wanted.pattern, GLOB_NOSORT, nullptr, &matches) == 0) {
            for (std::size_t i = 0; i < matches.gl_pathc && outcome.ok(); ++i)
                outcome = allow(matches.gl_pathv[i], wanted.rights);
        }
        ::globfree(&matches);
        return outcome;
    }

    Status enforce() {
        if (::syscall(kRestrictSelf, m_descriptor, 0) != 0) return failure("restrict");
        return {};
    }

private:
    RulesetAttributes m_attributes;
    int m_descriptor;
};

}  // namespace

Result<LayerOutcome> applyLandlock(const SandboxOptions& options, bool severalThreads) {
    const long version = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
    if (version <= 0) {
        std::string why = systemReason(errno);
        if (errno == EOPNOTSUPP) why = "it is turned off";
        if (errno == ENOSYS) why = "this kernel does not have it";
        return LayerOutcome{0, "Landlock is not in force: " + why + "."};
    }
    const int abi = version < kNewestAbi ? static_cast<int>(version) : kNewestAbi;
    Ruleset ruleset(abi);
    if (!ruleset.ok()) return failure("ruleset");
    if (options.profile == SandboxProfile::Gpu) {
        for (const Place& place : kDriverPlaces)
            LOADER_CHECK(ruleset.allowMatches(place));
        if (!options.cacheFolder.empty())
            LOADER_CHECK(ruleset.allow(options.cacheFolder.c_str(), kOwnFolder));
    }
    LOADER_CHECK(ruleset.enforce());
    LayerOutcome outcome{abi, {}};
    if (severalThreads) outcome.note = "Landlock covers only one thread: others were running already.";
    return outcome;
}

}  // namespace loader::worker
