// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model in parts on several back ends is the model: same results for every border, family and size of
// batch; and whatever fails in whichever part, the sequences of all parts stay together.

#include <chrono>
#include <cstring>
#include <thread>

#include "core/host/split_model.h"
#include "tests/contract/backend/contract_test.h"

using namespace loader;
using namespace loader::test;
using backend::BatchItem;
using backend::OutputKind;
using backend::OutputRequest;

namespace {

constexpr double kCosine = 1.0 - 1e-9;
constexpr double kWorst = 2e-4;
/// Between the layers of the tiny models, which have six segments.
constexpr std::uint32_t kMiddle = 3;
constexpr std::uint32_t kSegments = 6;

/// The processor at its best.
std::string processor() {
    std::string name;
    for (const Subject& subject : subjects()) {
        if (subject.backend == "cpu") name = subject.name;
    }
    return name;
}

/// A device that computes, with faults.
PartSpec faulty(std::uint32_t firstSegment, const std::string& faults) {
    return {"fake", firstSegment, "script:gpu=1;compute=1;" + faults};
}

OutputRequest requestOf(OutputKind kind, std::uint32_t top = 0) {
    OutputRequest request;
    request.kind = kind;
    request.top = top;
    return request;
}

/// What the oracle says after every token.
Result<Rows> whole(const SourcePointer& source, std::span<const TokenId> tokens) {
    LOADER_TRY(const auto model, RunningModel::open(oracle(), source));
    return model->extend(tokens);
}

/// Many tokens at once, then one by one.
Result<Rows> inBatches(RunningModel& model, std::span<const TokenId> tokens) {
    LOADER_TRY(Rows rows, model.extend(tokens.first(tokens.size() - 2)));
    for (std::size_t i = tokens.size() - 2; i < tokens.size(); ++i) {
        LOADER_TRY(const Rows one, model.extend(tokens.subspan(i, 1)));
        rows.insert(rows.end(), one.begin(), one.end());
    }
    return rows;
}

Rows from(const Rows& rows, std::size_t begin) {
    return {rows.begin() + static_cast<std::ptrdiff_t>(begin), rows.end()};
}

}  // namespace

class TestBackendSplit : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void splitEqualsWhole_data();
    void splitEqualsWhole();
    void processorTwiceIsBitEqual();
    void threePartsEqualWhole();
    void everyOutputEqualsWhole_data();
    void everyOutputEqualsWhole();
    void groupsStayWhole();
    void sequencesStayApart();
    void adaptersReachTheirPart();
    void effectsAreSums();
    void partsMustFollowEachOther();
    void truncateAgrees_data();
    void truncateAgrees();
    void failureTakesAllPartsBack_data();
    void failureTakesAllPartsBack();
    void longBatchOfRecurrentParts();
    void cancelTakesAllPartsBack();
    void lostDeviceStaysLost();
    void savedSequenceComesBack();
    void badBytesChangeNothing();
};

void TestBackendSplit::splitEqualsWhole_data() {
    QTest::addColumn<QString>("front");
    QTest::addColumn<QString>("back");
    QTest::addColumn<QString>("variant");
    const QString cpu = QString::fromStdString(processor());
    const std::pair<QString, QString> pairs[] = {{cpu, "reference"}, {"reference", cpu}, {cpu, cpu}};
    for (const std::string_view variant : modelVariants()) {
        const QString name = QString::fromUtf8(variant.data(), static_cast<qsizetype>(variant.size()));
        for (const auto& [front, back] : pairs)
            QTest::addRow("%s + %s, %s", qPrintable(front), qPrintable(back), qPrintable(name))
                << front << back << name;
    }
    // A device for which pipelines have to be made takes its time: of each kind of block one.
    for (const Subject& subject : subjects()) {
        if (subject.backend != "vulkan") continue;
        const QString device = QString::fromStdString(subject.name);
        for (const char* variant : {"llama", "llama-experts", "gpt2"}) {
            QTest::addRow("%s + %s, %s", qPrintable(device), qPrintable(cpu), variant)
                << device << cpu << variant;
            QTest::addRow("%s + %s, %s", qPrintable(cpu), qPrintable(device), variant)
                << cpu << device << variant;
        }
    }
}

void TestBackendSplit::splitEqualsWhole() {
    QFETCH(const QString, front);
    QFETCH(const QString, back);
    QFETCH(const QString, variant);
    const auto source = sourceOf(variant.toStdString());
    CONTRACT_OK(source);
    const auto tokens = randomTokens(27, 61);
    const auto expected = whole(*source, tokens);
    CONTRACT_OK(expected);
    QCOMPARE((*source)->program.segments.size(), std::size_t(kSegments));
    for (std::uint32_t border = 1; border < kSegments; ++border) {
        const PartSpec parts[] = {{front.toStdString(), 0, ""}, {back.toStdString(), border, ""}};
        auto model = RunningModel::openSplit(parts, *source);
        CONTRACT_OK(model);
        const auto rows = inBatches(**model, tokens);
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
}

void TestBackendSplit::processorTwiceIsBitEqual() {
    const auto source = sourceOf("llama", quant::TensorType::Q4_K);
    CONTRACT_OK(source);
    const auto tokens = randomTokens(27, 62);
    auto one = RunningModel::open(subjectNamed(processor()), *source);
    CONTRACT_OK(one);
    const auto expected = inBatches(**one, tokens);
    CONTRACT_OK(expected);
    for (std::uint32_t border = 1; border < kSegments; ++border) {
        const PartSpec parts[] = {{processor(), 0, ""}, {processor(), border, ""}};
        auto model = RunningModel::openSplit(parts, *source);
        CONTRACT_OK(model);
        const auto rows = inBatches(**model, tokens);
        CONTRACT_OK(rows);
        QVERIFY2(*rows == *expected, qPrintable(QString::number(border)));
    }
}

void TestBackendSplit::threePartsEqualWhole() {
    for (const char* variant : {"llama-experts", "gpt2"}) {
        const auto source = sourceOf(variant);
        CONTRACT_OK(source);
        const auto tokens = randomTokens(27, 63);
        const auto expected = whole(*source, tokens);
        CONTRACT_OK(expected);
        const PartSpec parts[] = {{processor(), 0, ""}, {"reference", 2, ""}, faulty(4, "")};
        auto model = RunningModel::openSplit(parts, *source);
        CONTRACT_OK(model);
        const auto rows = inBatches(**model, tokens);
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
}

void TestBackendSplit::everyOutputEqualsWhole_data() {
    QTest::addColumn<unsigned>("batchTokens");
    for (const unsigned batchTokens : {1u, 4u, 26u, 27u, 512u})
        QTest::addRow("%u at once", batchTokens) << batchTokens;
}

void TestBackendSplit::everyOutputEqualsWhole() {
    QFETCH(const unsigned, batchTokens);
    const auto source = sourceOf("qwen3");
    CONTRACT_OK(source);
    RunOptions options;
    options.batchTokens = batchTokens;
    const PartSpec parts[] = {{processor(), 0, ""}, {"reference", kMiddle, ""}};
    std::vector<BatchItem> items = itemsOf(randomTokens(27, 64));
    for (std::size_t i = 0; i < items.size(); i += 3)
        items[i].wantsOutput = false;
    for (const OutputKind kind : {OutputKind::Hidden, OutputKind::Pooled, OutputKind::Logits}) {
        auto model = RunningModel::openSplit(parts, *source, options);
        auto oneModel = RunningModel::open(oracle(), *source);
        CONTRACT_OK(model);
        CONTRACT_OK(oneModel);
        const auto rows = (*model)->evaluate(items, requestOf(kind));
        const auto expected = (*oneModel)->evaluate(items, requestOf(kind));
        CONTRACT_OK(rows);
        CONTRACT_OK(expected);
        QCOMPARE(expected->size(), std::size_t(kind == OutputKind::Pooled ? 1 : 18));
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
    auto model = RunningModel::openSplit(parts, *source, options);
    auto oneModel = RunningModel::open(oracle(), *source);
    CONTRACT_OK(model);
    CONTRACT_OK(oneModel);
    CONTRACT_OK((*model)->evaluate(items, requestOf(OutputKind::TopTokens, 3)));
    CONTRACT_OK((*oneModel)->evaluate(items, requestOf(OutputKind::TopTokens, 3)));
    const backend::ForwardOutput& out = (*model)->out();
    const backend::ForwardOutput& expected = (*oneModel)->out();
    QVERIFY(out.values.empty());
    QCOMPARE(out.top.size(), std::size_t(18 * 3));
    QCOMPARE(out.logSumExp.size(), std::size_t(18));
    for (std::size_t i = 0; i < out.top.size(); ++i)
        QCOMPARE(out.top[i].token, expected.top[i].token);
}

/// Items that see each other are never cut apart; a group that no step holds is refused before anything
/// moves.
void TestBackendSplit::groupsStayWhole() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    std::vector<BatchItem> items = itemsOf(randomTokens(28, 65));
    for (std::size_t i = 10; i < 22; ++i)
        items[i].group = 1;
    auto oneModel = RunningModel::open(oracle(), *source);
    CONTRACT_OK(oneModel);
    const auto expected = (*oneModel)->evaluate(items);
    CONTRACT_OK(expected);
    const PartSpec parts[] = {{processor(), 0, ""}, {"reference", kMiddle, ""}};
    RunOptions options;
    for (const unsigned batchTokens : {12u, 15u, 512u}) {
        options.batchTokens = batchTokens;
        auto model = RunningModel::openSplit(parts, *source, options);
        CONTRACT_OK(model);
        const auto rows = (*model)->evaluate(items);
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
    options.batchTokens = 11;
    auto model = RunningModel::openSplit(parts, *source, options);
    CONTRACT_OK(model);
    const auto refused = (*model)->evaluate(items);
    QVERIFY(!refused.ok() && refused.error().code() == Errc::R902);
    for (BatchItem& item : items)
        item.group = 0;
    CONTRACT_OK((*model)->evaluate(items));
}

void TestBackendSplit::sequencesStayApart() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    RunOptions options;
    options.sequences = 3;
    options.batchTokens = 7;
    const PartSpec parts[] = {{"reference", 0, ""}, {processor(), kMiddle, ""}};
    auto model = RunningModel::openSplit(parts, *source, options);
    CONTRACT_OK(model);
    const auto first = randomTokens(12, 66);
    const auto second = randomTokens(12, 67);
    std::vector<BatchItem> mixed;
    for (std::size_t i = 0; i < first.size(); ++i) {
        mixed.push_back(itemsOf(std::span(first).subspan(i, 1), 0).front());
        mixed.push_back(itemsOf(std::span(second).subspan(i, 1), 1).front());
    }
    CONTRACT_OK((*model)->evaluate(mixed));
    CONTRACT_OK((*model)->copy(1, 2));
    CONTRACT_OK((*model)->truncate(1, 4));
    QCOMPARE((*model)->length(1), 4u);
    const auto more = randomTokens(3, 68);
    for (const auto& [sequence, start] : {std::pair(0u, first), std::pair(2u, second)}) {
        std::vector<TokenId> all = start;
        all.insert(all.end(), more.begin(), more.end());
        const auto expected = whole(*source, all);
        CONTRACT_OK(expected);
        const auto rows = (*model)->extend(more, sequence);
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, from(*expected, 12), kCosine, kWorst);
    }
    QVERIFY((*model)->session().truncate(3, 0).error().code() == Errc::B708);
    QVERIFY((*model)->session().copy(0, 3).error().code() == Errc::B708);
}

void TestBackendSplit::adaptersReachTheirPart() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const graph::Program& program = (*source)->program;
    const auto tokens = randomTokens(20, 69);
    const auto without = whole(*source, tokens);
    CONTRACT_OK(without);
    for (const char* name : {"blk.0.attn_q.weight", "blk.1.ffn_down.weight"}) {
        backend::Adapter adapter;
        for (graph::TensorId id = 0; id < program.weights.size(); ++id) {
            if (program.weights[id].name == name) adapter.target = id;
        }
        const graph::WeightRef& weight = program.weights[adapter.target];
        const std::vector<float> a(weight.columns, 0.05f);
        const std::vector<float> b(weight.rows, 0.2f);
        adapter.a = a;
        adapter.b = b;
        adapter.rank = 1;
        RunOptions options;
        options.adapters = {adapter};
        auto oneModel = RunningModel::open(oracle(), *source, options);
        CONTRACT_OK(oneModel);
        const auto expected = (*oneModel)->extend(tokens);
        CONTRACT_OK(expected);
        QVERIFY(distance(*expected, *without).worst > 1e-2);
        const PartSpec parts[] = {{processor(), 0, ""}, {"reference", kMiddle, ""}};
        auto model = RunningModel::openSplit(parts, *source, options);
        CONTRACT_OK(model);
        const auto rows = (*model)->extend(tokens);
        CONTRACT_OK(rows);
        CONTRACT_NEAR(*rows, *expected, kCosine, kWorst);
    }
}

void TestBackendSplit::effectsAreSums() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const PartSpec halves[] = {{processor(), 0, ""}, {processor(), kMiddle, ""}};
    auto split = RunningModel::openSplit(halves, *source);
    auto one = RunningModel::open(subjectNamed(processor()), *source);
    CONTRACT_OK(split);
    CONTRACT_OK(one);
    const backend::LoadEffects together = (*split)->effects();
    const backend::LoadEffects alone = (*one)->effects();
    QCOMPARE(together.used.kv, alone.used.kv);
    QCOMPARE(together.tier, alone.tier + " + " + alone.tier);
    QCOMPARE(together.threads, alone.threads);
}

void TestBackendSplit::partsMustFollowEachOther() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const graph::Program& program = (*source)->program;
    const auto made = [&](const std::vector<std::vector<std::uint32_t>>& lists) {
        std::vector<host::ModelPart> parts;
        const auto backend = oracle().make();
        for (const auto& segments : lists) {
            host::ModelPart part;
            part.segments = segments;
            const std::uint32_t any[] = {0};
            auto model = backend->load(program, (*source)->weights, any, "", {}, nullptr, {});
            if (model.ok()) part.model = std::move(model).value();
            parts.push_back(std::move(part));
        }
        return host::SplitModel::make(program, std::move(parts), 8);
    };
    QVERIFY(made({{0, 1}, {2, 3, 4, 5}}).ok());
    for (const auto& lists : std::vector<std::vector<std::vector<std::uint32_t>>>{{},
                                                                                  {{}},
                                                                                  {{0, 1}, {3, 4, 5}},
                                                                                  {{2, 3}, {0, 1}},
                                                                                  {{0, 1}, {1, 2}},
                                                                                  {{0, 1}, {2, 6}},
                                                                                  {{0}, {}}}) {
        const auto refused = made(lists);
        QVERIFY(!refused.ok() && refused.error().code() == Errc::X003);
    }
}

void TestBackendSplit::truncateAgrees_data() {
    QTest::addColumn<QString>("front");
    QTest::addColumn<QString>("back");
    QTest::addColumn<std::uint32_t>("wanted");
    QTest::addColumn<std::uint32_t>("reached");
    // 27 tokens in one call, then 3 more.
    QTest::newRow("attention") << ""
                               << "" << 13u << 13u;
    QTest::newRow("recurrent in front") << "checkpoint=16"
                                        << "" << 20u << 16u;
    QTest::newRow("recurrent behind") << ""
                                      << "checkpoint=16" << 20u << 16u;
    QTest::newRow("two intervals") << "checkpoint=10"
                                   << "checkpoint=16" << 25u << 0u;
    QTest::newRow("where the last call began") << "checkpoint=10"
                                               << "checkpoint=16" << 27u << 27u;
    QTest::newRow("beyond the end") << "checkpoint=10"
                                    << "" << 99u << 30u;
    QTest::newRow("nothing left") << "checkpoint=7"
                                  << "checkpoint=5" << 0u << 0u;
}

void TestBackendSplit::truncateAgrees() {
    QFETCH(const QString, front);
    QFETCH(const QString, back);
    QFETCH(const std::uint32_t, wanted);
    QFETCH(const std::uint32_t, reached);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(30, 70);
    const auto expected = whole(*source, tokens);
    CONTRACT_OK(expected);
    const PartSpec parts[] = {faulty(0, front.toStdString()), faulty(kMiddle, back.toStdString())};
    auto model = RunningModel::openSplit(parts, *source);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(std::span(tokens).first(27)));
    CONTRACT_OK((*model)->extend(std::span(tokens).last(3)));
    CONTRACT_OK((*model)->truncate(0, wanted));
    QCOMPARE((*model)->length(), reached);
    if (reached == tokens.size()) return;
    const auto rows = (*model)->extend(std::span(tokens).subspan(reached));
    CONTRACT_OK(rows);
    CONTRACT_NEAR(*rows, from(*expected, reached), kCosine, kWorst);
}

void TestBackendSplit::failureTakesAllPartsBack_data() {
    QTest::addColumn<QString>("front");
    QTest::addColumn<QString>("back");
    QTest::addColumn<unsigned>("batchTokens");
    QTest::newRow("second part") << ""
                                 << "fail=2:R901" << 512u;
    QTest::newRow("first part") << "fail=2:R901"
                                << "" << 512u;
    QTest::newRow("second part, recurrent") << "checkpoint=16"
                                            << "checkpoint=16;fail=2:B703" << 512u;
    QTest::newRow("second part, third step") << ""
                                             << "fail=5:R901" << 4u;
    QTest::newRow("first part, second step") << "fail=4:R901"
                                             << "" << 4u;
}

/// 5 tokens, then 11 that fail once: in one step, or in three.
void TestBackendSplit::failureTakesAllPartsBack() {
    QFETCH(const QString, front);
    QFETCH(const QString, back);
    QFETCH(const unsigned, batchTokens);
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(16, 71);
    const auto expected = whole(*source, tokens);
    CONTRACT_OK(expected);
    RunOptions options;
    options.batchTokens = batchTokens;
    const PartSpec parts[] = {faulty(0, front.toStdString()), faulty(kMiddle, back.toStdString())};
    auto model = RunningModel::openSplit(parts, *source, options);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(std::span(tokens).first(5)));
    const auto failed = (*model)->extend(std::span(tokens).subspan(5));
    QVERIFY(!failed.ok());
    QVERIFY((*model)->out().values.empty());
    const auto rows = (*model)->extend(std::span(tokens).subspan(5));
    CONTRACT_OK(rows);
    CONTRACT_NEAR(*rows, from(*expected, 5), kCosine, kWorst);
}

/// Recurrent parts cannot go back over several steps. They stay together, and say where they are.
void TestBackendSplit::longBatchOfRecurrentParts() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(24, 72);
    const auto expected = whole(*source, tokens);
    CONTRACT_OK(expected);
    RunOptions options;
    options.batchTokens = 4;
    const PartSpec parts[] = {faulty(0, "checkpoint=3"), faulty(kMiddle, "fail=5:R901")};
    auto model = RunningModel::openSplit(parts, *source, options);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(std::span(tokens).first(5)));
    QVERIFY((*model)->extend(std::span(tokens).subspan(5)).error().code() == Errc::R901);
    QVERIFY((*model)->extend(std::span(tokens).subspan(5)).error().code() == Errc::B708);
    CONTRACT_OK((*model)->truncate(0, 5));
    QCOMPARE((*model)->length(), 3u);
    const auto rows = (*model)->extend(std::span(tokens).subspan(3));
    CONTRACT_OK(rows);
    CONTRACT_NEAR(*rows, from(*expected, 3), kCosine, kWorst);
}

void TestBackendSplit::cancelTakesAllPartsBack() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(16, 73);
    const auto expected = whole(*source, tokens);
    CONTRACT_OK(expected);
    const PartSpec parts[] = {{processor(), 0, ""}, faulty(kMiddle, "hang=2")};
    auto model = RunningModel::openSplit(parts, *source);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(std::span(tokens).first(5)));
    CancelFlag flag;
    std::thread canceller([&flag] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        flag.request();
    });
    const auto stopped = (*model)->evaluate(itemsOf(std::span(tokens).subspan(5)), {}, flag);
    canceller.join();
    QVERIFY(!stopped.ok() && stopped.error().code() == Errc::X002);
    const auto rows = (*model)->extend(std::span(tokens).subspan(5));
    CONTRACT_OK(rows);
    CONTRACT_NEAR(*rows, from(*expected, 5), kCosine, kWorst);
}

void TestBackendSplit::lostDeviceStaysLost() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(6, 74);
    const PartSpec parts[] = {{processor(), 0, ""}, faulty(kMiddle, "fail=2:B704")};
    auto model = RunningModel::openSplit(parts, *source);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(tokens));
    for (int i = 0; i < 3; ++i)
        QVERIFY((*model)->extend(tokens).error().code() == Errc::B704);
}

void TestBackendSplit::savedSequenceComesBack() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(18, 75);
    const auto expected = whole(*source, tokens);
    CONTRACT_OK(expected);
    RunOptions options;
    options.sequences = 2;
    const PartSpec parts[] = {{processor(), 0, ""}, {"reference", kMiddle, ""}};
    auto model = RunningModel::openSplit(parts, *source, options);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(std::span(tokens).first(11)));
    std::vector<std::byte> saved;
    CONTRACT_OK((*model)->session().save(0, saved));
    CONTRACT_OK((*model)->restore(1, saved, 11));
    const auto rows = (*model)->extend(std::span(tokens).subspan(11), 1);
    CONTRACT_OK(rows);
    CONTRACT_NEAR(*rows, from(*expected, 11), kCosine, kWorst);
    // Into the same session that was used meanwhile, and an empty one.
    CONTRACT_OK((*model)->truncate(0, 2));
    CONTRACT_OK((*model)->restore(0, saved, 11));
    const auto again = (*model)->extend(std::span(tokens).subspan(11));
    CONTRACT_OK(again);
    QVERIFY(*again == *rows);
}

void TestBackendSplit::badBytesChangeNothing() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(18, 76);
    const PartSpec parts[] = {{processor(), 0, ""}, {"reference", kMiddle, ""}};
    RunOptions options;
    options.sequences = 2;
    auto model = RunningModel::openSplit(parts, *source, options);
    CONTRACT_OK(model);
    CONTRACT_OK((*model)->extend(std::span(tokens).first(5), 1));
    std::vector<std::byte> five;
    CONTRACT_OK((*model)->session().save(1, five));
    CONTRACT_OK((*model)->extend(std::span(tokens).subspan(5, 4), 1));
    std::vector<std::byte> nine;
    CONTRACT_OK((*model)->session().save(1, nine));

    // One mark, version, number of parts and length; two lengths of bytes; the bytes.
    constexpr std::size_t kHead = 4 * 4 + 2 * 8;
    std::uint64_t lengths[2];
    std::memcpy(lengths, five.data() + 16, sizeof lengths);
    std::vector<std::vector<std::byte>> bad;
    for (std::size_t size = 0; size < kHead + 40; ++size)
        bad.emplace_back(five.begin(), five.begin() + static_cast<std::ptrdiff_t>(size));
    bad.emplace_back(five.begin(), five.end() - 1);
    bad.push_back(five);
    bad.back().push_back(std::byte{0});
    for (std::size_t at = 0; at < kHead; ++at) {
        bad.push_back(five);
        bad.back()[at] ^= std::byte{0x41};
    }
    // The second part's nine tokens behind the first part's five.
    std::uint64_t otherLengths[2];
    std::memcpy(otherLengths, nine.data() + 16, sizeof otherLengths);
    std::vector<std::byte> mixed(five.begin(),
                                 five.begin() + static_cast<std::ptrdiff_t>(kHead + lengths[0]));
    mixed.insert(mixed.end(), nine.end() - static_cast<std::ptrdiff_t>(otherLengths[1]), nine.end());
    std::memcpy(mixed.data() + 24, &otherLengths[1], sizeof(std::uint64_t));
    bad.push_back(mixed);

    const auto start = randomTokens(7, 77);
    CONTRACT_OK((*model)->extend(start));
    for (const std::vector<std::byte>& bytes : bad) {
        const auto refused = (*model)->session().restore(0, bytes);
        QVERIFY2(!refused.ok() && refused.error().code() == Errc::F807,
                 qPrintable(QString::number(bytes.size())));
    }
    std::vector<TokenId> all = start;
    all.insert(all.end(), tokens.begin(), tokens.end());
    const auto expected = whole(*source, all);
    CONTRACT_OK(expected);
    const auto rows = (*model)->extend(tokens);
    CONTRACT_OK(rows);
    CONTRACT_NEAR(*rows, from(*expected, start.size()), kCosine, kWorst);
}

QTEST_APPLESS_MAIN(TestBackendSplit)
#include "tst_backend_split.moc"
