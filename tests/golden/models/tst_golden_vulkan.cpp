// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Real models on the first Vulkan device, on each of its tiers, against the double-precision reference: how
// far the distributions are apart, the greedy text, and every split of the layers with the processor.
// Built-in tiny models stand in where the real ones are missing.

#include <QTest>
#include <cmath>

#include "core/engine/base/half.h"
#include "core/engine/gguf/model_file.h"
#include "tests/contract/backend/contract_test.h"
#include "tests/contract/backend/vulkan_subjects.h"
#include "tests/support/model_harness.h"
#include "tests/support/shared_data.h"

using namespace loader;
using namespace loader::test;

namespace {

constexpr std::size_t kTokens = 64;
/// So many in one batch, the others one by one.
constexpr std::size_t kPrompt = 33;
constexpr TokenId kFirst = 1;

/// What a tier may differ by: KL divergence per token, and the margin above which the likeliest token is the
/// same.
struct Bound {
    double divergence;
    double margin;
};

Bound boundOf(const std::string& tier) {
    if (tier == "fp32") return {1e-6, 1e-4};
    if (tier == "fp16") return {1e-4, 0.1};
    return {1e-3, 0.1};
}

/// A model file as the contract tests see models; the file stays open as long as the process.
Result<SourcePointer> sourceOfFile(const QString& path) {
    static std::vector<std::unique_ptr<gguf::ModelFile>> open;
    LOADER_TRY(auto file, gguf::ModelFile::open(path.toStdString()));
    LOADER_CHECK(file->map());
    auto source = std::make_shared<Source>();
    LOADER_TRY(arch::Lowered lowered, arch::lower(file->metadata(), file->tensors()));
    source->program = std::move(lowered.program);
    for (const graph::WeightRef& weight : source->program.weights) {
        const gguf::TensorInfo& tensor = file->tensors()[weight.fileTensor];
        source->weights.push_back({file->tensorData(tensor), -1, tensor.offset});
    }
    open.push_back(std::move(file));
    return SourcePointer(std::move(source));
}

/// "llama of Q4_K" is a tiny model; anything else a file of the optional data.
Result<SourcePointer> modelNamed(const QString& name) {
    const QStringList words = name.split(" of ");
    if (words.size() == 2)
        return sourceOf(words[0].toStdString(), quant::typeFromName(words[1].toStdString()).value());
    return sourceOfFile(sharedFile("models/" + name + ".gguf"));
}

bool isMissing(const QString& name) {
    return !name.contains(" of ") && sharedFile("models/" + name + ".gguf").isEmpty();
}

struct Greedy {
    /// kFirst, then kTokens likeliest ones.
    std::vector<TokenId> ids{kFirst};
    /// Of each but the last.
    Rows rows;
};

Result<Greedy> greedy(RunningModel& model) {
    Greedy text;
    while (text.rows.size() < kTokens) {
        LOADER_TRY(Rows row, model.extend(std::span(text.ids).last(1)));
        text.ids.push_back(static_cast<TokenId>(argmax(row.front())));
        text.rows.push_back(std::move(row.front()));
    }
    return text;
}

Result<const Greedy*> expectedOf(const QString& name) {
    static std::map<QString, Greedy> known;
    const auto found = known.find(name);
    if (found != known.end()) return &found->second;
    LOADER_TRY(const SourcePointer source, modelNamed(name));
    LOADER_TRY(const auto model, RunningModel::open(oracle(), source));
    LOADER_TRY(known[name], greedy(*model));
    return &known[name];
}

double divergence(const std::vector<float>& expected, const std::vector<float>& measured) {
    const auto logSum = [](const std::vector<float>& row) {
        const double greatest = row[argmax(row)];
        double sum = 0.0;
        for (const float logit : row)
            sum += std::exp(double{logit} - greatest);
        return greatest + std::log(sum);
    };
    const double a = logSum(expected);
    const double b = logSum(measured);
    double sum = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double p = double{expected[i]} - a;
        sum += std::exp(p) * (p - (double{measured[i]} - b));
    }
    return sum;
}

const QStringList kModels = {"stories260K-F32", "stories260K-Q8_0",     "stories15M-Q8_0",
                             "stories15M-Q4_0", "minimind2-small-Q8_0", "tiny-random-gpt2-F32",
                             "llama of Q4_K",   "llama-experts of Q8_0"};

}  // namespace

class TestGoldenVulkan : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() {
        if (vulkanSubjects().empty()) QSKIP("this machine has no Vulkan device");
    }
    void distributionsAgree_data();
    void distributionsAgree();
    void splitsWriteTheSame_data();
    void splitsWriteTheSame();
};

void TestGoldenVulkan::distributionsAgree_data() {
    QTest::addColumn<QString>("subject");
    QTest::addColumn<QString>("model");
    QTest::addColumn<bool>("asUsers");
    for (const Subject& subject : vulkanSubjects()) {
        for (const QString& model : kModels) {
            // Rounding may choose another expert: of random weights, which are alike, it often does.
            if (model.contains("experts") && subject.tier != "fp32") continue;
            const QString name = QString::fromStdString(subject.name);
            QTest::addRow("%s %s", subject.name.c_str(), qPrintable(model)) << name << model << false;
            if (subject.tier == "int8")
                QTest::addRow("%s %s as users have it", subject.name.c_str(), qPrintable(model))
                    << name << model << true;
        }
    }
}

void TestGoldenVulkan::distributionsAgree() {
    QFETCH(const QString, subject);
    QFETCH(const QString, model);
    QFETCH(const bool, asUsers);
    if (isMissing(model)) QSKIP(qPrintable("optional data absent: models/" + model + ".gguf"));
    const auto expected = expectedOf(model);
    CONTRACT_OK(expected);
    const auto source = modelNamed(model);
    CONTRACT_OK(source);
    Subject one = subjectNamed(subject.toStdString());
    const Bound bound = boundOf(one.tier);
    if (asUsers) one.backend = "vulkan as users have it";
    auto running = RunningModel::open(one, *source);
    CONTRACT_OK(running);
    const std::span<const TokenId> ids((*expected)->ids);
    auto rows = (*running)->extend(ids.first(kPrompt));
    CONTRACT_OK(rows);
    for (std::size_t i = kPrompt; i < kTokens; ++i) {
        const auto row = (*running)->extend(ids.subspan(i, 1));
        CONTRACT_OK(row);
        rows->push_back(row->front());
    }
    double sum = 0.0;
    for (std::size_t i = 0; i < kTokens; ++i) {
        const std::vector<float>& wanted = (*expected)->rows[i];
        sum += divergence(wanted, (*rows)[i]);
        // Small models show every rounding to bytes, which is why users do not get it for them.
        if ((asUsers || one.tier != "int8") && margin(wanted) > bound.margin)
            QCOMPARE(argmax((*rows)[i]), argmax(wanted));
    }
    qInfo("KL divergence %.3g per token", sum / kTokens);
    QVERIFY(sum / kTokens <= bound.divergence);
}

void TestGoldenVulkan::splitsWriteTheSame_data() {
    QTest::addColumn<QString>("model");
    QTest::addColumn<bool>("deviceFirst");
    for (const char* model : {"stories260K-F32", "llama of F32"}) {
        QTest::addRow("%s, device first", model) << QString(model) << true;
        QTest::addRow("%s, processor first", model) << QString(model) << false;
    }
}

/// At every border, the whole model on either side included.
void TestGoldenVulkan::splitsWriteTheSame() {
    QFETCH(const QString, model);
    QFETCH(const bool, deviceFirst);
    if (isMissing(model)) QSKIP(qPrintable("optional data absent: models/" + model + ".gguf"));
    const auto expected = expectedOf(model);
    CONTRACT_OK(expected);
    const auto source = modelNamed(model);
    CONTRACT_OK(source);
    std::string processor;
    for (const Subject& subject : subjects()) {
        if (subject.backend == "cpu") processor = subject.name;
    }
    const std::string device = "vulkan-fp32";
    const auto segments = static_cast<std::uint32_t>((*source)->program.segments.size());
    for (std::uint32_t border = 1; border < segments; ++border) {
        const PartSpec parts[] = {{deviceFirst ? device : processor, 0, ""},
                                  {deviceFirst ? processor : device, border, ""}};
        auto running = RunningModel::openSplit(parts, *source);
        CONTRACT_OK(running);
        const auto text = greedy(**running);
        CONTRACT_OK(text);
        QVERIFY2(text->ids == (*expected)->ids, qPrintable(QString("border %1").arg(border)));
    }
    auto whole = RunningModel::open(subjectNamed(device), *source);
    CONTRACT_OK(whole);
    const auto text = greedy(**whole);
    CONTRACT_OK(text);
    QVERIFY(text->ids == (*expected)->ids);
}

QTEST_APPLESS_MAIN(TestGoldenVulkan)
#include "tst_golden_vulkan.moc"
