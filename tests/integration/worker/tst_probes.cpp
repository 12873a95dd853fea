// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Probes with real workers: what is remembered, for how long, and that a device which computes wrongly, dies
// or hangs is never used. Where no such device exists, the scripted back end plays it.

#include <QDateTime>
#include <QFile>
#include <chrono>

#include "core/app/backend_manager/probe_convert.h"
#include "tests/integration/worker/fault_test.h"

namespace loader::test {
namespace {

using namespace std::chrono_literals;
using app::BackendCandidate;
using app::BackendState;
using app::ProbeMemory;

const BackendCandidate* find(const std::vector<BackendCandidate>& backends, const std::string& id) {
    for (const BackendCandidate& backend : backends) {
        if (backend.entry.id == id) return &backend;
    }
    return nullptr;
}

protocol::DeviceEntry scriptedGpu(const std::string& script) {
    protocol::DeviceEntry device;
    device.id = "script:gpu=1;" + script;
    device.name = "Scripted GPU";
    device.kind = protocol::DeviceClass::DiscreteGpu;
    return device;
}

}  // namespace

class Probes : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void all();
    void remembers_data();
    void remembers();
    void runsWithoutMemory();
    void refusedPlugin();
    void noProgram();
    void selfTest_data();
    void selfTest();
    void testedDeviceIsTrusted();
    void observed();

private:
    HostFixture m_fixture;
};

void Probes::all() {
    const auto backends = app::probeAll(m_fixture.options.worker, {});
    QVERIFY2(backends.ok(), backends.ok() ? "" : backends.error().toString().c_str());
    for (const char* id : {"cpu", "fake"}) {
        const BackendCandidate* backend = find(*backends, id);
        QVERIFY2(backend, id);
        QCOMPARE(backend->state, BackendState::Probed);
        QCOMPARE(backend->devices.size(), std::size_t{1});
        QVERIFY(!backend->remembered);
    }
}

void Probes::remembers_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("code");
    QTest::newRow("crash") << "crash_in_probe"
                           << "W605";
    QTest::newRow("hang") << "hang_in_probe"
                          << "W606";
    QTest::newRow("refusal") << "probe_fails"
                             << "B703";
    QTest::newRow("device that cannot compute") << "none" << QString();
}

void Probes::remembers() {
    QFETCH(const QString, file);
    QFETCH(const QString, code);
    const QTemporaryDir plugins;
    const QTemporaryDir cache;
    const QString plugin = plugins.filePath("faulty.so");
    QVERIFY(QFile::copy(QStringLiteral(LOADER_FAULTY_PLUGINS) + "/faulty_" + file + ".so", plugin));
    app::WorkerOptions worker = m_fixture.options.worker;
    worker.pluginFolder = plugins.path().toStdString();
    worker.limits.step = 1500ms;
    ProbeMemory memory;
    memory.folder = cache.path().toStdString();
    memory.applicationVersion = "1";
    const auto check = [&](bool remembered) {
        const auto backends = app::probeAll(worker, memory);
        QVERIFY2(backends.ok(), backends.ok() ? "" : backends.error().toString().c_str());
        const BackendCandidate* faulty = find(*backends, "faulty");
        QVERIFY(faulty);
        QCOMPARE(faulty->remembered, remembered);
        if (code.isEmpty()) {
            QCOMPARE(faulty->state, BackendState::Probed);
            QCOMPARE(faulty->devices.size(), std::size_t{1});
            QCOMPARE(faulty->devices[0].refusal.size(), std::size_t{1});
            QCOMPARE(faulty->devices[0].refusal[0].code(), Errc::B702);
        } else {
            QCOMPARE(faulty->state, BackendState::Compatible);
            QCOMPARE(QString::fromUtf8(faulty->failure.at(0).name().data()).left(4), code);
        }
        // The processor is always asked, and never harmed.
        QCOMPARE(find(*backends, "cpu")->state, BackendState::Probed);
        QVERIFY(!find(*backends, "cpu")->remembered);
    };
    check(false);
    check(true);
    check(true);
    // Other drivers, another version, another file, or a wish: asked again.
    memory.applicationVersion = "2";
    check(false);
    check(true);
    QFile touched(plugin);
    QVERIFY(touched.open(QFile::ReadWrite));
    QVERIFY(touched.setFileTime(QDateTime::currentDateTime().addDays(-1), QFile::FileModificationTime));
    touched.close();
    check(false);
    check(true);
    memory.again = true;
    check(false);
    memory.again = false;
    check(true);
    // A load uses the same memory.
    protocol::LoadRequest request = m_fixture.request;
    request.backend = "auto";
    const auto forLoad = app::probeFor(request, worker, memory);
    QVERIFY(forLoad.ok());
    QVERIFY(find(*forLoad, "faulty")->remembered);
}

void Probes::runsWithoutMemory() {
    ProbeMemory memory;
    // A folder that cannot be written is no reason to fail.
    memory.folder = "/proc/no such folder";
    const auto backends = app::probeAll(m_fixture.options.worker, memory);
    QVERIFY(backends.ok());
    QCOMPARE(find(*backends, "fake")->state, BackendState::Probed);
}

void Probes::refusedPlugin() {
    const QTemporaryDir plugins;
    QFile file(plugins.filePath("broken.so"));
    QVERIFY(file.open(QFile::WriteOnly));
    file.write("no plugin");
    file.close();
    app::WorkerOptions worker = m_fixture.options.worker;
    worker.pluginFolder = plugins.path().toStdString();
    const auto backends = app::probeAll(worker, {});
    QVERIFY(backends.ok());
    const BackendCandidate* broken = find(*backends, "broken");
    QVERIFY(broken);
    QCOMPARE(broken->state, BackendState::Found);
    QCOMPARE(broken->entry.refusal.at(0).code(), Errc::B707);
}

void Probes::noProgram() {
    app::WorkerOptions worker = m_fixture.options.worker;
    worker.program = "/nonexistent";
    const auto backends = app::probeAll(worker, {});
    QVERIFY(!backends.ok());
    CancelFlag flag;
    flag.request();
    const auto cancelled = app::probeAll(m_fixture.options.worker, {}, flag);
    QVERIFY(!cancelled.ok());
    QCOMPARE(cancelled.error().code(), Errc::X002);
}

void Probes::selfTest_data() {
    QTest::addColumn<QString>("script");
    QTest::addColumn<QString>("code");
    QTest::newRow("right") << "compute=1" << QString();
    QTest::newRow("wrong") << "compute=1;wrong=1"
                           << "B705";
    QTest::newRow("no numbers") << "compute=1;nan=1"
                                << "B705";
    QTest::newRow("computes nothing") << "answer=5"
                                      << "B705";
    QTest::newRow("crashes") << "compute=1;crash=2"
                             << "W605";
    QTest::newRow("hangs") << "compute=1;stuck=2"
                           << "W606";
    QTest::newRow("fails") << "compute=1;fail=2:B703"
                           << "B703";
    QTest::newRow("is lost") << "compute=1;fail=2:B704"
                             << "B704";
    QTest::newRow("takes nothing") << "unsupported=reason"
                                   << "B702";
    // It may be there later: neither tested nor refused.
    QTest::newRow("has no memory now") << "load=R901"
                                       << "none";
}

void Probes::selfTest() {
    QFETCH(const QString, script);
    QFETCH(const QString, code);
    app::WorkerOptions worker = m_fixture.options.worker;
    worker.limits.step = 4000ms;
    protocol::DeviceEntry device = scriptedGpu(script.toStdString());
    const auto start = std::chrono::steady_clock::now();
    app::testDevice("fake", worker, device);
    qInfo("%lld ms", static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                                std::chrono::steady_clock::now() - start)
                                                .count()));
    QCOMPARE(device.selfTested, code.isEmpty());
    QCOMPARE(device.refusal.size(), std::size_t(code.isEmpty() || code == "none" ? 0 : 1));
    if (!device.refusal.empty())
        QCOMPARE(QString::fromStdString(std::string(device.refusal[0].name())), code);
}

/// The test of a load is left out where the probe did it, and only there.
void Probes::testedDeviceIsTrusted() {
    for (const bool tested : {false, true}) {
        app::HostOptions options = m_fixture.options;
        BackendCandidate backend;
        backend.entry.id = "fake";
        backend.entry.automatic = true;
        backend.entry.path = "scripted";
        backend.devices = {scriptedGpu("compute=1;wrong=1")};
        backend.devices[0].selfTested = tested;
        options.backends = std::vector{backend};
        protocol::LoadRequest request = m_fixture.request;
        request.backend = "auto";
        auto host = app::ModelHost::load(request, options, {}, {});
        QVERIFY2(host.ok(), host.ok() ? "" : host.error().toString().c_str());
        QCOMPARE((*host)->report().backend, std::string(tested ? "fake" : "cpu"));
        QCOMPARE((*host)->state(), BackendState::Loaded);
    }
}

/// Every load is told of, the one after a loss too.
void Probes::observed() {
    std::vector<std::string> told;
    app::HostOptions options = m_fixture.options;
    options.observer = [&told](const protocol::LoadRequest&, const protocol::LoadReport& report,
                               const std::optional<Error>& error) {
        told.push_back(error ? std::string(error->name())
                             : report.backend + " " + report.steps.back().result);
    };
    auto host = app::ModelHost::load(m_fixture.request, options, {}, {});
    QVERIFY(host.ok());
    ::kill(static_cast<pid_t>((*host)->worker().processId()), SIGKILL);
    BackendState during = BackendState::Found;
    protocol::AnswerCallbacks callbacks;
    callbacks.piece = [&](const protocol::AnswerPiece&) {
        during = (*host)->state();
        return true;
    };
    const auto answer = (*host)->generate(m_fixture.prompt, m_fixture.answerOptions(), callbacks, {});
    QVERIFY(answer.ok());
    QCOMPARE(during, BackendState::Running);
    protocol::LoadRequest absent = m_fixture.request;
    absent.path = "/nonexistent.gguf";
    QVERIFY(!app::ModelHost::load(absent, options, {}, {}).ok());
    absent.backend = "absent";
    QVERIFY(!app::ModelHost::load(absent, options, {}, {}).ok());
    QCOMPARE(told, (std::vector<std::string>{"cpu loaded", "cpu loaded", "F802", "B701"}));
}

}  // namespace loader::test

QTEST_GUILESS_MAIN(loader::test::Probes)
#include "tst_probes.moc"
