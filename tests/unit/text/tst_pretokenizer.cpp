// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Pieces of each rule set, worked out by hand from its pattern.

#include <QTest>
#include <random>

#include "core/engine/text/pretokenizer.h"

using namespace loader::text;

namespace {

std::vector<std::string> pieces(RuleSet rules, const std::string& text) {
    std::vector<std::uint32_t> lengths;
    splitPieces(rules, text, lengths);
    std::vector<std::string> result;
    std::size_t start = 0;
    for (const std::uint32_t length : lengths) {
        result.push_back(text.substr(start, length));
        start += length;
    }
    return result;
}

QString shown(const std::vector<std::string>& parts) {
    QStringList list;
    for (const std::string& part : parts)
        list << QString::fromStdString(part);
    return list.join('|').replace('\n', QStringLiteral("\\n")).replace('\r', QStringLiteral("\\r"));
}

}  // namespace

class TestPreTokenizer : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void piecesAreThoseOfThePattern_data();
    void piecesAreThoseOfThePattern();
    void namesAreKnown();
    void piecesCoverEveryText();
};

void TestPreTokenizer::piecesAreThoseOfThePattern_data() {
    QTest::addColumn<int>("rules");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("expected");
    int rowNumber = 0;
    const auto row = [&](RuleSet rules, const char* text, const char* expected) {
        QTest::addRow("%d %s", ++rowNumber, text)
            << static_cast<int>(rules) << QString::fromUtf8(text) << QString::fromUtf8(expected);
    };
    row(RuleSet::Words, "Hello  world's 123 !?\n\n x", "Hello| | world|'s| 123| !?|\\n\\n| x");
    row(RuleSet::Words, "I'LL we'll", "I|'|LL| we|'ll");
    row(RuleSet::Words, "a  ", "a|  ");
    row(RuleSet::DigitWords, "a 12b", "a| |1|2|b");
    row(RuleSet::Default, "a,b 1234", "a|,|b| |123|4");
    row(RuleSet::PunctuationWordsTriples, "x=`1`; 12345", "x|=`|1|`;| |123|45");
    row(RuleSet::PrefixedWords3, "I'LL (foo)\n\n12345 x", "I|'LL| (|foo|)\\n\\n|123|45| x");
    row(RuleSet::PrefixedWords3, "a \n  b", "a| \\n| | b");
    row(RuleSet::PrefixedWords3, "(foo) .bar\tbaz", "(foo|)| .|bar|\tbaz");
    row(RuleSet::PrefixedWords1, "a123", "a|1|2|3");
    row(RuleSet::PrefixedWordsPlain, "we'll", "we|'ll");
    row(RuleSet::PrefixedWordsMarks, "e\xCC\x81t", "e\xCC\x81t");
    row(RuleSet::PrefixedWords1, "e\xCC\x81t", "e|\xCC\x81t");
    row(RuleSet::PrefixedWordsTight, "a!!\nb", "a|!!|\\n|b");
    row(RuleSet::NumbersPrefixedWords, "a1234", "a|123|4");
    row(RuleSet::LinesPrefixedWords, "a!\nb", "a|!|\\n|b");
    row(RuleSet::ScriptRuns, "Hi there, 你好 123\r\nx", "Hi| there|,| |你好| |123|\\r|\\n|x");
    row(RuleSet::CodeRuns, "int x=12;\n", "int| x|=|1|2|;|\\n");
    row(RuleSet::NumbersKanaWords, "日本ごabc .foo 1234 $x\n", "日本ご|abc| .|foo| |123|4| $|x|\\n");
    row(RuleSet::CasedWords3, "HelloWorld's ABCdef 1234/\n", "Hello|World's| ABCdef| |123|4|/\\n");
    row(RuleSet::CasedWords3, " ABC", " ABC");
    row(RuleSet::CasedWords3, "中ABC", "中|ABC");
    row(RuleSet::CasedWords1, "HelloWorld's 12", "Hello|World|'s| |1|2");
    row(RuleSet::HanCasedWords3, "Hi中文Hi's", "Hi|中文|Hi's");
    row(RuleSet::SpacedWords, "a b, (c)", "a| b|, (|c|)");
    row(RuleSet::SpacedWordsDigits, "a12", "a|1|2");
}

void TestPreTokenizer::piecesAreThoseOfThePattern() {
    QFETCH(int, rules);
    QFETCH(QString, text);
    QFETCH(QString, expected);
    QCOMPARE(shown(pieces(static_cast<RuleSet>(rules), text.toStdString())), expected);
}

void TestPreTokenizer::namesAreKnown() {
    QVERIFY(!findPreTokenizer("abacus"));
    QVERIFY(!findPreTokenizer(""));
    for (const char* name : {"default",     "gpt-2",     "llama-bpe",   "falcon",     "deepseek-llm",
                             "qwen2",       "starcoder", "tekken",      "smollm",     "deepseek-coder",
                             "deepseek-v3", "gpt-4o",    "chatglm-bpe", "glm4",       "olmo",
                             "command-r",   "refact",    "dbrx",        "jais",       "stablelm2",
                             "hunyuan",     "kimi-k2",   "bailingmoe",  "seed-coder", "granite-docling",
                             "llama4"}) {
        QVERIFY2(findPreTokenizer(name).has_value(), name);
    }
    QVERIFY(findPreTokenizer("llama-bpe")->ignoreMerges && findPreTokenizer("llama-bpe")->addBos);
}

void TestPreTokenizer::piecesCoverEveryText() {
    std::mt19937 random(7);
    const std::vector<std::string> parts = {
        "a",        "B", "'",       "s",  "ll",       "1",    " ", "  ", "\n",           "\r\n",
        "\t",       "é", "中",      "の", "\xCC\x81", "🙂", "!", "$",  "\xE2\x80\x83", "\xFF",
        "\xE4\xB8", "/", "\xC2\xB2"};
    for (const RuleSet rules : allRuleSets()) {
        for (int round = 0; round < 300; ++round) {
            std::string text;
            for (int i = 0; i < 20; ++i)
                text += parts[random() % parts.size()];
            std::string joined;
            for (const std::string& piece : pieces(rules, text)) {
                QVERIFY(!piece.empty());
                joined += piece;
            }
            QVERIFY(joined == text);
        }
    }
}

QTEST_GUILESS_MAIN(TestPreTokenizer)
#include "tst_pretokenizer.moc"
