// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The scripted back end does what its script says, at the call that it says.

#include <QElapsedTimer>
#include <QTest>
#include <cmath>
#include <thread>

#include "backends/fake/fake_backend.h"

using namespace loader;
using namespace loader::backend;
using namespace loader::fake;

namespace {

/// Embedding and head over ten words, without weights: the back end never looks at them.
graph::Program smallProgram() {
    graph::Program program;
    program.width = 4;
    program.vocabulary = 10;
    program.slots.push_back({"stream", 4});
    graph::EmbedOp embed;
    embed.out = 0;
    graph::HeadOp head;
    head.in = 0;
    program.segments.push_back({graph::SegmentKind::Embedding, 0, {embed}, {}});
    program.segments.push_back({graph::SegmentKind::Head, 0, {head}, {}});
    program.finish();
    return program;
}

struct Counter final : Progress {
    int reports = 0;
    void report(std::uint64_t, std::uint64_t) override { ++reports; }
};

class Running {
public:
    /// @return what stopped it, if anything did
    Status start(const std::string& device, std::vector<std::uint32_t> segments = {0, 1}) {
        FakeBackend fake;
        LOADER_TRY(m_model, fake.load(m_program, {}, segments, device, {}, nullptr, {}));
        SessionOptions options;
        options.contextTokens = 32;
        options.sequences = 2;
        LOADER_TRY(m_session, m_model->openSession(options));
        return {};
    }
    /// The id that follows after one more token.
    Result<TokenId> next(TokenId token, CancelToken cancel = {}) {
        BatchItem item;
        item.token = token;
        item.position[0] = m_length;
        item.wantsOutput = true;
        OutputRequest request;
        request.kind = OutputKind::TopTokens;
        request.top = 1;
        LOADER_CHECK(m_session->forward({&item, 1}, request, m_out, cancel));
        ++m_length;
        return m_out.top.front().token;
    }
    Session& session() { return *m_session; }
    ForwardOutput& out() { return m_out; }
    std::uint32_t& length() { return m_length; }

private:
    graph::Program m_program = smallProgram();
    std::unique_ptr<Model> m_model;
    std::unique_ptr<Session> m_session;
    ForwardOutput m_out;
    std::uint32_t m_length = 0;
};

}  // namespace

class TestFake : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void spellsItsAnswer();
    void answerGoesOnFromItsHistory();
    void answerRepeatsWithoutAnEnd();
    void failsAtItsCall();
    void lostDeviceStaysLost();
    void hangsUntilCancelled();
    void takesItsTime();
    void refusesWhatTheScriptRefuses();
    void wrongAndNan();
    void tellsWhatItsScriptTells();
    void refusesTooManyLayers();
    void goesBackToCheckpoints_data();
    void goesBackToCheckpoints();
    void rowsCarryTheToken();
    void restoresWhatItSaved();
    void badScriptsAreRefused_data();
    void badScriptsAreRefused();
};

void TestFake::spellsItsAnswer() {
    Running running;
    QVERIFY(running.start("script:answer=5,6,7;end=2").ok());
    TokenId token = 1;
    for (const TokenId expected : {5, 6, 7, 2}) {
        const auto next = running.next(token);
        QVERIFY(next.ok());
        QCOMPARE(*next, expected);
        token = *next;
    }
}

void TestFake::answerGoesOnFromItsHistory() {
    FakeScript script;
    script.answer = {5, 6, 5, 7};
    script.end = 2;
    QCOMPARE(predict(script, {}), 5);
    QCOMPARE(predict(script, {1, 1, 3}), 5);
    QCOMPARE(predict(script, {1, 5}), 6);
    QCOMPARE(predict(script, {1, 5, 6, 5}), 7);
    QCOMPARE(predict(script, {1, 5, 6, 5, 7}), 2);
    QCOMPARE(predict(script, {1, 5, 6, 5, 7, 2}), 5);
}

void TestFake::answerRepeatsWithoutAnEnd() {
    Running running;
    QVERIFY(running.start("script:answer=3,4").ok());
    TokenId token = 1;
    for (const TokenId expected : {3, 4, 3, 4, 3}) {
        token = *running.next(token);
        QCOMPARE(token, expected);
    }
}

void TestFake::failsAtItsCall() {
    Running running;
    QVERIFY(running.start("script:answer=5,6,7;fail=2:R901").ok());
    QCOMPARE(*running.next(1), 5);
    const auto failed = running.next(5);
    QVERIFY(!failed.ok() && failed.error().code() == Errc::R901);
    // The sequence is as it was: the same token goes in again.
    QCOMPARE(*running.next(5), 6);
}

void TestFake::lostDeviceStaysLost() {
    Running running;
    QVERIFY(running.start("script:fail=2:B704").ok());
    QVERIFY(running.next(1).ok());
    for (int i = 0; i < 3; ++i) {
        const auto lost = running.next(1);
        QVERIFY(!lost.ok() && lost.error().code() == Errc::B704);
    }
}

void TestFake::hangsUntilCancelled() {
    Running running;
    QVERIFY(running.start("script:hang=1").ok());
    CancelFlag flag;
    std::thread canceller([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        flag.request();
    });
    QElapsedTimer timer;
    timer.start();
    const auto stopped = running.next(1, flag);
    const qint64 elapsed = timer.elapsed();
    canceller.join();
    QVERIFY(!stopped.ok() && stopped.error().code() == Errc::X002);
    QVERIFY(elapsed >= 50);
    QVERIFY(running.next(1).ok());
}

void TestFake::takesItsTime() {
    Running running;
    QElapsedTimer timer;
    timer.start();
    QVERIFY(running.start("script:load-ms=40;token-ms=30").ok());
    QVERIFY(timer.elapsed() >= 39);
    timer.restart();
    QVERIFY(running.next(1).ok());
    QVERIFY(timer.elapsed() >= 29);

    FakeBackend fake;
    const graph::Program program = smallProgram();
    const std::uint32_t segments[] = {0, 1};
    Counter counter;
    QVERIFY(fake.load(program, {}, segments, "", {}, &counter, {}).ok());
    QCOMPARE(counter.reports, 10);
    CancelFlag flag;
    flag.request();
    QVERIFY(fake.load(program, {}, segments, "", {}, nullptr, flag).error().code() == Errc::X002);
}

void TestFake::refusesWhatTheScriptRefuses() {
    const graph::Program program = smallProgram();
    const std::uint32_t segments[] = {0, 1};
    FakeBackend fake;
    const auto plan = fake.plan(program, segments, "script:unsupported=no such kernel;bytes=123456", {});
    QVERIFY(plan.ok());
    QCOMPARE(plan->unsupported, std::vector<std::string>{"no such kernel"});
    QCOMPARE(plan->needed.total(), std::uint64_t(123456));
    Running running;
    QVERIFY(running.start("script:unsupported=no such kernel").error().code() == Errc::B702);
    QVERIFY(running.start("script:load=R901").error().code() == Errc::R901);
    QVERIFY(running.start("script:load=B705").error().code() == Errc::B705);
    QVERIFY(running.start("script:session=R901").error().code() == Errc::R901);
    QVERIFY(running.start("fake", {}).error().code() == Errc::B702);
    FakeScript script;
    script.devicesError = Errc::B703;
    QVERIFY(FakeBackend(script).devices().error().code() == Errc::B703);
    QCOMPARE(fake.devices()->size(), std::size_t(1));
}

void TestFake::wrongAndNan() {
    Running running;
    QVERIFY(running.start("script:answer=5,6;wrong=1").ok());
    QCOMPARE(*running.next(1), 6);
    Running nan;
    QVERIFY(nan.start("script:nan=1").ok());
    BatchItem item;
    item.token = 1;
    item.wantsOutput = true;
    QVERIFY(nan.session().forward({&item, 1}, {}, nan.out(), {}).ok());
    QCOMPARE(nan.out().values.size(), std::size_t(10));
    for (const float logit : nan.out().values)
        QVERIFY(std::isnan(logit));
}

void TestFake::tellsWhatItsScriptTells() {
    FakeBackend fake;
    const auto plain = fake.device("");
    QVERIFY(plain.ok());
    QCOMPARE(plain->id, std::string("fake"));
    QVERIFY(plain->kind == DeviceKind::Virtual && plain->memoryBytes == 0);
    const auto gpu = fake.device("script:gpu=1;memory-mib=512");
    QVERIFY(gpu.ok());
    QCOMPARE(gpu->id, std::string("script:gpu=1;memory-mib=512"));
    QVERIFY(gpu->kind == DeviceKind::DiscreteGpu);
    QCOMPARE(gpu->freeBytes, std::uint64_t(512) << 20U);
    QVERIFY(fake.device("gpu0").error().code() == Errc::X001);
    QVERIFY(fake.device("script:devices=B704").error().code() == Errc::B704);
}

void TestFake::refusesTooManyLayers() {
    graph::Program program = smallProgram();
    for (std::uint32_t layer = 0; layer < 3; ++layer) {
        const auto at = program.segments.end() - 1;
        program.segments.insert(at, {graph::SegmentKind::Mixer, layer, {}, {}});
    }
    program.layers = 3;
    program.finish();
    FakeBackend fake;
    const auto load = [&](std::vector<std::uint32_t> segments) {
        return fake.load(program, {}, segments, "script:layers-max=2", {}, nullptr, {});
    };
    QVERIFY(load({2, 3, 4}).ok());
    QVERIFY(load({0, 1, 2, 3, 4}).error().code() == Errc::R901);
}

void TestFake::goesBackToCheckpoints_data() {
    QTest::addColumn<std::uint32_t>("wanted");
    QTest::addColumn<std::uint32_t>("reached");
    QTest::newRow("nowhere") << 9u << 9u;
    QTest::newRow("beyond the end") << 20u << 9u;
    QTest::newRow("where the last call began") << 7u << 7u;
    QTest::newRow("elsewhere") << 6u << 4u;
    QTest::newRow("a checkpoint") << 8u << 8u;
    QTest::newRow("in front of it") << 3u << 0u;
}

void TestFake::goesBackToCheckpoints() {
    QFETCH(const std::uint32_t, wanted);
    QFETCH(const std::uint32_t, reached);
    Running running;
    QVERIFY(running.start("script:checkpoint=4").ok());
    std::vector<BatchItem> batch(9);
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
        batch[i].token = 1;
        batch[i].position[0] = i;
    }
    QVERIFY(running.session().forward(std::span(batch).first(7), {}, running.out(), {}).ok());
    QVERIFY(running.session().forward(std::span(batch).last(2), {}, running.out(), {}).ok());
    QCOMPARE(*running.session().truncate(0, wanted), reached);
}

/// Two halves on two models answer as one model does.
void TestFake::rowsCarryTheToken() {
    Running front;
    Running back;
    QVERIFY(front.start("script:answer=5,6", {0}).ok());
    QVERIFY(back.start("script:answer=5,6", {1}).ok());
    BatchItem item;
    item.token = 5;
    item.wantsOutput = true;
    OutputRequest hidden;
    hidden.kind = OutputKind::Hidden;
    QVERIFY(front.session().forward({&item, 1}, hidden, front.out(), {}).ok());
    QCOMPARE(front.out().rowWidth, std::size_t(4));
    const auto refused = back.session().forward({&item, 1}, {}, back.out(), {});
    QVERIFY(!refused.ok() && refused.error().code() == Errc::B708);
    item.token = kNoToken;
    item.row = front.out().values.data();
    QVERIFY(back.session().forward({&item, 1}, {}, back.out(), {}).ok());
    const auto& logits = back.out().values;
    QCOMPARE(std::max_element(logits.begin(), logits.end()) - logits.begin(), std::ptrdiff_t(6));
}

void TestFake::restoresWhatItSaved() {
    Running running;
    QVERIFY(running.start("script:answer=5,6,7").ok());
    QVERIFY(running.next(1).ok());
    QVERIFY(running.next(5).ok());
    std::vector<std::byte> saved;
    QVERIFY(running.session().save(0, saved).ok());
    QVERIFY(running.session().truncate(0, 0).ok());
    QVERIFY(running.session().restore(0, saved).ok());
    QCOMPARE(*running.next(6), 7);
    for (std::size_t length = 0; length < saved.size(); ++length) {
        if (length % sizeof(TokenId) == 0 && length >= 4) continue;
        const auto cut = running.session().restore(0, std::span(saved).first(length));
        QVERIFY(!cut.ok() && cut.error().code() == Errc::F807);
    }
}

void TestFake::badScriptsAreRefused_data() {
    QTest::addColumn<QString>("text");
    for (const char* text :
         {"answer=", "answer=5,x", "answer=-3", "end=two", "token-ms=-1", "token-ms=nan", "fail=3", "gpu=2",
          "layers-max=few", "memory-mib=9999999999", "compute=yes", "checkpoint=-1", "fail=3:ZZ99",
          "fail=:B704", "load=", "wrong=2", "hang=1x", "who=1"})
        QTest::addRow("%s", text) << QString(text);
}

void TestFake::badScriptsAreRefused() {
    QFETCH(const QString, text);
    const auto script = parseFakeScript(text.toStdString());
    QVERIFY(!script.ok() && script.error().code() == Errc::X001);
    QVERIFY(FakeBackend().plan(smallProgram(), {}, "no-such-device", {}).error().code() == Errc::X001);
}

QTEST_APPLESS_MAIN(TestFake)
#include "tst_fake.moc"
