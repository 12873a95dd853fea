// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Published test vectors of real vocabularies, and a round trip of a long text through each (optional data).

#include <QDirIterator>
#include <QElapsedTimer>
#include <QTest>

#include "core/engine/base/mapped_file.h"
#include "core/engine/gguf/file.h"
#include "core/engine/text/detokenizer.h"
#include "core/engine/text/tokenizer.h"
#include "tests/support/shared_data.h"

using namespace loader;
using namespace loader::text;

namespace {

std::shared_ptr<const Vocabulary> load(const QString& path) {
    auto source = FileSource::open(path.toStdString());
    if (!source.ok()) {
        qWarning("%s", source.error().toString().c_str());
        return nullptr;
    }
    const auto file = gguf::File::parse(**source);
    if (!file.ok()) {
        qWarning("%s", file.error().toString().c_str());
        return nullptr;
    }
    QElapsedTimer timer;
    timer.start();
    auto vocabulary = Vocabulary::fromMetadata(file->metadata());
    if (!vocabulary.ok()) {
        qWarning("%s", vocabulary.error().toString().c_str());
        return nullptr;
    }
    qInfo("%u tokens in %lld ms", (*vocabulary)->size(), static_cast<long long>(timer.elapsed()));
    for (const Error& warning : (*vocabulary)->warnings())
        qInfo("warning: %s", warning.toString().c_str());
    return *vocabulary;
}

QString describe(const std::vector<TokenId>& ids) {
    QStringList words;
    for (const TokenId id : ids)
        words << QString::number(id);
    return words.join(' ');
}

}  // namespace

class TestTokenizerVectors : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyVectorIsEqual_data() { listVocabularies(); }
    void everyVectorIsEqual();
    void aLongTextSurvivesTheRoundTrip_data() { listVocabularies(); }
    void aLongTextSurvivesTheRoundTrip();
    void everyModelLoads();

private:
    static void listVocabularies();
};

void TestTokenizerVectors::listVocabularies() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"bert-bge", "deepseek-llm", "falcon", "gpt-2", "llama-bpe", "llama-spm", "phi-3",
                             "qwen2", "starcoder"}) {
        QTest::newRow(name) << QStringLiteral("vocab/ggml-vocab-%1.gguf").arg(QLatin1String(name));
    }
}

void TestTokenizerVectors::everyVectorIsEqual() {
    QFETCH(QString, name);
    const QString path = test::sharedFile(name);
    if (path.isEmpty()) QSKIP("optional data absent: vocab");
    const auto vocabulary = load(path);
    QVERIFY(vocabulary != nullptr);
    const Tokenizer tokenizer(vocabulary);
    QList<QByteArray> texts;
    const QByteArray separator = "\n__ggml_vocab_test__\n";
    const QByteArray input = test::readAll(path + ".inp");
    for (qsizetype start = 0; start < input.size();) {
        const qsizetype end = input.indexOf(separator, start);
        QVERIFY(end >= 0);
        texts << input.mid(start, end - start);
        start = end + separator.size();
    }
    const QList<QByteArray> lines = test::readAll(path + ".out").split('\n');
    QVERIFY(texts.size() > 40);
    QCOMPARE(lines.size(), texts.size() + 1);
    int failures = 0;
    for (qsizetype i = 0; i < texts.size(); ++i) {
        const auto ids =
            tokenizer.encode({texts[i].constData(), static_cast<std::size_t>(texts[i].size())}, {});
        QVERIFY(ids.ok());
        const QString expected = QString::fromLatin1(lines[i]).trimmed();
        if (describe(*ids) == expected) continue;
        ++failures;
        qWarning("text %lld: %s\n got %s\nwant %s", static_cast<long long>(i), texts[i].constData(),
                 qPrintable(describe(*ids)), qPrintable(expected));
    }
    QCOMPARE(failures, 0);
}

void TestTokenizerVectors::aLongTextSurvivesTheRoundTrip() {
    QFETCH(QString, name);
    const QString path = test::sharedFile(name);
    LOADER_NEED_SHARED(textPath, "text/wiki.test.raw");
    if (path.isEmpty()) QSKIP("optional data absent: vocab");
    const auto vocabulary = load(path);
    QVERIFY(vocabulary != nullptr);
    if (vocabulary->kind() == TokenizerKind::WordPiece) QSKIP("WordPiece does not keep the text");
    const Tokenizer tokenizer(vocabulary);
    const QByteArray text = test::readAll(textPath);
    QElapsedTimer timer;
    timer.start();
    const auto ids = tokenizer.encode({text.constData(), static_cast<std::size_t>(text.size())}, {});
    qInfo("%lld bytes in %lld ms", static_cast<long long>(text.size()),
          static_cast<long long>(timer.elapsed()));
    QVERIFY(ids.ok());
    const auto back = Detokenizer::decodeBytes(*vocabulary, *ids);
    QVERIFY(back.ok());
    QVERIFY(QByteArray::fromStdString(*back) == text);
    Detokenizer stream(vocabulary);
    std::string streamed;
    for (const TokenId id : *ids)
        streamed += stream.push(id);
    streamed += stream.finish();
    QVERIFY(QByteArray::fromStdString(streamed) == text);
}

void TestTokenizerVectors::everyModelLoads() {
    LOADER_NEED_SHARED(folder, "models");
    int models = 0;
    for (QDirIterator files(folder, {"*.gguf"}); files.hasNext();) {
        const QString path = files.next();
        const auto vocabulary = load(path);
        QVERIFY2(vocabulary != nullptr, qPrintable(path));
        const Tokenizer tokenizer(vocabulary);
        const std::string text = "Once upon a time, there was a girl.\n";
        const auto ids = tokenizer.encode(text, {true, false});
        QVERIFY(ids.ok());
        // Without a token for it, the escaped space becomes three bytes and stays what it is.
        const bool keepsSpaces = vocabulary->kind() == TokenizerKind::BytePair || vocabulary->find("▁");
        if (keepsSpaces) QCOMPARE(*Detokenizer::decode(*vocabulary, *ids), text);
        ++models;
    }
    QVERIFY(models > 0);
}

QTEST_GUILESS_MAIN(TestTokenizerVectors)
#include "tst_tokenizer_vectors.moc"
