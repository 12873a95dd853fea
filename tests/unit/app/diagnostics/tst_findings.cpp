// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every finding comes from the fact that it is about and from nothing else, with a remedy.

#include <QTest>
#include <functional>

#include "core/app/diagnostics/findings.h"

using namespace loader;
using app::BackendCandidate;
using app::Finding;
using app::SupportFacts;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::uint64_t kGibibyte = 1u << 30;

/// A machine with nothing to say about.
SupportFacts healthy() {
    SupportFacts facts;
    facts.version = "0.1";
    facts.hardware.memory.total = 16 * kGibibyte;
    facts.hardware.memory.available = 12 * kGibibyte;
    facts.hardware.memory.process.locked = 16 * kGibibyte;
    facts.hardware.cpu.tier = "avx2";
    facts.hardware.disks.push_back({"/models", 100 * kGibibyte, 50 * kGibibyte, {}});
    BackendCandidate cpu;
    cpu.entry.id = "cpu";
    cpu.state = app::BackendState::Probed;
    facts.backends.push_back(cpu);
    protocol::SandboxFacts sandbox;
    sandbox.seccomp = sandbox.network = sandbox.files = sandbox.exec = sandbox.newCode = true;
    facts.sandboxes.push_back({"cpu", sandbox, {}});
    facts.loads.push_back({{"result", "loaded"}});
    return facts;
}

BackendCandidate vulkan() {
    BackendCandidate backend;
    backend.entry.id = "vulkan";
    backend.entry.path = "/x/vulkan.so";
    return backend;
}

void addGpu(BackendCandidate& backend) {
    protocol::DeviceEntry device;
    device.id = "gpu-0";
    device.name = "A GPU";
    device.kind = protocol::DeviceClass::DiscreteGpu;
    backend.devices.push_back(device);
}

struct Row {
    const char* id;
    Finding::Weight weight;
    std::function<void(SupportFacts&)> change;
};

const std::vector<Row>& rows() {
    using Weight = Finding::Weight;
    static const std::vector<Row> all = {
        {"memory-small", Weight::Warning,
         [](SupportFacts& facts) { facts.hardware.memory.total = 3 * kGibibyte; }},
        {"memory-short", Weight::Warning,
         [](SupportFacts& facts) { facts.hardware.memory.available = kGibibyte / 2; }},
        {"memory-group", Weight::Note,
         [](SupportFacts& facts) {
             facts.hardware.memory.groupLimit = 8 * kGibibyte;
             facts.hardware.memory.groupRoom = 6 * kGibibyte;
         }},
        {"address-space", Weight::Warning,
         [](SupportFacts& facts) { facts.hardware.memory.process.addressSpace = 8 * kGibibyte; }},
        {"lock-limit", Weight::Note,
         [](SupportFacts& facts) { facts.hardware.memory.process.locked = 65536; }},
        {"processor-old", Weight::Warning, [](SupportFacts& facts) { facts.hardware.cpu.tier = "baseline"; }},
        {"processor-share", Weight::Warning,
         [](SupportFacts& facts) { facts.hardware.cpu.share.quota = 0.5; }},
        {"disk-full", Weight::Warning, [](SupportFacts& facts) { facts.hardware.disks[0].freeBytes = 1; }},
        {"disk-network", Weight::Note,
         [](SupportFacts& facts) { facts.hardware.disks[0].kind.network = true; }},
        {"no-probe", Weight::Problem,
         [](SupportFacts& facts) { facts.backendFault = Error(Errc::W604, {"no such program"}); }},
        {"plugin-refused", Weight::Problem,
         [](SupportFacts& facts) {
             facts.backends.push_back(vulkan());
             facts.backends.back().entry.refusal.push_back(Error(Errc::B706, {"vulkan"}));
         }},
        {"no-vulkan", Weight::Note,
         [](SupportFacts& facts) {
             facts.backends.push_back(vulkan());
             facts.backends.back().failure.push_back(Error(Errc::B720, {"no library is named"}));
         }},
        {"probe-failed", Weight::Problem,
         [](SupportFacts& facts) {
             facts.backends.push_back(vulkan());
             facts.backends.back().failure.push_back(Error(Errc::W605, {"signal 11 (SIGSEGV), probing"}));
         }},
        {"device-refused", Weight::Problem,
         [](SupportFacts& facts) {
             facts.backends.push_back(vulkan());
             addGpu(facts.backends.back());
             facts.backends.back().devices[0].refusal.push_back(Error(Errc::B705, {"gpu-0"}));
         }},
        {"no-kernel-driver", Weight::Warning,
         [](SupportFacts& facts) {
             facts.hardware.adapters.push_back({"0000:01:00.0", 1, 2, "NVIDIA", ""});
         }},
        {"no-compute-driver", Weight::Note,
         [](SupportFacts& facts) {
             facts.hardware.adapters.push_back({"0000:01:00.0", 1, 2, "AMD", "amdgpu"});
         }},
        {"no-worker", Weight::Problem,
         [](SupportFacts& facts) {
             facts.sandboxes.push_back({"gpu", {}, Error(Errc::W606, {"8", "starting"})});
         }},
        {"sandbox", Weight::Warning, [](SupportFacts& facts) { facts.sandboxes[0].facts->files = false; }},
        {"loads-failed", Weight::Warning,
         [](SupportFacts& facts) {
             facts.loads.push_back({{"result", "failed"}, {"error", {{"message", "There is no file."}}}});
         }},
        {"environment", Weight::Note,
         [](SupportFacts& facts) { facts.overrides.push_back("GGUF_BACKEND=cpu"); }},
    };
    return all;
}

}  // namespace

class TestFindings : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void nothingToSay();
    void each_data();
    void each();
    void problemsFirst();
    void aWorkingGpuNeedsNoDriver();
    void oddLoads();
    void report();
};

void TestFindings::nothingToSay() {
    const auto found = app::findingsOf(healthy());
    QVERIFY2(found.empty(), found.empty() ? "" : found.front().sentence.c_str());
}

void TestFindings::each_data() {
    QTest::addColumn<int>("row");
    for (std::size_t i = 0; i < rows().size(); ++i)
        QTest::newRow(rows()[i].id) << static_cast<int>(i);
}

void TestFindings::each() {
    QFETCH(const int, row);
    const Row& expected = rows()[static_cast<std::size_t>(row)];
    SupportFacts facts = healthy();
    expected.change(facts);
    const auto found = app::findingsOf(facts);
    QCOMPARE(found.size(), std::size_t{1});
    QCOMPARE(found[0].id, std::string(expected.id));
    QCOMPARE(found[0].weight, expected.weight);
    QVERIFY(found[0].sentence.size() > 20);
    QVERIFY2(found[0].remedy.ends_with('.') || found[0].remedy.ends_with(')'), found[0].remedy.c_str());
}

void TestFindings::problemsFirst() {
    SupportFacts facts = healthy();
    for (const Row& row : rows())
        row.change(facts);
    const auto found = app::findingsOf(facts);
    // A GPU that is found needs no driver; a group may not have more than the machine.
    QVERIFY(found.size() >= rows().size() - 3);
    for (std::size_t i = 1; i < found.size(); ++i)
        QVERIFY(found[i - 1].weight <= found[i].weight);
}

void TestFindings::aWorkingGpuNeedsNoDriver() {
    SupportFacts facts = healthy();
    facts.hardware.adapters.push_back({"0000:01:00.0", 1, 2, "AMD", "amdgpu"});
    facts.backends.push_back(vulkan());
    addGpu(facts.backends.back());
    QVERIFY(app::findingsOf(facts).empty());
}

/// The log may hold anything.
void TestFindings::oddLoads() {
    SupportFacts facts = healthy();
    facts.loads = {Json::object(), Json{{"result", 5}}, Json{{"result", "failed"}},
                   Json{{"result", "failed"}, {"error", {{"message", 3}}}}};
    const auto found = app::findingsOf(facts);
    QCOMPARE(found.size(), std::size_t{1});
    QVERIFY(found[0].sentence.starts_with("2 of the last 4 loads"));
}

void TestFindings::report() {
    SupportFacts facts = healthy();
    facts.overrides.push_back("GGUF_LOADER_MODELS=/home/jana/models");
    facts.log = {"a.log", {"a line of /home/jana/x"}};
    facts.loads.push_back({{"result", "failed"}, {"error", {{"message", "/home/jana/y"}}}});
    app::Identity identity;
    identity.homes = {"/home/jana"};
    identity.userNames = {"jana"};
    const Json report = app::supportJson(facts, app::Redactor(identity));
    for (const char* key : {"program", "time", "findings", "hardware", "backends", "sandbox", "environment",
                            "settings", "loads", "log"})
        QVERIFY2(report.contains(key), key);
    QCOMPARE(report["findings"].size(), std::size_t{2});
    QVERIFY(report["settings"]["values"].is_null());
    const std::string text = app::supportText(report);
    QVERIFY(report.dump().find("jana") == std::string::npos);
    QVERIFY(text.find("jana") == std::string::npos);
    QVERIFY(text.find("a line of ~/x") != std::string::npos);
    QVERIFY(text.find("GGUF_LOADER_MODELS=~/models") != std::string::npos);
}

QTEST_GUILESS_MAIN(TestFindings)
#include "tst_findings.moc"
