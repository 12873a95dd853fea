// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// model_performance_cache.json: which models there were, and how fast the old engines ran them.

#include <cmath>
#include <limits>
#include <utility>

#include "plugins/importers/gguf-loader-app/document_reader.h"

namespace loader::app::ggufloader {
namespace {

constexpr std::string_view kFromTheFile = "it is read from the model's own file";

/// Seconds since 1970, or milliseconds where that is what the size says. @return nothing outside 2000 to 2100
std::optional<std::int64_t> timeOf(const Json& value) {
    constexpr double kEarliest = 946684800.0;
    constexpr double kLatest = 4102444800.0;
    if (!value.is_number()) return std::nullopt;
    double seconds = value.get<double>();
    if (seconds > kLatest) seconds /= 1000.0;
    if (!(seconds >= kEarliest && seconds <= kLatest)) return std::nullopt;
    return static_cast<std::int64_t>(std::llround(seconds * 1000.0));
}

double amount(const Json& record, const char* key) {
    const auto found = record.find(key);
    const auto read = found == record.end() ? std::nullopt : readNumber(*found);
    const double value = read ? read->value.get<double>() : 0.0;
    return value >= 0.0 ? value : std::numeric_limits<double>::quiet_NaN();
}

std::string text(const Json& record, const char* key) {
    const auto found = record.find(key);
    if (found == record.end()) return {};
    return found->is_string() ? found->get<std::string>()
                              : found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool isPartOfMeasurement(std::string_view key) {
    for (const std::string_view part : {"backend_name", "model_hash", "hardware_config", "load_time_ms",
                                        "memory_usage_mb", "tokens_per_second", "last_updated"})
        if (key == part) return true;
    return false;
}

}  // namespace

void DocumentReader::modelProfiles(const std::string& name, const Json& value) {
    if (!value.is_object()) return wrongKind(source(name), value, "an object");
    if (value.empty()) return m_plan.ignored(source(name), value, "nothing is set");
    for (const auto& [hash, profile] : value.items()) {
        const std::string path = name + "." + hash;
        if (!profile.is_object()) {
            wrongKind(source(path), profile, "an object");
            continue;
        }
        for (const auto& [key, entry] : profile.items()) {
            const std::string place = path + "." + key;
            if (key != "model_path") {
                unknown(place, key, entry, kFromTheFile);
                continue;
            }
            if (!entry.is_string() || entry.get_ref<const std::string&>().empty()) {
                wrongKind(source(place), entry, "a path");
                continue;
            }
            ImportedModel model;
            const Read<std::string> read = m_paths.resolve(entry.get<std::string>(), m_file);
            model.path = read.value;
            m_plan.model(source(place), std::move(model), read.note);
        }
    }
}

void DocumentReader::backendProfiles(const std::string& name, const Json& value) {
    if (!value.is_object()) return wrongKind(source(name), value, "an object");
    if (value.empty()) return m_plan.ignored(source(name), value, "nothing is set");
    for (const auto& [hash, records] : value.items()) {
        const std::string path = name + "." + hash;
        if (!records.is_object() || records.empty()) {
            wrongKind(source(path), records, "an object with measurements");
            continue;
        }
        for (const auto& [key, record] : records.items())
            measurement(hash, path + "." + key, record);
    }
}

void DocumentReader::measurement(const std::string& hash, const std::string& path, const Json& record) {
    if (!record.is_object()) return wrongKind(source(path), record, "an object");
    ImportedMeasurement measured;
    measured.tokensPerSecond = amount(record, "tokens_per_second");
    measured.loadMilliseconds = amount(record, "load_time_ms");
    measured.memoryMebibytes = amount(record, "memory_usage_mb");
    const bool usable = measured.tokensPerSecond > 0.0 && std::isfinite(measured.loadMilliseconds) &&
                        std::isfinite(measured.memoryMebibytes);
    if (!usable) return m_plan.invalid(source(path), record, "it has no speed, or a negative amount");
    measured.backend = text(record, "backend_name") + " (imported, old engine)";
    measured.hardware = text(record, "hardware_config");
    const auto profiles = m_document->find("model_profiles");
    const Json profile = profiles != m_document->end() && profiles->is_object()
                             ? profiles->value(hash, Json::object())
                             : Json::object();
    measured.model = profile.is_object() ? text(profile, "model_path") : std::string();
    measured.time = timeOf(record.value("last_updated", Json()));
    const std::string note = measured.time ? "" : "its time cannot be meant, and is left out";
    for (const auto& [key, entry] : record.items())
        if (!isPartOfMeasurement(key))
            unknown(path + "." + key, key, entry, "it is of no use for a comparison");
    m_plan.measurement(source(path), std::move(measured), note);
}

}  // namespace loader::app::ggufloader
