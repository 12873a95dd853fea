// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Preset files of llama.cpp's router: the grammar, and that what is written is read back as the same
// settings.

#include <QTemporaryDir>
#include <QTest>
#include <fstream>
#include <map>

#include "core/app/import/import_recorder.h"
#include "core/app/import/router_presets.h"
#include "plugins/importers/llama-cpp-presets/importer.h"

using namespace loader;
using namespace loader::app;

class TestRouterPresets : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void grammar() {
        const auto parsed = parseRouterPresets(
            "version = 1\r[*]\r\nc=1\n\r  key  =  a = b ; c \n[x]y]\n#no\n;no\n[]\nz=\n[open\n=v\nword");
        QVERIFY(parsed);
        QCOMPARE(parsed->sections.size(), std::size_t{4});
        QCOMPARE(parsed->sections[1].entries[1].key, std::string("key"));
        QCOMPARE(parsed->sections[1].entries[1].value, std::string("a = b ; c"));
        QCOMPARE(parsed->sections[2].name, std::string("x]y"));
        QCOMPARE(parsed->sections[3].entries[0].value, std::string());
        QCOMPARE(parsed->strangeLines.size(), std::size_t{3});
        QCOMPARE(parseRouterPresets(std::string(70'000, '\n')).error().code(), Errc::C501);
    }

    void names() {
        QCOMPARE(findPresetOption("ngl"), findPresetOption("gpu-layers"));
        QCOMPARE(findPresetOption("LLAMA_ARG_CTX_SIZE")->target, settings::kLoadContext);
        QVERIFY(!findPresetOption("nothing") && !findPresetOption("") &&
                !findPresetOption("c|LLAMA_ARG_CTX_SIZE"));
    }

    void whatIsWrittenComesBack() {
        const QTemporaryDir folder;
        const std::string path = folder.path().toStdString() + "/models.ini";
        const std::string model = folder.path().toStdString() + "/a.gguf";
        std::ofstream(model) << "GGUF";
        const std::map<std::string, Json> wanted = {
            {"load.context", 8192},
            {"load.gpu_layers", "all"},
            {"load.batch", 256},
            {"load.threads", 0},
            {"load.mmap", false},
            {"load.mlock", true},
            {"load.kv", "q8_0"},
            {"load.backend", "cpu"},
            {"sampling.temperature", 0.35},
            {"sampling.top_k", 12},
            {"sampling.seed", -1},
            {"answer.max_tokens", 0},
            {"sampling.order", {"typical_p", "temperature"}},
            {"answer.stop", {"</s>"}},
        };
        RouterPreset preset{"a", model, {}, {}};
        for (const auto& [key, value] : wanted)
            preset.settings.emplace_back(key, value);
        preset.settings.emplace_back("chat.system_prompt", "two\nlines");
        const std::string text = routerPresetText({{"*", {}, {}, {{"load.context", 1024}}}, preset});
        QVERIFY(text.find("; chat.system_prompt has no option") != std::string::npos);
        std::ofstream(path) << text;
        ImportRecorder recorder;
        SearchRoots roots;
        QVERIFY(importers::LlamaCppPresetsImporter().check(path) == Confidence::Sure);
        QVERIFY(importers::LlamaCppPresetsImporter().read(path, roots, recorder, {}));
        std::map<std::string, Json> found;
        for (const RecordedSetting& setting : recorder.settings()) {
            if (setting.owner.kind == SettingOwner::Kind::Model) found[setting.key] = setting.value;
        }
        QCOMPARE(Json(found).dump(), Json(wanted).dump());
        QVERIFY(recorder.settings().front().value == Json(1024));
        QCOMPARE(recorder.report().count(ImportVerdict::Invalid), std::size_t{0});
    }

    void noLineBecomesTwo() {
        const std::string text = routerPresetText({{"a\n[b]", {}, {}, {{"load.context", 1}}},
                                                   {"c", "/x\nhf-token = 1", {}, {}},
                                                   {"d", {}, {}, {{"load.architecture", "x\ny = 1"}}}});
        QVERIFY(text.find("[b]") == std::string::npos);
        QVERIFY(text.find("hf-token") == std::string::npos);
        QVERIFY(text.find("y = 1") == std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestRouterPresets)
#include "tst_router_presets.moc"
