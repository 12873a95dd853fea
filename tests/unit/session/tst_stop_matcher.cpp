// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QElapsedTimer>
#include <QTest>
#include <random>
#include <string>
#include <vector>

#include "core/engine/session/stop_matcher.h"

using namespace loader;
using loader::session::StopMatcher;

namespace {

struct Outcome {
    std::string text;
    bool matched = false;
};

/// The definition: the stop string that ends first, of those the longest.
Outcome slow(const std::string& text, const std::vector<std::string>& stops) {
    for (std::size_t end = 1; end <= text.size(); ++end) {
        std::size_t longest = 0;
        for (const std::string& stop : stops) {
            if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0)
                longest = std::max(longest, stop.size());
        }
        if (longest != 0) return {text.substr(0, end - longest), true};
    }
    return {text, false};
}

Outcome run(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
    Result<StopMatcher> matcher = StopMatcher::create(stops);
    Outcome outcome;
    for (const std::string& piece : pieces)
        outcome.text += matcher->push(piece);
    outcome.matched = matcher->matched();
    outcome.text += matcher->finish();
    return outcome;
}

}  // namespace

class TestStopMatcher : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everySplitGivesTheSame();
    void randomTextsEqualTheDefinition();
    void onlyWhatMayStillMatchIsHeldBack();
    void nothingComesAfterAMatch();
    void uselessStopsAreRefused();
    void timeIsLinear();
};

void TestStopMatcher::everySplitGivesTheSame() {
    const std::vector<std::string> stops = {"</s>", "User:", "s>x", "\xC3\xA9nd"};
    for (const std::string text :
         {"a</s>b", "ab</s", "<</s>", "UsUser: x", "xs>x", "caf\xC3\xA9", "caf\xC3\xA9nd"}) {
        const Outcome expected = slow(text, stops);
        // Bit i of the mask puts a border behind byte i.
        for (unsigned mask = 0; mask < 1U << (text.size() - 1); ++mask) {
            std::vector<std::string> pieces(1);
            for (std::size_t i = 0; i < text.size(); ++i) {
                pieces.back() += text[i];
                if (i + 1 < text.size() && (mask >> i & 1U) != 0) pieces.emplace_back();
            }
            const Outcome outcome = run(pieces, stops);
            QCOMPARE(outcome.text, expected.text);
            QCOMPARE(outcome.matched, expected.matched);
        }
    }
}

void TestStopMatcher::randomTextsEqualTheDefinition() {
    std::mt19937 random(8);
    const auto word = [&random](std::size_t length) {
        std::string result;
        for (std::size_t i = 0; i < length; ++i)
            result += static_cast<char>('a' + random() % 2);
        return result;
    };
    int matches = 0;
    for (int round = 0; round < 5000; ++round) {
        std::vector<std::string> stops;
        for (unsigned i = random() % 4; i > 0; --i)
            stops.push_back(word(1 + random() % 7));
        const std::string text = word(20);
        const Outcome expected = slow(text, stops);
        std::vector<std::string> pieces;
        for (std::size_t at = 0; at < text.size();) {
            pieces.push_back(text.substr(at, random() % 5));
            at += pieces.back().size();
        }
        const Outcome outcome = run(pieces, stops);
        QCOMPARE(outcome.text, expected.text);
        QCOMPARE(outcome.matched, expected.matched);
        matches += outcome.matched ? 1 : 0;
    }
    QVERIFY(matches > 1000 && matches < 4900);
}

void TestStopMatcher::onlyWhatMayStillMatchIsHeldBack() {
    const std::vector<std::string> stops = {"END"};
    Result<StopMatcher> matcher = StopMatcher::create(stops);
    QCOMPARE(matcher->push("THE E"), std::string("THE "));
    QCOMPARE(matcher->push("N"), std::string());
    QCOMPARE(matcher->push("E"), std::string("EN"));
    QCOMPARE(matcher->finish(), std::string("E"));
}

void TestStopMatcher::nothingComesAfterAMatch() {
    const std::vector<std::string> stops = {"b"};
    Result<StopMatcher> matcher = StopMatcher::create(stops);
    QCOMPARE(matcher->push("abc"), std::string("a"));
    QVERIFY(matcher->matched());
    QCOMPARE(matcher->push("more"), std::string());
    QCOMPARE(matcher->finish(), std::string());
}

void TestStopMatcher::uselessStopsAreRefused() {
    for (const std::string& stop :
         {std::string(), std::string("\xFF"), std::string(StopMatcher::kMaxBytes + 1, 'a')}) {
        const std::vector<std::string> stops = {"fine", stop};
        const Result<StopMatcher> matcher = StopMatcher::create(stops);
        QVERIFY(!matcher.ok() && matcher.error().code() == Errc::X006);
    }
}

void TestStopMatcher::timeIsLinear() {
    // Nearly a match at every byte: what makes a search per position quadratic.
    const std::vector<std::string> stops = {std::string(30000, 'a') + "b"};
    const std::string text(4000000, 'a');
    Result<StopMatcher> matcher = StopMatcher::create(stops);
    QElapsedTimer timer;
    timer.start();
    QCOMPARE(matcher->push(text).size(), text.size() - 30000);
    QVERIFY(timer.elapsed() < 5000);  // a search per position takes 1.2e11 steps
}

QTEST_GUILESS_MAIN(TestStopMatcher)
#include "tst_stop_matcher.moc"
