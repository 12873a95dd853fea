// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The list of tensor types, the numbers that are none, and the size function (reliability plan 3.2.1, part
// H).

#include <QTest>
#include <set>
#include <string>
#include <vector>

#include "core/engine/quant/tensor_type.h"

using namespace loader;
using namespace loader::quant;

namespace {

constexpr std::uint64_t power(int exponent) {
    return std::uint64_t{1} << exponent;
}

/// The code of a refusal, or the size in decimal.
std::string outcome(TensorType type, const std::vector<std::uint64_t>& dims) {
    const auto bytes = checkedTensorBytes(type, dims, "t");
    return bytes.ok() ? std::to_string(*bytes) : std::string(bytes.error().name());
}

}  // namespace

class TestTensorType : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sizesAreThoseOfTheFormat_data();
    void sizesAreThoseOfTheFormat();
    void namesAndNumbersAreUnique();
    void namesAreFoundInAnyCase();
    void retiredNumbersAreNamed();
    void everyNumberIsHandled();
    void rowsAreWholeBlocks();
    void tensorSizes_data();
    void tensorSizes();
    void refusalsCarryTheName();
};

void TestTensorType::sizesAreThoseOfTheFormat_data() {
    QTest::addColumn<int>("number");
    QTest::addColumn<int>("values");
    QTest::addColumn<int>("bytes");
    struct Row {
        const char* name;
        int number;
        int values;
        int bytes;
    };
    // Written out a second time on purpose: from the format's documentation, not from types.inc.
    const Row rows[] = {
        {"F32", 0, 1, 4},         {"F16", 1, 1, 2},         {"Q4_0", 2, 32, 18},      {"Q4_1", 3, 32, 20},
        {"Q5_0", 6, 32, 22},      {"Q5_1", 7, 32, 24},      {"Q8_0", 8, 32, 34},      {"Q8_1", 9, 32, 36},
        {"Q2_K", 10, 256, 84},    {"Q3_K", 11, 256, 110},   {"Q4_K", 12, 256, 144},   {"Q5_K", 13, 256, 176},
        {"Q6_K", 14, 256, 210},   {"Q8_K", 15, 256, 292},   {"IQ2_XXS", 16, 256, 66}, {"IQ2_XS", 17, 256, 74},
        {"IQ3_XXS", 18, 256, 98}, {"IQ1_S", 19, 256, 50},   {"IQ4_NL", 20, 32, 18},   {"IQ3_S", 21, 256, 110},
        {"IQ2_S", 22, 256, 82},   {"IQ4_XS", 23, 256, 136}, {"I8", 24, 1, 1},         {"I16", 25, 1, 2},
        {"I32", 26, 1, 4},        {"I64", 27, 1, 8},        {"F64", 28, 1, 8},        {"IQ1_M", 29, 256, 56},
        {"BF16", 30, 1, 2},       {"TQ1_0", 34, 256, 54},   {"TQ2_0", 35, 256, 66},   {"MXFP4", 39, 32, 17},
        {"NVFP4", 40, 64, 36},    {"Q1_0", 41, 128, 18},    {"Q2_0", 42, 64, 18},
    };
    for (const Row& row : rows)
        QTest::newRow(row.name) << row.number << row.values << row.bytes;
    QCOMPARE(allTypes().size(), std::size(rows));
}

void TestTensorType::sizesAreThoseOfTheFormat() {
    QFETCH(int, number);
    QFETCH(int, values);
    QFETCH(int, bytes);
    const auto type = typeFromNumber(static_cast<std::uint32_t>(number));
    QVERIFY(type.has_value());
    const TypeInfo& info = typeInfo(*type);
    QCOMPARE(std::string(info.name), std::string(QTest::currentDataTag()));
    QCOMPARE(static_cast<int>(info.blockValues), values);
    QCOMPARE(static_cast<int>(info.blockBytes), bytes);
    QVERIFY(!retiredType(static_cast<std::uint32_t>(number)).has_value());
}

void TestTensorType::namesAndNumbersAreUnique() {
    std::set<std::string> names;
    std::set<std::uint32_t> numbers;
    for (const TypeInfo& info : allTypes()) {
        QVERIFY(names.insert(std::string(info.name)).second);
        QVERIFY(numbers.insert(static_cast<std::uint32_t>(info.type)).second);
    }
}

void TestTensorType::namesAreFoundInAnyCase() {
    QVERIFY(typeFromName("Q4_K") == TensorType::Q4_K);
    QVERIFY(typeFromName("q4_k") == TensorType::Q4_K);
    QVERIFY(typeFromName("iq2_Xxs") == TensorType::IQ2_XXS);
    for (const char* name : {"", "Q4", "Q4_K ", "Q4_K_M", "F", "Q4_0_4_4"})
        QVERIFY2(!typeFromName(name).has_value(), name);
}

void TestTensorType::retiredNumbersAreNamed() {
    for (const std::uint32_t number : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u}) {
        const auto retired = retiredType(number);
        QVERIFY(retired.has_value());
        QVERIFY(retired->removed);
        QCOMPARE(retired->number, number);
        QVERIFY(!retired->name.empty());
        QVERIFY(retired->advice.find("Q4_0") != std::string_view::npos ||
                retired->advice.find("IQ4_NL") != std::string_view::npos);
    }
    for (const std::uint32_t number :
         {97u, 133u, 134u, 137u, 144u, 151u, 153u, 156u, 202u, 212u, 300u, 397u}) {
        const auto retired = retiredType(number);
        QVERIFY(retired.has_value());
        QVERIFY(!retired->removed);
        QCOMPARE(retired->number, number);
        QVERIFY(retired->name.find("ik_llama.cpp") != std::string_view::npos);
    }
    QVERIFY(retiredType(144)->name.find("IQ4_KS") == 0);
    for (const std::uint32_t number :
         {43u, 96u, 100u, 132u, 161u, 200u, 400u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu})
        QVERIFY(!retiredType(number).has_value());
}

void TestTensorType::everyNumberIsHandled() {
    // Every number is a type, a retired one, or unknown; never two of them.
    for (std::uint32_t number = 0; number < 1000; ++number)
        QVERIFY(!(typeFromNumber(number).has_value() && retiredType(number).has_value()));
    for (const std::uint32_t number : {43u, 200u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu})
        QVERIFY(!typeFromNumber(number).has_value());
}

void TestTensorType::rowsAreWholeBlocks() {
    QCOMPARE(rowBytes(TensorType::Q4_0, 0).value(), 0u);
    QCOMPARE(rowBytes(TensorType::Q4_0, 4096).value(), 2304u);
    QCOMPARE(rowBytes(TensorType::F32, 7).value(), 28u);
    QVERIFY(!rowBytes(TensorType::Q4_0, 33).has_value());
    QVERIFY(!rowBytes(TensorType::Q6_K, 255).has_value());
    QVERIFY(!rowBytes(TensorType::F64, power(60)).has_value());
    QVERIFY(!rowBytes(TensorType::F64, power(61)).has_value());
}

void TestTensorType::tensorSizes_data() {
    QTest::addColumn<QString>("type");
    QTest::addColumn<QVector<quint64>>("dims");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* tag, const char* type, const QVector<quint64>& dims,
                        const char* expected) {
        QTest::newRow(tag) << QString(type) << dims << QString(expected);
    };
    const quint64 top = ~quint64{0};
    row("one value", "F32", {1}, "4");
    row("matrix", "Q4_K", {4096, 32, 2, 1}, "147456");
    row("no dimensions", "F32", {}, "GG044");
    row("five dimensions", "F32", {1, 1, 1, 1, 1}, "GG044");
    row("161", "F32", {0, 2, 2, 2}, "GG045");
    row("162", "F32", {2, 0, 2, 2}, "GG045");
    row("163", "F32", {2, 2, 0, 2}, "GG045");
    row("164", "F32", {2, 2, 2, 0}, "GG045");
    row("zero wins over range", "F32", {top, 0}, "GG045");
    row("165", "F32", {power(63)}, "GG046");
    row("166", "F32", {top}, "GG046");
    row("167", "F32", {power(63) - 1}, "GG046");
    row("168", "F32", {1, power(63)}, "GG046");
    row("169", "F32", {power(32), power(32)}, "GG047");
    row("170", "F32", {power(22), power(21), power(21)}, "GG047");
    row("171", "F32", {power(16), power(16), power(16), power(16)}, "GG047");
    row("172", "I8", {power(32), power(31)}, "GG047");
    row("173", "I8", {power(33), power(31)}, "GG047");
    row("174", "F32", {3 * power(31), power(33)}, "GG047");
    row("175", "Q4_0", {power(32), power(32)}, "GG047");
    row("176", "F32", {power(32) + 32, power(32)}, "GG047");
    row("177", "F32", {6074001000u, 6074001000u}, "GG047");
    row("178", "F32", {power(62)}, "GG051");
    row("179", "F32", {power(62) - 1}, "GG051");
    row("180", "F32", {power(62) - 8}, "GG051");
    row("181", "I64", {power(61)}, "GG051");
    row("182: 2^63 bytes", "I32", {power(60), 2}, "GG051");
    // These can be counted; that the file is too short for them (GG055) is found by the reader.
    row("183", "I8", {power(63) - 64}, "9223372036854775744");
    row("184", "F32", {power(60)}, "4611686018427387904");
    row("185", "F32", {power(38)}, "1099511627776");
    row("186: each of two", "I8", {0x7FFFFFFFFFFFFFC0u}, "9223372036854775744");
    row("187: each of three", "I8", {power(62)}, "4611686018427387904");
    row("202", "Q4_0", {33}, "GG050");
    row("203", "Q4_K", {32}, "GG050");
    row("204", "Q6_K", {255}, "GG050");
    row("whole blocks only by the product", "Q4_0", {16, 2}, "GG050");
    row("count wins over rows", "Q4_0", {power(62) + 1, 2}, "GG047");
    row("small blocks, large count", "Q2_K", {power(62), 1}, "1513209474796486656");
}

void TestTensorType::tensorSizes() {
    QFETCH(QString, type);
    QFETCH(QVector<quint64>, dims);
    QFETCH(QString, expected);
    const auto known = typeFromName(type.toStdString());
    QVERIFY(known.has_value());
    const std::vector<std::uint64_t> plain(dims.begin(), dims.end());
    QCOMPARE(outcome(*known, plain), expected.toStdString());
}

void TestTensorType::refusalsCarryTheName() {
    const std::uint64_t dims[] = {33};
    const auto bytes = checkedTensorBytes(TensorType::Q4_0, dims, "blk.0.attn_q.weight");
    QVERIFY(!bytes.ok());
    const std::string message = bytes.error().message();
    QVERIFY(message.find("blk.0.attn_q.weight") != std::string::npos);
    QVERIFY(message.find("33") != std::string::npos);
    QVERIFY(message.find("32") != std::string::npos);
}

QTEST_APPLESS_MAIN(TestTensorType)
#include "tst_tensor_type.moc"
