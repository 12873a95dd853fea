// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The header for a list of models against the whole one: the same tensors, the same refusals, no word list.

#include <QTest>

#include "core/engine/gguf/lean_file.h"
#include "core/engine/gguf/writer.h"
#include "tests/support/gguf_compare.h"
#include "tests/support/malformed_gguf.h"

namespace loader::gguf {
namespace {

std::vector<std::byte> fileWithWords(std::size_t words) {
    Writer writer;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < words; ++i)
        texts.push_back("word " + std::to_string(i));
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    writer.metadata().setText("general.architecture", "some");
    writer.metadata().setTexts("tokenizer.ggml.tokens", views);
    const std::vector<float> scores(words, 1.0F);
    writer.metadata().setArray<float>("tokenizer.ggml.scores", scores);
    writer.metadata().set<std::uint32_t>("some.context_length", 77);
    static const std::vector<std::byte> kData(32 * 4);
    const std::uint64_t shape[] = {32};
    writer.addTensor("weight", quant::TensorType::F32, shape, kData);
    auto bytes = writer.toBytes();
    return bytes.ok() ? std::move(bytes).value() : std::vector<std::byte>();
}

}  // namespace

class LeanFileTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void longListsAreLeftOut();
    void shortListsStay();
    void cutAnywhere();
    void malformedFiles();
};

void LeanFileTest::longListsAreLeftOut() {
    const auto bytes = fileWithWords(5000);
    QVERIFY(!bytes.empty());
    const auto whole = File::parse(MemorySource(bytes));
    QVERIFY(whole.ok());
    for (const std::size_t window : {1u, 7u, 4096u, 1u << 20}) {
        const auto lean = parseLean(MemorySource(bytes), {window});
        QVERIFY2(lean.ok(), lean.ok() ? "" : lean.error().toString().c_str());
        QCOMPARE(lean->metadata().size(), std::size_t{2});
        QVERIFY(!lean->metadata().contains("tokenizer.ggml.tokens"));
        QVERIFY(!lean->metadata().contains("tokenizer.ggml.scores"));
        // What stands behind the lists is read.
        QCOMPARE(lean->metadata().get<std::uint32_t>("some.context_length"),
                 std::optional<std::uint32_t>(77));
        QCOMPARE(lean->tensors().size(), whole->tensors().size());
        QCOMPARE(lean->tensors()[0].offset, whole->tensors()[0].offset);
        QCOMPARE(lean->dataOffset(), whole->dataOffset());
    }
}

void LeanFileTest::shortListsStay() {
    const auto bytes = fileWithWords(kLeanElements);
    QVERIFY(test::saySame(File::parse(MemorySource(bytes)), parseLean(MemorySource(bytes))));
}

void LeanFileTest::cutAnywhere() {
    const auto bytes = fileWithWords(1500);
    for (std::size_t length = 0; length < bytes.size(); length += 13) {
        const auto part = std::span(bytes).first(length);
        const auto whole = File::parse(MemorySource(part));
        const auto lean = parseLean(MemorySource(part));
        QVERIFY(!whole.ok() && !lean.ok());
        QCOMPARE(lean.error().code(), whole.error().code());
    }
}

void LeanFileTest::malformedFiles() {
    std::size_t compared = 0;
    for (const test::MalformedCase& one : test::malformedCases()) {
        const test::HoledFile file = one.build();
        const test::HoledSource source(file);
        const auto whole = File::parse(source);
        const auto lean = parseLean(source);
        // Only what nobody looked at, the content of a long array, may pass here and not there.
        if (whole.ok()) QVERIFY2(lean.ok(), one.description.c_str());
        if (!whole.ok() && !lean.ok()) {
            QCOMPARE(lean.error().code(), whole.error().code());
            ++compared;
        }
        if (!whole.ok() && lean.ok()) QVERIFY2(one.error, one.description.c_str());
    }
    QVERIFY(compared > 100);
}

}  // namespace loader::gguf

QTEST_GUILESS_MAIN(loader::gguf::LeanFileTest)
#include "tst_lean_file.moc"
