// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/contract/kernels/vector_checks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "backends/cpu/kernels/matmul.h"
#include "core/engine/base/half.h"
#include "tests/contract/kernels/random_weights.h"

namespace loader::test {
namespace {

using namespace loader::cpu;

/// Keeps the first of what did not hold.
class Faults {
public:
    void expect(bool holds, const char* what) {
        if (!holds && m_first.empty()) m_first = what;
    }
    const std::string& first() const { return m_first; }

private:
    std::string m_first;
};

constexpr std::size_t kLengths[] = {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128, 1000};
constexpr float kCanary = 777.25f;

bool close(double value, double expected, double size) {
    return std::abs(value - expected) <= 2e-6 * size + 1e-37;
}

/// Runs `operation(x, y)` on copies with a canary behind y and compares y with `expected(i)`.
template <class Operation, class Expected>
bool rowMatches(std::size_t count, const Operation& operation, const Expected& expected) {
    std::mt19937 random(static_cast<unsigned>(count));
    const std::vector<float> x = randomFloats(count, random);
    std::vector<float> y = randomFloats(count, random);
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

void sums(const KernelTable& kernels, Faults& faults) {
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 1);
        const std::vector<float> a = randomFloats(count, random);
        const std::vector<float> b = randomFloats(count, random);
        double products = 0, size = 0, squares = 0, total = 0, totalSize = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double product = static_cast<double>(a[i]) * static_cast<double>(b[i]);
            products += product;
            size += std::abs(product);
            squares += static_cast<double>(a[i]) * static_cast<double>(a[i]);
            total += static_cast<double>(a[i]);
            totalSize += std::abs(static_cast<double>(a[i]));
        }
        faults.expect(
            close(static_cast<double>(kernels.vectors.dot(a.data(), b.data(), count)), products, size),
            "dot");
        faults.expect(std::abs(kernels.vectors.sumSquares(a.data(), count) - squares) <= 1e-13 * squares,
                      "sum of squares");
        faults.expect(std::abs(kernels.vectors.sum(a.data(), count) - total) <= 1e-13 * totalSize, "sum");
    }
}

void rows(const KernelTable& kernels, Faults& faults) {
    const VectorKernels& v = kernels.vectors;
    for (const std::size_t n : kLengths) {
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.axpy(0.75f, x, y, n); },
                          [](double a, double b) { return b + 0.75 * a; }),
                      "axpy");
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.add(x, y, n); },
                          [](double a, double b) { return a + b; }),
                      "add");
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.multiply(x, y, n); },
                          [](double a, double b) { return a * b; }),
                      "multiply");
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.scale(x, 0.5f, nullptr, y, n); },
                          [](double a, double) { return 0.5 * a; }),
                      "scale without a weight");
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.scale(y, 0.5f, x, y, n); },
                          [](double a, double b) { return 0.5 * a * b; }),
                      "scale with a weight, in place");
    }
}

void activations(const KernelTable& kernels, Faults& faults) {
    const VectorKernels& v = kernels.vectors;
    const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
    const auto gelu = [](double x) {
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    };
    for (const std::size_t n : kLengths) {
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.siluMultiply(x, y, y, n); },
                          [&](double a, double b) { return silu(a) * b; }),
                      "silu times up");
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.siluMultiply(x, nullptr, y, n); },
                          [&](double a, double) { return silu(a); }),
                      "silu");
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.geluMultiply(x, y, y, n); },
                          [&](double a, double b) { return gelu(a) * b; }),
                      "gelu times up");
        faults.expect(rowMatches(
                          n, [&](const float* x, float* y) { v.geluMultiply(x, nullptr, y, n); },
                          [&](double a, double) { return gelu(a); }),
                      "gelu");
    }
    const float ends[] = {-1000.0f, -100.0f, 100.0f, 1000.0f};
    float out[4];
    v.siluMultiply(ends, nullptr, out, 4);
    faults.expect(out[0] == 0.0f && std::abs(out[1]) < 1e-30f && out[2] == 100.0f && out[3] == 1000.0f,
                  "silu at the ends");
    v.geluMultiply(ends, nullptr, out, 4);
    faults.expect(out[0] == 0.0f && out[1] == 0.0f && out[2] == 100.0f && out[3] == 1000.0f,
                  "gelu at the ends");
}

void exponentials(const KernelTable& kernels, Faults& faults) {
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
    faults.expect(worst <= 3 * 0x1p-24, "relative error of the exponential");

    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    std::vector<float> ends = {
        -kInfinity, -88.0f, 89.0f, kInfinity, std::numeric_limits<float>::quiet_NaN(), 0.0f, -0.0f, 1e-30f,
        -kInfinity, -88.0f, 89.0f, kInfinity, std::numeric_limits<float>::quiet_NaN(), 0.0f, -0.0f, 1e-30f};
    kernels.vectors.expRow(ends.data(), 0.0f, ends.size());
    for (std::size_t i = 0; i < 16; i += 8) {
        faults.expect(
            ends[i] == 0.0f && ends[i + 1] == 0.0f && ends[i + 2] == kInfinity && ends[i + 3] == kInfinity,
            "the exponential beyond both ends");
        faults.expect(
            std::isnan(ends[i + 4]) && ends[i + 5] == 1.0f && ends[i + 6] == 1.0f && ends[i + 7] == 1.0f,
            "the exponential of no number and of 0");
    }
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 5);
        std::vector<float> row = randomFloats(count, random);
        const std::vector<float> before = row;
        row.push_back(kCanary);
        const float sum = kernels.vectors.expRow(row.data(), 9.0f, count);
        double total = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double exact = std::exp(static_cast<double>(before[i] - 9.0f));
            faults.expect(std::abs(static_cast<double>(row[i]) - exact) <= exact * 3 * 0x1p-24,
                          "a row of exponentials");
            total += exact;
        }
        faults.expect(close(static_cast<double>(sum), total, total) && row.back() == kCanary,
                      "the sum of a row of exponentials");
    }
}

void maxima(const KernelTable& kernels, Faults& faults) {
    faults.expect(kernels.vectors.maximum(nullptr, 0) == -std::numeric_limits<float>::infinity(),
                  "the maximum of nothing");
    for (const std::size_t count : kLengths) {
        if (count == 0) continue;
        for (std::size_t place = 0; place < count; ++place) {
            std::vector<float> row(count, -3.0f);
            row[place] = -2.0f;
            faults.expect(kernels.vectors.maximum(row.data(), count) == -2.0f, "the maximum of a row");
        }
    }
}

void halves(const KernelTable& kernels, Faults& faults) {
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
            faults.expect(std::isnan(floats[i]) && std::isnan(halfToFloat(back[i])),
                          "half precision: no number");
        } else {
            const bool same =
                std::bit_cast<std::uint32_t>(floats[i]) == std::bit_cast<std::uint32_t>(expected);
            faults.expect(same && back[i] == all[i], "half precision: every number there and back");
        }
    }
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 2);
        const std::vector<float> in = randomFloats(count, random);
        std::vector<std::uint16_t> out(count + 1, 0xABCD);
        kernels.vectors.floatToHalf(in.data(), out.data(), count);
        std::vector<float> again(count + 1, kCanary);
        kernels.vectors.halfToFloat(out.data(), again.data(), count);
        faults.expect(out.back() == 0xABCD && again.back() == kCanary,
                      "half precision: wrote beyond the row");
        for (std::size_t i = 0; i < count; ++i)
            faults.expect(out[i] == floatToHalf(in[i]) && again[i] == halfToFloat(out[i]),
                          "half precision: a row");
    }
}

void cacheRows(const KernelTable& kernels, Faults& faults) {
    const VectorKernels& v = kernels.vectors;
    for (const std::size_t count : kLengths) {
        std::mt19937 random(static_cast<unsigned>(count) + 3);
        const std::vector<float> query = randomFloats(count, random);
        const std::vector<float> source = randomFloats(count, random);
        std::vector<std::uint16_t> key(count);
        for (std::size_t i = 0; i < count; ++i)
            key[i] = floatToHalf(source[i]);
        double product = 0, size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double term = static_cast<double>(query[i]) * static_cast<double>(halfToFloat(key[i]));
            product += term;
            size += std::abs(term);
        }
        faults.expect(close(static_cast<double>(v.dotHalf(query.data(), key.data(), count)), product, size),
                      "dot with half precision");
        faults.expect(rowMatches(
                          count, [&](const float*, float* y) { v.axpyHalf(0.0f, key.data(), y, count); },
                          [](double, double b) { return b; }),
                      "axpy with half precision, by 0");
        std::vector<float> sum(count + 1, 1.0f);
        v.axpyHalf(0.5f, key.data(), sum.data(), count);
        faults.expect(sum.back() == 1.0f, "axpy with half precision: wrote beyond the row");
        for (std::size_t i = 0; i < count; ++i) {
            faults.expect(
                close(static_cast<double>(sum[i]), 1.0 + 0.5 * static_cast<double>(halfToFloat(key[i])),
                      2 + std::abs(source[i])),
                "axpy with half precision");
        }
        if (count % 32 != 0) continue;

        std::vector<std::byte> blocks(count / 32 * 34 + 1, std::byte{0x5A});
        v.floatToQ8Row(source.data(), blocks.data(), count);
        faults.expect(blocks.back() == std::byte{0x5A}, "Q8_0 row: wrote beyond the row");
        std::vector<double> stored(count);
        product = size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            std::uint16_t bits;
            std::memcpy(&bits, blocks.data() + i / 32 * 34, 2);
            const auto scale = static_cast<double>(halfToFloat(bits));
            const auto quant = static_cast<std::int8_t>(blocks[i / 32 * 34 + 2 + i % 32]);
            faults.expect(quant >= -127, "Q8_0 row: a quant below -127");
            stored[i] = scale * quant;
            // Half a step, and what a rounded-down scale leaves of 127 steps.
            faults.expect(
                std::abs(stored[i] - static_cast<double>(source[i])) <= scale * (0.5 + 127.0 / 2048) * 1.001,
                "Q8_0 row: a value too far off");
            product += static_cast<double>(query[i]) * stored[i];
            size += std::abs(static_cast<double>(query[i]) * stored[i]);
        }
        faults.expect(close(static_cast<double>(v.dotQ8(query.data(), blocks.data(), count)), product, size),
                      "dot with Q8_0");
        std::vector<float> out(count + 1, 2.0f);
        v.axpyQ8(0.25f, blocks.data(), out.data(), count);
        faults.expect(out.back() == 2.0f, "axpy with Q8_0: wrote beyond the row");
        for (std::size_t i = 0; i < count; ++i) {
            faults.expect(close(static_cast<double>(out[i]), 2.0 + 0.25 * stored[i], 2 + std::abs(stored[i])),
                          "axpy with Q8_0");
        }
    }
}

std::vector<std::byte> recordOf(const KernelTable& kernels, ActivationKind kind,
                                const std::vector<float>& in) {
    std::vector<std::byte> record(activationLayout(kind, in.size()).stride);
    quantizeActivation(kernels, kind, in.data(), in.size(), record.data());
    return record;
}

std::vector<float> mixedInputs() {
    std::mt19937 random(11);
    std::vector<float> in = randomFloats(1024, random);
    std::fill(in.begin() + 256, in.begin() + 512, 0.0f);  // a block of zeros
    for (std::size_t i = 512; i < 768; ++i)
        in[i] *= 1e-33f;  // below what counts
    for (std::size_t i = 768; i < 800; ++i)
        in[i] = i % 2 == 0 ? 2.5f : -127.0f;  // ties
    return in;
}

void quantisersAgreeBitForBit(const KernelTable& kernels, Faults& faults) {
    const KernelTable lowest = selectKernels(IsaTier::Baseline);
    for (const ActivationKind kind : {ActivationKind::Q8Block32, ActivationKind::Q8Block256,
                                      ActivationKind::Q8Pair32, ActivationKind::Int16Block32}) {
        faults.expect(recordOf(kernels, kind, mixedInputs()) == recordOf(lowest, kind, mixedInputs()),
                      "record differs from that of the baseline tier");
    }
}

void pairsStateTheirInputTo16Bits(const KernelTable& kernels, Faults& faults) {
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
        const auto step = static_cast<double>(scale);
        faults.expect(std::abs(step * 32639 - largest) <= largest * 1e-6, "scale of a pair");
        std::int32_t offset = 0;
        double total = 0.0;
        std::memcpy(&offset, record.data() + layout.offsets32 + block / 32 * sizeof(offset), sizeof(offset));
        for (std::size_t i = block; i < block + 32; ++i) {
            const double high = terms[2 * block + i % 32];
            const double low = terms[2 * block + 32 + i % 32];
            faults.expect(std::abs(high) <= 127 && std::abs(low) <= 127, "range of a pair");
            const double error = step * (256 * high + low) - double{in[i]};
            faults.expect(std::abs(error) <= step * 1.01, "pair too far off its input");
            squares += error * error / step / step;
            total += 256 * high + low;
            ++count;
        }
        faults.expect(offset == -128 * total, "offset of a pair");
    }
    // Rounding alone is sqrt(1/12) of a step.
    faults.expect(std::sqrt(squares / static_cast<double>(count)) < 0.32, "rounding of pairs");
}

void quantisersStateTheirInput(const KernelTable& kernels, Faults& faults) {
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
            faults.expect(std::abs(scale * quant - static_cast<double>(in[i])) <= scale * 0.5001 + 0x1p-100,
                          "record too far off its input");
            sums16[i / 16] += quant;
        }
        for (std::size_t j = 0; j < in.size() / 32; ++j) {
            const int sum = sums16[2 * j] + sums16[2 * j + 1];
            faults.expect(number(layout.offsets32, j, std::int32_t{}) == -128 * sum,
                          "record: offset of 32 values");
            if (kind == ActivationKind::Q8Block32) {
                faults.expect(
                    number(layout.sums, j, 0.0f) == number(layout.scales, j, 0.0f) * static_cast<float>(sum),
                    "record: sum of 32 values");
                continue;
            }
            faults.expect(number(layout.offsets16, 2 * j, std::int32_t{}) == -128 * sums16[2 * j],
                          "record: offset of the even 16 values");
            faults.expect(number(layout.offsets16, 2 * j + 1, std::int32_t{}) == -128 * sums16[2 * j + 1],
                          "record: offset of the odd 16 values");
            faults.expect(
                int{number(layout.evenOddSums, j / 8 * 16 + j % 8, std::int16_t{})} == sums16[2 * j],
                "record: even sum");
            faults.expect(
                int{number(layout.evenOddSums, j / 8 * 16 + 8 + j % 8, std::int16_t{})} == sums16[2 * j + 1],
                "record: odd sum");
        }
    }
}

void valuesThatAreNotFiniteStayVisible(const KernelTable& kernels, Faults& faults) {
    std::mt19937 random(3);
    const Result<ScratchBuffer> scratch = ScratchBuffer::create(scratchBytes(512));
    faults.expect(scratch.ok(), "no scratch");
    for (const quant::TensorType type : weightTypes()) {
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            const std::vector<std::byte> weights = randomWeights(type, 512, Scales::Sensible, random);
            const WeightView view{type, weights.data(), 1, 512, weights.size()};
            const ActivationKind kind = kernels.activationKind(type);
            const ActivationLayout layout = activationLayout(kind, 512);
            std::vector<float> in = randomFloats(512, random);
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
                    faults.expect(!std::isfinite(value), "a value that is not finite was lost");
            }
        }
    }
}

using Check = void (*)(const KernelTable&, Faults&);

struct NamedCheck {
    const char* name;
    Check check;
};

constexpr NamedCheck kChecks[] = {
    {"sums", sums},
    {"rows", rows},
    {"activations", activations},
    {"exponentials", exponentials},
    {"maxima", maxima},
    {"halves", halves},
    {"cacheRows", cacheRows},
    {"quantisersAgreeBitForBit", quantisersAgreeBitForBit},
    {"pairsStateTheirInputTo16Bits", pairsStateTheirInputTo16Bits},
    {"quantisersStateTheirInput", quantisersStateTheirInput},
    {"valuesThatAreNotFiniteStayVisible", valuesThatAreNotFiniteStayVisible},
};

}  // namespace

std::vector<std::string> vectorChecks() {
    std::vector<std::string> names;
    for (const NamedCheck& named : kChecks)
        names.emplace_back(named.name);
    return names;
}

std::string faultOfVectors(const KernelTable& kernels, const std::string& check) {
    Faults faults;
    for (const NamedCheck& named : kChecks) {
        if (check == named.name) named.check(kernels, faults);
    }
    return faults.first();
}

}  // namespace loader::test
