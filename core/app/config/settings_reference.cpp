// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/config/settings_reference.h"

#include "core/app/config/setting_list.h"

namespace loader::app {
namespace {

constexpr const char* kHead =
    "# Settings\n\n"
    "<!-- Made by `gguf config show --markdown` from core/app/config/settings.inc; do not edit. -->\n\n"
    "Set one with `gguf config set KEY VALUE`, take it back with `gguf config reset KEY`. The value that "
    "counts is the\n"
    "last of: the default, what the model's file recommends (of `sampling` only), `config.json`, a preset\n"
    "(`--preset NAME`), the model's own settings (`--model PATH`), the chat, the command line, the "
    "environment.\n"
    "`gguf config show` tells which one it was.\n\n"
    "Reach: *model* settings may differ for each preset, model and chat; *program* settings are one for all. "
    "Place:\n"
    "*machine* settings speak of this machine and should not follow you to another one.\n";

std::string escaped(std::string_view text) {
    std::string result;
    for (const char character : text) {
        if (character == '|') result += '\\';
        result += character;
    }
    return result;
}

/// "a whole number, 0 to 1024"; rangeText() says what a list or a text may hold, not what it is.
std::string valueText(const SettingSpec& setting) {
    switch (setting.type) {
        case SettingType::Integer: return "a whole number, " + rangeText(setting);
        case SettingType::Real: return "a number, " + rangeText(setting);
        case SettingType::Text: return "a text, " + rangeText(setting);
        case SettingType::TextList: return "a list of texts, " + rangeText(setting) + " entries";
        case SettingType::PathList: return "a list of paths, " + rangeText(setting) + " entries";
        case SettingType::IntegerList: return "a list of whole numbers, " + rangeText(setting) + " entries";
        case SettingType::Bool:
        case SettingType::Choice:
        case SettingType::GpuLayers: break;
    }
    return rangeText(setting);
}

std::string group(std::string_view key) {
    return std::string(key.substr(0, key.find('.')));
}

}  // namespace

std::string settingsReference() {
    std::string page = kHead;
    std::string last;
    for (const SettingSpec& setting : allSettings()) {
        if (group(setting.key) != last) {
            last = group(setting.key);
            page += "\n## " + last +
                    "\n\n| key | default | value | reach | place | since | meaning |\n"
                    "| --- | --- | --- | --- | --- | --- | --- |\n";
        }
        page += "| `" + std::string(setting.key) + "` | `" + escaped(setting.defaultText) + "` | " +
                escaped(valueText(setting)) + " | " +
                (setting.reach == SettingReach::Model ? "model" : "program") + " | " +
                (setting.place == SettingPlace::Machine ? "machine" : "roaming") + " | " +
                std::to_string(setting.since) + " | **" + escaped(setting.label) + ".** " +
                escaped(setting.help) + " |\n";
    }
    return page;
}

}  // namespace loader::app
