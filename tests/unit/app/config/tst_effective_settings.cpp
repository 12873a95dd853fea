// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include <QTest>
#include <set>

#include "core/app/config/effective_settings.h"
#include "core/app/config/setting_effects.h"
#include "tests/support/json_compare.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

namespace {

SettingValues values(const char* json, ValueOwner owner = ValueOwner::Program) {
    return {Json::parse(json), owner, "test"};
}

}  // namespace

class TestEffectiveSettings : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void laterOriginsWin();
    void defaultsOfAll();
    void theModelFileRecommendsSampling();
    void ownersKeepToTheirReach();
    void environment_data();
    void environment();
    void aDeviceFollowsItsBackEnd();
    void aRequest();
    void everyLoadSettingActs();
    void chainPolicies();
    void answers();
    void aFileThatRecommends();
};

/// Each origin in turn sets the same key; all others stay.
void TestEffectiveSettings::laterOriginsWin() {
    SettingLayers layers;
    const std::vector<SettingValues*> inOrder = {&layers.modelFile, &layers.global, &layers.preset,
                                                 &layers.model,     &layers.chat,   &layers.commandLine};
    for (std::size_t i = 0; i < inOrder.size(); ++i) {
        const double value = 0.1 * static_cast<double>(i + 1);
        QVERIFY(inOrder[i]->set(settings::kSamplingTemperature, value).ok());
        const EffectiveSettings effective(layers);
        QCOMPARE(effective.get<settings::SamplingTemperature>(), value);
        QCOMPARE(static_cast<int>(effective.originOf(settings::kSamplingTemperature)),
                 static_cast<int>(i) + 1);
        QCOMPARE(effective.originOf(settings::kSamplingTopP), SettingOrigin::Default);
    }
    // Later layers first: the order in which they are given does not matter.
    SettingLayers two;
    QVERIFY(two.commandLine.set(settings::kLoadContext, 1).ok());
    QVERIFY(two.global.set(settings::kLoadContext, 2).ok());
    QCOMPARE(EffectiveSettings(two).get<settings::LoadContext>(), std::int64_t{1});
}

void TestEffectiveSettings::defaultsOfAll() {
    const EffectiveSettings effective{SettingLayers{}};
    QCOMPARE(effective.all().size(), allSettings().size());
    for (const SettingSpec& setting : allSettings()) {
        QVERIFY(same(effective.at(setting.key).value, setting.defaultValue()));
        QCOMPARE(effective.originOf(setting.key), SettingOrigin::Default);
    }
    QVERIFY(effective.at("no.such").value.is_null());
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kOriginCount; ++i)
        names.insert(nameOf(static_cast<SettingOrigin>(i)));
    QCOMPARE(names.size(), kOriginCount);
}

void TestEffectiveSettings::theModelFileRecommendsSampling() {
    SettingLayers layers;
    layers.modelFile = values(R"({"sampling":{"temperature":0.3},"load":{"context":77}})");
    const EffectiveSettings effective(layers);
    QCOMPARE(effective.get<settings::SamplingTemperature>(), 0.3);
    QCOMPARE(effective.originOf(settings::kSamplingTemperature), SettingOrigin::ModelFile);
    QCOMPARE(effective.originOf(settings::kLoadContext), SettingOrigin::Default);
}

void TestEffectiveSettings::ownersKeepToTheirReach() {
    SettingLayers layers;
    layers.preset = values(R"({"log":{"level":"debug"},"load":{"context":1}})");
    layers.model = values(R"({"load":{"fallback":false}})");
    layers.chat = values(R"({"load":{"memory_limit":5}})");
    const EffectiveSettings effective(layers);
    QCOMPARE(effective.originOf(settings::kLogLevel), SettingOrigin::Default);
    QCOMPARE(effective.originOf(settings::kLoadFallback), SettingOrigin::Default);
    QCOMPARE(effective.originOf(settings::kLoadMemoryLimit), SettingOrigin::Default);
    QCOMPARE(effective.originOf(settings::kLoadContext), SettingOrigin::Preset);
    // Read from a preset's object they are told.
    QCOMPARE(values(R"({"log":{"level":"debug"}})", ValueOwner::Model).findings().size(), std::size_t{1});
}

void TestEffectiveSettings::environment_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("line");
    QTest::addColumn<QString>("variable");
    QTest::addColumn<QString>("expected");
    QTest::addColumn<int>("origin");
    const int global = int(SettingOrigin::Global);
    const int line = int(SettingOrigin::CommandLine);
    const int variable = int(SettingOrigin::Environment);
    QTest::newRow("none") << ""
                          << ""
                          << ""
                          << "auto" << 0;
    QTest::newRow("file") << "one"
                          << ""
                          << ""
                          << "one" << global;
    QTest::newRow("variable over file") << "one"
                                        << ""
                                        << "two"
                                        << "two" << variable;
    QTest::newRow("variable over auto") << ""
                                        << "auto"
                                        << "two"
                                        << "two" << variable;
    QTest::newRow("a named one over the variable") << "one"
                                                   << "three"
                                                   << "two"
                                                   << "three" << line;
}

void TestEffectiveSettings::environment() {
    QFETCH(QString, file);
    QFETCH(QString, line);
    QFETCH(QString, variable);
    QFETCH(QString, expected);
    QFETCH(int, origin);
    SettingLayers layers;
    if (!file.isEmpty()) QVERIFY(layers.global.set(settings::kLoadBackend, file.toStdString()).ok());
    if (!line.isEmpty()) QVERIFY(layers.commandLine.set(settings::kLoadBackend, line.toStdString()).ok());
    layers.backendVariable = variable.toStdString();
    const EffectiveSettings effective(layers);
    QCOMPARE(QString::fromStdString(effective.get<settings::LoadBackend>()), expected);
    QCOMPARE(static_cast<int>(effective.originOf(settings::kLoadBackend)), origin);
    const auto request = loadRequestOf(effective, layers.backendVariable);
    QCOMPARE(QString::fromStdString(request.backend), expected);
    QCOMPARE(request.overrides.size(), std::size_t{origin == int(SettingOrigin::Environment)});
    // Off is off whatever asks for layers.
    QVERIFY(layers.commandLine.set(settings::kLoadGpuLayers, "all").ok());
    for (const char* off : {"0", "false", "no", "off"}) {
        layers.gpuVariable = off;
        const EffectiveSettings without(layers);
        QCOMPARE(without.originOf(settings::kLoadGpuLayers), SettingOrigin::Environment);
        QVERIFY(loadRequestOf(without, {}, off).gpuLayers.none());
    }
    layers.gpuVariable = "1";
    QVERIFY(EffectiveSettings(layers).get<settings::LoadGpuLayers>().kind == LayerCount::Kind::All);
}

void TestEffectiveSettings::aDeviceFollowsItsBackEnd() {
    SettingLayers layers;
    layers.global = values(R"({"load":{"backend":"vulkan","device":"gpu0"}})");
    QCOMPARE(EffectiveSettings(layers).get<settings::LoadDevice>(), std::string("gpu0"));
    layers.commandLine = values(R"({"load":{"backend":"cpu"}})");
    QCOMPARE(EffectiveSettings(layers).get<settings::LoadDevice>(), std::string());
    QCOMPARE(EffectiveSettings(layers).originOf(settings::kLoadDevice), SettingOrigin::Default);
    layers.commandLine = values(R"({"load":{"device":"gpu1"}})");
    QCOMPARE(EffectiveSettings(layers).get<settings::LoadDevice>(), std::string("gpu1"));
}

void TestEffectiveSettings::aRequest() {
    SettingLayers layers;
    layers.global = values(R"({"load":{"context":8192,"gpu_layers":20,"batch":256,"threads":3,"mmap":false,
        "mlock":true,"kv":"q8_0","backend":"vulkan","device":"gpu0","architecture":"llama"}})");
    const auto request = loadRequestOf(EffectiveSettings(layers));
    QCOMPARE(request.contextTokens, 8192u);
    QVERIFY(request.gpuLayers.kind == protocol::GpuLayers::Kind::Number);
    QCOMPARE(request.gpuLayers.number, 20u);
    QCOMPARE(request.batchTokens, 256u);
    QCOMPARE(request.threads, 3u);
    QVERIFY(!request.useMmap && request.lockMemory);
    QVERIFY(request.kv == graph::KvType::Q8_0);
    QCOMPARE(request.backend + request.device + request.architecture, std::string("vulkangpu0llama"));
    // Nothing set: exactly the request that nobody has touched.
    const auto usual = loadRequestOf(EffectiveSettings{SettingLayers{}});
    const protocol::LoadRequest untouched;
    QCOMPARE(usual.contextTokens, untouched.contextTokens);
    QCOMPARE(usual.batchTokens, untouched.batchTokens);
    QCOMPARE(usual.threads, untouched.threads);
    QCOMPARE(usual.backend, untouched.backend);
    QVERIFY(usual.kv == untouched.kv && usual.useMmap == untouched.useMmap);
    QVERIFY(usual.lockMemory == untouched.lockMemory && usual.gpuLayers.kind == untouched.gpuLayers.kind);
}

/// A load setting that changes nothing would be a lie: each one changes the request, the chain or the limit.
void TestEffectiveSettings::everyLoadSettingActs() {
    const auto fingerprint = [](const SettingLayers& layers) {
        const EffectiveSettings effective(layers);
        protocol::LoadRequest request = loadRequestOf(effective);
        const std::string asked = request.backend;
        const ChainPolicy policy = chainPolicyOf(effective, request);
        Json all = {request.contextTokens,
                    request.threads,
                    request.batchTokens,
                    static_cast<int>(request.gpuLayers.kind),
                    request.gpuLayers.number,
                    asked,
                    request.device,
                    request.architecture,
                    static_cast<int>(request.kv),
                    request.lockMemory,
                    request.useMmap,
                    policy.fallback,
                    policy.order,
                    policy.preferred,
                    memoryLimitOf(effective)};
        return all.dump();
    };
    const std::string usual = fingerprint({});
    int tried = 0;
    for (const SettingSpec& setting : allSettings()) {
        if (!setting.key.starts_with("load.")) continue;
        Json value = 7;
        if (setting.type == SettingType::Bool) value = !setting.defaultValue().get<bool>();
        if (setting.type == SettingType::Text) value = "x";
        if (setting.type == SettingType::Choice) value = "q8_0";
        if (setting.type == SettingType::TextList) value = {"x"};
        SettingLayers layers;
        QVERIFY(layers.global.set(setting.key, value).ok());
        QVERIFY2(fingerprint(layers) != usual, std::string(setting.key).c_str());
        ++tried;
    }
    QVERIFY(tried >= 13);
}

void TestEffectiveSettings::chainPolicies() {
    const auto policyFor = [](const char* global, const char* line, protocol::LoadRequest& request) {
        SettingLayers layers;
        layers.global = values(global);
        layers.commandLine = values(line);
        const EffectiveSettings effective(layers);
        request = loadRequestOf(effective);
        return chainPolicyOf(effective, request);
    };
    protocol::LoadRequest request;
    ChainPolicy policy = policyFor(R"({"load":{"backend":"vulkan"}})", "{}", request);
    QCOMPARE(request.backend, std::string("auto"));
    QCOMPARE(policy.preferred, std::string("vulkan"));
    policy = policyFor(R"({"load":{"backend":"vulkan","fallback":false}})", "{}", request);
    QCOMPARE(request.backend, std::string("vulkan"));
    QVERIFY(policy.preferred.empty() && !policy.fallback);
    policy = policyFor(R"({"load":{"backend":"cpu"}})", "{}", request);
    QCOMPARE(request.backend, std::string("cpu"));
    // Whom the user names now gets exactly that.
    policy =
        policyFor(R"({"load":{"fallback_order":["a","b"]}})", R"({"load":{"backend":"vulkan"}})", request);
    QCOMPARE(request.backend, std::string("vulkan"));
    QVERIFY(policy.preferred.empty());
    QCOMPARE(policy.order, (std::vector<std::string>{"a", "b"}));
}

void TestEffectiveSettings::answers() {
    SettingLayers layers;
    layers.global =
        values(R"({"sampling":{"temperature":0.1,"top_k":7,"top_p":0.5,"min_p":0.2,"typical_p":0.6,
        "repeat_penalty":1.3,"repeat_last_n":5,"frequency_penalty":0.4,"presence_penalty":-0.4,
        "dry_multiplier":0.9,"dry_base":2,"dry_allowed_length":3,"dry_last_n":9,"dry_breakers":["x"],
        "xtc_probability":0.3,"xtc_threshold":0.2,"mirostat":2,"mirostat_tau":4,"mirostat_eta":0.2,"seed":42,
        "order":["top_k","no_such","temperature","top_k"]},"answer":{"max_tokens":12,"stop":["a","b"]}})");
    QCOMPARE(layers.global.findings().size(), std::size_t{0});
    protocol::AnswerOptions options;
    applyAnswerSettings(EffectiveSettings(layers), options);
    const sampling::SamplingParameters& chosen = options.sampling;
    QVERIFY(chosen.validate().ok());
    QCOMPARE(chosen.temperature, 0.1F);
    QCOMPARE(chosen.topK, 7u);
    QCOMPARE(chosen.topP, 0.5F);
    QCOMPARE(chosen.minP, 0.2F);
    QCOMPARE(chosen.typicalP, 0.6F);
    QCOMPARE(chosen.repeatPenalty, 1.3F);
    QCOMPARE(chosen.repeatLastN, 5);
    QCOMPARE(chosen.frequencyPenalty, 0.4F);
    QCOMPARE(chosen.presencePenalty, -0.4F);
    QCOMPARE(chosen.dryMultiplier, 0.9F);
    QCOMPARE(chosen.dryBase, 2.0F);
    QCOMPARE(chosen.dryAllowedLength, 3u);
    QCOMPARE(chosen.dryPenaltyLastN, 9);
    QCOMPARE(chosen.drySequenceBreakers, std::vector<std::string>{"x"});
    QCOMPARE(chosen.xtcProbability, 0.3F);
    QCOMPARE(chosen.xtcThreshold, 0.2F);
    QVERIFY(chosen.mirostat == sampling::Mirostat::V2);
    QCOMPARE(chosen.mirostatTau, 4.0F);
    QCOMPARE(chosen.mirostatEta, 0.2F);
    QCOMPARE(chosen.seed, std::uint64_t{42});
    QCOMPARE(chosen.order.size(), std::size_t{2});
    QCOMPARE(*options.maxTokens, std::uint64_t{12});
    QCOMPARE(options.stops, (std::vector<std::string>{"a", "b"}));
}

/// Nothing set: what the file recommends stays, and our defaults are those of the engine.
void TestEffectiveSettings::aFileThatRecommends() {
    protocol::AnswerOptions options;
    options.sampling.temperature = 0.33F;
    options.sampling.topK = 9;
    options.sampling.seed = 5;
    const SettingValues recommended = modelFileValues(options.sampling);
    QCOMPARE(recommended.all().size(), std::size_t{2});
    QVERIFY(same(*recommended.find(settings::kSamplingTemperature), Json(0.33)));
    SettingLayers layers;
    layers.modelFile = recommended;
    applyAnswerSettings(EffectiveSettings(layers), options);
    QCOMPARE(options.sampling.temperature, 0.33F);
    QCOMPARE(options.sampling.topK, 9u);
    QCOMPARE(options.sampling.seed, std::uint64_t{5});
    QVERIFY(!options.maxTokens);
    QVERIFY(options.stops.empty());
    QVERIFY(modelFileValues({}).empty());
    protocol::AnswerOptions usual;
    QVERIFY(layers.global.set(settings::kSamplingTopK, 3).ok());
    applyAnswerSettings(EffectiveSettings(layers), usual);
    QCOMPARE(usual.sampling.topK, 3u);
    // The defaults of the list are those of the engine.
    const EffectiveSettings defaults{SettingLayers{}};
    const sampling::SamplingParameters engine;
    QCOMPARE(static_cast<float>(defaults.get<settings::SamplingTemperature>()), engine.temperature);
    QCOMPARE(static_cast<std::uint32_t>(defaults.get<settings::SamplingTopK>()), engine.topK);
    QCOMPARE(static_cast<float>(defaults.get<settings::SamplingTopP>()), engine.topP);
    QCOMPARE(static_cast<float>(defaults.get<settings::SamplingMinP>()), engine.minP);
    QCOMPARE(static_cast<float>(defaults.get<settings::SamplingDryBase>()), engine.dryBase);
    QCOMPARE(defaults.get<settings::SamplingDryBreakers>(), engine.drySequenceBreakers);
}

QTEST_GUILESS_MAIN(TestEffectiveSettings)
#include "tst_effective_settings.moc"
