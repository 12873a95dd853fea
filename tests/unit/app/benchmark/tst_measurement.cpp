// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Measurements and baselines as JSON: there and back, and everything that is no measurement refused.

#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <fstream>

#include "core/app/benchmark/baseline.h"
#include "core/app/benchmark/json_fields.h"
#include "tests/unit/app/benchmark/sample_measurement.h"

using namespace loader;
using app::Baseline;
using app::Json;
using app::Measurement;
using test::sampleMeasurement;

namespace {

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// Replaces what a JSON pointer names.
Json with(Json json, const std::string& pointer, Json value) {
    json[Json::json_pointer(pointer)] = std::move(value);
    return json;
}

}  // namespace

class TestMeasurement : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void thereAndBack();
    void everyMemberIsNeeded();
    void hostileMembers_data();
    void hostileMembers();
    void newerSchema();
    void namesAreMadePlain();
    void identityOfFiles();
    void machineHasNoSerialNumbers();
    void baselines();
    void baselineFindsTheNearest();
    void unreadableBaselinesAreLeftAlone();
};

void TestMeasurement::thereAndBack() {
    Measurement measurement = sampleMeasurement();
    measurement.gpuBusyPercent = 87.5;
    measurement.settings.driver = "radv Mesa 25.0";
    const Json json = app::measurementJson(measurement);
    const auto read = app::measurementFromJson(app::parseJson(json.dump())->document);
    QVERIFY2(read.ok(), read.ok() ? "" : read.error().toString().c_str());
    QCOMPARE(app::measurementJson(*read).dump(), json.dump());
    QVERIFY(read->sameSettings(measurement));
    QCOMPARE(read->generation, measurement.generation);
    QCOMPARE(read->time, measurement.time);
    QCOMPARE(json["generation_tokens_per_second"]["median"].get<double>(), 20.0);
    // Medians are for people: samples count.
    const auto forged = app::measurementFromJson(with(json, "/generation_tokens_per_second/median", 99999.0));
    QVERIFY(forged.ok());
    QCOMPARE(app::spreadOf(forged->generation).median, 20.0);
}

void TestMeasurement::everyMemberIsNeeded() {
    const Json whole = app::measurementJson(sampleMeasurement());
    for (const auto& [key, value] : whole.items()) {
        if (key == "gpu_busy_percent") continue;
        Json less = whole;
        less.erase(key);
        const auto read = app::measurementFromJson(less);
        QVERIFY2(!read.ok(), key.c_str());
        QCOMPARE(read.error().code(), Errc::C501);
        if (!value.is_object()) continue;
        for (const auto& [inner, unused] : value.items()) {
            if (value.contains("samples") && inner != "samples") continue;
            Json part = whole;
            part[key].erase(inner);
            QVERIFY2(!app::measurementFromJson(part).ok(), (key + "." + inner).c_str());
        }
    }
}

void TestMeasurement::hostileMembers_data() {
    QTest::addColumn<QByteArray>("pointer");
    QTest::addColumn<QByteArray>("value");
    const auto row = [](const char* name, const char* pointer, const QByteArray& value) {
        QTest::addRow("%s", name) << QByteArray(pointer) << value;
    };
    row("text for a number", "/settings/threads", "\"4\"");
    row("negative", "/settings/threads", "-1");
    row("half", "/settings/threads", "1.5");
    row("too large", "/settings/threads", "4294967296");
    row("huge count", "/model/bytes", "18446744073709551615");
    row("no digest", "/model/digest", "\"xyz\"");
    row("digest of another length", "/model/digest", "\"aa\"");
    row("upper-case digest", "/model/digest", "\"" + QByteArray(64, 'A') + "\"");
    row("long text", "/version", "\"" + QByteArray(600, 'a') + "\"");
    row("control character", "/settings/device", "\"a\\u001b[2J\"");
    row("zero character", "/settings/device", "\"a\\u0000\"");
    row("time of nonsense", "/time", "\"yesterday\"");
    row("time before 1970", "/time", "\"1960-01-01T00:00:00Z\"");
    row("negative sample", "/generation_tokens_per_second/samples", "[1, -2]");
    row("text as sample", "/generation_tokens_per_second/samples", "[1, \"2\"]");
    row("nested samples", "/generation_tokens_per_second/samples", "[[1]]");
    row("no list", "/generation_tokens_per_second/samples", "7");
    row("impossible speed", "/generation_tokens_per_second/samples", "[1e16]");
    row("too many samples", "/load_ms/samples", "[" + QByteArray("1,").repeated(1000) + "1]");
    row("too many adapters", "/machine/adapters", "[" + QByteArray("\"a\",").repeated(20) + "\"a\"]");
    row("list for an object", "/settings", "[]");
    row("no flag", "/settings/mmap", "1");
    row("other kind", "/kind", "\"use\"");
    row("busy beyond measure", "/gpu_busy_percent", "-3");
    row("schema as text", "/schema", "\"1\"");
}

void TestMeasurement::hostileMembers() {
    QFETCH(const QByteArray, pointer);
    QFETCH(const QByteArray, value);
    const Json json = with(app::measurementJson(sampleMeasurement()), pointer.toStdString(),
                           Json::parse(value.toStdString()));
    const auto read = app::measurementFromJson(json);
    QVERIFY(!read.ok());
    QCOMPARE(read.error().code(), Errc::C501);
    QVERIFY(!read.error().message().empty());
}

void TestMeasurement::newerSchema() {
    const auto read =
        app::measurementFromJson(with(app::measurementJson(sampleMeasurement()), "/schema", 2u));
    QVERIFY(!read.ok());
    QCOMPARE(read.error().code(), Errc::D302);
}

void TestMeasurement::namesAreMadePlain() {
    QCOMPARE(app::plainText("a\x1b[2Jb\n"), std::string("a [2Jb "));
    QVERIFY(app::plainText("\xff\xfe"
                           "a")
                .find('a') != std::string::npos);
    std::string letters;
    for (int i = 0; i < 400; ++i)
        letters += "\xC3\xA4";
    const std::string cut = app::plainText(letters);
    QCOMPARE(cut.size(), std::size_t{512});
    QCOMPARE(app::plainText(cut), cut);
    // Whatever a driver calls itself, what is written can be read.
    Measurement measurement = sampleMeasurement();
    measurement.settings.device = "GPU\t\x01 0 " + letters;
    QVERIFY(app::measurementFromJson(app::measurementJson(measurement)).ok());
}

void TestMeasurement::identityOfFiles() {
    const QTemporaryDir folder;
    const std::string first = folder.filePath("a.gguf").toStdString();
    const std::string second = folder.filePath("b.gguf").toStdString();
    std::string bytes(5 << 20, 'x');
    write(first, bytes);
    write(second, bytes);
    const auto one = app::identityOf(first);
    const auto two = app::identityOf(second);
    QVERIFY(one.ok() && two.ok());
    QVERIFY(one->sameModel(*two));
    QCOMPARE(one->file, std::string("a.gguf"));
    QCOMPARE(one->bytes, std::uint64_t{5 << 20});
    // The header and the last weights count, so that two fine-tunes of one model are told apart.
    for (const std::size_t at : {std::size_t{0}, (std::size_t{1} << 20) - 1, bytes.size() - 1}) {
        std::string other = bytes;
        other[at] = 'y';
        write(second, other);
        QVERIFY(!one->sameModel(*app::identityOf(second)));
    }
    write(second, bytes + "x");
    QVERIFY(!one->sameModel(*app::identityOf(second)));
    write(second, "");
    QVERIFY(app::identityOf(second).ok());
    QCOMPARE(app::identityOf(folder.filePath("absent").toStdString()).error().code(), Errc::F802);
    QCOMPARE(app::identityOf(folder.path().toStdString()).error().code(), Errc::F803);
}

void TestMeasurement::machineHasNoSerialNumbers() {
    app::CpuFacts cpu;
    cpu.model = "Processor";
    cpu.share.allowedThreads = 8;
    MemoryFacts memory;
    memory.total = (std::uint64_t{16} << 30) - (150u << 20);
    app::AdapterFacts adapter;
    adapter.place = "0000:03:00.0";
    adapter.vendor = "AMD";
    adapter.deviceId = 0x73bf;
    const auto machine = app::machineOf(cpu, memory, {adapter});
    QCOMPARE(machine.memoryMib, std::uint64_t{16384 - 256});
    QCOMPARE(machine.adapters, std::vector<std::string>{"AMD 0x73bf"});
    // A kernel that keeps 20 MiB more makes no other machine of it.
    memory.total -= 20u << 20;
    QVERIFY(machine == app::machineOf(cpu, memory, {adapter}));
    QVERIFY(!(machine == app::machineOf(cpu, memory, {})));
    // Where a card is plugged in is nobody's business.
    Measurement measurement = sampleMeasurement();
    measurement.machine = machine;
    QVERIFY(app::measurementJson(measurement).dump().find("0000:03") == std::string::npos);
    const app::MachineIdentity own = app::thisMachine();
    QVERIFY(own.cores >= 1 && own.memoryMib >= 256);
}

void TestMeasurement::baselines() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("new/folder/baseline.json").toStdString();
    QCOMPARE(Baseline::read(path).error().code(), Errc::F802);
    auto baseline = Baseline::readOrNew(path);
    QVERIFY(baseline.ok());
    QVERIFY(baseline->put(sampleMeasurement(20.0)).ok());
    Measurement other = sampleMeasurement(30.0);
    other.settings.threads = 2;
    QVERIFY(baseline->put(other).ok());
    QVERIFY(baseline->put(sampleMeasurement(25.0)).ok());
    QCOMPARE(baseline->measurements().size(), std::size_t{2});
    QVERIFY(baseline->write(path).ok());
    const auto read = Baseline::read(path);
    QVERIFY2(read.ok(), read.ok() ? "" : read.error().toString().c_str());
    QCOMPARE(read->toJson().dump(), baseline->toJson().dump());
    QCOMPARE(app::spreadOf(read->measurements().front().generation).median, 25.0);
}

void TestMeasurement::baselineFindsTheNearest() {
    Baseline baseline;
    Measurement old = sampleMeasurement(10.0);
    old.settings.threads = 1;
    old.time = 1'700'000'000;
    Measurement newer = sampleMeasurement(20.0);
    newer.settings.threads = 2;
    newer.time = 1'710'000'000;
    QVERIFY(baseline.put(old).ok());
    QVERIFY(baseline.put(newer).ok());
    Measurement like = sampleMeasurement();
    like.settings.threads = 1;
    QCOMPARE(baseline.find(like)->time, old.time);
    like.settings.threads = 8;
    QCOMPARE(baseline.find(like)->time, newer.time);
    like.work.promptTokens = 1;
    QVERIFY(!baseline.find(like));
    like = sampleMeasurement();
    like.model = test::sampleModel('b');
    QVERIFY(!baseline.find(like));
}

void TestMeasurement::unreadableBaselinesAreLeftAlone() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("baseline.json").toStdString();
    Json damaged = {{"schema", 1u}, {"measurements", {app::measurementJson(sampleMeasurement())}}};
    damaged["measurements"][0]["model"]["bytes"] = -1;
    for (const std::string& text : {std::string("not JSON"), std::string("[]"), std::string("{}"),
                                    std::string(R"({"schema":1,"measurements":{}})"), damaged.dump()}) {
        write(path, text);
        const auto read = Baseline::readOrNew(path);
        QVERIFY(!read.ok());
        QCOMPARE(read.error().code(), Errc::C501);
        QVERIFY(read.error().place().find("baseline.json") != std::string::npos);
        QFile file(QString::fromStdString(path));
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(file.readAll().toStdString(), text);
    }
    write(path, R"({"schema":9,"measurements":[]})");
    QCOMPARE(Baseline::readOrNew(path).error().code(), Errc::D302);
}

QTEST_GUILESS_MAIN(TestMeasurement)
#include "tst_measurement.moc"
