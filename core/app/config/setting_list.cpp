// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/config/setting_list.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/app/storage/json_text.h"
#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

constexpr std::array kSettings = {
#define LOADER_SETTING(name, key, type, preset, least, most, unit, choices, reach, place, since, label, \
                       help)                                                                            \
    SettingSpec{key,                                                                                    \
                SettingType::type,                                                                      \
                preset,                                                                                 \
                least,                                                                                  \
                most,                                                                                   \
                unit,                                                                                   \
                choices,                                                                                \
                SettingReach::reach,                                                                    \
                SettingPlace::place,                                                                    \
                since,                                                                                  \
                label,                                                                                  \
                help},
#include "core/app/config/settings.inc"
};

/// What is shown of a refused value.
constexpr std::size_t kMostShown = 60;

std::string shown(const Json& value) {
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > kMostShown) text = utf8::sanitized(text.substr(0, kMostShown)) + "...";
    return text;
}

std::string plainNumber(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.15g", value);
    return text;
}

Error refused(const SettingSpec& setting, const Json& value, const std::string& why) {
    return Error(Errc::C505, {std::string(setting.key), shown(value), why});
}

bool isList(SettingType type) {
    return type == SettingType::TextList || type == SettingType::PathList || type == SettingType::IntegerList;
}

std::string wanted(const SettingSpec& setting) {
    switch (setting.type) {
        case SettingType::Bool: return "true or false";
        case SettingType::Integer: return "a whole number";
        case SettingType::Real: return "a number";
        case SettingType::Text: return "a text";
        case SettingType::Choice: return "a text";
        case SettingType::TextList: return "a list of texts";
        case SettingType::PathList: return "a list of paths";
        case SettingType::IntegerList: return "a list of whole numbers";
        case SettingType::GpuLayers: return "auto, all or a whole number";
    }
    return {};
}

/// A whole number however it is written; -0.0 becomes 0.
std::optional<Json> wholeNumber(const Json& value) {
    constexpr double kExact = 9007199254740992.0;
    if (value.is_number_integer()) {
        if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{1} << 53)
            return std::nullopt;
        return value;
    }
    if (!value.is_number_float()) return std::nullopt;
    const double number = value.get<double>();
    if (!std::isfinite(number) || number != std::floor(number) || std::fabs(number) > kExact)
        return std::nullopt;
    return Json(static_cast<std::int64_t>(number));
}

Result<Json> checkedNumber(const SettingSpec& setting, const Json& value) {
    if (!value.is_number()) return refused(setting, value, "it is " + wanted(setting));
    Json kept = value;
    if (setting.type != SettingType::Real) {
        const auto whole = wholeNumber(value);
        if (!whole) return refused(setting, value, "it is " + wanted(setting));
        kept = *whole;
    } else {
        kept = value.get<double>();
    }
    const double number = kept.get<double>();
    if (!std::isfinite(number) || number < setting.least || number > setting.most)
        return refused(setting, value, "the range is " + rangeText(setting));
    return kept;
}

Result<Json> checkedText(const SettingSpec& setting, const Json& value, double least, double most) {
    if (!value.is_string()) return refused(setting, value, "it is " + wanted(setting));
    const auto& text = value.get_ref<const std::string&>();
    if (!utf8::isValid(text)) return refused(setting, value, "it is not UTF-8");
    if (text.find('\0') != std::string::npos) return refused(setting, value, "it has a zero character");
    const auto length = static_cast<double>(text.size());
    if (length < least || length > most)
        return refused(setting, value, "its length is " + rangeText(setting));
    return value;
}

bool isChoice(std::string_view choices, std::string_view word) {
    while (!choices.empty()) {
        const std::size_t bar = choices.find('|');
        if (choices.substr(0, bar) == word) return true;
        choices = bar == std::string_view::npos ? std::string_view() : choices.substr(bar + 1);
    }
    return false;
}

Result<Json> checkedList(const SettingSpec& setting, const Json& value) {
    constexpr double kLongestText = 65536;
    if (!value.is_array()) return refused(setting, value, "it is " + wanted(setting));
    const auto length = static_cast<double>(value.size());
    if (length < setting.least || length > setting.most)
        return refused(setting, value, "it has " + rangeText(setting) + " entries");
    Json kept = Json::array();
    for (const Json& entry : value) {
        if (setting.type == SettingType::IntegerList) {
            const auto whole = wholeNumber(entry);
            if (!whole) return refused(setting, value, "it is " + wanted(setting));
            kept.push_back(*whole);
        } else {
            LOADER_TRY(Json text, checkedText(setting, entry, 0, kLongestText));
            kept.push_back(std::move(text));
        }
    }
    return kept;
}

Json listOf(std::string_view text) {
    Json list = Json::array();
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        list.push_back(std::string(text.substr(0, comma)));
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return list;
}

}  // namespace

Json SettingSpec::defaultValue() const {
    return Json::parse(defaultText);
}

std::span<const SettingSpec> allSettings() {
    return kSettings;
}

const SettingSpec* findSetting(std::string_view key) {
    const auto found = std::find_if(kSettings.begin(), kSettings.end(),
                                    [key](const SettingSpec& setting) { return setting.key == key; });
    return found == kSettings.end() ? nullptr : &*found;
}

std::string rangeText(const SettingSpec& setting) {
    if (setting.type == SettingType::Bool) return "true or false";
    std::string text;
    if (setting.type == SettingType::Choice) {
        text = setting.choices;
        for (std::size_t bar = text.find('|'); bar != std::string::npos; bar = text.find('|', bar))
            text.replace(bar, 1, text.find('|', bar + 1) == std::string::npos ? " or " : ", ");
        return text;
    }
    if (setting.type == SettingType::GpuLayers) text = "auto, all or ";
    text += plainNumber(setting.least) + " to " + plainNumber(setting.most);
    if (setting.type == SettingType::Text) return text + " bytes";
    if (!setting.unit.empty() && !isList(setting.type)) text += " " + std::string(setting.unit);
    return text;
}

Result<Json> checkedSetting(const SettingSpec& setting, const Json& value) {
    switch (setting.type) {
        case SettingType::Bool:
            if (!value.is_boolean()) return refused(setting, value, "it is " + wanted(setting));
            return value;
        case SettingType::Integer:
        case SettingType::Real: return checkedNumber(setting, value);
        case SettingType::Text: return checkedText(setting, value, setting.least, setting.most);
        case SettingType::Choice:
            if (!value.is_string() || !isChoice(setting.choices, value.get_ref<const std::string&>()))
                return refused(setting, value, "it is " + rangeText(setting));
            return value;
        case SettingType::GpuLayers:
            if (value == "auto" || value == "all") return value;
            return checkedNumber(setting, value);
        case SettingType::TextList:
        case SettingType::PathList:
        case SettingType::IntegerList: return checkedList(setting, value);
    }
    return Error(Errc::X003, {"a type of setting without a check"});
}

Result<Json> parsedSetting(const SettingSpec& setting, std::string_view text) {
    const bool isText = setting.type == SettingType::Text || setting.type == SettingType::Choice;
    if (isText || text == "auto" || text == "all") return checkedSetting(setting, std::string(text));
    if (setting.type == SettingType::Bool) {
        if (text == "on" || text == "yes") return Json(true);
        if (text == "off" || text == "no") return Json(false);
    }
    const auto parsed = parseJson(text);
    if (parsed) return checkedSetting(setting, parsed->document);
    if (setting.type == SettingType::TextList || setting.type == SettingType::PathList)
        return checkedSetting(setting, listOf(text));
    return refused(setting, std::string(text), "it is " + rangeText(setting));
}

}  // namespace loader::app
