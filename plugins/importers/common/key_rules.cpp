// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/common/key_rules.h"

#include <algorithm>
#include <array>

#include "core/app/config/setting_list.h"
#include "core/engine/base/utf8.h"

namespace loader::importers {
namespace {

std::string lowered(std::string_view text) {
    std::string low(text);
    for (char& letter : low)
        letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    return low;
}

/// JSON only: no signs in front, no hexadecimal, no language with a comma.
Json numberFromText(std::string_view text) {
    const std::string padding = " \t\r\n";
    const std::size_t first = text.find_first_not_of(padding);
    if (first == std::string_view::npos) return Json(Json::value_t::discarded);
    text = text.substr(first, text.find_last_not_of(padding) - first + 1);
    std::string plain(text.front() == '+' ? text.substr(1) : text);
    if (!plain.empty() && plain.front() == '.') plain.insert(0, "0");
    if (plain.size() > 64 || plain.find_first_not_of("0123456789.eE+-") != std::string::npos)
        return Json(Json::value_t::discarded);
    const Json parsed = Json::parse(plain, nullptr, false);
    return parsed.is_number() ? parsed : Json(Json::value_t::discarded);
}

Taken listOfTexts(const Json& value) {
    if (value.is_string()) return Taken::set(Json::array({value}));
    return Taken::set(value);
}

/// The number, or null where the value is not set or no whole number; then answer says which.
Json wholeOr(const Json& value, Taken& answer) {
    if (value.is_null()) {
        answer = Taken::ignore(std::string(kNotSet));
        return nullptr;
    }
    const Json number = numberOf(value);
    const bool whole =
        number.is_number_integer() ||
        (number.is_number_float() &&
         number.get<double>() ==
             static_cast<double>(static_cast<std::int64_t>(std::clamp(number.get<double>(), -9e15, 9e15))));
    if (whole) return number;
    answer = Taken::refuse("It is a whole number");
    return nullptr;
}

}  // namespace

const KeyRule* findRule(std::span<const KeyRule> rules, std::string_view key) {
    const auto found =
        std::find_if(rules.begin(), rules.end(), [key](const KeyRule& rule) { return rule.key == key; });
    return found == rules.end() ? nullptr : &*found;
}

Json numberOf(const Json& value) {
    if (value.is_number()) return value;
    if (value.is_string()) return numberFromText(value.get_ref<const std::string&>());
    return Json(Json::value_t::discarded);
}

Json boolOf(const Json& value) {
    if (value.is_boolean()) return value;
    std::string word = value.is_number_integer() ? value.dump() : std::string();
    if (value.is_string()) word = lowered(value.get_ref<const std::string&>());
    constexpr std::array<std::string_view, 5> kYes = {"1", "true", "yes", "on", "enabled"};
    constexpr std::array<std::string_view, 5> kNo = {"0", "false", "no", "off", "disabled"};
    if (std::find(kYes.begin(), kYes.end(), word) != kYes.end()) return true;
    if (std::find(kNo.begin(), kNo.end(), word) != kNo.end()) return false;
    return Json(Json::value_t::discarded);
}

Taken sameMeaning(const Json& value, std::string_view target) {
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    const app::SettingSpec* spec = app::findSetting(target);
    if (!spec) return Taken::set(value);
    switch (spec->type) {
        case app::SettingType::Bool: {
            const Json known = boolOf(value);
            return known.is_discarded() ? Taken::set(value) : Taken::set(known);
        }
        case app::SettingType::Integer:
        case app::SettingType::Real:
        case app::SettingType::GpuLayers: {
            const Json known = numberOf(value);
            return known.is_discarded() ? Taken::set(value) : Taken::set(known);
        }
        case app::SettingType::TextList:
        case app::SettingType::PathList: return listOfTexts(value);
        default: return Taken::set(value);
    }
}

Taken layersMinusAll(const Json& value) {
    Taken answer;
    if (value == "all" || value == "auto") return Taken::set(value);
    const Json number = wholeOr(value, answer);
    if (number.is_null()) return answer;
    if (number.get<double>() < 0) return Taken::set("all", "A negative number is all layers there");
    return Taken::set(number);
}

Taken layersMinusAuto(const Json& value) {
    Taken answer;
    if (value == "all" || value == "auto") return Taken::set(value);
    const Json number = wholeOr(value, answer);
    if (number.is_null()) return answer;
    if (number.get<double>() < 0) return Taken::set("auto", "A negative number is automatic there");
    return Taken::set(number);
}

Taken threadsOrAuto(const Json& value) {
    Taken answer;
    const Json number = wholeOr(value, answer);
    if (number.is_null()) return answer;
    if (number.get<double>() <= 0) return Taken::set(0, "Automatic");
    return Taken::set(number);
}

Taken tokensOrUnlimited(const Json& value) {
    Taken answer;
    const Json number = wholeOr(value, answer);
    if (number.is_null()) return answer;
    if (number.get<double>() <= 0) return Taken::set(0, "No limit but the context");
    return Taken::set(number);
}

Taken contextOrTrained(const Json& value) {
    Taken answer;
    const Json number = wholeOr(value, answer);
    if (number.is_null()) return answer;
    if (number.get<double>() <= 0) return Taken::set(0, "What the model was trained for");
    return Taken::set(number);
}

Taken cacheTypeByName(const Json& value) {
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    const std::string name = value.is_string() ? lowered(value.get_ref<const std::string&>()) : std::string();
    if (name == "f16" || name == "fp16") return Taken::set("f16");
    if (name == "q8_0" || name == "q8") return Taken::set("q8_0");
    if (name == "f32" || name == "bf16")
        return Taken::set("f16", "There is no " + name + " here; f16 is next");
    constexpr std::array<std::string_view, 9> kSmaller = {"q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl",
                                                          "q4",   "q5",   "q6",   "q6_0"};
    if (std::find(kSmaller.begin(), kSmaller.end(), name) != kSmaller.end())
        return Taken::set("q8_0", "There is no " + name + " here; q8_0 is next");
    return Taken::refuse("It is no type of the cache");
}

Taken negated(const Json& value) {
    if (value.is_null()) return Taken::ignore(std::string(kNotSet));
    const Json known = boolOf(value);
    if (known.is_discarded()) return Taken::refuse("It is true or false");
    return Taken::set(!known.get<bool>(), "There it is the opposite");
}

Taken seedOrRandom(const Json& value) {
    Taken answer;
    const Json number = wholeOr(value, answer);
    if (number.is_null()) return answer;
    if (number.get<double>() < 0 || number.get<double>() == 4294967295.0)
        return Taken::set(-1, "Another one every time");
    return Taken::set(number);
}

Taken samplerOrder(const Json& names) {
    struct Name {
        std::string_view theirs;
        std::string_view ours;
    };
    constexpr std::array kNames = {
        Name{"penalties", "penalties"},
        Name{"repetition_penalty", "penalties"},
        Name{"presence_penalty", "penalties"},
        Name{"frequency_penalty", "penalties"},
        Name{"dry", "dry"},
        Name{"top_k", "top_k"},
        Name{"typ_p", "typical_p"},
        Name{"typical_p", "typical_p"},
        Name{"typical", "typical_p"},
        Name{"top_p", "top_p"},
        Name{"min_p", "min_p"},
        Name{"xtc", "xtc"},
        Name{"temperature", "temperature"},
    };
    if (names.is_null()) return Taken::ignore(std::string(kNotSet));
    if (!names.is_array()) return Taken::refuse("It is a list of names");
    Json order = Json::array();
    std::string left;
    for (const Json& name : names) {
        const auto known = std::find_if(kNames.begin(), kNames.end(),
                                        [&name](const Name& entry) { return name == entry.theirs; });
        const Json ours = known == kNames.end() ? Json() : Json(known->ours);
        if (ours.is_null() && name.is_string()) left += (left.empty() ? "" : ", ") + name.get<std::string>();
        // A stage runs once; where it stands first counts.
        if (!ours.is_null() && std::find(order.begin(), order.end(), ours) == order.end())
            order.push_back(ours);
    }
    if (order.empty()) return Taken::ignore("None of them is built here");
    return Taken::set(order, left.empty() ? std::string() : "Not built here and left out: " + left);
}

std::string joinedKey(const std::string& prefix, const std::string& name) {
    return prefix.empty() ? name : prefix + "." + name;
}

bool looksSecret(std::string_view key) {
    const std::string name = lowered(key.substr(key.rfind('.') + 1));
    constexpr std::array<std::string_view, 8> kParts = {"api_key", "apikey", "api-key",     "password",
                                                        "secret",  "passwd", "credentials", "keyfile"};
    const auto occurs = [&name](std::string_view part) { return name.find(part) != std::string::npos; };
    const bool token = name == "token" || name.ends_with("_token") || name.ends_with("-token");
    return token || std::any_of(kParts.begin(), kParts.end(), occurs);
}

bool hasLeavesBelow(const Json& value) {
    if (value.is_object()) return !value.empty();
    if (!value.is_array()) return false;
    return std::any_of(value.begin(), value.end(), [](const Json& entry) { return entry.is_structured(); });
}

namespace {

bool canBeKept(const std::string& name) {
    const auto isControl = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
    return !name.empty() && utf8::isValid(name) && std::none_of(name.begin(), name.end(), isControl);
}

/// Names of presets come from files of others; ours have 1 to 200 bytes and no control characters.
app::SettingOwner withFittingName(app::SettingOwner owner) {
    constexpr std::size_t kLongest = 200;
    if (owner.kind != app::SettingOwner::Kind::Preset) return owner;
    std::string name = utf8::sanitized(owner.name);
    if (name.size() > kLongest) name.resize(utf8::completePrefix(name.substr(0, kLongest)));
    for (char& c : name)
        c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    owner.name = name.empty() ? "imported" : name;
    return owner;
}

/// Calls leaf for every leaf below a value. Depth is limited where the file is read.
template <class Function>
void forEachLeaf(const std::string& key, const Json& value, const Function& leaf) {
    if (!hasLeavesBelow(value)) return leaf(key, value);
    if (value.is_object()) {
        for (const auto& [name, below] : value.items())
            forEachLeaf(joinedKey(key, name), below, leaf);
        return;
    }
    for (std::size_t i = 0; i < value.size(); ++i)
        forEachLeaf(key + "[" + std::to_string(i) + "]", value[i], leaf);
}

}  // namespace

void KeyWalk::ignore(const std::string& key, const Json& value, std::string_view reason) const {
    forEachLeaf(key, value, [&](const std::string& leaf, const Json& below) {
        if (looksSecret(leaf) && !below.is_null())
            m_sink.secret(at(leaf), "A secret is not taken over");
        else
            m_sink.ignored(at(leaf), below, reason);
    });
}

void KeyWalk::unknown(const std::string& key, const Json& value) const {
    ignore(key, value, kUnknownKey);
}

void KeyWalk::invalid(const std::string& key, const Json& value, std::string_view reason) const {
    forEachLeaf(key, value, [&](const std::string& leaf, const Json& below) {
        if (looksSecret(leaf))
            m_sink.secret(at(leaf), "A secret is not taken over");
        else
            m_sink.invalid(at(leaf), below, reason);
    });
}

void KeyWalk::secret(const std::string& key, const Json& value) const {
    forEachLeaf(key, value, [&](const std::string& leaf, const Json& below) {
        if (below.is_null())
            m_sink.ignored(at(leaf), below, kNotSet);
        else
            m_sink.secret(at(leaf), "A secret is not taken over");
    });
}

void KeyWalk::set(const std::string& key, const app::SettingOwner& whose, std::string_view target,
                  const Taken& taken, const Json& original, std::string_view words) const {
    const app::SettingOwner owner = withFittingName(whose);
    switch (taken.kind) {
        case Taken::Kind::Set:
            if (owner.kind == app::SettingOwner::Kind::Model && !canBeKept(owner.name))
                return invalid(key, original, "The path of its model has characters that cannot be kept");
            m_sink.setting(at(key), owner, target, taken.value, original,
                           taken.words.empty() ? words : std::string_view(taken.words));
            return;
        case Taken::Kind::Ignore: ignore(key, original, taken.words); return;
        case Taken::Kind::Refuse: invalid(key, original, taken.words); return;
    }
}

void KeyWalk::take(const KeyRule& rule, const std::string& key, const Json& value,
                   const app::SettingOwner& owner) const {
    if (rule.secret) return secret(key, value);
    if (rule.target.empty()) return ignore(key, value, value.is_null() ? kNotSet : rule.words);
    if (hasLeavesBelow(value)) return invalid(key, value, "It is one value, not a structure");
    const Taken taken = rule.take ? rule.take(value) : sameMeaning(value, rule.target);
    set(key, owner, rule.target, taken, value, rule.words);
}

void KeyWalk::member(std::span<const KeyRule> rules, const std::string& prefix, const std::string& name,
                     const Json& value, const app::SettingOwner& owner) const {
    const KeyRule* rule = findRule(rules, name);
    const std::string key = joinedKey(prefix, name);
    if (rule)
        take(*rule, key, value, owner);
    else
        unknown(key, value);
}

void KeyWalk::object(std::span<const KeyRule> rules, const std::string& prefix, const Json& object,
                     const app::SettingOwner& owner) const {
    if (!object.is_object()) return invalid(prefix, object, "It is a list of keys and values");
    if (object.empty() && !prefix.empty()) return ignore(prefix, object, kNotSet);
    for (const auto& [name, value] : object.items())
        member(rules, prefix, name, value, owner);
}

void KeyWalk::repeated(const app::JsonText& text) const {
    for (const std::string& key : text.repeated)
        m_sink.ignored(at(key), nullptr, "This key stands more than once; the last one counts");
}

}  // namespace loader::importers
