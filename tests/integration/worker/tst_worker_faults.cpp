// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The fault table: real processes, signals and files, and scripted devices where no device exists. Every row
// ends in the same answer as without the fault, or in a code, a sentence and a remedy; each within its time,
// and never with "loaded" before a test token.

#include <QFile>
#include <QProcess>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include <sys/resource.h>

#include "tests/integration/worker/fault_test.h"

namespace loader::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using app::ModelHost;

/// A scripted device in front of the processor.
app::BackendCandidate scripted(const std::string& script) {
    app::BackendCandidate backend;
    backend.entry.id = "fake";
    backend.entry.priority = 100;
    backend.entry.automatic = true;
    backend.entry.path = "scripted";
    protocol::DeviceEntry device;
    device.id = "script:" + script;
    device.name = "Scripted device";
    device.kind = protocol::DeviceClass::DiscreteGpu;
    backend.devices.push_back(device);
    return backend;
}

bool hasRemedy(const Error& error) {
    return !error.name().empty() && !error.message().empty() && !error.action().empty();
}

/// Reports never call a link loaded that gave no test token; every other step says why.
bool reportIsHonest(const protocol::LoadReport& report) {
    for (const protocol::LoadStep& step : report.steps) {
        if (step.reason.empty()) return false;
        if (step.result == "loaded" && step.reason.find("test token") == std::string::npos) return false;
    }
    return !report.steps.empty();
}

}  // namespace

class WorkerFaults : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void plugins_data();
    void plugins();
    void pluginFiles_data();
    void pluginFiles();
    void namedPlugin();
    void devices_data();
    void devices();
    void devicesInUse_data();
    void devicesInUse();
    void lostAtEveryCall();
    void lostTooOften();
    void signals_data();
    void signals();
    void stopped();
    void killedWhileItLoads();
    void killedAtRest();
    void killedTwice();
    void fileCut();
    void fileReplaced();
    void fileDeleted();
    void addressSpace();
    void starved();
    void noProgram_data();
    void noProgram();
    void hostile_data();
    void hostile();
    void cancelled();

private:
    void checkAnswer(ModelHost& host);
    HostFixture m_fixture;
    protocol::Answer m_expected;
};

void WorkerFaults::initTestCase() {
    QVERIFY(!m_fixture.model.empty());
    m_expected = m_fixture.undisturbed();
    QCOMPARE(m_expected.tokens, m_fixture.tokens);
    QVERIFY(!m_expected.text.empty());
}

void WorkerFaults::checkAnswer(ModelHost& host) {
    auto answer = host.generate(m_fixture.prompt, m_fixture.answerOptions(), {}, {});
    QVERIFY2(answer.ok(), answer.ok() ? "" : answer.error().toString().c_str());
    QVERIFY2(!answer->error, answer->error ? answer->error->toString().c_str() : "");
    QCOMPARE(answer->text, m_expected.text);
    QCOMPARE(answer->ids, m_expected.ids);
    QVERIFY(reportIsHonest(host.report()));
}

void WorkerFaults::plugins_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("code");
    const struct {
        const char* file;
        const char* code;
    } rows[] = {
        {"missing_symbol", "B707"},      {"crash_in_initialiser", "W605"}, {"hang_in_initialiser", "W606"},
        {"exit_in_initialiser", "W605"}, {"throw_in_factory", "B703"},     {"null_from_factory", "B707"},
        {"illegal_instruction", "W605"}, {"crash_in_probe", "W605"},       {"hang_in_probe", "W606"},
        {"abort_in_probe", "W605"},      {"probe_fails", "B703"}};
    for (const auto& row : rows)
        QTest::newRow(row.file) << QString(row.file) << QString(row.code);
    // Its probe is fine; it fails when a model comes.
    QTest::newRow("runs_nothing") << QString("none") << QString("B702");
    QTest::newRow("huge_sizes") << QString("huge_sizes") << QString();
    QTest::newRow("no_device") << QString("no_device") << QString();
}

void WorkerFaults::plugins() {
    QFETCH(QString, file);
    QFETCH(QString, code);
    QTemporaryDir folder;
    const QString name = "/faulty_" + file + ".so";
    QVERIFY(QFile::copy(QStringLiteral(LOADER_FAULTY_PLUGINS) + name, folder.path() + name));
    HostFixture& fixture = m_fixture;
    app::HostOptions options = fixture.options;
    options.worker.pluginFolder = folder.path().toStdString();
    protocol::LoadRequest request = fixture.request;
    request.backend = "auto";
    const auto start = Clock::now();
    auto host = ModelHost::load(request, options, {}, {});
    QVERIFY2(host.ok(), host.ok() ? "" : host.error().toString().c_str());
    QVERIFY(Clock::now() - start < 10s);
    QCOMPARE((*host)->report().backend, std::string("cpu"));
    if (!code.isEmpty()) {
        const protocol::LoadStep& first = (*host)->report().steps.front();
        QCOMPARE(first.backend, std::string("faulty"));
        QVERIFY2(first.reason.find(code.toStdString()) != std::string::npos, first.reason.c_str());
    }
    checkAnswer(**host);
}

void WorkerFaults::pluginFiles_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::addColumn<bool>("everybodyWrites");
    QFile plugin(QStringLiteral(LOADER_FAULTY_PLUGINS) + "/faulty_none.so");
    QVERIFY(plugin.open(QFile::ReadOnly));
    const QByteArray whole = plugin.readAll();
    QTest::newRow("empty file") << QByteArray() << false;
    QTest::newRow("text file") << QByteArray("this is a text\n").repeated(100) << false;
    QTest::newRow("cut short") << whole.left(whole.size() / 2) << false;
    QByteArray otherMachine = whole;
    otherMachine[18] = 0x28;  // e_machine
    QTest::newRow("for another processor") << otherMachine << false;
    QByteArray otherClass = whole;
    otherClass[4] = 1;
    QTest::newRow("for 32 bits") << otherClass << false;
    QByteArray other = whole;
    other.replace("org.ggufloader.Backend/1", "org.ggufloader.Backend/9");
    QTest::newRow("another interface") << other << false;
    QTest::newRow("everybody may write") << whole << true;
    QByteArray noise = whole;
    for (int i = 64; i < noise.size(); i += 3)
        noise[i] = static_cast<char>(i * 31);
    QTest::newRow("noise inside") << noise << false;
}

void WorkerFaults::pluginFiles() {
    QFETCH(QByteArray, content);
    QFETCH(bool, everybodyWrites);
    QTemporaryDir folder;
    QFile file(folder.path() + "/faulty.so");
    QVERIFY(file.open(QFile::WriteOnly));
    file.write(content);
    file.close();
    QFile::Permissions permissions = QFile::ReadOwner | QFile::WriteOwner | QFile::ReadOther;
    if (everybodyWrites) permissions |= QFile::WriteOther;
    QVERIFY(file.setPermissions(permissions));
    app::HostOptions options = m_fixture.options;
    options.worker.pluginFolder = folder.path().toStdString();
    protocol::LoadRequest request = m_fixture.request;
    request.backend = "auto";
    auto host = ModelHost::load(request, options, {}, {});
    QVERIFY2(host.ok(), host.ok() ? "" : host.error().toString().c_str());
    QCOMPARE((*host)->report().backend, std::string("cpu"));
    checkAnswer(**host);
}

void WorkerFaults::namedPlugin() {
    protocol::LoadRequest request = m_fixture.request;
    request.backend = "absent";
    auto host = ModelHost::load(request, m_fixture.options, {}, {});
    QVERIFY(!host.ok());
    QCOMPARE(host.error().code(), Errc::B701);
    QVERIFY(hasRemedy(host.error()));
}

void WorkerFaults::devices_data() {
    QTest::addColumn<QString>("script");
    const char* rows[] = {
        "load=R901",   "load=B703", "session=R901", "devices=B703", "unsupported=reason",  "fail=1:B704",
        "fail=1:B703", "nan=1",     "crash=1",      "stuck=1",      "bytes=99999999999999"};
    for (const char* row : rows)
        QTest::newRow(row) << QString(row);
}

/// (scripted devices: there is none whose driver could be broken at will)
void WorkerFaults::devices() {
    QFETCH(QString, script);
    app::HostOptions options = m_fixture.options;
    options.backends = std::vector<app::BackendCandidate>{scripted(script.toStdString())};
    protocol::LoadRequest request = m_fixture.request;
    request.backend = "auto";
    const auto start = Clock::now();
    auto host = ModelHost::load(request, options, {}, {});
    QVERIFY2(host.ok(), host.ok() ? "" : host.error().toString().c_str());
    QVERIFY(Clock::now() - start < 20s);
    if (script.startsWith("bytes")) return;  // what a device says it needs is checked with its memory
    QCOMPARE((*host)->report().backend, std::string("cpu"));
    QCOMPARE((*host)->report().steps.front().backend, std::string("fake"));
    checkAnswer(**host);
}

void WorkerFaults::devicesInUse_data() {
    QTest::addColumn<QString>("fault");
    for (const char* row : {"fail=12:R901", "fail=12:B703", "fail=12:B705", "crash=12", "stuck=12"})
        QTest::newRow(row) << QString(row);
}

/// (scripted devices) In the middle of an answer; what was written before stays.
void WorkerFaults::devicesInUse() {
    QFETCH(QString, fault);
    app::HostOptions options = m_fixture.options;
    options.backends = std::vector<app::BackendCandidate>{scripted("answer=5,6,7;" + fault.toStdString())};
    protocol::LoadRequest request = m_fixture.request;
    request.backend = "auto";
    auto host = ModelHost::load(request, options, {}, {});
    QVERIFY2(host.ok(), host.ok() ? "" : host.error().toString().c_str());
    QCOMPARE((*host)->report().backend, std::string("fake"));
    protocol::AnswerOptions answerOptions = m_fixture.answerOptions();
    answerOptions.sampling.temperature = 0.0F;
    const auto start = Clock::now();
    auto answer = (*host)->generate(m_fixture.prompt, answerOptions, {}, {});
    QVERIFY(answer.ok());
    QVERIFY2(!answer->error, answer->error ? answer->error->toString().c_str() : "");
    QVERIFY(Clock::now() - start < 20s);
    QCOMPARE(answer->ids.size(), static_cast<std::size_t>(m_fixture.tokens));
    for (int i = 0; i < 10; ++i)
        QCOMPARE(answer->ids[static_cast<std::size_t>(i)], 5 + i % 3);
    QVERIFY(reportIsHonest((*host)->report()));
}

void WorkerFaults::lostAtEveryCall() {
    // The scripted device answers 5, 6, 7, 5, 6, 7 …; where it is lost it is tried once more, then the
    // processor goes on behind what was written.
    for (int call = 2; call <= 101; ++call) {
        app::HostOptions options = m_fixture.options;
        options.backends = std::vector<app::BackendCandidate>{
            scripted("answer=5,6,7;fail=" + std::to_string(call) + ":B704")};
        protocol::LoadRequest request = m_fixture.request;
        request.backend = "auto";
        auto host = ModelHost::load(request, options, {}, {});
        QVERIFY2(host.ok(), host.ok() ? "" : host.error().toString().c_str());
        QCOMPARE((*host)->report().backend, std::string("fake"));
        protocol::AnswerOptions answerOptions = m_fixture.answerOptions();
        answerOptions.sampling.temperature = 0.0F;
        answerOptions.maxTokens = 110;
        std::string shown;
        protocol::AnswerCallbacks callbacks;
        callbacks.piece = [&shown](const protocol::AnswerPiece& piece) {
            shown += piece.text;
            return true;
        };
        auto answer = (*host)->generate(m_fixture.prompt, answerOptions, callbacks, {});
        QVERIFY(answer.ok());
        QVERIFY2(!answer->error, answer->error ? answer->error->toString().c_str() : "");
        QCOMPARE(answer->tokens, std::uint64_t{110});
        QCOMPARE(answer->ids.size(), std::size_t{110});
        QCOMPARE(answer->text, shown);
        for (int i = 0; i + 2 < call; ++i)
            QCOMPARE(answer->ids[static_cast<std::size_t>(i)], 5 + i % 3);
        QVERIFY(reportIsHonest((*host)->report()));
    }
}

void WorkerFaults::lostTooOften() {
    app::LossRecord record;
    const app::Link gpu{"fake", "a", {}, true};
    const app::Link cpu{"cpu", "", {}, false};
    const auto now = Clock::now();
    for (int i = 0; i < 3; ++i) {
        QVERIFY(!record.tooOften(gpu, now));
        record.note(gpu, now + std::chrono::minutes(i));
        record.note(cpu, now + std::chrono::minutes(i));
    }
    QVERIFY(record.tooOften(gpu, now + std::chrono::minutes(3)));
    QVERIFY(!record.tooOften(cpu, now + std::chrono::minutes(3)));
    QVERIFY(!record.tooOften(gpu, now + std::chrono::minutes(20)));
}

void WorkerFaults::signals_data() {
    QTest::addColumn<int>("number");
    for (const int number : {SIGKILL, SIGSEGV, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGTERM, SIGSYS})
        QTest::newRow(::strsignal(number)) << number;
}

void WorkerFaults::signals() {
    QFETCH(int, number);
    for (const std::size_t at : {std::size_t{1}, std::size_t{20}, std::size_t{59}}) {
        auto host = m_fixture.load();
        QVERIFY(host.ok());
        std::size_t written = 0;
        std::string shown;
        protocol::AnswerCallbacks callbacks;
        callbacks.piece = [&](const protocol::AnswerPiece& piece) {
            shown += piece.text;
            if (++written == at) ::kill(static_cast<pid_t>((*host)->worker().processId()), number);
            return true;
        };
        const auto start = Clock::now();
        auto answer = (*host)->generate(m_fixture.prompt, m_fixture.answerOptions(), callbacks, {});
        QVERIFY(answer.ok());
        QVERIFY2(!answer->error, answer->error ? answer->error->toString().c_str() : "");
        QVERIFY(Clock::now() - start < 10s);
        QCOMPARE(answer->text, m_expected.text);
        QCOMPARE(answer->text, shown);
        QVERIFY(reportIsHonest((*host)->report()));
    }
}

void WorkerFaults::stopped() {
    auto host = m_fixture.load();
    QVERIFY(host.ok());
    std::size_t written = 0;
    protocol::AnswerCallbacks callbacks;
    callbacks.piece = [&](const protocol::AnswerPiece&) {
        if (++written == 10) ::kill(static_cast<pid_t>((*host)->worker().processId()), SIGSTOP);
        return true;
    };
    const auto start = Clock::now();
    auto answer = (*host)->generate(m_fixture.prompt, m_fixture.answerOptions(), callbacks, {});
    QVERIFY(answer.ok());
    QVERIFY(!answer->error);
    QVERIFY(Clock::now() - start < 10s);
    QCOMPARE(answer->text, m_expected.text);
}

void WorkerFaults::killedWhileItLoads() {
    app::HostOptions options = m_fixture.options;
    options.backends = std::vector<app::BackendCandidate>{scripted("load-ms=600")};
    protocol::LoadRequest request = m_fixture.request;
    request.backend = "auto";
    bool killed = false;
    const auto killOnce = [&killed](std::uint64_t, std::uint64_t) {
        if (killed) return;
        killed = true;
        QProcess::execute("pkill", {"-KILL", "-P", QString::number(::getpid()), "gguf-worker"});
    };
    auto host = ModelHost::load(request, options, killOnce, {});
    QVERIFY(killed);
    QVERIFY2(host.ok(), host.ok() ? "" : host.error().toString().c_str());
    QCOMPARE((*host)->report().steps.front().result, std::string("failed"));
    QVERIFY((*host)->report().steps.front().reason.find("W605") != std::string::npos);
    QCOMPARE((*host)->report().steps.back().result, std::string("loaded"));
    auto answer = (*host)->generate(m_fixture.prompt, m_fixture.answerOptions(), {}, {});
    QVERIFY(answer.ok() && !answer->error);
}

void WorkerFaults::killedAtRest() {
    auto host = m_fixture.load();
    QVERIFY(host.ok());
    checkAnswer(**host);
    ::kill(static_cast<pid_t>((*host)->worker().processId()), SIGKILL);
    QTest::qWait(50);
    checkAnswer(**host);
}

void WorkerFaults::killedTwice() {
    auto host = m_fixture.load();
    QVERIFY(host.ok());
    protocol::AnswerCallbacks callbacks;
    callbacks.piece = [&](const protocol::AnswerPiece&) {
        ::kill(static_cast<pid_t>((*host)->worker().processId()), SIGKILL);
        return true;
    };
    auto answer = (*host)->generate(m_fixture.prompt, m_fixture.answerOptions(), callbacks, {});
    QVERIFY(answer.ok());
    // The same request is not sent a third time; what was written is kept.
    QCOMPARE(answer->stopReason, std::string("error"));
    QVERIFY(answer->error && hasRemedy(*answer->error));
    QVERIFY(m_expected.text.starts_with(answer->text));
    checkAnswer(**host);
}

void WorkerFaults::fileCut() {
    HostFixture own;
    auto host = own.load();
    QVERIFY(host.ok());
    std::size_t written = 0;
    protocol::AnswerCallbacks callbacks;
    callbacks.piece = [&](const protocol::AnswerPiece&) {
        if (++written == 5) std::filesystem::resize_file(own.model, 4096);
        return true;
    };
    own.tokens = 400;
    auto answer = (*host)->generate(own.prompt, own.answerOptions(), callbacks, {});
    QVERIFY(answer.ok());
    QVERIFY(answer->error);
    QCOMPARE(answer->error->code(), Errc::F801);
    QVERIFY(hasRemedy(*answer->error));
    // Whole again, the same model answers again.
    TinyModelOptions tiny;
    tiny.layers = 4;
    tiny.context = 512;
    auto made = TinyModel::make(tiny);
    QVERIFY(made.ok() && made->write(own.model).ok());
    auto again = own.load();
    QVERIFY(again.ok());
    checkAnswer(**again);
}

void WorkerFaults::fileReplaced() {
    HostFixture own;
    auto host = own.load();
    QVERIFY(host.ok());
    std::ofstream(own.model + ".new") << "something else";
    std::filesystem::rename(own.model + ".new", own.model);
    checkAnswer(**host);
}

void WorkerFaults::fileDeleted() {
    HostFixture own;
    auto host = own.load();
    QVERIFY(host.ok());
    std::filesystem::remove(own.model);
    checkAnswer(**host);
    // Gone for good: a worker that dies now cannot be replaced, and the user learns why.
    ::kill(static_cast<pid_t>((*host)->worker().processId()), SIGKILL);
    auto answer = (*host)->generate(own.prompt, own.answerOptions(), {}, {});
    QVERIFY(!answer.ok() || answer->error);
    const Error error = answer.ok() ? *answer->error : answer.error();
    QCOMPARE(error.code(), Errc::F802);
}

void WorkerFaults::addressSpace() {
    // A worker that may have no more memory than this: it cannot start or says so.
    const QString wrapper = m_fixture.folder.path() + "/limited";
    {
        QFile file(wrapper);
        QVERIFY(file.open(QFile::WriteOnly));
        file.write("#!/bin/sh\nulimit -v 120000\nexec " LOADER_WORKER "\n");
        file.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
    }
    HostFixture& fixture = m_fixture;
    app::HostOptions options = fixture.options;
    options.worker.program = wrapper.toStdString();
    protocol::LoadRequest request = fixture.request;
    request.contextTokens = 500'000'000;
    auto host = ModelHost::load(request, options, {}, {});
    QVERIFY(!host.ok());
    QVERIFY2(host.error().kind() == ErrorKind::OutOfMemory ||
                 host.error().kind() == ErrorKind::InvalidArgument || app::isWorkerDeath(host.error()),
             host.error().toString().c_str());
    QVERIFY(hasRemedy(host.error()));
}

void WorkerFaults::starved() {
    auto host = m_fixture.load();
    QVERIFY(host.ok());
    ::setpriority(PRIO_PROCESS, static_cast<id_t>((*host)->worker().processId()), 19);
    QProcess load;
    load.start("sh", {"-c", "for i in 1 2 3 4 5 6; do (while :; do :; done) & done; wait"});
    QVERIFY(load.waitForStarted());
    checkAnswer(**host);
    QProcess::execute("pkill", {"-KILL", "-P", QString::number(load.processId())});
    load.kill();
    load.waitForFinished();
}

void WorkerFaults::noProgram_data() {
    QTest::addColumn<QString>("program");
    QTest::newRow("missing") << QStringLiteral("/nonexistent/gguf-worker");
    QTest::newRow("a folder") << QStringLiteral("/tmp");
    QTest::newRow("a text") << QStringLiteral("/etc/passwd");
    QTest::newRow("another program") << QStringLiteral("/bin/true");
}

void WorkerFaults::noProgram() {
    QFETCH(QString, program);
    app::HostOptions options = m_fixture.options;
    options.worker.program = program.toStdString();
    auto host = ModelHost::load(m_fixture.request, options, {}, {});
    QVERIFY(!host.ok());
    QVERIFY2(host.error().code() == Errc::W604 || host.error().code() == Errc::W605,
             host.error().toString().c_str());
    QVERIFY(hasRemedy(host.error()));
}

void WorkerFaults::hostile_data() {
    QTest::addColumn<QString>("how");
    const char* rows[] = {"leave at once",
                          "silent from the start",
                          "garbage first",
                          "endless garbage",
                          "another version",
                          "a frame too long",
                          "an unknown type",
                          "a type of the application",
                          "half a frame",
                          "a payload cut short",
                          "a descriptor",
                          "loaded before it is asked",
                          "pongs without end",
                          "ready twice",
                          "progress without end",
                          "busy without progress",
                          "an absurd vocabulary",
                          "settings out of range",
                          "a name that is no text",
                          "leave when loaded",
                          "a token out of range",
                          "a negative token",
                          "a token twice",
                          "another request",
                          "another sequence",
                          "more text than granted",
                          "tokens without end",
                          "text that is no text",
                          "an unknown reason",
                          "a wrong count",
                          "a speed that is no number"};
    for (const char* row : rows)
        QTest::newRow(row) << QString(row);
}

void WorkerFaults::hostile() {
    QFETCH(QString, how);
    app::HostOptions options = m_fixture.options;
    options.worker.program = LOADER_HOSTILE_WORKER;
    options.worker.limits.start = 1500ms;
    options.worker.limits.step = 1500ms;
    options.worker.limits.silence = 1500ms;
    qputenv("LOADER_HOSTILE", how.toUtf8());
    const auto start = Clock::now();
    std::optional<Error> error;
    auto host = ModelHost::load(m_fixture.request, options, {}, {});
    if (!host.ok()) {
        error = host.error();
    } else {
        auto answer = (*host)->generate(m_fixture.prompt, m_fixture.answerOptions(), {}, {});
        if (!answer.ok())
            error = answer.error();
        else
            error = answer->error;
    }
    QVERIFY2(Clock::now() - start < 20s, "it took too long");
    QVERIFY(error);
    QVERIFY2(app::isWorkerDeath(*error) || error->code() == Errc::W608, error->toString().c_str());
    QVERIFY(hasRemedy(*error));
}

void WorkerFaults::cancelled() {
    auto host = m_fixture.load();
    QVERIFY(host.ok());
    CancelFlag flag;
    Clock::time_point asked;
    std::size_t written = 0;
    protocol::AnswerCallbacks callbacks;
    callbacks.piece = [&](const protocol::AnswerPiece&) {
        if (++written == 10) {
            flag.request();
            asked = Clock::now();
        }
        return true;
    };
    protocol::AnswerOptions options = m_fixture.answerOptions();
    options.maxTokens = 400;
    auto answer = (*host)->generate(m_fixture.prompt, options, callbacks, flag);
    QVERIFY(answer.ok());
    QVERIFY(Clock::now() - asked < 500ms);
    QCOMPARE(answer->stopReason, std::string("cancelled"));
    checkAnswer(**host);
}

}  // namespace loader::test

QTEST_GUILESS_MAIN(loader::test::WorkerFaults)
#include "tst_worker_faults.moc"
