// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rotation, the KV cache and attention on the Vulkan device of this machine, against double precision of what
// the cache holds. LOADER_TEST_LONG takes all combinations instead of a selection.

#include <QTest>
#include <algorithm>
#include <cmath>

#include "core/engine/base/half.h"
#include "tests/contract/kernels/random_weights.h"
#include "tests/contract/kernels/vulkan_rig.h"

using namespace loader;
using loader::test::RigBuffer;
using loader::test::rigLaunch;
using loader::test::Untouched;
using loader::vulkan::ShaderId;

namespace {

enum Kv : std::uint32_t { F16, Q8_0, F32 };

std::uint32_t rowWords(std::uint32_t kv, std::uint32_t length) {
    if (kv == F16) return (length + 1) / 2;
    return kv == Q8_0 ? (length + 31) / 32 * 9 : length;
}

/// Value i of a row of the cache.
double valueAt(std::span<const std::uint32_t> row, std::uint32_t kv, std::size_t i) {
    float value = 0.0f;
    if (kv == F16) return halfToFloat(static_cast<std::uint16_t>(row[i / 2] >> (i % 2 * 16)));
    if (kv == F32) {
        std::memcpy(&value, &row[i], sizeof(value));
        return value;
    }
    const auto block = row.subspan(i / 32 * 9, 9);
    std::memcpy(&value, &block[8], sizeof(value));
    return static_cast<double>(static_cast<std::int8_t>(block[i % 32 / 4] >> (i % 4 * 8))) * value;
}

struct Heads {
    std::uint32_t heads;
    std::uint32_t kvHeads;
    std::uint32_t keyLength;
    std::uint32_t valueLength;
};

/// How an attention is cut up.
struct Cut {
    std::uint32_t localSize;
    std::uint32_t heads;
    std::uint32_t tokens;
    std::uint32_t tile;
    std::uint32_t splits;
};

constexpr std::uint32_t kContext = 40;
constexpr std::uint32_t kSequences = 2;

}  // namespace

Q_DECLARE_METATYPE(Heads)
Q_DECLARE_METATYPE(Cut)

class TestVulkanAttention : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void init();
    void ropeStore_data();
    void ropeStore();
    void storesAsTheFormatRounds_data();
    void storesAsTheFormatRounds();
    void attend_data();
    void attend();

private:
    std::vector<float> fill(RigBuffer buffer, std::size_t first, std::size_t count);
    void putItem(std::size_t token, const vulkan::StepItem& item);
    /// Puts random rows into a buffer of the cache.
    void fillCache(RigBuffer buffer, std::uint32_t kv, std::uint32_t kvHeads, std::uint32_t length);
    std::span<const std::uint32_t> cacheRow(RigBuffer buffer, std::uint32_t kv, std::size_t row,
                                            std::uint32_t length) {
        return m_rig->words(buffer).subspan(row * rowWords(kv, length), rowWords(kv, length));
    }
    std::vector<double> attention(const vulkan::AttendPush& push, std::uint32_t kv,
                                  const vulkan::StepItem& item, std::size_t head, const float* query);

    std::unique_ptr<test::VulkanRig> m_rig;
    std::mt19937 m_random{11};
};

void TestVulkanAttention::initTestCase() {
    auto rig = test::VulkanRig::open();
    if (!rig.ok()) QSKIP(rig.error().toString().c_str());
    m_rig = std::move(rig).value();
}

void TestVulkanAttention::init() {
    for (const RigBuffer buffer : {RigBuffer::Arena, RigBuffer::Step, RigBuffer::Keys, RigBuffer::Values})
        m_rig->poison(buffer);
}

std::vector<float> TestVulkanAttention::fill(RigBuffer buffer, std::size_t first, std::size_t count) {
    std::vector<float> values = test::randomFloats(count, m_random);
    std::copy(values.begin(), values.end(),
              m_rig->floats(buffer).begin() + static_cast<std::ptrdiff_t>(first));
    return values;
}

void TestVulkanAttention::putItem(std::size_t token, const vulkan::StepItem& item) {
    std::memcpy(&m_rig->words(RigBuffer::Step)[token * 4], &item, sizeof(item));
}

void TestVulkanAttention::ropeStore_data() {
    QTest::addColumn<uint>("adjacent");
    QTest::addColumn<uint>("kv");
    QTest::addColumn<Heads>("heads");
    QTest::addColumn<uint>("pairs");
    for (const uint kv : {F16, Q8_0, F32}) {
        for (const uint layout : {0u, 1u}) {
            const auto add = [&](const char* name, const Heads& heads, uint pairs) {
                QTest::newRow(qPrintable(QString("%1 kv %2 layout %3").arg(name).arg(kv).arg(layout)))
                    << layout << kv << heads << pairs;
            };
            add("plain", {4, 2, 64, 64}, 32);
            add("partial", {3, 1, 80, 48}, 16);
            add("long", {2, 2, 256, 128}, 128);
            add("none", {1, 2, 10, 6}, 0);
        }
    }
}

void TestVulkanAttention::ropeStore() {
    QFETCH(uint, adjacent);
    QFETCH(uint, kv);
    QFETCH(Heads, heads);
    QFETCH(uint, pairs);
    constexpr uint kTokens = 3;
    vulkan::RopePush push{kTokens,
                          heads.heads,
                          heads.kvHeads,
                          heads.keyLength,
                          heads.valueLength,
                          pairs,
                          100,
                          5,
                          heads.heads * heads.keyLength + 3,
                          6000,
                          heads.kvHeads * heads.keyLength + 1,
                          9000,
                          heads.kvHeads * heads.valueLength + 2,
                          kContext};
    const auto query = fill(RigBuffer::Arena, push.queryOffset, kTokens * push.queryStride);
    const auto key = fill(RigBuffer::Arena, push.keyOffset, kTokens * push.keyStride);
    const auto value = fill(RigBuffer::Arena, push.valueOffset, kTokens * push.valueStride);
    const auto table = fill(RigBuffer::Step, push.tableOffset, std::size_t{kTokens} * 2 * pairs);
    const vulkan::StepItem items[kTokens] = {{3, 1, 4, 0}, {0, 0, 1, 1}, {kContext - 1, 1, kContext, 2}};
    for (std::size_t t = 0; t < kTokens; ++t)
        putItem(t, items[t]);
    Untouched arena(*m_rig, RigBuffer::Arena), keys(*m_rig, RigBuffer::Keys),
        values(*m_rig, RigBuffer::Values);
    const uint most = std::max(heads.heads, heads.kvHeads);
    QVERIFY(m_rig->run(rigLaunch(ShaderId::RopeStore, {32, adjacent, kv}, push, {kTokens, most, 1})).ok());

    const auto turned = [&](std::size_t t, const float* head, std::size_t i) {
        if (i >= 2 * pairs) return static_cast<double>(head[i]);
        const std::size_t pair = adjacent == 0 ? i / 2 : i % pairs;
        const bool second = adjacent == 0 ? i % 2 == 1 : i >= pairs;
        const double cosine = table[(t * pairs + pair) * 2];
        const double sine = table[(t * pairs + pair) * 2 + 1];
        const double x = head[adjacent == 0 ? 2 * pair : pair];
        const double y = head[adjacent == 0 ? 2 * pair + 1 : pair + pairs];
        return second ? x * sine + y * cosine : x * cosine - y * sine;
    };
    std::vector<double> wantedQuery, gotQuery, wantedCache, gotCache;
    for (std::size_t t = 0; t < kTokens; ++t) {
        for (std::size_t h = 0; h < heads.heads; ++h) {
            const std::size_t at = t * push.queryStride + h * heads.keyLength;
            for (std::size_t i = 0; i < heads.keyLength; ++i) {
                wantedQuery.push_back(turned(t, &query[at], i));
                gotQuery.push_back(m_rig->floats(RigBuffer::Arena)[push.queryOffset + at + i]);
            }
            arena.except(push.queryOffset + at, heads.keyLength);
        }
        for (std::size_t h = 0; h < heads.kvHeads; ++h) {
            const std::size_t row = (items[t].sequence * heads.kvHeads + h) * kContext + items[t].position;
            for (std::size_t i = 0; i < heads.keyLength; ++i) {
                wantedCache.push_back(turned(t, &key[t * push.keyStride + h * heads.keyLength], i));
                gotCache.push_back(valueAt(cacheRow(RigBuffer::Keys, kv, row, heads.keyLength), kv, i));
            }
            for (std::size_t i = 0; i < heads.valueLength; ++i) {
                wantedCache.push_back(value[t * push.valueStride + h * heads.valueLength + i]);
                gotCache.push_back(valueAt(cacheRow(RigBuffer::Values, kv, row, heads.valueLength), kv, i));
            }
            keys.except(row * rowWords(kv, heads.keyLength), rowWords(kv, heads.keyLength));
            values.except(row * rowWords(kv, heads.valueLength), rowWords(kv, heads.valueLength));
        }
    }
    const double queryError = test::normalisedError(wantedQuery, gotQuery);
    QVERIFY2(queryError <= 1e-10, qPrintable(QString::number(queryError)));
    // What the cache's own numbers allow: 11 bits, 8 bits of the greatest of 32, 24 bits.
    const double cacheError = test::normalisedError(wantedCache, gotCache);
    const double most2 = kv == F16 ? 1e-6 : kv == Q8_0 ? 3e-4 : 1e-10;
    QVERIFY2(cacheError <= most2, qPrintable(QString::number(cacheError)));
    QCOMPARE(arena.fault() + keys.fault() + values.fault(), std::string());
}

void TestVulkanAttention::storesAsTheFormatRounds_data() {
    QTest::addColumn<uint>("kv");
    QTest::newRow("f16") << uint{F16};
    QTest::newRow("q8_0") << uint{Q8_0};
}

/// Without a rotation the cache holds exactly what the format's own rounding gives.
void TestVulkanAttention::storesAsTheFormatRounds() {
    QFETCH(uint, kv);
    constexpr uint kLength = 1024;
    std::vector<float> key = fill(RigBuffer::Arena, 0, kLength);
    const std::vector<float> special{0.0f,    -0.0f,    65504.0f, 65519.9f, 65520.0f, -1e30f,
                                     6e-8f,   2.9e-8f,  3.0e-8f,  6.1e-5f,  1.00049f, 2049.0f,
                                     2051.0f, -6.0e-5f, 0.33333f, 1e-40f};
    // In a block of Q8_0 these would make its scale infinite.
    if (kv == F16) std::copy(special.begin(), special.end(), key.begin());
    for (std::size_t i = 64; kv == F16 && i < kLength; ++i) {
        const auto bits = static_cast<std::uint32_t>(m_random());
        std::memcpy(&key[i], &bits, sizeof(bits));
        if (std::isnan(key[i])) key[i] = 1.0f;
    }
    std::copy(key.begin(), key.end(), m_rig->floats(RigBuffer::Arena).begin());
    std::fill_n(m_rig->floats(RigBuffer::Arena).begin() + 2000, 32, 0.0f);
    putItem(0, {0, 0, 1, 0});
    const vulkan::RopePush push{1, 1, 1, kLength, 32, 0, 0, 4000, kLength, 0, kLength, 2000, 32, kContext};
    QVERIFY(m_rig->run(rigLaunch(ShaderId::RopeStore, {64, 0, kv}, push, {1, 1, 1})).ok());
    const auto row = cacheRow(RigBuffer::Keys, kv, 0, kLength);
    for (std::size_t i = 0; i < kLength; ++i) {
        if (kv == F16) {
            // A device may take denormal floats for 0; their halves are 0 in any case.
            QCOMPARE(row[i / 2] >> (i % 2 * 16) & 0xFFFFu, uint{floatToHalf(key[i])});
            continue;
        }
        float greatest = 0.0f;
        for (std::size_t k = i / 32 * 32; k < i / 32 * 32 + 32; ++k)
            greatest = std::max(greatest, std::abs(key[k]));
        float scale = 0.0f;
        std::memcpy(&scale, &row[i / 32 * 9 + 8], sizeof(scale));
        QVERIFY(scale == halfToFloat(floatToHalf(scale)));
        QVERIFY(std::abs(scale - greatest / 127.0f) <= greatest / 127.0f * 0.000489f);
        const auto byte = static_cast<std::int8_t>(row[i / 32 * 9 + i % 32 / 4] >> (i % 4 * 8));
        QVERIFY(std::abs(static_cast<float>(byte) - key[i] / (greatest / 127.0f)) <= 0.5001f);
    }
    for (const std::uint32_t word : cacheRow(RigBuffer::Values, kv, 0, 32))
        QCOMPARE(word, 0u);
}

void TestVulkanAttention::fillCache(RigBuffer buffer, std::uint32_t kv, std::uint32_t kvHeads,
                                    std::uint32_t length) {
    const std::size_t rows = std::size_t{kSequences} * kvHeads * kContext;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto words = m_rig->words(buffer).subspan(row * rowWords(kv, length), rowWords(kv, length));
        const auto floats = test::randomFloats(words.size() * 2, m_random);
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (kv == F16)
                words[i] = floatToHalf(floats[2 * i]) |
                           static_cast<std::uint32_t>(floatToHalf(floats[2 * i + 1])) << 16;
            if (kv == Q8_0) words[i] = static_cast<std::uint32_t>(m_random());
            const float number = kv == Q8_0 ? 0.01f * std::abs(floats[i]) : floats[i];
            if (kv == F32 || (kv == Q8_0 && i % 9 == 8)) std::memcpy(&words[i], &number, sizeof(number));
        }
    }
}

void TestVulkanAttention::attend_data() {
    QTest::addColumn<uint>("kv");
    QTest::addColumn<Heads>("heads");
    QTest::addColumn<Cut>("cut");
    QTest::addColumn<uint>("window");
    QTest::addColumn<bool>("softcap");
    const bool all = qEnvironmentVariableIsSet("LOADER_TEST_LONG");
    const std::vector<Heads> shapes{{4, 2, 64, 64}, {6, 1, 32, 48}, {2, 2, 10, 6}, {8, 2, 256, 256}};
    const std::vector<Cut> cuts{{64, 1, 1, 16, 1}, {32, 2, 1, 8, 3}, {128, 1, 4, 16, 1}, {64, 2, 3, 5, 2}};
    int number = 0;
    for (const uint kv : {F16, Q8_0, F32}) {
        for (const Heads& heads : shapes) {
            for (const Cut& cut : cuts) {
                if (heads.heads / heads.kvHeads % cut.heads != 0) continue;
                for (const uint window : {0u, 7u}) {
                    if (!all && number++ % 3 != 0) continue;
                    QTest::newRow(qPrintable(QString("kv %1, %2 heads of %3, cut %4 %5 %6, window %7")
                                                 .arg(kv)
                                                 .arg(heads.heads)
                                                 .arg(heads.keyLength)
                                                 .arg(cut.localSize)
                                                 .arg(cut.tokens)
                                                 .arg(cut.splits)
                                                 .arg(window)))
                        << kv << heads << cut << window << (number % 2 == 0);
                }
            }
        }
    }
}

std::vector<double> TestVulkanAttention::attention(const vulkan::AttendPush& push, std::uint32_t kv,
                                                   const vulkan::StepItem& item, std::size_t head,
                                                   const float* query) {
    const std::size_t first =
        push.window != 0 && item.position + 1 > push.window ? item.position + 1 - push.window : 0;
    const std::size_t rows = (item.sequence * push.kvHeads + head / (push.heads / push.kvHeads)) * kContext;
    std::vector<double> scores;
    for (std::size_t p = first; p < item.visibleEnd; ++p) {
        double score = 0.0;
        for (std::size_t i = 0; i < push.keyLength; ++i)
            score += query[i] * valueAt(cacheRow(RigBuffer::Keys, kv, rows + p, push.keyLength), kv, i);
        score *= push.scale;
        scores.push_back(push.softcap == 0.0f ? score : push.softcap * std::tanh(score / push.softcap));
    }
    std::vector<double> out(push.valueLength);
    if (scores.empty()) return out;
    const double greatest = *std::max_element(scores.begin(), scores.end());
    double total = 0.0;
    for (std::size_t s = 0; s < scores.size(); ++s) {
        const double weight = std::exp(scores[s] - greatest);
        total += weight;
        for (std::size_t i = 0; i < push.valueLength; ++i)
            out[i] +=
                weight * valueAt(cacheRow(RigBuffer::Values, kv, rows + first + s, push.valueLength), kv, i);
    }
    for (double& value : out)
        value /= total;
    return out;
}

void TestVulkanAttention::attend() {
    QFETCH(uint, kv);
    QFETCH(Heads, heads);
    QFETCH(Cut, cut);
    QFETCH(uint, window);
    QFETCH(bool, softcap);
    constexpr uint kTokens = 7;
    const vulkan::AttendPush push{kTokens,
                                  heads.heads,
                                  heads.kvHeads,
                                  heads.keyLength,
                                  heads.valueLength,
                                  window,
                                  kContext,
                                  4,
                                  heads.heads * heads.keyLength + 3,
                                  20'000,
                                  heads.heads * heads.valueLength + 5,
                                  cut.splits,
                                  50'000,
                                  1.0f / std::sqrt(static_cast<float>(heads.keyLength)),
                                  softcap ? 1.5f : 0.0f};
    fillCache(RigBuffer::Keys, kv, heads.kvHeads, heads.keyLength);
    fillCache(RigBuffer::Values, kv, heads.kvHeads, heads.valueLength);
    const auto query = fill(RigBuffer::Arena, push.queryOffset, kTokens * push.queryStride);
    std::vector<vulkan::StepItem> items;
    for (uint t = 0; t < kTokens; ++t) {
        // Those of one workgroup are of one sequence; else all sorts, and one that sees nothing.
        items.push_back({20 + t, cut.tokens > 1 ? 1 : t % 2, 21 + t, t});
        if (cut.tokens == 1) items.back() = {t * 6, t % 2, t == 3 ? 0 : t * 6 + 1, t};
        putItem(t, items.back());
    }
    Untouched untouched(*m_rig, RigBuffer::Arena);
    std::vector<test::RigLaunch> launches{
        rigLaunch(ShaderId::Attend,
                  {cut.localSize, kv, cut.heads, cut.tokens, cut.tile, heads.keyLength, heads.valueLength},
                  push, {heads.heads / cut.heads, (kTokens + cut.tokens - 1) / cut.tokens, cut.splits})};
    if (cut.splits > 1)
        launches.push_back(rigLaunch(ShaderId::AttendMerge, {32}, push, {kTokens * heads.heads, 1, 1}));
    const Status status = m_rig->run(launches);
    QVERIFY2(status.ok(), status.ok() ? "" : status.error().toString().c_str());
    std::vector<double> wanted, got;
    for (std::size_t t = 0; t < kTokens; ++t) {
        for (std::size_t h = 0; h < heads.heads; ++h) {
            const auto row =
                attention(push, kv, items[t], h, &query[t * push.queryStride + h * heads.keyLength]);
            wanted.insert(wanted.end(), row.begin(), row.end());
            const std::size_t at = push.outOffset + t * push.outStride + h * heads.valueLength;
            for (std::size_t i = 0; i < heads.valueLength; ++i)
                got.push_back(m_rig->floats(RigBuffer::Arena)[at + i]);
            untouched.except(at, heads.valueLength);
        }
    }
    if (cut.splits > 1)
        untouched.except(push.partOffset,
                         std::size_t{kTokens} * heads.heads * cut.splits * (heads.valueLength + 2));
    const double error = test::normalisedError(wanted, got);
    QVERIFY2(error <= 1e-10, qPrintable(QString::number(error)));
    QCOMPARE(untouched.fault(), std::string());
}

QTEST_GUILESS_MAIN(TestVulkanAttention)
#include "tst_vulkan_attention.moc"
