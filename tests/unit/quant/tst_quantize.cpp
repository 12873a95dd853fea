// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Writing of tensor types: bytes of the reference where the format fixes them, errors no larger than the
// reference's where there is a search; tests/data/quant/quantized.txt, which
// tests/support/make_quant_goldens.py remakes.

#include <QTest>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/engine/base/half.h"
#include "core/engine/quant/dequantize.h"
#include "core/engine/quant/quantize.h"
#include "tests/unit/quant/quant_test_data.h"

using namespace loader;
using namespace loader::quant;

namespace {

constexpr TensorType kWritable[] = {TensorType::F32,  TensorType::F16,  TensorType::BF16, TensorType::Q4_0,
                                    TensorType::Q8_0, TensorType::Q4_K, TensorType::Q6_K};
constexpr TensorType kBlockTypes[] = {TensorType::Q4_0, TensorType::Q8_0, TensorType::Q4_K, TensorType::Q6_K};

/// Sums of twelve 16-bit numbers: nearly a normal distribution of variance 1, and exact in every language.
std::vector<float> floatsOf(const QString& shape) {
    const auto bytes = test::randomBytes(7, 16384 * 24);
    std::vector<float> values;
    for (std::size_t at = 0; at < bytes.size(); at += 24) {
        int sum = -393210;
        for (std::size_t i = 0; i < 24; i += 2)
            sum += std::to_integer<int>(bytes[at + i]) + (std::to_integer<int>(bytes[at + i + 1]) << 8);
        values.push_back(static_cast<float>(sum) / 65536.0f);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (shape == "outliers" && i % 37 == 0) values[i] *= 8;
        if (shape == "shifted") values[i] += 2;
    }
    return values;
}

std::vector<std::byte> written(TensorType type, const std::vector<float>& values) {
    std::vector<std::byte> bytes(rowBytes(type, values.size()).value());
    const Status status = quantizeRow(type, values.data(), bytes.data(), values.size());
    if (!status.ok()) qFatal("%s", status.error().toString().c_str());
    return bytes;
}

std::vector<float> roundTrip(TensorType type, const std::vector<float>& values) {
    const auto bytes = written(type, values);
    std::vector<float> result(values.size());
    dequantizeRow(type, bytes.data(), result.data(), result.size());
    return result;
}

struct Errors {
    double plain;
    double weighted;
};

Errors errorsOf(const std::vector<float>& values, const std::vector<float>& result) {
    double plain = 0, weighted = 0, weights = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double difference = static_cast<double>(values[i]) - static_cast<double>(result[i]);
        const double weight = std::abs(static_cast<double>(values[i]));
        plain += difference * difference;
        weighted += weight * difference * difference;
        weights += weight;
    }
    return {std::sqrt(plain / static_cast<double>(values.size())), std::sqrt(weighted / weights)};
}

}  // namespace

class TestQuantize : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void reference_data();
    void reference();
    void roundTripBounds_data();
    void roundTripBounds();
    void zerosStayZeros();
    void oneLargeValueKeepsItsSign();
    void constantsAreKept_data();
    void constantsAreKept();
    void tinyValuesDoNotTrap();
    void whatIsNotFiniteIsRefused();
    void tooLargeIsRefused();
    void brokenRowsAreRefused();
    void otherTypesSayWhatToDo();
    void writtenTwiceIsTheSame();
};

void TestQuantize::reference_data() {
    QTest::addColumn<QStringList>("fields");
    for (const QStringList& fields : test::goldenLines("tests/data/quant/quantized.txt"))
        QTest::newRow(qPrintable(fields[0] + ' ' + fields[1])) << fields;
}

void TestQuantize::reference() {
    QFETCH(QStringList, fields);
    const auto type = typeFromName(fields[0].toStdString());
    QVERIFY(type.has_value());
    const auto values = floatsOf(fields[1]);
    if (fields[2] == "bytes") {
        const auto bytes = written(*type, values);
        QCOMPARE(test::checksum(bytes.data(), bytes.size()), fields[3]);
        return;
    }
    const Errors errors = errorsOf(values, roundTrip(*type, values));
    qInfo("plain %.6f of the reference, weighted %.6f", errors.plain / fields[3].toDouble(),
          errors.weighted / fields[4].toDouble());
    QVERIFY(errors.plain <= 1.01 * fields[3].toDouble());
    QVERIFY(errors.weighted <= 1.01 * fields[4].toDouble());
}

void TestQuantize::roundTripBounds_data() {
    QTest::addColumn<QString>("type");
    QTest::addColumn<double>("most");
    // Root mean square error on a normal distribution of variance 1.
    QTest::newRow("F32") << "F32" << 0.0;
    QTest::newRow("F16") << "F16" << 2.5e-4;
    QTest::newRow("BF16") << "BF16" << 2.0e-3;
    QTest::newRow("Q8_0") << "Q8_0" << 5.5e-3;
    QTest::newRow("Q6_K") << "Q6_K" << 0.019;
    QTest::newRow("Q4_K") << "Q4_K" << 0.075;
    QTest::newRow("Q4_0") << "Q4_0" << 0.095;
}

void TestQuantize::roundTripBounds() {
    QFETCH(QString, type);
    QFETCH(double, most);
    const auto values = floatsOf("normal");
    const double error = errorsOf(values, roundTrip(typeFromName(type.toStdString()).value(), values)).plain;
    qInfo("%.6f", error);
    QVERIFY(error <= most);
    QVERIFY(error >= 0.7 * most);  // a bound that is far off would hide a fault
}

void TestQuantize::zerosStayZeros() {
    const std::vector<float> zeros(512, 0.0f);
    for (const TensorType type : kWritable) {
        for (const float value : roundTrip(type, zeros))
            QCOMPARE(value, 0.0f);
    }
}

void TestQuantize::oneLargeValueKeepsItsSign() {
    for (const TensorType type : kBlockTypes) {
        for (const float large : {100.0f, -100.0f}) {
            std::vector<float> values(256, 0.0f);
            values[200] = large;
            const auto result = roundTrip(type, values);
            QVERIFY2(std::abs(result[200] - large) <= 0.002f * 100, typeName(type).data());
            for (std::size_t i = 0; i < values.size(); ++i) {
                // Scale and minimum are rounded to halves apart from each other, so they cancel to 2^-11 of
                // the value.
                if (i != 200) QVERIFY2(std::abs(result[i]) <= 0.001f * 100, typeName(type).data());
            }
        }
    }
}

void TestQuantize::constantsAreKept_data() {
    QTest::addColumn<float>("value");
    for (const float value : {1.0f, -1.0f, 0.37f, -0.37f, 1e-4f, -1e-4f, 30000.0f})
        QTest::addRow("%g", static_cast<double>(value)) << value;
}

void TestQuantize::constantsAreKept() {
    QFETCH(float, value);
    const std::vector<float> values(256, value);
    for (const TensorType type : kBlockTypes) {
        // The scale in half precision costs 2^-11 of a normal scale, more of a denormal one.
        const float most = std::abs(value) * (std::abs(value) < 0.01f ? 0.04f : 0.01f);
        for (const float result : roundTrip(type, values))
            QVERIFY2(std::abs(result - value) <= most,
                     qPrintable(QString("%1: %2").arg(typeName(type).data()).arg(result)));
    }
}

void TestQuantize::tinyValuesDoNotTrap() {
    const float smallest = std::numeric_limits<float>::denorm_min();
    for (const float value : {smallest, -smallest, 1e-40f, 1e-38f, -1e-20f, 1e-9f}) {
        std::vector<float> values(256, value);
        values[3] = 0;
        for (const TensorType type : kBlockTypes) {
            for (const float result : roundTrip(type, values))
                QVERIFY(std::abs(result) <= 1e-6f);
        }
    }
}

void TestQuantize::whatIsNotFiniteIsRefused() {
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity()};
    for (const float value : bad) {
        std::vector<float> values(512, 1.0f);
        values[300] = value;
        std::vector<std::byte> bytes(4 * 512);
        for (const TensorType type : kBlockTypes) {
            const Status status = quantizeRow(type, values.data(), bytes.data(), values.size());
            QVERIFY(!status.ok());
            QCOMPARE(status.error().name(), std::string_view("X001"));
            QVERIFY(status.error().message().find("300") != std::string::npos);
        }
        for (const TensorType type : {TensorType::F32, TensorType::F16, TensorType::BF16}) {
            const float kept = roundTrip(type, values)[300];
            QVERIFY(std::isnan(value) ? std::isnan(kept) : kept == value);
        }
    }
}

void TestQuantize::tooLargeIsRefused() {
    for (const float value :
         {1e9f, -1e9f, 1e30f, std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest()}) {
        for (const bool alone : {true, false}) {
            std::vector<float> values(256, alone ? 0.0f : value);
            values[17] = value;
            values[18] = alone ? 0.0f : -value;
            std::vector<std::byte> bytes(4 * 256);
            for (const TensorType type : kBlockTypes) {
                const Status status = quantizeRow(type, values.data(), bytes.data(), values.size());
                QVERIFY2(!status.ok(), typeName(type).data());
                QCOMPARE(status.error().name(), std::string_view("X001"));
            }
        }
    }
}

void TestQuantize::brokenRowsAreRefused() {
    const std::vector<float> values(512, 1.0f);
    std::vector<std::byte> bytes(4 * 512);
    for (const TensorType type : kBlockTypes) {
        const Status status = quantizeRow(type, values.data(), bytes.data(), typeInfo(type).blockValues + 1);
        QVERIFY(!status.ok());
        QCOMPARE(status.error().name(), std::string_view("X001"));
    }
}

void TestQuantize::otherTypesSayWhatToDo() {
    const std::vector<float> values(256, 1.0f);
    std::vector<std::byte> bytes(8 * 256);
    for (const TypeInfo& info : allTypes()) {
        const Status status = quantizeRow(info.type, values.data(), bytes.data(), values.size());
        QCOMPARE(status.ok(), canQuantize(info.type));
        if (status.ok()) continue;
        QCOMPARE(status.error().name(), std::string_view("X004"));
        QVERIFY(status.error().message().find(info.name) != std::string::npos);
        QVERIFY(status.error().action().find("Q8_0") != std::string::npos);
    }
}

void TestQuantize::writtenTwiceIsTheSame() {
    // What has been through the type once lies on its grid: a second pass must not drift.
    const auto values = floatsOf("normal");
    for (const TensorType type : {TensorType::Q8_0, TensorType::Q4_0}) {
        const auto once = roundTrip(type, values);
        const auto twice = roundTrip(type, once);
        QVERIFY(errorsOf(once, twice).plain < 0.02 * errorsOf(values, once).plain);
    }
}

QTEST_APPLESS_MAIN(TestQuantize)
#include "tst_quantize.moc"
