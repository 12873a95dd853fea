// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a session hands out besides plain logits: bidirectional groups, best tokens, biases, hidden and pooled
// rows; a model in two parts on two back ends; adapters.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/engine/base/random.h"
#include "tests/contract/backend/contract_test.h"

using namespace loader;
using namespace loader::test;
using backend::BatchItem;
using backend::OutputKind;
using backend::OutputRequest;

namespace {

constexpr double kCosine = 1.0 - 1e-9;
constexpr double kWorst = 2e-4;

OutputRequest requestOf(OutputKind kind) {
    OutputRequest request;
    request.kind = kind;
    return request;
}

/// Ten causal tokens, a group of twelve that see each other, six causal tokens.
std::vector<BatchItem> withGroup(std::uint32_t group) {
    std::vector<BatchItem> items = itemsOf(randomTokens(28, 40));
    for (std::size_t i = 10; i < 22; ++i)
        items[i].group = group;
    return items;
}

std::vector<float> randomFloats(std::size_t count, std::uint64_t seed, float size) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = static_cast<float>(uniformAt(seed, 3, i, 0) * 2.0 - 1.0) * size;
    return values;
}

/// An adapter of rank 2 with its numbers.
struct OwnedAdapter {
    graph::TensorId target = graph::kNone;
    std::vector<float> a;
    std::vector<float> b;
    backend::Adapter view() const { return {target, a, b, 2, 0.75f}; }
};

OwnedAdapter adapterFor(const graph::Program& program, const std::string& tensor) {
    OwnedAdapter adapter;
    for (graph::TensorId id = 0; id < program.weights.size(); ++id) {
        const graph::WeightRef& weight = program.weights[id];
        if (weight.name != tensor) continue;
        adapter.target = id;
        adapter.a = randomFloats(2 * weight.columns, 50 + id, 0.1f);
        adapter.b = randomFloats(2 * weight.rows, 90 + id, 0.3f);
    }
    return adapter;
}

std::vector<std::uint32_t> range(std::uint32_t begin, std::uint32_t end) {
    std::vector<std::uint32_t> values(end - begin);
    std::iota(values.begin(), values.end(), begin);
    return values;
}

/// Runs the first k segments on one back end and the others on another, a batch of many and two of one.
Result<Rows> runSplit(const Subject& front, const Subject& back, const SourcePointer& source, std::uint32_t k,
                      std::span<const TokenId> tokens) {
    const auto segments = static_cast<std::uint32_t>(source->program.segments.size());
    RunOptions options;
    options.segments = range(0, k);
    LOADER_TRY(const auto first, RunningModel::open(front, source, options));
    options.segments = range(k, segments);
    LOADER_TRY(const auto second, RunningModel::open(back, source, options));
    Rows rows;
    for (const auto& [begin, count] : {std::pair<std::size_t, std::size_t>(0, tokens.size() - 2),
                                       {tokens.size() - 2, 1},
                                       {tokens.size() - 1, 1}}) {
        LOADER_TRY(const Rows hidden,
                   first->extend(tokens.subspan(begin, count), 0, requestOf(OutputKind::Hidden)));
        std::vector<BatchItem> items(count);
        for (std::size_t i = 0; i < count; ++i) {
            items[i].row = hidden[i].data();
            items[i].wantsOutput = true;
        }
        LOADER_TRY(const Rows part, second->evaluate(items));
        rows.insert(rows.end(), part.begin(), part.end());
    }
    return rows;
}

}  // namespace

class TestBackendOutputs : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void groupsSeeEachOther_data() { addSubjectRows(Which::Computing); }
    void groupsSeeEachOther();
    void groupStaysInOneStep_data() { addSubjectRows(Which::ButTheOracle); }
    void groupStaysInOneStep();
    void groupAmongOthersStaysInOneStep_data() { addSubjectRows(Which::ButTheOracle); }
    void groupAmongOthersStaysInOneStep();
    void onlyWantedItemsAreGiven_data() { addSubjectRows(Which::All); }
    void onlyWantedItemsAreGiven();
    void topTokensAreTheBestLogits_data() { addSubjectRows(Which::All); }
    void topTokensAreTheBestLogits();
    void biasIsAddedOnce_data() { addSubjectRows(Which::All); }
    void biasIsAddedOnce();
    void hiddenAndPooledEqualOracle_data() { addSubjectRows(Which::ButTheOracle); }
    void hiddenAndPooledEqualOracle();
    void pooledIsTheMeanOfHidden_data() { addSubjectRows(Which::Computing); }
    void pooledIsTheMeanOfHidden();
    void splitEqualsWhole_data();
    void splitEqualsWhole();
    void partWithoutRowsIsRefused_data() { addSubjectRows(Which::All); }
    void partWithoutRowsIsRefused();
    void adaptersEqualOracle_data();
    void adaptersEqualOracle();
    void adaptersThatFitNothingAreRefused_data() { addSubjectRows(Which::Computing); }
    void adaptersThatFitNothingAreRefused();
    void planCountsWithoutAllocating_data() { addSubjectRows(Which::Computing); }
    void planCountsWithoutAllocating();
};

void TestBackendOutputs::groupsSeeEachOther() {
    QFETCH(const QString, subject);
    for (const char* variant : {"llama", "gpt2"}) {
        const auto source = sourceOf(variant);
        CONTRACT_OK(source);
        auto grouped = RunningModel::open(oracle(), *source);
        auto causal = RunningModel::open(oracle(), *source);
        CONTRACT_OK(grouped);
        CONTRACT_OK(causal);
        const auto expected = (*grouped)->evaluate(withGroup(1));
        const auto without = (*causal)->evaluate(withGroup(0));
        CONTRACT_OK(expected);
        CONTRACT_OK(without);
        // In front of the group nothing changes; within it and behind it, everything does.
        for (std::size_t i = 0; i < expected->size(); ++i) {
            const double apart = distance({(*expected)[i]}, {(*without)[i]}).worst;
            QVERIFY2((apart > 1e-3) == (i >= 10) || i == 21, qPrintable(QString::number(i)));
        }
        auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source);
        CONTRACT_OK(model);
        const auto rows = (*model)->evaluate(withGroup(1));
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
}

void TestBackendOutputs::groupStaysInOneStep() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    auto whole = RunningModel::open(oracle(), *source);
    CONTRACT_OK(whole);
    const auto expected = (*whole)->evaluate(withGroup(1));
    CONTRACT_OK(expected);
    RunOptions options;
    for (const unsigned batchTokens : {12u, 15u}) {
        options.batchTokens = batchTokens;
        auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
        CONTRACT_OK(model);
        const auto rows = (*model)->evaluate(withGroup(1));
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
    // A group that no step can hold is refused, and the sequence is as it was.
    options.batchTokens = 11;
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(model);
    const auto refused = (*model)->evaluate(withGroup(1));
    QVERIFY(!refused.ok() && refused.error().code() == Errc::R902);
    const auto rows = (*model)->evaluate(withGroup(0));
    CONTRACT_OK(rows);
    QCOMPARE(rows->size(), std::size_t(28));
}

/// A group whose items do not lie side by side: those of another sequence are between them.
void TestBackendOutputs::groupAmongOthersStaysInOneStep() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const std::vector<BatchItem> grouped = withGroup(3);
    const std::vector<BatchItem> causal = itemsOf(randomTokens(28, 49), 1);
    std::vector<BatchItem> items;
    for (std::size_t i = 0; i < grouped.size(); ++i) {
        items.push_back(grouped[i]);
        items.push_back(causal[i]);
    }
    RunOptions options;
    options.sequences = 2;
    auto whole = RunningModel::open(oracle(), *source, options);
    CONTRACT_OK(whole);
    const auto expected = (*whole)->evaluate(items);
    CONTRACT_OK(expected);
    // From the first of the group to the last are 23 items.
    for (const unsigned batchTokens : {23u, 24u, 30u}) {
        options.batchTokens = batchTokens;
        auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
        CONTRACT_OK(model);
        const auto rows = (*model)->evaluate(items);
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
    options.batchTokens = 22;
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(model);
    const auto refused = (*model)->evaluate(items);
    QVERIFY(!refused.ok() && refused.error().code() == Errc::R902);
}

void TestBackendOutputs::onlyWantedItemsAreGiven() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(30, 41);
    auto all = RunningModel::open(subjectNamed(subject.toStdString()), *source);
    CONTRACT_OK(all);
    const auto everything = (*all)->extend(tokens);
    CONTRACT_OK(everything);
    std::vector<BatchItem> items = itemsOf(tokens);
    Rows expected;
    for (std::size_t i = 0; i < items.size(); ++i) {
        items[i].wantsOutput = i % 7 == 3;
        if (items[i].wantsOutput) expected.push_back((*everything)[i]);
    }
    RunOptions options;
    options.batchTokens = 8;
    auto some = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(some);
    const auto rows = (*some)->evaluate(items);
    CONTRACT_OK(rows);
    CONTRACT_NEAR(*rows, expected, kCosine, kWorst);
    for (BatchItem& item : items)
        item.wantsOutput = false;
    const auto none = (*some)->evaluate(items);
    CONTRACT_OK(none);
    QVERIFY(none->empty());
}

void TestBackendOutputs::topTokensAreTheBestLogits() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(35, 42);
    const backend::TokenBias biases[] = {{3, 2.5f}, {200, -4.0f}, {100000, 1.0f}, {-1, 1.0f}};
    OutputRequest request;
    request.bias = biases;
    auto plain = RunningModel::open(subjectNamed(subject.toStdString()), *source);
    CONTRACT_OK(plain);
    const auto logits = (*plain)->extend(tokens, 0, request);
    CONTRACT_OK(logits);
    const std::size_t vocabulary = logits->front().size();
    for (const std::uint32_t top : {0u, 1u, 7u, 1000u}) {
        request.kind = OutputKind::TopTokens;
        request.top = top;
        auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source);
        CONTRACT_OK(model);
        CONTRACT_OK((*model)->extend(tokens, 0, request));
        const backend::ForwardOutput& out = (*model)->out();
        QVERIFY(out.values.empty());
        QCOMPARE(out.top.size(), tokens.size() * top);
        QCOMPARE(out.logSumExp.size(), tokens.size());
        for (std::size_t t = 0; t < tokens.size(); ++t) {
            const std::vector<float>& row = (*logits)[t];
            std::vector<std::size_t> order(vocabulary);
            std::iota(order.begin(), order.end(), std::size_t(0));
            std::stable_sort(order.begin(), order.end(),
                             [&](std::size_t a, std::size_t b) { return row[a] > row[b]; });
            double sum = 0.0;
            for (const float logit : row)
                sum += std::exp(double{logit});
            QVERIFY(std::abs(std::log(sum) - out.logSumExp[t]) < 1e-5);
            for (std::size_t i = 0; i < top; ++i) {
                const backend::TopToken& given = out.top[t * top + i];
                QCOMPARE(given.token, i < vocabulary ? static_cast<TokenId>(order[i]) : kNoToken);
                if (i < vocabulary) QCOMPARE(given.logit, row[order[i]]);
            }
        }
    }
}

void TestBackendOutputs::biasIsAddedOnce() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const TokenId token = 9;
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source);
    CONTRACT_OK(model);
    auto rows = (*model)->extend(std::span(&token, 1));
    CONTRACT_OK(rows);
    std::vector<float> expected = rows->front();
    const backend::TokenBias biases[] = {{17, 3.0f}, {18, -2.0f}, {17, 0.5f}};
    for (const backend::TokenBias& bias : biases)
        expected[static_cast<std::size_t>(bias.token)] += bias.bias;
    for (const OutputKind kind : {OutputKind::Logits, OutputKind::TopTokens}) {
        CONTRACT_OK((*model)->truncate(0, 0));
        OutputRequest request = requestOf(kind);
        request.top = static_cast<std::uint32_t>(expected.size());
        request.bias = biases;
        rows = (*model)->extend(std::span(&token, 1), 0, request);
        CONTRACT_OK(rows);
        if (kind == OutputKind::Logits) QVERIFY(rows->front() == expected);
        for (const backend::TopToken& top : (*model)->out().top)
            QCOMPARE(top.logit, expected[static_cast<std::size_t>(top.token)]);
    }
}

void TestBackendOutputs::hiddenAndPooledEqualOracle() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("qwen3");
    CONTRACT_OK(source);
    RunOptions options;
    options.sequences = 2;
    options.batchTokens = 9;
    const Subject& one = subjectNamed(subject.toStdString());
    for (const OutputKind kind : {OutputKind::Hidden, OutputKind::Pooled}) {
        std::vector<BatchItem> items = itemsOf(randomTokens(11, 43), 1);
        const auto others = itemsOf(randomTokens(13, 44), 0);
        items.insert(items.end(), others.begin(), others.end());
        items[4].wantsOutput = false;
        auto model = RunningModel::open(one, *source, options);
        auto expectedModel = RunningModel::open(oracle(), *source, options);
        CONTRACT_OK(model);
        CONTRACT_OK(expectedModel);
        const auto rows = (*model)->evaluate(items, requestOf(kind));
        const auto expected = (*expectedModel)->evaluate(items, requestOf(kind));
        CONTRACT_OK(rows);
        CONTRACT_OK(expected);
        QCOMPARE(expected->size(), std::size_t(kind == OutputKind::Hidden ? 23 : 2));
        QCOMPARE(expected->front().size(), std::size_t(256));
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
}

void TestBackendOutputs::pooledIsTheMeanOfHidden() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(27, 45);
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source);
    CONTRACT_OK(model);
    const auto hidden = (*model)->extend(tokens, 0, requestOf(OutputKind::Hidden));
    CONTRACT_OK(hidden);
    CONTRACT_OK((*model)->truncate(0, 0));
    const auto pooled = (*model)->extend(tokens, 0, requestOf(OutputKind::Pooled));
    CONTRACT_OK(pooled);
    QCOMPARE(pooled->size(), std::size_t(1));
    std::vector<float> mean(256);
    for (std::size_t i = 0; i < mean.size(); ++i) {
        double sum = 0.0;
        for (const std::vector<float>& row : *hidden)
            sum += row[i];
        mean[i] = static_cast<float>(sum / static_cast<double>(hidden->size()));
    }
    CONTRACT_NEAR(*pooled, Rows{mean}, kCosine, 1e-5);
}

void TestBackendOutputs::splitEqualsWhole_data() {
    QTest::addColumn<QString>("front");
    QTest::addColumn<QString>("back");
    const QString expected = QString::fromStdString(oracle().name);
    for (const Subject& subject : subjects()) {
        if (!subject.computes) continue;
        const QString name = QString::fromStdString(subject.name);
        QTest::addRow("%s + %s", qPrintable(name), qPrintable(name)) << name << name;
        if (name == expected) continue;
        QTest::addRow("%s + %s", qPrintable(name), qPrintable(expected)) << name << expected;
        QTest::addRow("%s + %s", qPrintable(expected), qPrintable(name)) << expected << name;
    }
}

void TestBackendOutputs::splitEqualsWhole() {
    QFETCH(const QString, front);
    QFETCH(const QString, back);
    for (const char* variant : {"llama-experts", "gpt2"}) {
        const auto source = sourceOf(variant);
        CONTRACT_OK(source);
        const auto tokens = randomTokens(27, 46);
        auto whole = RunningModel::open(oracle(), *source);
        CONTRACT_OK(whole);
        const auto expected = (*whole)->extend(tokens);
        CONTRACT_OK(expected);
        for (std::uint32_t k = 1; k < (*source)->program.segments.size(); ++k) {
            const auto rows = runSplit(subjectNamed(front.toStdString()), subjectNamed(back.toStdString()),
                                       *source, k, tokens);
            CONTRACT_OK(rows);
            CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
        }
    }
}

void TestBackendOutputs::partWithoutRowsIsRefused() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    RunOptions options;
    options.segments = range(2, 6);
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(model);
    const auto tokens = randomTokens(2, 47);
    const auto refused = (*model)->extend(tokens);
    QVERIFY(!refused.ok() && refused.error().code() == Errc::B708);
    // A row where the first part takes tokens is an embedding: the same row as the token's gives the same.
    auto whole = RunningModel::open(subjectNamed(subject.toStdString()), *source);
    RunOptions firstOnly;
    firstOnly.segments = {0};
    auto embedding = RunningModel::open(subjectNamed(subject.toStdString()), *source, firstOnly);
    CONTRACT_OK(whole);
    CONTRACT_OK(embedding);
    const auto expected = (*whole)->extend(tokens);
    const auto embedded = (*embedding)->extend(tokens, 0, requestOf(OutputKind::Hidden));
    CONTRACT_OK(expected);
    CONTRACT_OK(embedded);
    CONTRACT_OK((*whole)->truncate(0, 0));
    std::vector<BatchItem> items(2);
    for (std::size_t i = 0; i < items.size(); ++i) {
        items[i].row = (*embedded)[i].data();
        items[i].wantsOutput = true;
    }
    const auto rows = (*whole)->evaluate(items);
    CONTRACT_OK(rows);
    QVERIFY(*rows == *expected);
}

void TestBackendOutputs::adaptersEqualOracle_data() {
    QTest::addColumn<QString>("subject");
    QTest::addColumn<QString>("variant");
    QTest::addColumn<QString>("tensor");
    const std::pair<const char*, const char*> targets[] = {
        {"llama", "blk.0.attn_q.weight"},
        {"llama", "blk.1.attn_v.weight"},
        {"llama", "blk.1.attn_output.weight"},
        {"llama", "blk.0.ffn_gate.weight"},
        {"llama", "blk.1.ffn_up.weight"},
        {"llama", "blk.0.ffn_down.weight"},
        {"llama", "output.weight"},
        {"llama-tied", "token_embd.weight"},
        {"gpt2", "blk.0.attn_qkv.weight"},
        {"gpt2", "blk.1.ffn_up.weight"},
        {"llama-experts", "blk.0.ffn_gate_inp.weight"},
    };
    for (const Subject& subject : subjects()) {
        if (!subject.computes || subject.name == oracle().name) continue;
        for (const auto& [variant, tensor] : targets) {
            QTest::addRow("%s %s %s", subject.name.c_str(), variant, tensor)
                << QString::fromStdString(subject.name) << QString(variant) << QString(tensor);
        }
    }
}

void TestBackendOutputs::adaptersEqualOracle() {
    QFETCH(const QString, subject);
    QFETCH(const QString, variant);
    QFETCH(const QString, tensor);
    const auto source = sourceOf(variant.toStdString());
    CONTRACT_OK(source);
    const OwnedAdapter adapter = adapterFor((*source)->program, tensor.toStdString());
    QVERIFY(adapter.target != graph::kNone);
    const auto tokens = randomTokens(27, 48);
    RunOptions options;
    auto plain = RunningModel::open(oracle(), *source, options);
    options.adapters = {adapter.view()};
    auto expectedModel = RunningModel::open(oracle(), *source, options);
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(plain);
    CONTRACT_OK(expectedModel);
    CONTRACT_OK(model);
    const auto without = (*plain)->extend(tokens);
    const auto expected = (*expectedModel)->extend(tokens);
    auto rows = (*model)->extend(std::span(tokens).first(26));
    CONTRACT_OK(without);
    CONTRACT_OK(expected);
    CONTRACT_OK(rows);
    const auto last = (*model)->extend(std::span(tokens).last(1));
    CONTRACT_OK(last);
    rows->push_back(last->front());
    QVERIFY(distance(*expected, *without).worst > 1e-2);
    CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
}

void TestBackendOutputs::adaptersThatFitNothingAreRefused() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama-experts");
    CONTRACT_OK(source);
    const graph::Program& program = (*source)->program;
    std::vector<OwnedAdapter> wrong;
    wrong.push_back(adapterFor(program, "blk.0.ffn_up_exps.weight"));
    wrong.push_back(adapterFor(program, "blk.0.attn_norm.weight"));
    wrong.push_back(adapterFor(program, "blk.0.attn_q.weight"));
    wrong.back().a.pop_back();
    wrong.push_back(adapterFor(program, "blk.0.attn_k.weight"));
    wrong.back().b.resize(1);
    wrong.push_back(adapterFor(program, "blk.0.attn_k.weight"));
    wrong.back().target = 100'000;
    for (const OwnedAdapter& adapter : wrong) {
        RunOptions options;
        options.adapters = {adapter.view()};
        const auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
        QVERIFY(!model.ok() && model.error().code() == Errc::X001);
    }
}

/// Case M46 of the test plan, the part that concerns back ends: the need of any context is told at once.
void TestBackendOutputs::planCountsWithoutAllocating() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    backend::LoadOptions options;
    options.tier = one.tier;
    options.contextTokens = 1000;
    const auto segments = range(0, static_cast<std::uint32_t>((*source)->program.segments.size()));
    const auto small = one.make()->plan((*source)->program, segments, "", options);
    CONTRACT_OK(small);
    QVERIFY(small->unsupported.empty());
    QVERIFY(small->needed.kv >= std::uint64_t{1000} * 2 * 2 * 128 * 2);
    options.contextTokens = 0xFFFFFFFFu;
    if (one.backend == "cpu") {
        backend::LoadOptions unknown;
        unknown.tier = "mmx";
        QVERIFY(one.make()->plan((*source)->program, segments, "", unknown).error().code() == Errc::X001);
    }
    const auto large = one.make()->plan((*source)->program, segments, "", options);
    CONTRACT_OK(large);
    QCOMPARE(large->needed.kv, small->needed.kv / 1000 * 0xFFFFFFFFu);
    // A part needs its own weights, keys and values alone.
    options.contextTokens = 1000;
    const auto front = one.make()->plan((*source)->program, std::span(segments).first(3), "", options);
    const auto back = one.make()->plan((*source)->program, std::span(segments).subspan(3), "", options);
    CONTRACT_OK(front);
    CONTRACT_OK(back);
    QVERIFY(front->needed.kv > 0 && front->needed.weights > 0 && back->needed.weights > 0);
    QCOMPARE(front->needed.kv + back->needed.kv, small->needed.kv);
    QCOMPARE(front->needed.weights + back->needed.weights, small->needed.weights);
}

QTEST_APPLESS_MAIN(TestBackendOutputs)
#include "tst_backend_outputs.moc"
