// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a worker tells of devices survives being shown, remembered and read again, and is not believed when
// it is no answer.

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "core/app/backend_manager/backend_json.h"
#include "core/app/backend_manager/probe_convert.h"
#include "core/app/hardware/probe_cache.h"

using namespace loader;
using app::BackendCandidate;
using app::BackendState;
using protocol::DeviceClass;
using protocol::DeviceEntry;

namespace {

DeviceEntry device(const std::string& id, DeviceClass kind) {
    DeviceEntry entry;
    entry.id = id;
    entry.name = "A device";
    entry.detail = "some driver 1.2";
    entry.kind = kind;
    entry.memoryBytes = 8'000'000'000;
    entry.freeBytes = 7'000'000'000;
    entry.properties = {{"driver_version", "1.2"}, {"heap.0.budget_bytes", "123"}};
    return entry;
}

BackendCandidate candidate() {
    BackendCandidate backend;
    backend.entry.id = "vulkan";
    backend.entry.displayName = "GPU";
    backend.entry.path = "/x/vulkan.so";
    backend.devices = {device("a", DeviceClass::DiscreteGpu), device("b", DeviceClass::IntegratedGpu),
                       device("c", DeviceClass::Cpu), device("d", DeviceClass::Virtual)};
    backend.devices[0].refusal.push_back(Error(Errc::B705, {"a"}, "somewhere"));
    backend.devices[1].selfTested = true;
    backend.state = BackendState::Probed;
    return backend;
}

void compare(const DeviceEntry& one, const DeviceEntry& other) {
    QCOMPARE(one.id, other.id);
    QCOMPARE(one.name, other.name);
    QCOMPARE(one.detail, other.detail);
    QCOMPARE(one.kind, other.kind);
    QCOMPARE(one.memoryBytes, other.memoryBytes);
    QCOMPARE(one.selfTested, other.selfTested);
    QCOMPARE(one.refusal.size(), other.refusal.size());
    if (one.refusal.empty()) return;
    QCOMPARE(one.refusal[0].code(), other.refusal[0].code());
    QCOMPARE(one.refusal[0].toString(), other.refusal[0].toString());
}

}  // namespace

class TestProbeConvert : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void thereAndBack();
    void throughTheCache();
    void failures();
    void unknownCodes();
    void olderCaches();
    void judges_data();
    void judges();
    void json();
    void chainPassesTheTestOn();
};

void TestProbeConvert::thereAndBack() {
    for (const DeviceEntry& entry : candidate().devices) {
        const DeviceEntry again = app::deviceEntry(app::probedDevice(entry));
        compare(again, entry);
        QCOMPARE(again.freeBytes, entry.freeBytes);
        QCOMPARE(again.properties.size(), entry.properties.size());
    }
}

void TestProbeConvert::throughTheCache() {
    const QTemporaryDir folder;
    const app::ProbeCache cache(folder.path().toStdString());
    const BackendCandidate before = candidate();
    QVERIFY(cache.store(app::probedBackend(before), "drivers 1").ok());
    QVERIFY(!cache.find("vulkan", "drivers 2"));
    const auto found = cache.find("vulkan", "drivers 1");
    QVERIFY(found.has_value());
    BackendCandidate after;
    after.entry = before.entry;
    app::takeProbe(*found, after);
    QCOMPARE(after.state, BackendState::Probed);
    QVERIFY(after.remembered);
    QCOMPARE(after.devices.size(), before.devices.size());
    for (std::size_t i = 0; i < after.devices.size(); ++i)
        compare(after.devices[i], before.devices[i]);
    // What was true a while ago only.
    QCOMPARE(after.devices[0].freeBytes, std::uint64_t{0});
    QCOMPARE(after.devices[0].properties.size(), std::size_t{1});
}

void TestProbeConvert::failures() {
    const QTemporaryDir folder;
    const app::ProbeCache cache(folder.path().toStdString());
    BackendCandidate before = candidate();
    before.devices.clear();
    before.failure.push_back(Error(Errc::W605, {"signal 11 (SIGSEGV), probing"}));
    QVERIFY(cache.store(app::probedBackend(before), "x").ok());
    BackendCandidate after;
    after.entry = before.entry;
    app::takeProbe(*cache.find("vulkan", "x"), after);
    QCOMPARE(after.state, BackendState::Compatible);
    QCOMPARE(after.failure.size(), std::size_t{1});
    QCOMPARE(after.failure[0].toString(), before.failure[0].toString());
    // A plugin that is refused is told as such.
    before.entry.refusal.push_back(Error(Errc::B706, {"vulkan"}));
    QCOMPARE(app::probedBackend(before).fault->code, std::string("B706"));
}

void TestProbeConvert::unknownCodes() {
    const Error error = app::errorOf({"Z999", "Something of a later version.", "Wait.", {}, "there"});
    QCOMPARE(error.code(), Errc::X003);
    QVERIFY(error.message().find("later version") != std::string::npos);
}

/// Of a version that remembered less: asked again.
void TestProbeConvert::olderCaches() {
    const QTemporaryDir folder;
    const app::ProbeCache cache(folder.path().toStdString());
    QVERIFY(cache.store(app::probedBackend(candidate()), "x").ok());
    QFile file(folder.filePath("vulkan.json"));
    QVERIFY(file.open(QFile::ReadOnly));
    const QByteArray whole = file.readAll();
    file.close();
    const auto findWith = [&](const char* before, const char* after) {
        QByteArray changed = whole;
        changed.replace(before, after);
        if (changed == whole) return true;
        if (!file.open(QFile::WriteOnly)) return true;
        file.write(changed);
        file.close();
        return cache.find("vulkan", "x").has_value();
    };
    QVERIFY(!findWith("\"schema\": 1", "\"schema\": 2"));
    // Not tested then: a load will.
    QVERIFY(findWith("\"self_tested\"", "\"tested\""));
    QVERIFY(!cache.find("vulkan", "x")->devices[1].selfTested);
    QVERIFY(!findWith("\"self_tested\": true", "\"self_tested\": 1"));
    QVERIFY(!findWith("\"args\"", "\"arguments\""));
    QVERIFY(!findWith("\"refusal\": {", "\"refusal\": 1, \"other\": {"));
    QVERIFY(findWith("some driver", "another driver"));
}

void TestProbeConvert::judges_data() {
    QTest::addColumn<int>("fault");
    QTest::addColumn<bool>("believed");
    const char* names[] = {"fine",        "no id",          "one id twice",        "not UTF-8",
                           "a long text", "a long refusal", "too many properties", "too many devices"};
    for (int i = 0; i < 8; ++i)
        QTest::newRow(names[i]) << i << (i == 0);
}

void TestProbeConvert::judges() {
    QFETCH(const int, fault);
    QFETCH(const bool, believed);
    std::vector<DeviceEntry> devices = candidate().devices;
    switch (fault) {
        case 1: devices[1].id.clear(); break;
        case 2: devices[1].id = devices[0].id; break;
        case 3: devices[1].name = "\xff"; break;
        case 4: devices[1].detail.assign(100000, 'x'); break;
        case 5: devices[1].refusal.push_back(Error(Errc::B705, {std::string(100000, 'x')})); break;
        case 6: devices[1].properties.resize(10000, {"a", "b"}); break;
        case 7:
            for (int i = 0; i < 100; ++i)
                devices.push_back(device("more " + std::to_string(i), DeviceClass::Cpu));
            break;
        default: break;
    }
    const auto said = app::judged(devices);
    QCOMPARE(said.ok(), believed);
    if (!believed) QCOMPARE(said.error().code(), Errc::W607);
}

void TestProbeConvert::json() {
    const auto json = app::backendJson(candidate());
    QCOMPARE(json["state"].get<std::string>(), std::string("probed"));
    QCOMPARE(json["devices"][0]["kind"].get<std::string>(), std::string("discrete"));
    QCOMPARE(json["devices"][0]["error"]["code"].get<std::string>(), std::string("B705"));
    QVERIFY(json["devices"][1]["self_tested"].get<bool>());
    QVERIFY(!json["devices"][1].contains("error"));
    QVERIFY(!json.contains("error"));
}

void TestProbeConvert::chainPassesTheTestOn() {
    BackendCandidate backend = candidate();
    backend.entry.automatic = true;
    std::vector<protocol::LoadStep> passedOver;
    const auto chain = app::makeChain({}, std::vector{backend}, passedOver);
    QCOMPARE(chain.size(), std::size_t{2});
    QCOMPARE(chain[0].device, std::string("b"));
    QVERIFY(chain[0].selfTested);
    QVERIFY(!chain[1].selfTested);
    QCOMPARE(passedOver.front().device, std::string("a"));
    QVERIFY(passedOver.front().reason.find("B705") != std::string::npos);
}

QTEST_GUILESS_MAIN(TestProbeConvert)
#include "tst_probe_convert.moc"
