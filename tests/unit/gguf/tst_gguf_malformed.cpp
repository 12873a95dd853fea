// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The 229 malformed files: exact codes, the same answer from four readers, and every cut of the valid file.

#include <QTemporaryDir>
#include <QTest>
#include <algorithm>

#include "core/engine/base/mapped_file.h"
#include "core/engine/gguf/file.h"
#include "tests/support/gguf_compare.h"
#include "tests/support/malformed_gguf.h"

using namespace loader;
using namespace loader::gguf;
using namespace loader::test;

namespace {

/// Hands out one byte at a time, however many are asked for.
class OneByteSource final : public ByteSource {
public:
    explicit OneByteSource(const ByteSource& source) : m_source(source) {}
    std::uint64_t size() const override { return m_source.size(); }
    Status read(std::uint64_t offset, std::span<std::byte> out) const override {
        for (std::size_t i = 0; i < out.size(); ++i)
            LOADER_CHECK(m_source.read(offset + i, out.subspan(i, 1)));
        return {};
    }

private:
    const ByteSource& m_source;
};

std::string pathOf(const QTemporaryDir& folder, int number) {
    return folder.filePath(QStringLiteral("%1.gguf").arg(number)).toStdString();
}

void writeHoled(const std::string& path, const HoledFile& content) {
    QFile file(QString::fromStdString(path));
    QVERIFY(file.open(QIODevice::WriteOnly));
    QCOMPARE(file.write(reinterpret_cast<const char*>(content.bytes.data()), qint64(content.bytes.size())),
             qint64(content.bytes.size()));
    QVERIFY2(file.resize(qint64(content.size)), "the file system has no sparse files");
}

/// Reads one file in the other three ways and compares with the answer from memory.
void compareReaders(const HoledFile& content, const Result<File>& expected, const std::string& path) {
    ParseOptions bytewise;
    bytewise.windowBytes = 1;
    const HoledSource holed(content);
    const auto chunked = File::parse(OneByteSource(holed), bytewise);
    QVERIFY2(saySame(chunked, expected), describe(chunked).c_str());
    writeHoled(path, content);
    const auto source = FileSource::open(path);
    QVERIFY(source.ok());
    const auto fromFile = File::parse(**source);
    QVERIFY2(saySame(fromFile, expected), describe(fromFile).c_str());
    if (content.size > 0) {
        const auto mapping = Mapping::map(**source);
        QVERIFY(mapping.ok());
        const auto mapped = File::parse(MemorySource((*mapping)->bytes()));
        QVERIFY2(saySame(mapped, expected), describe(mapped).c_str());
    }
    QFile::remove(QString::fromStdString(path));
}

}  // namespace

class TestGgufMalformed : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyCaseIsThereOnce();
    void theValidFileHasTheOffsetsOfTheTable();
    void everyCaseGetsItsCode_data();
    void everyCaseGetsItsCode();
    void everyCutIsRefusedAlike();
    void everyByteChangedIsAnsweredAlike();
};

void TestGgufMalformed::everyCaseIsThereOnce() {
    const auto& cases = malformedCases();
    QCOMPARE(cases.size(), std::size_t(229));
    for (std::size_t i = 0; i < cases.size(); ++i) {
        QCOMPARE(cases[i].number, int(i + 1));
        QCOMPARE(cases[i].later.has_value(), cases[i].judge != Judge::Container);
    }
}

void TestGgufMalformed::theValidFileHasTheOffsetsOfTheTable() {
    const auto bytes = validFile();
    QCOMPARE(bytes.size(), std::size_t(480));
    const auto file = File::parse(MemorySource(bytes));
    QVERIFY(file.ok());
    QVERIFY(file->warnings().empty());
    QCOMPARE(file->dataOffset(), std::uint64_t(224));
    QCOMPARE(file->tensors().size(), std::size_t(1));
    QCOMPARE(file->tensors()[0].offset, std::uint64_t(224));
    QCOMPARE(file->tensors()[0].bytes, std::uint64_t(256));
    QCOMPARE(file->metadata().text("general.architecture").value_or(""), std::string_view("llama"));
}

void TestGgufMalformed::everyCaseGetsItsCode_data() {
    QTest::addColumn<int>("index");
    for (const MalformedCase& one : malformedCases()) {
        QTest::addRow("%03d %s", one.number, one.description.c_str()) << one.number - 1;
    }
}

void TestGgufMalformed::everyCaseGetsItsCode() {
    QFETCH(const int, index);
    const MalformedCase& one = malformedCases()[std::size_t(index)];
    const HoledFile content = one.build();
    const HoledSource source(content);
    const auto result = File::parse(source);
    if (one.error) {
        QVERIFY2(!result.ok(), "accepted");
        QVERIFY2(result.error().code() == *one.error, result.error().toString().c_str());
        QVERIFY(!result.error().action().empty());
        QVERIFY2(!result.error().message().ends_with('?'), result.error().message().c_str());
    } else {
        QVERIFY2(result.ok(), describe(result).c_str());
        const auto isWanted = [&](const Error& warning) { return warning.code() == one.warning; };
        QCOMPARE(std::ranges::any_of(result->warnings(), isWanted), one.warning.has_value());
        QCOMPARE(result->warnings().size(), std::size_t(one.warning ? 1 : 0));
    }
    if (one.judge == Judge::WhenUsed) {
        const auto used = result->metadata().requireFinite("test.double");
        QVERIFY(!used.ok() && used.error().code() == *one.later);
    }
    const QTemporaryDir folder;
    compareReaders(content, result, pathOf(folder, one.number));
}

void TestGgufMalformed::everyCutIsRefusedAlike() {
    const auto whole = validFile();
    const QTemporaryDir folder;
    for (std::size_t length = 0; length < whole.size(); ++length) {
        HoledFile content;
        content.bytes.assign(whole.begin(), whole.begin() + std::ptrdiff_t(length));
        content.size = length;
        const auto result = File::parse(MemorySource(content.bytes));
        QVERIFY2(!result.ok(), qPrintable(QString::number(length)));
        compareReaders(content, result, pathOf(folder, int(length)));
        if (QTest::currentTestFailed()) return;
    }
}

/// Each byte set to each of a few values: whatever the answer is, it is the same from a window of one byte.
void TestGgufMalformed::everyByteChangedIsAnsweredAlike() {
    const auto whole = validFile();
    ParseOptions bytewise;
    bytewise.windowBytes = 1;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const unsigned value : {0u, 1u, 9u, 0x7Fu, 0x80u, 0xFFu}) {
            auto changed = whole;
            changed[at] = std::byte(value);
            const auto result = File::parse(MemorySource(changed));
            QVERIFY(saySame(result, File::parse(MemorySource(changed), bytewise)));
        }
    }
}

QTEST_GUILESS_MAIN(TestGgufMalformed)
#include "tst_gguf_malformed.moc"
