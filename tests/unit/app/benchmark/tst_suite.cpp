// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every model on every back end: one row each whatever happens, the best named only as surely as it is known,
// and what a process says believed only where it can be.

#include <QTest>

#include "core/app/benchmark/suite.h"
#include "tests/unit/app/benchmark/fake_runner.h"

using namespace loader;
using app::BackendCandidate;
using app::BenchEnd;
using app::BenchJob;
using app::BenchOutcome;
using app::SuiteReport;
using test::FakeRunner;
using test::measured;

namespace {

BackendCandidate backendWith(const std::string& id, int priority,
                             std::vector<protocol::DeviceEntry> devices) {
    BackendCandidate backend;
    backend.entry.id = id;
    backend.entry.priority = priority;
    backend.entry.automatic = true;
    backend.devices = std::move(devices);
    backend.state = app::BackendState::Probed;
    return backend;
}

protocol::DeviceEntry gpu(const std::string& id) {
    protocol::DeviceEntry device;
    device.id = id;
    device.kind = protocol::DeviceClass::DiscreteGpu;
    return device;
}

std::vector<BackendCandidate> machine() {
    return {backendWith("cpu", 0, {}), backendWith("vulkan", 50, {gpu("gpu-a"), gpu("gpu-b")})};
}

app::SuitePlan planOf(std::vector<std::string> names) {
    app::SuitePlan plan;
    for (const std::string& name : names)
        plan.models.push_back({name, "/models/" + name + ".gguf", std::nullopt});
    return plan;
}

SuiteReport run(const app::SuitePlan& plan, const std::vector<BackendCandidate>& backends, FakeRunner& runner,
                CancelToken cancel = {}) {
    return app::runSuite(plan, backends, runner, {}, cancel);
}

}  // namespace

class TestSuite : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyModelOnEveryDevice();
    void aCrashCostsOneRow();
    void theBestIsSureOrNot();
    void brokenModelsAreNotTried();
    void whatIsNotAvailable();
    void namedBackends();
    void cancelling();
    void wordsOfAJob();
    void whatAProcessSays_data();
    void whatAProcessSays();
};

void TestSuite::everyModelOnEveryDevice() {
    FakeRunner runner([](const BenchJob& job) { return measured(job.backend == "cpu" ? 10.0 : 30.0); });
    app::SuitePlan plan = planOf({"one", "two"});
    plan.job.promptTokens = 99;
    std::size_t begun = 0;
    std::size_t done = 0;
    app::SuiteObserver observer;
    observer.begins = [&begun](const app::SuiteRow&, std::size_t number, std::size_t total) {
        QCOMPARE(number, begun++);
        QCOMPARE(total, std::size_t{6});
    };
    observer.ended = [&done](const app::SuiteRow&) { ++done; };
    const SuiteReport report = app::runSuite(plan, machine(), runner, observer, {});
    QCOMPARE(report.rows.size(), std::size_t{6});
    QCOMPARE(begun, done);
    std::vector<std::string> places;
    for (const BenchJob& job : runner.jobs) {
        places.push_back(job.path + " " + job.backend + " " + job.device);
        QCOMPARE(job.promptTokens, 99u);
    }
    QCOMPARE(places[0], std::string("/models/one.gguf vulkan gpu-a"));
    QCOMPARE(places[2], std::string("/models/one.gguf cpu "));
    QCOMPARE(places[5], std::string("/models/two.gguf cpu "));
    QCOMPARE(report.best.size(), std::size_t{2});
    const app::Json json = app::suiteJson(report);
    QCOMPARE(json["rows"][0]["status"].get<std::string>(), std::string("ok"));
    QCOMPARE(json["rows"][0]["generation_tokens_per_second"].get<double>(), 30.0);
    QVERIFY(json["rows"][0]["error"].is_null());
}

void TestSuite::aCrashCostsOneRow() {
    FakeRunner runner([](const BenchJob& job) {
        if (job.device == "gpu-a") return app::outcomeOf("", "vulkan", true);
        if (job.device == "gpu-b") return test::ended(BenchEnd::Failed, Error(Errc::B704, {"gpu-b"}));
        return measured(10.0);
    });
    const SuiteReport report = run(planOf({"one"}), machine(), runner);
    QCOMPARE(report.rows.size(), std::size_t{3});
    const app::Json json = app::suiteJson(report);
    QCOMPARE(json["rows"][0]["status"].get<std::string>(), std::string("crashed"));
    QCOMPARE(json["rows"][0]["error"]["code"].get<std::string>(), std::string("B703"));
    QVERIFY(json["rows"][0]["fix"].get<std::string>().find("--backend cpu") != std::string::npos);
    QCOMPARE(json["rows"][1]["status"].get<std::string>(), std::string("failed"));
    QVERIFY(!json["rows"][1]["fix"].get<std::string>().empty());
    QCOMPARE(json["rows"][2]["status"].get<std::string>(), std::string("ok"));
    QCOMPARE(report.best.size(), std::size_t{1});
    QCOMPARE(report.rows[report.best[0].row].backend, std::string("cpu"));
    QVERIFY(report.best[0].sentence.find("only one") != std::string::npos);
}

void TestSuite::theBestIsSureOrNot() {
    const auto best = [](double first, double second) {
        FakeRunner runner(
            [=](const BenchJob& job) { return measured(job.device == "gpu-a" ? first : second); });
        const SuiteReport report = run(planOf({"one"}), {backendWith("vulkan", 5, {gpu("gpu-a")})}, runner);
        return report.best.at(0);
    };
    QVERIFY(best(30.0, 10.0).sure);
    QVERIFY(best(30.0, 10.0).sentence.find("3.00 times the speed of cpu") != std::string::npos);
    QVERIFY(best(10.0, 30.0).sure);
    QCOMPARE(best(10.0, 30.0).row, std::size_t{1});
    QVERIFY(!best(10.1, 10.0).sure);
    QVERIFY(best(10.1, 10.0).sentence.find("as fast within the scatter") != std::string::npos);
}

void TestSuite::brokenModelsAreNotTried() {
    FakeRunner runner([](const BenchJob&) { return measured(10.0); });
    app::SuitePlan plan = planOf({"broken", "good"});
    plan.models[0].fault = app::benchFault(Error(Errc::GG002));
    const SuiteReport report = run(plan, machine(), runner);
    QCOMPARE(report.rows.size(), std::size_t{4});
    QCOMPARE(runner.jobs.size(), std::size_t{3});
    QCOMPARE(report.rows[0].outcome.fault->code, std::string("GG002"));
    QCOMPARE(report.best.size(), std::size_t{1});
    QCOMPARE(report.best[0].model, std::string("good"));
}

void TestSuite::whatIsNotAvailable() {
    std::vector<BackendCandidate> backends = machine();
    backends[1].devices[1].refusal.push_back(Error(Errc::B705, {"gpu-b"}));
    BackendCandidate broken = backendWith("metal", 60, {});
    broken.failure.push_back(Error(Errc::B720, {"no library"}));
    backends.push_back(broken);
    FakeRunner runner([](const BenchJob&) { return measured(10.0); });
    const SuiteReport report = run(planOf({"one"}), backends, runner);
    QCOMPARE(report.rows.size(), std::size_t{2});
    QCOMPARE(report.passedOver.size(), std::size_t{2});
    const app::Json json = app::suiteJson(report);
    QCOMPARE(json["unavailable"][0]["backend"].get<std::string>(), std::string("metal"));
    QCOMPARE(json["unavailable"][1]["device"].get<std::string>(), std::string("gpu-b"));
}

void TestSuite::namedBackends() {
    FakeRunner runner([](const BenchJob&) { return measured(10.0); });
    app::SuitePlan plan = planOf({"one"});
    plan.backend = "vulkan";
    plan.device = "gpu-b";
    QCOMPARE(run(plan, machine(), runner).rows.size(), std::size_t{1});
    QCOMPARE(runner.jobs.back().device, std::string("gpu-b"));
    // Nobody lists it: it is tried because it was named.
    plan.backend = "fake";
    plan.device = "script:answer=1";
    QCOMPARE(run(plan, machine(), runner).rows.size(), std::size_t{1});
    QCOMPARE(runner.jobs.back().device, std::string("script:answer=1"));
}

void TestSuite::cancelling() {
    CancelFlag flag;
    FakeRunner runner([&flag](const BenchJob&) {
        flag.request();
        return test::ended(BenchEnd::Cancelled, Error(Errc::X002));
    });
    const SuiteReport report = run(planOf({"one", "two"}), machine(), runner, flag);
    QVERIFY(report.cancelled);
    QCOMPARE(report.rows.size(), std::size_t{1});
    QCOMPARE(app::nameOf(report.rows[0].outcome.end), std::string_view("cancelled"));
    QVERIFY(report.best.empty());
    app::ProcessBenchRunner process("/no/such/program");
    QCOMPARE(process.run({}, flag).end, BenchEnd::Cancelled);
    QCOMPARE(process.run({}, {}).end, BenchEnd::Failed);
}

void TestSuite::wordsOfAJob() {
    BenchJob job;
    job.path = "--odd name.gguf";
    job.threads = 3;
    job.device = "gpu";
    job.mmap = false;
    const std::vector<std::string> words = app::benchWords(job);
    // A path that looks like an option is none.
    QCOMPARE(words[words.size() - 2], std::string("--"));
    QCOMPARE(words.back(), job.path);
    QVERIFY(std::find(words.begin(), words.end(), "--no-mmap") != words.end());
    QVERIFY(std::find(words.begin(), words.end(), "--no-history") != words.end());
    const auto threads = std::find(words.begin(), words.end(), "--threads");
    QVERIFY(threads != words.end() && *(threads + 1) == "3");
    QVERIFY(std::find(words.begin(), words.end(), "--batch") == words.end());
}

void TestSuite::whatAProcessSays_data() {
    QTest::addColumn<QByteArray>("output");
    QTest::addColumn<int>("end");
    const auto row = [](const char* name, const QByteArray& output, BenchEnd end) {
        QTest::addRow("%s", name) << output << static_cast<int>(end);
    };
    row("nothing", "", BenchEnd::Crashed);
    row("no JSON", "Segmentation fault", BenchEnd::Crashed);
    row("a list", "[]", BenchEnd::Crashed);
    row("no measurement", "{}", BenchEnd::Crashed);
    row("damaged measurement", R"({"measurement":{"schema":1}})", BenchEnd::Failed);
    row("an error", R"({"error":{"code":"R901","message":"m","action":"a"}})", BenchEnd::Failed);
    row("an odd error", R"({"error":7})", BenchEnd::Failed);
    row("stopped", R"({"error":{"code":"X002","message":"m","action":"a"}})", BenchEnd::Cancelled);
    row("deep", QByteArray(1000, '[') + QByteArray(1000, ']'), BenchEnd::Crashed);
    const std::string good =
        app::Json{{"measurement", app::measurementJson(test::sampleMeasurement())}}.dump();
    row("a measurement", QByteArray::fromStdString(good), BenchEnd::Done);
}

void TestSuite::whatAProcessSays() {
    QFETCH(const QByteArray, output);
    QFETCH(const int, end);
    const BenchOutcome outcome = app::outcomeOf(output.toStdString(), "vulkan", false);
    QCOMPARE(static_cast<int>(outcome.end), end);
    QCOMPARE(outcome.measurement.has_value(), outcome.end == BenchEnd::Done);
    QCOMPARE(outcome.fault.has_value(), outcome.end != BenchEnd::Done);
}

QTEST_GUILESS_MAIN(TestSuite)
#include "tst_suite.moc"
