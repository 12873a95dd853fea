// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTest>
#include <cmath>
#include <limits>

#include "core/app/config/config_store.h"
#include "tests/support/json_compare.h"
#include "tests/support/memory_files.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

using Severity = ConfigFinding::Severity;

constexpr const char* kConfig = "/c/config.json";
const SettingOwner kPreset = SettingOwner::preset("exact. v1");
const SettingOwner kModel = SettingOwner::model("/m/a.gguf");

ConfigStore open(FileOperations& files) {
    ConfigRules rules;
    rules.patience = std::chrono::milliseconds(0);
    return {files, "/c", rules};
}

const ConfigFinding* findingAbout(const std::vector<ConfigFinding>& findings, std::string_view words) {
    for (const ConfigFinding& finding : findings)
        if ((finding.place + finding.sentence + finding.remedy).find(words) != std::string::npos)
            return &finding;
    return nullptr;
}

}  // namespace

class TestConfigStore : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void defaults();
    void everySettingKeepsItsValue();
    void everyLimit();
    void typedValues();
    void owners();
    void invalidValuesStayInTheFile();
    void flatKeysAreUnknown();
    void resetting();
    void errors();
    void legacy();
    void findings();
    void stepsReachEveryOwner();
    void exporting();
    void oneLockForAll();
};

void TestConfigStore::defaults() {
    MemoryFiles files;
    const auto store = open(files);
    for (const SettingSpec& setting : allSettings()) {
        QVERIFY(same(store.get(setting.key), setting.defaultValue()));
        QVERIFY(checkedSetting(setting, setting.defaultValue()).ok());
    }
    QVERIFY(store.validate().empty());
    QVERIFY(files.paths().empty());
}

/// A value that is not the default, of each: written, read back, reset.
void TestConfigStore::everySettingKeepsItsValue() {
    MemoryFiles files;
    auto store = open(files);
    std::map<std::string, Json> written;
    for (const SettingSpec& setting : allSettings()) {
        Json value;
        switch (setting.type) {
            case SettingType::Bool: value = !setting.defaultValue().get<bool>(); break;
            case SettingType::Integer:
            case SettingType::GpuLayers: value = static_cast<std::int64_t>(setting.least) + 1; break;
            case SettingType::Real: value = (setting.least + setting.most) / 2; break;
            case SettingType::Text: value = "text \xC3\xA4 \"\n"; break;
            case SettingType::Choice:
                value = std::string(setting.choices.substr(setting.choices.rfind('|') + 1));
                break;
            case SettingType::TextList:
            case SettingType::PathList: value = {"/a b/c", "d,e"}; break;
            case SettingType::IntegerList: value = {-5, 7}; break;
        }
        QVERIFY2(store.set(setting.key, value).ok(), std::string(setting.key).c_str());
        written[std::string(setting.key)] = value;
    }
    QVERIFY(store.save().ok());
    auto again = open(files);
    QVERIFY(again.validate().empty());
    for (const auto& [key, value] : written)
        QVERIFY(same(again.get(key), value));
    again.resetAll();
    QVERIFY(again.save().ok());
    QCOMPARE(Json::parse(*files.get(kConfig)).dump(), std::string(R"({"schema":1})"));
}

/// 33: each number at its limits and beside them.
void TestConfigStore::everyLimit() {
    MemoryFiles files;
    auto store = open(files);
    int checked = 0;
    for (const SettingSpec& setting : allSettings()) {
        const bool number = setting.type == SettingType::Integer || setting.type == SettingType::Real ||
                            setting.type == SettingType::GpuLayers;
        if (!number) continue;
        ++checked;
        const auto takes = [&](const Json& value) { return store.set(setting.key, value).ok(); };
        QVERIFY(takes(setting.least));
        QVERIFY(takes(setting.most));
        QVERIFY(!takes(setting.least - 1));
        QVERIFY(!takes(setting.most + 1));
        QVERIFY(!takes(std::nextafter(setting.most, 1e300)));
        QVERIFY(!takes(std::numeric_limits<double>::quiet_NaN()));
        QVERIFY(!takes(std::numeric_limits<double>::infinity()));
        QVERIFY(!takes("7"));
        QVERIFY(!takes(true));
        QVERIFY(!takes(nullptr));
        QVERIFY(!takes(18446744073709551615u));
    }
    QVERIFY(checked > 20);
}

void TestConfigStore::typedValues() {
    MemoryFiles files;
    auto store = open(files);
    QVERIFY(store.set(settings::kLoadContext, 8192).ok());
    QVERIFY(store.set(settings::kLoadMlock, true).ok());
    QVERIFY(store.set(settings::kLoadGpuLayers, 12).ok());
    const std::int64_t context = store.get<settings::LoadContext>();
    QCOMPARE(context, std::int64_t{8192});
    QCOMPARE(store.get<settings::LoadMlock>(), true);
    QCOMPARE(store.get<settings::LoadGpuLayers>().number, 12u);
    QVERIFY(store.get<settings::LoadGpuLayers>().kind == LayerCount::Kind::Number);
    QCOMPARE(store.get<settings::SamplingTemperature>(), 0.8);
    QCOMPARE(store.get<settings::ModelsQuantOrder>(), (std::vector<std::string>{"Q4 IQ4", "Q5", "Q8"}));
    QCOMPARE(store.get<settings::LoadKv>(), std::string("f16"));
}

void TestConfigStore::owners() {
    MemoryFiles files;
    auto store = open(files);
    QVERIFY(store.set(kPreset, settings::kSamplingTemperature, 0.2).ok());
    QVERIFY(store.set(kModel, settings::kLoadContext, 2048).ok());
    QCOMPARE(store.set(kModel, settings::kLogLevel, "debug").error().code(), Errc::C516);
    QVERIFY(store.save().ok());
    auto again = open(files);
    QCOMPARE(again.names(SettingOwner::Kind::Preset), std::vector<std::string>{"exact. v1"});
    QCOMPARE(again.names(SettingOwner::Kind::Model), std::vector<std::string>{"/m/a.gguf"});
    QVERIFY(same(*again.values(kPreset).find(settings::kSamplingTemperature), Json(0.2)));
    QVERIFY(
        same(*again.values(SettingOwner::model("/m/x/../a.gguf")).find(settings::kLoadContext), Json(2048)));
    QVERIFY(again.values(SettingOwner::model("/m/b.gguf")).empty());
    QVERIFY(again.has(kPreset) && !again.has(SettingOwner::preset("none")));
    again.resetAll(kPreset);
    QVERIFY(again.reset(kModel, settings::kLoadContext).ok());
    QVERIFY(again.save().ok());
    QVERIFY(open(files).names(SettingOwner::Kind::Preset).empty());
    QVERIFY(open(files).names(SettingOwner::Kind::Model).empty());
}

void TestConfigStore::invalidValuesStayInTheFile() {
    MemoryFiles files;
    files.put(kConfig,
              R"({"schema":1,"load":{"context":-5,"batch":"many"},"window":7,"log":{"level":"loud"}})");
    auto store = open(files);
    QVERIFY(same(store.get(settings::kLoadContext), Json(0)));
    QVERIFY(same(store.get(settings::kLogLevel), Json("warning")));
    const auto findings = store.validate();
    QCOMPARE(findings.size(), std::size_t{4});
    QVERIFY(findingAbout(findings, "config.json: load.context")->severity == Severity::Error);
    QVERIFY(findingAbout(findings, "window")->severity == Severity::Warning);
    QVERIFY(store.set(settings::kLoadThreads, 4).ok());
    QVERIFY(store.save().ok());
    const Json file = Json::parse(*files.get(kConfig));
    QVERIFY(same(file["load"]["context"], Json(-5)));
    QVERIFY(same(file["window"], Json(7)));
}

void TestConfigStore::flatKeysAreUnknown() {
    MemoryFiles files;
    files.put(kConfig, R"({"schema":1,"load.context":5,"load":{"contxt":6,"x.y":{}},"colour":{"a":1}})");
    const auto store = open(files);
    QVERIFY(same(store.get(settings::kLoadContext), Json(0)));
    QCOMPARE(store.unknown(),
             (std::vector<std::string>{"load.context", "load.contxt", "load.x.y", "colour"}));
    QVERIFY(findingAbout(store.validate(), "load.contxt")->remedy.find("load.context") != std::string::npos);
}

void TestConfigStore::resetting() {
    MemoryFiles files;
    files.put(kConfig, R"({"schema":1,"load":{"context":5,"colour":"red"},"mine":1})");
    auto store = open(files);
    QVERIFY(store.reset({}, settings::kLoadContext).ok());
    QVERIFY(store.reset({}, settings::kLoadBatch).ok());
    QVERIFY(store.reset({}, "mine").ok());
    QCOMPARE(store.reset({}, "mine").error().code(), Errc::C504);
    QCOMPARE(store.reset({}, "schema").error().code(), Errc::C504);
    QVERIFY(store.save().ok());
    QCOMPARE(Json::parse(*files.get(kConfig)).dump(), std::string(R"({"schema":1,"load":{"colour":"red"}})"));
    store.resetAll();
    QVERIFY(store.save().ok());
    QCOMPARE(Json::parse(*files.get(kConfig)).dump(), std::string(R"({"schema":1,"load":{"colour":"red"}})"));
}

void TestConfigStore::errors() {
    MemoryFiles files;
    auto store = open(files);
    QCOMPARE(store.set("load.contxt", 1).error().code(), Errc::C504);
    QCOMPARE(store.set(settings::kLoadKv, "q4").error().code(), Errc::C505);
    QCOMPARE(store.set(SettingOwner::preset(""), settings::kLoadKv, "f16").error().code(), Errc::X001);
    QCOMPARE(store.set(SettingOwner::preset("a\nb"), settings::kLoadKv, "f16").error().code(), Errc::X001);
    QVERIFY(!store.changed());
    QVERIFY(store.save().ok());
    QVERIFY(files.paths().empty());
}

void TestConfigStore::legacy() {
    MemoryFiles files;
    const std::string bytes = R"({"model_path":"/m/a.gguf","n_ctx":4096,"load":{"context":9}})";
    files.put(kConfig, bytes);
    auto store = open(files);
    QVERIFY(store.isLegacy());
    QVERIFY(same(store.get(settings::kLoadContext), Json(0)));
    QVERIFY(findingAbout(store.validate(), "gguf migrate"));
    QVERIFY(store.set(settings::kLoadContext, 8).ok());
    QCOMPARE(store.save().error().code(), Errc::X005);
    QCOMPARE(*files.get(kConfig), bytes);
    // Presets are another file.
    auto other = open(files);
    QVERIFY(other.set(kPreset, settings::kLoadContext, 8).ok());
    QVERIFY(other.save().ok());
    store.allowReplacingLegacy();
    QVERIFY(store.save().ok());
    QCOMPARE(*files.get("/c/config.json.1"), bytes);
    QVERIFY(!open(files).isLegacy());
}

void TestConfigStore::findings() {
    MemoryFiles files;
    files.put(kConfig, "\xEF\xBB\xBF{\"schema\":1,\"log\":{\"level\":\"info\",\"level\":\"debug\"}}");
    files.put("/c/presets.json", R"({"schema":1,"presets":{"a":5,"b":{"log":{"level":"debug"}}},"more":1})");
    files.put("/c/model-settings.json", "{");
    const auto findings = open(files).validate();
    QVERIFY(findingAbout(findings, "log.level stands more than once"));
    QVERIFY(findingAbout(findings, "presets.json: a")->severity == Severity::Error);
    QVERIFY(findingAbout(findings, "presets.json: b: log.level")->severity == Severity::Error);
    QVERIFY(findingAbout(findings, "presets.json: more")->severity == Severity::Warning);
    QVERIFY(findingAbout(findings, "model-settings.json.broken"));
    for (std::size_t i = 1; i < findings.size(); ++i)
        QVERIFY(findings[i - 1].severity <= findings[i].severity);
    for (const ConfigFinding& finding : findings)
        QVERIFY(!finding.sentence.empty() && !finding.place.empty() && !finding.remedy.empty());
}

void TestConfigStore::stepsReachEveryOwner() {
    MemoryFiles files;
    files.put(kConfig, R"({"schema":1,"load":{"ctx":1}})");
    files.put("/c/presets.json", R"({"schema":1,"presets":{"a":{"load":{"ctx":2}},"b":7}})");
    files.put("/c/model-settings.json", R"({"schema":1,"models":{"/m":{"load":{"ctx":3}}}})");
    ConfigRules rules;
    rules.schema = 2;
    rules.steps = {{1, [](Json& object) {
                        const Json* old = findIn(object, {"load", "ctx"});
                        if (!old) return Status();
                        setIn(object, {"load", "context"}, *old);
                        eraseIn(object, {"load", "ctx"});
                        return Status();
                    }}};
    const ConfigStore store(files, "/c", rules);
    QVERIFY(same(store.get(settings::kLoadContext), Json(1)));
    QVERIFY(same(*store.values(SettingOwner::preset("a")).find(settings::kLoadContext), Json(2)));
    QVERIFY(same(*store.values(SettingOwner::model("/m")).find(settings::kLoadContext), Json(3)));
    QCOMPARE(ownSettingSteps().size(), std::size_t{kConfigSchema - 1});
}

void TestConfigStore::exporting() {
    MemoryFiles files;
    auto store = open(files);
    QVERIFY(store.set(settings::kLoadContext, 8).ok());
    QVERIFY(store.set(kPreset, settings::kLoadKv, "q8_0").ok());
    QCOMPARE(store.exported().dump(),
             std::string(R"({"schema":1,"settings":{"load":{"context":8}},)"
                         R"("presets":{"exact. v1":{"load":{"kv":"q8_0"}}},"models":{}})"));
}

void TestConfigStore::oneLockForAll() {
    MemoryFiles files;
    files.putFolder("/c");
    auto store = open(files);
    const auto held = files.lock(store.lockPath(), std::chrono::milliseconds(0));
    QVERIFY(store.set(kPreset, settings::kLoadKv, "q8_0").ok());
    QVERIFY(store.set(settings::kLoadContext, 8).ok());
    QCOMPARE(store.save().error().code(), Errc::C506);
    QVERIFY(store.changed());
    QVERIFY(store.saveHolding(**held).ok());
    QCOMPARE(files.paths(), (std::vector<std::string>{"/c/config.json", "/c/presets.json"}));
}

QTEST_GUILESS_MAIN(TestConfigStore)
#include "tst_config_store.moc"
