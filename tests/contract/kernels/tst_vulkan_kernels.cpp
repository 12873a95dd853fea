// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The Vulkan kernels that are no products, against double precision: norms, activations, experts, forms of
// activations, logits. Attention and the KV cache are in tst_vulkan_attention.cpp.

#include <QTest>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/contract/kernels/random_weights.h"
#include "tests/contract/kernels/vulkan_rig.h"

using namespace loader;
using loader::test::RigBuffer;
using loader::test::rigLaunch;
using loader::test::Untouched;
using loader::vulkan::ShaderId;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

double activated(std::uint32_t kind, double x) {
    if (kind == LOADER_ACTIVATE_SILU) return x / (1.0 + std::exp(-x));
    if (kind == LOADER_ACTIVATE_RELU) return std::max(x, 0.0);
    return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

std::uint32_t groupsFor(std::size_t count, std::uint32_t localSize) {
    return static_cast<std::uint32_t>((count + localSize - 1) / localSize);
}

}  // namespace

class TestVulkanKernels : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void init();
    void norm_data();
    void norm();
    void activate_data();
    void activate();
    void activationsStayFinite();
    void expertSum();
    void quantise_data();
    void quantise();
    void quantiseOfZeros();
    void route_data();
    void route();
    void routeOfNoNumbers();
    void tokenBias();
    void topTokens_data();
    void topTokens();

private:
    /// Random floats from `first` on.
    std::vector<float> fill(RigBuffer buffer, std::size_t first, std::size_t count);

    std::unique_ptr<test::VulkanRig> m_rig;
    std::mt19937 m_random{7};
};

void TestVulkanKernels::initTestCase() {
    auto rig = test::VulkanRig::open();
    if (!rig.ok()) QSKIP(rig.error().toString().c_str());
    m_rig = std::move(rig).value();
}

void TestVulkanKernels::init() {
    for (const RigBuffer buffer : {RigBuffer::Arena, RigBuffer::Vectors, RigBuffer::Step, RigBuffer::Result})
        m_rig->poison(buffer);
}

std::vector<float> TestVulkanKernels::fill(RigBuffer buffer, std::size_t first, std::size_t count) {
    std::vector<float> values = test::randomFloats(count, m_random);
    std::copy(values.begin(), values.end(),
              m_rig->floats(buffer).begin() + static_cast<std::ptrdiff_t>(first));
    return values;
}

void TestVulkanKernels::norm_data() {
    QTest::addColumn<uint>("kind");
    QTest::addColumn<uint>("width");
    QTest::addColumn<uint>("localSize");
    QTest::addColumn<bool>("inPlace");
    QTest::addColumn<bool>("accumulate");
    for (const uint kind : {0u, 1u}) {
        for (const uint width : {1u, 7u, 172u, 1025u}) {
            for (const uint localSize : {32u, 48u, 128u}) {
                for (const int mode : {0, 1, 2}) {
                    const QString name = QString("%1 %2 %3 %4").arg(kind).arg(width).arg(localSize).arg(mode);
                    QTest::newRow(qPrintable(name))
                        << kind << width << localSize << (mode == 1) << (mode == 2);
                }
            }
        }
    }
}

void TestVulkanKernels::norm() {
    QFETCH(uint, kind);
    QFETCH(uint, width);
    QFETCH(uint, localSize);
    QFETCH(bool, inPlace);
    QFETCH(bool, accumulate);
    vulkan::NormPush push{};
    push.width = width;
    push.rows = 3;
    push.parts = 2;
    push.inOffset = 4;
    push.inPartStride = width + 1;
    push.inStride = 2 * push.inPartStride + 1;
    push.outOffset = inPlace ? push.inOffset : 10'000;
    push.outPartStride = push.inPartStride;
    push.outStride = push.inStride;
    push.weightOffset = 2;
    push.biasOffset = kind == 0 ? LOADER_NONE : 2000;
    push.epsilon = 1e-5f;
    push.accumulate = accumulate ? 1 : 0;
    const auto in = fill(RigBuffer::Arena, push.inOffset, push.inStride * push.rows);
    const auto weight = fill(RigBuffer::Vectors, push.weightOffset, width);
    const auto bias = fill(RigBuffer::Vectors, 2000, width);
    const auto before = accumulate ? fill(RigBuffer::Arena, push.outOffset, push.outStride * push.rows) : in;
    Untouched untouched(*m_rig, RigBuffer::Arena);
    std::vector<double> wanted, got;
    // One group too many in each direction.
    QVERIFY(m_rig->run(rigLaunch(ShaderId::Norm, {localSize, kind}, push, {4, 1, 2})).ok());
    for (std::size_t row = 0; row < 6; ++row) {
        const std::size_t at = row / 2 * push.inStride + row % 2 * push.inPartStride;
        double mean = 0.0;
        double squares = 0.0;
        for (std::size_t i = 0; kind == 1 && i < width; ++i)
            mean += in[at + i] / static_cast<double>(width);
        for (std::size_t i = 0; i < width; ++i)
            squares += (in[at + i] - mean) * (in[at + i] - mean) / width;
        for (std::size_t i = 0; i < width; ++i) {
            wanted.push_back((in[at + i] - mean) / std::sqrt(squares + push.epsilon) * weight[i] +
                             (kind == 1 ? bias[i] : 0.0) + (accumulate ? before[at + i] : 0.0));
            got.push_back(m_rig->floats(RigBuffer::Arena)[push.outOffset + at + i]);
        }
        untouched.except(push.outOffset + at, width);
    }
    const double error = test::normalisedError(wanted, got);
    QVERIFY2(error <= 1e-10, qPrintable(QString::number(error)));
    QCOMPARE(untouched.fault(), std::string());
}

void TestVulkanKernels::activate_data() {
    QTest::addColumn<uint>("kind");
    QTest::addColumn<bool>("gated");
    for (const uint kind : {LOADER_ACTIVATE_SILU, LOADER_ACTIVATE_GELU, LOADER_ACTIVATE_RELU}) {
        for (const bool gated : {false, true})
            QTest::newRow(qPrintable(QString("%1 %2").arg(kind).arg(gated))) << kind << gated;
    }
}

void TestVulkanKernels::activate() {
    QFETCH(uint, kind);
    QFETCH(bool, gated);
    const vulkan::ActivatePush push{77, 3, 1, 80, 1000, 81, 2000, 79, kind};
    const auto gate = fill(RigBuffer::Arena, 1, 240);
    const auto up = fill(RigBuffer::Arena, 1000, 243);
    Untouched untouched(*m_rig, RigBuffer::Arena);
    QVERIFY(m_rig->run(rigLaunch(ShaderId::Activate, {32, gated ? 1u : 0u}, push, {3, 3, 1})).ok());
    std::vector<double> wanted, got;
    for (std::size_t t = 0; t < 3; ++t) {
        for (std::size_t i = 0; i < push.width; ++i) {
            const double right = up[t * push.upStride + i];
            wanted.push_back(gated ? activated(kind, gate[t * push.gateStride + i]) * right
                                   : activated(kind, right));
            got.push_back(m_rig->floats(RigBuffer::Arena)[push.outOffset + t * push.outStride + i]);
        }
        untouched.except(push.outOffset + t * push.outStride, push.width);
    }
    const double error = test::normalisedError(wanted, got);
    QVERIFY2(error <= 1e-10, qPrintable(QString::number(error)));
    QCOMPARE(untouched.fault(), std::string());
}

void TestVulkanKernels::activationsStayFinite() {
    const std::vector<float> values{-3e38f, -1000.0f, -88.0f, -0.0f, 0.0f, 88.0f, 1000.0f, 1e12f};
    const auto arena = m_rig->floats(RigBuffer::Arena);
    for (const uint kind : {LOADER_ACTIVATE_SILU, LOADER_ACTIVATE_GELU}) {
        std::copy(values.begin(), values.end(), arena.begin());
        const vulkan::ActivatePush push{8, 1, LOADER_NONE, 0, 0, 8, 8, 8, kind};
        QVERIFY(m_rig->run(rigLaunch(ShaderId::Activate, {32, 0}, push, {1, 1, 1})).ok());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double wanted = values[i] < -80.0f ? 0.0 : static_cast<double>(std::max(values[i], 0.0f));
            QVERIFY2(std::abs(arena[8 + i] - wanted) <= 1e-6 * std::abs(wanted) + 1e-30,
                     qPrintable(QString("%1 of %2 is %3").arg(kind).arg(values[i]).arg(arena[8 + i])));
        }
    }
}

void TestVulkanKernels::expertSum() {
    for (const uint accumulate : {0u, 1u}) {
        const vulkan::ExpertSumPush push{45, 3, 4, 10, 190, 1000, 9, 2000, 50, accumulate};
        const auto parts = fill(RigBuffer::Arena, push.partOffset, 3 * push.partStride);
        const auto routing = fill(RigBuffer::Arena, push.routingOffset, 3 * push.routingStride);
        const auto before = fill(RigBuffer::Arena, push.outOffset, 3 * push.outStride);
        Untouched untouched(*m_rig, RigBuffer::Arena);
        QVERIFY(m_rig->run(rigLaunch(ShaderId::ExpertSum, {32}, push, {2, 3, 1})).ok());
        std::vector<double> wanted, got;
        for (std::size_t t = 0; t < 3; ++t) {
            for (std::size_t i = 0; i < push.width; ++i) {
                double sum = accumulate != 0 ? before[t * push.outStride + i] : 0.0;
                for (std::size_t k = 0; k < push.used; ++k) {
                    sum += static_cast<double>(routing[t * push.routingStride + push.used + k]) *
                           parts[t * push.partStride + k * push.width + i];
                }
                wanted.push_back(sum);
                got.push_back(m_rig->floats(RigBuffer::Arena)[push.outOffset + t * push.outStride + i]);
            }
            untouched.except(push.outOffset + t * push.outStride, push.width);
        }
        QVERIFY(test::normalisedError(wanted, got) <= 1e-10);
        QCOMPARE(untouched.fault(), std::string());
    }
}

void TestVulkanKernels::quantise_data() {
    QTest::addColumn<uint>("columns");
    for (const uint columns : {1u, 31u, 32u, 33u, 100u, 256u})
        QTest::newRow(qPrintable(QString::number(columns))) << columns;
}

void TestVulkanKernels::quantise() {
    QFETCH(uint, columns);
    const uint blocks = (columns + 31) / 32;
    vulkan::QuantisePush push{columns, 3, 2, 7, 600, 300, 5000, 250, 121, 3};
    const auto in = fill(RigBuffer::Arena, push.inOffset, 3 * push.inStride);
    const std::vector<uint> rows{2, 0, 1};
    std::copy(rows.begin(), rows.end(), m_rig->words(RigBuffer::Step).begin() + push.gatherOffset);
    Untouched untouched(*m_rig, RigBuffer::Arena);
    QVERIFY(m_rig->run(rigLaunch(ShaderId::Quantise, {64}, push, {groupsFor(columns, 64), 6, 1})).ok());
    for (std::size_t row = 0; row < 6; ++row) {
        const std::size_t from = rows[row / 2] * push.inStride + row % 2 * push.inPartStride;
        const std::size_t to = push.outOffset + row / 2 * push.outStride + row % 2 * push.outPartStride;
        for (std::size_t block = 0; block < blocks; ++block) {
            const auto words = m_rig->words(RigBuffer::Arena).subspan(to + block * 10, 10);
            const auto floats = m_rig->floats(RigBuffer::Arena).subspan(to + block * 10, 10);
            float greatest = 0.0f;
            int sum = 0;
            for (std::size_t i = 0; i < 32 && block * 32 + i < columns; ++i)
                greatest = std::max(greatest, std::abs(in[from + block * 32 + i]));
            QVERIFY(std::abs(floats[8] - greatest / 127.0f) <= 1e-6f * greatest);
            for (std::size_t i = 0; i < 32; ++i) {
                const auto byte = static_cast<std::int8_t>(words[i / 4] >> (i % 4 * 8));
                const float value = block * 32 + i < columns ? in[from + block * 32 + i] : 0.0f;
                QVERIFY(std::abs(static_cast<float>(byte) * floats[8] - value) <= 0.5001f * floats[8]);
                sum += byte;
            }
            QVERIFY(std::abs(floats[9] - floats[8] * static_cast<float>(sum)) <= 1e-6f * std::abs(floats[9]));
        }
        untouched.except(to, blocks * 10);
    }
    QCOMPARE(untouched.fault(), std::string());
}

void TestVulkanKernels::quantiseOfZeros() {
    const auto arena = m_rig->floats(RigBuffer::Arena);
    std::fill_n(arena.begin(), 64, 0.0f);
    const vulkan::QuantisePush push{64, 1, 1, 0, 64, 64, 64, 20, 20, LOADER_NONE};
    QVERIFY(m_rig->run(rigLaunch(ShaderId::Quantise, {32}, push, {2, 1, 1})).ok());
    for (std::size_t i = 64; i < 84; ++i)
        QCOMPARE(m_rig->words(RigBuffer::Arena)[i] & 0x7FFFFFFFu, 0u);
}

void TestVulkanKernels::route_data() {
    QTest::addColumn<uint>("experts");
    QTest::addColumn<uint>("used");
    QTest::addColumn<uint>("gating");
    QTest::addColumn<uint>("normalise");
    for (const uint experts : {2u, 8u, 61u, 512u}) {
        for (const uint gating : {0u, 1u}) {
            for (const uint normalise : {0u, 1u}) {
                const uint used = std::min(experts, 8u);
                QTest::newRow(qPrintable(QString("%1 %2 %3").arg(experts).arg(gating).arg(normalise)))
                    << experts << used << gating << normalise;
            }
        }
    }
}

void TestVulkanKernels::route() {
    QFETCH(uint, experts);
    QFETCH(uint, used);
    QFETCH(uint, gating);
    QFETCH(uint, normalise);
    const vulkan::RoutePush push{3, experts, used, 5, 520, 3000, 21, gating, normalise, 1.5f};
    auto scores = fill(RigBuffer::Arena, 5, 3 * 520);
    // Equal ones, of which the first comes first.
    for (std::size_t e = 0; e < experts; ++e)
        scores[520 + e] = std::floor(scores[520 + e]);
    std::copy(scores.begin(), scores.end(), m_rig->floats(RigBuffer::Arena).begin() + 5);
    Untouched untouched(*m_rig, RigBuffer::Arena);
    QVERIFY(m_rig->run(rigLaunch(ShaderId::Route, {64}, push, {3, 1, 1})).ok());
    std::vector<double> wanted, got;
    for (std::size_t t = 0; t < 3; ++t) {
        const float* row = scores.data() + t * 520;
        const auto out =
            m_rig->floats(RigBuffer::Arena).subspan(push.outOffset + t * push.outStride, 2 * used);
        std::vector<uint> order(experts);
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(), [&](uint a, uint b) { return row[a] > row[b]; });
        double all = 0.0;
        double chosen = 0.0;
        for (std::size_t e = 0; e < experts; ++e)
            all += std::exp(static_cast<double>(row[e]));
        const auto weightOf = [&](uint e) {
            const double power = std::exp(static_cast<double>(row[e]));
            return gating == 0 ? power / all : power / (1.0 + power);
        };
        for (std::size_t k = 0; k < used; ++k)
            chosen += weightOf(order[k]);
        for (std::size_t k = 0; k < used; ++k) {
            QCOMPARE(out[k], static_cast<float>(order[k]));
            wanted.push_back(weightOf(order[k]) / (normalise != 0 ? chosen : 1.0) * 1.5);
            got.push_back(out[used + k]);
        }
        untouched.except(push.outOffset + t * push.outStride, 2 * used);
    }
    QVERIFY(test::normalisedError(wanted, got) <= 1e-10);
    QCOMPARE(untouched.fault(), std::string());
}

void TestVulkanKernels::routeOfNoNumbers() {
    const std::vector<float> scores{kNan, -kInfinity, 2.0f, kNan, 1.0f};
    std::copy(scores.begin(), scores.end(), m_rig->floats(RigBuffer::Arena).begin());
    for (const uint gating : {0u, 1u}) {
        const vulkan::RoutePush push{1, 5, 4, 0, 5, 100, 8, gating, 1, 1.0f};
        QVERIFY(m_rig->run(rigLaunch(ShaderId::Route, {32}, push, {1, 1, 1})).ok());
        const auto out = m_rig->floats(RigBuffer::Arena).subspan(100, 8);
        QCOMPARE(out[0], 2.0f);
        QCOMPARE(out[1], 4.0f);
        // The rest weighs nothing, but each expert is picked once.
        QVERIFY(out[2] < 5.0f && out[3] < 5.0f && out[2] != out[3]);
        QVERIFY(std::abs(out[4] + out[5] - 1.0f) < 1e-6f && out[4] > out[5]);
        QCOMPARE(out[6], 0.0f);
        QCOMPARE(out[7], 0.0f);
    }
}

void TestVulkanKernels::tokenBias() {
    const auto logits = fill(RigBuffer::Arena, 10, 2 * 105);
    const std::vector<std::pair<uint, float>> list{{3, 1.0f},   {99, -kInfinity},    {3, 0.5f},
                                                   {100, 9.0f}, {0xFFFFFFFFu, 9.0f}, {0, 2.0f}};
    for (std::size_t i = 0; i < list.size(); ++i) {
        m_rig->words(RigBuffer::Step)[20 + 2 * i] = list[i].first;
        m_rig->floats(RigBuffer::Step)[21 + 2 * i] = list[i].second;
    }
    const vulkan::TokenBiasPush push{6, 20, 2, 10, 105, 100};
    Untouched untouched(*m_rig, RigBuffer::Arena);
    QVERIFY(m_rig->run(rigLaunch(ShaderId::TokenBias, {4}, push, {2, 2, 1})).ok());
    for (std::size_t row = 0; row < 2; ++row) {
        const auto arena = m_rig->floats(RigBuffer::Arena).subspan(10 + row * 105, 105);
        QCOMPARE(arena[0], logits[row * 105] + 2.0f);
        QVERIFY(std::abs(arena[3] - (logits[row * 105 + 3] + 1.5f)) < 1e-6f);
        QCOMPARE(arena[99], -kInfinity);
        for (const std::size_t token : {0, 3, 99})
            untouched.except(10 + row * 105 + token, 1);
    }
    QCOMPARE(untouched.fault(), std::string());
}

void TestVulkanKernels::topTokens_data() {
    QTest::addColumn<uint>("count");
    QTest::addColumn<uint>("keep");
    QTest::addColumn<QString>("kind");
    for (const uint count : {1u, 50u, 1024u, 1025u, 5000u}) {
        for (const uint keep : {1u, 40u, 100u}) {
            for (const char* kind : {"random", "equal", "no numbers", "nothing"})
                QTest::newRow(qPrintable(QString("%1 %2 %3").arg(count).arg(keep).arg(kind)))
                    << count << keep << kind;
        }
    }
}

void TestVulkanKernels::topTokens() {
    QFETCH(uint, count);
    QFETCH(uint, keep);
    QFETCH(QString, kind);
    constexpr uint kRows = 2;
    auto logits = fill(RigBuffer::Arena, 3, kRows * (count + 1));
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (kind == "equal") logits[i] = i % 3 == 0 ? -0.0f : 0.0f;
        if (kind == "no numbers" && i % 2 == 0) logits[i] = i % 4 == 0 ? kNan : -kInfinity;
        if (kind == "nothing") logits[i] = i % 2 == 0 ? kNan : -kInfinity;
    }
    std::copy(logits.begin(), logits.end(), m_rig->floats(RigBuffer::Arena).begin() + 3);
    const uint chunks = groupsFor(count, 1024);
    const vulkan::TopPush first{kRows, count, keep, 1, 3, count + 1, 20'000, chunks * keep * 2, 0, 9000, 40};
    const vulkan::TopPush last{kRows, chunks * keep, keep, 0, 20'000, chunks * keep * 2,
                               5,     2 * keep,      1,    0, 0};
    QVERIFY(groupsFor(chunks * keep, 1024) == 1);
    Untouched untouched(*m_rig, RigBuffer::Result);
    const std::vector<test::RigLaunch> launches{
        rigLaunch(ShaderId::TopTokens, {128, 1024}, first, {chunks, kRows, 1}),
        rigLaunch(ShaderId::TopTokens, {128, 1024}, last, {1, kRows, 1})};
    QVERIFY(m_rig->run(launches).ok());
    untouched.except(5, kRows * 2 * keep);
    for (std::size_t row = 0; row < kRows; ++row) {
        std::vector<float> values(logits.begin() + static_cast<std::ptrdiff_t>(row * (count + 1)),
                                  logits.begin() + static_cast<std::ptrdiff_t>(row * (count + 1) + count));
        for (float& value : values)
            value = std::isnan(value) ? -kInfinity : value;
        std::vector<uint> order(count);
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(), [&](uint a, uint b) { return values[a] > values[b]; });
        for (std::size_t k = 0; k < keep; ++k) {
            const std::size_t at = 5 + (row * keep + k) * 2;
            QCOMPARE(m_rig->words(RigBuffer::Result)[at], k < count ? order[k] : 0xFFFFFFFFu);
            QCOMPARE(m_rig->floats(RigBuffer::Result)[at + 1], k < count ? values[order[k]] : -kInfinity);
        }
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
            const auto pair = m_rig->floats(RigBuffer::Result).subspan(9000 + row * 40 + chunk * 2, 2);
            const auto begin = values.begin() + static_cast<std::ptrdiff_t>(chunk * 1024);
            const auto end = values.begin() +
                             static_cast<std::ptrdiff_t>(std::min<std::size_t>(count, chunk * 1024 + 1024));
            const float greatest = *std::max_element(begin, end);
            double sum = 0.0;
            for (auto value = begin; value != end && std::isfinite(greatest); ++value)
                sum += std::exp(static_cast<double>(*value) - greatest);
            QCOMPARE(pair[0], greatest);
            QVERIFY2(std::abs(pair[1] - sum) <= 1e-5 * sum,
                     qPrintable(QString("%1 not %2").arg(pair[1]).arg(sum)));
            untouched.except(9000 + row * 40 + chunk * 2, 2);
        }
    }
    QCOMPARE(untouched.fault(), std::string());
}

QTEST_GUILESS_MAIN(TestVulkanKernels)
#include "tst_vulkan_kernels.moc"
