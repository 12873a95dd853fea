// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Attention of the CPU back end on every tier and KV type against double precision: odd head lengths, groups,
// windows, softcaps, token counts, several sequences, and units run by several threads.

#include <QTest>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <thread>

#include "backends/cpu/exec/attention.h"
#include "backends/cpu/kernels/matmul.h"
#include "core/engine/base/half.h"
#include "tests/contract/kernels/random_weights.h"

using namespace loader;
using namespace loader::cpu;
using backend::KvType;

Q_DECLARE_METATYPE(loader::cpu::IsaTier)
Q_DECLARE_METATYPE(loader::backend::KvType)

namespace {

constexpr float kCanary = 777.25f;

struct Shape {
    std::uint32_t keyLength = 64;
    std::uint32_t valueLength = 64;
    std::uint32_t group = 1;
    std::uint32_t kvHeads = 1;
    std::uint32_t window = 0;
    float softcap = 0.0f;
    /// Positions before the batch, of each sequence.
    std::vector<std::uint32_t> past = {0};
    /// Items of each sequence.
    std::uint32_t tokens = 1;
    /// All items of a sequence see each other.
    bool bidirectional = false;
};

/// A row of the cache as the numbers that it stands for.
std::vector<double> decodeRow(KvType type, const std::byte* row, std::size_t length) {
    std::vector<double> values(length);
    for (std::size_t i = 0; i < length; ++i) {
        std::uint16_t half;
        float number = 0.0f;
        if (type == KvType::F32) {
            std::memcpy(&number, row + 4 * i, sizeof number);
        } else if (type == KvType::F16) {
            std::memcpy(&half, row + 2 * i, sizeof half);
            number = halfToFloat(half);
        } else {
            const std::byte* block = row + i / 32 * 34;
            std::memcpy(&half, block, sizeof half);
            number = halfToFloat(half) * static_cast<float>(static_cast<std::int8_t>(block[2 + i % 32]));
        }
        values[i] = static_cast<double>(number);
    }
    return values;
}

/// A layer with filled cache and a batch.
class Setting {
public:
    Setting(const KernelTable& kernels, KvType type, const Shape& shape)
        : m_kernels(kernels), m_type(type), m_shape(shape), m_random(static_cast<unsigned>(shape.tokens)) {
        m_program.kvLayers.push_back({0, shape.kvHeads, shape.keyLength, shape.valueLength, shape.window});
        const std::uint32_t context = *std::max_element(shape.past.begin(), shape.past.end()) + shape.tokens;
        const std::uint32_t layers[] = {0};
        const auto sequences = static_cast<unsigned>(shape.past.size());
        m_sizes = AttentionSizes::of(m_program, layers, shape.group, sequences * shape.tokens);
        auto cache = KvCache::create(m_program, layers, type, context, sequences);
        m_good = cache && m_partials.allocate(m_sizes);
        if (!m_good) return;
        m_cache = std::make_unique<KvCache>(std::move(*cache));
        fillCache();
        makeBatch();
    }

    bool good() const { return m_good; }

    /// Runs all units on so many threads, the last unit first. Empty where something beside the result
    /// changed.
    std::vector<float> run(unsigned threads) {
        const std::size_t heads = std::size_t{m_shape.kvHeads} * m_shape.group;
        const std::size_t stride = heads * m_shape.valueLength + 3;
        std::vector<float> out(stride * m_items.size(), kCanary);
        AttentionJob job;
        job.layer = &m_program.kvLayers[0];
        job.group = m_shape.group;
        job.scale = scale();
        job.softcap = m_shape.softcap;
        job.tiles = m_tiles;
        job.items = m_items;
        job.visibleEnds = m_ends;
        job.queries = m_queries.data();
        job.queryStride = heads * m_shape.keyLength;
        job.out = out.data();
        job.outStride = stride;
        std::atomic<std::size_t> next{0};
        std::atomic<bool> failed{false};
        const auto member = [&] {
            const AttentionWork work(m_kernels, *m_cache, job, m_partials);
            auto scratch = AttentionScratch::create(m_sizes);
            if (!scratch) {
                failed = true;
                return;
            }
            for (std::size_t i = next++; i < work.units(); i = next++)
                work.run(work.units() - 1 - i, *scratch);
        };
        std::vector<std::thread> others;
        for (unsigned i = 1; i < threads; ++i)
            others.emplace_back(member);
        member();
        for (std::thread& other : others)
            other.join();
        if (failed) return {};
        std::vector<float> rows;
        for (std::size_t i = 0; i < m_items.size(); ++i) {
            const float* row = out.data() + i * stride;
            rows.insert(rows.end(), row, row + stride - 3);
            if (std::count(row + stride - 3, row + stride, kCanary) != 3) return {};
        }
        return rows;
    }

    std::size_t units() {
        AttentionJob job;
        job.layer = &m_program.kvLayers[0];
        job.group = m_shape.group;
        job.tiles = m_tiles;
        job.items = m_items;
        job.visibleEnds = m_ends;
        return AttentionWork(m_kernels, *m_cache, job, m_partials).units();
    }

    /// Largest distance from double precision, in units of the largest value.
    double error(const std::vector<float>& out) const {
        double worst = 0;
        const std::size_t heads = std::size_t{m_shape.kvHeads} * m_shape.group;
        for (std::size_t i = 0; i < m_items.size(); ++i) {
            for (std::size_t h = 0; h < heads; ++h) {
                const std::vector<double> expected = reference(i, h);
                const float* found = out.data() + (i * heads + h) * m_shape.valueLength;
                for (std::size_t d = 0; d < expected.size(); ++d) {
                    const double distance = std::abs(static_cast<double>(found[d]) - expected[d]);
                    if (!(distance <= worst)) worst = std::isnan(distance) ? 1e30 : distance;
                }
            }
        }
        return worst / m_largest;
    }

private:
    float scale() const { return 1.5f / std::sqrt(static_cast<float>(m_shape.keyLength)); }

    void fillCache() {
        for (std::uint32_t s = 0; s < m_shape.past.size(); ++s) {
            for (std::uint32_t h = 0; h < m_shape.kvHeads; ++h) {
                for (std::uint32_t p = 0; p < m_shape.past[s] + m_shape.tokens; ++p) {
                    const std::vector<float> key = test::randomFloats(m_shape.keyLength, m_random);
                    const std::vector<float> value = test::randomFloats(m_shape.valueLength, m_random);
                    for (float v : value)
                        m_largest = std::max(m_largest, std::abs(static_cast<double>(v)));
                    m_cache->store(m_kernels.vectors, {0, s, h}, p, key.data(), value.data());
                }
            }
        }
    }

    void makeBatch() {
        for (std::uint32_t s = 0; s < m_shape.past.size(); ++s) {
            for (std::uint32_t t = 0; t < m_shape.tokens; ++t) {
                backend::BatchItem item;
                item.sequence = s;
                item.position[0] = m_shape.past[s] + t;
                const auto index = static_cast<std::uint32_t>(m_items.size());
                const bool continues = t != 0 && m_tiles.back().count < m_sizes.tileTokens;
                if (continues) {
                    ++m_tiles.back().count;
                } else {
                    m_tiles.push_back({index, 1});
                }
                m_items.push_back(item);
                m_ends.push_back(m_shape.past[s] + (m_shape.bidirectional ? m_shape.tokens : t + 1));
            }
        }
        m_queries = test::randomFloats(m_items.size() * m_shape.kvHeads * m_shape.group * m_shape.keyLength,
                                       m_random);
    }

    std::vector<double> reference(std::size_t item, std::size_t head) const {
        const std::uint32_t sequence = m_items[item].sequence;
        const std::uint32_t position = m_items[item].position[0];
        const std::uint32_t begin =
            m_shape.window != 0 && position + 1 > m_shape.window ? position + 1 - m_shape.window : 0;
        const std::size_t heads = std::size_t{m_shape.kvHeads} * m_shape.group;
        const float* query = m_queries.data() + (item * heads + head) * m_shape.keyLength;
        const KeyBlock all =
            m_cache->block({0, sequence, static_cast<std::uint32_t>(head / m_shape.group)}, 0, 1);
        std::vector<double> weights;
        for (std::uint32_t p = begin; p < m_ends[item]; ++p) {
            const auto key = decodeRow(m_type, all.keys + p * all.keyRowBytes, m_shape.keyLength);
            double score = 0;
            for (std::size_t i = 0; i < key.size(); ++i)
                score += key[i] * static_cast<double>(query[i]);
            score *= static_cast<double>(scale());
            const auto cap = static_cast<double>(m_shape.softcap);
            weights.push_back(cap == 0 ? score : cap * std::tanh(score / cap));
        }
        const double highest = *std::max_element(weights.begin(), weights.end());
        for (double& weight : weights)
            weight = std::exp(weight - highest);
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        std::vector<double> out(m_shape.valueLength, 0.0);
        for (std::uint32_t p = begin; p < m_ends[item]; ++p) {
            const auto value = decodeRow(m_type, all.values + p * all.valueRowBytes, m_shape.valueLength);
            for (std::size_t d = 0; d < out.size(); ++d)
                out[d] += weights[p - begin] / total * value[d];
        }
        return out;
    }

    const KernelTable& m_kernels;
    KvType m_type;
    Shape m_shape;
    std::mt19937 m_random;
    graph::Program m_program;
    AttentionSizes m_sizes;
    AttentionPartials m_partials;
    std::unique_ptr<KvCache> m_cache;
    std::vector<backend::BatchItem> m_items;
    std::vector<std::uint32_t> m_ends;
    std::vector<TokenTile> m_tiles;
    std::vector<float> m_queries;
    double m_largest = 0;
    bool m_good = false;
};

/// Both products and the exponentials are in single precision; scores are about ±10.
constexpr double kTolerance = 1e-5;

void addTiersAndTypes() {
    QTest::addColumn<IsaTier>("tier");
    QTest::addColumn<KvType>("type");
    for (const IsaTier tier : allTiers()) {
        if (tier > detectTier()) continue;
        const std::string name(tierName(tier));
        QTest::newRow((name + " f16").c_str()) << tier << KvType::F16;
        QTest::newRow((name + " q8_0").c_str()) << tier << KvType::Q8_0;
        QTest::newRow((name + " f32").c_str()) << tier << KvType::F32;
    }
}

bool matches(IsaTier tier, KvType type, const Shape& shape) {
    const KernelTable kernels = selectKernels(tier);
    Setting setting(kernels, type, shape);
    if (!setting.good()) return false;
    const std::vector<float> out = setting.run(1);
    const double error = out.empty() ? 1e30 : setting.error(out);
    if (error <= kTolerance) return true;
    qWarning("lengths %u/%u, group %u, kv heads %u, window %u, past %u, tokens %u: error %g", shape.keyLength,
             shape.valueLength, shape.group, shape.kvHeads, shape.window, shape.past[0], shape.tokens, error);
    return false;
}

}  // namespace

class TestAttention : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void headLengths_data() { addTiersAndTypes(); }
    void headLengths();
    void groups_data() { addTiersAndTypes(); }
    void groups();
    void tokenCounts_data() { addTiersAndTypes(); }
    void tokenCounts();
    void windows_data() { addTiersAndTypes(); }
    void windows();
    void softcaps_data() { addTiersAndTypes(); }
    void softcaps();
    void sequences_data() { addTiersAndTypes(); }
    void sequences();
    void threadsDoNotChangeABit_data() { addTiersAndTypes(); }
    void threadsDoNotChangeABit();
    void longContextsBecomeManyUnits();
    void scratchStaysBounded();
};

void TestAttention::headLengths() {
    QFETCH(IsaTier, tier);
    QFETCH(KvType, type);
    for (const std::uint32_t length : {1u, 7u, 33u, 40u, 64u, 80u, 96u, 128u, 192u, 256u}) {
        for (const std::uint32_t tokens : {1u, 21u}) {
            Shape shape;
            shape.keyLength = shape.valueLength = length;
            shape.group = 2;
            shape.past = {70};
            shape.tokens = tokens;
            QVERIFY(matches(tier, type, shape));
        }
    }
    Shape unequal;
    unequal.keyLength = 72;
    unequal.valueLength = 48;
    for (unequal.tokens = 1; unequal.tokens < 40; unequal.tokens += 19)
        QVERIFY(matches(tier, type, unequal));
}

void TestAttention::groups() {
    QFETCH(IsaTier, tier);
    QFETCH(KvType, type);
    for (std::uint32_t group = 1; group <= 8; ++group) {
        for (const std::uint32_t tokens : {1u, 2u, 19u}) {
            Shape shape;
            shape.keyLength = shape.valueLength = 32;
            shape.group = group;
            shape.kvHeads = 2;
            shape.past = {100};
            shape.tokens = tokens;
            QVERIFY(matches(tier, type, shape));
        }
    }
    Shape oneKvHead;
    oneKvHead.keyLength = oneKvHead.valueLength = 16;
    oneKvHead.group = 71;
    oneKvHead.tokens = 9;
    QVERIFY(matches(tier, type, oneKvHead));
}

void TestAttention::tokenCounts() {
    QFETCH(IsaTier, tier);
    QFETCH(KvType, type);
    for (std::uint32_t tokens = 1; tokens <= 70; ++tokens) {
        Shape shape;
        shape.keyLength = shape.valueLength = 32;
        shape.past = {tokens % 5 * 13};
        shape.tokens = tokens;
        QVERIFY(matches(tier, type, shape));
    }
    // More than a tile holds.
    Shape several;
    several.keyLength = several.valueLength = 16;
    several.group = 3;
    several.tokens = 290;
    QVERIFY(matches(tier, type, several));
}

void TestAttention::windows() {
    QFETCH(IsaTier, tier);
    QFETCH(KvType, type);
    for (const std::uint32_t window : {1u, 5u, 63u, 64u, 65u, 100u, 700u}) {
        for (const std::uint32_t tokens : {1u, 50u}) {
            Shape shape;
            shape.keyLength = shape.valueLength = 24;
            shape.group = 2;
            shape.window = window;
            shape.past = {600};
            shape.tokens = tokens;
            QVERIFY(matches(tier, type, shape));
        }
    }
}

void TestAttention::softcaps() {
    QFETCH(IsaTier, tier);
    QFETCH(KvType, type);
    for (const float softcap : {2.0f, 50.0f}) {
        for (const std::uint32_t tokens : {1u, 33u}) {
            for (const bool bidirectional : {false, true}) {
                Shape shape;
                shape.keyLength = shape.valueLength = 32;
                shape.softcap = softcap;
                shape.past = {40};
                shape.tokens = tokens;
                shape.bidirectional = bidirectional;
                QVERIFY(matches(tier, type, shape));
            }
        }
    }
}

void TestAttention::sequences() {
    QFETCH(IsaTier, tier);
    QFETCH(KvType, type);
    Shape shape;
    shape.keyLength = shape.valueLength = 32;
    shape.group = 4;
    shape.kvHeads = 2;
    shape.past = {0, 63, 700, 5};
    for (shape.tokens = 1; shape.tokens < 30; shape.tokens += 13)
        QVERIFY(matches(tier, type, shape));
}

void TestAttention::threadsDoNotChangeABit() {
    QFETCH(IsaTier, tier);
    QFETCH(KvType, type);
    const KernelTable kernels = selectKernels(tier);
    for (const std::uint32_t tokens : {1u, 30u}) {
        Shape shape;
        shape.keyLength = shape.valueLength = 32;
        shape.group = 2;
        shape.past = {2100};
        shape.tokens = tokens;
        // The last range of a window begins behind what the first tokens see.
        for (const std::uint32_t window : {0u, 1030u}) {
            shape.window = window;
            Setting setting(kernels, type, shape);
            QVERIFY(setting.good());
            QVERIFY(setting.units() > 3);
            const std::vector<float> one = setting.run(1);
            QVERIFY(!one.empty() && setting.error(one) <= kTolerance);
            for (const unsigned threads : {2u, 3u, 7u}) {
                const std::vector<float> several = setting.run(threads);
                QCOMPARE(several.size(), one.size());
                QVERIFY(std::memcmp(several.data(), one.data(), one.size() * sizeof(float)) == 0);
            }
        }
    }
}

void TestAttention::longContextsBecomeManyUnits() {
    const KernelTable kernels = selectKernels(IsaTier::Baseline);
    Shape shape;
    shape.keyLength = shape.valueLength = 4;
    shape.past = {16 * 1024};
    Setting oneHead(kernels, KvType::F16, shape);
    QVERIFY(oneHead.good());
    // Ranges are whole blocks.
    QVERIFY(oneHead.units() > 24 && oneHead.units() <= kAttentionUnits);
    shape.window = 512;
    Setting window(kernels, KvType::F16, shape);
    QVERIFY(window.good());
    QVERIFY(window.units() <= 3);
    shape.window = 0;
    shape.kvHeads = 40;
    Setting manyHeads(kernels, KvType::F16, shape);
    QVERIFY(manyHeads.good());
    QCOMPARE(manyHeads.units(), std::size_t{40});
}

void TestAttention::scratchStaysBounded() {
    const std::uint32_t layers[] = {0};
    for (const std::uint32_t length : {64u, 128u, 576u, 4096u}) {
        graph::Program program;
        program.kvLayers.push_back({0, 8, length, length, 0});
        for (const std::uint32_t group : {1u, 8u, 128u}) {
            const AttentionSizes sizes = AttentionSizes::of(program, layers, group, 2048);
            QVERIFY(sizes.tileRows >= group && sizes.tileRows % kQueryTile == 0);
            QVERIFY(sizes.scratchBytes() <= (1u << 20) + length * std::max(2 * group, 256u) * 8);
            QVERIFY(sizes.sharedBytes() <= 8192ull * 4 * (length + 32));
        }
    }
}

QTEST_APPLESS_MAIN(TestAttention)
#include "tst_attention.moc"
