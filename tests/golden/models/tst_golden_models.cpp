// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Real models against outputs that others computed: argmax at every position, logits, perplexity, greedy
// text.

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>
#include <cmath>

#include "backends/cpu/exec/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "core/engine/text/detokenizer.h"
#include "core/engine/text/tokenizer.h"
#include "tests/support/model_harness.h"
#include "tests/support/shared_data.h"

using namespace loader;
using test::ModelHarness;

namespace {

QJsonObject readJson(const QString& path) {
    return QJsonDocument::fromJson(test::readAll(path)).object();
}

std::vector<TokenId> idsOf(const QJsonValue& value) {
    std::vector<TokenId> ids;
    for (const QJsonValue id : value.toArray())
        ids.push_back(id.toInt());
    return ids;
}

std::unique_ptr<backend::Backend> makeBackend(const QString& id) {
    if (id == "cpu") return std::make_unique<cpu::CpuBackend>();
    return std::make_unique<backend::ReferenceBackend>();
}

void addBackendRows(std::initializer_list<const char*> models) {
    QTest::addColumn<QString>("backendId");
    QTest::addColumn<QString>("model");
    for (const char* id : {"reference", "cpu"}) {
        for (const char* model : models)
            QTest::addRow("%s %s", id, model) << QString(id) << QString(model);
    }
}

/// Mean negative log-likelihood over positions [ctx/2, ctx-2] of each chunk, as golden-perplexity.json says.
Result<double> perplexity(ModelHarness& harness, std::vector<TokenId> ids, std::size_t context) {
    double sum = 0.0;
    std::size_t scored = 0;
    for (std::size_t begin = 0; begin + context <= ids.size(); begin += context) {
        std::vector<TokenId> chunk(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                   ids.begin() + static_cast<std::ptrdiff_t>(begin + context));
        chunk[0] = 1;
        LOADER_CHECK(harness.reset());
        LOADER_TRY(const auto rows, harness.logits(chunk));
        for (std::size_t i = context / 2; i + 1 < context; ++i) {
            const std::vector<float>& row = rows[i];
            const float greatest = row[test::argmax(row)];
            double total = 0.0;
            for (float logit : row)
                total += std::exp(double{logit} - greatest);
            sum -= double{row[static_cast<std::size_t>(chunk[i + 1])]} - greatest - std::log(total);
            ++scored;
        }
    }
    return std::exp(sum / static_cast<double>(scored));
}

}  // namespace

class TestGoldenModels : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void argmaxEqualsGolden_data() {
        addBackendRows({"stories260K-F32", "stories260K-Q8_0", "stories15M-Q8_0", "stories15M-Q4_0"});
    }
    void argmaxEqualsGolden();
    void chatModelArgmaxEqualsGolden_data() { addBackendRows({"minimind2-small-Q8_0"}); }
    void chatModelArgmaxEqualsGolden();
    void learnedPositionsLogitsEqualGolden_data() { addBackendRows({"tiny-random-gpt2-F32"}); }
    void learnedPositionsLogitsEqualGolden();
    void perplexityEqualsGolden_data();
    void perplexityEqualsGolden();
    void greedyTextEqualsGolden();

private:
    void compareArgmax(const QString& backendId, const QString& path, const QJsonObject& golden);
};

void TestGoldenModels::compareArgmax(const QString& backendId, const QString& path,
                                     const QJsonObject& golden) {
    const auto backend = makeBackend(backendId);
    backend::LoadOptions options;
    options.contextTokens = 1024;
    auto harness = ModelHarness::load(path.toStdString(), *backend, options);
    QVERIFY2(harness.ok(), harness.ok() ? "" : harness.error().toString().c_str());
    std::vector<TokenId> ids = idsOf(golden["prompt_ids"]);
    const std::size_t promptLength = ids.size();
    const std::vector<TokenId> greedy = idsOf(golden["greedy_ids"]);
    ids.insert(ids.end(), greedy.begin(), greedy.end());
    const auto rows = (*harness)->logits(ids);
    QVERIFY2(rows.ok(), rows.ok() ? "" : rows.error().toString().c_str());
    const QJsonArray margins = golden["argmax_margin"].toArray();
    std::size_t compared = 0;
    for (std::size_t i = 0; i < greedy.size(); ++i) {
        if (margins[static_cast<qsizetype>(i)].toDouble() <= 0.05) continue;
        QCOMPARE(static_cast<TokenId>(test::argmax((*rows)[promptLength - 1 + i])), greedy[i]);
        ++compared;
    }
    QVERIFY(compared * 10 >= greedy.size() * 8);
    const QJsonArray top = golden["first_top20"].toArray();
    for (const QJsonValue entry : top) {
        const auto id = static_cast<std::size_t>(entry.toArray()[0].toInt());
        const double expected = entry.toArray()[1].toDouble();
        const double tolerance = backendId == "reference" ? 2e-3 : 0.25;
        QVERIFY2(std::abs((*rows)[promptLength - 1][id] - expected) < tolerance,
                 qPrintable(QString("logit of %1: %2, expected %3")
                                .arg(id)
                                .arg(double{(*rows)[promptLength - 1][id]})
                                .arg(expected)));
    }
}

void TestGoldenModels::argmaxEqualsGolden() {
    QFETCH(QString, backendId);
    QFETCH(QString, model);
    LOADER_NEED_SHARED(golden, "models/golden-llama2c-greedy.json");
    const QString path = test::sharedFile("models/" + model + ".gguf");
    for (const QJsonValue entry : readJson(golden)["results"].toObject()[model].toArray()) {
        compareArgmax(backendId, path, entry.toObject());
    }
}

void TestGoldenModels::chatModelArgmaxEqualsGolden() {
    QFETCH(QString, backendId);
    QFETCH(QString, model);
    LOADER_NEED_SHARED(golden, "models/golden-minimind2-small.json");
    const QString path = test::sharedFile("models/" + model + ".gguf");
    for (const QJsonValue entry : readJson(golden)["results"].toObject()["Q8_0"].toArray()) {
        compareArgmax(backendId, path, entry.toObject());
    }
}

void TestGoldenModels::learnedPositionsLogitsEqualGolden() {
    QFETCH(QString, backendId);
    QFETCH(QString, model);
    LOADER_NEED_SHARED(goldenPath, "models/golden-tiny-random-gpt2.json");
    const auto backend = makeBackend(backendId);
    backend::LoadOptions options;
    options.contextTokens = 64;
    auto harness =
        ModelHarness::load(test::sharedFile("models/" + model + ".gguf").toStdString(), *backend, options);
    QVERIFY2(harness.ok(), harness.ok() ? "" : harness.error().toString().c_str());
    const QJsonObject golden = readJson(goldenPath);
    const auto rows = (*harness)->logits(idsOf(golden["ids"]));
    QVERIFY2(rows.ok(), rows.ok() ? "" : rows.error().toString().c_str());
    const QJsonArray expected = golden["logits"].toArray();
    QCOMPARE(rows->size(), static_cast<std::size_t>(expected.size()));
    double worst = 0.0;
    for (qsizetype t = 0; t < expected.size(); ++t) {
        const QJsonArray row = expected[t].toArray();
        for (qsizetype i = 0; i < row.size(); ++i) {
            const float value = (*rows)[static_cast<std::size_t>(t)][static_cast<std::size_t>(i)];
            worst = std::max(worst, std::abs(row[i].toDouble() - value));
        }
    }
    qInfo("worst difference %g", worst);
    QVERIFY(worst < (backendId == "reference" ? 1e-4 : 1e-2));
}

void TestGoldenModels::perplexityEqualsGolden_data() {
    QTest::addColumn<QString>("backendId");
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("text");
    QTest::addColumn<double>("expected");
    const QString golden = test::sharedFile("models/golden-perplexity.json");
    if (golden.isEmpty()) {
        QTest::addRow("absent") << QString() << QString() << QString() << 0.0;
        return;
    }
    for (const QJsonValue entry : readJson(golden)["results"].toArray()) {
        const QString model = entry["model"].toString();
        if (test::sharedFile("models/" + model).isEmpty()) continue;  // only some precisions are there
        for (const char* id : {"reference", "cpu"}) {
            const QString text = entry["text"].toString();
            QTest::addRow("%s %s %s", id, qPrintable(model), qPrintable(text))
                << QString(id) << model << text << entry["ppl"].toDouble();
        }
    }
}

void TestGoldenModels::perplexityEqualsGolden() {
    QFETCH(QString, backendId);
    QFETCH(QString, model);
    QFETCH(QString, text);
    QFETCH(double, expected);
    LOADER_NEED_SHARED(golden, "models/golden-perplexity.json");
    QByteArray content = test::readAll(test::sharedFile("text/" + QString(text).remove("[:6000 chars]")));
    if (text.contains("[:6000 chars]")) content = QString::fromUtf8(content).left(6000).toUtf8();
    const auto backend = makeBackend(backendId);
    backend::LoadOptions options;
    options.contextTokens = 256;
    auto harness = ModelHarness::load(test::sharedFile("models/" + model).toStdString(), *backend, options);
    QVERIFY2(harness.ok(), harness.ok() ? "" : harness.error().toString().c_str());
    auto vocabulary = text::Vocabulary::fromMetadata((*harness)->file().metadata());
    QVERIFY(vocabulary.ok());
    const auto ids = text::Tokenizer(*vocabulary).encode(content.toStdString(), {});
    QVERIFY(ids.ok());
    const auto measured = perplexity(**harness, *ids, 256);
    QVERIFY2(measured.ok(), measured.ok() ? "" : measured.error().toString().c_str());
    qInfo("perplexity %.5f, golden %.5f", *measured, expected);
    QVERIFY(std::abs(*measured / expected - 1.0) < 0.005);
}

void TestGoldenModels::greedyTextEqualsGolden() {
    LOADER_NEED_SHARED(goldenPath, "models/golden-runc-stories260K-t0-n256.txt");
    backend::ReferenceBackend reference;
    backend::LoadOptions options;
    options.contextTokens = 512;
    auto harness =
        ModelHarness::load(test::sharedFile("models/stories260K-F32.gguf").toStdString(), reference, options);
    QVERIFY2(harness.ok(), harness.ok() ? "" : harness.error().toString().c_str());
    auto vocabulary = text::Vocabulary::fromMetadata((*harness)->file().metadata());
    QVERIFY(vocabulary.ok());
    std::vector<TokenId> ids{1};
    std::vector<TokenId> answer;
    while (answer.size() < 260) {
        const auto rows = (*harness)->logits(ids, false);
        QVERIFY(rows.ok());
        const auto next = static_cast<TokenId>(test::argmax(rows->back()));
        if (next == 1) break;
        answer.push_back(next);
        ids = {next};
    }
    const auto text = text::Detokenizer::decode(**vocabulary, answer);
    QVERIFY(text.ok());
    const QString expected = QString::fromUtf8(test::readAll(goldenPath)).trimmed();
    const QString measured = QString::fromStdString(*text).trimmed();
    QVERIFY(expected.size() > 400);
    QCOMPARE(measured.left(expected.size()), expected);
}

QTEST_APPLESS_MAIN(TestGoldenModels)
#include "tst_golden_models.moc"
