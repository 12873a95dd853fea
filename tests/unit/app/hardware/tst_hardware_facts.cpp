// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Laptops, servers, boards and containers as fixtures: what is told of them, and that nothing odd in their
// files harms.

#include <QTest>
#include <set>

#include "core/app/hardware/driver_identity.h"
#include "core/app/hardware/hardware_json.h"
#include "tests/support/fixture_root.h"

using namespace loader;
using namespace loader::app;
using loader::test::FixtureRoot;

namespace {

void cache(const FixtureRoot& root, unsigned processor, unsigned index, const std::string& level,
           const std::string& type, const std::string& size, const std::string& sharers) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/cache/index" + std::to_string(index);
    root.write(folder + "/level", level + "\n");
    root.write(folder + "/type", type + "\n");
    root.write(folder + "/size", size + "\n");
    root.write(folder + "/shared_cpu_list", sharers + "\n");
}

const CpuAnswers kNoAnswers = {{}, "", {}};

}  // namespace

class TestHardwareFacts : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void laptop();
    void armBoard();
    void processorWithoutFiles();
    void oddCaches();
    void systems();
    void containers_data();
    void containers();
    void machines_data();
    void machines();
    void sessions();
    void disks_data();
    void disks();
    void diskKinds();
    void realDisk();
    void adapters();
    void identityChanges_data();
    void identityChanges();
    void identityStays();
    void memorySpeed();
    void classesOfSpeed();
    void wholeMachine();
    void json();
};

void TestHardwareFacts::laptop() {
    const FixtureRoot root;
    root.processors("0-3", {"0-1", "0-1", "2-3", "2-3"});
    root.write("/proc/cpuinfo",
               "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM)  i5-7200U CPU @ "
               "2.50GHz \n\n"
               "processor\t: 1\nvendor_id\t: GenuineIntel\n");
    for (unsigned i = 0; i < 4; ++i) {
        const std::string core = i < 2 ? "0-1" : "2-3";
        cache(root, i, 0, "1", "Data", "32K", core);
        cache(root, i, 1, "1", "Instruction", "32K", core);
        cache(root, i, 2, "2", "Unified", "256K", core);
        cache(root, i, 3, "3", "Unified", "3M", "0-3");
    }
    CpuAnswers answers;
    answers.flags = {CpuFlag::Avx, CpuFlag::Avx2, CpuFlag::Fma, CpuFlag::F16c};
    const CpuFacts facts = readCpuFacts(root.system(), answers);
    QCOMPARE(facts.vendor, std::string("Intel"));
    QCOMPARE(facts.model, std::string("Intel(R) Core(TM) i5-7200U CPU @ 2.50GHz"));
    QCOMPARE(facts.share.cores, 2u);
    QCOMPARE(facts.tier, std::string("avx2"));
    const std::vector<CacheFacts> expected = {{1, "data", 32u << 10, 2, 2},
                                              {1, "instruction", 32u << 10, 2, 2},
                                              {2, "unified", 256u << 10, 2, 2},
                                              {3, "unified", 3u << 20, 4, 1}};
    QVERIFY(facts.caches == expected);
    QCOMPARE(lastLevelCacheBytes(facts), 3ull << 20);
}

void TestHardwareFacts::armBoard() {
    const FixtureRoot root;
    root.processors("0-1", {"0", "1"});
    root.write("/proc/cpuinfo",
               "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\n"
               "processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\nSerial\t: 1\n");
    root.write("/proc/device-tree/model", std::string_view("Example Board Rev 1\0", 20));
    CpuFacts facts = readCpuFacts(root.system(), kNoAnswers);
    QCOMPARE(facts.vendor, std::string("Arm"));
    QCOMPARE(facts.model, std::string("Cortex-A76 + Cortex-A55"));
    QCOMPARE(facts.board, std::string("Example Board Rev 1"));
    root.write("/proc/cpuinfo", "CPU implementer\t: 0xc0\nCPU part\t: 0xac3\n");
    facts = readCpuFacts(root.system(), kNoAnswers);
    QCOMPARE(facts.vendor, std::string("Ampere"));
    QCOMPARE(facts.model, std::string("part 0xac3"));
}

void TestHardwareFacts::processorWithoutFiles() {
    const FixtureRoot root;
    CpuAnswers answers;
    answers.brand = "  Some Processor   9  ";
    const CpuFacts facts = readCpuFacts(root.system(), answers);
    QCOMPARE(facts.model, std::string("Some Processor 9"));
    QVERIFY(facts.vendor.empty());
    QVERIFY(facts.caches.empty());
    QCOMPARE(facts.tier, std::string("baseline"));
    QCOMPARE(lastLevelCacheBytes(facts), 0ull);
    QVERIFY(facts.share.cores >= 1);
}

void TestHardwareFacts::oddCaches() {
    const FixtureRoot root;
    root.processors("0", {"0"});
    cache(root, 0, 0, "one", "Data", "32K", "0");
    QVERIFY(readCpuFacts(root.system(), kNoAnswers).caches.empty());
    cache(root, 0, 0, "1", "Data", "", "");
    cache(root, 0, 1, "77", "What", "99999999999K", "0-99999");
    const CpuFacts facts = readCpuFacts(root.system(), kNoAnswers);
    QCOMPARE(facts.caches.size(), 1u);
    QCOMPARE(facts.caches[0].level, 9u);
    QVERIFY(facts.caches[0].bytes <= 1ull << 40);
}

void TestHardwareFacts::systems() {
    const FixtureRoot root;
    root.write("/usr/lib/os-release", "NAME=Fedora\n");
    QCOMPARE(readOsFacts({}, root.system()).name, std::string("Fedora"));
    root.write("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID='12'\n");
    root.write("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    const OsFacts facts = readOsFacts({}, root.system());
    QCOMPARE(facts.name, std::string("Debian GNU/Linux 12 (bookworm)"));
    QCOMPARE(facts.version, std::string("12"));
    QCOMPARE(facts.kernel, std::string("6.1.0-18-amd64"));
    QVERIFY(!facts.architecture.empty());
    QVERIFY(facts.container.empty() && facts.virtualMachine.empty());
}

void TestHardwareFacts::containers_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("expected");
    QTest::newRow("docker") << "/.dockerenv"
                            << ""
                            << "docker";
    QTest::newRow("podman") << "/run/.containerenv"
                            << ""
                            << "podman";
    QTest::newRow("told") << "/run/systemd/container"
                          << "systemd-nspawn\n"
                          << "systemd-nspawn";
    QTest::newRow("flatpak") << "/.flatpak-info"
                             << "[Application]"
                             << "flatpak";
    QTest::newRow("docker's group") << "/proc/self/cgroup"
                                    << "4:memory:/docker/abc\n"
                                    << "docker";
    QTest::newRow("kubernetes") << "/proc/self/cgroup"
                                << "0::/kubepods.slice/x\n"
                                << "kubernetes";
    QTest::newRow("snap") << "/proc/self/cgroup"
                          << "0::/user.slice/snap.gguf-loader.app\n"
                          << "snap";
    QTest::newRow("none") << "/proc/self/cgroup"
                          << "0::/user.slice/app.scope\n"
                          << "";
}

void TestHardwareFacts::containers() {
    QFETCH(QString, path);
    QFETCH(QString, text);
    QFETCH(QString, expected);
    const FixtureRoot root;
    root.write(path.toStdString(), text.toStdString());
    QCOMPARE(readOsFacts({}, root.system()).container, expected.toStdString());
}

void TestHardwareFacts::machines_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("expected");
    QTest::newRow("QEMU") << "/sys/class/dmi/id/sys_vendor"
                          << "QEMU\n"
                          << "QEMU";
    QTest::newRow("Hyper-V") << "/sys/class/dmi/id/product_name"
                             << "Virtual Machine\n"
                             << "Hyper-V";
    QTest::newRow("WSL") << "/proc/sys/kernel/osrelease"
                         << "5.15.90.1-microsoft-standard-WSL2\n"
                         << "WSL";
    QTest::newRow("Xen") << "/sys/hypervisor/type"
                         << "xen\n"
                         << "xen";
    QTest::newRow("no name") << "/proc/cpuinfo"
                             << "flags\t: fpu hypervisor lm\n"
                             << "unnamed";
    QTest::newRow("real") << "/proc/cpuinfo"
                          << "flags\t: fpu lm\n"
                          << "";
    QTest::newRow("real board") << "/sys/class/dmi/id/sys_vendor"
                                << "LENOVO\n"
                                << "";
}

void TestHardwareFacts::machines() {
    QFETCH(QString, path);
    QFETCH(QString, text);
    QFETCH(QString, expected);
    const FixtureRoot root;
    root.write(path.toStdString(), text.toStdString());
    QCOMPARE(readOsFacts({}, root.system()).virtualMachine, expected.toStdString());
}

void TestHardwareFacts::sessions() {
    const FixtureRoot root;
    QCOMPARE(readOsFacts({"wayland", "", ":0", ""}, root.system()).session, std::string("wayland"));
    QCOMPARE(readOsFacts({"", "wayland-0", "", ""}, root.system()).session, std::string("wayland"));
    QCOMPARE(readOsFacts({"", "", ":0", ""}, root.system()).session, std::string("x11"));
    QCOMPARE(readOsFacts({"", "", ":10", "10.0.0.1 22"}, root.system()).session, std::string("ssh"));
    QCOMPARE(readOsFacts({}, root.system()).session, std::string("none"));
}

void TestHardwareFacts::disks_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("type");
    QTest::addColumn<QString>("point");
    QTest::addColumn<bool>("network");
    QTest::newRow("root") << "/etc/passwd"
                          << "ext4"
                          << "/" << false;
    QTest::newRow("home") << "/home/me/models"
                          << "btrfs"
                          << "/home" << false;
    QTest::newRow("like home") << "/homes"
                               << "ext4"
                               << "/" << false;
    QTest::newRow("NFS") << "/mnt/nas/models"
                         << "nfs4"
                         << "/mnt/nas" << true;
    QTest::newRow("with a space") << "/media/My Disk/a"
                                  << "vfat"
                                  << "/media/My Disk" << false;
    QTest::newRow("covered") << "/over/a"
                             << "fuse.sshfs"
                             << "/over" << true;
}

void TestHardwareFacts::disks() {
    QFETCH(QString, path);
    QFETCH(QString, type);
    QFETCH(QString, point);
    QFETCH(bool, network);
    const FixtureRoot root;
    root.write("/proc/self/mountinfo",
               "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
               "23 22 0:45 /@home /home rw shared:1 master:2 - btrfs /dev/sdb1 rw\n"
               "24 22 0:50 / /mnt/nas rw - nfs4 nas:/models rw\n"
               "25 22 8:33 / /media/My\\040Disk ro,nosuid - vfat /dev/sdc1 rw\n"
               "26 22 8:34 / /over rw - ext4 /dev/sdd1 rw\n"
               "27 22 0:51 / /over rw - fuse.sshfs host: rw\n"
               "garbage\n28 22 0:1\n - - - - - - - - -\n");
    const DiskKind kind = diskKind(path.toStdString(), root.system());
    QCOMPARE(kind.fileSystem, type.toStdString());
    QCOMPARE(kind.mountPoint, point.toStdString());
    QCOMPARE(kind.network, network);
    QCOMPARE(kind.readOnly, point == QLatin1String("/media/My Disk"));
}

void TestHardwareFacts::diskKinds() {
    const FixtureRoot root;
    root.write("/proc/self/mountinfo",
               "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:17 / /stick rw - vfat /dev/sdb1 rw\n"
               "24 22 0:40 / /data rw - btrfs /dev/sda2 rw\n25 22 254:1 / /vm rw - ext4 /dev/vda1 rw\n");
    root.write("/sys/devices/pci/ata1/block/sda/removable", "0");
    root.write("/sys/devices/pci/ata1/block/sda/queue/rotational", "1");
    root.folder("/sys/devices/pci/ata1/block/sda/sda1");
    root.folder("/sys/devices/pci/ata1/block/sda/sda2");
    root.write("/sys/devices/pci/usb2/2-1/block/sdb/removable", "0");
    root.folder("/sys/devices/pci/usb2/2-1/block/sdb/sdb1");
    root.write("/sys/devices/pci/virtio1/block/vda/queue/rotational", "1");
    root.folder("/sys/devices/pci/virtio1/block/vda/vda1");
    root.link("/sys/dev/block/8:1", "/sys/devices/pci/ata1/block/sda/sda1");
    root.link("/sys/dev/block/8:17", "/sys/devices/pci/usb2/2-1/block/sdb/sdb1");
    root.link("/sys/dev/block/254:1", "/sys/devices/pci/virtio1/block/vda/vda1");
    root.link("/sys/class/block/sda2", "/sys/devices/pci/ata1/block/sda/sda2");
    const SystemText system = root.system();
    QCOMPARE(diskKind("/a", system).rotational.value(), true);
    QVERIFY(!diskKind("/a", system).removable);
    QVERIFY(diskKind("/stick/a", system).removable);  // at the end of a cable
    QCOMPARE(diskKind("/data/a", system).rotational.value(), true);
    QVERIFY(!diskKind("/vm/a", system).rotational);  // what a virtual disk says of itself means nothing
    QVERIFY(diskKind("/a", SystemText(root.root() + "/none")).fileSystem.empty());
}

void TestHardwareFacts::realDisk() {
    const FixtureRoot root;
    const auto facts = readDiskFacts(root.root() + "/not/yet/there");
    QVERIFY(facts.ok());
    QVERIFY(facts->totalBytes > 0);
    QVERIFY(facts->freeBytes <= facts->totalBytes);
    QCOMPARE(facts->path, root.root() + "/not/yet/there");
    QVERIFY(!readDiskFacts("").ok());
}

void TestHardwareFacts::adapters() {
    const FixtureRoot root;
    const std::string bus = "/sys/bus/pci/devices/";
    root.write(bus + "0000:00:02.0/class", "0x030000\n");
    root.write(bus + "0000:00:02.0/vendor", "0x8086\n");
    root.write(bus + "0000:00:02.0/device", "0x46a6\n");
    root.folder("/sys/bus/pci/drivers/i915");
    root.link(bus + "0000:00:02.0/driver", "/sys/bus/pci/drivers/i915");
    root.write(bus + "0000:01:00.0/class", "0x030200\n");
    root.write(bus + "0000:01:00.0/vendor", "0x10de\n");
    root.write(bus + "0000:01:00.0/device", "0x2330\n");
    root.write(bus + "0000:00:1f.0/class", "0x060100\n");
    root.write(bus + "0000:03:00.0/class", "display\n");
    root.folder("/sys/devices/gpu");
    root.folder("/sys/drivers/v3d");
    root.link("/sys/devices/gpu/driver", "/sys/drivers/v3d");
    root.link("/sys/class/drm/renderD128/device", "/sys/devices/gpu");
    root.write("/sys/class/drm/renderD129/device/class", "0x030000\n");
    const std::vector<AdapterFacts> expected = {{"0000:00:02.0", 0x8086, 0x46A6, "Intel", "i915"},
                                                {"0000:01:00.0", 0x10DE, 0x2330, "NVIDIA", ""},
                                                {"renderD128", 0, 0, "", "v3d"}};
    QVERIFY(readAdapters(root.system()) == expected);
    QVERIFY(readAdapters(SystemText(root.root() + "/none")).empty());
}

namespace {

/// A system with one driver.
void installDriver(const FixtureRoot& root) {
    root.write("/usr/lib/x86_64-linux-gnu/libvulkan.so.1", "loader");
    root.write("/usr/lib/x86_64-linux-gnu/libvulkan_some.so", "driver 1");
    root.write("/usr/share/vulkan/icd.d/some.json",
               R"({"ICD":{"library_path":"libvulkan_some.so","api_version":"1.3"}})");
    root.write("/proc/sys/kernel/osrelease", "6.1.0\n");
    root.write("/home/me/driver.json", R"({"ICD":{"library_path":"./mine.so"}})");
    root.write("/home/me/mine.so", "mine");
}

}  // namespace

void TestHardwareFacts::identityChanges_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("text");
    QTest::newRow("loader") << "/usr/lib/x86_64-linux-gnu/libvulkan.so.1"
                            << "another loader";
    QTest::newRow("driver") << "/usr/lib/x86_64-linux-gnu/libvulkan_some.so"
                            << "driver 1.0.1";
    QTest::newRow("second driver") << "/usr/share/vulkan/icd.d/other.json"
                                   << "{}";
    QTest::newRow("user's driver") << "/home/me/mine.so"
                                   << "mine, newer";
    QTest::newRow("layer") << "/usr/share/vulkan/implicit_layer.d/overlay.json"
                           << "{}";
    QTest::newRow("kernel") << "/proc/sys/kernel/osrelease"
                            << "6.1.1\n";
    QTest::newRow("kernel module") << "/proc/driver/nvidia/version"
                                   << "NVRM version: 550.54\n";
    QTest::newRow("new card") << "/sys/bus/pci/devices/0000:01:00.0/class"
                              << "0x030000\n";
    QTest::newRow("node") << "/dev/dri/renderD128"
                          << "";
}

void TestHardwareFacts::identityChanges() {
    QFETCH(QString, path);
    QFETCH(QString, text);
    const FixtureRoot root;
    installDriver(root);
    DriverVariables variables;
    variables.addDriverFiles = "/home/me/driver.json";
    const std::string before = driverIdentity(variables, "0.1.0", "", root.system());
    root.write(path.toStdString(), text.toStdString());
    QVERIFY(driverIdentity(variables, "0.1.0", "", root.system()) != before);
}

void TestHardwareFacts::identityStays() {
    const FixtureRoot root;
    installDriver(root);
    const std::string before = driverIdentity({}, "0.1.0", "", root.system());
    QCOMPARE(before.size(), 64u);
    root.write("/home/me/letter.txt", "nothing to do with it");
    QCOMPARE(driverIdentity({}, "0.1.0", "", root.system()), before);
    QVERIFY(driverIdentity({}, "0.1.1", "", root.system()) != before);
    QVERIFY(driverIdentity({}, "0.1.0", "/home/me/mine.so", root.system()) != before);
    DriverVariables variables;
    variables.driverFiles = "/home/me/driver.json";
    QVERIFY(driverIdentity(variables, "0.1.0", "", root.system()) != before);
    // Manifests are other people's files.
    for (const char* manifest : {"", "{", "[]", R"({"ICD":7})", R"({"ICD":{"library_path":[]}})"}) {
        root.write("/usr/share/vulkan/icd.d/odd.json", manifest);
        QCOMPARE(driverIdentity({}, "0.1.0", "", root.system()).size(), 64u);
    }
    root.write("/usr/share/vulkan/icd.d/odd.json", std::string(1u << 20, '['));
    QCOMPARE(driverIdentity({}, "0.1.0", "", root.system()).size(), 64u);
}

void TestHardwareFacts::memorySpeed() {
    const auto speed = measureMemorySpeed(2, 1u << 20);
    QVERIFY(speed.ok());
    QVERIFY(speed->bytesPerSecond > 1e8);
    QVERIFY(speed->bytesPerSecond < 1e13);
    QCOMPARE(speed->threads, 2u);
    QVERIFY(speed->bytes > 0);
    CancelFlag flag;
    flag.request();
    QVERIFY(!measureMemorySpeed(1, 0, flag).ok());
}

void TestHardwareFacts::classesOfSpeed() {
    QCOMPARE(memorySpeedClass(0.0), std::string_view("not known"));
    std::set<std::string_view> classes;
    for (const double speed : {5e9, 15e9, 40e9, 100e9, 400e9})
        classes.insert(memorySpeedClass(speed));
    QCOMPARE(classes.size(), 5u);
}

void TestHardwareFacts::wholeMachine() {
    HardwareQuery query;
    query.measureMemory = false;
    query.paths = {"/"};
    const auto without = readHardware(query);
    QVERIFY(without.ok());
    QVERIFY(!without->probes);
    QVERIFY(!without->memorySpeed);
    QCOMPARE(without->disks.size(), 1u);
    query.probes = [](CancelToken) { return std::vector<ProbedBackend>{{"some", "Some", {}, {}, false}}; };
    const auto with = readHardware(query);
    QCOMPARE(with->probes.value().size(), 1u);
    CancelFlag flag;
    flag.request();
    QVERIFY(!readHardware(query, flag).ok());
}

void TestHardwareFacts::json() {
    HardwareFacts facts;
    facts.cpu.model = "Some";
    facts.adapters.push_back({"0000:01:00.0", 0x10DE, 1, "NVIDIA", ""});
    auto document = hardwareJson(facts);
    QVERIFY(document["backends"].is_null());
    QVERIFY(document["cpu"]["vendor"].is_null());
    QCOMPARE(document["cpu"]["model"].get<std::string>(), std::string("Some"));
    QVERIFY(document["memory"]["usable_bytes"].is_null());
    QVERIFY(document["graphics_adapters"][0]["kernel_driver"].is_null());
    ProbedBackend probe{"vulkan", "GPU", {}, ProbeFault{"B720", "message", "action"}, true};
    probe.devices.push_back({"id", "name", "detail", ProbedKind::DiscreteGpu, 8, 0, {{"fp16", "yes"}}});
    facts.probes = {probe};
    document = hardwareJson(facts);
    QCOMPARE(document["backends"][0]["devices"][0]["properties"]["fp16"].get<std::string>(),
             std::string("yes"));
    QCOMPARE(document["backends"][0]["error"]["code"].get<std::string>(), std::string("B720"));
    QVERIFY(document["backends"][0]["remembered"].get<bool>());
    QVERIFY(document["backends"][0]["devices"][0]["free_bytes"].is_null());
}

QTEST_APPLESS_MAIN(TestHardwareFacts)
#include "tst_hardware_facts.moc"
