// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Saved sequences, also as hostile bytes, and windows of attention that are smaller than the context.

#include <algorithm>

#include "core/engine/base/random.h"
#include "tests/contract/backend/contract_test.h"

using namespace loader;
using namespace loader::test;

namespace {

constexpr backend::KvType kKvTypes[] = {backend::KvType::F32, backend::KvType::F16, backend::KvType::Q8_0};

/// Small enough that every cut of its saved bytes can be tried.
constexpr std::uint32_t kSavedTokens = 3;

using Bytes = std::vector<std::byte>;

/// A model whose sequence 1 holds a few tokens, and their saved bytes.
struct Saved {
    std::unique_ptr<RunningModel> model;
    Bytes bytes;
};

Result<Saved> saveSome(const Subject& subject, const SourcePointer& source, const RunOptions& options) {
    Saved saved;
    LOADER_TRY(saved.model, RunningModel::open(subject, source, options));
    LOADER_CHECK(saved.model->extend(randomTokens(kSavedTokens, 60), 1));
    LOADER_CHECK(saved.model->session().save(1, saved.bytes));
    return saved;
}

}  // namespace

class TestBackendState : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void restoredSequenceGoesOn_data() { addSubjectRows(Which::All); }
    void restoredSequenceGoesOn();
    void partsRestoreTheirLayers_data() { addSubjectRows(Which::Computing); }
    void partsRestoreTheirLayers();
    void cutStateIsRefused_data() { addSubjectRows(Which::All); }
    void cutStateIsRefused();
    void foreignStateIsRefused_data() { addSubjectRows(Which::All); }
    void foreignStateIsRefused();
    void damagedStateDoesNotCrash_data() { addSubjectRows(Which::All); }
    void damagedStateDoesNotCrash();
    void windowLimitsWhatIsSeen();
    void windowEqualsOracle_data() { addSubjectRows(Which::ButTheOracle); }
    void windowEqualsOracle();
};

void TestBackendState::restoredSequenceGoesOn() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama-layers-differ");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(20, 61);
    const auto more = randomTokens(5, 62);
    for (const backend::KvType kv : kKvTypes) {
        RunOptions options;
        options.kv = kv;
        options.sequences = 3;
        auto first = RunningModel::open(one, *source, options);
        CONTRACT_OK(first);
        CONTRACT_OK((*first)->extend(tokens, 1));
        Bytes saved;
        CONTRACT_OK((*first)->session().save(1, saved));
        const auto expected = (*first)->extend(more, 1);
        CONTRACT_OK(expected);
        // Into another sequence, longer than the saved one, of another session.
        auto second = RunningModel::open(one, *source, options);
        CONTRACT_OK(second);
        CONTRACT_OK((*second)->extend(randomTokens(30, 63), 2));
        CONTRACT_OK((*second)->restore(2, saved, 20));
        const auto rows = (*second)->extend(more, 2);
        CONTRACT_OK(rows);
        QVERIFY(*rows == *expected);
        // Saving what was restored gives the same bytes.
        CONTRACT_OK((*second)->truncate(2, 20));
        Bytes again{std::byte{1}, std::byte{2}};
        CONTRACT_OK((*second)->session().save(2, again));
        QVERIFY(again == saved);
        // An empty sequence can be saved too.
        CONTRACT_OK((*second)->session().save(0, saved));
        CONTRACT_OK((*second)->restore(2, saved, 0));
        const auto fresh = (*second)->extend(tokens, 2);
        CONTRACT_OK(fresh);
        QVERIFY((*second)->session().save(3, saved).error().code() == Errc::B708);
        QVERIFY((*second)->session().restore(3, saved).error().code() == Errc::B708);
    }
}

/// A model that holds only some layers saves those.
void TestBackendState::partsRestoreTheirLayers() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    std::size_t whole = 0;
    for (const std::vector<std::uint32_t>& segments :
         {std::vector<std::uint32_t>{}, std::vector<std::uint32_t>{0, 1, 2}, std::vector<std::uint32_t>{0}}) {
        RunOptions options;
        options.segments = segments;
        auto model = RunningModel::open(one, *source, options);
        CONTRACT_OK(model);
        backend::OutputRequest hidden;
        hidden.kind = backend::OutputKind::Hidden;
        CONTRACT_OK((*model)->extend(randomTokens(10, 64), 0, hidden));
        Bytes saved;
        CONTRACT_OK((*model)->session().save(0, saved));
        const auto expected = (*model)->extend(randomTokens(3, 65), 0, hidden);
        CONTRACT_OK(expected);
        auto other = RunningModel::open(one, *source, options);
        CONTRACT_OK(other);
        CONTRACT_OK((*other)->restore(0, saved, 10));
        const auto rows = (*other)->extend(randomTokens(3, 65), 0, hidden);
        CONTRACT_OK(rows);
        QVERIFY(*rows == *expected);
        if (segments.empty()) whole = saved.size();
        QVERIFY(segments.empty() || saved.size() < whole * 6 / 10);
    }
}

void TestBackendState::cutStateIsRefused() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    RunOptions options;
    options.sequences = 2;
    options.context = 8;
    auto saved = saveSome(one, *source, options);
    CONTRACT_OK(saved);
    const auto more = randomTokens(2, 66);
    const auto expected = saved->model->extend(more, 1);
    CONTRACT_OK(expected);
    CONTRACT_OK(saved->model->truncate(1, kSavedTokens));
    for (std::size_t length = 0; length < saved->bytes.size(); ++length) {
        // A copy of exactly that size, so that reading beyond it is noticed.
        const Bytes cut(saved->bytes.begin(), saved->bytes.begin() + static_cast<std::ptrdiff_t>(length));
        const Status status = saved->model->session().restore(1, cut);
        // The scripted back end keeps one token per position: a cut between two is a shorter sequence.
        if (!one.computes && status.ok()) {
            QVERIFY(length >= 4 && length % 4 == 0);
            CONTRACT_OK(saved->model->session().restore(1, saved->bytes));
            continue;
        }
        QVERIFY2(!status.ok() && status.error().code() == Errc::F807, qPrintable(QString::number(length)));
    }
    Bytes longer = saved->bytes;
    longer.push_back(std::byte{0});
    const Status status = saved->model->session().restore(1, longer);
    QVERIFY(!status.ok() && status.error().code() == Errc::F807);
    // None of it has touched the sequence.
    const auto rows = saved->model->extend(more, 1);
    CONTRACT_OK(rows);
    QVERIFY(*rows == *expected);
}

void TestBackendState::foreignStateIsRefused() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    const auto other = sourceOf("llama-layers-differ");
    CONTRACT_OK(source);
    CONTRACT_OK(other);
    RunOptions options;
    options.sequences = 2;
    auto saved = saveSome(one, *source, options);
    CONTRACT_OK(saved);
    options.context = kSavedTokens - 1;
    auto shorter = RunningModel::open(one, *source, options);
    CONTRACT_OK(shorter);
    QVERIFY((*shorter)->session().restore(0, saved->bytes).error().code() == Errc::F807);
    if (!one.computes) return;
    options.context = 128;
    auto anotherModel = RunningModel::open(one, *other, options);
    CONTRACT_OK(anotherModel);
    QVERIFY((*anotherModel)->session().restore(0, saved->bytes).error().code() == Errc::F807);
    if (one.name == oracle().name) return;
    options.kv = backend::KvType::F16;
    auto anotherKv = RunningModel::open(one, *source, options);
    CONTRACT_OK(anotherKv);
    QVERIFY((*anotherKv)->session().restore(0, saved->bytes).error().code() == Errc::F807);
}

/// Changed bytes are refused, or taken as numbers that make no sense: then the next token is computed from
/// them, and nothing worse happens.
void TestBackendState::damagedStateDoesNotCrash() {
    QFETCH(const QString, subject);
    const auto source = sourceOf("llama-experts");
    CONTRACT_OK(source);
    for (const backend::KvType kv : kKvTypes) {
        RunOptions options;
        options.sequences = 2;
        options.context = 8;
        options.kv = kv;
        auto saved = saveSome(subjectNamed(subject.toStdString()), *source, options);
        CONTRACT_OK(saved);
        RunningModel& model = *saved->model;
        int accepted = 0;
        for (std::uint64_t round = 0; round < 60; ++round) {
            Bytes damaged = saved->bytes;
            // Every other round in the first bytes, where the header is.
            const double where = round % 2 == 0 ? 24.0 : static_cast<double>(damaged.size());
            const std::size_t flips = round % 10 == 9 ? damaged.size() / 2 : 1;
            for (std::size_t i = 0; i < flips; ++i) {
                const auto draw = static_cast<std::uint32_t>(i);
                const auto at = std::min(damaged.size() - 1,
                                         static_cast<std::size_t>(uniformAt(70, 0, round, 2 * draw) * where));
                damaged[at] ^= static_cast<std::byte>(1 + uniformAt(70, 0, round, 2 * draw + 1) * 255.0);
            }
            const Status status = model.session().restore(0, damaged);
            if (!status.ok()) {
                QVERIFY(status.error().code() == Errc::F807);
                continue;
            }
            ++accepted;
            const auto length = model.session().truncate(0, 0xFFFFFFFFu);
            CONTRACT_OK(length);
            QVERIFY(*length <= options.context);
            if (*length == options.context) continue;
            CONTRACT_OK(model.truncate(0, *length));
            const auto rows = model.extend(randomTokens(1, 67));
            CONTRACT_OK(rows);
            QCOMPARE(rows->front().size(), std::size_t((*source)->program.vocabulary));
        }
        QVERIFY(accepted > 0);
    }
}

void TestBackendState::windowLimitsWhatIsSeen() {
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const SourcePointer narrow = withWindow(*source, 5);
    // Two sequences that end alike: with two layers, nothing beyond 2 × 4 tokens back can matter.
    std::vector<TokenId> first = randomTokens(30, 68);
    std::vector<TokenId> second = first;
    for (std::size_t i = 0; i < 21; ++i)
        second[i] = (second[i] + 17) % 250;
    Rows last;
    for (const auto* tokens : {&first, &second}) {
        auto model = RunningModel::open(oracle(), narrow);
        CONTRACT_OK(model);
        const auto rows = (*model)->extend(*tokens);
        CONTRACT_OK(rows);
        last.push_back(rows->back());
    }
    QVERIFY(distance({last[0]}, {last[1]}).worst < 1e-6);
    auto wide = RunningModel::open(oracle(), *source);
    CONTRACT_OK(wide);
    const auto rows = (*wide)->extend(first);
    CONTRACT_OK(rows);
    QVERIFY(distance({last[0]}, {rows->back()}).worst > 1e-3);
}

/// Windows in front of, at and behind the borders of what is computed together (64 keys, 16 tokens), and a
/// sequence several times as long.
void TestBackendState::windowEqualsOracle() {
    QFETCH(const QString, subject);
    const Subject& one = subjectNamed(subject.toStdString());
    const auto source = sourceOf("llama");
    CONTRACT_OK(source);
    const auto tokens = randomTokens(150, 69);
    for (const std::uint32_t window : {1u, 5u, 16u, 64u, 65u}) {
        const SourcePointer limited = withWindow(*source, window);
        RunOptions options;
        options.context = 160;
        auto expectedModel = RunningModel::open(oracle(), limited, options);
        CONTRACT_OK(expectedModel);
        const auto expected = (*expectedModel)->extend(tokens);
        CONTRACT_OK(expected);
        for (const unsigned batchTokens : {512u, 13u}) {
            options.batchTokens = batchTokens;
            auto model = RunningModel::open(one, limited, options);
            CONTRACT_OK(model);
            auto rows = (*model)->extend(std::span(tokens).first(146));
            CONTRACT_OK(rows);
            for (std::size_t i = 146; i < tokens.size(); ++i) {
                const auto row = (*model)->extend(std::span(tokens).subspan(i, 1));
                CONTRACT_OK(row);
                rows->push_back(row->front());
            }
            CONTRACT_NEAR(*rows, *expected, 1.0 - 1e-9, 2e-4);
        }
    }
}

QTEST_APPLESS_MAIN(TestBackendState)
#include "tst_backend_state.moc"
