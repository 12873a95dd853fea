// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every tensor type against the reference implementation, bit for bit: tests/data/quant/dequantized.txt,
// which tests/support/make_quant_goldens.py remakes.

#include <QStringList>
#include <QTest>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <set>
#include <type_traits>
#include <vector>

#include "core/engine/quant/blocks.h"
#include "core/engine/quant/dequantize.h"
#include "tests/unit/quant/quant_test_data.h"

using namespace loader;
using namespace loader::quant;

namespace {

constexpr std::size_t kBlocks = 48;

std::vector<std::uint32_t> bitsOf(const std::vector<float>& values) {
    std::vector<std::uint32_t> bits;
    bits.reserve(values.size());
    for (const float value : values)
        bits.push_back(std::isnan(value) ? 0x7FC00000u : std::bit_cast<std::uint32_t>(value));
    return bits;
}

template <class Block>
concept HasHalfScale = requires(Block block) {
    { block.scale } -> std::same_as<std::uint16_t&>;
};
template <class Block>
concept HasHalfMinimum = requires(Block block) {
    { block.minimum } -> std::same_as<std::uint16_t&>;
};

/// Puts this half-precision number into every scale and minimum of the blocks.
template <class Block>
void setScales(std::vector<std::byte>& data, std::uint16_t bits) {
    for (std::size_t at = 0; at + sizeof(Block) <= data.size(); at += sizeof(Block)) {
        Block block;
        std::memcpy(&block, data.data() + at, sizeof(Block));
        if constexpr (HasHalfScale<Block>) block.scale = bits;
        if constexpr (HasHalfMinimum<Block>) block.minimum = bits;
        if constexpr (std::is_same_v<Block, BlockIQ1_M>) {
            for (int i = 0; i < 4; ++i) {
                block.scales[i] =
                    static_cast<std::uint16_t>((block.scales[i] & 0x0FFF) | (((bits >> (4 * i)) & 15) << 12));
            }
        }
        std::memcpy(data.data() + at, &block, sizeof(Block));
    }
}

void setScales(TensorType type, std::vector<std::byte>& data, std::uint16_t bits) {
    switch (type) {
#define LOADER_TENSOR_TYPE(name, number, values, bytes, role) \
    case TensorType::name:                                    \
        setScales<Block##name>(data, bits);                   \
        return;
#include "core/engine/quant/types.inc"
    }
}

std::vector<std::byte> inputOf(TensorType type, const QString& kind, std::size_t blocks = kBlocks) {
    const std::size_t bytes = blocks * typeInfo(type).blockBytes;
    if (kind == "zero") return std::vector<std::byte>(bytes);
    if (kind == "ones") return std::vector<std::byte>(bytes, std::byte{0xFF});
    auto data = test::randomBytes(static_cast<std::uint64_t>(type), bytes);
    if (kind == "largest") setScales(type, data, 0x7BFF);
    if (kind == "denormal") setScales(type, data, 0x0001);
    return data;
}

}  // namespace

class TestDequantize : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void goldens_data();
    void goldens();
    void everyTypeHasGoldens();
    void anyAlignmentGivesTheSame();
    void remaindersAreLeftAlone();
    void swappingTwiceRestores();
    void scaledSumsAreSwapped();

private:
    QList<QStringList> m_lines;
};

void TestDequantize::initTestCase() {
    m_lines = test::goldenLines("tests/data/quant/dequantized.txt");
    QVERIFY(m_lines.size() > 150);
}

void TestDequantize::goldens_data() {
    QTest::addColumn<QStringList>("fields");
    for (const QStringList& fields : std::as_const(m_lines))
        QTest::newRow(qPrintable(fields[0] + ' ' + fields[1])) << fields;
}

void TestDequantize::goldens() {
    QFETCH(QStringList, fields);
    const auto type = typeFromName(fields[0].toStdString());
    QVERIFY(type.has_value());
    const std::size_t blocks = fields[2].toULongLong();
    QVERIFY(blocks >= kBlocks);
    const QString& kind = fields[1];
    auto data = inputOf(*type, kind, blocks);
    if (kind == "swapped") {
        swapBlockEndianness(*type, data);
        QCOMPARE(test::checksum(data.data(), data.size()), fields[3]);
        return;
    }
    std::vector<float> values(blocks * typeInfo(*type).blockValues);
    dequantizeRow(*type, data.data(), values.data(), values.size());
    const auto bits = bitsOf(values);
    // The first values say more than a checksum when something is wrong.
    for (int i = 0; i + 4 < fields.size(); ++i)
        QCOMPARE(QString::number(bits[static_cast<std::size_t>(i)], 16).rightJustified(8, '0'),
                 fields[i + 4]);
    QCOMPARE(test::checksum(bits.data(), bits.size() * 4), fields[3]);
}

void TestDequantize::everyTypeHasGoldens() {
    for (const TypeInfo& info : allTypes()) {
        std::set<QString> kinds;
        for (const QStringList& fields : std::as_const(m_lines)) {
            if (fields[0].toStdString() == info.name) kinds.insert(fields[1]);
        }
        QVERIFY2(kinds.count("random") == 1 && kinds.count("swapped") == 1, info.name.data());
    }
}

void TestDequantize::anyAlignmentGivesTheSame() {
    for (const TypeInfo& info : allTypes()) {
        const auto data = inputOf(info.type, "random");
        std::vector<float> expected(kBlocks * info.blockValues);
        dequantizeRow(info.type, data.data(), expected.data(), expected.size());
        std::vector<std::byte> shifted(data.size() + 1);
        std::memcpy(shifted.data() + 1, data.data(), data.size());
        std::vector<float> values(expected.size());
        dequantizeRow(info.type, shifted.data() + 1, values.data(), values.size());
        QVERIFY2(bitsOf(values) == bitsOf(expected), info.name.data());
        swapBlockEndianness(info.type, std::span(shifted).subspan(1));
        auto swapped = data;
        swapBlockEndianness(info.type, swapped);
        QVERIFY2(std::memcmp(swapped.data(), shifted.data() + 1, data.size()) == 0, info.name.data());
    }
}

void TestDequantize::remaindersAreLeftAlone() {
    const auto data = inputOf(TensorType::Q4_0, "random");
    std::vector<float> values(64, 7.0f);
    dequantizeRow(TensorType::Q4_0, data.data(), values.data(), 33);
    QCOMPARE(values[32], 7.0f);
    auto bytes = data;
    swapBlockEndianness(TensorType::Q4_0, std::span(bytes).first(18 + 17));
    QVERIFY(bytes[0] == data[1]);
    QVERIFY(bytes[18] == data[18]);
}

void TestDequantize::swappingTwiceRestores() {
    for (const TypeInfo& info : allTypes()) {
        const auto data = inputOf(info.type, "random");
        auto twice = data;
        swapBlockEndianness(info.type, twice);
        const bool bytesOnly =
            info.type == TensorType::I8 || info.type == TensorType::MXFP4 || info.type == TensorType::NVFP4;
        QVERIFY2((twice == data) == bytesOnly, info.name.data());
        swapBlockEndianness(info.type, twice);
        QVERIFY2(twice == data, info.name.data());
    }
}

void TestDequantize::scaledSumsAreSwapped() {
    // The one field that no dequantisation reads, and the widest mixture: half, half, bytes; float, bytes,
    // words.
    BlockQ8_1 small = {};
    small.scaledSum = 0x1234;
    swapByteOrder(small);
    QCOMPARE(small.scaledSum, std::uint16_t{0x3412});
    BlockQ8_K large = {};
    large.sums[15] = 0x0102;
    large.quants[0] = 5;
    swapByteOrder(large);
    QCOMPARE(large.sums[15], std::int16_t{0x0201});
    QCOMPARE(large.quants[0], std::int8_t{5});
}

QTEST_APPLESS_MAIN(TestDequantize)
#include "tst_dequantize.moc"
