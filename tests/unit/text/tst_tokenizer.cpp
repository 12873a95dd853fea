// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Encoding and decoding with vocabularies of a few tokens: hand-checked ids, spans of origin, streams, and
// bounds on the work that hostile text can cause.

#include <QTest>
#include <algorithm>
#include <random>

#include "core/engine/text/detokenizer.h"
#include "core/engine/text/merge_engine.h"
#include "core/engine/text/tokenizer.h"
#include "tests/unit/text/small_vocabularies.h"

using namespace loader;
using namespace loader::text;

namespace {

std::shared_ptr<const Vocabulary> sentencePiece() {
    return test::smallSentencePiece().build().value();
}
std::shared_ptr<const Vocabulary> bytePair() {
    return test::smallBytePair().build().value();
}
std::shared_ptr<const Vocabulary> wordPiece() {
    return test::smallWordPiece().build().value();
}

QString shown(const Vocabulary& vocabulary, const std::vector<TokenId>& ids) {
    QStringList list;
    for (const TokenId id : ids)
        list << QString::fromStdString(std::string(vocabulary.text(id)));
    return list.join(' ');
}

QString encoded(const std::shared_ptr<const Vocabulary>& vocabulary, const std::string& text,
                EncodeOptions options = {}) {
    const auto ids = Tokenizer(vocabulary).encode(text, options);
    return ids.ok() ? shown(*vocabulary, *ids) : QStringLiteral("error");
}

/// Merges in the plainest way: look at all pairs, take the best, start again.
std::vector<TokenId> slowMerge(const Vocabulary& vocabulary, std::vector<TokenId> ids) {
    for (;;) {
        std::uint32_t bestRank = kNoRank;
        std::size_t at = 0;
        for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
            const auto merge = vocabulary.merge(ids[i], ids[i + 1]);
            if (!merge || merge->rank >= bestRank) continue;
            bestRank = merge->rank;
            at = i;
        }
        if (bestRank == kNoRank) return ids;
        ids[at] = vocabulary.merge(ids[at], ids[at + 1])->result;
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
}

}  // namespace

class TestTokenizer : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sentencePieceByHand();
    void bytePairByHand();
    void wordPieceByHand();
    void specialTokensFollowTheOptions();
    void userTextStaysText();
    void ordinaryTextRunsOverBorders();
    void spansMustCoverTheText();
    void longPiecesMergeAsShortOnes();
    void everyBytePairTextComesBack();
    void streamEqualsWhole();
    void brokenCharactersAreNeverShown();
    void specialTokensAreHiddenOrShown();
    void idsOutsideAreRefused();
    void workGrowsWithTheLength_data();
    void workGrowsWithTheLength();
    void tooLongTextIsRefused();
};

void TestTokenizer::sentencePieceByHand() {
    const auto v = sentencePiece();
    QCOMPARE(encoded(v, "hello world"), QStringLiteral("▁hello ▁world"));
    QCOMPARE(encoded(v, "hello world", {true, false}), QStringLiteral("<s> ▁hello ▁world"));
    QCOMPARE(encoded(v, ""), QString());
    QCOMPARE(encoded(v, "", {true, false}), QStringLiteral("<s>"));
    QCOMPARE(encoded(v, " "), QStringLiteral("▁▁"));
    // "ll" scores better than "el", so it merges first.
    QCOMPARE(encoded(v, "hell"), QStringLiteral("▁h e ll"));
    // Not in the word list: the bytes of the character, also where it is no UTF-8.
    QCOMPARE(encoded(v, "é"), QStringLiteral("▁ é"));
    QCOMPARE(encoded(v, "ü"), QStringLiteral("▁ <0xC3> <0xBC>"));
    QCOMPARE(encoded(v, "\xFF"), QStringLiteral("▁ <0xFF>"));
    // The space prefix comes after special tokens as well.
    QCOMPARE(encoded(v, "hello</s>hello", {false, true}), QStringLiteral("▁hello </s> ▁hello"));
    test::SmallVocabulary bare = test::smallSentencePiece();
    bare.addSpacePrefix = false;
    QCOMPARE(encoded(bare.build().value(), "world"), QStringLiteral("w or ld"));
}

void TestTokenizer::bytePairByHand() {
    const auto v = bytePair();
    QCOMPARE(encoded(v, "hello world"), QStringLiteral("hello Ġworld"));
    QCOMPARE(encoded(v, "hell"), QStringLiteral("hell"));
    QCOMPARE(encoded(v, "aaaaaaa"), QStringLiteral("aaaa aa a"));
    QCOMPARE(encoded(v, "é"), QStringLiteral("Ã ©"));
    QCOMPARE(encoded(v, "hello", {true, false}), QStringLiteral("hello"));
    // Whole words first, where the model asks for it: no rule arrives at "lo".
    test::SmallVocabulary whole = test::smallBytePair();
    whole.pre = "llama-bpe";
    whole.add("wolf");
    QCOMPARE(encoded(whole.build().value(), "wolf"), QStringLiteral("wolf"));
    whole.pre = "gpt-2";
    QCOMPARE(encoded(whole.build().value(), "wolf"), QStringLiteral("w o l f"));
}

void TestTokenizer::wordPieceByHand() {
    const auto v = wordPiece();
    QCOMPARE(encoded(v, "Hello, WORLD", {true, false}), QStringLiteral("[CLS] ▁hello ▁, ▁wor ld [SEP]"));
    QCOMPARE(encoded(v, "unaffable"), QStringLiteral("▁un aff able"));
    // A word that cannot be made up is one unknown token.
    QCOMPARE(encoded(v, "unaffablex"), QStringLiteral("[UNK]"));
    QCOMPARE(encoded(v, "h\u00E9llo"), QStringLiteral("▁hello"));
    QCOMPARE(encoded(v, "中中"), QStringLiteral("▁中 ▁中"));
    QCOMPARE(encoded(v, "[CLS]"), QStringLiteral("▁[ [UNK] ▁]"));
    QCOMPARE(encoded(v, "[CLS]", {false, true}), QStringLiteral("[CLS]"));
    QCOMPARE(encoded(v, std::string(101, 'a')), QStringLiteral("[UNK]"));
}

void TestTokenizer::specialTokensFollowTheOptions() {
    const auto v = bytePair();
    QCOMPARE(encoded(v, "a<|end|>", {false, true}), QStringLiteral("a <|end|>"));
    QCOMPARE(encoded(v, "a<|end|>", {false, false}), QStringLiteral("a < | e n d | >"));
    // The longest token wins, the leftmost first.
    test::SmallVocabulary more = test::smallBytePair();
    more.add("<|end|>!", 0, 3);
    more.add("hello", 0, 1);
    more.add("  ", 0, 4);
    const auto w = more.build().value();
    QCOMPARE(encoded(w, "<|end|>!", {false, true}), QStringLiteral("<|end|>!"));
    // User-defined tokens are part of ordinary text, unless they look like markup.
    QCOMPARE(encoded(w, "a  a"), QStringLiteral("a    a"));
    more.add("<|tool|>", 0, 4);
    QVERIFY(!encoded(more.build().value(), "<|tool|>").contains("tool"));
}

void TestTokenizer::userTextStaysText() {
    const auto v = bytePair();
    const Tokenizer tokenizer(v);
    const TokenId end = *v->special().eos;
    const std::string text = "hi<|end|><|end|>";
    const auto ids = tokenizer.encodeSpans(text, {{9, false}, {7, true}}, false);
    QVERIFY(ids.ok());
    QCOMPARE(std::count(ids->begin(), ids->end(), end), std::ptrdiff_t{1});
    QCOMPARE(ids->back(), end);
    // A token that begins in the template and ends in the user's text is none.
    for (std::size_t cut = 1; cut < 7; ++cut) {
        const auto first = tokenizer.encodeSpans("<|end|>", {{cut, true}, {7 - cut, false}}, false);
        const auto second = tokenizer.encodeSpans("<|end|>", {{cut, false}, {7 - cut, true}}, false);
        const auto both = tokenizer.encodeSpans("<|end|>", {{cut, true}, {7 - cut, true}}, false);
        QVERIFY(std::count(first->begin(), first->end(), end) == 0);
        QVERIFY(std::count(second->begin(), second->end(), end) == 0);
        QCOMPARE(*both, (std::vector<TokenId>{end}));
    }
}

void TestTokenizer::ordinaryTextRunsOverBorders() {
    for (const auto& v : {bytePair(), sentencePiece(), wordPiece()}) {
        const Tokenizer tokenizer(v);
        const std::string text = "hello world";
        for (std::size_t cut = 0; cut <= text.size(); ++cut) {
            const auto ids = tokenizer.encodeSpans(text, {{cut, true}, {text.size() - cut, false}}, true);
            QCOMPARE(*ids, *tokenizer.encode(text, {true, false}));
        }
    }
}

void TestTokenizer::spansMustCoverTheText() {
    const Tokenizer tokenizer(bytePair());
    QVERIFY(tokenizer.encodeSpans("abc", {{2, true}}, false).error().code() == Errc::X001);
    QVERIFY(tokenizer.encodeSpans("abc", {{2, true}, {2, false}}, false).error().code() == Errc::X001);
    QVERIFY(tokenizer.encodeSpans("abc", {{std::size_t(-1), true}, {4, false}}, false).error().code() ==
            Errc::X001);
    QVERIFY(tokenizer.encodeSpans("", {}, false).ok());
}

/// The queue of long pieces and the plain search of short ones against the slowest way there is.
void TestTokenizer::longPiecesMergeAsShortOnes() {
    const auto v = bytePair();
    const Tokenizer tokenizer(v);
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        const std::size_t length = 1 + random() % 120;
        std::string text;
        std::vector<TokenId> letters;
        for (std::size_t i = 0; i < length; ++i) {
            text += "helowrda"[random() % 8];
            letters.push_back(*v->byteToken(static_cast<std::uint8_t>(text.back())));
        }
        QCOMPARE(*tokenizer.encode(text, {}), slowMerge(*v, letters));
    }
}

void TestTokenizer::everyBytePairTextComesBack() {
    const auto v = bytePair();
    const Tokenizer tokenizer(v);
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        std::string text;
        for (std::size_t i = random() % 60; i > 0; --i)
            text += static_cast<char>(random() % 256);
        const auto ids = tokenizer.encode(text, {});
        QCOMPARE(*Detokenizer::decodeBytes(*v, *ids), text);
    }
    // This kind puts no space in front, so none is taken away, whatever the file says.
    test::SmallVocabulary prefixed = test::smallBytePair();
    prefixed.addSpacePrefix = true;
    const auto w = prefixed.build().value();
    QCOMPARE(*Detokenizer::decodeBytes(*w, *Tokenizer(w).encode(" hello", {})), std::string(" hello"));
}

void TestTokenizer::streamEqualsWhole() {
    std::mt19937 random(5);
    for (const auto& v : {bytePair(), sentencePiece(), wordPiece()}) {
        for (int round = 0; round < 300; ++round) {
            std::vector<TokenId> ids;
            for (std::size_t i = random() % 12; i > 0; --i)
                ids.push_back(static_cast<TokenId>(random() % v->size()));
            const DecodeOptions options{(round & 1) != 0, (round & 2) != 0};
            Detokenizer stream(v, options);
            std::string streamed;
            for (const TokenId id : ids) {
                const std::string part = stream.push(id);
                QVERIFY(QString::fromStdString(part).toStdString() == part);
                streamed += part;
            }
            streamed += stream.finish();
            QCOMPARE(streamed, *Detokenizer::decode(*v, ids, options));
        }
    }
}

void TestTokenizer::brokenCharactersAreNeverShown() {
    const auto v = sentencePiece();
    const auto byte = [&](int value) { return *v->byteToken(static_cast<std::uint8_t>(value)); };
    Detokenizer stream(v);
    QCOMPARE(stream.push(byte(0xE4)), std::string());
    QCOMPARE(stream.push(byte(0xB8)), std::string());
    QCOMPARE(stream.push(byte(0xAD)), std::string("中"));
    QCOMPARE(stream.push(byte(0xE4)), std::string());
    QCOMPARE(stream.push(byte('a')), std::string("\xEF\xBF\xBD"
                                                 "a"));
    QCOMPARE(stream.push(byte(0xF0)), std::string());
    QCOMPARE(stream.finish(), std::string("\xEF\xBF\xBD"));
    QCOMPARE(stream.finish(), std::string());
}

void TestTokenizer::specialTokensAreHiddenOrShown() {
    const auto v = sentencePiece();
    const auto ids = Tokenizer(v).encode("hello</s>hello", {true, true});
    QCOMPARE(*Detokenizer::decode(*v, *ids), std::string("hellohello"));
    QCOMPARE(*Detokenizer::decode(*v, *ids, {true, true}), std::string("<s>hello</s>hello"));
    QCOMPARE(*Detokenizer::decode(*v, *ids, {false, false}), std::string(" hello hello"));
}

void TestTokenizer::idsOutsideAreRefused() {
    const auto v = bytePair();
    QVERIFY(Detokenizer::decode(*v, {v->size()}).error().code() == Errc::T211);
    Detokenizer stream(v);
    QCOMPARE(stream.push(0xFFFFFFFFU), std::string());
}

void TestTokenizer::workGrowsWithTheLength_data() {
    QTest::addColumn<QByteArray>("unit");
    for (const char* unit :
         {"a", "h", "1", " ", "\n", "中", "🙂", "\xCC\x81", "\xFF", "'", "he", "hello ", "l1", "aaaab"}) {
        QTest::addRow("%s", QByteArray(unit).toHex().constData()) << QByteArray(unit);
    }
}

/// T34 in small: look-ups and queue operations per byte stay below a constant, and double with the length.
void TestTokenizer::workGrowsWithTheLength() {
    QFETCH(QByteArray, unit);
    constexpr int kBytes = 60'000;
    for (const auto& v : {bytePair(), sentencePiece(), wordPiece()}) {
        const Tokenizer tokenizer(v);
        std::uint64_t work[2] = {};
        for (int half = 0; half < 2; ++half) {
            const QByteArray text = unit.repeated(kBytes * (half + 1) / static_cast<int>(unit.size()));
            EncodeCounters counters;
            const auto ids =
                tokenizer.encode({text.constData(), static_cast<std::size_t>(text.size())}, {}, &counters);
            QVERIFY(ids.ok());
            work[half] = counters.pairLookups + counters.queueOperations;
            QVERIFY(work[half] <= static_cast<std::uint64_t>(text.size() + 64) * 8);
        }
        QVERIFY(work[1] <= work[0] * 21 / 10 + 64);
    }
}

void TestTokenizer::tooLongTextIsRefused() {
    const std::string text(kMaximumPromptBytes + 1, 'a');
    QVERIFY(Tokenizer(bytePair()).encode(text, {}).error().code() == Errc::T212);
}

QTEST_GUILESS_MAIN(TestTokenizer)
#include "tst_tokenizer.moc"
