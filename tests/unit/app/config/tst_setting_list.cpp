// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The list of settings itself, what users type for its values, and the page that is made from it.

#include <QFile>
#include <QTest>
#include <regex>
#include <set>

#include "core/app/config/setting_list.h"
#include "core/app/config/settings_reference.h"
#include "tests/support/json_compare.h"

using namespace loader;
using namespace loader::app;
using namespace loader::test;

class TestSettingList : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void theListIsSound();
    void typed_data();
    void typed();
    void theReferenceIsUpToDate();
};

void TestSettingList::theListIsSound() {
    std::set<std::string_view> keys;
    for (const SettingSpec& setting : allSettings()) {
        const std::string key(setting.key);
        QVERIFY2(keys.insert(setting.key).second, key.c_str());
        QVERIFY2(std::regex_match(key, std::regex("[a-z]+\\.[a-z_]+")), key.c_str());
        QVERIFY2(checkedSetting(setting, setting.defaultValue()).ok(), key.c_str());
        QVERIFY2(setting.since >= 1 && setting.since <= kConfigSchema, key.c_str());
        QVERIFY2(!setting.label.empty() && setting.help.ends_with("."), key.c_str());
        QVERIFY2((setting.type == SettingType::Choice) != setting.choices.empty(), key.c_str());
        QVERIFY2(setting.least <= setting.most, key.c_str());
        QVERIFY(findSetting(setting.key) == &setting);
    }
}

void TestSettingList::typed_data() {
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("json");
    const auto row = [](const char* key, const char* text, const char* json) {
        QTest::addRow("%s %s", key, text) << key << text << json;
    };
    row("load.context", "8192", "8192");
    row("load.context", "8192.0", "8192");
    row("load.context", "8k", "");
    row("load.context", "", "");
    row("load.gpu_layers", "auto", "\"auto\"");
    row("load.gpu_layers", "all", "\"all\"");
    row("load.gpu_layers", "0", "0");
    row("load.gpu_layers", "-1", "");
    row("load.mlock", "true", "true");
    row("load.mlock", "on", "true");
    row("load.mlock", "no", "false");
    row("load.mlock", "1", "");
    row("sampling.temperature", "0.7", "0.7");
    row("sampling.temperature", "0,7", "");
    row("sampling.temperature", "NaN", "");
    row("sampling.temperature", "1e999", "");
    row("models.folders", "/a b,/c", "[\"/a b\",\"/c\"]");
    row("models.folders", "[\"/a,b\"]", "[\"/a,b\"]");
    row("models.folders", "", "[]");
    row("window.position", "[1,-2]", "[1,-2]");
    row("window.position", "[1,2,3]", "");
    row("chat.system_prompt", "{\"a\":1}", "\"{\\\"a\\\":1}\"");
    row("log.level", "debug", "\"debug\"");
    row("log.level", "loud", "");
}

void TestSettingList::typed() {
    QFETCH(QString, key);
    QFETCH(QString, text);
    QFETCH(QString, json);
    const SettingSpec* setting = findSetting(key.toStdString());
    QVERIFY(setting);
    const auto value = parsedSetting(*setting, text.toStdString());
    QCOMPARE(value.ok(), !json.isEmpty());
    if (value.ok())
        QVERIFY(same(*value, Json::parse(json.toStdString())));
    else
        QCOMPARE(value.error().code(), Errc::C505);
}

/// Made anew with: gguf config show --markdown > docs/reference/settings.md
void TestSettingList::theReferenceIsUpToDate() {
    QFile file(qEnvironmentVariable("LOADER_SOURCE_DIR") + "/docs/reference/settings.md");
    QVERIFY(file.open(QIODevice::ReadOnly));
    QCOMPARE(QString::fromUtf8(file.readAll()), QString::fromStdString(settingsReference()));
}

QTEST_GUILESS_MAIN(TestSettingList)
#include "tst_setting_list.moc"
