// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Devices that are smaller, older or otherwise made than the one at hand: the same results by other ways, or
// a refusal that says why. Rows are named after docs/vulkan.md, "Faults".

#include <QFile>

#include "backends/cpu/exec/cpu_backend.h"
#include "backends/vulkan/device/device_buffer.h"
#include "core/engine/base/device_properties.h"
#include "core/host/self_test.h"
#include "tests/integration/vulkan/vulkan_fault_test.h"

namespace loader::test {
namespace {

namespace names = device_properties;
using enum FaultFunction;

/// The same arithmetic, its sums perhaps in another order.
constexpr double kAlike = 1.0 - 1e-6;
/// Activations of 8 or 16 bits.
constexpr double kNear = 1.0 - 2e-3;

std::string toldOf(const backend::DeviceFacts& device, std::string_view key) {
    for (const auto& [name, value] : device.properties) {
        if (name == key) return value;
    }
    return {};
}

}  // namespace

class VulkanLimits : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void sameResults_data();
    void sameResults();
    void refused_data();
    void refused();
    void lowerTier_data();
    void lowerTier();
    void library_data();
    void library();
    void drivers_data();
    void drivers();
    void memoryIsCleared();
    void hostSeesWhatItAsksFor();
    void heapOfTheDevice();
    void heapTooSmall();
    void budgetDrops();
    void buffersAreSplit();
    void keysAndValuesTooLarge();
    void chosenById();
    void deviceGone();
    void wrongResults();

private:
    FaultyModel m_model;
    std::vector<std::vector<float>> m_expected;
};

void VulkanLimits::initTestCase() {
    LOADER_NEED_VULKAN();
    QVERIFY(!m_model.path.empty());
    auto rows = m_model.run({});
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    m_expected = std::move(rows).value();
}

void VulkanLimits::sameResults_data() {
    QTest::addColumn<QString>("script");
    const auto row = [](const char* name, const char* script) { QTest::newRow(name) << script; };
    row("V9 memory of its own", "memory=card");
    row("V9 a window first", "memory=window");
    row("V9 a window first, a small heap", "memory=window;heap=33554432");
    row("V9 a heap of 256 MiB", "heap=268435456");
    row("V10 allocations of 1 GiB", "limit.maxMemoryAllocationSize=1073741824");
    row("V10 buffers of 256 MiB", "limit.maxBufferSize=268435456;limit.maxStorageBufferRange=134217728");
    row("V16 128 invocations", "limit.maxComputeWorkGroupInvocations=128;limit.maxComputeWorkGroupSizeX=128");
    row("V16 16 KiB of shared memory", "limit.maxComputeSharedMemorySize=16384");
    row("V16 few groups",
        "limit.maxComputeWorkGroupCountX=65535;limit.maxComputeWorkGroupCountY=65535;"
        "limit.maxComputeWorkGroupCountZ=65535");
    row("V16 all at their least",
        "limit.maxComputeWorkGroupInvocations=128;limit.maxComputeWorkGroupSizeX=128;"
        "limit.maxComputeSharedMemorySize=16384;limit.maxPushConstantsSize=128;limit.maxBoundDescriptorSets="
        "4");
    row("V17 not coherent, atoms of 256", "memory=incoherent;limit.nonCoherentAtomSize=256");
    row("V17 not coherent, atoms of 1", "memory=incoherent;limit.nonCoherentAtomSize=1");
    row("V17 alignment of 256", "limit.minStorageBufferOffsetAlignment=256");
    row("V27 all of it, dirty",
        "dirty=yes;memory=incoherent;limit.nonCoherentAtomSize=256;"
        "limit.minStorageBufferOffsetAlignment=256");
}

void VulkanLimits::sameResults() {
    QFETCH(QString, script);
    VulkanFaults faults(script.toStdString());
    auto rows = m_model.run();
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    QVERIFY2(faults.violation().empty(), faults.violation().c_str());
    const double like = likeness(*rows, m_expected);
    QVERIFY2(like >= kAlike, std::to_string(like).c_str());
}

void VulkanLimits::refused_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, const char* script, const char* says) {
        QTest::newRow(name) << script << says;
    };
    row("V13 Vulkan 1.0", "api=1.0", "1.1 is needed");
    row("V16 64 invocations", "limit.maxComputeWorkGroupInvocations=64", "invocations");
    row("V16 8 KiB of shared memory", "limit.maxComputeSharedMemorySize=8192", "shared memory");
    row("V16 64 bytes of push constants", "limit.maxPushConstantsSize=64", "push constants");
    row("V16 4 storage buffers", "limit.maxPerStageDescriptorStorageBuffers=4", "storage buffers");
    row("V16 3 descriptor sets", "limit.maxBoundDescriptorSets=3", "descriptor sets");
}

/// Said by load() and by the plan that comes before; no device is opened.
void VulkanLimits::refused() {
    QFETCH(QString, script);
    QFETCH(QString, says);
    VulkanFaults faults(script.toStdString());
    auto rows = m_model.run();
    QVERIFY(!rows.ok());
    QVERIFY2(rows.error().code() == Errc::B702, told(rows.error()));
    QVERIFY2(rows.error().message().find(says.toStdString()) != std::string::npos, told(rows.error()));
    QCOMPARE(faults.calls(CreateDevice), std::uint64_t{0});
    vulkan::VulkanBackend backend(FaultyModel::settings());
    const auto devices = backend.devices();
    QVERIFY(devices.ok() && !devices->empty());
    const auto plan = m_model.plan(backend, devices->front().id);
    QVERIFY(plan.ok());
    QVERIFY(!plan->unsupported.empty());
}

void VulkanLimits::lowerTier_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<QString>("tier");
    const auto row = [](const char* name, const char* script, const char* tier) {
        QTest::newRow(name) << script << tier;
    };
    row("V14 as it is", "", "int8");
    row("V14 no 16-bit floats", "feature=-shaderFloat16", "fp32");
    row("V14 no sums over subgroups", "subgroup-arithmetic=no", "fp32");
    row("V14 no integer dot product", "feature=-shaderIntegerDotProduct", "fp16");
    row("V14 no 16-bit storage",
        "feature=-storageBuffer16BitAccess;feature=-uniformAndStorageBuffer16BitAccess", "int8");
    row("V14 no 8-bit storage", "feature=-storageBuffer8BitAccess;feature=-uniformAndStorageBuffer8BitAccess",
        "int8");
    row("V14 no 8-bit integers", "feature=-shaderInt8", "int8");
    row("V14 no timeline semaphores", "feature=-timelineSemaphore", "int8");
    row("V14 no descriptor indexing", "feature=-descriptorIndexing", "int8");
    row("V14 no buffer addresses", "feature=-bufferDeviceAddress", "int8");
    row("V14 no control of subgroup sizes", "feature=-subgroupSizeControl", "int8");
    row("V14 no memory of the host", "extension=-VK_EXT_external_memory_host", "int8");
    row("V14 Vulkan 1.1 alone",
        "api=1.1;feature=-shaderFloat16;feature=-shaderInt8;feature=-shaderIntegerDotProduct;"
        "feature=-timelineSemaphore;feature=-bufferDeviceAddress;feature=-subgroupSizeControl;"
        "feature=-storageBuffer8BitAccess;extension=-VK_KHR_shader_float16_int8;"
        "extension=-VK_KHR_shader_integer_dot_product",
        "fp32");
    // The sizes are told and not had: what a kernel takes from the driver's words must not decide a result.
    for (const char* size : {"4", "16", "32", "64", "128"})
        QTest::addRow("V15 subgroups of %s", size) << QString("subgroup=") + size << "int8";
}

/// The tier that is left, and right results.
void VulkanLimits::lowerTier() {
    QFETCH(QString, script);
    QFETCH(QString, tier);
    VulkanFaults faults(script.toStdString());
    m_model.options.tier.clear();
    vulkan::VulkanBackend backend(FaultyModel::settings());
    auto model = m_model.load(backend);
    QVERIFY2(model.ok(), model.ok() ? "" : told(model.error()));
    QCOMPARE((*model)->model().effects().tier, tier.toStdString());
    auto rows = m_model.compute(**model);
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    const double like = likeness(*rows, m_expected);
    QVERIFY2(like >= (tier == "fp32" ? kAlike : kNear), std::to_string(like).c_str());
    QVERIFY2(faults.violation().empty(), faults.violation().c_str());
    m_model.options.tier = "fp32";
}

void VulkanLimits::library_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<QString>("code");
    QTest::newRow("V12 no driver") << "vkCreateInstance@1=INCOMPATIBLE_DRIVER"
                                   << "B721";
    QTest::newRow("V12 the driver fails") << "vkCreateInstance@1=INITIALIZATION_FAILED"
                                          << "B722";
    QTest::newRow("V12 no device") << "vkEnumeratePhysicalDevices@1+=none"
                                   << "B721";
    QTest::newRow("V13 a library of 1.0") << "library=1.0"
                                          << "B722";
}

void VulkanLimits::library() {
    QFETCH(QString, script);
    QFETCH(QString, code);
    VulkanFaults faults(script.toStdString());
    auto rows = m_model.run();
    QVERIFY(!rows.ok());
    QCOMPARE(std::string(rows.error().name()), code.toStdString());
    QVERIFY(!rows.error().action().empty());
}

void VulkanLimits::drivers_data() {
    QTest::addColumn<QString>("description");
    const auto row = [](const char* name, const char* library) {
        QTest::newRow(name) << QString(R"({"file_format_version": "1.0.0", "ICD": {"library_path": "%1",
                                          "api_version": "1.3.0"}})")
                                   .arg(library);
    };
    QTest::newRow("V12 no description") << QString();
    QTest::newRow("V12 a description that is none") << QString("{\"ICD\": ");
    QTest::newRow("V12 noise") << QString("\x01\x02{{{").repeated(1000);
    row("V12 a library that is missing", "/nonexistent/libvulkan_none.so");
    row("V12 a library without the functions", "libm.so.6");
    row("V12 a text in place of a library", "/etc/passwd");
    row("V12 a folder in place of a library", "/etc");
}

/// V12: what the system says of its drivers is broken; asked of the real library.
void VulkanLimits::drivers() {
    QFETCH(QString, description);
    const QString path = m_model.folder.path() + "/driver.json";
    QFile::remove(path);
    if (!description.isEmpty()) {
        QFile file(path);
        QVERIFY(file.open(QFile::WriteOnly));
        file.write(description.toUtf8());
    }
    const char* const names[] = {"VK_DRIVER_FILES", "VK_ICD_FILENAMES"};
    QByteArray before[2];
    for (int i = 0; i < 2; ++i) {
        before[i] = qgetenv(names[i]);
        qputenv(names[i], path.toUtf8());
    }
    const auto devices = vulkan::VulkanBackend().devices();
    auto rows = m_model.run({});
    for (int i = 0; i < 2; ++i) {
        if (before[i].isEmpty())
            qunsetenv(names[i]);
        else
            qputenv(names[i], before[i]);
    }
    for (const Error& error : {devices.error(), rows.error()}) {
        QVERIFY2(error.code() == Errc::B721 || error.code() == Errc::B722, told(error));
        QVERIFY(!error.action().empty());
    }
    QVERIFY(vulkan::VulkanBackend().devices().ok());
}

/// V27: whatever the driver gives, it is empty when we get it.
void VulkanLimits::memoryIsCleared() {
    VulkanFaults faults("dirty=yes");
    const auto library = vulkan::VulkanLibrary::open({VulkanFaults::kLibrary});
    QVERIFY(library.ok());
    auto device = vulkan::ComputeDevice::open(**library, {});
    QVERIFY2(device.ok(), device.ok() ? "" : told(device.error()));
    int seen = 0;
    for (const auto use :
         {vulkan::MemoryUse::Device, vulkan::MemoryUse::Upload, vulkan::MemoryUse::Readback}) {
        const auto buffer = vulkan::DeviceBuffer::make(**device, 100'000, use);
        QVERIFY(buffer.ok());
        // Memory that only the device sees is looked at where a device shares it with the host.
        for (const std::byte byte : buffer->mapped())
            QCOMPARE(byte, std::byte{0});
        seen += buffer->mapped().empty() ? 0 : 1;
    }
    QVERIFY(seen >= 2);
}

/// V17: that rows with memory that is not coherent can fail at all.
void VulkanLimits::hostSeesWhatItAsksFor() {
    VulkanFaults faults("memory=incoherent;vkInvalidateMappedMemoryRanges@1+=skip");
    auto rows = m_model.run();
    QVERIFY(faults.fired() > 0);
    QVERIFY(!rows.ok() || !(likeness(*rows, m_expected) >= kAlike));
}

/// V9: what is told to the estimate is the large heap, not the first.
void VulkanLimits::heapOfTheDevice() {
    VulkanFaults faults("type=discrete;memory=window;heap=805306368");
    vulkan::VulkanBackend backend(FaultyModel::settings());
    const auto devices = backend.devices();
    QVERIFY(devices.ok());
    QCOMPARE(devices->front().memoryBytes, std::uint64_t{805306368});
    QCOMPARE(toldOf(devices->front(), names::kHostVisibleLocal), std::string("no"));
}

/// V9, V33: a heap that holds a part of the model only.
void VulkanLimits::heapTooSmall() {
    VulkanFaults faults("memory=card;heap=1048576");
    auto rows = m_model.run();
    QVERIFY(!rows.ok());
    QVERIFY2(rows.error().code() == Errc::R901, told(rows.error()));
    QCOMPARE(faults.objects(), 0);
    QVERIFY2(faults.violation().empty(), faults.violation().c_str());
}

/// V11: another program takes the memory while a model is loaded.
void VulkanLimits::budgetDrops() {
    VulkanFaults faults("budget=90;memory=card;heap=67108864");
    vulkan::VulkanBackend backend(FaultyModel::settings());
    const auto before = backend.devices();
    QVERIFY(before.ok());
    QCOMPARE(before->front().freeBytes, std::uint64_t{67108864} / 100 * 90);
    auto model = m_model.load(backend);
    QVERIFY2(model.ok(), model.ok() ? "" : told(model.error()));
    faults.set("budget=1;memory=card;heap=67108864");
    // What is there goes on; what is new is refused.
    auto rows = m_model.compute(**model);
    QVERIFY(rows.ok());
    QVERIFY(likeness(*rows, m_expected) >= kAlike);
    backend::SessionOptions more;
    more.contextTokens = 8192;
    const auto session = (*model)->model().openSession(more);
    QVERIFY(!session.ok());
    QVERIFY2(session.error().code() == Errc::R901, told(session.error()));
    QCOMPARE(backend.devices()->front().freeBytes < (std::uint64_t{1} << 20), true);
}

/// V10, V26: a matrix that no shader sees as a whole.
void VulkanLimits::buffersAreSplit() {
    VulkanFaults faults(
        "limit.maxStorageBufferRange=131072;limit.maxBufferSize=1048576;"
        "limit.minStorageBufferOffsetAlignment=256");
    m_model.options.batchTokens = 4;
    auto rows = m_model.run();
    m_model.options.batchTokens = 16;
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    QVERIFY2(faults.violation().empty(), faults.violation().c_str());
    QVERIFY(likeness(*rows, m_expected) >= kAlike);
}

/// V32, V10: what one layer remembers does not fit: said before anything is allocated.
void VulkanLimits::keysAndValuesTooLarge() {
    VulkanFaults faults("limit.maxStorageBufferRange=1048576");
    m_model.options.contextTokens = 131072;
    auto rows = m_model.run();
    m_model.options.contextTokens = 64;
    QVERIFY(!rows.ok());
    QVERIFY2(rows.error().code() == Errc::B702, told(rows.error()));
    QVERIFY(rows.error().message().find("KV cache") != std::string::npos);
    QCOMPARE(faults.calls(AllocateMemory), std::uint64_t{0});
}

void VulkanLimits::chosenById() {
    VulkanFaults faults;
    vulkan::VulkanBackend backend(FaultyModel::settings());
    const auto devices = backend.devices();
    QVERIFY(devices.ok());
    for (const backend::DeviceFacts& device : *devices) {
        const auto same = backend.device(device.id);
        QVERIFY(same.ok());
        QCOMPARE(same->name, device.name);
    }
    // V21: one that was there yesterday.
    const auto gone = backend.device("00000000-dead-0000-0000-000000000000");
    QVERIFY(!gone.ok());
    QCOMPARE(gone.error().code(), Errc::X001);
    // V22: what computes on the processor is listed as such, behind all others.
    bool processors = false;
    for (const backend::DeviceFacts& device : *devices) {
        QVERIFY(!processors || device.kind == backend::DeviceKind::Cpu);
        processors = device.kind == backend::DeviceKind::Cpu;
    }
}

/// V21: listed, and not there any more when it is to be used.
void VulkanLimits::deviceGone() {
    VulkanFaults faults("vkEnumeratePhysicalDevices@3+=none");
    vulkan::VulkanBackend backend(FaultyModel::settings());
    QVERIFY(backend.devices().ok());
    const auto model = m_model.load(backend);
    QVERIFY(!model.ok());
    QVERIFY2(model.error().code() == Errc::B721, told(model.error()));
}

/// V24: a driver that leaves out work without a word.
void VulkanLimits::wrongResults() {
    cpu::CpuBackend trusted;
    host::SelfTestOptions options;
    options.types = {quant::TensorType::F32};
    options.threads = 1;
    const auto test = [&](const std::string& script) {
        VulkanFaults faults(script);
        vulkan::VulkanBackend backend(FaultyModel::settings());
        return host::selfTest(backend, "", trusted, options, {});
    };
    const auto good = test("");
    QVERIFY2(good.ok(), good.ok() ? "" : told(good.error()));
    for (const char* script : {"vkCmdDispatch@3=skip", "vkCmdDispatch@12=skip", "vkCmdDispatch@1+=skip",
                               "vkCmdCopyBuffer@4+=skip"}) {
        const auto tested = test(script);
        QVERIFY2(!tested.ok(), script);
        QVERIFY2(tested.error().code() == Errc::B705, told(tested.error()));
    }
}

}  // namespace loader::test

QTEST_GUILESS_MAIN(loader::test::VulkanLimits)
#include "tst_vulkan_limits.moc"
