// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Loading by links of the chain, with the plugins as they are built: a model divided between two back ends
// answers as the whole one does, a scripted GPU fails in every way that a load can, and the report tells it.

#include <QCoreApplication>
#include <QTemporaryDir>
#include <QTest>

#include "core/host/generator.h"
#include "core/host/loaded_model.h"
#include "tests/support/tiny_model.h"

using namespace loader;
using host::GpuLayers;
using host::LoadedModel;
using host::LoadReport;
using host::LoadRequest;

namespace {

constexpr std::uint32_t kLayers = 4;
const char* const kGpu = "script:gpu=1;compute=1";

GpuLayers layers(std::uint32_t number) {
    return {GpuLayers::Kind::Number, number};
}

std::string why(const Error& error) {
    return error.toString();
}

}  // namespace

class TestOffload : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void splitAnswersAsWhole_data();
    void splitAnswersAsWhole();
    void deviceWithoutGpuTakesAll();
    void allLayersAreOnTheGpu_data();
    void allLayersAreOnTheGpu();
    void fewerLayersWhereMemoryIsShort_data();
    void fewerLayersWhereMemoryIsShort();
    void askedForNumberIsNotChanged();
    void faultyDeviceIsRefused_data();
    void faultyDeviceIsRefused();
    void selfTestCanBeLeftOut();
    void noLayersIsNoGpu();
    void toldMemoryCounts();
    void devicesByName();
    void progressGrowsOverBothParts();

private:
    LoadRequest request(const std::string& backend, const std::string& device = {}) const;
    /// Twenty tokens, greedily.
    Result<std::vector<TokenId>> answer(LoadedModel& model) const;

    QTemporaryDir m_folder;
    std::string m_path;
    std::unique_ptr<host::BackendRegistry> m_registry;
    std::vector<TokenId> m_expected;
    std::uint64_t m_wholeEstimate = 0;
};

void TestOffload::initTestCase() {
    m_registry = std::make_unique<host::BackendRegistry>(
        qEnvironmentVariable("LOADER_BUILD_DIR").toStdString() + "/lib/gguf-loader/backends");
    QVERIFY(m_folder.isValid());
    m_path = m_folder.filePath("tiny.gguf").toStdString();
    test::TinyModelOptions options;
    options.layers = kLayers;
    options.type = quant::TensorType::Q8_0;
    const auto tiny = test::TinyModel::make(options);
    QVERIFY(tiny.ok());
    QVERIFY(tiny->write(m_path).ok());
    auto model = LoadedModel::load(request("cpu"), *m_registry);
    QVERIFY2(model.ok(), model.ok() ? "" : why(model.error()).c_str());
    const auto ids = answer(**model);
    QVERIFY(ids.ok());
    m_expected = *ids;
    QCOMPARE(m_expected.size(), std::size_t(20));
    m_wholeEstimate = (*model)->report().estimatedBytes;
}

LoadRequest TestOffload::request(const std::string& backend, const std::string& device) const {
    LoadRequest request;
    request.path = m_path;
    request.backend = backend;
    request.device = device;
    request.threads = 2;
    request.batchTokens = 16;
    request.kv = backend::KvType::F32;
    return request;
}

Result<std::vector<TokenId>> TestOffload::answer(LoadedModel& model) const {
    std::vector<TokenId> prompt;
    for (TokenId id = 0; id < 40; ++id)
        prompt.push_back((id * 29 + 7) % 250);
    host::AnswerOptions options;
    options.sampling.temperature = 0.0f;
    options.maxTokens = 20;
    options.ignoreEnd = true;
    host::Generator generator(model);
    LOADER_TRY(const host::Answer answer, generator.answer(prompt, options, {}, {}));
    if (answer.error) return *answer.error;
    return answer.ids;
}

void TestOffload::splitAnswersAsWhole_data() {
    QTest::addColumn<QString>("backend");
    QTest::addColumn<QString>("device");
    QTest::addColumn<QString>("splitWith");
    QTest::addColumn<std::uint32_t>("number");
    for (std::uint32_t number = 1; number < kLayers; ++number) {
        QTest::addRow("reference takes %u", number) << "reference"
                                                    << ""
                                                    << "cpu" << number;
        QTest::addRow("cpu takes %u", number) << "cpu"
                                              << ""
                                              << "reference" << number;
        QTest::addRow("cpu takes %u of its own", number) << "cpu"
                                                         << ""
                                                         << "cpu" << number;
        QTest::addRow("scripted GPU takes %u", number) << "fake" << kGpu << "" << number;
    }
}

void TestOffload::splitAnswersAsWhole() {
    QFETCH(const QString, backend);
    QFETCH(const QString, device);
    QFETCH(const QString, splitWith);
    QFETCH(const std::uint32_t, number);
    LoadRequest wanted = request(backend.toStdString(), device.toStdString());
    wanted.splitWith = splitWith.toStdString();
    wanted.gpuLayers = layers(number);
    auto model = LoadedModel::load(wanted, *m_registry);
    QVERIFY2(model.ok(), model.ok() ? "" : why(model.error()).c_str());
    const LoadReport& report = (*model)->report();
    QCOMPARE(report.backend, backend.toStdString());
    QCOMPARE(report.gpuLayers, number);
    QCOMPARE(report.splitWith, splitWith.isEmpty() ? std::string("cpu") : splitWith.toStdString());
    QCOMPARE(report.steps.size(), std::size_t(1));
    QCOMPARE(report.toJson()["chosen"]["gpu_layers"].get<std::uint32_t>(), number);
    QVERIFY(report.estimatedBytes > m_wholeEstimate / 2);
    const auto ids = answer(**model);
    QVERIFY2(ids.ok(), ids.ok() ? "" : why(ids.error()).c_str());
    QCOMPARE(*ids, m_expected);
}

void TestOffload::deviceWithoutGpuTakesAll() {
    LoadRequest wanted = request("reference");
    wanted.gpuLayers = layers(2);
    auto model = LoadedModel::load(wanted, *m_registry);
    QVERIFY(model.ok());
    QCOMPARE((*model)->report().gpuLayers, 0u);
    QVERIFY((*model)->report().splitWith.empty());
    QVERIFY((*model)->report().steps.back().reason.find("no GPU") != std::string::npos);
    // An automatic choice of back ends divides nothing that is no GPU either.
    wanted.backend = "auto";
    wanted.splitWith = "reference";
    model = LoadedModel::load(wanted, *m_registry);
    QVERIFY(model.ok());
    QCOMPARE((*model)->report().backend, std::string("cpu"));
    QVERIFY((*model)->report().splitWith.empty());
}

void TestOffload::allLayersAreOnTheGpu_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<std::uint32_t>("number");
    QTest::newRow("auto") << static_cast<int>(GpuLayers::Kind::Auto) << 0u;
    QTest::newRow("all") << static_cast<int>(GpuLayers::Kind::All) << 0u;
    QTest::newRow("as many") << static_cast<int>(GpuLayers::Kind::Number) << kLayers;
    QTest::newRow("more") << static_cast<int>(GpuLayers::Kind::Number) << 999u;
}

void TestOffload::allLayersAreOnTheGpu() {
    QFETCH(const int, kind);
    QFETCH(const std::uint32_t, number);
    LoadRequest wanted = request("fake", kGpu);
    wanted.gpuLayers = {static_cast<GpuLayers::Kind>(kind), number};
    auto model = LoadedModel::load(wanted, *m_registry);
    QVERIFY2(model.ok(), model.ok() ? "" : why(model.error()).c_str());
    QCOMPARE((*model)->report().gpuLayers, kLayers);
    QVERIFY((*model)->report().splitWith.empty());
    QVERIFY((*model)->report().steps.back().reason.find("self-test") != std::string::npos);
    const auto ids = answer(**model);
    QVERIFY(ids.ok());
    QCOMPARE(*ids, m_expected);
}

void TestOffload::fewerLayersWhereMemoryIsShort_data() {
    QTest::addColumn<QString>("fault");
    QTest::addColumn<std::uint32_t>("taken");
    QTest::newRow("three fit") << ";layers-max=3" << 2u;
    QTest::newRow("two fit") << ";layers-max=2" << 2u;
    QTest::newRow("one fits") << ";layers-max=1" << 1u;
    QTest::newRow("none fits") << ";layers-max=0" << 0u;
    // Weights and caches of a layer, as the oracle keeps them, are about 1.1 MiB.
    QTest::newRow("as the plan says") << ";memory-mib=4" << 99u;
    QTest::newRow("nothing by the plan") << ";memory-mib=1" << 0u;
}

void TestOffload::fewerLayersWhereMemoryIsShort() {
    QFETCH(const QString, fault);
    QFETCH(const std::uint32_t, taken);
    LoadRequest wanted = request("fake", kGpu + fault.toStdString());
    auto model = LoadedModel::load(wanted, *m_registry);
    if (taken == 0) {
        QVERIFY(!model.ok() && model.error().code() == Errc::R901);
        return;
    }
    QVERIFY2(model.ok(), model.ok() ? "" : why(model.error()).c_str());
    const LoadReport& report = (*model)->report();
    QVERIFY(report.gpuLayers > 0 && report.gpuLayers < kLayers);
    if (taken != 99) QCOMPARE(report.gpuLayers, taken);
    QCOMPARE(report.splitWith, std::string("cpu"));
    QVERIFY(report.steps.size() >= 2);
    QCOMPARE(report.steps.front().gpuLayers, kLayers);
    QCOMPARE(report.steps.front().result, std::string("failed"));
    QVERIFY(report.steps.front().reason.find("R901") != std::string::npos);
    const auto ids = answer(**model);
    QVERIFY(ids.ok());
    QCOMPARE(*ids, m_expected);
}

void TestOffload::askedForNumberIsNotChanged() {
    LoadRequest wanted = request("fake", std::string(kGpu) + ";layers-max=2");
    wanted.gpuLayers = layers(3);
    const auto refused = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!refused.ok() && refused.error().code() == Errc::R901);
    wanted.gpuLayers = layers(2);
    QVERIFY(LoadedModel::load(wanted, *m_registry).ok());
}

void TestOffload::faultyDeviceIsRefused_data() {
    QTest::addColumn<QString>("device");
    QTest::addColumn<int>("code");
    const auto row = [](const char* name, const QString& device, Errc code) {
        QTest::newRow(name) << device << static_cast<int>(code);
    };
    row("wrong results", "script:gpu=1;compute=1;wrong=1", Errc::B705);
    row("no numbers", "script:gpu=1;compute=1;nan=1", Errc::B705);
    row("computes nothing", "script:gpu=1", Errc::B705);
    row("lost in the self-test", "script:gpu=1;compute=1;fail=1:B704", Errc::B704);
    row("cannot run it", "script:gpu=1;unsupported=no such kernel", Errc::B702);
    row("no session", "script:gpu=1;compute=1;session=R901", Errc::R901);
    row("driver fails in load", "script:gpu=1;compute=1;load=B703", Errc::B703);
    row("driver fails in the list", "script:gpu=1;devices=B703", Errc::B703);
}

void TestOffload::faultyDeviceIsRefused() {
    QFETCH(const QString, device);
    QFETCH(const int, code);
    LoadRequest wanted = request("fake", device.toStdString());
    wanted.gpuLayers = layers(2);
    const auto refused = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!refused.ok());
    QVERIFY2(refused.error().code() == static_cast<Errc>(code), why(refused.error()).c_str());
}

void TestOffload::selfTestCanBeLeftOut() {
    LoadRequest wanted = request("fake", "script:gpu=1;answer=5");
    wanted.selfTest = false;
    wanted.gpuLayers = layers(2);
    const auto model = LoadedModel::load(wanted, *m_registry);
    QVERIFY2(model.ok(), model.ok() ? "" : why(model.error()).c_str());
    QCOMPARE((*model)->report().gpuLayers, 2u);
    // The test token goes through both parts: the device's is the last call.
    wanted.device = "script:gpu=1;fail=1:B704";
    const auto lost = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!lost.ok() && lost.error().code() == Errc::B704);
    wanted.device = "script:gpu=1;nan=1";
    const auto nan = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!nan.ok() && nan.error().code() == Errc::M132);
}

void TestOffload::noLayersIsNoGpu() {
    LoadRequest wanted = request("fake", kGpu);
    wanted.gpuLayers = layers(0);
    const auto refused = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!refused.ok() && refused.error().code() == Errc::B703);
    // On a processor it is the whole model there, also where another back end would take the rest.
    wanted = request("cpu");
    wanted.gpuLayers = layers(0);
    wanted.splitWith = "reference";
    const auto model = LoadedModel::load(wanted, *m_registry);
    QVERIFY(model.ok());
    QVERIFY((*model)->report().splitWith.empty());
}

void TestOffload::toldMemoryCounts() {
    LoadRequest wanted = request("cpu");
    wanted.available = AvailableMemory{1, "what the test says"};
    const auto none = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!none.ok() && none.error().code() == Errc::R901);
    QCOMPARE(none.error().place(), std::string("what the test says"));
    wanted.contextTokens = 100'000;
    wanted.available->bytes = 64u << 20U;
    const auto shorter = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!shorter.ok() && shorter.error().code() == Errc::M140);
    // The context that the error names fits, and on a GPU the processor's layers alone count.
    const auto fits = static_cast<std::uint32_t>(std::stoul(shorter.error().args().back()));
    wanted.contextTokens = fits;
    QVERIFY(LoadedModel::load(wanted, *m_registry).ok());
    wanted.contextTokens = fits * 2;
    QVERIFY(!LoadedModel::load(wanted, *m_registry).ok());
    wanted.backend = "fake";
    wanted.device = kGpu;
    wanted.gpuLayers = layers(3);
    QVERIFY(LoadedModel::load(wanted, *m_registry).ok());
}

void TestOffload::devicesByName() {
    for (const char* backend : {"cpu", "reference", "fake"}) {
        const auto refused = LoadedModel::load(request(backend, "gpu7"), *m_registry);
        QVERIFY(!refused.ok() && refused.error().code() == Errc::X001);
    }
    QVERIFY(LoadedModel::load(request("cpu", "cpu"), *m_registry).ok());
    // Where no back end is named, the last link is not missing for want of a device.
    const auto model = LoadedModel::load(request("auto", "gpu7"), *m_registry);
    QVERIFY(model.ok());
    QCOMPARE((*model)->report().backend, std::string("cpu"));
    LoadRequest wanted = request("reference");
    wanted.gpuLayers = layers(1);
    wanted.splitWith = "nobody";
    const auto unknown = LoadedModel::load(wanted, *m_registry);
    QVERIFY(!unknown.ok() && unknown.error().code() == Errc::B701);
}

void TestOffload::progressGrowsOverBothParts() {
    struct Recorder final : backend::Progress {
        std::vector<double> shares;
        void report(std::uint64_t done, std::uint64_t total) override {
            shares.push_back(static_cast<double>(done) / static_cast<double>(total));
        }
    } recorder;
    LoadRequest wanted = request("fake", kGpu);
    wanted.gpuLayers = layers(2);
    QVERIFY(LoadedModel::load(wanted, *m_registry, &recorder).ok());
    QVERIFY(recorder.shares.size() > 5);
    QVERIFY(std::is_sorted(recorder.shares.begin(), recorder.shares.end()));
    QVERIFY(recorder.shares.front() < 0.5);
    QVERIFY(recorder.shares.back() > 0.999 && recorder.shares.back() <= 1.0);
}

QTEST_GUILESS_MAIN(TestOffload)
#include "tst_offload.moc"
