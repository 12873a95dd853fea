// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every weight type on every tier of this machine against products in double precision (kernel_problem.h).

#include <QTest>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "backends/cpu/kernels/denormals.h"
#include "backends/cpu/kernels/matmul.h"
#include "core/engine/base/half.h"
#include "core/engine/quant/dequantize.h"
#include "tests/contract/kernels/kernel_problem.h"
#include "tests/contract/kernels/random_weights.h"

using namespace loader;
using namespace loader::cpu;
using quant::TensorType;
using test::columnsFor;
using test::makeProblem;
using test::Problem;

Q_DECLARE_METATYPE(loader::quant::TensorType)
Q_DECLARE_METATYPE(loader::cpu::IsaTier)

namespace {

QString faultText(const KernelTable& kernels, const Problem& p, std::size_t rowBegin, std::size_t rowEnd,
                  std::size_t tokens, OutputMode mode) {
    return QString::fromStdString(test::faultOf(kernels, p, rowBegin, rowEnd, tokens, mode));
}

bool any(TensorType) {
    return true;
}

bool inBlocks(TensorType type) {
    return quant::typeInfo(type).blockValues > 1;
}

void addTypesAndTiers(bool (*wanted)(TensorType)) {
    QTest::addColumn<TensorType>("type");
    QTest::addColumn<IsaTier>("tier");
    for (const IsaTier tier : allTiers()) {
        if (tier > detectTier()) continue;
        for (const TensorType type : test::weightTypes()) {
            if (!wanted(type)) continue;
            const std::string name = std::string(quant::typeName(type)) + "/" + std::string(tierName(tier));
            QTest::newRow(name.c_str()) << type << tier;
        }
    }
}

/// The tier's table, and, where the type has kernels for activations of two terms, the one with those.
std::vector<KernelTable> tablesOf(IsaTier tier, TensorType type) {
    std::vector<KernelTable> tables{selectKernels(tier)};
    if (tables[0].slot(type).exactRows != nullptr) tables.push_back(withExactActivations(tables[0]));
    return tables;
}

}  // namespace

class TestKernelsMatmul : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyTierCoversEveryType();
    void oddShapes_data() { addTypesAndTiers(any); }
    void oddShapes();
    void longRowsCrossPanels_data() { addTypesAndTiers(any); }
    void longRowsCrossPanels();
    void fewTokensOfWideRows_data() { addTypesAndTiers(inBlocks); }
    void fewTokensOfWideRows();
    void extremeScales_data() { addTypesAndTiers(test::hasHalfScales); }
    void extremeScales();
    void extremeQuants_data() { addTypesAndTiers(test::hasHalfScales); }
    void extremeQuants();
    void noFartherThanThePeer_data() { addTypesAndTiers(inBlocks); }
    void noFartherThanThePeer();
    void wideKernels_data() { addTypesAndTiers(any); }
    void wideKernels();
    void wideKernelsKeepBadWeightsVisible();
    void partsOfTheRowsAgreeWithTheWhole();
    void callerFloatsAreUsedInPlace();
    void tiersAreNamedAndLimited();
};

void TestKernelsMatmul::everyTierCoversEveryType() {
    for (const IsaTier tier : allTiers()) {
        const KernelTable kernels = selectKernels(tier);
        QVERIFY(kernels.tier == tier);
        for (const quant::TypeInfo& info : quant::allTypes()) {
            QCOMPARE(kernels.supports(info.type), info.role == quant::TypeRole::Weight);
        }
    }
}

void TestKernelsMatmul::oddShapes() {
    QFETCH(TensorType, type);
    QFETCH(IsaTier, tier);
    for (const KernelTable& kernels : tablesOf(tier, type)) {
        for (const std::size_t columns : columnsFor(type)) {
            for (const std::size_t rows : {std::size_t{1}, std::size_t{7}, std::size_t{33}}) {
                const auto p = makeProblem(kernels, type, rows, columns, 65, test::Scales::Sensible);
                if (!p) QSKIP("no guarded memory on this system");
                for (const std::size_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 24, 31, 32, 33, 65}) {
                    const QString fault = faultText(kernels, *p, 0, rows, tokens, OutputMode::Store);
                    QVERIFY2(fault.isEmpty(), qPrintable(QStringLiteral("[%1 x %2] x %3: %4")
                                                             .arg(rows)
                                                             .arg(columns)
                                                             .arg(tokens)
                                                             .arg(fault)));
                }
                const QString fault = faultText(kernels, *p, rows / 3, rows, 25, OutputMode::Add);
                QVERIFY2(fault.isEmpty(), qPrintable(fault));
                const QString few = faultText(kernels, *p, rows / 3, rows, 5, OutputMode::Add);
                QVERIFY2(few.isEmpty(), qPrintable(few));
            }
        }
    }
}

void TestKernelsMatmul::longRowsCrossPanels() {
    QFETCH(TensorType, type);
    QFETCH(IsaTier, tier);
    for (const KernelTable& kernels : tablesOf(tier, type)) {
        const std::size_t block = quant::typeInfo(type).blockValues;
        const auto p =
            makeProblem(kernels, type, 5, 4096 + (block == 1 ? 37 : block), 25, test::Scales::Sensible);
        if (!p) QSKIP("no guarded memory on this system");
        for (const std::size_t tokens : {1, 25}) {
            const QString fault = faultText(kernels, *p, 0, 5, tokens, OutputMode::Add);
            QVERIFY2(fault.isEmpty(), qPrintable(fault));
        }
    }
}

/// So wide that a copy of the activations of all tokens does not fit the scratch at once.
void TestKernelsMatmul::fewTokensOfWideRows() {
    QFETCH(TensorType, type);
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    const std::size_t block = quant::typeInfo(type).blockValues;
    const auto p = makeProblem(kernels, type, 1, 49152 + block, 5, test::Scales::Sensible);
    if (!p) QSKIP("no guarded memory on this system");
    const QString fault = faultText(kernels, *p, 0, 1, 5, OutputMode::Add);
    QVERIFY2(fault.isEmpty(), qPrintable(fault));
}

void TestKernelsMatmul::extremeScales() {
    QFETCH(TensorType, type);
    QFETCH(IsaTier, tier);
    for (const KernelTable& kernels : tablesOf(tier, type)) {
        const DenormalsOff quick;
        for (const test::Scales scales :
             {test::Scales::Zero, test::Scales::Largest, test::Scales::Denormal}) {
            const auto p = makeProblem(kernels, type, 3, 3 * quant::typeInfo(type).blockValues, 26, scales);
            if (!p) QSKIP("no guarded memory on this system");
            for (const std::size_t tokens : {1, 3, 26}) {
                const QString fault = faultText(kernels, *p, 0, 3, tokens, OutputMode::Store);
                QVERIFY2(
                    fault.isEmpty(),
                    qPrintable(QStringLiteral("scales %1: %2").arg(static_cast<int>(scales)).arg(fault)));
            }
        }
    }
}

/// All bits of the quants set, or none, against activations at both ends: nothing may saturate on the way.
void TestKernelsMatmul::extremeQuants() {
    QFETCH(TensorType, type);
    QFETCH(IsaTier, tier);
    for (const KernelTable& kernels : tablesOf(tier, type)) {
        const std::size_t block = quant::typeInfo(type).blockValues;
        for (const unsigned fill : {0x00u, 0x80u, 0x7Fu, 0x81u, 0xFFu, 0x0Fu, 0xF0u}) {
            auto p = makeProblem(kernels, type, 2, 2 * block, 25, test::Scales::Sensible);
            if (!p) QSKIP("no guarded memory on this system");
            std::mt19937 random(7);
            std::vector<std::byte> bytes(2 * p->rowBytes, static_cast<std::byte>(fill));
            test::putSensibleScales(type, bytes, random);
            QVERIFY(p->weights.fill(bytes));
            quant::dequantizeRow(type, bytes.data(), p->decoded.data(), p->decoded.size());
            for (std::size_t i = 0; i < p->inputs.size(); ++i) {
                const std::size_t token = i / p->columns;
                p->inputs[i] = token % 3 == 0 ? 1.0f : token % 3 == 1 ? -1.0f : (i % 2 == 0 ? 1.0f : -1.0f);
            }
            for (std::size_t t = 0; t < p->tokens; ++t) {
                quantizeActivation(kernels, p->activation.kind, p->inputs.data() + t * p->columns, p->columns,
                                   const_cast<std::byte*>(p->activation.token(t)));
            }
            addProducts(*p);
            for (const std::size_t tokens : {1, 3, 25}) {
                const QString fault = faultText(kernels, *p, 0, 2, tokens, OutputMode::Store);
                QVERIFY2(fault.isEmpty(),
                         qPrintable(QStringLiteral("bytes %1: %2").arg(fill, 0, 16).arg(fault)));
            }
        }
    }
}

/// The peer's rounding of activations, in double: per 32 with a half precision scale, or per 256.
static double peerValue(const float* inputs, std::size_t k, std::size_t block) {
    float largest = 0;
    const std::size_t first = k / block * block;
    for (std::size_t i = first; i < first + block; ++i)
        largest = std::max(largest, std::abs(inputs[i]));
    if (largest == 0.0f) return 0;
    const auto inverse = 127.0 / static_cast<double>(largest);
    const float scale = largest / 127.0f;
    const double stored =
        block == 32 ? static_cast<double>(halfToFloat(floatToHalf(scale))) : static_cast<double>(scale);
    return std::nearbyint(static_cast<double>(inputs[k]) * inverse) * stored;
}

void TestKernelsMatmul::noFartherThanThePeer() {
    QFETCH(TensorType, type);
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    const std::size_t valuesPerBlock = quant::typeInfo(type).blockValues;
    const std::size_t peerBlock = valuesPerBlock == 256 ? 256 : 32;
    const auto p = makeProblem(kernels, type, 32, 1024, 24, test::Scales::Sensible);
    if (!p) QSKIP("no guarded memory on this system");
    std::vector<float> out(p->tokens * p->rows);
    const Result<ScratchBuffer> scratch = ScratchBuffer::create(scratchBytes(p->columns));
    QVERIFY(scratch.ok());
    multiplyRows(kernels, p->view(), 0, p->rows, p->activation, p->tokens, out.data(), p->rows,
                 scratch->view());
    double ours = 0, peers = 0;
    std::vector<double> rounded(p->columns);
    for (std::size_t t = 0; t < p->tokens; ++t) {
        for (std::size_t k = 0; k < p->columns; ++k)
            rounded[k] = peerValue(p->inputs.data() + t * p->columns, k, peerBlock);
        for (std::size_t r = 0; r < p->rows; ++r) {
            double peer = 0;
            for (std::size_t k = 0; k < p->columns; ++k) {
                peer += static_cast<double>(p->decoded[r * p->columns + k]) * rounded[k];
            }
            const double exact = p->exact[t * p->rows + r];
            ours += std::pow(static_cast<double>(out[t * p->rows + r]) - exact, 2);
            peers += std::pow(peer - exact, 2);
        }
    }
    QVERIFY2(std::sqrt(ours) <= 1.5 * std::sqrt(peers),
             qPrintable(QStringLiteral("%1 against %2").arg(std::sqrt(ours)).arg(std::sqrt(peers))));
}

/// The same matrix and inputs with the activation form for many tokens. Weights are rounded too: their blocks
/// of 32 of a row to 8,191 steps, which given and slack then account for.
static void widen(Problem& p, const KernelTable& kernels) {
    const ActivationKind kind = kernels.wideActivationKind(p.type);
    const ActivationLayout layout = activationLayout(kind, p.columns);
    p.records.assign(layout.stride * p.tokens + 64, std::byte{});
    const auto address = reinterpret_cast<std::uintptr_t>(p.records.data());
    std::byte* records = p.records.data() + (roundUp(address, 64) - address);
    for (std::size_t t = 0; t < p.tokens; ++t) {
        quantizeActivation(kernels, kind, p.inputs.data() + t * p.columns, p.columns,
                           records + t * layout.stride);
    }
    p.activation = quantizedActivations(kind, records, p.columns);
    const std::vector<float> weights = p.decoded;
    std::vector<double> steps(p.decoded.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const std::size_t rowStart = i / p.columns * p.columns;
        const std::size_t first = rowStart + (i - rowStart) / 32 * 32;
        const std::size_t end = std::min(first + 32, rowStart + p.columns);
        float largest = 0;
        for (std::size_t k = first; k < end; ++k)
            largest = std::max(largest, std::abs(weights[k]));
        steps[i] = static_cast<double>(largest) / 8191;
        if (largest > 0.0f) {
            const double quant = std::nearbyint(static_cast<double>(weights[i] * (8191.0f / largest)));
            p.decoded[i] = static_cast<float>(quant * steps[i]);
        }
    }
    test::addProducts(p);
    std::vector<double> values, rounding;
    for (std::size_t t = 0; t < p.tokens; ++t) {
        test::readRecord(p, t, values, rounding);
        for (std::size_t r = 0; r < p.rows; ++r) {
            const std::size_t at = t * p.rows + r;
            p.exact[at] = 0;
            for (std::size_t k = 0; k < p.columns; ++k) {
                const std::size_t i = r * p.columns + k;
                const auto input = static_cast<double>(p.inputs[t * p.columns + k]);
                p.exact[at] += static_cast<double>(weights[i]) * input;
                p.slack[at] += std::abs(input) * steps[i] * 0.5;
            }
        }
    }
}

void TestKernelsMatmul::wideKernels() {
    QFETCH(TensorType, type);
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    if (kernels.wideActivationKind(type) == kernels.activationKind(type))
        return;  // the other tests are about it
    double error = 0, size = 0;
    for (const std::size_t columns : {1, 5, 32, 172, 288, 2048 + 37}) {
        for (const std::size_t rows : {1, 7, 33}) {
            const auto p = makeProblem(kernels, type, rows, columns, 65, test::Scales::Sensible);
            if (!p) QSKIP("no guarded memory on this system");
            widen(*p, kernels);
            for (const std::size_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 9, 24, 31, 32, 33, 65}) {
                const QString fault = faultText(kernels, *p, 0, rows, tokens, OutputMode::Store);
                QVERIFY2(
                    fault.isEmpty(),
                    qPrintable(
                        QStringLiteral("[%1 x %2] x %3: %4").arg(rows).arg(columns).arg(tokens).arg(fault)));
            }
            const QString fault = faultText(kernels, *p, rows / 3, rows, 25, OutputMode::Add);
            QVERIFY2(fault.isEmpty(), qPrintable(fault));
            for (std::size_t i = 0; columns > 32 && i < p->exact.size(); ++i) {
                error += std::pow(p->given[i] - p->exact[i], 2);
                size += std::pow(p->exact[i], 2);
            }
        }
    }
    // 13 bits and a sign on both sides.
    QVERIFY2(error / size < 5e-8, qPrintable(QString::number(error / size)));
}

void TestKernelsMatmul::wideKernelsKeepBadWeightsVisible() {
    const KernelTable kernels = selectKernels(detectTier());
    if (kernels.wideActivationKind(TensorType::F16) == ActivationKind::F32)
        QSKIP("no wide kernels on this machine");
    for (const auto& [type, bits] : {std::pair{TensorType::F16, std::uint16_t{0x7C00}},
                                     std::pair{TensorType::F16, std::uint16_t{0x7E01}},
                                     std::pair{TensorType::BF16, std::uint16_t{0xFF80}},
                                     std::pair{TensorType::BF16, std::uint16_t{0x7FC0}}}) {
        auto p = makeProblem(kernels, type, 3, 96, 30, test::Scales::Sensible);
        if (!p) QSKIP("no guarded memory on this system");
        widen(*p, kernels);
        std::vector<std::byte> bytes(3 * p->rowBytes);
        std::memcpy(bytes.data(), p->weights.data(), bytes.size());
        std::memcpy(bytes.data() + p->rowBytes + 40 * 2, &bits, sizeof(bits));
        QVERIFY(p->weights.fill(bytes));
        std::vector<float> out(30 * 3);
        const Result<ScratchBuffer> scratch = ScratchBuffer::create(scratchBytes(96));
        QVERIFY(scratch.ok());
        multiplyRows(kernels, p->view(), 0, 3, p->activation, 30, out.data(), 3, scratch->view());
        for (std::size_t i = 0; i < out.size(); ++i)
            QCOMPARE(std::isfinite(out[i]), i % 3 != 1);
    }
}

void TestKernelsMatmul::partsOfTheRowsAgreeWithTheWhole() {
    const KernelTable kernels = selectKernels(detectTier());
    for (const std::size_t tokens : {3, 30}) {
        const auto p = makeProblem(kernels, TensorType::Q4_K, 100, 512, 30, test::Scales::Sensible);
        if (!p) QSKIP("no guarded memory on this system");
        const Result<ScratchBuffer> scratch = ScratchBuffer::create(scratchBytes(p->columns));
        QVERIFY(scratch.ok());
        std::vector<float> whole(100 * tokens), parts(100 * tokens);
        multiplyRows(kernels, p->view(), 0, 100, p->activation, tokens, whole.data(), 100, scratch->view());
        for (const std::size_t begin : {0, 32, 64}) {
            const std::size_t end = begin == 64 ? 100 : begin + 32;
            multiplyRows(kernels, p->view(), begin, end, p->activation, tokens, parts.data(), 100,
                         scratch->view());
        }
        QVERIFY(whole == parts);
    }
}

void TestKernelsMatmul::callerFloatsAreUsedInPlace() {
    const KernelTable kernels = selectKernels(detectTier());
    const auto p = makeProblem(kernels, TensorType::F16, 9, 48, 30, test::Scales::Sensible);
    if (!p) QSKIP("no guarded memory on this system");
    p->activation = floatActivations(p->inputs.data(), 48, 48);
    for (const std::size_t tokens : {1, 30}) {
        const QString fault = faultText(kernels, *p, 0, 9, tokens, OutputMode::Store);
        QVERIFY2(fault.isEmpty(), qPrintable(fault));
    }
}

void TestKernelsMatmul::tiersAreNamedAndLimited() {
    for (const IsaTier tier : allTiers()) {
        QVERIFY(tierFromName(tierName(tier)) == tier);
        QVERIFY(allowedTier(tier) <= detectTier());
    }
    QVERIFY(!tierFromName("avx1024").has_value());
    QVERIFY(!tierFromName("").has_value());
    QVERIFY(tierFromName("BASELINE") == IsaTier::Baseline);
    QVERIFY(allowedTier(std::nullopt) == detectTier());
    QVERIFY(allowedTier(IsaTier::Baseline) == IsaTier::Baseline);
}

QTEST_GUILESS_MAIN(TestKernelsMatmul)
#include "tst_kernels_matmul.moc"
