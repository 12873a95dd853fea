// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings against a model and a machine: every finding once, with its remedy, and nothing where all is well.

#include <QTest>
#include <algorithm>

#ifndef Q_MOC_RUN  // moc cannot read the list of settings
#include "core/app/models/settings_check.h"
#endif
#include "tests/unit/app/models/made_up_facts.h"

namespace loader::app {
namespace {

using test::kGiB;
using test::kMiB;

CheckedMachine machineWith(std::uint64_t memory) {
    CheckedMachine machine;
    machine.situation.availableBytes = memory;
    machine.situation.totalBytes = memory;
    machine.situation.source = "free memory";
    machine.physicalCores = 8;
    machine.logicalCores = 16;
    machine.backends = {{"cpu", {"cpu"}, false, {}},
                        {"vulkan", {"gpu:0", "gpu:1"}, true, {}},
                        {"broken", {}, true, "Its driver crashes."}};
    return machine;
}

/// "severity key" of each.
std::vector<std::string> said(const CheckedValues& values, const protocol::ModelFacts& facts,
                              const CheckedMachine& machine) {
    std::vector<std::string> lines;
    for (const SettingFinding& finding : checkSettings(values, facts, machine)) {
        lines.push_back(std::string(nameOf(finding.severity)) + " " + finding.key);
        // Whole sentences, each with something to do.
        for (const std::string& text : {finding.sentence, finding.remedy}) {
            if (text.empty() || text.back() != '.') lines.push_back("no sentence: " + text);
        }
    }
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

class SettingsCheckTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void defaultsAreFine();
    void each_data();
    void each();
    void memoryOfTheMachine();
    void memoryLimit();
    void noGraphics();
    void positions();
    void whatTheBackEndCannot();
    void valuesOfAnotherType();
    void worstFirst();
};

void SettingsCheckTest::defaultsAreFine() {
    QCOMPARE(said({}, test::madeUpFacts({}), machineWith(32 * kGiB)), Lines{});
}

void SettingsCheckTest::each_data() {
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("value");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, std::string_view key, const char* value, const char* expected) {
        QTest::newRow(name) << QString::fromStdString(std::string(key)) << value << expected;
    };
    row("context as trained", settings::kLoadContext, "8192", "");
    row("context beyond training", settings::kLoadContext, "8193", "warning load.context");
    row("all layers and the output", settings::kLoadGpuLayers, "33", "");
    row("more layers than there are", settings::kLoadGpuLayers, "34", "warning load.gpu_layers");
    row("all layers", settings::kLoadGpuLayers, "\"all\"", "");
    row("a usual batch", settings::kLoadBatch, "2048", "");
    row("a huge batch", settings::kLoadBatch, "8000", "note load.batch");
    row("a tiny batch", settings::kLoadBatch, "4", "note load.batch");
    row("as many threads as cores", settings::kLoadThreads, "8", "");
    row("more threads than cores", settings::kLoadThreads, "9", "note load.threads");
    row("more threads than run", settings::kLoadThreads, "17", "warning load.threads");
    row("a back end", settings::kLoadBackend, "\"vulkan\"", "");
    row("no such back end", settings::kLoadBackend, "\"cuda\"", "error load.backend");
    row("a broken back end", settings::kLoadBackend, "\"broken\"", "error load.backend");
    row("a device of nobody", settings::kLoadDevice, "\"gpu:0\"", "warning load.device");
    row("q8_0", settings::kLoadKv, "\"q8_0\"", "");
}

void SettingsCheckTest::each() {
    QFETCH(const QString, key);
    QFETCH(const QString, value);
    QFETCH(const QString, expected);
    test::MadeUpModel model;
    model.trainedContext = 8192;
    const CheckedValues values = {{key.toStdString(), Json::parse(value.toStdString())}};
    const Lines wanted = expected.isEmpty() ? Lines{} : Lines{expected.toStdString()};
    QCOMPARE(said(values, test::madeUpFacts(model), machineWith(64 * kGiB)), wanted);
}

void SettingsCheckTest::memoryOfTheMachine() {
    const auto facts = test::madeUpFacts({});
    const CheckedValues values = {{std::string(settings::kLoadContext), 131072}};
    auto findings = checkSettings(values, facts, machineWith(8 * kGiB));
    QCOMPARE(findings.size(), std::size_t{1});
    QCOMPARE(findings[0].severity, Severity::Error);
    QVERIFY2(findings[0].remedy.find("Set load.context to ") == 0, findings[0].remedy.c_str());
    // What the remedy says works.
    const auto context = std::stoul(findings[0].remedy.substr(std::string("Set load.context to ").size()));
    QVERIFY(context > 0 && context < 131072);
    QVERIFY(checkSettings({{std::string(settings::kLoadContext), context}}, facts, machineWith(8 * kGiB))
                .empty());
    // No context helps a model that is too large.
    findings = checkSettings({}, facts, machineWith(kGiB));
    QCOMPARE(findings.size(), std::size_t{1});
    QVERIFY(findings[0].remedy.find("smaller model") != std::string::npos);
}

void SettingsCheckTest::memoryLimit() {
    const auto facts = test::madeUpFacts({});
    const auto with = [&](std::uint64_t mebibytes) {
        return said({{std::string(settings::kLoadMemoryLimit), mebibytes}}, facts, machineWith(64 * kGiB));
    };
    QCOMPARE(with(0), Lines{});
    QCOMPARE(with(60'000), Lines{});
    QCOMPARE(with(1000), Lines{"error load.memory_limit"});
    CheckedValues locked = {{std::string(settings::kLoadMlock), true}};
    CheckedMachine machine = machineWith(64 * kGiB);
    QCOMPARE(said(locked, facts, machine), Lines{});
    machine.lockable = 8 * kMiB;
    QCOMPARE(said(locked, facts, machine), Lines{"warning load.mlock"});
    machine.lockable = 8 * kGiB;
    QCOMPARE(said(locked, facts, machine), Lines{});
}

void SettingsCheckTest::noGraphics() {
    CheckedMachine machine = machineWith(64 * kGiB);
    machine.backends = {{"cpu", {"cpu"}, false, {}}, {"vulkan", {}, true, "No device was found."}};
    const auto facts = test::madeUpFacts({});
    QCOMPARE(said({{std::string(settings::kLoadGpuLayers), 10}}, facts, machine),
             Lines{"warning load.gpu_layers"});
    QCOMPARE(said({{std::string(settings::kLoadGpuLayers), "all"}}, facts, machine),
             Lines{"warning load.gpu_layers"});
    QCOMPARE(said({{std::string(settings::kLoadGpuLayers), 0}}, facts, machine), Lines{});
    QCOMPARE(said({{std::string(settings::kLoadGpuLayers), "auto"}}, facts, machine), Lines{});
}

void SettingsCheckTest::positions() {
    auto facts = test::madeUpFacts({});
    facts.positionLimit = 1024;
    facts.trainedContext = 1024;
    // Learnt positions end: that is no matter of quality.
    QCOMPARE(said({{std::string(settings::kLoadContext), 1025}}, facts, machineWith(64 * kGiB)),
             Lines{"error load.context"});
    facts.foreignByteOrder = true;
    QCOMPARE(said({}, facts, machineWith(64 * kGiB)), Lines{"note load.mmap"});
}

void SettingsCheckTest::whatTheBackEndCannot() {
    auto facts = test::madeUpFacts({});
    facts.plans[1].unsupported = {"It has no operation for this."};
    const CheckedMachine machine = machineWith(64 * kGiB);
    QCOMPARE(said({}, facts, machine), Lines{});
    QCOMPARE(said({{std::string(settings::kLoadBackend), "vulkan"}}, facts, machine),
             Lines{"error load.backend"});
    facts.plans[0].kvBytes[static_cast<std::size_t>(graph::KvType::Q8_0)] = 0;
    QCOMPARE(said({{std::string(settings::kLoadKv), "q8_0"}}, facts, machine), Lines{"error load.kv"});
    QCOMPARE(said({{std::string(settings::kLoadKv), "f16"}}, facts, machine), Lines{});
    QCOMPARE(
        said({{std::string(settings::kLoadBackend), "vulkan"}, {std::string(settings::kLoadDevice), "gpu:7"}},
             test::madeUpFacts({}), machine),
        Lines{"error load.device"});
    QCOMPARE(
        said({{std::string(settings::kLoadBackend), "vulkan"}, {std::string(settings::kLoadDevice), "gpu:1"}},
             test::madeUpFacts({}), machine),
        Lines{});
}

void SettingsCheckTest::valuesOfAnotherType() {
    // Keys alone are checked elsewhere; here nothing may crash or be made up.
    CheckedValues values;
    for (const SettingSpec& setting : allSettings())
        values[std::string(setting.key)] = Json::array({1, "x", nullptr});
    QVERIFY(checkSettings(values, test::madeUpFacts({}), machineWith(64 * kGiB)).size() < 10);
    for (const Json& odd : {Json(-5), Json(1e300), Json(nullptr), Json("\xFF"), Json::object()}) {
        for (auto& [key, value] : values)
            value = odd;
        QVERIFY(checkSettings(values, test::madeUpFacts({}), machineWith(64 * kGiB)).size() < 20);
        // A model of which nothing is known.
        QVERIFY(checkSettings(values, {}, {}).size() < 20);
    }
}

void SettingsCheckTest::worstFirst() {
    const CheckedValues values = {{std::string(settings::kLoadThreads), 17},
                                  {std::string(settings::kLoadBatch), 8000},
                                  {std::string(settings::kLoadBackend), "cuda"}};
    QCOMPARE(said(values, test::madeUpFacts({}), machineWith(64 * kGiB)),
             (Lines{"error load.backend", "warning load.threads", "note load.batch"}));
}

}  // namespace loader::app

QTEST_GUILESS_MAIN(loader::app::SettingsCheckTest)
#include "tst_settings_check.moc"
