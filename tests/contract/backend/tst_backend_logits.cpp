// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Logits of every family, option and weight type on every back end against the oracle, by both kinds of
// kernels (many tokens at once, one at a time).

#include <cmath>
#include <cstring>
#include <map>

#include "backends/cpu/kernels/kernel_table.h"
#include "tests/contract/backend/contract_test.h"

using namespace loader;
using namespace loader::test;

namespace {

constexpr std::size_t kPrompt = 30;
constexpr std::size_t kSingles = 3;

/// Smallest cosine and greatest difference in units of the row's standard deviation.
struct Tolerance {
    double cosine;
    double worst;
};

/// By the form in which a type's activations are multiplied. Floats differ by rounding alone (3e-5 at most
/// was measured). Eight-bit activations round each value to 1/254 of the greatest of its block of 32 or 256,
/// in seven projections of each of two layers; on types whose random blocks are far from trained weights
/// (Q2_K, Q3_K, Q4_1, IQ4_XS) 0.984 and 0.55 were measured (TQ1_0, whose three values are the coarsest), on
/// the others 0.9995 and 0.1. Two terms round to 1/65,278; halves at many tokens, 14 bits on both sides, 1e-7
/// and 2e-3. That the kernels themselves are exact for what they are given is the matter of the kernel tests.
Tolerance toleranceOf(cpu::ActivationKind kind) {
    switch (kind) {
        case cpu::ActivationKind::F32: return {1.0 - 1e-9, 2e-4};
        case cpu::ActivationKind::Q8Block32: return {0.995, 0.4};
        case cpu::ActivationKind::Q8Block256: return {0.98, 0.6};
        case cpu::ActivationKind::Q8Pair32: return {1.0 - 1e-7, 2e-3};
        case cpu::ActivationKind::Int16Block32: return {1.0 - 1e-6, 5e-3};
    }
    return {1.0, 0.0};
}

/// Of a subject for matrices of one type. On Vulkan: floats; halves in products of many tokens (0.0098 was
/// measured); bytes in blocks of 32 (0.32, for TQ1_0).
Tolerance toleranceOf(const Subject& subject, quant::TensorType type) {
    const auto tier = cpu::tierFromName(subject.tier);
    if (tier)
        return toleranceOf(cpu::withExactActivations(cpu::selectKernels(*tier)).wideActivationKind(type));
    if (subject.tier == "fp32") return toleranceOf(cpu::ActivationKind::F32);
    const bool isFloat =
        type == quant::TensorType::F32 || type == quant::TensorType::F16 || type == quant::TensorType::BF16;
    if (subject.tier == "fp16" || isFloat) return {1.0 - 1e-5, 0.02};
    return toleranceOf(cpu::ActivationKind::Q8Block256);
}

/// One variant of each kind of block, one type of each family: for subjects that take only some.
bool isRepresentative(std::string_view variant) {
    for (const std::string_view one : {"llama", "llama-experts", "llama-rope-factors", "qwen3", "gpt2"}) {
        if (variant == one) return true;
    }
    return false;
}
bool isRepresentative(quant::TensorType type) {
    using quant::TensorType;
    for (const TensorType one : {TensorType::F16, TensorType::Q4_0, TensorType::Q8_0, TensorType::Q4_K,
                                 TensorType::Q6_K, TensorType::IQ2_XXS, TensorType::MXFP4}) {
        if (type == one) return true;
    }
    return false;
}

/// Every subject that computes, but the oracle.
std::vector<Subject> measuredSubjects() {
    std::vector<Subject> list;
    for (const auto& from : {subjects(), roundingSubjects()}) {
        for (const Subject& subject : from) {
            if (subject.computes && subject.name != oracle().name) list.push_back(subject);
        }
    }
    return list;
}

/// The model of the type test: everything of one type but the head. Rows of random blocks are no rows of a
/// trained model: in types with an offset all values of a block may have one sign, and a head of such rows
/// gives logits that are nearly one number, next to which any rounding is large.
Result<SourcePointer> sourceOfType(quant::TensorType type) {
    static std::map<quant::TensorType, SourcePointer> made;
    SourcePointer& known = made[type];
    if (known) return known;
    LOADER_TRY(ModelParts parts, makeVariant("llama", type));
    LOADER_CHECK(
        parts.put("output.weight", quant::TensorType::F32, parts.find("output.weight")->dims, 0.125f));
    LOADER_TRY(known, sourceOf(std::move(parts)));
    return known;
}

/// A prompt in one batch, then some tokens one by one.
Result<Rows> runBoth(RunningModel& model) {
    const std::vector<TokenId> tokens = randomTokens(kPrompt + kSingles, 3);
    LOADER_TRY(Rows rows, model.extend(std::span(tokens).first(kPrompt)));
    for (std::size_t i = 0; i < kSingles; ++i) {
        LOADER_TRY(const Rows row, model.extend(std::span(tokens).subspan(kPrompt + i, 1)));
        rows.insert(rows.end(), row.begin(), row.end());
    }
    return rows;
}

/// The oracle's answer, computed once for each model.
Result<Rows> expectedRows(const SourcePointer& source) {
    static std::map<SourcePointer, Rows> known;
    const auto found = known.find(source);
    if (found != known.end()) return found->second;
    LOADER_TRY(const auto model, RunningModel::open(oracle(), source));
    LOADER_TRY(Rows rows, runBoth(*model));
    known[source] = rows;
    return rows;
}

bool isUniformZero(const Rows& rows) {
    for (const std::vector<float>& row : rows) {
        for (const float logit : row) {
            if (logit != 0.0f) return false;
        }
    }
    return !rows.empty();
}

const char* kvName(backend::KvType kv) {
    return kv == backend::KvType::F16 ? "f16" : kv == backend::KvType::Q8_0 ? "q8_0" : "f32";
}

}  // namespace

class TestBackendLogits : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyTensorMatters_data();
    void everyTensorMatters();
    void everyOptionMatters();
    void separateExpertsEqualJoinedOnes();
    void variantEqualsOracle_data();
    void variantEqualsOracle();
    void typeEqualsOracle_data();
    void typeEqualsOracle();
    void tiersWithOneFormAgree_data();
    void tiersWithOneFormAgree();
    void expertsOfTypeEqualOracle_data();
    void expertsOfTypeEqualOracle();
    void kvTypeEqualsOracle_data();
    void kvTypeEqualsOracle();
    void zeroWeightsGiveEqualLogits_data() { addSubjectRows(Which::Computing); }
    void zeroWeightsGiveEqualLogits();
    void brokenWeightsDoNotCrash_data() { addSubjectRows(Which::Computing); }
    void brokenWeightsDoNotCrash();
};

void TestBackendLogits::everyTensorMatters_data() {
    QTest::addColumn<QString>("variant");
    for (const std::string_view name : modelVariants())
        QTest::addRow("%s", std::string(name).c_str()) << QString::fromStdString(std::string(name));
}

/// Otherwise agreement between back ends would prove nothing about that tensor.
void TestBackendLogits::everyTensorMatters() {
    QFETCH(const QString, variant);
    const auto source = sourceOf(variant.toStdString());
    CONTRACT_OK(source);
    // Enough tokens that every expert is chosen.
    const std::vector<TokenId> tokens = randomTokens(variant.contains("experts") ? 48 : 8, 5);
    auto model = RunningModel::open(oracle(), *source);
    CONTRACT_OK(model);
    const auto plain = (*model)->extend(tokens);
    CONTRACT_OK(plain);
    for (std::size_t i = 0; i < (*source)->parts.tensors.size(); ++i) {
        ModelParts changed = (*source)->parts.clone();
        PartTensor& tensor = changed.tensors[i];
        for (std::size_t at = 0; at < tensor.data.size(); at += sizeof(float)) {
            float value = 0.0f;
            std::memcpy(&value, tensor.data.data() + at, sizeof value);
            value = 1.5f * value + 0.05f;
            std::memcpy(tensor.data.data() + at, &value, sizeof value);
        }
        const auto other = sourceOf(std::move(changed));
        CONTRACT_OK(other);
        auto otherModel = RunningModel::open(oracle(), *other);
        CONTRACT_OK(otherModel);
        const auto rows = (*otherModel)->extend(tokens);
        CONTRACT_OK(rows);
        const Distance apart = distance(*rows, *plain);
        QVERIFY2(apart.worst > 1e-3,
                 ((*source)->parts.tensors[i].name + ": " + describe(apart).toStdString()).c_str());
    }
}

/// Variants that differ from the plain model in keys or additional tensors only.
void TestBackendLogits::everyOptionMatters() {
    const auto plain = sourceOf("llama");
    CONTRACT_OK(plain);
    const auto plainRows = expectedRows(*plain);
    CONTRACT_OK(plainRows);
    for (const char* name : {"llama-biases", "llama-linear-scaling", "llama-partial-rotation",
                             "llama-rope-factors", "llama-yarn"}) {
        const auto source = sourceOf(name);
        CONTRACT_OK(source);
        const auto rows = expectedRows(*source);
        CONTRACT_OK(rows);
        const Distance apart = distance(*rows, *plainRows);
        QVERIFY2(apart.worst > 0.05, (std::string(name) + ": " + describe(apart).toStdString()).c_str());
    }
}

void TestBackendLogits::separateExpertsEqualJoinedOnes() {
    const auto joined = sourceOf("llama-experts");
    const auto separate = sourceOf("llama-experts-separate");
    CONTRACT_OK(joined);
    CONTRACT_OK(separate);
    for (const Subject& subject : subjects()) {
        if (!subject.computes) continue;
        auto a = RunningModel::open(subject, *joined);
        auto b = RunningModel::open(subject, *separate);
        CONTRACT_OK(a);
        CONTRACT_OK(b);
        const auto rowsA = runBoth(**a);
        const auto rowsB = runBoth(**b);
        CONTRACT_OK(rowsA);
        CONTRACT_OK(rowsB);
        QVERIFY2(*rowsA == *rowsB, subject.name.c_str());
    }
}

void TestBackendLogits::variantEqualsOracle_data() {
    QTest::addColumn<QString>("subject");
    QTest::addColumn<QString>("variant");
    for (const Subject& subject : measuredSubjects()) {
        for (const std::string_view name : modelVariants()) {
            const std::string variant(name);
            if (subject.takesFew() && !isRepresentative(variant)) continue;
            QTest::addRow("%s %s", subject.name.c_str(), variant.c_str())
                << QString::fromStdString(subject.name) << QString::fromStdString(variant);
        }
    }
}

void TestBackendLogits::variantEqualsOracle() {
    QFETCH(const QString, subject);
    QFETCH(const QString, variant);
    const auto source = sourceOf(variant.toStdString());
    CONTRACT_OK(source);
    const auto expected = expectedRows(*source);
    CONTRACT_OK(expected);
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source);
    CONTRACT_OK(model);
    const auto rows = runBoth(**model);
    CONTRACT_OK(rows);
    const Subject& one = subjectNamed(subject.toStdString());
    const Tolerance tolerance = toleranceOf(one, quant::TensorType::F32);
    CONTRACT_NEAR(*rows, *expected, tolerance.cosine, tolerance.worst);
}

void TestBackendLogits::typeEqualsOracle_data() {
    QTest::addColumn<QString>("subject");
    QTest::addColumn<int>("type");
    for (const quant::TypeInfo& info : quant::allTypes()) {
        if (info.role != quant::TypeRole::Weight) continue;
        for (const Subject& subject : measuredSubjects()) {
            if (subject.takesFew() && !isRepresentative(info.type)) continue;
            QTest::addRow("%s %s", subject.name.c_str(), std::string(info.name).c_str())
                << QString::fromStdString(subject.name) << int(info.type);
        }
    }
}

void TestBackendLogits::typeEqualsOracle() {
    QFETCH(const QString, subject);
    QFETCH(const int, type);
    const auto tensorType = static_cast<quant::TensorType>(type);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOfType(tensorType);
    CONTRACT_OK(source);
    const auto expected = expectedRows(*source);
    CONTRACT_OK(expected);
    auto model = RunningModel::open(one, *source);
    CONTRACT_OK(model);
    const auto rows = runBoth(**model);
    CONTRACT_OK(rows);
    const Tolerance tolerance = toleranceOf(one, tensorType);
    qInfo("%s", describe(distance(*rows, *expected)).constData());
    CONTRACT_NEAR(*rows, *expected, tolerance.cosine, tolerance.worst);
}

void TestBackendLogits::tiersWithOneFormAgree_data() {
    QTest::addColumn<int>("type");
    for (const quant::TypeInfo& info : quant::allTypes()) {
        if (info.role == quant::TypeRole::Weight)
            QTest::addRow("%s", std::string(info.name).c_str()) << int(info.type);
    }
}

/// The same rounding of activations on each: only the order of sums is left, and what follows from it where
/// a value lies between two steps.
void TestBackendLogits::tiersWithOneFormAgree() {
    QFETCH(const int, type);
    const auto tensorType = static_cast<quant::TensorType>(type);
    const auto source = sourceOfType(tensorType);
    CONTRACT_OK(source);
    std::map<cpu::ActivationKind, Rows> first;
    for (const Subject& subject : subjects()) {
        const auto tier = cpu::tierFromName(subject.tier);
        if (!tier) continue;
        auto model = RunningModel::open(subject, *source);
        CONTRACT_OK(model);
        const auto rows = runBoth(**model);
        CONTRACT_OK(rows);
        const auto known = first.emplace(
            cpu::withExactActivations(cpu::selectKernels(*tier)).wideActivationKind(tensorType), *rows);
        CONTRACT_NEAR(*rows, known.first->second, 0.9999, 0.05);
    }
}

void TestBackendLogits::expertsOfTypeEqualOracle_data() {
    QTest::addColumn<QString>("subject");
    QTest::addColumn<int>("type");
    for (const quant::TensorType type : {quant::TensorType::F16, quant::TensorType::Q8_0,
                                         quant::TensorType::Q4_K, quant::TensorType::MXFP4}) {
        for (const Subject& subject : measuredSubjects()) {
            QTest::addRow("%s %s", subject.name.c_str(), std::string(quant::typeName(type)).c_str())
                << QString::fromStdString(subject.name) << int(type);
        }
    }
}

/// Where the last chosen expert and the first that is not are nearly equal, rounding decides; so rows are
/// compared one by one, and a few may take another expert.
void TestBackendLogits::expertsOfTypeEqualOracle() {
    QFETCH(const QString, subject);
    QFETCH(const int, type);
    const auto tensorType = static_cast<quant::TensorType>(type);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama-experts", tensorType);
    CONTRACT_OK(source);
    const auto expected = expectedRows(*source);
    CONTRACT_OK(expected);
    auto model = RunningModel::open(one, *source);
    CONTRACT_OK(model);
    const auto rows = runBoth(**model);
    CONTRACT_OK(rows);
    // Another expert in one row shows in all rows that attend to it. The float and the two-term kernels are
    // so exact that none is taken; with 16-bit integers and with halves one is here, in the fifteenth row.
    const auto tier = cpu::tierFromName(one.tier);
    const bool integers =
        tier && cpu::withExactActivations(cpu::selectKernels(*tier)).wideActivationKind(tensorType) ==
                    cpu::ActivationKind::Int16Block32;
    const bool halves = !tier && one.tier != "fp32";
    const double atLeast = integers || halves ? toleranceOf(cpu::ActivationKind::Q8Block32).worst : 0.0;
    const double bound = 2.0 * std::max(atLeast, toleranceOf(one, tensorType).worst);
    QCOMPARE(rows->size(), expected->size());
    std::size_t apart = 0;
    for (std::size_t i = 0; i < rows->size(); ++i) {
        const Distance one_ = distance({(*rows)[i]}, {(*expected)[i]});
        QVERIFY2(one_.cosine > 0.9, describe(one_).constData());
        if (!(one_.worst <= bound)) ++apart;
    }
    QVERIFY2(apart * 10 <= rows->size(), qPrintable(QString::number(apart)));
}

void TestBackendLogits::kvTypeEqualsOracle_data() {
    QTest::addColumn<QString>("subject");
    QTest::addColumn<QString>("variant");
    QTest::addColumn<int>("kv");
    for (const Subject& subject : measuredSubjects()) {
        for (const char* variant : {"llama", "gpt2", "llama-head-lengths", "llama-layers-differ"}) {
            if (subject.takesFew() && !isRepresentative(variant)) continue;
            for (const backend::KvType kv : {backend::KvType::F16, backend::KvType::Q8_0}) {
                QTest::addRow("%s %s %s", subject.name.c_str(), variant, kvName(kv))
                    << QString::fromStdString(subject.name) << QString(variant) << int(kv);
            }
        }
    }
}

/// The oracle keeps double precision whatever is asked for: the difference is the rounding of the cache.
void TestBackendLogits::kvTypeEqualsOracle() {
    QFETCH(const QString, subject);
    QFETCH(const QString, variant);
    QFETCH(const int, kv);
    const auto source = sourceOf(variant.toStdString());
    CONTRACT_OK(source);
    const auto expected = expectedRows(*source);
    CONTRACT_OK(expected);
    RunOptions options;
    options.kv = static_cast<backend::KvType>(kv);
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(model);
    const auto rows = runBoth(**model);
    CONTRACT_OK(rows);
    const bool half = options.kv == backend::KvType::F16;
    qInfo("%s", describe(distance(*rows, *expected)).constData());
    const Tolerance exact = toleranceOf(subjectNamed(subject.toStdString()), quant::TensorType::F32);
    CONTRACT_NEAR(*rows, *expected, half ? std::min(1.0 - 1e-6, exact.cosine) : 0.9995,
                  half ? std::max(4e-3, exact.worst) : 0.08);
    // It does round: a cache of floats would be nearer.
    QVERIFY(distance(*rows, *expected).worst > 1e-5);
}

/// Case M45 of the test plan.
void TestBackendLogits::zeroWeightsGiveEqualLogits() {
    QFETCH(const QString, subject);
    for (const auto& [variant, type] :
         {std::pair("llama", quant::TensorType::F32), std::pair("llama-experts", quant::TensorType::F32),
          std::pair("gpt2", quant::TensorType::F16), std::pair("llama", quant::TensorType::Q4_K)}) {
        const auto whole = sourceOf(variant, type);
        CONTRACT_OK(whole);
        ModelParts parts = (*whole)->parts.clone();
        for (PartTensor& tensor : parts.tensors)
            std::fill(tensor.data.begin(), tensor.data.end(), std::byte{0});
        const auto source = sourceOf(std::move(parts));
        CONTRACT_OK(source);
        auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source);
        CONTRACT_OK(model);
        const auto rows = runBoth(**model);
        CONTRACT_OK(rows);
        QVERIFY2(isUniformZero(*rows), variant);
    }
}

/// Case M44 of the test plan, the part that concerns back ends: weights that are no numbers, in halves and
/// floats (all bits set: NaN; 0x7C00: infinite), make no numbers, and nothing worse.
void TestBackendLogits::brokenWeightsDoNotCrash() {
    QFETCH(const QString, subject);
    for (const auto& [variant, type] :
         {std::pair("llama", quant::TensorType::F32), std::pair("llama-experts", quant::TensorType::F32),
          std::pair("llama-experts", quant::TensorType::Q8_0), std::pair("gpt2", quant::TensorType::Q4_K)}) {
        const auto whole = sourceOf(variant, type);
        CONTRACT_OK(whole);
        for (const unsigned value : {0xFFu, 0x7Cu, 0x7Fu}) {
            ModelParts parts = (*whole)->parts.clone();
            for (PartTensor& tensor : parts.tensors)
                std::fill(tensor.data.begin(), tensor.data.end(), static_cast<std::byte>(value));
            const auto source = sourceOf(std::move(parts));
            CONTRACT_OK(source);
            auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source);
            CONTRACT_OK(model);
            const auto rows = runBoth(**model);
            CONTRACT_OK(rows);
            QCOMPARE(rows->size(), kPrompt + kSingles);
            backend::OutputRequest request;
            request.kind = backend::OutputKind::TopTokens;
            request.top = 5;
            CONTRACT_OK((*model)->extend(randomTokens(1, 9), 0, request));
            QCOMPARE((*model)->out().top.size(), std::size_t(5));
            for (const backend::TopToken& top : (*model)->out().top)
                QVERIFY(!std::isnan(top.logit));
        }
    }
}

QTEST_APPLESS_MAIN(TestBackendLogits)
#include "tst_backend_logits.moc"
