// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The self-test passes what computes rightly, whatever the tensor types, and finds what does not.

#include <QTest>
#include <cstring>

#include "backends/cpu/exec/cpu_backend.h"
#include "backends/cpu/isa/cpu_features.h"
#include "backends/fake/fake_backend.h"
#include "backends/reference/reference_backend.h"
#include "core/host/self_test.h"
#include "core/host/self_test_model.h"

using namespace loader;
using host::selfTest;
using host::SelfTestOptions;
using quant::TensorType;

namespace {

/// Types that a file's matrices may have.
std::vector<TensorType> weightTypes() {
    std::vector<TensorType> types;
    for (const quant::TypeInfo& info : quant::allTypes()) {
        if (info.role == quant::TypeRole::Weight) types.push_back(info.type);
    }
    return types;
}

/// The numbers of one matrix are all too large.
class SlightlyWrong final : public backend::Backend {
public:
    explicit SlightlyWrong(float factor) : m_factor(factor) {}
    std::string id() const override { return "slightly-wrong"; }
    Result<std::vector<backend::DeviceFacts>> devices() override { return m_right.devices(); }
    Result<backend::DeviceFacts> device(const std::string& id) override { return m_right.device(id); }
    Result<backend::PlanReport> plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                     const std::string& device,
                                     const backend::LoadOptions& options) override {
        return m_right.plan(program, segments, device, options);
    }
    Result<std::unique_ptr<backend::Model>> load(const graph::Program& program, backend::Weights weights,
                                                 std::span<const std::uint32_t> segments,
                                                 const std::string& device,
                                                 const backend::LoadOptions& options,
                                                 backend::Progress* progress, CancelToken cancel) override {
        m_weights.assign(weights.begin(), weights.end());
        for (std::size_t i = 0; i < m_weights.size(); ++i) {
            if (program.weights[i].type != TensorType::F32 || program.weights[i].rows == 1) continue;
            m_scaled.resize(m_weights[i].bytes.size() / sizeof(float));
            std::memcpy(m_scaled.data(), m_weights[i].bytes.data(), m_weights[i].bytes.size());
            for (float& value : m_scaled)
                value *= m_factor;
            m_weights[i].bytes = std::as_bytes(std::span(m_scaled));
            break;
        }
        return m_right.load(program, m_weights, segments, device, options, progress, cancel);
    }

private:
    backend::ReferenceBackend m_right;
    float m_factor;
    std::vector<backend::Weight> m_weights;
    std::vector<float> m_scaled;
};

}  // namespace

class TestSelfTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void processorTiersPass();
    void referencePasses_data();
    void referencePasses();
    void anyNumberOfTypes();
    void wrongResultsAreFound_data();
    void wrongResultsAreFound();
    void smallFaultsAreFound();
    void failuresArePassedOn();
    void modelIsTheSameEveryTime();
    void typesOfAProgram();
};

void TestSelfTest::processorTiersPass() {
    cpu::CpuBackend trusted;
    for (const cpu::IsaTier tier : cpu::allTiers()) {
        if (tier > cpu::detectTier()) continue;
        cpu::CpuBackend subject;
        SelfTestOptions options;
        options.tier = cpu::tierName(tier);
        const auto report = selfTest(subject, "cpu", trusted, options, {});
        QVERIFY2(report.ok(), report.ok() ? "" : report.error().toString().c_str());
        qInfo("%s: error %.2g, %.0f ms", options.tier.c_str(), report->largestError, report->milliseconds);
        QVERIFY(report->largestError < 0.02);
    }
}

void TestSelfTest::referencePasses_data() {
    QTest::addColumn<std::uint32_t>("type");
    for (const TensorType type : weightTypes())
        QTest::addRow("%s", std::string(quant::typeName(type)).c_str()) << static_cast<std::uint32_t>(type);
}

void TestSelfTest::referencePasses() {
    QFETCH(const std::uint32_t, type);
    cpu::CpuBackend trusted;
    backend::ReferenceBackend subject;
    for (const backend::KvType kv : {backend::KvType::F16, backend::KvType::Q8_0}) {
        SelfTestOptions options;
        options.types = {static_cast<TensorType>(type)};
        options.kv = kv;
        const auto report = selfTest(subject, "reference", trusted, options, {});
        QVERIFY2(report.ok(), report.ok() ? "" : report.error().toString().c_str());
        qInfo("error %.2g, worst %.2g, %.0f ms", report->largestError, report->worstNumber,
              report->milliseconds);
        // Half of what passes: room for a device whose activations have eight bits.
        QVERIFY(report->largestError < host::kSelfTestError / 2);
        // What is compared is not the same computation twice.
        QVERIFY(report->largestError > 0.0);
    }
}

void TestSelfTest::anyNumberOfTypes() {
    cpu::CpuBackend trusted;
    backend::ReferenceBackend subject;
    const std::vector<TensorType> all = weightTypes();
    QVERIFY(all.size() > 20);
    for (const std::size_t count :
         {std::size_t(0), std::size_t(2), std::size_t(9), std::size_t(10), all.size()}) {
        SelfTestOptions options;
        options.types.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
        const auto model = host::SelfTestModel::make(options.types);
        QVERIFY(model.ok());
        // Every type is a matrix of the model.
        const auto used = host::matrixTypes((*model)->program());
        for (const TensorType type : options.types)
            QVERIFY(std::find(used.begin(), used.end(), type) != used.end());
        const auto report = selfTest(subject, "reference", trusted, options, {});
        QVERIFY2(report.ok(), report.ok() ? "" : report.error().toString().c_str());
        qInfo("%zu types: error %.2g, %.0f ms", count, report->largestError, report->milliseconds);
    }
}

void TestSelfTest::wrongResultsAreFound_data() {
    QTest::addColumn<QString>("device");
    QTest::addColumn<bool>("passes");
    QTest::newRow("right") << "script:compute=1" << true;
    QTest::newRow("right, on a GPU") << "script:compute=1;gpu=1" << true;
    QTest::newRow("wrong") << "script:compute=1;wrong=1" << false;
    QTest::newRow("not a number") << "script:compute=1;nan=1" << false;
    QTest::newRow("computes nothing") << "script:gpu=1" << false;
    QTest::newRow("computes nothing, wrongly") << "script:wrong=1" << false;
}

void TestSelfTest::wrongResultsAreFound() {
    QFETCH(const QString, device);
    QFETCH(const bool, passes);
    cpu::CpuBackend trusted;
    fake::FakeBackend subject;
    const auto report = selfTest(subject, device.toStdString(), trusted, {}, {});
    QCOMPARE(report.ok(), passes);
    if (!passes) {
        QVERIFY(report.error().code() == Errc::B705);
        QCOMPARE(report.error().args().front(), device.toStdString());
    }
}

/// One of nine matrices is half as large again; a ten-thousandth is rounding.
void TestSelfTest::smallFaultsAreFound() {
    cpu::CpuBackend trusted;
    SelfTestOptions options;
    options.types = {TensorType::Q8_0, TensorType::F32, TensorType::Q4_K};
    SlightlyWrong faulty(1.5f);
    const auto found = selfTest(faulty, "", trusted, options, {});
    QVERIFY(!found.ok() && found.error().code() == Errc::B705);
    SlightlyWrong rounded(1.0001f);
    QVERIFY(selfTest(rounded, "", trusted, options, {}).ok());
}

void TestSelfTest::failuresArePassedOn() {
    cpu::CpuBackend trusted;
    fake::FakeBackend subject;
    const std::pair<const char*, Errc> cases[] = {{"script:load=R901", Errc::R901},
                                                  {"script:session=B703", Errc::B703},
                                                  {"script:fail=2:B704", Errc::B704},
                                                  {"script:unsupported=no such kernel", Errc::B702},
                                                  {"no such device", Errc::X001}};
    for (const auto& [device, code] : cases)
        QVERIFY(selfTest(subject, device, trusted, {}, {}).error().code() == code);
    CancelFlag flag;
    flag.request();
    QVERIFY(selfTest(subject, "", trusted, {}, flag).error().code() == Errc::X002);
}

void TestSelfTest::modelIsTheSameEveryTime() {
    const std::vector<TensorType> types = weightTypes();
    const auto first = host::SelfTestModel::make(types);
    const auto second = host::SelfTestModel::make(types);
    QVERIFY(first.ok() && second.ok());
    QCOMPARE((*first)->weights().size(), (*second)->weights().size());
    for (std::size_t i = 0; i < (*first)->weights().size(); ++i) {
        const auto a = (*first)->weights()[i].bytes;
        const auto b = (*second)->weights()[i].bytes;
        QVERIFY(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    }
}

void TestSelfTest::typesOfAProgram() {
    graph::Program program;
    for (const auto& [type, rows] : {std::pair(TensorType::Q4_K, 8), std::pair(TensorType::F32, 1),
                                     std::pair(TensorType::Q6_K, 2), std::pair(TensorType::Q4_K, 4)}) {
        graph::WeightRef weight;
        weight.type = type;
        weight.rows = static_cast<std::uint64_t>(rows);
        program.weights.push_back(weight);
    }
    QCOMPARE(host::matrixTypes(program), (std::vector{TensorType::Q4_K, TensorType::Q6_K}));
}

QTEST_APPLESS_MAIN(TestSelfTest)
#include "tst_self_test.moc"
