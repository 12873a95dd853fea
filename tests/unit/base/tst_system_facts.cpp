// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is read from /proc, /sys and the processor: machines, containers and odd files as fixtures.

#include <QTest>

#include "core/engine/base/control_groups.h"
#include "core/engine/base/cpu_flags.h"
#include "core/engine/base/cpu_topology.h"
#include "core/engine/base/memory_facts.h"
#include "core/engine/base/thread_pool.h"
#include "tests/support/fixture_root.h"

using namespace loader;
using loader::test::FixtureRoot;

namespace {

constexpr qulonglong kMebi = 1u << 20;
using List = std::vector<unsigned>;

constexpr const char* kMemory =
    "MemTotal:       16384000 kB\nMemFree:          123456 kB\nMemAvailable:   8192000 kB\n"
    "SwapTotal:       2048 kB\nSwapFree:        1024 kB\n";

/// A server processor of 2023 with all that we ask for.
X86Answers serverAnswers() {
    X86Answers answers;
    answers.highestLeaf = 0x10;
    answers.leaf1Ecx = 1u << 12 | 1u << 20 | 1u << 27 | 1u << 28 | 1u << 29;
    answers.leaf7Ebx = 1u << 5 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    answers.leaf7Ecx = 1u << 11;
    answers.leaf7OneEax = 1u << 4 | 1u << 5;
    answers.savedStates = 0xE7;
    return answers;
}

}  // namespace

class TestSystemFacts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void textFiles();
    void lists();
    void lists_data();
    void resolvedStaysBelowTheRoot();
    void memoryOfADesktop();
    void memoryWithoutFiles();
    void memoryOfContainers();
    void memoryOfContainers_data();
    void addressSpace();
    void groupPaths();
    void flagsNeedTheOperatingSystem();
    void tiersOfX86_data();
    void tiersOfX86();
    void flagsOfArm();
    void liveFlags();
    void coresAndAffinity();
    void coresInASandbox();
    void quotas_data();
    void quotas();
    void kindsOfCores();
    void thisMachine();
};

void TestSystemFacts::textFiles() {
    const FixtureRoot root;
    root.write("/a/text", "  first \nsecond\n");
    root.write("/a/number", "max\n");
    root.write("/a/huge", "99999999999999999999999\n");
    const SystemText system = root.system();
    QCOMPARE(system.line("/a/text").value(), std::string("first"));
    QVERIFY(!system.number("/a/number"));
    QVERIFY(!system.number("/a/huge"));
    QVERIFY(!system.text("/a/none"));
    QVERIFY(!system.text("/a") || system.text("/a")->empty());
    QCOMPARE(system.text("/a/text", 4).value(), std::string("  fi"));
    QCOMPARE(system.names("/a"), (std::vector<std::string>{"huge", "number", "text"}));
    QVERIFY(system.names("/none").empty());
    QCOMPARE(valueOf("a : 1\nbc: 2\n", "bc", ':').value(), std::string_view("2"));
    QVERIFY(!valueOf("a : 1", "b", ':'));
    QCOMPARE(trimmed(std::string_view("board\0", 6)), std::string_view("board"));
}

void TestSystemFacts::lists_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<List>("expected");
    QTest::newRow("one") << "0" << List{0};
    QTest::newRow("range") << "0-3" << List{0, 1, 2, 3};
    QTest::newRow("ranges") << "0-1,4,6-7\n" << List{0, 1, 4, 6, 7};
    QTest::newRow("empty") << "" << List{};
    QTest::newRow("words") << "all" << List{};
    QTest::newRow("broken") << "0-" << List{};
    QTest::newRow("junk behind") << "0-1x" << List{};
    QTest::newRow("backwards") << "3-1" << List{};
    QTest::newRow("too large") << "4094-4294967295" << List{4094, 4095};
}

void TestSystemFacts::lists() {
    QFETCH(QString, text);
    QFETCH(List, expected);
    QCOMPARE(numberList(text.toStdString()), expected);
}

void TestSystemFacts::resolvedStaysBelowTheRoot() {
    const FixtureRoot root;
    root.folder("/sys/devices/card");
    root.link("/sys/class/card0", "/sys/devices/card");
    std::filesystem::create_symlink("/", root.root() + "/sys/class/escape");
    QCOMPARE(root.system().resolved("/sys/class/card0").value(), std::string("/sys/devices/card"));
    QVERIFY(!root.system().resolved("/sys/class/escape"));
    QVERIFY(!root.system().resolved("/sys/class/none"));
}

void TestSystemFacts::memoryOfADesktop() {
    const FixtureRoot root;
    root.write("/proc/meminfo", kMemory);
    root.write("/proc/self/cgroup", "0::/user.slice/app.scope\n");
    const MemoryFacts facts = readMemoryFacts(root.system(), {});
    QCOMPARE(facts.total, 16384000ull * 1024);
    QCOMPARE(facts.available.value(), 8192000ull * 1024);
    QCOMPARE(facts.swapTotal, 2048ull * 1024);
    QVERIFY(!facts.groupLimit);
    QCOMPARE(availableMemory(facts)->bytes, 8192000ull * 1024);
    QCOMPARE(availableMemory(facts)->source, std::string("free memory"));
}

void TestSystemFacts::memoryWithoutFiles() {
    const FixtureRoot root;
    const MemoryFacts facts = readMemoryFacts(root.system(), {});
    QCOMPARE(facts.total, 0ull);
    QVERIFY(!availableMemory(facts));
    root.write("/proc/meminfo", "MemTotal: 99999999999999999 kB\nMemAvailable: none\n");
    QVERIFY(!readMemoryFacts(root.system(), {}).available);
    QVERIFY(readMemoryFacts(root.system(), {}).total > 0);
}

void TestSystemFacts::memoryOfContainers_data() {
    QTest::addColumn<QString>("groups");
    QTest::addColumn<QString>("folder");
    QTest::addColumn<bool>("second");
    QTest::addColumn<QString>("limit");
    QTest::addColumn<qulonglong>("room");
    QTest::newRow("v2, own group") << "0::/box\n"
                                   << "/sys/fs/cgroup/box" << true << "1073741824" << 768 * kMebi;
    QTest::newRow("v2, above") << "0::/outer/inner\n"
                               << "/sys/fs/cgroup/outer" << true << "1073741824" << 768 * kMebi;
    QTest::newRow("v2, container") << "0::/\n"
                                   << "/sys/fs/cgroup" << true << "1073741824" << 768 * kMebi;
    QTest::newRow("v2, no limit") << "0::/box\n"
                                  << "/sys/fs/cgroup/box" << true << "max" << 0 * kMebi;
    QTest::newRow("v1") << "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n"
                        << "/sys/fs/cgroup/memory/docker/abc" << false << "1073741824" << 768 * kMebi;
    QTest::newRow("v1, no limit") << "4:memory:/\n"
                                  << "/sys/fs/cgroup/memory" << false << "9223372036854771712" << 0 * kMebi;
    QTest::newRow("v1, path outside") << "4:memory:/../..\n"
                                      << "/sys/fs/cgroup/memory" << false << "1073741824" << 768 * kMebi;
}

void TestSystemFacts::memoryOfContainers() {
    QFETCH(QString, groups);
    QFETCH(QString, folder);
    QFETCH(bool, second);
    QFETCH(QString, limit);
    QFETCH(qulonglong, room);
    const FixtureRoot root;
    const std::string place = folder.toStdString();
    root.write("/proc/meminfo", kMemory);
    root.write("/proc/self/cgroup", groups.toStdString());
    root.write(place + (second ? "/memory.max" : "/memory.limit_in_bytes"), limit.toStdString());
    root.write(place + (second ? "/memory.current" : "/memory.usage_in_bytes"), std::to_string(512 * kMebi));
    // Cached pages can be dropped.
    root.write(place + "/memory.stat", "anon 1\n" + std::string(second ? "" : "total_") + "inactive_file " +
                                           std::to_string(256 * kMebi) + "\n");
    const MemoryFacts facts = readMemoryFacts(root.system(), {});
    QCOMPARE(facts.groupRoom.value_or(0), room);
    const std::string source = room != 0 ? "the memory limit of its group" : "free memory";
    QCOMPARE(availableMemory(facts)->source, source);
}

void TestSystemFacts::addressSpace() {
    const FixtureRoot root;
    root.write("/proc/meminfo", kMemory);
    ProcessLimits limits;
    limits.addressSpace = 1024 * kMebi;
    limits.addressSpaceUsed = 1000 * kMebi;
    const auto available = availableMemory(readMemoryFacts(root.system(), limits));
    QCOMPARE(available->bytes, 24 * kMebi);
    QCOMPARE(available->source, std::string("the address space limit"));
    limits.addressSpaceUsed = 2000 * kMebi;
    QCOMPARE(availableMemory(readMemoryFacts(root.system(), limits))->bytes, 0ull);
}

void TestSystemFacts::groupPaths() {
    const FixtureRoot root;
    root.write("/proc/self/cgroup", "7:cpu,cpuacct:/a/b\n3:cpuset:/c\nnonsense\n0::/d\n");
    root.folder("/sys/fs/cgroup/cpu,cpuacct");
    const auto groups = controlGroups(root.system(), "cpu");
    QCOMPARE(groups.size(), 2u);
    QVERIFY(!groups[0].second);
    QCOMPARE(groups[0].folders,
             (std::vector<std::string>{"/sys/fs/cgroup/cpu,cpuacct/a/b", "/sys/fs/cgroup/cpu,cpuacct/a",
                                       "/sys/fs/cgroup/cpu,cpuacct"}));
    QVERIFY(groups[1].second);
    QCOMPARE(groups[1].folders, (std::vector<std::string>{"/sys/fs/cgroup/d", "/sys/fs/cgroup"}));
}

void TestSystemFacts::flagsNeedTheOperatingSystem() {
    X86Answers answers = serverAnswers();
    QVERIFY(flagsOfX86(answers).has(CpuFlag::Avx512F));
    answers.savedStates = 0x7;  // the wide halves are not saved
    QVERIFY(!flagsOfX86(answers).has(CpuFlag::Avx512F));
    QVERIFY(!flagsOfX86(answers).has(CpuFlag::Avx512Vnni));
    QCOMPARE(kernelTier(flagsOfX86(answers)), std::string_view("avx2"));
    answers.savedStates = 0x3;  // nor those of AVX
    QCOMPARE(flagsOfX86(answers).names(), std::vector<std::string>{"sse4.2"});
    QCOMPARE(kernelTier(flagsOfX86(answers)), std::string_view("baseline"));
    // Without OSXSAVE the states mean nothing.
    answers = serverAnswers();
    answers.leaf1Ecx &= ~(1u << 27);
    QCOMPARE(flagsOfX86(answers).names(), std::vector<std::string>{"sse4.2"});
}

void TestSystemFacts::tiersOfX86_data() {
    QTest::addColumn<quint32>("leaf1Ecx");
    QTest::addColumn<quint32>("leaf7Ebx");
    QTest::addColumn<quint32>("leaf7Ecx");
    QTest::addColumn<QString>("tier");
    const X86Answers all = serverAnswers();
    QTest::newRow("server") << all.leaf1Ecx << all.leaf7Ebx << all.leaf7Ecx << "avx512";
    QTest::newRow("no VNNI") << all.leaf1Ecx << all.leaf7Ebx << 0u << "avx2";
    QTest::newRow("no BW") << all.leaf1Ecx << (all.leaf7Ebx & ~(1u << 30)) << all.leaf7Ecx << "avx2";
    QTest::newRow("desktop of 2013") << all.leaf1Ecx << (1u << 5) << 0u << "avx2";
    QTest::newRow("no F16C") << (all.leaf1Ecx & ~(1u << 29)) << all.leaf7Ebx << all.leaf7Ecx << "baseline";
    QTest::newRow("no FMA") << (all.leaf1Ecx & ~(1u << 12)) << all.leaf7Ebx << all.leaf7Ecx << "baseline";
    QTest::newRow("AVX only") << all.leaf1Ecx << 0u << 0u << "baseline";
    QTest::newRow("nothing") << 0u << 0u << 0u << "baseline";
}

void TestSystemFacts::tiersOfX86() {
    QFETCH(quint32, leaf1Ecx);
    QFETCH(quint32, leaf7Ebx);
    QFETCH(quint32, leaf7Ecx);
    QFETCH(QString, tier);
    X86Answers answers = serverAnswers();
    answers.leaf1Ecx = leaf1Ecx;
    answers.leaf7Ebx = leaf7Ebx;
    answers.leaf7Ecx = leaf7Ecx;
    QCOMPARE(std::string(kernelTier(flagsOfX86(answers))), tier.toStdString());
}

void TestSystemFacts::flagsOfArm() {
    constexpr std::uint64_t kNeoverseN1 = 1u << 1 | 1u << 7 | 1u << 8 | 1u << 10 | 1u << 12 | 1u << 20;
    const CpuFlags n1 = flagsOfArm64(kNeoverseN1, 0);
    QCOMPARE(n1.names(), (std::vector<std::string>{"neon", "crc32", "atomics", "rdm", "fp16", "dotprod"}));
    QCOMPARE(kernelTier(n1), std::string_view("neon"));
    const CpuFlags v2 = flagsOfArm64(kNeoverseN1 | 1u << 22, 1u << 1 | 1u << 13 | 1u << 14);
    QVERIFY(v2.hasAll({CpuFlag::Sve, CpuFlag::Sve2, CpuFlag::I8mm, CpuFlag::Bf16}));
    // A Cortex-A72 has no dot product.
    QCOMPARE(kernelTier(flagsOfArm64(1u << 1 | 1u << 7, 0)), std::string_view("baseline"));
}

void TestSystemFacts::liveFlags() {
#if defined(__x86_64__) && defined(__GNUC__)
    const CpuFlags flags = cpuFlags();
    QCOMPARE(flags.has(CpuFlag::Avx2), __builtin_cpu_supports("avx2") != 0);
    QCOMPARE(flags.has(CpuFlag::Fma), __builtin_cpu_supports("fma") != 0);
    QCOMPARE(flags.has(CpuFlag::Avx512Vnni), __builtin_cpu_supports("avx512vnni") != 0);
    QCOMPARE(flags.has(CpuFlag::Sse42), __builtin_cpu_supports("sse4.2") != 0);
#else
    QSKIP("the compiler's own detection is only compared on x86-64");
#endif
}

void TestSystemFacts::coresAndAffinity() {
    const FixtureRoot root;
    root.processors("0-7", {"0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"});
    CpuShare share = readCpuShare(root.system(), {});
    QCOMPARE(share.threads, 8u);
    QCOMPARE(share.cores, 4u);
    QCOMPARE(usableCores(share), 4u);
    // Both threads of one core are one core.
    share = readCpuShare(root.system(), {0, 4});
    QCOMPARE(share.allowedThreads, 2u);
    QCOMPARE(usableCores(share), 1u);
    share = readCpuShare(root.system(), {0, 1, 2});
    QCOMPARE(usableCores(share), 3u);
}

void TestSystemFacts::coresInASandbox() {
    const FixtureRoot root;
    QCOMPARE(usableCores(readCpuShare(root.system(), {0, 1, 2, 9})), 4u);
    QVERIFY(usableCores(readCpuShare(root.system(), {})) >= 1);
    QVERIFY(readCpuLayout(root.system()).kinds.empty());
}

void TestSystemFacts::quotas_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("text");
    QTest::addColumn<unsigned>("usable");
    QTest::newRow("v2, two") << "/sys/fs/cgroup/box/cpu.max"
                             << "200000 100000" << 2u;
    QTest::newRow("v2, a part") << "/sys/fs/cgroup/box/cpu.max"
                                << "50000 100000" << 1u;
    QTest::newRow("v2, three and a half") << "/sys/fs/cgroup/cpu.max"
                                          << "350000 100000" << 3u;
    QTest::newRow("v2, none") << "/sys/fs/cgroup/box/cpu.max"
                              << "max 100000" << 4u;
    QTest::newRow("v2, more than there is") << "/sys/fs/cgroup/box/cpu.max"
                                            << "6400000 100000" << 4u;
    QTest::newRow("v2, broken") << "/sys/fs/cgroup/box/cpu.max"
                                << "0 0" << 4u;
    QTest::newRow("v1, two") << "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us"
                             << "200000" << 2u;
    QTest::newRow("v1, none") << "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us"
                              << "-1" << 4u;
}

void TestSystemFacts::quotas() {
    QFETCH(QString, path);
    QFETCH(QString, text);
    QFETCH(unsigned, usable);
    const FixtureRoot root;
    root.processors("0-3", {"0", "1", "2", "3"});
    root.write("/proc/self/cgroup", "2:cpu:/box\n0::/box\n");
    root.write("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000");
    root.write(path.toStdString(), text.toStdString());
    QCOMPARE(usableCores(readCpuShare(root.system(), {})), usable);
}

void TestSystemFacts::kindsOfCores() {
    const std::string cpu = "/sys/devices/system/cpu/cpu";
    // A laptop with two fast cores of two threads and two slow ones, as Linux on x86-64 tells it.
    const FixtureRoot laptop;
    laptop.processors("0-5", {"0-1", "0-1", "2-3", "2-3", "4", "5"});
    laptop.write("/sys/devices/cpu_core/cpus", "0-3\n");
    laptop.write("/sys/devices/cpu_atom/cpus", "4-5\n");
    laptop.write(cpu + "0/cpufreq/cpuinfo_max_freq", "4700000\n");
    laptop.write(cpu + "4/cpufreq/cpuinfo_max_freq", "3500000\n");
    QCOMPARE(readCpuLayout(laptop.system()).kinds, (std::vector<CoreKind>{{2, 4, 4700000}, {2, 2, 3500000}}));
    // A telephone's processor: capacities, and one core clocked a little higher.
    const FixtureRoot board;
    board.processors("0-3", {"0", "1", "2", "3"});
    for (const auto& [processor, capacity] :
         {std::pair(0, "430"), std::pair(1, "430"), std::pair(2, "980"), std::pair(3, "1024")})
        board.write(cpu + std::to_string(processor) + "/cpu_capacity", capacity);
    QCOMPARE(readCpuLayout(board.system()).kinds, (std::vector<CoreKind>{{2, 2, 0}, {2, 2, 0}}));
    // A server: two packages, one kind.
    const FixtureRoot server;
    server.processors("0-3", {"0", "1", "2", "3"});
    server.write(cpu + "3/topology/physical_package_id", "1\n");
    server.write("/sys/devices/system/node/online", "0-1\n");
    const CpuLayout layout = readCpuLayout(server.system());
    QCOMPARE(layout.packages, 2u);
    QCOMPARE(layout.numaNodes, 2u);
    QCOMPARE(layout.kinds.size(), 1u);
}

void TestSystemFacts::thisMachine() {
    QVERIFY(physicalCores() >= 1);
    const CpuShare share = readCpuShare();
    QVERIFY(share.allowedThreads >= share.allowedCores);
    QVERIFY(share.threads >= share.cores);
    const auto available = availableMemory();
    QVERIFY(!available || available->bytes > 0);
}

QTEST_APPLESS_MAIN(TestSystemFacts)
#include "tst_system_facts.moc"
