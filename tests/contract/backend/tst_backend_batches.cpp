// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How a conversation is cut into batches, steps, threads and sequences must not matter; what is refused or
// stopped must leave no trace.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "core/engine/base/random.h"
#include "tests/contract/backend/contract_test.h"

using namespace loader;
using namespace loader::test;
using backend::BatchItem;

namespace {

constexpr std::size_t kTokens = 40;

/// Matrices are multiplied by other kernels for many tokens than for few: sums in another order. With
/// eight-bit activations a difference in the last bit can move a value to the next step.
struct Model {
    const char* name;
    const char* variant;
    quant::TensorType type;
    double cosine;
    double worst;
};
constexpr Model kModels[] = {
    {"floats", "llama", quant::TensorType::F32, 1.0 - 1e-9, 2e-4},
    {"learned-positions", "gpt2", quant::TensorType::F32, 1.0 - 1e-9, 2e-4},
    {"experts", "llama-experts", quant::TensorType::F32, 1.0 - 1e-9, 2e-4},
    {"blocks-of-32", "llama", quant::TensorType::Q8_0, 0.9995, 0.12},
    {"blocks-of-256", "qwen3", quant::TensorType::Q4_K, 0.9995, 0.12},
};

void addModelRows() {
    QTest::addColumn<QString>("subject");
    QTest::addColumn<int>("model");
    for (const Subject& subject : subjects()) {
        for (int i = 0; subject.computes && i < int(std::size(kModels)); ++i) {
            const bool blocks = kModels[i].type != quant::TensorType::F32;
            if (subject.takesFew() && blocks) continue;
            QTest::addRow("%s %s", subject.name.c_str(), kModels[i].name)
                << QString::fromStdString(subject.name) << i;
        }
    }
}

Result<Rows> inChunks(RunningModel& model, std::span<const TokenId> tokens,
                      std::span<const std::size_t> sizes) {
    Rows rows;
    std::size_t begin = 0;
    for (const std::size_t size : sizes) {
        const std::size_t count = std::min(size, tokens.size() - begin);
        LOADER_TRY(const Rows part, model.extend(tokens.subspan(begin, count)));
        rows.insert(rows.end(), part.begin(), part.end());
        begin += count;
    }
    return rows;
}

std::vector<std::size_t> randomSizes(std::uint64_t seed) {
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0, sum = 0; sum < kTokens; ++i) {
        sizes.push_back(1 + static_cast<std::size_t>(uniformAt(seed, 1, i, 0) * 12.0));
        sum += sizes.back();
    }
    return sizes;
}

/// One more token on a fresh model that has seen `tokens`.
Result<Rows> afterFresh(const Subject& subject, const SourcePointer& source, std::span<const TokenId> tokens,
                        TokenId next) {
    LOADER_TRY(const auto model, RunningModel::open(subject, source));
    LOADER_CHECK(model->extend(tokens));
    return model->extend(std::span(&next, 1));
}

Errc codeOf(const Result<Rows>& result) {
    return result.ok() ? Errc::X003 : result.error().code();
}

}  // namespace

class TestBackendBatches : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void chunkingDoesNotMatter_data() { addModelRows(); }
    void chunkingDoesNotMatter();
    void batchTokensDoNotMatter_data() { addModelRows(); }
    void batchTokensDoNotMatter();
    void threadsDoNotMatter_data() { addModelRows(); }
    void threadsDoNotMatter();
    void sequencesDoNotSeeEachOther_data() { addModelRows(); }
    void sequencesDoNotSeeEachOther();
    void truncateForgets_data() { addSubjectRows(Which::All); }
    void truncateForgets();
    void copyContinuesAlike_data() { addSubjectRows(Which::All); }
    void copyContinuesAlike();
    void fillOfMemoryDoesNotMatter_data() { addModelRows(); }
    void fillOfMemoryDoesNotMatter();
    void wrongBatchesAreRefused_data() { addSubjectRows(Which::All); }
    void wrongBatchesAreRefused();
    void learnedPositionsEnd_data() { addSubjectRows(Which::All); }
    void learnedPositionsEnd();
    void cancelledBatchLeavesNoTrace_data() { addSubjectRows(Which::Computing); }
    void cancelledBatchLeavesNoTrace();
    void emptyBatchAndEmptyModel_data() { addSubjectRows(Which::All); }
    void emptyBatchAndEmptyModel();
};

void TestBackendBatches::chunkingDoesNotMatter() {
    QFETCH(const QString, subject);
    QFETCH(const int, model);
    const Subject& one = subjectNamed(subject.toStdString());
    const Model& m = kModels[model];
    const auto source = sourceOf(m.variant, m.type);
    CONTRACT_OK(source);
    const auto tokens = randomTokens(kTokens, 11);
    auto whole = RunningModel::open(one, *source);
    CONTRACT_OK(whole);
    const auto expected = (*whole)->extend(tokens);
    CONTRACT_OK(expected);
    QCOMPARE(expected->size(), kTokens);
    for (const auto& sizes : {std::vector<std::size_t>(kTokens, 1), randomSizes(1), randomSizes(2)}) {
        auto cut = RunningModel::open(one, *source);
        CONTRACT_OK(cut);
        const auto rows = inChunks(**cut, tokens, sizes);
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, m.cosine, m.worst);
    }
}

void TestBackendBatches::batchTokensDoNotMatter() {
    QFETCH(const QString, subject);
    QFETCH(const int, model);
    const Subject& one = subjectNamed(subject.toStdString());
    const Model& m = kModels[model];
    const auto source = sourceOf(m.variant, m.type);
    CONTRACT_OK(source);
    const auto tokens = randomTokens(kTokens, 12);
    Rows expected;
    for (const unsigned batchTokens : {512u, 7u, 1u}) {
        RunOptions options;
        options.batchTokens = batchTokens;
        auto running = RunningModel::open(one, *source, options);
        CONTRACT_OK(running);
        const auto rows = (*running)->extend(tokens);
        CONTRACT_OK(rows);
        QCOMPARE(rows->size(), kTokens);
        if (batchTokens == 512) expected = *rows;
        CONTRACT_NEAR(*rows, expected, m.cosine, m.worst);
    }
}

/// Each number is computed by one thread, in one order, however many there are.
void TestBackendBatches::threadsDoNotMatter() {
    QFETCH(const QString, subject);
    QFETCH(const int, model);
    const Model& m = kModels[model];
    const auto source = sourceOf(m.variant, m.type);
    CONTRACT_OK(source);
    const auto tokens = randomTokens(kTokens, 13);
    Rows expected;
    for (const unsigned threads : {1u, 2u, 3u}) {
        RunOptions options;
        options.threads = threads;
        auto running = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
        CONTRACT_OK(running);
        auto rows = (*running)->extend(std::span(tokens).first(kTokens - 2));
        CONTRACT_OK(rows);
        const auto last = (*running)->extend(std::span(tokens).last(2));
        CONTRACT_OK(last);
        rows->insert(rows->end(), last->begin(), last->end());
        if (threads == 1) expected = *rows;
        QVERIFY2(*rows == expected, describe(distance(*rows, expected)).constData());
    }
}

void TestBackendBatches::sequencesDoNotSeeEachOther() {
    QFETCH(const QString, subject);
    QFETCH(const int, model);
    const Subject& one = subjectNamed(subject.toStdString());
    const Model& m = kModels[model];
    const auto source = sourceOf(m.variant, m.type);
    CONTRACT_OK(source);
    constexpr std::uint32_t kSequences = 3;
    std::vector<std::vector<BatchItem>> batches(3);
    std::vector<std::vector<TokenId>> tokens;
    for (std::uint32_t s = 0; s < kSequences; ++s)
        tokens.push_back(randomTokens(12 + s, 20 + s));
    // Three batches; in each, the sequences in an order of their own.
    std::vector<std::pair<std::uint32_t, std::size_t>> order;
    std::vector<std::size_t> next(kSequences, 0);
    for (std::size_t draw = 0; order.size() < 12 + 13 + 14; ++draw) {
        const auto s = static_cast<std::uint32_t>(uniformAt(4, 0, draw, 0) * kSequences);
        if (next[s] == tokens[s].size()) continue;
        order.emplace_back(s, next[s]);
        const std::vector<BatchItem> item = itemsOf(std::span(&tokens[s][next[s]++], 1), s);
        batches[order.size() * 3 / 40].push_back(item.front());
    }
    RunOptions options;
    options.sequences = kSequences;
    options.batchTokens = 10;
    auto together = RunningModel::open(one, *source, options);
    CONTRACT_OK(together);
    Rows mixed;
    for (const auto& batch : batches) {
        const auto rows = (*together)->evaluate(batch);
        CONTRACT_OK(rows);
        mixed.insert(mixed.end(), rows->begin(), rows->end());
    }
    QCOMPARE(mixed.size(), order.size());
    for (std::uint32_t s = 0; s < kSequences; ++s) {
        auto alone = RunningModel::open(one, *source);
        CONTRACT_OK(alone);
        const auto expected = (*alone)->extend(tokens[s]);
        CONTRACT_OK(expected);
        Rows own;
        for (std::size_t i = 0; i < order.size(); ++i) {
            if (order[i].first == s) own.push_back(mixed[i]);
        }
        CONTRACT_NEAR(own, *expected, m.cosine, m.worst);
    }
}

void TestBackendBatches::truncateForgets() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(20, 14);
    const auto others = randomTokens(9, 15);
    RunOptions options;
    options.sequences = 2;
    auto model = RunningModel::open(one, *source, options);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(tokens));
    CONTRACT_OK((*model)->extend(tokens, 1));
    CONTRACT_OK((*model)->truncate(0, 5));
    QCOMPARE((*model)->length(), 5u);
    CONTRACT_OK((*model)->extend(others));
    const auto rows = (*model)->extend(std::span(tokens).first(1));
    CONTRACT_OK(rows);

    auto fresh = RunningModel::open(one, *source, options);
    CONTRACT_OK(fresh);
    CONTRACT_OK((*fresh)->extend(tokens));
    CONTRACT_OK((*fresh)->truncate(0, 0));
    CONTRACT_OK((*fresh)->extend(std::span(tokens).first(5)));
    CONTRACT_OK((*fresh)->extend(others));
    const auto expected = (*fresh)->extend(std::span(tokens).first(1));
    CONTRACT_OK(expected);
    CONTRACT_NEAR(*rows, *expected, 1.0 - 1e-9, 2e-4);
    // Truncating behind the end is no change; the other sequence has kept its length.
    const auto behind = (*model)->session().truncate(0, 1000);
    CONTRACT_OK(behind);
    QCOMPARE(*behind, 15u);
    QCOMPARE(*(*model)->session().truncate(1, 1000), 20u);
    QVERIFY((*model)->session().truncate(2, 0).error().code() == Errc::B708);
}

void TestBackendBatches::copyContinuesAlike() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(20, 16);
    RunOptions options;
    options.sequences = 3;
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(tokens));
    CONTRACT_OK((*model)->extend(randomTokens(30, 17), 2));
    CONTRACT_OK((*model)->copy(0, 2));
    CONTRACT_OK((*model)->copy(0, 0));
    const auto more = randomTokens(4, 18);
    const auto expected = (*model)->extend(more, 0);
    CONTRACT_OK(expected);
    const auto rows = (*model)->extend(more, 2);
    CONTRACT_OK(rows);
    QVERIFY(*rows == *expected);
    QVERIFY((*model)->session().copy(0, 3).error().code() == Errc::B708);
    QVERIFY((*model)->session().copy(3, 0).error().code() == Errc::B708);
}

/// Equal bits from memory that held other bytes before: nothing is read that was not written.
void TestBackendBatches::fillOfMemoryDoesNotMatter() {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
    QFETCH(const QString, subject);
    QFETCH(const int, model);
    const auto source = sourceOf(kModels[model].variant, kModels[model].type);
    CONTRACT_OK(source);
    const auto tokens = randomTokens(kTokens, 19);
    Rows expected;
    // New memory is filled with the complement: zeros, then NaNs.
    for (const int fill : {0xFF, 0x01}) {
        mallopt(M_PERTURB, fill);
        RunOptions options;
        options.batchTokens = 29;
        options.kv = backend::KvType::F16;
        auto running = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
        auto rows = running.ok() ? (*running)->extend(tokens) : Result<Rows>(running.error());
        if (rows.ok()) {
            const auto last = (*running)->extend(std::span(tokens).first(1));
            if (last.ok()) rows->push_back(last->front());
        }
        mallopt(M_PERTURB, 0);
        CONTRACT_OK(rows);
        QCOMPARE(rows->size(), kTokens + 1);
        if (fill == 0xFF) expected = *rows;
        QVERIFY2(*rows == expected, describe(distance(*rows, expected)).constData());
    }
#else
    QSKIP("needs the C library's fill of new memory");
#endif
}

void TestBackendBatches::wrongBatchesAreRefused() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    RunOptions options;
    options.context = 16;
    options.sequences = 2;
    auto model = RunningModel::open(one, *source, options);
    CONTRACT_OK(model);
    const auto tokens = randomTokens(10, 30);
    CONTRACT_OK((*model)->extend(tokens));
    backend::ForwardOutput out;
    const auto forward = [&](std::vector<BatchItem> items) {
        const Status status = (*model)->session().forward(items, {}, out, {});
        return status.ok() ? Errc::X003 : status.error().code();
    };
    const auto item = [](TokenId token, std::uint32_t position, std::uint32_t sequence = 0) {
        BatchItem made;
        made.token = token;
        made.position[0] = position;
        made.sequence = sequence;
        made.wantsOutput = true;
        return made;
    };
    const auto vocabulary = static_cast<TokenId>((*source)->program.vocabulary);
    QVERIFY(forward({item(1, 11)}) == Errc::B708);
    QVERIFY(forward({item(1, 9)}) == Errc::B708);
    QVERIFY(forward({item(1, 10), item(2, 12)}) == Errc::B708);
    QVERIFY(forward({item(1, 10), item(2, 10)}) == Errc::B708);
    QVERIFY(forward({item(1, 0xFFFFFFFFu)}) == Errc::B708);
    QVERIFY(forward({item(1, 10, 2)}) == Errc::B708);
    QVERIFY(forward({item(1, 10, 0xFFFFFFFFu)}) == Errc::B708);
    QVERIFY(forward({item(kNoToken, 10)}) == Errc::B708);
    QVERIFY(forward({item(1, 10), item(vocabulary, 11)}) == Errc::T211);
    QVERIFY(forward({item(-2, 10)}) == Errc::T211);
    QVERIFY(forward({item(0x7FFFFFFF, 10)}) == Errc::T211);
    std::vector<BatchItem> tooMany;
    for (std::uint32_t position = 10; position < 17; ++position)
        tooMany.push_back(item(1, position));
    QVERIFY(forward(tooMany) == Errc::R902);
    // As if nothing had happened, and the context can be filled to its last position.
    const auto rest = randomTokens(6, 31);
    const auto rows = (*model)->extend(rest);
    CONTRACT_OK(rows);
    auto fresh = RunningModel::open(one, *source, options);
    CONTRACT_OK(fresh);
    CONTRACT_OK((*fresh)->extend(tokens));
    const auto expected = (*fresh)->extend(rest);
    CONTRACT_OK(expected);
    QVERIFY(*rows == *expected);
    QVERIFY(codeOf((*model)->extend(std::span(rest).first(1))) == Errc::R902);
}

void TestBackendBatches::learnedPositionsEnd() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("gpt2");
    CONTRACT_OK(source);
    QCOMPARE((*source)->program.positionLimit, 256u);
    RunOptions options;
    options.context = 300;
    auto model = RunningModel::open(subjectNamed(subject.toStdString()), *source, options);
    CONTRACT_OK(model);
    backend::OutputRequest request;
    request.kind = backend::OutputKind::Hidden;
    CONTRACT_OK((*model)->extend(randomTokens(255, 32), 0, request));
    QVERIFY(codeOf((*model)->extend(randomTokens(2, 33))) == Errc::R902);
    CONTRACT_OK((*model)->extend(randomTokens(1, 33)));
    QVERIFY(codeOf((*model)->extend(randomTokens(1, 33))) == Errc::R902);
}

void TestBackendBatches::cancelledBatchLeavesNoTrace() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    RunOptions options;
    options.context = 400;
    options.batchTokens = 4;
    auto model = RunningModel::open(one, *source, options);
    CONTRACT_OK(model);
    const auto tokens = randomTokens(12, 34);
    CONTRACT_OK((*model)->extend(tokens));
    CancelFlag before;
    before.request();
    QVERIFY(codeOf((*model)->evaluate(itemsOf(randomTokens(3, 35)), {}, before)) == Errc::X002);

    // Somewhere in the middle: later and later, until the batch is done before it is asked to stop.
    int stopped = 0;
    const auto many = itemsOf(randomTokens(300, 36));
    for (int microseconds = 500; microseconds < 2'000'000; microseconds *= 3) {
        CancelFlag flag;
        std::thread canceller([&] {
            std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
            flag.request();
        });
        const auto rows = (*model)->evaluate(many, {}, flag);
        canceller.join();
        if (rows.ok()) {
            CONTRACT_OK((*model)->truncate(0, 12));
            break;
        }
        QVERIFY(rows.error().code() == Errc::X002);
        QCOMPARE((*model)->length(), 12u);
        ++stopped;
    }
    QVERIFY(stopped > 0);
    const TokenId next = 5;
    const auto rows = (*model)->extend(std::span(&next, 1));
    CONTRACT_OK(rows);
    const auto expected = afterFresh(one, *source, tokens, next);
    CONTRACT_OK(expected);
    CONTRACT_NEAR(*rows, *expected, 1.0 - 1e-9, 2e-4);
}

void TestBackendBatches::emptyBatchAndEmptyModel() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    auto model = RunningModel::open(one, *source);
    CONTRACT_OK(model);
    const auto rows = (*model)->evaluate({});
    CONTRACT_OK(rows);
    QVERIFY(rows->empty());
    const auto backend = one.make();
    const auto loaded = backend->load((*source)->program, (*source)->weights, {}, "", {}, nullptr, {});
    QVERIFY(!loaded.ok() && loaded.error().code() == Errc::B702);
    CancelFlag flag;
    flag.request();
    const std::uint32_t segments[] = {0};
    const auto cancelled =
        backend->load((*source)->program, (*source)->weights, segments, "", {}, nullptr, flag);
    QVERIFY(!cancelled.ok() && cancelled.error().code() == Errc::X002);
}

QTEST_APPLESS_MAIN(TestBackendBatches)
#include "tst_backend_batches.moc"
