// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Conversations on a Vulkan device that fails, with real workers in their sandbox: the answer goes on, on the
// same device or on the processor, and is the same as without the fault. The device at hand is told to be a
// card, so that the chain treats it as one. Rows are named after docs/vulkan.md, "Faults".

#include <QFile>
#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <set>

#include "tests/integration/vulkan/vulkan_fault_test.h"
#include "tests/integration/worker/fault_test.h"

namespace loader::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using app::ModelHost;
using enum FaultFunction;

constexpr const char* kCard = "type=discrete;";
constexpr std::uint64_t kTokens = 40;

bool maps(std::int64_t process, const char* library) {
    std::ifstream file("/proc/" + std::to_string(process) + "/maps");
    std::string line;
    bool any = false;
    while (std::getline(file, line)) {
        any = true;
        if (line.find(library) != std::string::npos) return true;
    }
    // A list that cannot be read would show nothing.
    if (!any) qFatal("/proc/PID/maps cannot be read");
    return false;
}

/// What was tried, for messages.
QByteArray words(const protocol::LoadReport& report) {
    QByteArray text;
    for (const protocol::LoadStep& step : report.steps)
        text += QByteArray::fromStdString(step.backend + " " + step.result + ": " + step.reason + "; ");
    return text;
}

std::size_t countSteps(const protocol::LoadReport& report, const char* backend, const char* result) {
    std::size_t count = 0;
    for (const protocol::LoadStep& step : report.steps)
        count += step.backend == backend && step.result == result ? 1 : 0;
    return count;
}

}  // namespace

/// A plugin folder with the misbehaving back end, and the counts of all its workers.
struct VulkanHost : HostFixture {
    QTemporaryDir plugins;
    QTemporaryDir cache;
    FaultRecord* record = nullptr;

    VulkanHost() {
        tokens = kTokens;
        TinyModelOptions tiny;
        tiny.layers = 3;
        tiny.feedForward = 256;
        tiny.context = 512;
        auto made = TinyModel::make(tiny);
        if (!made.ok() || !made->write(model).ok()) model.clear();
        request.batchTokens = 16;
        const QString name = "/faulty_vulkan.so";
        const bool copied = QFile::copy(QStringLiteral(LOADER_FAULTY_VULKAN), plugins.path() + name);
        record = mapFaultRecord((plugins.path() + "/counts.bin").toStdString());
        if (!copied || record == nullptr) model.clear();
        options.worker.pluginFolder = plugins.path().toStdString();
        options.worker.cacheFolder = cache.path().toStdString();
        // A driver that compiles shaders on a busy machine takes its time.
        options.worker.limits.start = 20000ms;
        options.worker.limits.silence = 20000ms;
        options.worker.limits.step = 20000ms;
        request.backend = "auto";
        request.contextTokens = 256;
        prompt = {1, 40, 41, 42, 43, 44, 45, 46};
        script({});
    }
    ~VulkanHost() { unmapFaultRecord(record); }

    void write(const char* file, const std::string& text) const {
        std::ofstream(plugins.path().toStdString() + "/" + file) << text;
    }
    void script(const std::string& text) const {
        write("faults.txt", kCard + text);
        record->armed = 0;
        record->fired = 0;
        for (auto& calls : record->ruleCalls)
            calls = 0;
    }
    /// The device as a probe finds it, for loads without a probe of their own. A device in software would
    /// compile for many seconds to be tested with every type of weights.
    Result<std::vector<app::BackendCandidate>> candidates() const {
        app::BackendCandidate backend;
        backend.entry.id = "vulkan";
        backend.entry.path = "faulty_vulkan.so";
        backend.entry.automatic = true;
        backend.entry.gpuOnly = true;
        LOADER_TRY(backend.devices, app::probeDevices("vulkan", options.worker));
        for (protocol::DeviceEntry& device : backend.devices)
            device.selfTested = true;
        backend.state = app::BackendState::Probed;
        return std::vector<app::BackendCandidate>{backend};
    }
    protocol::AnswerOptions greedy() const {
        protocol::AnswerOptions answer = answerOptions();
        answer.sampling.temperature = 0.0F;
        return answer;
    }
};

class VulkanWorkers : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void undisturbed();
    void sameAsProcessor();
    void lostOnce();
    void lostForGood();
    void faults_data();
    void faults();
    void atLoad_data();
    void atLoad();
    void memoryAtLoad();
    void probes_data();
    void probes();
    void processorAlone();
    void softwareDevice();
    void lostTooOften();
    void cancelled();

private:
    Result<std::unique_ptr<ModelHost>> load(const std::string& script);
    void checkAnswer(const Result<protocol::Answer>& answer, const std::string& shown);
    Result<protocol::Answer> answer(ModelHost& host, std::string& shown);
    void answerOf(std::uint64_t tokens);
    void trustDevices(bool tested);

    VulkanHost m_host;
    std::vector<app::BackendCandidate> m_backends;
    /// By the number of tokens.
    std::map<std::uint64_t, protocol::Answer> m_known;
    protocol::Answer m_expected;
};

Result<std::unique_ptr<ModelHost>> VulkanWorkers::load(const std::string& script) {
    m_host.script(script);
    app::HostOptions options = m_host.options;
    options.backends = m_backends;
    return ModelHost::load(m_host.request, options, {}, {});
}

/// Calls count from here on.
Result<protocol::Answer> VulkanWorkers::answer(ModelHost& host, std::string& shown) {
    m_host.record->armed = 1;
    protocol::AnswerCallbacks callbacks;
    callbacks.piece = [&shown](const protocol::AnswerPiece& piece) {
        shown += piece.text;
        return true;
    };
    return host.generate(m_host.prompt, m_host.greedy(), callbacks, {});
}

void VulkanWorkers::checkAnswer(const Result<protocol::Answer>& answer, const std::string& shown) {
    QVERIFY2(answer.ok(), answer.ok() ? "" : told(answer.error()));
    QVERIFY2(!answer->error, answer->error ? told(*answer->error) : "");
    QCOMPARE(answer->ids, m_expected.ids);
    QCOMPARE(answer->text, m_expected.text);
    QCOMPARE(answer->text, shown);
}

void VulkanWorkers::initTestCase() {
    LOADER_NEED_VULKAN();
    QVERIFY(!m_host.model.empty());
    auto found = m_host.candidates();
    QVERIFY2(found.ok(), found.ok() ? "" : told(found.error()));
    m_backends = std::move(found).value();
    answerOf(m_host.tokens);
}

/// Answers have so many tokens from here on.
void VulkanWorkers::answerOf(std::uint64_t tokens) {
    m_host.tokens = tokens;
    if (!m_known.contains(tokens)) {
        auto host = load({});
        QVERIFY2(host.ok(), host.ok() ? "" : told(host.error()));
        std::string shown;
        auto whole = answer(**host, shown);
        QVERIFY(whole.ok() && !whole->error);
        QCOMPARE(whole->ids.size(), static_cast<std::size_t>(tokens));
        m_known[tokens] = *whole;
    }
    m_expected = m_known[tokens];
}

/// Whether the devices count as tested; otherwise each load tests them.
void VulkanWorkers::trustDevices(bool tested) {
    for (app::BackendCandidate& backend : m_backends) {
        for (protocol::DeviceEntry& device : backend.devices)
            device.selfTested = tested;
    }
}

void VulkanWorkers::undisturbed() {
    auto host = load({});
    QVERIFY(host.ok());
    QVERIFY2((*host)->report().backend == "vulkan", words((*host)->report()));
    const std::uint64_t before = m_host.record->callsOf(QueueSubmit);
    std::string shown;
    checkAnswer(answer(**host, shown), shown);
    // One submission for each token, and one for the prompt.
    QVERIFY(m_host.record->callsOf(QueueSubmit) - before >= m_host.tokens);
    QVERIFY(maps((*host)->worker().processId(), "libvulkan.so"));
    // V29: a driver compiles code, and all else is shut.
    const protocol::SandboxFacts& sandbox = (*host)->sandbox();
    if (!sandbox.files) qWarning("this system has no Landlock: files stay open");
    QVERIFY(sandbox.network && sandbox.exec);
    QVERIFY(m_host.record->violations == 0);
}

/// V36 for this model.
void VulkanWorkers::sameAsProcessor() {
    protocol::LoadRequest request = m_host.request;
    request.backend = "cpu";
    auto host = ModelHost::load(request, m_host.options, {}, {});
    QVERIFY(host.ok());
    std::string shown;
    checkAnswer(answer(**host, shown), shown);
    // V28
    QVERIFY(!maps((*host)->worker().processId(), "libvulkan"));
}

/// V5: lost at each submission of an answer, once; the next worker on the same device goes on.
void VulkanWorkers::lostOnce() {
    answerOf(105);
    const std::uint64_t step = runsLong() ? 1 : 50;
    int recovered = 0;
    for (std::uint64_t call = 1; call <= 100; call += step) {
        auto host = load("after=armed;vkQueueSubmit#" + std::to_string(call) + "=DEVICE_LOST");
        QVERIFY2(host.ok(), host.ok() ? "" : told(host.error()));
        QVERIFY2((*host)->report().backend == "vulkan", words((*host)->report()));
        std::string shown;
        checkAnswer(answer(**host, shown), shown);
        if (QTest::currentTestFailed()) return;
        QCOMPARE(m_host.record->fired.load(), std::uint64_t{1});
        QVERIFY2((*host)->report().backend == "vulkan", words((*host)->report()));
        QCOMPARE(countSteps((*host)->report(), "vulkan", "lost"), std::size_t{1});
        ++recovered;
        if (recovered % 20 == 0) qInfo("%d recovered", recovered);
    }
    qInfo("%d of %d recovered", recovered, static_cast<int>((100 + step - 1) / step));
    answerOf(kTokens);
}

/// V1, V5: every worker loses the device after so many submissions; the processor ends the answer.
void VulkanWorkers::lostForGood() {
    answerOf(105);
    const std::uint64_t step = runsLong() ? 9 : 100;
    for (std::uint64_t call = 1; call <= 100; call += step) {
        auto host = load("after=armed;vkQueueSubmit@" + std::to_string(call) + "+=DEVICE_LOST");
        QVERIFY(host.ok());
        std::string shown;
        const auto start = Clock::now();
        checkAnswer(answer(**host, shown), shown);
        if (QTest::currentTestFailed()) return;
        QVERIFY(Clock::now() - start < 60s);
        // It counts from anew in each worker: late losses leave the second one enough.
        if (call < 40) QVERIFY2((*host)->report().backend == "cpu", words((*host)->report()));
        QVERIFY(countSteps((*host)->report(), "vulkan", "lost") >= 1);
    }
    answerOf(kTokens);
}

void VulkanWorkers::faults_data() {
    QTest::addColumn<QString>("script");
    const auto row = [](const char* name, const char* script) { QTest::newRow(name) << script; };
    row("V2 lost while it waits", "vkWaitForFences#20=DEVICE_LOST");
    row("V4 lost at the first token", "vkQueueSubmit#1=DEVICE_LOST");
    row("V4 lost at the end", "vkQueueSubmit#39=DEVICE_LOST");
    row("V6 hangs", "vkQueueSubmit#20=hang");
    row("V6 hangs in a wait", "vkWaitForFences#20=hang");
    row("V6 a driver that waits for ever", "vkResetFences#20=wait:600000");
    row("V8 no memory of the host", "vkQueueSubmit#20=OUT_OF_HOST_MEMORY");
    row("V12 the driver crashes", "vkQueueSubmit#20=crash");
    row("V23 an unknown failure", "vkQueueSubmit#20=UNKNOWN");
}

/// In the middle of an answer.
void VulkanWorkers::faults() {
    QFETCH(QString, script);
    app::WorkerLimits usual = m_host.options.worker.limits;
    m_host.write("answer.txt", script.contains("hang") ? std::to_string(kAnswerMs) : "");
    if (script.contains("wait:")) m_host.options.worker.limits.step = 4000ms;
    auto host = load("after=armed;" + script.toStdString());
    m_host.options.worker.limits = usual;
    QVERIFY2(host.ok(), host.ok() ? "" : told(host.error()));
    QVERIFY2((*host)->report().backend == "vulkan", words((*host)->report()));
    std::string shown;
    const auto start = Clock::now();
    checkAnswer(answer(**host, shown), shown);
    m_host.write("answer.txt", "");
    QVERIFY(Clock::now() - start < 60s);
    QVERIFY(m_host.record->fired.load() >= 1);
    QCOMPARE(countSteps((*host)->report(), "vulkan", "lost"), std::size_t{1});
}

void VulkanWorkers::atLoad_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<QString>("code");
    const auto row = [](const char* name, const char* script, const char* code) {
        QTest::newRow(name) << script << code;
    };
    row("V4 lost while it loads", "vkQueueSubmit@3=DEVICE_LOST", "B704");
    row("V12 crashes at the start", "vkCreateInstance@1=crash", "W605");
    row("V21 another one in its place", "api=1.0", "X001");
    row("V19 compiles nothing", "vkCreateComputePipelines@1+=UNKNOWN", "B703");
    row("V21 gone", "vkEnumeratePhysicalDevices@1+=none", "B721");
    row("V24 computes wrongly", "vkCmdDispatch@1+=skip", "B705");
    row("V33 no memory at all", "vkAllocateMemory@1+=OUT_OF_DEVICE_MEMORY", "R901");
}

/// The device was good when it was probed, and is not any more.
void VulkanWorkers::atLoad() {
    QFETCH(QString, script);
    QFETCH(QString, code);
    // V24: as after a loss, when it is tested again.
    trustDevices(code != "B705");
    auto host = load(script.toStdString());
    trustDevices(true);
    QVERIFY2(host.ok(), host.ok() ? "" : told(host.error()));
    QVERIFY2((*host)->report().backend == "cpu", words((*host)->report()));
    const protocol::LoadStep& first = (*host)->report().steps.front();
    QCOMPARE(first.backend, std::string("vulkan"));
    QVERIFY2(first.reason.find(code.toStdString()) != std::string::npos, first.reason.c_str());
    std::string shown;
    checkAnswer(answer(**host, shown), shown);
}

/// V7: so much memory, by and by; fewer layers on the device, in the end none, and always the same answer.
void VulkanWorkers::memoryAtLoad() {
    auto whole = load({});
    QVERIFY(whole.ok());
    const std::uint64_t bytes = (*whole)->report().estimatedBytes;
    whole->reset();
    std::set<std::uint32_t> layers;
    for (const std::uint64_t percent : {400, 70, 5}) {
        auto host = load("memory=card;heap=" + std::to_string(bytes / 100 * percent));
        QVERIFY2(host.ok(), host.ok() ? "" : told(host.error()));
        layers.insert((*host)->report().gpuLayers);
        std::string shown;
        checkAnswer(answer(**host, shown), shown);
        if (QTest::currentTestFailed()) return;
    }
    // All of them, none of them, and a part.
    QVERIFY(layers.contains(0) && layers.size() >= 3);
}

void VulkanWorkers::probes_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, const char* script, const char* says) {
        QTest::newRow(name) << script << says;
    };
    row("V12 crashes", "vkCreateInstance@1=crash", "W605");
    row("V12 hangs", "vkCreateInstance@1=hang", "W606");
    row("V12 no driver", "vkCreateInstance@1=INCOMPATIBLE_DRIVER", "B721");
    row("V13 Vulkan 1.0", "api=1.0", "1.1 is needed");
    row("V24 computes wrongly", "vkCmdDispatch@1+=skip", "B705");
    row("V19 compiles nothing", "vkCreateComputePipelines@1+=UNKNOWN", "B703");
}

/// The whole way, with probes: each dies alone, and the processor answers.
void VulkanWorkers::probes() {
    QFETCH(QString, script);
    QFETCH(QString, says);
    m_host.script(script.toStdString());
    app::HostOptions options = m_host.options;
    options.worker.limits.step = 4000ms;
    auto host = ModelHost::load(m_host.request, options, {}, {});
    QVERIFY2(host.ok(), host.ok() ? "" : told(host.error()));
    QVERIFY2((*host)->report().backend == "cpu", words((*host)->report()));
    const protocol::LoadStep& first = (*host)->report().steps.front();
    QCOMPARE(first.backend, std::string("vulkan"));
    QVERIFY2(first.reason.find(says.toStdString()) != std::string::npos, first.reason.c_str());
    std::string shown;
    checkAnswer(answer(**host, shown), shown);
}

/// V28: where no layer may be on a GPU, no process opens the library.
void VulkanWorkers::processorAlone() {
    const std::uint64_t before = m_host.record->callsOf(CreateInstance);
    m_host.script({});
    protocol::LoadRequest request = m_host.request;
    request.gpuLayers.kind = protocol::GpuLayers::Kind::Number;
    request.gpuLayers.number = 0;
    request.backend = "cpu";
    auto host = ModelHost::load(request, m_host.options, {}, {});
    QVERIFY(host.ok());
    QVERIFY(!maps((*host)->worker().processId(), "libvulkan"));
    QCOMPARE(m_host.record->callsOf(CreateInstance), before);
}

/// V22: what computes on the processor is never chosen by itself.
void VulkanWorkers::softwareDevice() {
    m_host.write("faults.txt", "type=cpu");
    auto host = ModelHost::load(m_host.request, m_host.options, {}, {});
    QVERIFY2(host.ok(), host.ok() ? "" : told(host.error()));
    QVERIFY2((*host)->report().backend == "cpu", words((*host)->report()));
    QVERIFY((*host)->report().steps.front().reason.find("only when it is named") != std::string::npos);
}

/// V31: three losses in ten minutes.
void VulkanWorkers::lostTooOften() {
    auto host = load("after=armed;vkQueueSubmit#20=DEVICE_LOST");
    QVERIFY(host.ok());
    std::string where;
    for (int i = 0; i < 4; ++i) {
        m_host.record->ruleCalls[0] = 0;
        std::string shown;
        checkAnswer(answer(**host, shown), shown);
        if (QTest::currentTestFailed()) return;
        where += (*host)->report().backend + " ";
    }
    QCOMPARE(where, std::string("vulkan vulkan cpu cpu "));
    bool said = false;
    for (const protocol::LoadStep& step : (*host)->report().steps)
        said = said || step.reason.find("B709") != std::string::npos;
    QVERIFY(said);
}

/// V34
void VulkanWorkers::cancelled() {
    auto host = load("after=armed;vkQueueSubmit@1+=wait:20");
    QVERIFY(host.ok());
    m_host.record->armed = 1;
    CancelFlag flag;
    Clock::time_point asked;
    int written = 0;
    protocol::AnswerCallbacks callbacks;
    callbacks.piece = [&](const protocol::AnswerPiece&) {
        if (++written == 10) {
            asked = Clock::now();
            flag.request();
        }
        return true;
    };
    const auto part = (*host)->generate(m_host.prompt, m_host.greedy(), callbacks, flag);
    QVERIFY(part.ok());
    QVERIFY(Clock::now() - asked < 1s);
    QCOMPARE(part->stopReason, std::string("cancelled"));
    m_host.record->armed = 0;
    std::string shown;
    checkAnswer(answer(**host, shown), shown);
    QVERIFY2((*host)->report().backend == "vulkan", words((*host)->report()));
}

}  // namespace loader::test

QTEST_GUILESS_MAIN(loader::test::VulkanWorkers)
#include "tst_vulkan_workers.moc"
