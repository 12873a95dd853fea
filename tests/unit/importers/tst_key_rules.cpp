// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What tables of keys do with values, and how model files and patterns of names are understood.

#include <QTest>

#include "core/app/config/setting_list.h"
#include "core/app/import/import_recorder.h"
#include "plugins/importers/common/key_rules.h"
#include "plugins/importers/common/model_sets.h"
#include "plugins/importers/text-generation-webui/command_flags.h"
#include "plugins/importers/text-generation-webui/name_pattern.h"

using namespace loader;
using namespace loader::importers;
namespace settings = loader::app::settings;

namespace {

bool fits(const char* pattern, const char* name) {
    const auto parsed = NamePattern::parse(pattern);
    return parsed && parsed->matches(name);
}

}  // namespace

class TestKeyRules : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void numbersAndTruths() {
        QVERIFY(numberOf("4096") == Json(4096));
        QVERIFY(numberOf(" +.5 ") == Json(0.5));
        QVERIFY(numberOf("-1") == Json(-1));
        for (const Json& none :
             {Json("0,7"), Json("1e999"), Json(""), Json("0x10"), Json("[1]"), Json(true), Json("1 2")})
            QVERIFY2(numberOf(none).is_discarded(), none.dump().c_str());
        for (const Json& yes : {Json(true), Json(1), Json("yes"), Json("True"), Json("ON")})
            QVERIFY(boolOf(yes) == Json(true));
        for (const Json& no : {Json(false), Json(0), Json("no"), Json("FALSE"), Json("off")})
            QVERIFY(boolOf(no) == Json(false));
        for (const Json& neither : {Json(2), Json("maybe"), Json(nullptr), Json(1.0)})
            QVERIFY(boolOf(neither).is_discarded());
    }

    void meanings() {
        QVERIFY(layersMinusAll(-1).value == Json("all"));
        QVERIFY(layersMinusAuto(-1).value == Json("auto"));
        QVERIFY(layersMinusAll(0).value == Json(0));
        QVERIFY(layersMinusAll(1e300).kind == Taken::Kind::Refuse);
        QVERIFY(layersMinusAll(nullptr).kind == Taken::Kind::Ignore);
        QVERIFY(threadsOrAuto("-1").value == Json(0));
        QVERIFY(seedOrRandom(4294967295u).value == Json(-1));
        QVERIFY(cacheTypeByName("Q4_0").value == Json("q8_0"));
        QVERIFY(cacheTypeByName("x").kind == Taken::Kind::Refuse);
        QVERIFY(negated(true).value == Json(false));
        QVERIFY(samplerOrder({"top_k", "penalties", "repetition_penalty", "tfs"}).value ==
                Json({"top_k", "penalties"}));
        QVERIFY(samplerOrder(Json::array({"tfs"})).kind == Taken::Kind::Ignore);
        QVERIFY(samplerOrder(7).kind == Taken::Kind::Refuse);
    }

    void everyLeafHasALine() {
        const KeyRule rules[] = {{"a", settings::kLoadContext}, {"s", {}, nullptr, {}, true}};
        const Json document = Json::parse(
            R"({"a":{"b":1,"c":{}},"s":{"x":"hidden","y":null},"u":[1,2],"v":[{"k":1},3],"api_key":"hidden","w":{}})");
        app::ImportRecorder recorder;
        KeyWalk("f", recorder).object(rules, {}, document, app::SettingOwner::global());
        std::vector<std::string> keys;
        for (const app::ReportLine& line : recorder.report().lines)
            keys.push_back(line.source.key);
        QCOMPARE(keys, (std::vector<std::string>{"a.b", "a.c", "s.x", "s.y", "u", "v[0].k", "v[1]", "api_key",
                                                 "w"}));
        QVERIFY(recorder.report().toJson().dump().find("hidden") == std::string::npos);
    }

    void namesOfPresetsFit() {
        app::ImportRecorder recorder;
        const KeyWalk walk("f", recorder);
        walk.set("k", app::SettingOwner::preset("a\nb" + std::string(400, 'x')), settings::kLoadContext,
                 Taken::set(1), 1);
        QCOMPARE(recorder.settings().front().owner.name.size(), std::size_t{200});
        QCOMPARE(recorder.settings().front().owner.name.substr(0, 3), std::string("a b"));
        walk.set("k", app::SettingOwner::preset(""), settings::kLoadContext, Taken::set(1), 1);
        QCOMPARE(recorder.settings().back().owner.name, std::string("imported"));
        walk.set("k", app::SettingOwner::model("/a\xFF.gguf"), settings::kLoadContext, Taken::set(1), 1);
        QCOMPARE(recorder.settings().size(), std::size_t{2});
        QVERIFY(recorder.report().lines.back().verdict == app::ImportVerdict::Invalid);
    }

    void partsAndProjectors() {
        const auto part = partNameOf("m-Q8_0-00002-of-00003.gguf");
        QCOMPARE(part.stem, std::string("m-Q8_0"));
        QCOMPARE(part.part, 2u);
        QCOMPARE(part.parts, 3u);
        for (const std::string name : {"m.gguf", "m-00000-of-00003.gguf", "m-00004-of-00003.gguf",
                                       "m-0001-of-0003.gguf", "-of-00003.gguf"})
            QVERIFY2(partNameOf(name).parts == 0, name.c_str());
        const auto sets =
            modelSets({"a/m-00001-of-00002.gguf", "a/m-00002-of-00002.gguf", "a/mmproj-BF16.gguf",
                       "a/mmproj-F16.gguf", "b/mmproj.gguf", "c/x-00002-of-00002.gguf", "c/README"});
        QCOMPARE(sets.size(), std::size_t{3});
        QCOMPARE(sets[0].projector, std::string("a/mmproj-F16.gguf"));
        QCOMPARE(sets[0].parts, 2u);
        QVERIFY(!sets[1].fault.empty() && !sets[2].fault.empty());
    }

    void quants() {
        QCOMPARE(quantInName("x-Q4_K_M.gguf"), std::string("Q4_K_M"));
        QCOMPARE(quantInName("q4-tuned.IQ3_XXS-00001-of-00002.gguf"), std::string("IQ3_XXS"));
        QCOMPARE(quantInName("plain.gguf"), std::string());
        QCOMPARE(quantRank("x-IQ4_NL.gguf"), 0u);
        QCOMPARE(quantRank("x-Q5_1.gguf"), 1u);
        QCOMPARE(quantRank("x-Q8_0.gguf"), 2u);
        QCOMPARE(quantRank("x-F16.gguf"), 3u);
    }

    void patterns() {
        QVERIFY(fits("a.gguf$", "A.gguf") && fits("a.gguf$", "axgguf") && !fits("a.gguf$", "a.gguf.bak"));
        QVERIFY(fits("a\\.gguf$", "a.gguf") && !fits("a\\.gguf$", "axgguf"));
        QVERIFY(fits("a", "abc") && !fits("b", "abc") && fits(".*b", "abc") && fits("^a.*c$", "abbc"));
        QVERIFY(fits(".*", "") && !fits("a.*b$", "abc"));
        for (const char* other : {"(a|b)", "a+", "a?", "[ab]", "a{2}", "a*", "\\d", "a|b", "a\\", "a$b", ""})
            QVERIFY2(!NamePattern::parse(other), other);
        QCOMPARE(*NamePattern::parse("a.gguf$")->plainName(), std::string("a.gguf"));
        QVERIFY(!NamePattern::parse("a.gguf")->plainName() && !NamePattern::parse("a.*$")->plainName());
        QVERIFY(NamePattern::parse(".*")->matchesAll() && !NamePattern::parse("$")->matchesAll());
        // No pattern takes long.
        std::string slow;
        for (int i = 0; i < 1000; ++i)
            slow += "a.*";
        QVERIFY(!NamePattern::parse(slow + "b$")->matches(std::string(2000, 'a')));
    }

    void flags() {
        const auto parsed = parseCommandFlags("first --a 1 -2 --b='x y' # c\r\n#all\n--c-d \"# no\" --");
        QCOMPARE(parsed.strays, std::vector<std::string>{"first"});
        QCOMPARE(parsed.flags.size(), std::size_t{3});
        QVERIFY(parsed.flags[0].value == Json({"1", "-2"}));
        QVERIFY(parsed.flags[1].value == Json("x y"));
        QCOMPARE(parsed.flags[2].name, std::string("c_d"));
        QVERIFY(parsed.flags[2].value == Json({"# no", "--"}));
    }
};

QTEST_GUILESS_MAIN(TestKeyRules)
#include "tst_key_rules.moc"
