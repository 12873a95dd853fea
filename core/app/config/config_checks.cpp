// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// ConfigStore::validate(): everything that is wrong or odd about the three files, in words.

#include <algorithm>
#include <numeric>

#include "core/app/config/config_store.h"

namespace loader::app {
namespace {

using Kind = SettingOwner::Kind;
using Severity = ConfigFinding::Severity;

/// How many characters must change; long names are not worth the time.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t corner = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t above = row[j + 1];
            row[j + 1] = std::min({corner + (a[i] == b[j] ? 0 : 1), above + 1, row[j] + 1});
            corner = above;
        }
    }
    return row.back();
}

std::string lastPart(std::string_view key) {
    return std::string(key.substr(key.rfind('.') + 1));
}

/// The setting that was probably meant; empty where none is near.
std::string nearest(const std::string& key) {
    constexpr std::size_t kLongest = 64;
    constexpr std::size_t kNear = 3;
    if (key.size() > kLongest) return {};
    std::string best;
    std::size_t least = kNear + 1;
    for (const SettingSpec& setting : allSettings()) {
        const std::size_t whole = distance(key, setting.key);
        const std::size_t part = lastPart(key) == lastPart(setting.key) ? 1 : least;
        const std::size_t away = std::min(whole, part);
        if (away >= least) continue;
        least = away;
        best = setting.key;
    }
    return best;
}

ConfigFinding aboutUnknown(const std::string& key, const std::string& place) {
    const std::string meant = nearest(key);
    return {Severity::Warning, "There is no setting " + key + "; it is kept, and has no effect.",
            place + ": " + key,
            meant.empty() ? "Remove it with: gguf config reset " + key : "Perhaps " + meant + " was meant.",
            key};
}

void checkDocument(const JsonDocument& document, std::vector<ConfigFinding>& findings) {
    for (const Error& notice : document.notices()) {
        findings.push_back({Severity::Error,
                            notice.message(),
                            notice.place().empty() ? document.path() : notice.place(),
                            notice.action(),
                            {}});
    }
    if (document.state() == DocumentState::Legacy) {
        findings.push_back(
            {Severity::Warning,
             "The file has no schema: it was written by an older version or another program, and is "
             "not used.",
             document.path(),
             "Take it over with: gguf migrate",
             {}});
    }
    for (const std::string& key : document.repeated()) {
        findings.push_back({Severity::Warning,
                            "The key " + key + " stands more than once; the last one counts.",
                            document.path() + ": " + key, "Remove the others.", key});
    }
    if (document.encoding() != "UTF-8") {
        findings.push_back({Severity::Note,
                            "The file is in " + document.encoding() + ", not in UTF-8.",
                            document.path(),
                            "It will be UTF-8 when a setting is changed next.",
                            {}});
    }
}

void add(const SettingValues& values, const std::string& place, std::vector<ConfigFinding>& findings) {
    findings.insert(findings.end(), values.findings().begin(), values.findings().end());
    for (const std::string& key : values.unknown())
        findings.push_back(aboutUnknown(key, place));
}

/// What stands beside the object that holds the owners, or in its place.
void checkGroup(const JsonDocument& document, const std::string& group,
                std::vector<ConfigFinding>& findings) {
    for (const auto& entry : document.value().items()) {
        if (entry.key() == "schema") continue;
        if (entry.key() != group) {
            findings.push_back({Severity::Warning,
                                "There is nothing named " + entry.key() + " here; it is kept.",
                                document.path() + ": " + entry.key(), "Remove it by hand.", entry.key()});
        } else if (!entry.value().is_object()) {
            findings.push_back({Severity::Error, "The value of " + group + " is no object, and is not used.",
                                document.path() + ": " + group, "Correct it by hand.", group});
        }
    }
}

}  // namespace

std::vector<ConfigFinding> ConfigStore::validate() const {
    std::vector<ConfigFinding> findings;
    for (const JsonDocument* document : {&m_config, &m_presets, &m_models})
        checkDocument(*document, findings);
    add(values(), m_config.path(), findings);
    checkGroup(m_presets, "presets", findings);
    checkGroup(m_models, "models", findings);
    for (const Kind kind : {Kind::Preset, Kind::Model}) {
        const JsonDocument& document = documentOf(kind);
        for (const std::string& name : names(kind)) {
            const Json* object =
                findIn(document.value(), {kind == Kind::Preset ? "presets" : "models", name});
            const std::string place = document.path() + ": " + name;
            if (object && object->is_object()) {
                add(SettingValues(*object, ValueOwner::Model, place), place, findings);
                continue;
            }
            findings.push_back({Severity::Error,
                                "It is no object of settings, and is not used.",
                                place,
                                "Correct it by hand.",
                                {}});
        }
    }
    std::stable_sort(findings.begin(), findings.end(),
                     [](const ConfigFinding& a, const ConfigFinding& b) { return a.severity < b.severity; });
    return findings;
}

}  // namespace loader::app
