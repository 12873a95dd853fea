// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Metadata, the writer, and real files: what is written reads back the same, in every version and byte order.

#include <QDir>
#include <QTemporaryDir>
#include <QTest>
#include <array>
#include <cmath>
#include <limits>

#include "core/engine/gguf/file.h"
#include "core/engine/gguf/keys.h"
#include "core/engine/gguf/writer.h"
#include "tests/support/gguf_compare.h"
#include "tests/support/malformed_gguf.h"
#include "tests/support/shared_data.h"

using namespace loader;
using namespace loader::gguf;
using namespace loader::test;
using quant::TensorType;

namespace {

constexpr std::array<std::uint64_t, 2> kShape = {32, 3};

std::vector<std::byte> someBytes(std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i)
        bytes[i] = std::byte((i * 37 + 11) & 0xFF);
    return bytes;
}

/// One value of each of the thirteen kinds, and arrays of all that can be in one.
void fillWithEverything(Metadata& metadata) {
    metadata.setText(keys::kArchitecture, "test");
    metadata.set<std::uint8_t>("v.u8", 200);
    metadata.set<std::int8_t>("v.i8", -100);
    metadata.set<std::uint16_t>("v.u16", 60'000);
    metadata.set<std::int16_t>("v.i16", -30'000);
    metadata.set<std::uint32_t>("v.u32", 4'000'000'000u);
    metadata.set<std::int32_t>("v.i32", -2'000'000'000);
    metadata.set<std::uint64_t>("v.u64", std::numeric_limits<std::uint64_t>::max());
    metadata.set<std::int64_t>("v.i64", std::numeric_limits<std::int64_t>::min());
    metadata.set<float>("v.f32", 0.5f);
    metadata.set<double>("v.f64", -1e300);
    metadata.set<bool>("v.bool", true);
    metadata.setText("v.text", "Grüße, 世界");
    const std::string_view texts[] = {"", "a", "", "äöü", "long enough for no small buffer"};
    metadata.setTexts("a.texts", texts);
    metadata.setArray<std::uint8_t>("a.u8", std::array<std::uint8_t, 3>{1, 2, 255});
    metadata.setArray<std::int16_t>("a.i16", std::array<std::int16_t, 3>{-1, 0, 1});
    metadata.setArray<std::int32_t>("a.i32", std::array<std::int32_t, 2>{-70'000, 70'000});
    metadata.setArray<std::int64_t>("a.i64", std::array<std::int64_t, 1>{-5'000'000'000});
    metadata.setArray<float>("a.f32",
                             std::array<float, 3>{-0.0f, 1.5f, std::numeric_limits<float>::infinity()});
    metadata.setArray<double>("a.f64", std::array<double, 1>{0.1});
    metadata.setArray<bool>("a.bool", std::array<bool, 2>{true, false});
    metadata.setArray<std::uint32_t>("a.none", std::span<const std::uint32_t>());
}

struct WriterInput {
    std::vector<std::byte> first = someBytes(32 * 3 * 4);
    std::vector<std::byte> second = someBytes(18 * 3);
};

void fill(Writer& writer, const WriterInput& input) {
    fillWithEverything(writer.metadata());
    writer.addTensor("a.weight", TensorType::F32, kShape, input.first);
    writer.addTensor("b.weight", TensorType::Q4_0, kShape, input.second);
    writer.addTensor("c.weight", TensorType::F32, kShape,
                     [&](std::uint64_t offset, std::span<std::byte> out) {
                         std::copy_n(input.first.begin() + std::ptrdiff_t(offset), out.size(), out.begin());
                         return Status();
                     });
}

/// A file read, written and read again says the same.
Result<std::vector<std::byte>> rewritten(const File& file, std::span<const std::byte> bytes) {
    WriteOptions options;
    options.version = file.version();
    options.byteOrder = file.byteOrder();
    Writer writer(options);
    writer.metadata() = file.metadata().clone();
    for (const TensorInfo& tensor : file.tensors()) {
        writer.addTensor(tensor.name, tensor.type, tensor.shape(),
                         bytes.subspan(tensor.offset, tensor.bytes));
    }
    return writer.toBytes();
}

}  // namespace

class TestGguf : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void scalarsConvertOnlyWithoutLoss();
    void accessNamesTheKeyAndTheKind();
    void settersReplaceAndRemove();
    void arraysConvertOnlyWithoutLoss();
    void valuesPrintForPeople();
    void everyVersionAndOrderReadsBack_data();
    void everyVersionAndOrderReadsBack();
    void theSameInputGivesTheSameBytes();
    void theWriterRefusesWhatTheReaderRefuses();
    void aFileAppearsWholeOrNotAtAll();
    void everyCutOfEveryVersionIsRefused();
    void realFilesSurviveARoundTrip_data();
    void realFilesSurviveARoundTrip();
    void everyCutOfARealHeaderIsRefused();
};

void TestGguf::scalarsConvertOnlyWithoutLoss() {
    Metadata metadata;
    fillWithEverything(metadata);
    QCOMPARE(metadata.get<std::uint32_t>("v.u8"), std::optional<std::uint32_t>(200));
    QCOMPARE(metadata.get<std::int64_t>("v.i8"), std::optional<std::int64_t>(-100));
    QCOMPARE(metadata.get<std::uint64_t>("v.i8"), std::nullopt);
    QCOMPARE(metadata.get<std::int32_t>("v.u32"), std::nullopt);
    QCOMPARE(metadata.get<std::int64_t>("v.u64"), std::nullopt);
    QCOMPARE(metadata.get<std::uint64_t>("v.i64"), std::nullopt);
    QCOMPARE(metadata.get<std::int16_t>("v.i16"), std::optional<std::int16_t>(-30'000));
    QCOMPARE(metadata.get<double>("v.f32"), std::optional<double>(0.5));
    QCOMPARE(metadata.get<float>("v.f64"), std::nullopt);
    QCOMPARE(metadata.get<float>("v.u8"), std::nullopt);
    QCOMPARE(metadata.get<std::uint32_t>("v.f32"), std::nullopt);
    QCOMPARE(metadata.get<std::uint32_t>("v.bool"), std::nullopt);
    QCOMPARE(metadata.get<bool>("v.bool"), std::optional<bool>(true));
    QCOMPARE(metadata.get<bool>("v.u8"), std::nullopt);
    QCOMPARE(metadata.get<std::uint32_t>("v.text"), std::nullopt);
}

void TestGguf::accessNamesTheKeyAndTheKind() {
    Metadata metadata;
    fillWithEverything(metadata);
    const auto missing = metadata.require<std::uint32_t>("v.absent");
    QVERIFY(!missing.ok() && missing.error().code() == Errc::M110);
    QVERIFY(missing.error().message().find("v.absent") != std::string::npos);
    const auto wrong = metadata.require<std::uint32_t>("v.text");
    QVERIFY(!wrong.ok() && wrong.error().code() == Errc::M111);
    QVERIFY(wrong.error().message().find("text") != std::string::npos);
    const auto negative = metadata.lookUp<std::uint32_t>("v.i32");
    QVERIFY(!negative.ok() && negative.error().code() == Errc::M111);
    const auto absent = metadata.lookUp<std::uint32_t>("v.absent");
    QVERIFY(absent.ok() && !absent->has_value());
    QVERIFY(!metadata.requireText("v.u8").ok());
    QVERIFY(metadata.requireFinite("v.f64").ok());
    QVERIFY(metadata.requireFinite("v.i8").value() == -100.0);
    metadata.set<float>("v.nan", std::nanf(""));
    const auto nan = metadata.requireFinite("v.nan");
    QVERIFY(!nan.ok() && nan.error().code() == Errc::GG023);
    QVERIFY(std::isnan(metadata.require<float>("v.nan").value()));
}

void TestGguf::settersReplaceAndRemove() {
    Metadata metadata;
    metadata.set<std::uint32_t>("b", 1);
    metadata.set<std::uint32_t>("a", 2);
    metadata.set<std::uint32_t>("c", 3);
    metadata.setText("a", "new");
    QCOMPARE(metadata.size(), std::size_t(3));
    QCOMPARE(metadata.key(1), std::string_view("a"));
    QCOMPARE(metadata.text("a").value_or(""), std::string_view("new"));
    metadata.remove("b");
    metadata.remove("b");
    QCOMPARE(metadata.size(), std::size_t(2));
    QCOMPARE(metadata.key(0), std::string_view("a"));
    QCOMPARE(metadata.get<int>("c").value_or(0), 3);
    QVERIFY(!metadata.contains("b") && !metadata.contains("A"));
    QVERIFY(metadata == metadata.clone());
}

void TestGguf::arraysConvertOnlyWithoutLoss() {
    Metadata metadata;
    fillWithEverything(metadata);
    QCOMPARE(metadata.arrayOf<std::int64_t>("a.u8").value(), (std::vector<std::int64_t>{1, 2, 255}));
    QCOMPARE(metadata.arrayOf<std::int8_t>("a.i16").value(), (std::vector<std::int8_t>{-1, 0, 1}));
    for (const auto code :
         {metadata.arrayOf<std::int8_t>("a.u8").error().code(),
          metadata.arrayOf<std::uint32_t>("a.i32").error().code(),
          metadata.arrayOf<float>("a.u8").error().code(), metadata.arrayOf<float>("a.f64").error().code(),
          metadata.arrayOf<float>("a.texts").error().code(), metadata.arrayOf<float>("v.f32").error().code(),
          metadata.texts("a.u8").error().code()}) {
        QVERIFY(code == Errc::M111);
    }
    QVERIFY(metadata.arrayOf<float>("nowhere").error().code() == Errc::M110);
    QVERIFY(metadata.arrayOf<std::uint32_t>("a.none").value().empty());
    const TextArrayView texts = metadata.texts("a.texts").value();
    QCOMPARE(texts.size(), std::size_t(5));
    QCOMPARE(texts[2], std::string_view());
    QCOMPARE(texts[3], std::string_view("äöü"));
    QCOMPARE(metadata.arrayLength("a.texts"), std::optional<std::size_t>(5));
    QCOMPARE(metadata.arrayLength("v.text"), std::nullopt);
}

void TestGguf::valuesPrintForPeople() {
    Metadata metadata;
    fillWithEverything(metadata);
    metadata.setText("v.escape", "red \x1b[31m\nline");
    const auto shown = [&](std::string_view key) { return metadata.toString(*metadata.find(key), 2); };
    QCOMPARE(shown("v.i8"), std::string("-100"));
    QCOMPARE(shown("v.u64"), std::string("18446744073709551615"));
    QCOMPARE(shown("v.f32"), std::string("0.5"));
    QCOMPARE(shown("v.f64"), std::string("-1e+300"));
    QCOMPARE(shown("v.bool"), std::string("yes"));
    QCOMPARE(shown("v.escape"), std::string("red \\x1b[31m\nline"));
    QCOMPARE(shown("a.texts"), std::string("[\"\", \"a\", …] (5 x text)"));
    QCOMPARE(shown("a.i32"), std::string("[-70000, 70000] (2 x i32)"));
    QCOMPARE(shown("a.none"), std::string("[] (0 x u32)"));
}

void TestGguf::everyVersionAndOrderReadsBack_data() {
    QTest::addColumn<unsigned>("version");
    QTest::addColumn<bool>("big");
    QTest::addColumn<unsigned>("alignment");
    for (const unsigned version : {1u, 2u, 3u}) {
        for (const bool big : {false, true}) {
            for (const unsigned alignment : {0u, 8u, 4096u}) {
                QTest::addRow("version %u %s-endian, alignment %u", version, big ? "big" : "little",
                              alignment)
                    << version << big << alignment;
            }
        }
    }
}

void TestGguf::everyVersionAndOrderReadsBack() {
    QFETCH(const unsigned, version);
    QFETCH(const bool, big);
    QFETCH(const unsigned, alignment);
    WriteOptions options;
    options.version = version;
    options.byteOrder = big ? ByteOrder::Big : ByteOrder::Little;
    Writer writer(options);
    const WriterInput input;
    fill(writer, input);
    if (alignment != 0) writer.setAlignment(alignment);
    const auto bytes = writer.toBytes();
    QVERIFY2(bytes.ok(), bytes.ok() ? "" : bytes.error().toString().c_str());
    const auto file = File::parse(MemorySource(*bytes));
    QVERIFY2(file.ok(), describe(file).c_str());
    QVERIFY2(file->warnings().empty(), describe(file).c_str());
    QCOMPARE(file->version(), version);
    QCOMPARE(file->byteOrder() == ByteOrder::Big, big);
    QCOMPARE(file->alignment(), std::uint64_t(alignment == 0 ? 32 : alignment));
    QVERIFY(file->metadata() == writer.metadata());
    QCOMPARE(file->tensors().size(), std::size_t(3));
    const TensorInfo* tensor = file->tensor("b.weight");
    QVERIFY(tensor && tensor->type == TensorType::Q4_0 && tensor->rank == 2);
    QVERIFY(std::ranges::equal(tensor->shape(), kShape));
    QVERIFY(std::ranges::equal(std::span(*bytes).subspan(tensor->offset, tensor->bytes), input.second));
    const TensorInfo* called = file->tensor("c.weight");
    QVERIFY(called &&
            std::ranges::equal(std::span(*bytes).subspan(called->offset, called->bytes), input.first));
    QVERIFY(!file->tensor("d.weight"));
    const auto again = rewritten(*file, *bytes);
    QVERIFY(again.ok() && *again == *bytes);
}

void TestGguf::theSameInputGivesTheSameBytes() {
    const WriterInput input;
    Writer one;
    Writer other;
    fill(one, input);
    fill(other, input);
    QVERIFY(one.toBytes().value() == other.toBytes().value());
    QVERIFY(one.toBytes().value() == one.toBytes().value());
}

void TestGguf::theWriterRefusesWhatTheReaderRefuses() {
    const auto data = someBytes(128);
    const std::array<std::uint64_t, 1> shape = {32};
    const auto refusal = [&](const std::function<void(Writer&)>& change, const WriteOptions& options = {}) {
        Writer writer(options);
        writer.addTensor("t", TensorType::F32, shape, data);
        change(writer);
        const auto bytes = writer.toBytes();
        return bytes.ok() ? std::string("accepted") : std::string(bytes.error().name());
    };
    QCOMPARE(refusal([](Writer&) {}), std::string("accepted"));
    QCOMPARE(refusal([](Writer& w) { w.metadata().setText("", "v"); }), std::string("GG012"));
    QCOMPARE(refusal([](Writer& w) { w.metadata().setText("line\nbreak", "v"); }), std::string("GG013"));
    QCOMPARE(refusal([](Writer& w) { w.metadata().setText(std::string(65'536, 'k'), "v"); }),
             std::string("GG011"));
    QCOMPARE(refusal([](Writer& w) { w.metadata().setText("k", "\xff"); }), std::string("GG017"));
    QCOMPARE(refusal([](Writer& w) { w.setAlignment(12); }), std::string("GG031"));
    QCOMPARE(refusal([&](Writer& w) { w.addTensor("t", TensorType::F32, shape, data); }),
             std::string("GG042"));
    QCOMPARE(refusal([&](Writer& w) { w.addTensor("a/b", TensorType::F32, shape, data); }),
             std::string("GG043"));
    QCOMPARE(refusal([&](Writer& w) { w.addTensor("u", TensorType::F32, shape, std::span(data).first(64)); }),
             std::string("X001"));
    QCOMPARE(refusal([&](Writer& w) {
                 w.addTensor("u", TensorType::Q4_0, std::array<std::uint64_t, 1>{33}, data);
             }),
             std::string("GG050"));
    QCOMPARE(refusal([](Writer&) {}, {4, ByteOrder::Little}), std::string("GG007"));
    QCOMPARE(refusal([](Writer&) {}, {0, ByteOrder::Little}), std::string("GG004"));
    const auto wide = [](Writer& w) {
        w.addTensor("u", TensorType::I8, std::array<std::uint64_t, 1>{std::uint64_t(1) << 33},
                    [](std::uint64_t, std::span<std::byte>) { return Status(); });
    };
    QCOMPARE(refusal(wide, {1, ByteOrder::Little}), std::string("X001"));
}

void TestGguf::aFileAppearsWholeOrNotAtAll() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("model.gguf").toStdString();
    const WriterInput input;
    Writer good;
    fill(good, input);
    QVERIFY(good.write(path).ok());
    QVERIFY(good.write(path).ok());  // replaces
    const QByteArray written = readAll(QString::fromStdString(path));
    const auto expected = good.toBytes().value();
    QCOMPARE(std::size_t(written.size()), expected.size());
    QVERIFY(std::memcmp(written.data(), expected.data(), expected.size()) == 0);

    Writer broken;
    fill(broken, input);
    broken.addTensor("z.weight", TensorType::F32, kShape,
                     [](std::uint64_t, std::span<std::byte>) { return Status(Error(Errc::X002)); });
    QVERIFY(broken.write(path).error().code() == Errc::X002);
    QCOMPARE(readAll(QString::fromStdString(path)), written);
    QCOMPARE(QDir(folder.path()).entryList(QDir::Files), QStringList{"model.gguf"});
    QVERIFY(good.write(folder.filePath("no/such/folder/model.gguf").toStdString()).error().code() ==
            Errc::F806);
}

void TestGguf::everyCutOfEveryVersionIsRefused() {
    const WriterInput input;
    for (const std::uint32_t version : {1u, 2u, 3u}) {
        for (const ByteOrder order : {ByteOrder::Little, ByteOrder::Big}) {
            Writer writer({version, order});
            fill(writer, input);
            const auto bytes = writer.toBytes().value();
            const std::uint64_t dataEnd = File::parse(MemorySource(bytes))->tensors().back().offset + 384;
            for (std::size_t length = 0; length < dataEnd; ++length) {
                const auto cut = File::parse(MemorySource(std::span(bytes).first(length)));
                QVERIFY2(!cut.ok(), qPrintable(QString::number(length)));
            }
        }
    }
}

void TestGguf::realFilesSurviveARoundTrip_data() {
    QTest::addColumn<QString>("path");
    int found = 0;
    for (const char* const folder : {"models", "vocab"}) {
        const QDir directory(sharedFile(folder));
        if (sharedFile(folder).isEmpty()) continue;
        for (const QString& name : directory.entryList({"*.gguf"}, QDir::Files)) {
            QTest::newRow(qPrintable(name)) << directory.filePath(name);
            ++found;
        }
    }
    if (found == 0) QTest::newRow("none") << QString();
}

void TestGguf::realFilesSurviveARoundTrip() {
    QFETCH(const QString, path);
    if (path.isEmpty()) QSKIP("optional data absent: models and vocab");
    const QByteArray content = readAll(path);
    const auto bytes = std::as_bytes(std::span(content.constData(), std::size_t(content.size())));
    const auto file = File::parse(MemorySource(bytes));
    QVERIFY2(file.ok(), describe(file).c_str());
    QVERIFY2(file->warnings().empty(), describe(file).c_str());
    const auto again = rewritten(*file, bytes);
    QVERIFY2(again.ok(), again.ok() ? "" : again.error().toString().c_str());
    const auto read = File::parse(MemorySource(*again));
    QVERIFY(read.ok() && read->metadata() == file->metadata());
    QCOMPARE(describe(read), describe(file));
    for (const TensorInfo& tensor : file->tensors()) {
        const TensorInfo* other = read->tensor(tensor.name);
        QVERIFY(other && std::ranges::equal(bytes.subspan(tensor.offset, tensor.bytes),
                                            std::span(*again).subspan(other->offset, other->bytes)));
    }
}

void TestGguf::everyCutOfARealHeaderIsRefused() {
    LOADER_NEED_SHARED(path, "models/stories260K-Q8_0.gguf");
    const QByteArray content = readAll(path);
    const auto bytes = std::as_bytes(std::span(content.constData(), std::size_t(content.size())));
    const auto file = File::parse(MemorySource(bytes));
    QVERIFY(file.ok());
    for (std::size_t length = 0; length < file->dataOffset(); length += 7) {
        const MemorySource cut(bytes.first(length));
        const auto result = File::parse(cut);
        QVERIFY2(!result.ok(), qPrintable(QString::number(length)));
    }
}

QTEST_GUILESS_MAIN(TestGguf)
#include "tst_gguf.moc"
