// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Estimates against what they estimate: a back end's own plan, for every variant of every family, tier and
// kind of weight, at random sizes; and the facts of a header against the file they were read from.

#include <QElapsedTimer>
#include <QTest>
#include <numeric>
#include <random>

#include "backends/cpu/exec/cpu_backend.h"
#include "backends/cpu/isa/cpu_features.h"
#include "backends/reference/reference_backend.h"
#include "core/app/models/estimator.h"
#include "core/host/model_facts.h"
#include "tests/support/model_parts.h"

using namespace loader;

class TestEstimatePlan : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void theProcessorsPlan_data();
    void theProcessorsPlan();
    void theReferencesPlan();
    void whatCannotRunIsNamed();
    void factsOfAHeader_data();
    void factsOfAHeader();
    void layersAddUp();
    void headersAreReadQuickly();
};

namespace {

/// What estimates need besides the plan.
protocol::ModelFacts factsOfProgram(const graph::Program& program, backend::Backend& backend,
                                    const std::string& tier) {
    protocol::ModelFacts facts;
    facts.vocabulary = program.vocabulary;
    facts.layers.resize(program.layers);
    for (const graph::KvLayer& kv : program.kvLayers)
        facts.kv.push_back({kv.layer, kv.kvHeads, kv.keyLength, kv.valueLength, kv.window});
    auto plan = host::planFacts(backend, program, tier);
    if (plan) facts.plans.push_back(std::move(*plan));
    return facts;
}

struct Difference {
    std::string what;
    std::uint64_t estimated = 0;
    std::uint64_t planned = 0;
};

/// The first part that is not what the plan says, at sizes from a seed.
std::optional<Difference> compare(const graph::Program& program, backend::Backend& backend,
                                  const std::string& tier, int rounds) {
    const protocol::ModelFacts facts = factsOfProgram(program, backend, tier);
    if (facts.plans.empty()) return Difference{"no plan", 0, 0};
    std::mt19937 numbers(7);
    std::vector<std::uint32_t> segments(program.segments.size());
    std::iota(segments.begin(), segments.end(), 0u);
    for (int round = 0; round < rounds; ++round) {
        backend::LoadOptions options;
        options.batchTokens = 1 + numbers() % (1u << (numbers() % 13));
        options.contextTokens = options.batchTokens + numbers() % 9000;
        options.threads = 1 + numbers() % 16;
        options.sequences = 1 + numbers() % 3;
        options.kv = static_cast<graph::KvType>(numbers() % 3);
        options.tier = tier;
        app::LoadSettings settings;
        settings.batchTokens = options.batchTokens;
        settings.contextTokens = options.contextTokens;
        settings.threads = options.threads;
        settings.sequences = options.sequences;
        settings.kv = options.kv;
        settings.processor = backend.id();
        const app::MemoryParts parts = app::estimate(facts, settings).processor;
        const auto plan = backend.plan(program, segments, backend.devices()->front().id, options);
        if (!plan.ok()) return Difference{plan.error().toString(), 0, 0};
        if (parts.compute != plan->needed.compute)
            return Difference{"compute of " + std::to_string(options.batchTokens), parts.compute,
                              plan->needed.compute};
        if (parts.kv != plan->needed.kv) return Difference{"kv", parts.kv, plan->needed.kv};
        if (parts.output != plan->needed.output)
            return Difference{"output", parts.output, plan->needed.output};
    }
    return std::nullopt;
}

QString text(const Difference& difference) {
    return QString("%1: estimated %2, planned %3")
        .arg(QString::fromStdString(difference.what))
        .arg(difference.estimated)
        .arg(difference.planned);
}

}  // namespace

void TestEstimatePlan::theProcessorsPlan_data() {
    QTest::addColumn<QString>("variant");
    for (const std::string_view variant : test::modelVariants()) {
        const QString name = QString::fromUtf8(variant.data(), static_cast<qsizetype>(variant.size()));
        QTest::newRow(qPrintable(name)) << name;
    }
}

void TestEstimatePlan::theProcessorsPlan() {
    QFETCH(QString, variant);
    const std::string name = variant.toStdString();
    std::vector<quant::TensorType> types = {quant::TensorType::F32};
    if (test::takesAnyType(name))
        types = {quant::TensorType::F32, quant::TensorType::F16, quant::TensorType::Q4_0,
                 quant::TensorType::Q4_K, quant::TensorType::Q8_0};
    cpu::CpuBackend backend;
    for (const quant::TensorType type : types) {
        const auto parts = test::makeVariant(name, type);
        QVERIFY2(parts.ok(), qPrintable(QString::fromStdString(parts.ok() ? "" : parts.error().toString())));
        const auto lowered = parts->lower();
        QVERIFY(lowered.ok());
        for (const cpu::IsaTier tier : cpu::allTiers()) {
            if (tier > cpu::detectTier()) continue;
            const auto difference = compare(lowered->program, backend, std::string(cpu::tierName(tier)), 20);
            QVERIFY2(!difference, qPrintable(difference ? text(*difference) : QString()));
        }
    }
}

void TestEstimatePlan::theReferencesPlan() {
    backend::ReferenceBackend backend;
    const auto parts = test::makeVariant(test::modelVariants().front());
    QVERIFY(parts.ok());
    const auto lowered = parts->lower();
    QVERIFY(lowered.ok());
    const auto difference = compare(lowered->program, backend, "", 100);
    QVERIFY2(!difference, qPrintable(difference ? text(*difference) : QString()));
}

void TestEstimatePlan::whatCannotRunIsNamed() {
    cpu::CpuBackend backend;
    const auto parts = test::makeVariant(test::modelVariants().front());
    QVERIFY(parts.ok());
    auto lowered = parts->lower();
    QVERIFY(lowered.ok());
    lowered->program.kvLayers.front().keyLength = 100'000;
    const auto plan = host::planFacts(backend, lowered->program, "");
    QVERIFY(plan.has_value());
    QVERIFY(!plan->unsupported.empty());
    // A tier that does not exist is no plan.
    QVERIFY(!host::planFacts(backend, lowered->program, "no such tier").has_value());
}

void TestEstimatePlan::factsOfAHeader_data() {
    QTest::addColumn<QString>("architecture");
    QTest::addColumn<int>("experts");
    QTest::addColumn<bool>("tied");
    QTest::newRow("llama") << "llama" << 0 << false;
    QTest::newRow("llama, tied") << "llama" << 0 << true;
    QTest::newRow("mixture") << "llama" << 4 << false;
    QTest::newRow("qwen2") << "qwen2" << 0 << false;
    QTest::newRow("qwen3") << "qwen3" << 0 << true;
    QTest::newRow("gpt2") << "gpt2" << 0 << true;
}

void TestEstimatePlan::factsOfAHeader() {
    QFETCH(QString, architecture);
    QFETCH(int, experts);
    QFETCH(bool, tied);
    test::TinyModelOptions options;
    options.architecture = architecture.toStdString();
    options.experts = static_cast<std::uint32_t>(experts);
    options.tiedHead = tied;
    options.type = quant::TensorType::Q4_0;
    options.layers = 3;
    const auto model = test::TinyModel::make(options);
    QVERIFY(model.ok());
    const auto bytes = model->toBytes();
    QVERIFY(bytes.ok());
    const gguf::MemoryFile memory{"m.gguf", *bytes};
    const auto file = gguf::ModelFile::openMemory({&memory, 1}, "m.gguf");
    QVERIFY(file.ok());
    const auto lowered = arch::lower((*file)->metadata(), (*file)->tensors());
    QVERIFY(lowered.ok());
    const protocol::ModelFacts facts = host::factsOf(**file, lowered->program);

    QCOMPARE(facts.architecture, options.architecture);
    QCOMPARE(facts.fileBytes, static_cast<std::uint64_t>(bytes->size()));
    QCOMPARE(facts.layers.size(), std::size_t{3});
    QCOMPARE(facts.kv.size(), std::size_t{3});
    QCOMPARE(facts.mainType, std::string("Q4_0"));
    QVERIFY(facts.headerBytes > 0 && facts.headerBytes < facts.fileBytes);
    std::uint64_t used = 0;
    for (const graph::WeightRef& weight : lowered->program.weights)
        used += weight.bytes;
    QCOMPARE(facts.weightBytes, used);
    std::uint64_t parts = facts.embeddingBytes + facts.headBytes - facts.sharedBytes;
    for (const protocol::LayerFacts& layer : facts.layers) {
        parts += layer.mixerBytes + layer.feedForwardBytes;
        QCOMPARE(layer.expertBytes != 0, experts != 0);
        const std::uint64_t all = layer.mixerBytes + layer.feedForwardBytes;
        QCOMPARE(layer.tokenBytes, experts == 0 ? all : all - layer.expertBytes / 2);
    }
    QCOMPARE(parts, used);
    QCOMPARE(facts.sharedBytes != 0, lowered->program.weights.size() != 0 && tied);
    QCOMPARE(facts.words.tokens, static_cast<std::uint64_t>(facts.vocabulary));
    QVERIFY(facts.words.textBytes > facts.words.tokens);
    QVERIFY(facts.products > 0 && facts.headProducts > 0 && facts.tokenBytes > 0);
}

/// A split needs as much weight as the whole, wherever it is cut.
void TestEstimatePlan::layersAddUp() {
    cpu::CpuBackend backend;
    for (const std::string_view variant : test::modelVariants()) {
        const auto parts = test::makeVariant(variant);
        QVERIFY(parts.ok());
        const auto lowered = parts->lower();
        QVERIFY(lowered.ok());
        const protocol::ModelFacts facts = factsOfProgram(lowered->program, backend, "");
        app::LoadSettings settings;
        settings.device = "cpu";
        const std::uint64_t whole = app::estimate(facts, settings).parts().kv;
        for (std::uint32_t layers = 0; layers <= lowered->program.layers; ++layers) {
            settings.gpuLayers = layers;
            QCOMPARE(app::estimate(facts, settings).parts().kv, whole);
        }
    }
}

void TestEstimatePlan::headersAreReadQuickly() {
    test::TinyModelOptions options;
    options.layers = 24;
    const auto model = test::TinyModel::make(options);
    QVERIFY(model.ok());
    const auto bytes = model->toBytes();
    QVERIFY(bytes.ok());
    const gguf::MemoryFile memory{"m.gguf", *bytes};
    cpu::CpuBackend backend;
    QElapsedTimer timer;
    timer.start();
    const auto file = gguf::ModelFile::openMemory({&memory, 1}, "m.gguf");
    QVERIFY(file.ok());
    const auto lowered = arch::lower((*file)->metadata(), (*file)->tensors());
    QVERIFY(lowered.ok());
    const protocol::ModelFacts facts = host::factsOf(**file, lowered->program);
    QVERIFY(host::planFacts(backend, lowered->program, "").has_value());
    QVERIFY(facts.layers.size() == 24);
    // Milliseconds; the limit leaves room for sanitizers and a busy machine.
    QVERIFY2(timer.elapsed() < 1000, qPrintable(QString::number(timer.elapsed())));
}

QTEST_APPLESS_MAIN(TestEstimatePlan)
#include "tst_estimate_plan.moc"
