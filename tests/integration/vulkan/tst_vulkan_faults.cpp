// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A Vulkan driver that fails at every call where it may: an error with its kind, nothing left behind, and the
// next load as good as the first. Rows are named after docs/vulkan.md, "Faults".

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "core/engine/base/memory_facts.h"
#include "tests/integration/vulkan/vulkan_fault_test.h"

namespace loader::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using enum FaultFunction;

std::size_t openDescriptors() {
    const std::filesystem::directory_iterator folder("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(folder), end(folder)));
}

/// Calls to make fail: all where the test may take long, else the first and the last.
std::vector<std::uint64_t> chosen(std::uint64_t count) {
    std::set<std::uint64_t> calls{1, count};
    for (std::uint64_t call = 1; runsLong() && call <= count; ++call)
        calls.insert(call);
    return {calls.begin(), calls.end()};
}

bool isExpected(ErrorKind kind) {
    return kind == ErrorKind::OutOfMemory || kind == ErrorKind::DeviceLost || kind == ErrorKind::Driver ||
           kind == ErrorKind::NotFound;
}

}  // namespace

class VulkanFaultsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void undisturbed();
    void lost_data();
    void lost();
    void lostInUse_data();
    void lostInUse();
    void hangs_data();
    void hangs();
    void noDeviceMemory();
    void failsAtEachCall_data();
    void failsAtEachCall();
    void pipelines_data();
    void pipelines();
    void pipelinesCancelled();
    void leftovers();
    void manyTimes();
    void twoAtOnce();
    void cancelled();
    void afterAll();

private:
    void checkAgain();
    FaultyModel m_model;
    /// Calls of one undisturbed run.
    std::map<FaultFunction, std::uint64_t> m_calls;
    std::vector<std::vector<float>> m_expected;
};

void VulkanFaultsTest::initTestCase() {
    LOADER_NEED_VULKAN();
    QVERIFY(!m_model.path.empty());
    auto rows = m_model.run({});
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    m_expected = std::move(rows).value();
    VulkanFaults counted;
    QVERIFY(m_model.run().ok());
    for (std::size_t i = 0; i < kFaultFunctions; ++i)
        m_calls[static_cast<FaultFunction>(i)] = counted.calls(static_cast<FaultFunction>(i));
}

/// After a fault: nothing is left, and all works as before.
void VulkanFaultsTest::checkAgain() {
    VulkanFaults none;
    auto rows = m_model.run();
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    QCOMPARE(*rows, m_expected);
    QCOMPARE(none.objects(), 0);
}

void VulkanFaultsTest::undisturbed() {
    VulkanFaults none;
    {
        vulkan::VulkanBackend backend(FaultyModel::settings());
        auto model = m_model.load(backend);
        QVERIFY2(model.ok(), model.ok() ? "" : told(model.error()));
        QVERIFY(none.objects() > 0);
        auto rows = m_model.compute(**model);
        QVERIFY(rows.ok());
        QCOMPARE(*rows, m_expected);
    }
    QCOMPARE(none.objects(), 0);
    QVERIFY2(none.violation().empty(), none.violation().c_str());
    // One submission for each step.
    QVERIFY(none.calls(QueueSubmit) >= 3);
}

void VulkanFaultsTest::lost_data() {
    QTest::addColumn<FaultFunction>("function");
    QTest::addColumn<QString>("name");
    QTest::newRow("V1 vkQueueSubmit") << QueueSubmit << "vkQueueSubmit";
    QTest::newRow("V2 vkWaitForFences") << WaitForFences << "vkWaitForFences";
    QTest::newRow("V3 vkMapMemory") << MapMemory << "vkMapMemory";
}

/// V1 to V5: at each call of a load and a few tokens, whatever is made afterwards.
void VulkanFaultsTest::lost() {
    QFETCH(FaultFunction, function);
    QFETCH(QString, name);
    const std::uint64_t count = m_calls[function];
    QVERIFY(count != 0);
    for (const std::uint64_t call : chosen(count)) {
        VulkanFaults faults(name.toStdString() + "@" + std::to_string(call) + "=DEVICE_LOST");
        const auto start = Clock::now();
        auto rows = m_model.run();
        QVERIFY(!rows.ok());
        QVERIFY2(rows.error().code() == Errc::B704, told(rows.error()));
        QVERIFY(!rows.error().action().empty());
        QVERIFY(Clock::now() - start < 10s);
        QCOMPARE(faults.objects(), 0);
    }
    checkAgain();
}

void VulkanFaultsTest::lostInUse_data() {
    QTest::addColumn<QString>("script");
    QTest::newRow("V1 at the first submission") << "after=armed;vkQueueSubmit@1=DEVICE_LOST";
    QTest::newRow("V2 at the first wait") << "after=armed;vkWaitForFences@1=DEVICE_LOST";
}

/// What was computed before stays; the session says the same again, and at once, and can be given back.
void VulkanFaultsTest::lostInUse() {
    QFETCH(QString, script);
    VulkanFaults faults(script.toStdString());
    {
        vulkan::VulkanBackend backend(FaultyModel::settings());
        auto model = m_model.load(backend);
        QVERIFY(model.ok());
        QVERIFY(m_model.compute(**model).ok());
        faults.arm();
        const TokenId next = 60;
        for (int i = 0; i < 3; ++i) {
            auto rows = (*model)->logits({&next, 1});
            QVERIFY(!rows.ok());
            QVERIFY2(rows.error().code() == Errc::B704, told(rows.error()));
        }
        std::vector<std::byte> saved;
        const Status save = (*model)->session().save(0, saved);
        QVERIFY(!save.ok() && save.error().code() == Errc::B704);
    }
    QCOMPARE(faults.objects(), 0);
    checkAgain();
}

void VulkanFaultsTest::hangs_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<int>("leastMs");
    QTest::newRow("V6 vkQueueSubmit") << "after=armed;vkQueueSubmit@1=hang" << static_cast<int>(kAnswerMs);
    QTest::newRow("V6 vkWaitForFences")
        << "after=armed;vkWaitForFences@1=hang" << static_cast<int>(kAnswerMs);
    QTest::newRow("V6 the driver gives it up") << "after=armed;hang-ms=100;vkQueueSubmit@1=hang" << 100;
}

/// V6: given up after its time, and not waited for when the model is given back.
void VulkanFaultsTest::hangs() {
    QFETCH(QString, script);
    QFETCH(int, leastMs);
    VulkanFaults faults(script.toStdString());
    const auto start = Clock::now();
    {
        vulkan::VulkanSettings settings = FaultyModel::settings();
        settings.device.answerMs = kAnswerMs;
        vulkan::VulkanBackend backend(settings);
        auto model = m_model.load(backend);
        QVERIFY2(model.ok(), model.ok() ? "" : told(model.error()));
        faults.arm();
        const auto asked = Clock::now();
        auto rows = m_model.compute(**model);
        QVERIFY(!rows.ok());
        QVERIFY2(rows.error().code() == Errc::B704, told(rows.error()));
        QVERIFY(Clock::now() - asked >= std::chrono::milliseconds(leastMs));
        QVERIFY(Clock::now() - asked < std::chrono::milliseconds(leastMs + 5000));
    }
    QVERIFY(Clock::now() - start < 30s);
    checkAgain();
}

/// V7: at every allocation of a load.
void VulkanFaultsTest::noDeviceMemory() {
    const std::uint64_t count = m_calls[AllocateMemory];
    QVERIFY(count > 4);
    for (std::uint64_t call = 1; call <= count; ++call) {
        VulkanFaults faults("vkAllocateMemory@" + std::to_string(call) + "+=OUT_OF_DEVICE_MEMORY");
        auto rows = m_model.run();
        QVERIFY(!rows.ok());
        QVERIFY2(rows.error().code() == Errc::R901, told(rows.error()));
        QCOMPARE(faults.objects(), 0);
    }
    checkAgain();
}

void VulkanFaultsTest::failsAtEachCall_data() {
    QTest::addColumn<FaultFunction>("function");
    QTest::addColumn<QString>("name");
    QTest::addColumn<QString>("result");
    const auto row = [](FaultFunction function, const char* name, const char* result) {
        QTest::addRow("V8 %s %s", name, result) << function << name << result;
    };
    const char* host = "OUT_OF_HOST_MEMORY";
    row(CreateInstance, "vkCreateInstance", host);
    row(EnumeratePhysicalDevices, "vkEnumeratePhysicalDevices", host);
    row(CreateDevice, "vkCreateDevice", "TOO_MANY_OBJECTS");
    row(CreateDevice, "vkCreateDevice", "INITIALIZATION_FAILED");
    row(CreateFence, "vkCreateFence", host);
    row(CreateBuffer, "vkCreateBuffer", host);
    row(AllocateMemory, "vkAllocateMemory", host);
    row(AllocateMemory, "vkAllocateMemory", "TOO_MANY_OBJECTS");
    row(BindBufferMemory, "vkBindBufferMemory", "OUT_OF_DEVICE_MEMORY");
    row(MapMemory, "vkMapMemory", "MEMORY_MAP_FAILED");
    row(CreateDescriptorSetLayout, "vkCreateDescriptorSetLayout", host);
    row(CreatePipelineLayout, "vkCreatePipelineLayout", host);
    row(CreatePipelineCache, "vkCreatePipelineCache", host);
    row(CreateShaderModule, "vkCreateShaderModule", host);
    row(CreateComputePipelines, "vkCreateComputePipelines", host);
    row(CreateDescriptorPool, "vkCreateDescriptorPool", "OUT_OF_DEVICE_MEMORY");
    row(AllocateDescriptorSets, "vkAllocateDescriptorSets", "FRAGMENTED_POOL");
    row(AllocateDescriptorSets, "vkAllocateDescriptorSets", "OUT_OF_POOL_MEMORY");
    row(CreateCommandPool, "vkCreateCommandPool", host);
    row(AllocateCommandBuffers, "vkAllocateCommandBuffers", host);
    row(BeginCommandBuffer, "vkBeginCommandBuffer", host);
    row(EndCommandBuffer, "vkEndCommandBuffer", "OUT_OF_DEVICE_MEMORY");
    row(ResetFences, "vkResetFences", "OUT_OF_DEVICE_MEMORY");
    row(QueueSubmit, "vkQueueSubmit", host);
    row(QueueSubmit, "vkQueueSubmit", "UNKNOWN");
    row(WaitForFences, "vkWaitForFences", host);
}

/// V8
void VulkanFaultsTest::failsAtEachCall() {
    QFETCH(FaultFunction, function);
    QFETCH(QString, name);
    QFETCH(QString, result);
    const std::uint64_t count = m_calls[function];
    QVERIFY(count != 0);
    for (const std::uint64_t call : chosen(count)) {
        VulkanFaults faults(name.toStdString() + "@" + std::to_string(call) + "=" + result.toStdString());
        auto rows = m_model.run();
        QCOMPARE(faults.fired(), std::uint64_t{1});
        QVERIFY2(!rows.ok(), ("call " + std::to_string(call)).c_str());
        QVERIFY2(isExpected(rows.error().kind()), told(rows.error()));
        QVERIFY(!rows.error().message().empty() && !rows.error().action().empty());
        // Of a device whose work never ended nothing is given back: it may still be written to.
        if (function != WaitForFences) QCOMPARE(faults.objects(), 0);
    }
    if (runsLong()) checkAgain();
}

void VulkanFaultsTest::pipelines_data() {
    QTest::addColumn<QString>("script");
    QTest::newRow("V19 unknown, the first") << "vkCreateComputePipelines@1=UNKNOWN";
    QTest::newRow("V19 unknown, every") << "vkCreateComputePipelines@1+=UNKNOWN";
    QTest::newRow("V19 invalid shader, the third") << "vkCreateComputePipelines@3=INVALID_SHADER";
    QTest::newRow("V19 invalid shader module") << "vkCreateShaderModule@2=INVALID_SHADER";
    QTest::newRow("V19 lost while it compiles") << "vkCreateComputePipelines@2=DEVICE_LOST";
}

void VulkanFaultsTest::pipelines() {
    QFETCH(QString, script);
    VulkanFaults faults(script.toStdString());
    auto rows = m_model.run();
    QVERIFY(!rows.ok());
    QVERIFY2(rows.error().code() == Errc::B703 || rows.error().code() == Errc::B704, told(rows.error()));
    if (rows.error().code() == Errc::B703)
        QVERIFY2(rows.error().message().find("shader") != std::string::npos, told(rows.error()));
    QCOMPARE(faults.objects(), 0);
    if (runsLong()) checkAgain();
}

/// V19: a driver that takes minutes for each pipeline; the user gives up.
void VulkanFaultsTest::pipelinesCancelled() {
    VulkanFaults faults("vkCreateComputePipelines@1+=wait:300");
    auto file = gguf::ModelFile::open(m_model.path);
    QVERIFY(file.ok() && (*file)->map().ok());
    auto lowered = arch::lower((*file)->metadata(), (*file)->tensors());
    QVERIFY(lowered.ok());
    std::vector<backend::Weight> weights;
    for (const graph::WeightRef& weight : lowered->program.weights)
        weights.push_back({(*file)->tensorData((*file)->tensors()[weight.fileTensor]), -1, 0});
    std::vector<std::uint32_t> segments;
    for (std::uint32_t i = 0; i < lowered->program.segments.size(); ++i)
        segments.push_back(i);
    CancelFlag flag;
    Clock::time_point asked;
    std::thread user([&] {
        // Not before the driver is at it.
        while (faults.calls(CreateComputePipelines) == 0)
            std::this_thread::sleep_for(1ms);
        asked = Clock::now();
        flag.request();
    });
    vulkan::VulkanBackend backend(FaultyModel::settings());
    auto model = backend.load(lowered->program, weights, segments, "", m_model.options, nullptr, flag);
    user.join();
    QVERIFY(!model.ok());
    QVERIFY2(model.error().code() == Errc::X002, told(model.error()));
    // The pipelines that were begun are waited for, and no other.
    QVERIFY(Clock::now() - asked < 2s);
    QVERIFY(faults.calls(CreateComputePipelines) <= 8);
    QCOMPARE(faults.objects(), 0);
}

/// V27: memory that is full of what another program left there.
void VulkanFaultsTest::leftovers() {
    VulkanFaults faults("dirty=yes");
    auto rows = m_model.run();
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    QCOMPARE(*rows, m_expected);
    QVERIFY2(faults.violation().empty(), faults.violation().c_str());
}

/// V30
void VulkanFaultsTest::manyTimes() {
    const int cycles = runsLong() ? 200 : 9;
    const int warm = cycles / 3;
    VulkanFaults faults;
    std::uint64_t before = 0;
    std::size_t descriptors = 0;
    for (int i = 0; i < cycles; ++i) {
        QVERIFY(m_model.run().ok());
        QCOMPARE(faults.objects(), 0);
        if (i == warm) {
            before = residentBytes();
            descriptors = openDescriptors();
        }
    }
    QCOMPARE(openDescriptors(), descriptors);
    // What a driver keeps between devices; a model takes several times as much.
    const std::uint64_t grown = residentBytes() > before ? residentBytes() - before : 0;
    QVERIFY2(grown < (std::uint64_t{24} << 20), std::to_string(grown).c_str());
}

/// V33: two models on one device, and no room for a third.
void VulkanFaultsTest::twoAtOnce() {
    VulkanFaults faults;
    vulkan::VulkanBackend one(FaultyModel::settings());
    vulkan::VulkanBackend two(FaultyModel::settings());
    auto first = m_model.load(one);
    QVERIFY(first.ok());
    auto second = m_model.load(two);
    QVERIFY(second.ok());
    auto rows = m_model.compute(**first);
    QVERIFY(rows.ok());
    QCOMPARE(*rows, m_expected);
    rows = m_model.compute(**second);
    QVERIFY(rows.ok());
    QCOMPARE(*rows, m_expected);
    faults.set("vkAllocateMemory@1+=OUT_OF_DEVICE_MEMORY");
    vulkan::VulkanBackend three(FaultyModel::settings());
    const auto third = m_model.load(three);
    QVERIFY(!third.ok() && third.error().code() == Errc::R901);
    faults.set("");
    // The others do not mind.
    QVERIFY((*first)->reset().ok() && (*second)->reset().ok());
    rows = m_model.compute(**first);
    QVERIFY(rows.ok());
    QCOMPARE(*rows, m_expected);
}

/// V34: in the middle of a prompt of several submissions.
void VulkanFaultsTest::cancelled() {
    VulkanFaults faults("after=armed;vkQueueSubmit@1+=wait:100");
    vulkan::VulkanBackend backend(FaultyModel::settings());
    auto model = m_model.load(backend);
    QVERIFY(model.ok());
    // More tokens than a step takes: at least three submissions.
    std::vector<backend::BatchItem> batch(3 * m_model.options.batchTokens);
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
        batch[i].token = static_cast<TokenId>(40 + i);
        batch[i].position[0] = i;
    }
    batch.back().wantsOutput = true;
    faults.arm();
    CancelFlag flag;
    std::thread user([&flag] {
        std::this_thread::sleep_for(50ms);
        flag.request();
    });
    const auto start = Clock::now();
    backend::ForwardOutput out;
    const Status status = (*model)->session().forward(batch, {}, out, flag);
    const auto took = Clock::now() - start;
    user.join();
    QVERIFY(!status.ok());
    QCOMPARE(status.error().code(), Errc::X002);
    // The submission that was on its way ends; no other follows.
    QVERIFY2(took < 1s, std::to_string(std::chrono::duration<double>(took).count()).c_str());
    faults.set("");
    auto rows = m_model.compute(**model);
    QVERIFY2(rows.ok(), rows.ok() ? "" : told(rows.error()));
    QCOMPARE(*rows, m_expected);
}

/// Whatever failed before.
void VulkanFaultsTest::afterAll() {
    checkAgain();
}

}  // namespace loader::test

QTEST_GUILESS_MAIN(loader::test::VulkanFaultsTest)
#include "tst_vulkan_faults.moc"
