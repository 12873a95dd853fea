// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Damaged vocabularies (cases T1 to T33 of the reliability plan), each made in memory from a sound one.

#include <QTest>
#include <array>
#include <functional>
#include <limits>

#include "core/engine/gguf/metadata.h"
#include "core/engine/text/tokenizer.h"
#include "tests/unit/text/small_vocabularies.h"

using namespace loader;
using namespace loader::text;
using test::SmallVocabulary;

Q_DECLARE_METATYPE(std::function<SmallVocabulary()>)
Q_DECLARE_METATYPE(std::function<void(gguf::Metadata&)>)

namespace {

using Make = std::function<SmallVocabulary()>;
using Change = std::function<void(gguf::Metadata&)>;

template <class Function>
Make changed(SmallVocabulary (*base)(), Function change) {
    return [base, change] {
        SmallVocabulary vocabulary = base();
        change(vocabulary);
        return vocabulary;
    };
}

QString outcome(const Result<std::shared_ptr<const Vocabulary>>& result) {
    if (result.ok()) return QStringLiteral("ok");
    return QString::fromUtf8(result.error().name().data(), static_cast<int>(result.error().name().size()));
}

gguf::Metadata metadataOf(const SmallVocabulary& small) {
    gguf::Metadata metadata;
    metadata.setText("tokenizer.ggml.model", small.model);
    const std::vector<std::string_view> tokens(small.tokens.begin(), small.tokens.end());
    metadata.setTexts("tokenizer.ggml.tokens", tokens);
    if (small.scores) metadata.setArray<float>("tokenizer.ggml.scores", *small.scores);
    if (small.types) metadata.setArray<std::int32_t>("tokenizer.ggml.token_type", *small.types);
    if (small.merges) {
        const std::vector<std::string_view> merges(small.merges->begin(), small.merges->end());
        metadata.setTexts("tokenizer.ggml.merges", merges);
        metadata.set<std::uint32_t>("tokenizer.ggml.bos_token_id", *small.special.bos);
        metadata.set<std::uint32_t>("tokenizer.ggml.eos_token_id", *small.special.eos);
        metadata.setText("tokenizer.ggml.pre", "gpt-2");
    }
    return metadata;
}

}  // namespace

class TestVocabulary : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void soundVocabulariesLoad();
    void damageIsNamed_data();
    void damageIsNamed();
    void wrongKindsOfValuesAreNamed_data();
    void wrongKindsOfValuesAreNamed();
    void harmlessOdditiesAreWarnings();
    void limitsHoldWithoutGreatMemory();
    void defaultIdsAreCheckedToo();
    void endOfGenerationIsRecognised();
    void textNeverBecomesAControlToken();
    void metadataAndPlainVectorsAgree();
};

void TestVocabulary::soundVocabulariesLoad() {
    for (const auto& make : {test::smallSentencePiece, test::smallBytePair, test::smallWordPiece}) {
        const auto vocabulary = make().build();
        QVERIFY2(vocabulary.ok(), qPrintable(outcome(vocabulary)));
        QVERIFY((*vocabulary)->warnings().empty());
    }
}

void TestVocabulary::damageIsNamed_data() {
    QTest::addColumn<Make>("make");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, const Make& make, const char* expected) {
        QTest::newRow(name) << make << QString::fromLatin1(expected);
    };
    const auto spm = test::smallSentencePiece;
    const auto bpe = test::smallBytePair;
    const auto wpm = test::smallWordPiece;
    row("T2 no entries", changed(spm, [](SmallVocabulary& v) { v.tokens.clear(); }), "T201");
    for (const std::int32_t type : {1, 2, 4, 6}) {
        const std::string name = "T4 empty text of type " + std::to_string(type);
        row(name.c_str(), changed(spm, [type](SmallVocabulary& v) { v.add("", 0, type); }), "T202");
    }
    row("T4 empty control token", changed(spm, [](SmallVocabulary& v) { v.add("", 0, 3); }), "ok");
    row("T5 long text", changed(spm, [](SmallVocabulary& v) { v.add(std::string(65537, 'x')); }), "T202");
    row("T5 longest text", changed(spm, [](SmallVocabulary& v) { v.add(std::string(65536, 'x')); }), "ok");
    row("T6 zero byte", changed(spm, [](SmallVocabulary& v) { v.add(std::string("a\0b", 3)); }), "T202");
    row("T6 zero byte, control",
        changed(spm, [](SmallVocabulary& v) { v.add(std::string("a\0b", 3), 0, 3); }), "ok");
    row("not UTF-8", changed(spm, [](SmallVocabulary& v) { v.add("\xC3("); }), "T202");
    row("T7 duplicate", changed(spm, [](SmallVocabulary& v) { v.add("h"); }), "ok");
    row("T8 255 bytes", changed(spm, [](SmallVocabulary& v) { (*v.types)[3] = 1; }), "T204");
    for (const char* text : {"<0x-1>", "<0xZZ>", "<0x100>", "<0xA>", "<0x41>", "<0X42>", "0x43", "<0x 4>"}) {
        const std::string name = std::string("T9-T13 byte token ") + text;
        row(name.c_str(), changed(spm, [text](SmallVocabulary& v) { v.add(text, 0, 6); }), "T204");
    }
    row("T17 scores missing", changed(spm, [](SmallVocabulary& v) { v.scores.reset(); }), "T205");
    row("T17 scores short", changed(spm, [](SmallVocabulary& v) { v.scores->pop_back(); }), "T205");
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        const std::string name = "T18 score " + std::to_string(bad);
        row(name.c_str(), changed(spm, [bad](SmallVocabulary& v) { v.scores->back() = bad; }), "T205");
    }
    row("T20 types short", changed(spm, [](SmallVocabulary& v) { v.types->pop_back(); }), "T206");
    for (const std::int32_t bad : {0, 7, -1, std::numeric_limits<std::int32_t>::min()}) {
        const std::string name = "T21-T22 type " + std::to_string(bad);
        row(name.c_str(), changed(spm, [bad](SmallVocabulary& v) { v.types->back() = bad; }), "T206");
    }
    using Slot = std::optional<TokenId> SpecialIds::*;
    const std::array<Slot, 15> idSlots = {
        &SpecialIds::bos,    &SpecialIds::eos,           &SpecialIds::eot,         &SpecialIds::eom,
        &SpecialIds::unk,    &SpecialIds::sep,           &SpecialIds::pad,         &SpecialIds::cls,
        &SpecialIds::mask,   &SpecialIds::fimPrefix,     &SpecialIds::fimSuffix,   &SpecialIds::fimMiddle,
        &SpecialIds::fimPad, &SpecialIds::fimRepository, &SpecialIds::fimSeparator};
    for (std::size_t i = 0; i < idSlots.size(); ++i) {
        const Slot slot = idSlots[i];
        const auto past = changed(
            spm, [slot](SmallVocabulary& v) { v.special.*slot = static_cast<TokenId>(v.tokens.size()); });
        row(("T23 id " + std::to_string(i) + " = n").c_str(), past, "T207");
        const auto huge = changed(spm, [slot](SmallVocabulary& v) { v.special.*slot = 0xFFFFFFFFU; });
        row(("T24 id " + std::to_string(i) + " = 2^32-1").c_str(), huge, "T207");
    }
    row("T26 default id, no key",
        changed(spm,
                [](SmallVocabulary& v) {
                    v.tokens = {"a", "b"};
                    v.scores->resize(2);
                    v.types = {1, 1};
                }),
        "T207");
    row("T26 default mask", changed(wpm, [](SmallVocabulary& v) { v.special.mask.reset(); }), "T207");
    const auto withRule = [&](const char* rule) {
        return changed(bpe, [rule](SmallVocabulary& v) { v.merges->push_back(rule); });
    };
    row("T27 merge without space", withRule("hello"), "T208");
    row("T27 empty merge", withRule(""), "T208");
    row("T28 merge with two spaces", withRule("h e l"), "T208");
    row("T28 merge with space at the end", withRule("he "), "T208");
    row("T28 merge with space in front", withRule(" he"), "T208");
    row("T29 unknown left", withRule("nothere e"), "T208");
    row("T29 unknown right", withRule("e nothere"), "T208");
    row("T29 unknown result", withRule("e h"), "T208");
    row("merges missing", changed(bpe, [](SmallVocabulary& v) { v.merges.reset(); }), "T208");
    row("T30 unknown model", changed(bpe, [](SmallVocabulary& v) { v.model = "abacus"; }), "T209");
    row("T30 unknown pre", changed(bpe, [](SmallVocabulary& v) { v.pre = "abacus"; }), "ok");
    const auto withMap = [&](const std::vector<std::uint8_t>& map) {
        return changed(spm, [map](SmallVocabulary& v) { v.characterMap = map; });
    };
    row("T31 character map of 3 bytes", withMap({1, 2, 3}), "T210");
    row("T31 empty character map", withMap({}), "T210");
    row("T32 table behind the end", withMap({8, 0, 0, 0, 1, 2, 3, 4}), "T210");
    row("T32 offset behind the end", withMap({4, 0, 0, 0, 2, 0, 0, 0x80, 'a', 0}), "T210");
    row("T32 text without end", withMap({4, 0, 0, 0, 0, 0, 0, 0x80, 'a', 'b'}), "T210");
    row("T32 sound character map", withMap({4, 0, 0, 0, 1, 0, 0, 0x80, 'a', 0}), "ok");
    row("T33 control token spelled as a word", changed(bpe, [](SmallVocabulary& v) { v.add("the", 0, 3); }),
        "ok");
}

void TestVocabulary::damageIsNamed() {
    QFETCH(Make, make);
    QFETCH(QString, expected);
    const auto result = make().build();
    QCOMPARE(outcome(result), expected);
    if (!result.ok()) QVERIFY(!result.error().message().empty() && !result.error().place().empty());
}

void TestVocabulary::wrongKindsOfValuesAreNamed_data() {
    QTest::addColumn<Change>("change");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, const Change& change, const char* expected) {
        QTest::newRow(name) << change << QString::fromLatin1(expected);
    };
    const std::size_t count = test::smallBytePair().tokens.size();
    const std::string scores = "tokenizer.ggml.scores";
    const std::string types = "tokenizer.ggml.token_type";
    row(
        "unchanged", [](gguf::Metadata&) {}, "ok");
    row(
        "T1 no tokens", [](gguf::Metadata& m) { m.remove("tokenizer.ggml.tokens"); }, "T201");
    row(
        "T1 tokens as numbers",
        [](gguf::Metadata& m) {
            const std::vector<std::int32_t> numbers(4);
            m.setArray<std::int32_t>("tokenizer.ggml.tokens", numbers);
        },
        "T201");
    row(
        "no model", [](gguf::Metadata& m) { m.remove("tokenizer.ggml.model"); }, "T209");
    row(
        "T14 scores as u8",
        [=](gguf::Metadata& m) { m.setArray<std::uint8_t>(scores, std::vector<std::uint8_t>(count)); },
        "T205");
    row(
        "T15 scores as i8",
        [=](gguf::Metadata& m) { m.setArray<std::int8_t>(scores, std::vector<std::int8_t>(count)); }, "T205");
    row(
        "T16 scores as f64",
        [=](gguf::Metadata& m) { m.setArray<double>(scores, std::vector<double>(count)); }, "T205");
    row(
        "T17 scores as text", [=](gguf::Metadata& m) { m.setText(scores, "1 2 3"); }, "T205");
    row(
        "scores as i32",
        [=](gguf::Metadata& m) { m.setArray<std::int32_t>(scores, std::vector<std::int32_t>(count)); }, "ok");
    row(
        "T19 types as u8",
        [=](gguf::Metadata& m) { m.setArray<std::uint8_t>(types, std::vector<std::uint8_t>(count, 1)); },
        "T206");
    row(
        "T22 types as u32, 2^31",
        [=](gguf::Metadata& m) {
            m.setArray<std::uint32_t>(types, std::vector<std::uint32_t>(count, 0x80000000U));
        },
        "T206");
    row(
        "T25 eos as -1", [](gguf::Metadata& m) { m.set<std::int32_t>("tokenizer.ggml.eos_token_id", -1); },
        "T207");
    row(
        "eos as text", [](gguf::Metadata& m) { m.setText("tokenizer.ggml.eos_token_id", "2"); }, "T207");
    row(
        "T26 eos missing", [](gguf::Metadata& m) { m.remove("tokenizer.ggml.eos_token_id"); }, "ok");
    row(
        "T29 merges as i32",
        [](gguf::Metadata& m) {
            m.setArray<std::int32_t>("tokenizer.ggml.merges", std::vector<std::int32_t>(5));
        },
        "T208");
    row(
        "T31 character map as text",
        [](gguf::Metadata& m) { m.setText("tokenizer.ggml.precompiled_charsmap", "abcd"); }, "T210");
}

void TestVocabulary::wrongKindsOfValuesAreNamed() {
    QFETCH(Change, change);
    QFETCH(QString, expected);
    gguf::Metadata metadata = metadataOf(test::smallBytePair());
    change(metadata);
    QCOMPARE(outcome(Vocabulary::fromMetadata(metadata)), expected);
}

void TestVocabulary::harmlessOdditiesAreWarnings() {
    SmallVocabulary duplicate = test::smallSentencePiece();
    const TokenId second = duplicate.add("h");
    const auto first = duplicate.build();
    QVERIFY(first.ok());
    QCOMPARE((*first)->warnings().size(), std::size_t{1});
    QVERIFY((*first)->warnings()[0].code() == Errc::T203);
    QVERIFY((*first)->find("h").value() < second);
    SmallVocabulary strange = test::smallBytePair();
    strange.pre = "abacus";
    const auto loaded = strange.build();
    QVERIFY(loaded.ok());
    QVERIFY((*loaded)->warnings()[0].code() == Errc::T213);
    QVERIFY((*loaded)->preTokenizer().rules == RuleSet::Default);
}

/// T3 and T29: counts beyond the limits, as views of one text.
void TestVocabulary::limitsHoldWithoutGreatMemory() {
    VocabularyData data;
    data.model = "gpt2";
    data.tokens.assign(kMaximumTokens + 1, "x");
    QCOMPARE(outcome(Vocabulary::fromData(data)), QStringLiteral("T201"));
    const SmallVocabulary small = test::smallBytePair();
    data.tokens.assign(small.tokens.begin(), small.tokens.end());
    data.special = small.special;
    data.merges.emplace(5'000'000, "h e");
    QCOMPARE(outcome(Vocabulary::fromData(data)), QStringLiteral("T208"));
}

void TestVocabulary::defaultIdsAreCheckedToo() {
    const auto vocabulary = test::smallSentencePiece().build();
    QVERIFY(vocabulary.ok());
    QCOMPARE((*vocabulary)->special().bos.value(), TokenId{1});
    QCOMPARE((*vocabulary)->special().eos.value(), TokenId{2});
    QVERIFY((*vocabulary)->addBos() && !(*vocabulary)->addEos() && (*vocabulary)->addSpacePrefix());
    const auto wordPiece = test::smallWordPiece().build();
    QCOMPARE((*wordPiece)->special().bos.value(), TokenId{2});
    QVERIFY((*wordPiece)->addBos() && (*wordPiece)->addSep());
}

void TestVocabulary::endOfGenerationIsRecognised() {
    SmallVocabulary v = test::smallBytePair();
    const TokenId turn = v.add("<|im_end|>", 0, 4);
    const TokenId strike = v.add("</s>", 0, 1);
    const auto vocabulary = v.build();
    QVERIFY(vocabulary.ok());
    QVERIFY((*vocabulary)->isEndOfGeneration(*v.special.eos));
    QVERIFY((*vocabulary)->isEndOfGeneration(turn));
    QVERIFY((*vocabulary)->type(turn) == TokenType::Control);
    QCOMPARE((*vocabulary)->special().eot.value(), turn);
    // Typed as normal it is the HTML of a strike-through.
    QVERIFY(!(*vocabulary)->isEndOfGeneration(strike));
}

/// T33: neither whole nor by merging does text arrive at a control token.
void TestVocabulary::textNeverBecomesAControlToken() {
    SmallVocabulary bytePair = test::smallBytePair();
    const TokenId word = bytePair.add("ee", 0, 3);
    bytePair.merges->push_back("e e");
    const auto first = bytePair.build();
    QVERIFY(first.ok());
    const auto ids = Tokenizer(*first).encode("ee", {});
    QCOMPARE(ids->size(), std::size_t{2});
    QVERIFY((*ids)[0] != word && (*ids)[1] != word);
    QCOMPARE(*Tokenizer(*first).encode("ee", {false, true}), (std::vector<TokenId>{word}));
    // "s>" and "<" are pieces, so merging alone would arrive at "<s>".
    const auto second = test::smallSentencePiece().build();
    const auto text = Tokenizer(*second).encode("<s>", {});
    QVERIFY(text.ok());
    for (const TokenId id : *text)
        QVERIFY(!(*second)->isSpecial(id));
}

void TestVocabulary::metadataAndPlainVectorsAgree() {
    for (const auto& make : {test::smallSentencePiece, test::smallBytePair}) {
        const SmallVocabulary small = make();
        const auto plain = small.build();
        const auto read = Vocabulary::fromMetadata(metadataOf(small));
        QVERIFY(plain.ok() && read.ok());
        const std::string text = "hello world <|end|> éa";
        QCOMPARE(*Tokenizer(*plain).encode(text, {true, true}), *Tokenizer(*read).encode(text, {true, true}));
    }
}

QTEST_GUILESS_MAIN(TestVocabulary)
#include "tst_vocabulary.moc"
