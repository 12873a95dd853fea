// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The vector helpers of every tier against double precision, at lengths around the width of every register.

#include <QTest>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "backends/cpu/kernels/denormals.h"
#include "backends/cpu/kernels/matmul.h"
#include "core/engine/base/half.h"
#include "tests/contract/kernels/random_weights.h"

using namespace loader;
using namespace loader::cpu;

Q_DECLARE_METATYPE(loader::cpu::IsaTier)

namespace {

constexpr std::size_t kLengths[] = {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128, 1000};
constexpr float kCanary = 777.25f;

bool close(double value, double expected, double size) {
    return std::abs(value - expected) <= 2e-6 * size + 1e-37;
}

void addTiers() {
    QTest::addColumn<IsaTier>("tier");
    for (const IsaTier tier : allTiers()) {
        if (tier <= detectTier()) QTest::newRow(std::string(tierName(tier)).c_str()) << tier;
    }
}

/// Runs `operation(x, y)` on copies with a canary behind y and compares y with `expected(i)`.
template <class Operation, class Expected>
bool rowMatches(std::size_t count, const Operation& operation, const Expected& expected) {
    std::mt19937 random(static_cast<unsigned>(count));
    const std::vector<float> x = test::randomFloats(count, random);
    std::vector<float> y = test::randomFloats(count, random);
    const std::vector<float> before = y;
    y.push_back(kCanary);
    operation(x.data(), y.data());
    if (y.back() != kCanary) return false;
    for (std::size_t i = 0; i < count; ++i) {
        const auto a = static_cast<double>(x[i]), b = static_cast<double>(before[i]);
        if (!close(static_cast<double>(y[i]), expected(a, b), std::abs(a) + std::abs(b) + std::abs(a * b)))
            return false;
    }
    return true;
}

}  // namespace

class TestKernelsVectors : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sums_data() { addTiers(); }
    void sums();
    void rows_data() { addTiers(); }
    void rows();
    void activations_data() { addTiers(); }
    void activations();
    void exponentials_data() { addTiers(); }
    void exponentials();
    void maxima_data() { addTiers(); }
    void maxima();
    void halves_data() { addTiers(); }
    void halves();
    void cacheRows_data() { addTiers(); }
    void cacheRows();
    void quantisersAgreeBitForBit_data() { addTiers(); }
    void quantisersAgreeBitForBit();
    void pairsStateTheirInputTo16Bits_data() { addTiers(); }
    void pairsStateTheirInputTo16Bits();
    void quantisersStateTheirInput_data() { addTiers(); }
    void quantisersStateTheirInput();
    void valuesThatAreNotFiniteStayVisible_data() { addTiers(); }
    void valuesThatAreNotFiniteStayVisible();
    void denormalsAreOffOnlyInScope();
};

void TestKernelsVectors::sums() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 1);
        const std::vector<float> a = test::randomFloats(count, random);
        const std::vector<float> b = test::randomFloats(count, random);
        double products = 0, size = 0, squares = 0, total = 0, totalSize = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double product = static_cast<double>(a[i]) * static_cast<double>(b[i]);
            products += product;
            size += std::abs(product);
            squares += static_cast<double>(a[i]) * static_cast<double>(a[i]);
            total += static_cast<double>(a[i]);
            totalSize += std::abs(static_cast<double>(a[i]));
        }
        QVERIFY(close(static_cast<double>(kernels.vectors.dot(a.data(), b.data(), count)), products, size));
        QVERIFY(std::abs(kernels.vectors.sumSquares(a.data(), count) - squares) <= 1e-13 * squares);
        QVERIFY(std::abs(kernels.vectors.sum(a.data(), count) - total) <= 1e-13 * totalSize);
    }
}

void TestKernelsVectors::rows() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    const VectorKernels& v = kernels.vectors;
    for (const std::size_t n : kLengths) {
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.axpy(0.75f, x, y, n); },
            [](double a, double b) { return b + 0.75 * a; }));
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.add(x, y, n); }, [](double a, double b) { return a + b; }));
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.multiply(x, y, n); },
            [](double a, double b) { return a * b; }));
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.scale(x, 0.5f, nullptr, y, n); },
            [](double a, double) { return 0.5 * a; }));
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.scale(y, 0.5f, x, y, n); },
            [](double a, double b) { return 0.5 * a * b; }));
    }
}

void TestKernelsVectors::activations() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    const VectorKernels& v = kernels.vectors;
    const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
    const auto gelu = [](double x) {
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    };
    for (const std::size_t n : kLengths) {
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.siluMultiply(x, y, y, n); },
            [&](double a, double b) { return silu(a) * b; }));
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.siluMultiply(x, nullptr, y, n); },
            [&](double a, double) { return silu(a); }));
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.geluMultiply(x, y, y, n); },
            [&](double a, double b) { return gelu(a) * b; }));
        QVERIFY(rowMatches(
            n, [&](const float* x, float* y) { v.geluMultiply(x, nullptr, y, n); },
            [&](double a, double) { return gelu(a); }));
    }
    const float ends[] = {-1000.0f, -100.0f, 100.0f, 1000.0f};
    float out[4];
    v.siluMultiply(ends, nullptr, out, 4);
    QVERIFY(out[0] == 0.0f && std::abs(out[1]) < 1e-30f && out[2] == 100.0f && out[3] == 1000.0f);
    v.geluMultiply(ends, nullptr, out, 4);
    QVERIFY(out[0] == 0.0f && out[1] == 0.0f && out[2] == 100.0f && out[3] == 1000.0f);
}

void TestKernelsVectors::exponentials() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    // From -87.3 to 88.72, where the results are normal numbers.
    std::vector<float> inputs(47573);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        inputs[i] = -87.3f + 0.0037f * static_cast<float>(i);
    std::vector<float> values = inputs;
    kernels.vectors.expRow(values.data(), 0.0f, values.size());
    double worst = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const double exact = std::exp(static_cast<double>(inputs[i]));
        worst = std::max(worst, std::abs(static_cast<double>(values[i]) - exact) / exact);
    }
    QVERIFY2(worst <= 3 * 0x1p-24, qPrintable(QString::number(worst * 0x1p24)));

    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    std::vector<float> ends = {
        -kInfinity, -88.0f, 89.0f, kInfinity, std::numeric_limits<float>::quiet_NaN(), 0.0f, -0.0f, 1e-30f,
        -kInfinity, -88.0f, 89.0f, kInfinity, std::numeric_limits<float>::quiet_NaN(), 0.0f, -0.0f, 1e-30f};
    kernels.vectors.expRow(ends.data(), 0.0f, ends.size());
    for (std::size_t i = 0; i < 16; i += 8) {
        QVERIFY(ends[i] == 0.0f && ends[i + 1] == 0.0f && ends[i + 2] == kInfinity &&
                ends[i + 3] == kInfinity);
        QVERIFY(std::isnan(ends[i + 4]) && ends[i + 5] == 1.0f && ends[i + 6] == 1.0f && ends[i + 7] == 1.0f);
    }
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 5);
        std::vector<float> row = test::randomFloats(count, random);
        const std::vector<float> before = row;
        row.push_back(kCanary);
        const float sum = kernels.vectors.expRow(row.data(), 9.0f, count);
        double total = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double exact = std::exp(static_cast<double>(before[i] - 9.0f));
            QVERIFY(std::abs(static_cast<double>(row[i]) - exact) <= exact * 3 * 0x1p-24);
            total += exact;
        }
        QVERIFY(close(static_cast<double>(sum), total, total) && row.back() == kCanary);
    }
}

void TestKernelsVectors::maxima() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    QVERIFY(kernels.vectors.maximum(nullptr, 0) == -std::numeric_limits<float>::infinity());
    for (const std::size_t count : kLengths) {
        if (count == 0) continue;
        for (std::size_t place = 0; place < count; ++place) {
            std::vector<float> row(count, -3.0f);
            row[place] = -2.0f;
            QCOMPARE(kernels.vectors.maximum(row.data(), count), -2.0f);
        }
    }
}

void TestKernelsVectors::halves() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = static_cast<std::uint16_t>(i);
    std::vector<float> floats(all.size());
    std::vector<std::uint16_t> back(all.size());
    kernels.vectors.halfToFloat(all.data(), floats.data(), all.size());
    kernels.vectors.floatToHalf(floats.data(), back.data(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const float expected = halfToFloat(all[i]);
        if (std::isnan(expected)) {
            QVERIFY(std::isnan(floats[i]) && std::isnan(halfToFloat(back[i])));
        } else {
            const bool same =
                std::bit_cast<std::uint32_t>(floats[i]) == std::bit_cast<std::uint32_t>(expected);
            QVERIFY(same && back[i] == all[i]);
        }
    }
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 2);
        const std::vector<float> in = test::randomFloats(count, random);
        std::vector<std::uint16_t> out(count + 1, 0xABCD);
        kernels.vectors.floatToHalf(in.data(), out.data(), count);
        std::vector<float> again(count + 1, kCanary);
        kernels.vectors.halfToFloat(out.data(), again.data(), count);
        QVERIFY(out.back() == 0xABCD && again.back() == kCanary);
        for (std::size_t i = 0; i < count; ++i)
            QVERIFY(out[i] == floatToHalf(in[i]) && again[i] == halfToFloat(out[i]));
    }
}

void TestKernelsVectors::cacheRows() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    const VectorKernels& v = kernels.vectors;
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 3);
        const std::vector<float> query = test::randomFloats(count, random);
        const std::vector<float> source = test::randomFloats(count, random);
        std::vector<std::uint16_t> key(count);
        for (std::size_t i = 0; i < count; ++i)
            key[i] = floatToHalf(source[i]);
        double product = 0, size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double term = static_cast<double>(query[i]) * static_cast<double>(halfToFloat(key[i]));
            product += term;
            size += std::abs(term);
        }
        QVERIFY(close(static_cast<double>(v.dotHalf(query.data(), key.data(), count)), product, size));
        QVERIFY(rowMatches(
            count, [&](const float*, float* y) { v.axpyHalf(0.0f, key.data(), y, count); },
            [](double, double b) { return b; }));
        std::vector<float> sum(count + 1, 1.0f);
        v.axpyHalf(0.5f, key.data(), sum.data(), count);
        QCOMPARE(sum.back(), 1.0f);
        for (std::size_t i = 0; i < count; ++i) {
            QVERIFY(close(static_cast<double>(sum[i]), 1.0 + 0.5 * static_cast<double>(halfToFloat(key[i])),
                          2 + std::abs(source[i])));
        }
        if (count % 32 != 0) continue;

        std::vector<std::byte> blocks(count / 32 * 34 + 1, std::byte{0x5A});
        v.floatToQ8Row(source.data(), blocks.data(), count);
        QVERIFY(blocks.back() == std::byte{0x5A});
        std::vector<double> stored(count);
        product = size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            std::uint16_t bits;
            std::memcpy(&bits, blocks.data() + i / 32 * 34, 2);
            const auto scale = static_cast<double>(halfToFloat(bits));
            const auto quant = static_cast<std::int8_t>(blocks[i / 32 * 34 + 2 + i % 32]);
            QVERIFY(quant >= -127);
            stored[i] = scale * quant;
            // Half a step, and what a rounded-down scale leaves of 127 steps.
            QVERIFY(std::abs(stored[i] - static_cast<double>(source[i])) <=
                    scale * (0.5 + 127.0 / 2048) * 1.001);
            product += static_cast<double>(query[i]) * stored[i];
            size += std::abs(static_cast<double>(query[i]) * stored[i]);
        }
        QVERIFY(close(static_cast<double>(v.dotQ8(query.data(), blocks.data(), count)), product, size));
        std::vector<float> out(count + 1, 2.0f);
        v.axpyQ8(0.25f, blocks.data(), out.data(), count);
        QCOMPARE(out.back(), 2.0f);
        for (std::size_t i = 0; i < count; ++i) {
            QVERIFY(close(static_cast<double>(out[i]), 2.0 + 0.25 * stored[i], 2 + std::abs(stored[i])));
        }
    }
}

namespace {

std::vector<std::byte> recordOf(const KernelTable& kernels, ActivationKind kind,
                                const std::vector<float>& in) {
    std::vector<std::byte> record(activationLayout(kind, in.size()).stride);
    quantizeActivation(kernels, kind, in.data(), in.size(), record.data());
    return record;
}

std::vector<float> mixedInputs() {
    std::mt19937 random(11);
    std::vector<float> in = test::randomFloats(1024, random);
    std::fill(in.begin() + 256, in.begin() + 512, 0.0f);  // a block of zeros
    for (std::size_t i = 512; i < 768; ++i)
        in[i] *= 1e-33f;  // below what counts
    for (std::size_t i = 768; i < 800; ++i)
        in[i] = i % 2 == 0 ? 2.5f : -127.0f;  // ties
    return in;
}

}  // namespace

void TestKernelsVectors::quantisersAgreeBitForBit() {
    QFETCH(IsaTier, tier);
    const KernelTable lowest = selectKernels(IsaTier::Baseline);
    const KernelTable kernels = selectKernels(tier);
    for (const ActivationKind kind : {ActivationKind::Q8Block32, ActivationKind::Q8Block256,
                                      ActivationKind::Q8Pair32, ActivationKind::Int16Block32}) {
        QVERIFY(recordOf(kernels, kind, mixedInputs()) == recordOf(lowest, kind, mixedInputs()));
    }
}

void TestKernelsVectors::pairsStateTheirInputTo16Bits() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    const std::vector<float> in = mixedInputs();
    const std::vector<std::byte> record = recordOf(kernels, ActivationKind::Q8Pair32, in);
    const ActivationLayout layout = activationLayout(ActivationKind::Q8Pair32, in.size());
    const auto* terms = reinterpret_cast<const std::int8_t*>(record.data());
    double squares = 0;
    std::size_t count = 0;
    for (std::size_t block = 0; block < in.size(); block += 32) {
        double largest = 0.0;
        for (std::size_t i = block; i < block + 32; ++i)
            largest = std::max(largest, std::abs(double{in[i]}));
        if (largest < 0x1p-90) continue;  // rounded to zero on purpose
        float scale = 0.0f;
        std::memcpy(&scale, record.data() + layout.scales + block / 32 * sizeof(float), sizeof(float));
        QVERIFY(std::abs(static_cast<double>(scale) * 32639 - largest) <= largest * 1e-6);
        std::int32_t offset = 0, total = 0;
        std::memcpy(&offset, record.data() + layout.offsets32 + block / 32 * sizeof(offset), sizeof(offset));
        for (std::size_t i = block; i < block + 32; ++i) {
            const int high = terms[2 * block + i % 32], low = terms[2 * block + 32 + i % 32];
            QVERIFY(std::abs(high) <= 127 && std::abs(low) <= 127);
            const double error = static_cast<double>(scale) * (256 * high + low) - double{in[i]};
            QVERIFY(std::abs(error) <= static_cast<double>(scale) * 1.01);
            squares += error * error / static_cast<double>(scale) / static_cast<double>(scale);
            total += 256 * high + low;
            ++count;
        }
        QCOMPARE(offset, -128 * total);
    }
    // Rounding alone is sqrt(1/12) of a step.
    QVERIFY(std::sqrt(squares / static_cast<double>(count)) < 0.32);
}

void TestKernelsVectors::quantisersStateTheirInput() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    const std::vector<float> in = mixedInputs();
    for (const ActivationKind kind : {ActivationKind::Q8Block32, ActivationKind::Q8Block256}) {
        const ActivationLayout layout = activationLayout(kind, in.size());
        const std::vector<std::byte> record = recordOf(kernels, kind, in);
        const auto number = [&](std::size_t part, std::size_t index, auto value) {
            std::memcpy(&value, record.data() + part + index * sizeof(value), sizeof(value));
            return value;
        };
        const std::size_t block = activationBlock(kind);
        std::vector<int> sums16(in.size() / 16);
        for (std::size_t i = 0; i < in.size(); ++i) {
            const auto quant = number(0, i, std::int8_t{});
            const auto scale = static_cast<double>(number(layout.scales, i / block, 0.0f));
            QVERIFY(std::abs(scale * quant - static_cast<double>(in[i])) <= scale * 0.5001 + 0x1p-100);
            sums16[i / 16] += quant;
        }
        for (std::size_t j = 0; j < in.size() / 32; ++j) {
            const int sum = sums16[2 * j] + sums16[2 * j + 1];
            QCOMPARE(number(layout.offsets32, j, std::int32_t{}), -128 * sum);
            if (kind == ActivationKind::Q8Block32) {
                QCOMPARE(number(layout.sums, j, 0.0f),
                         number(layout.scales, j, 0.0f) * static_cast<float>(sum));
                continue;
            }
            QCOMPARE(number(layout.offsets16, 2 * j, std::int32_t{}), -128 * sums16[2 * j]);
            QCOMPARE(number(layout.offsets16, 2 * j + 1, std::int32_t{}), -128 * sums16[2 * j + 1]);
            QCOMPARE(int{number(layout.evenOddSums, j / 8 * 16 + j % 8, std::int16_t{})}, sums16[2 * j]);
            QCOMPARE(int{number(layout.evenOddSums, j / 8 * 16 + 8 + j % 8, std::int16_t{})},
                     sums16[2 * j + 1]);
        }
    }
}

void TestKernelsVectors::valuesThatAreNotFiniteStayVisible() {
    QFETCH(IsaTier, tier);
    const KernelTable kernels = selectKernels(tier);
    std::mt19937 random(3);
    const Result<ScratchBuffer> scratch = ScratchBuffer::create(scratchBytes(512));
    QVERIFY(scratch.ok());
    for (const quant::TensorType type : test::weightTypes()) {
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            const std::vector<std::byte> weights =
                test::randomWeights(type, 512, test::Scales::Sensible, random);
            const WeightView view{type, weights.data(), 1, 512, weights.size()};
            const ActivationKind kind = kernels.activationKind(type);
            const ActivationLayout layout = activationLayout(kind, 512);
            std::vector<float> in = test::randomFloats(512, random);
            in[300] = bad;
            for (const std::size_t tokens : {1, 24}) {
                std::vector<std::byte> records(layout.stride * tokens + 64);
                std::byte* first =
                    records.data() + (64 - reinterpret_cast<std::uintptr_t>(records.data()) % 64);
                for (std::size_t t = 0; t < tokens; ++t) {
                    quantizeActivation(kernels, kind, in.data(), 512, first + t * layout.stride);
                }
                std::vector<float> out(tokens);
                multiplyRows(kernels, view, 0, 1, quantizedActivations(kind, first, 512), tokens, out.data(),
                             1, scratch->view());
                for (const float value : out)
                    QVERIFY2(!std::isfinite(value), std::string(quant::typeName(type)).c_str());
            }
        }
    }
}

void TestKernelsVectors::denormalsAreOffOnlyInScope() {
    volatile float small = std::numeric_limits<float>::min();
    volatile float half = 0.5f;
    QVERIFY(small * half != 0.0f);
    {
        const DenormalsOff off;
#if defined(__x86_64__) || defined(_M_X64) || defined(__aarch64__)
        QVERIFY(small * half == 0.0f);
#endif
    }
    QVERIFY(small * half != 0.0f);
}

QTEST_GUILESS_MAIN(TestKernelsVectors)
#include "tst_kernels_vectors.moc"
