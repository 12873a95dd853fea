// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One answer from prompt to end, driven by a made-up model whose logits depend on the tokens alone.

#include <QTest>
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "core/engine/base/random.h"
#include "core/engine/session/generation.h"
#include "core/engine/session/history.h"

using namespace loader;
using namespace loader::session;
using loader::sampling::Mirostat;

namespace {

constexpr std::uint32_t kVocabulary = 26;

/// Token n is the letter 'a' + n. An "e acute" of two bytes comes of the tokens 24 and 25 together.
class Letters : public TokenText {
public:
    std::string push(TokenId token) override {
        if (token == 24) return std::exchange(m_half, true) ? "\xEF\xBF\xBD" : "";
        if (std::exchange(m_half, false)) return token == 25 ? "\xC3\xA9" : "\xEF\xBF\xBD" + letter(token);
        return letter(token);
    }
    std::string finish() override { return std::exchange(m_half, false) ? "\xEF\xBF\xBD" : ""; }

private:
    static std::string letter(TokenId token) { return std::string(1, static_cast<char>('a' + token)); }
    bool m_half = false;
};

/// Logits that every back end agrees on: a function of the tokens up to here.
std::vector<float> logitsAfter(std::span<const TokenId> tokens) {
    std::vector<float> logits(kVocabulary);
    std::uint64_t mix = 0;
    for (const TokenId token : tokens)
        mix = mix * 31 + static_cast<std::uint64_t>(token) + 1;
    for (std::uint32_t i = 0; i < kVocabulary; ++i)
        logits[i] = static_cast<float>(4.0 * uniformAt(mix, i, 0, 0));
    return logits;
}

std::vector<float> favour(TokenId token) {
    std::vector<float> logits(kVocabulary, 0.0F);
    logits[static_cast<std::size_t>(token)] = 10.0F;
    return logits;
}

GenerationOptions options() {
    GenerationOptions result;
    result.vocabularySize = kVocabulary;
    result.contextTokens = 100;
    result.sampling.temperature = 0.0F;
    return result;
}

struct Answer {
    std::string text;
    std::vector<TokenId> produced;
    std::optional<StopReason> reason;
    sampling::SamplerState state;
};

/// Runs until done, or until `most` tokens were picked.
Answer run(Generation& generation, std::size_t most = 1000) {
    Answer answer;
    while (const std::optional<Evaluation> work = generation.next()) {
        if (!work->wantsOutput) {
            if (!generation.evaluated().ok()) break;
            continue;
        }
        const Result<GenerationEvent> event = generation.accept(logitsAfter(generation.tokens()));
        if (!event.ok()) break;
        answer.text += event->text;
        if (event->done != StopReason::End) answer.produced.push_back(*event->token);
        answer.reason = event->done;
        answer.state = generation.sampler().save();
        if (answer.produced.size() == most) break;
    }
    return answer;
}

/// Feeds tokens as if the model insisted on them.
Answer dictate(Generation& generation, const std::vector<TokenId>& tokens) {
    Answer answer;
    for (const TokenId token : tokens) {
        while (generation.next() && !generation.next()->wantsOutput && generation.evaluated().ok())
            continue;
        const Result<GenerationEvent> event = generation.accept(favour(token));
        if (!event.ok()) break;
        answer.text += event->text;
        answer.reason = event->done;
        if (event->done) break;
    }
    return answer;
}

}  // namespace

class TestGeneration : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void promptsGoInChunks();
    void everyReasonToStop();
    void endTokensCanBeForbidden();
    void textIsWholeCharacters();
    void stopStringsAreCutOut();
    void cancelKeepsWhatWasHeldBack();
    void answersGoOnElsewhere_data();
    void answersGoOnElsewhere();
    void outOfTurnIsRefused();
    void historyFindsWhatTheCacheHolds();
};

void TestGeneration::promptsGoInChunks() {
    Letters text;
    GenerationOptions chunked = options();
    chunked.batchTokens = 3;
    Result<Generation> generation = Generation::create(chunked, {1, 2, 3, 4, 5, 6, 7}, text);
    QVERIFY(generation.ok());
    for (const std::size_t position : {0U, 3U}) {
        const Evaluation work = *generation->next();
        QCOMPARE(work.position, position);
        QCOMPARE(work.tokens.size(), std::size_t{3});
        QCOMPARE(work.tokens[0], static_cast<TokenId>(position + 1));
        QVERIFY(!work.wantsOutput);
        QVERIFY(generation->evaluated().ok());
    }
    QCOMPARE(generation->next()->position, std::size_t{6});
    QVERIFY(generation->next()->wantsOutput);
    QVERIFY(generation->accept(favour(9)).ok());
    QCOMPARE(generation->next()->position, std::size_t{7});
    QCOMPARE(generation->next()->tokens[0], 9);
    QCOMPARE(generation->evaluatedTokens(), std::size_t{7});

    // Six tokens are in the cache; of seven in the cache the last is evaluated again, for its logits.
    for (const std::size_t cached : {6U, 7U}) {
        chunked.cachedTokens = cached;
        Result<Generation> reused = Generation::create(chunked, {1, 2, 3, 4, 5, 6, 7}, text);
        QCOMPARE(reused->next()->position, std::size_t{6});
        QVERIFY(reused->next()->wantsOutput);
    }
}

void TestGeneration::everyReasonToStop() {
    GenerationOptions plain = options();
    plain.endTokens = {3};
    plain.stops = {"xy"};
    plain.maxTokens = 6;
    {
        Letters text;
        Generation generation = Generation::create(plain, {0}, text).value();
        const Answer answer = dictate(generation, {7, 8, 3});
        QVERIFY(answer.reason == StopReason::End);
        QCOMPARE(answer.text, std::string("hi"));
        QCOMPARE(generation.producedTokens(), std::size_t{2});
        QVERIFY(!generation.next());
        QVERIFY(!generation.accept(favour(1)).ok());
    }
    {
        Letters text;
        Generation generation = Generation::create(plain, {0}, text).value();
        const Answer answer = dictate(generation, {7, 23, 8, 23, 8, 8});
        QVERIFY(answer.reason == StopReason::Length);
        QCOMPARE(answer.text, std::string("hxixii"));
    }
    {
        Letters text;
        plain.contextTokens = 4;
        Generation generation = Generation::create(plain, {0, 0}, text).value();
        const Answer answer = dictate(generation, {7, 8, 8});
        QVERIFY(answer.reason == StopReason::Context);
        QCOMPARE(answer.text, std::string("hi"));
        QCOMPARE(generation.tokens().size(), std::size_t{4});
        const Result<Generation> full = Generation::create(plain, {0, 0, 0, 0}, text);
        QVERIFY(!full.ok() && full.error().code() == Errc::R902);
    }
    {
        Letters text;
        plain.maxTokens = 0;
        Generation generation = Generation::create(plain, {0}, text).value();
        QVERIFY(!generation.next() && generation.done() == StopReason::Length);
    }
    QCOMPARE(stopReasonName(StopReason::Cancelled), std::string_view("cancelled"));
}

void TestGeneration::endTokensCanBeForbidden() {
    Letters text;
    GenerationOptions ignoring = options();
    ignoring.endTokens = {5, 3, 5};
    ignoring.ignoreEnd = true;
    ignoring.sampling.logitBias = {{3, 50.0F}, {2, 1.0F}};
    Generation generation = Generation::create(ignoring, {0}, text).value();
    const Answer answer = dictate(generation, {3, 5});
    QVERIFY(!answer.reason);
    QCOMPARE(answer.text, std::string("cc"));
}

void TestGeneration::textIsWholeCharacters() {
    GenerationOptions plain = options();
    plain.maxTokens = 3;
    Letters text;
    Generation whole = Generation::create(plain, {0}, text).value();
    QCOMPARE(dictate(whole, {24}).text, std::string());
    QCOMPARE(dictate(whole, {25}).text, std::string("\xC3\xA9"));
    // An unfinished character at the end of the answer is not lost in silence.
    QCOMPARE(dictate(whole, {24}).text, std::string("\xEF\xBF\xBD"));
}

void TestGeneration::stopStringsAreCutOut() {
    GenerationOptions plain = options();
    plain.stops = {"stop"};
    Letters text;
    Generation generation =
        Generation::create(plain, {18, 19}, text).value();  // "st" of the prompt does not count
    const Answer answer = dictate(generation, {14, 15, 18, 19, 14, 15, 1});
    QVERIFY(answer.reason == StopReason::Stop);
    QCOMPARE(answer.text, std::string("op"));
    QCOMPARE(generation.producedTokens(), std::size_t{6});
}

void TestGeneration::cancelKeepsWhatWasHeldBack() {
    GenerationOptions plain = options();
    plain.stops = {"stop"};
    Letters text;
    Generation generation = Generation::create(plain, {0}, text).value();
    QCOMPARE(dictate(generation, {0, 18, 19}).text, std::string("a"));
    const GenerationEvent event = generation.cancel();
    QCOMPARE(event.text, std::string("st"));
    QVERIFY(event.done == StopReason::Cancelled);
    QVERIFY(!event.token);
    QVERIFY(generation.cancel().text.empty());
}

void TestGeneration::answersGoOnElsewhere_data() {
    QTest::addColumn<int>("mirostat");
    QTest::newRow("default chain with penalties and XTC") << 0;
    QTest::newRow("mirostat 1") << 1;
    QTest::newRow("mirostat 2") << 2;
}

void TestGeneration::answersGoOnElsewhere() {
    QFETCH(int, mirostat);
    GenerationOptions varied = options();
    varied.sampling.temperature = 1.2F;
    varied.sampling.seed = 12345;
    varied.sampling.repeatPenalty = 1.1F;
    varied.sampling.xtcProbability = 0.5F;
    varied.sampling.xtcThreshold = 0.05F;
    varied.sampling.mirostat = static_cast<Mirostat>(mirostat);
    varied.sampling.mirostatTau = 3.0F;
    varied.maxTokens = 60;
    varied.stops = {"zzzz"};
    const std::vector<TokenId> prompt = {4, 8, 15, 16, 23};
    Letters firstText;
    Generation whole = Generation::create(varied, prompt, firstText).value();
    const Answer expected = run(whole);
    QVERIFY(expected.produced.size() > 20);

    for (std::size_t cut = 1; cut < expected.produced.size(); ++cut) {
        Letters brokenText;
        Generation broken = Generation::create(varied, prompt, brokenText).value();
        const Answer head = run(broken, cut);
        GenerationOptions resumed = varied;
        resumed.produced = head.produced;
        resumed.samplerState = head.state;
        resumed.batchTokens = 2;
        Letters text;
        Generation tailGeneration = Generation::create(resumed, prompt, text).value();
        const Answer tail = run(tailGeneration);
        QCOMPARE(head.text + tail.text, expected.text);
        QVERIFY(tail.reason == expected.reason);
        QCOMPARE(tailGeneration.producedTokens(), expected.produced.size());
    }
}

void TestGeneration::outOfTurnIsRefused() {
    Letters text;
    GenerationOptions chunked = options();
    chunked.batchTokens = 1;
    Generation generation = Generation::create(chunked, {1, 2}, text).value();
    const Result<GenerationEvent> early = generation.accept(favour(1));
    QVERIFY(!early.ok() && early.error().code() == Errc::X003);
    QVERIFY(generation.evaluated().ok());
    QVERIFY(!generation.evaluated().ok());
    const Result<GenerationEvent> unusable =
        generation.accept(std::vector<float>(kVocabulary, std::numeric_limits<float>::quiet_NaN()));
    QVERIFY(!unusable.ok() && unusable.error().code() == Errc::M132);
    QCOMPARE(generation.next()->position, std::size_t{1});  // nothing moved

    QVERIFY(!Generation::create(options(), {}, text).ok());
    QVERIFY(!Generation::create(options(), {26}, text).ok());
    GenerationOptions wrong = options();
    wrong.cachedTokens = 2;
    QVERIFY(!Generation::create(wrong, {1}, text).ok());
    wrong = options();
    wrong.maxTokens = 1;
    wrong.produced = {1, 2};
    QVERIFY(!Generation::create(wrong, {1}, text).ok());
}

void TestGeneration::historyFindsWhatTheCacheHolds() {
    TokenHistory history({1, 2, 3, 4});
    const std::vector<TokenId> longer = {1, 2, 3, 4, 5, 6};
    const std::vector<TokenId> other = {1, 2, 9};
    const std::vector<TokenId> same = {1, 2, 3, 4};
    QCOMPARE(history.plan(longer).keep, std::size_t{4});
    QCOMPARE(history.plan(longer).evaluate.size(), std::size_t{2});
    QCOMPARE(history.plan(other).keep, std::size_t{2});
    QCOMPARE(history.plan(other).evaluate[0], 9);
    QCOMPARE(history.plan(same).keep, std::size_t{3});
    QCOMPARE(history.plan(same).evaluate.size(), std::size_t{1});
    QCOMPARE(history.planAfterTruncate(other, 1).keep, std::size_t{1});
    QVERIFY(history.plan({}).evaluate.empty());
    history.truncate(2);
    history.append(std::vector<TokenId>{9});
    QVERIFY(std::equal(other.begin(), other.end(), history.tokens().begin(), history.tokens().end()));
    history.truncate(50);
    QCOMPARE(history.size(), std::size_t{3});
}

QTEST_GUILESS_MAIN(TestGeneration)
#include "tst_generation.moc"
