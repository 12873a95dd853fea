// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the sweep tries and when it stops, what is proposed and why, and settings that are applied and taken
// back exactly.

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <fstream>
#include <thread>

#include "core/app/benchmark/config_model_settings.h"
#include "core/app/benchmark/sweep.h"
#include "tests/support/memory_files.h"
#include "tests/unit/app/benchmark/fake_runner.h"
#include "tests/unit/app/models/made_up_facts.h"

using namespace loader;
using namespace loader::app;
using test::FakeRunner;
using test::measured;

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

SweepPlan planWith(std::uint32_t cores, std::uint32_t threads) {
    SweepPlan plan;
    plan.cores = cores;
    plan.threads = threads;
    return plan;
}

Recommendation adviceFor(const protocol::ModelFacts& facts) {
    MemorySituation situation;
    situation.availableBytes = 64 * kGiB;
    situation.totalBytes = 64 * kGiB;
    LoadSettings wanted;
    wanted.contextTokens = 0;
    wanted.threads = 0;
    return recommend(facts, wanted, {}, situation, {}, std::nullopt, 4);
}

const Proposal& find(const std::vector<Proposal>& proposals, std::string_view key) {
    for (const Proposal& proposal : proposals) {
        if (proposal.key == key) return proposal;
    }
    qFatal("no such proposal");
}

UsageProfile shortAnswers() {
    return {50, 90, 700};
}

/// Settings in memory.
class FakeSettings final : public ModelSettings {
public:
    std::string name() const override { return "/models/a.gguf"; }
    std::optional<Json> get(std::string_view key) const override {
        const auto found = now.find(std::string(key));
        return found == now.end() ? std::nullopt : std::optional<Json>(found->second);
    }
    Status set(std::string_view key, const Json& value) override {
        now[std::string(key)] = value;
        return {};
    }
    Status reset(std::string_view key) override {
        now.erase(std::string(key));
        return {};
    }
    Status save() override {
        if (saveFails) return Error(Errc::F806, {"full"});
        saved = now;
        return {};
    }
    std::map<std::string, Json> now;
    std::map<std::string, Json> saved;
    bool saveFails = false;
};

std::vector<Proposal> sampleProposals() {
    return {{"load.context", 2048u, "r", "", false},
            {"load.batch", 512u, "r", "", false},
            {"load.threads", 3u, "r", "", true},
            {"load.gpu_layers", "auto", "r", "", false}};
}

}  // namespace

class TestOptimiser : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sweepTriesThreads();
    void sweepTriesLayers();
    void sweepKeepsToItsTime();
    void sweepWithoutAResult();
    void profiles();
    void proposalsWithoutHistory();
    void proposalsFromUse();
    void proposalsFromTheSweep();
    void applyAndRevert();
    void appliedTwice();
    void changedSince();
    void killedBetween();
    void damagedMemoryIsLeftAlone();
    void inTheConfiguration();
};

void TestOptimiser::sweepTriesThreads() {
    FakeRunner runner([](const BenchJob& job) {
        const std::uint32_t threads = job.threads != 0 ? job.threads : 4;
        return measured(threads == 8 ? 30.0 : 20.0, threads);
    });
    std::vector<std::string> told;
    const SweepReport report =
        sweep(planWith(4, 8), runner,
              [&told](const std::string& next, std::size_t, std::size_t) { told.push_back(next); }, {});
    QCOMPARE(told, (std::vector<std::string>{"the settings as they are", "2 threads", "8 threads"}));
    QVERIFY(!report.cutShort);
    QVERIFY(report.usual());
    QVERIFY(report.steps.back().value == Json(8u));
    QCOMPARE(threadCandidates(planWith(1, 1), 1).size(), std::size_t{0});
    QCOMPARE(threadCandidates(planWith(6, 12), 6), (std::vector<std::uint32_t>{3, 12}));
    QCOMPARE(sweepJson(report)["steps"].size(), std::size_t{3});
}

void TestOptimiser::sweepTriesLayers() {
    FakeRunner runner([](const BenchJob& job) {
        if (job.backend == "cpu") return measured(5.0);
        return measured(20.0, 4, job.gpuLayers.empty() ? 20 : 10);
    });
    SweepPlan plan = planWith(4, 8);
    plan.job.backend = "vulkan";
    plan.job.device = "gpu";
    const SweepReport report = sweep(plan, runner, {}, {});
    QCOMPARE(report.steps.size(), std::size_t{3});
    QCOMPARE(runner.jobs[1].backend, std::string("cpu"));
    QVERIFY(runner.jobs[1].device.empty());
    QCOMPARE(runner.jobs[2].gpuLayers, std::string("10"));
    QCOMPARE(runner.jobs[2].device, std::string("gpu"));
}

void TestOptimiser::sweepKeepsToItsTime() {
    FakeRunner runner([](const BenchJob&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        return measured(20.0);
    });
    SweepPlan plan = planWith(16, 32);
    plan.budget = std::chrono::milliseconds(40);
    const SweepReport report = sweep(plan, runner, {}, {});
    QVERIFY(report.cutShort);
    QCOMPARE(report.steps.size(), std::size_t{1});
    QVERIFY(runner.jobs.front().limit <= plan.budget);
    CancelFlag flag;
    flag.request();
    const SweepReport stopped = sweep(planWith(4, 8), runner, {}, flag);
    QVERIFY(stopped.cutShort && stopped.steps.empty() && !stopped.usual());
}

void TestOptimiser::sweepWithoutAResult() {
    FakeRunner runner(
        [](const BenchJob&) { return test::ended(BenchEnd::Failed, Error(Errc::R901, {"1"})); });
    const SweepReport report = sweep(planWith(4, 8), runner, {}, {});
    QCOMPARE(report.steps.size(), std::size_t{1});
    QVERIFY(!report.usual());
    const auto facts = test::madeUpFacts({});
    const Recommendation advice = adviceFor(facts);
    const auto proposals = propose({facts, advice, {}, &report});
    QVERIFY(!find(proposals, "load.threads").measured);
}

void TestOptimiser::profiles() {
    std::vector<UsageRecord> uses;
    for (std::uint64_t i = 0; i < 100; ++i) {
        uses.push_back(test::sampleUse());
        uses.back().promptTokens = 10 * i;
        uses.back().cachedTokens = 5 * i;
        uses.back().tokens = 1;
    }
    uses.push_back(test::sampleUse());
    uses.back().model = test::sampleModel('c');
    uses.back().promptTokens = 1'000'000;
    const UsageProfile profile = profileOf(uses, test::sampleModel());
    QCOMPARE(profile.answers, std::size_t{100});
    QCOMPARE(profile.together, std::uint64_t{951});
    QCOMPARE(profile.evaluated, std::uint64_t{475});
    QCOMPARE(profileOf({}, test::sampleModel()).answers, std::size_t{0});
}

void TestOptimiser::proposalsWithoutHistory() {
    auto facts = test::madeUpFacts({});
    facts.trainedContext = 8192;
    const Recommendation advice = adviceFor(facts);
    const auto proposals = propose({facts, advice, {}, nullptr});
    QCOMPARE(proposals.size(), std::size_t{4});
    QVERIFY(find(proposals, "load.context").value == Json(advice.settings.contextTokens));
    QVERIFY(find(proposals, "load.threads").value == Json(0u));
    QVERIFY(find(proposals, "load.gpu_layers").value == Json("auto"));
    for (const Proposal& proposal : proposals) {
        QVERIFY(!proposal.reason.empty() && proposal.reason.back() == '.');
        QVERIFY(!proposal.measured);
        const SettingSpec* setting = findSetting(proposal.key);
        QVERIFY(setting && checkedSetting(*setting, proposal.value).ok());
    }
}

void TestOptimiser::proposalsFromUse() {
    auto facts = test::madeUpFacts({});
    facts.trainedContext = 32768;
    const Recommendation advice = adviceFor(facts);
    const auto proposals = propose({facts, advice, shortAnswers(), nullptr});
    // 700 and half of it again are less than the least.
    QVERIFY(find(proposals, "load.context").value == Json(2048u));
    QVERIFY(find(proposals, "load.context").reason.find("95 % of your 50 answers") != std::string::npos);
    QVERIFY(find(proposals, "load.context").effect.find("less memory") != std::string::npos);
    QVERIFY(find(proposals, "load.batch").value == Json(128u));
    // Long ones want all there is.
    const auto longer = propose({facts, advice, {50, 900, 100'000}, nullptr});
    QVERIFY(find(longer, "load.context").value == Json(advice.settings.contextTokens));
    QVERIFY(find(longer, "load.batch").value == Json(512u));
    // Too few answers tell nothing.
    const auto few = propose({facts, advice, {5, 90, 700}, nullptr});
    QVERIFY(find(few, "load.context").value == Json(advice.settings.contextTokens));
}

void TestOptimiser::proposalsFromTheSweep() {
    const auto facts = test::madeUpFacts({});
    const Recommendation advice = adviceFor(facts);
    const auto threadsFor = [&](double two, double eight) {
        FakeRunner runner([=](const BenchJob& job) {
            const double speed = job.threads == 2 ? two : job.threads == 8 ? eight : 20.0;
            return measured(speed, job.threads != 0 ? job.threads : 4);
        });
        const SweepReport report = sweep(planWith(4, 8), runner, {}, {});
        return find(propose({facts, advice, {}, &report}), "load.threads");
    };
    QVERIFY(threadsFor(24.0, 30.0).value == Json(8u));
    QVERIFY(threadsFor(24.0, 30.0).effect.find("30.0 instead of 20.0 tokens/s (+50 %)") != std::string::npos);
    QVERIFY(threadsFor(24.0, 10.0).value == Json(2u));
    // Hardly faster is no reason to change anything.
    QVERIFY(threadsFor(20.1, 20.2).value == Json(0u));
    QVERIFY(threadsFor(20.1, 20.2).measured);
    QVERIFY(threadsFor(20.1, 20.2).effect.empty());
    FakeRunner onGpu([](const BenchJob& job) {
        if (job.backend == "cpu") return measured(40.0);
        return measured(20.0, 4, job.gpuLayers.empty() ? 20 : 10);
    });
    const SweepReport report = sweep(planWith(4, 8), onGpu, {}, {});
    QVERIFY(find(propose({facts, advice, {}, &report}), "load.gpu_layers").value == Json(0u));
}

void TestOptimiser::applyAndRevert() {
    const QTemporaryDir folder;
    const AppliedSettings applied(folder.filePath("data").toStdString());
    FakeSettings settings;
    settings.now = {{"load.context", 8192u}, {"sampling.top_k", 3u}};
    const auto before = settings.now;
    QCOMPARE(applied.revert(settings).error().code(), Errc::X001);
    const auto changes = applied.apply(sampleProposals(), settings);
    QVERIFY(changes.ok());
    // What the model has anyway is not written.
    QCOMPARE(changes->size(), std::size_t{2});
    QVERIFY(settings.saved.at("load.context") == Json(2048u));
    QVERIFY(settings.saved.at("load.threads") == Json(3u));
    QVERIFY(settings.saved.find("load.gpu_layers") == settings.saved.end());
    const auto reverted = applied.revert(settings);
    QVERIFY(reverted.ok());
    QVERIFY(settings.saved == before);
    QCOMPARE(changesJson(*reverted).size(), std::size_t{2});
    QCOMPARE(applied.revert(settings).error().code(), Errc::X001);
}

void TestOptimiser::appliedTwice() {
    const QTemporaryDir folder;
    const AppliedSettings applied(folder.path().toStdString());
    FakeSettings settings;
    settings.now = {{"load.threads", 1u}};
    const auto before = settings.now;
    QVERIFY(applied.apply(sampleProposals(), settings).ok());
    auto other = sampleProposals();
    other[0].value = 4096u;
    other[2].value = 7u;
    QVERIFY(applied.apply(other, settings).ok());
    QVERIFY(settings.saved.at("load.threads") == Json(7u));
    QVERIFY(applied.revert(settings).ok());
    QVERIFY(settings.saved == before);
}

void TestOptimiser::changedSince() {
    const QTemporaryDir folder;
    const AppliedSettings applied(folder.path().toStdString());
    FakeSettings settings;
    QVERIFY(applied.apply(sampleProposals(), settings).ok());
    settings.now["load.threads"] = 5u;
    const auto reverted = applied.revert(settings);
    QVERIFY(reverted.ok());
    QVERIFY((settings.saved == std::map<std::string, Json>{{"load.threads", 5u}}));
    int leftAlone = 0;
    for (const SettingChange& change : *reverted)
        leftAlone += change.leftAlone ? 1 : 0;
    QCOMPARE(leftAlone, 1);
}

void TestOptimiser::killedBetween() {
    // The memory is written first. Where the settings then are not, taking back changes nothing.
    const QTemporaryDir folder;
    const AppliedSettings applied(folder.path().toStdString());
    FakeSettings settings;
    settings.now = {{"load.context", 8192u}};
    const auto before = settings.now;
    settings.saveFails = true;
    QCOMPARE(applied.apply(sampleProposals(), settings).error().code(), Errc::F806);
    FakeSettings restarted;
    restarted.now = before;
    const auto reverted = applied.revert(restarted);
    QVERIFY(reverted.ok());
    QVERIFY(restarted.saved == before);
    for (const SettingChange& change : *reverted)
        QVERIFY(change.leftAlone);
}

void TestOptimiser::damagedMemoryIsLeftAlone() {
    const QTemporaryDir folder;
    const AppliedSettings applied(folder.path().toStdString());
    for (const std::string& text :
         {std::string("no JSON"), std::string("[]"), std::string(R"({"schema":1})"),
          std::string(R"({"schema":1,"models":{"/models/a.gguf":{"load.threads":7}}})"),
          std::string(
              R"({"schema":1,"models":{"/models/a.gguf":{"load.threads":{"before":-4,"after":null}}}})"),
          std::string(
              R"({"schema":1,"models":{"/models/a.gguf":{"no.setting":{"before":1,"after":null}}}})")}) {
        std::ofstream(applied.path(), std::ios::binary) << text;
        FakeSettings settings;
        QCOMPARE(applied.apply(sampleProposals(), settings).error().code(), Errc::C501);
        QCOMPARE(applied.revert(settings).error().code(), Errc::C501);
        QVERIFY(settings.saved.empty());
        QFile file(QString::fromStdString(applied.path()));
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(file.readAll().toStdString(), text);
    }
}

void TestOptimiser::inTheConfiguration() {
    const QTemporaryDir folder;
    const AppliedSettings applied(folder.path().toStdString());
    test::MemoryFiles files;
    const auto contextOf = [&files] {
        ConfigStore store(files, "/c");
        const SettingValues values = store.values(SettingOwner::model("/models/a.gguf"));
        const Json* value = values.find("load.context");
        return value ? *value : Json(nullptr);
    };
    {
        ConfigStore store(files, "/c");
        ConfigModelSettings settings(store, "/models/../models/a.gguf");
        QVERIFY(settings.set("load.context", 8192).ok());
        QVERIFY(settings.save().ok());
        QVERIFY(applied.apply(sampleProposals(), settings).ok());
    }
    QVERIFY(contextOf() == Json(2048));
    {
        ConfigStore store(files, "/c");
        ConfigModelSettings settings(store, "/models/a.gguf");
        QVERIFY(applied.revert(settings).ok());
    }
    QVERIFY(contextOf() == Json(8192));
}

QTEST_GUILESS_MAIN(TestOptimiser)
#include "tst_optimiser.moc"
