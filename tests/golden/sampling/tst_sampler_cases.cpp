// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Replays the sampler traces of this folder (*.case, written by make_cases.py), from all logits and, where
// the sampler allows it, from the list of candidates that a back end would deliver.

#include <QDir>
#include <QTest>
#include <algorithm>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "core/engine/sampling/sampler.h"
#include "tests/support/shared_data.h"

using namespace loader;
using namespace loader::sampling;

namespace {

struct Case {
    SamplingParameters parameters;
    std::uint32_t sequence = 0;
    std::vector<float> logits;
    std::vector<TokenId> history;
    std::vector<TokenId> expected;
    std::string unknown;
};

template <class T>
std::vector<T> listOf(std::istream& stream) {
    std::vector<T> values;
    for (T value; stream >> value;)
        values.push_back(value);
    return values;
}

Case parse(const QByteArray& text) {
    Case result;
    SamplingParameters& p = result.parameters;
    using Reader = std::function<void(std::istream&)>;
    const auto into = [](auto& field) -> Reader {
        return [&field](std::istream& stream) { stream >> field; };
    };
    const std::map<std::string, Reader> fields = {
        {"seed", into(p.seed)},
        {"sequence", into(result.sequence)},
        {"temperature", into(p.temperature)},
        {"top_k", into(p.topK)},
        {"top_p", into(p.topP)},
        {"min_p", into(p.minP)},
        {"typical_p", into(p.typicalP)},
        {"repeat_penalty", into(p.repeatPenalty)},
        {"repeat_last_n", into(p.repeatLastN)},
        {"frequency_penalty", into(p.frequencyPenalty)},
        {"presence_penalty", into(p.presencePenalty)},
        {"dry_multiplier", into(p.dryMultiplier)},
        {"dry_base", into(p.dryBase)},
        {"dry_allowed_length", into(p.dryAllowedLength)},
        {"xtc_probability", into(p.xtcProbability)},
        {"xtc_threshold", into(p.xtcThreshold)},
        {"logits", [&result](std::istream& stream) { result.logits = listOf<float>(stream); }},
        {"history", [&result](std::istream& stream) { result.history = listOf<TokenId>(stream); }},
        {"expect", [&result](std::istream& stream) { result.expected = listOf<TokenId>(stream); }},
        {"order",
         [&p](std::istream& stream) {
             p.order.clear();
             for (const std::string& name : listOf<std::string>(stream))
                 p.order.push_back(stageFromName(name).value());
         }},
    };
    std::istringstream lines(text.toStdString());
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words(line);
        std::string name;
        words >> name;
        const auto field = fields.find(name);
        if (field == fields.end()) {
            result.unknown = name;
        } else {
            field->second(words);
        }
    }
    return result;
}

std::vector<Candidate> candidatesFor(Sampler& sampler, const Case& sample,
                                     const std::vector<TokenId>& history) {
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < sample.logits.size(); ++i)
        candidates.push_back({static_cast<TokenId>(i), sample.logits[i]});
    const auto bias = sampler.sparseBias(history);
    for (const TokenBias& entry : bias.value())
        candidates[static_cast<std::size_t>(entry.id)].logit += entry.bias;
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
    candidates.resize(sampler.candidatesWanted());
    return candidates;
}

}  // namespace

class TestSamplerCases : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void traces_data();
    void traces();
};

void TestSamplerCases::traces_data() {
    QTest::addColumn<QString>("path");
    const QDir folder(loader::test::sourceFile("tests/golden/sampling"));
    const QStringList names = folder.entryList({"*.case"}, QDir::Files, QDir::Name);
    QVERIFY(!names.isEmpty());
    for (const QString& name : names)
        QTest::newRow(qPrintable(name)) << folder.filePath(name);
}

void TestSamplerCases::traces() {
    QFETCH(QString, path);
    const Case sample = parse(loader::test::readAll(path));
    QCOMPARE(sample.unknown, std::string());
    QVERIFY(!sample.expected.empty());
    Result<Sampler> sampler =
        Sampler::create(sample.parameters, static_cast<std::uint32_t>(sample.logits.size()));
    QVERIFY(sampler.ok());
    std::vector<TokenId> history = sample.history;
    for (const TokenId expected : sample.expected) {
        const Result<Choice> choice =
            sampler->sample(sample.logits, history, sample.sequence, history.size());
        QVERIFY(choice.ok());
        QCOMPARE(choice->id, expected);
        if (!sampler->needsAllLogits()) {
            const std::vector<Candidate> candidates = candidatesFor(*sampler, sample, history);
            const Result<Choice> listed =
                sampler->sample(CandidateList{candidates}, history, sample.sequence, history.size());
            QVERIFY(listed.ok());
            QCOMPARE(listed->id, expected);
        }
        history.push_back(expected);
    }
}

QTEST_GUILESS_MAIN(TestSamplerCases)
#include "tst_sampler_cases.moc"
