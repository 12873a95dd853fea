// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How busy GPUs are: from AMD's file, from NVIDIA's library (a fake of it), and honestly nothing elsewhere;
// and what is remembered of answers in use.

#include <QFile>
#include <QLibrary>
#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "core/app/benchmark/usage_recorder.h"
#include "tests/support/fixture_root.h"
#include "tests/unit/app/benchmark/sample_measurement.h"

using namespace loader;
using app::GpuUseReader;

namespace {

/// Says one thing after the other, then nothing more to say.
class ScriptedUse final : public GpuUseReader {
public:
    explicit ScriptedUse(std::vector<std::optional<double>> says) : m_says(std::move(says)) {}
    std::optional<double> busyPercent() override {
        return m_next < m_says.size() ? m_says[m_next++] : std::nullopt;
    }

private:
    std::vector<std::optional<double>> m_says;
    std::size_t m_next = 0;
};

protocol::LoadReport reportWith(std::uint32_t gpuLayers) {
    protocol::LoadReport report;
    report.backend = "vulkan";
    report.device = "gpu";
    report.gpuLayers = gpuLayers;
    report.threads = 2;
    report.contextTokens = 1024;
    report.measuredBytes = 5000;
    report.steps = {{"metal", "", 0, "refused", "none"},
                    {"vulkan", "gpu", 9, "failed", "memory"},
                    {"vulkan", "gpu", gpuLayers, "loaded", ""}};
    return report;
}

protocol::Answer sampleAnswer() {
    protocol::Answer answer;
    answer.text = "a secret answer";
    answer.stopReason = "end";
    answer.promptTokens = 30;
    answer.cachedTokens = 10;
    answer.tokens = 25;
    answer.tokensPerSecond = 12.5;
    answer.promptMilliseconds = 80.0;
    return answer;
}

}  // namespace

class TestGpuUse : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void fileOfAmd();
    void libraryOfNvidia();
    void nobodyTells();
    void monitors();
    void answersAreRemembered();
    void whatLeavesNoRecord();
};

void TestGpuUse::fileOfAmd() {
    const test::FixtureRoot root;
    QVERIFY(!app::SysfsGpuUse(root.system()).busyPercent());
    root.write("/sys/class/drm/card0/device/vendor", "0x8086\n");
    root.write("/sys/class/drm/card1/device/gpu_busy_percent", "42\n");
    root.write("/sys/class/drm/card2/device/gpu_busy_percent", "87\n");
    root.write("/sys/class/drm/card2-HDMI-A-1/device/gpu_busy_percent", "99\n");
    root.write("/sys/class/drm/renderD128/device/gpu_busy_percent", "98\n");
    app::SysfsGpuUse use(root.system());
    QCOMPARE(use.busyPercent(), std::optional<double>(87.0));
    root.write("/sys/class/drm/card2/device/gpu_busy_percent", "4294967295\n");
    QCOMPARE(use.busyPercent(), std::optional<double>(42.0));
    root.write("/sys/class/drm/card1/device/gpu_busy_percent", "asleep\n");
    QVERIFY(!use.busyPercent());
}

void TestGpuUse::libraryOfNvidia() {
    QVERIFY(!app::openNvml("/no/such/library.so"));
    // A library of another kind.
    QVERIFY(!app::openNvml("libc.so.6"));
    const QString path = QString::fromUtf8(FAKE_NVML);
    QLibrary library(path);
    QVERIFY2(library.load(), qPrintable(library.errorString()));
    const auto setBusy = reinterpret_cast<void (*)(unsigned)>(library.resolve("fakeNvmlSetBusy"));
    const auto started = reinterpret_cast<int (*)()>(library.resolve("fakeNvmlStarted"));
    QVERIFY(setBusy && started);
    {
        const auto use = app::openNvml(path.toStdString());
        QVERIFY(use != nullptr);
        QCOMPARE(started(), 1);
        setBusy(63);
        QCOMPARE(use->busyPercent(), std::optional<double>(63.0));
        setBusy(0);
        QCOMPARE(use->busyPercent(), std::optional<double>(0.0));
        setBusy(250);
        QVERIFY(!use->busyPercent());
    }
    QCOMPARE(started(), 0);
}

void TestGpuUse::nobodyTells() {
    // Whatever this machine has: no crash, and a number only where one is told.
    const auto use = app::systemGpuUse();
    QVERIFY(use != nullptr);
    if (const auto busy = use->busyPercent()) QVERIFY(*busy >= 0.0 && *busy <= 100.0);
}

void TestGpuUse::monitors() {
    using std::chrono::milliseconds;
    app::GpuUseMonitor silent(std::make_unique<ScriptedUse>(std::vector<std::optional<double>>{}));
    QVERIFY(!silent.stop());
    silent.start();
    QVERIFY(!silent.stop());
    app::GpuUseMonitor monitor(
        std::make_unique<ScriptedUse>(std::vector<std::optional<double>>{40.0, 60.0, std::nullopt, 100.0}),
        milliseconds(1));
    monitor.start();
    std::optional<double> mean;
    // The thread ends by itself where nothing more is told.
    QTest::qWait(200);
    mean = monitor.stop();
    QCOMPARE(mean, std::optional<double>(50.0));
    // A second answer knows nothing of the first.
    monitor.start();
    QTest::qWait(100);
    QCOMPARE(monitor.stop(), std::optional<double>(100.0));
}

void TestGpuUse::answersAreRemembered() {
    const QTemporaryDir folder;
    const std::string model = folder.filePath("model of mine.gguf").toStdString();
    std::ofstream(model, std::ios::binary) << std::string(1000, 'x');
    const app::History history(folder.filePath("data").toStdString());
    protocol::LoadRequest request;
    request.path = model;
    request.batchTokens = 256;
    request.kv = graph::KvType::Q8_0;
    int opened = 0;
    {
        app::UsageRecorder recorder(history, "9.9", request, [&opened]() -> std::unique_ptr<GpuUseReader> {
            ++opened;
            return std::make_unique<ScriptedUse>(std::vector<std::optional<double>>(10'000, 70.0));
        });
        recorder.begin(reportWith(4));
        QTest::qWait(20);
        recorder.token();
        recorder.token();
        QTest::qWait(20);
        recorder.end(sampleAnswer(), reportWith(4));
        // On the processor nobody watches a GPU.
        recorder.begin(reportWith(0));
        recorder.token();
        recorder.end(sampleAnswer(), reportWith(0));
    }
    QCOMPARE(opened, 1);
    const app::HistoryContent content = history.read();
    QCOMPARE(content.uses.size(), std::size_t{2});
    const app::UsageRecord& first = content.uses[0];
    QCOMPARE(first.model.file, std::string("model of mine.gguf"));
    QCOMPARE(first.settings.backend, std::string("vulkan"));
    QCOMPARE(first.settings.kv, std::string("q8_0"));
    QCOMPARE(first.settings.batchTokens, 256u);
    QCOMPARE(first.settings.gpuLayers, 4u);
    QCOMPARE(first.promptTokens - first.cachedTokens, std::uint64_t{20});
    QCOMPARE(first.tokensPerSecond, 12.5);
    QCOMPARE(first.memoryBytes, std::uint64_t{5000});
    QCOMPARE(first.failedLinks, 1u);
    QCOMPARE(first.gpuBusyPercent, std::optional<double>(70.0));
    QVERIFY(first.firstTokenMs && *first.firstTokenMs >= 15.0);
    QVERIFY(!content.uses[1].gpuBusyPercent);
    QFile file(QString::fromStdString(history.path()));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray written = file.readAll();
    QVERIFY(!written.contains("secret"));
    QVERIFY(!written.contains(folder.path().toUtf8()));
}

void TestGpuUse::whatLeavesNoRecord() {
    const QTemporaryDir folder;
    const app::History history(folder.filePath("data").toStdString());
    protocol::LoadRequest request;
    request.path = folder.filePath("absent.gguf").toStdString();
    {
        app::UsageRecorder recorder(history, "9.9", request);
        recorder.begin(reportWith(0));
        recorder.abandon();
        recorder.begin(reportWith(0));
        recorder.end(protocol::Answer(), reportWith(0));
        // A file that is gone has no identity, and a folder that cannot be written no history: no reason to
        // fail.
        recorder.begin(reportWith(0));
        recorder.end(sampleAnswer(), reportWith(0));
    }
    QVERIFY(history.read().uses.empty());
    app::UsageRecorder unwritable(app::History("/dev/null/x"), "9.9", request);
    unwritable.begin(reportWith(0));
    unwritable.end(sampleAnswer(), reportWith(0));
}

QTEST_GUILESS_MAIN(TestGpuUse)
#include "tst_gpu_use.moc"
