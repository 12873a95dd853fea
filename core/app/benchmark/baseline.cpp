// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/baseline.h"

#include <algorithm>
#include <filesystem>

#include "core/app/benchmark/json_fields.h"
#include "core/app/storage/small_file.h"
#include "core/engine/base/atomic_file.h"

namespace loader::app {
namespace {

/// Document, list, measurement, part, samples.
constexpr JsonLimits kLimits{8, 1'000'000};

Result<Baseline> fromText(const std::string& path) {
    LOADER_TRY(std::string bytes, readSmallFile(path));
    LOADER_TRY(const DecodedText decoded, decodedText(std::move(bytes)));
    return Baseline::parse(decoded.text);
}

}  // namespace

Result<Baseline> Baseline::parse(std::string_view text) {
    LOADER_TRY(const JsonText json, parseJson(text, kLimits));
    JsonFields fields(json.document, "baseline");
    const std::uint64_t schema = fields.count("schema");
    LOADER_CHECK(fields.status());
    if (schema > kMeasurementSchema)
        return Error(Errc::D302, {std::to_string(schema), std::to_string(kMeasurementSchema)});
    const auto list = json.document.find("measurements");
    if (list == json.document.end() || !list->is_array() || list->size() > kMostMeasurements)
        return Error(Errc::C501, {"it has no list of measurements"});
    Baseline baseline;
    for (const Json& entry : *list) {
        LOADER_TRY(Measurement measurement, measurementFromJson(entry));
        baseline.m_measurements.push_back(std::move(measurement));
    }
    return baseline;
}

Result<Baseline> Baseline::read(const std::string& path) {
    auto baseline = fromText(path);
    const bool named = !baseline.ok() && baseline.error().place() == path;
    if (baseline.ok() || named) return baseline;
    return std::move(baseline).error().within(path);
}

Result<Baseline> Baseline::readOrNew(const std::string& path) {
    auto baseline = read(path);
    if (!baseline.ok() && baseline.error().code() == Errc::F802) return Baseline();
    return baseline;
}

Status Baseline::put(Measurement measurement) {
    const auto same =
        std::find_if(m_measurements.begin(), m_measurements.end(),
                     [&measurement](const Measurement& old) { return old.sameSettings(measurement); });
    if (same != m_measurements.end()) {
        *same = std::move(measurement);
        return {};
    }
    if (m_measurements.size() >= kMostMeasurements)
        return Error(Errc::D320, {"the file holds as many as it may"});
    m_measurements.push_back(std::move(measurement));
    return {};
}

const Measurement* Baseline::find(const Measurement& like) const {
    const Measurement* found = nullptr;
    for (const Measurement& candidate : m_measurements) {
        if (!candidate.sameWork(like)) continue;
        const bool better = !found ||
                            (candidate.settings == like.settings) > (found->settings == like.settings) ||
                            ((candidate.settings == like.settings) == (found->settings == like.settings) &&
                             candidate.time > found->time);
        if (better) found = &candidate;
    }
    return found;
}

Json Baseline::toJson() const {
    Json json = {{"schema", kMeasurementSchema}, {"program", "gguf-loader"}, {"measurements", Json::array()}};
    for (const Measurement& measurement : m_measurements)
        json["measurements"].push_back(measurementJson(measurement));
    return json;
}

Status Baseline::write(const std::string& path) const {
    const std::string text = toJson().dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    const std::filesystem::path folder = std::filesystem::u8path(path).parent_path();
    std::error_code fault;
    if (!folder.empty()) std::filesystem::create_directories(folder, fault);
    if (fault) return Error(Errc::F806, {fault.message()}, path);
    LOADER_TRY(const auto file, AtomicFile::create(path));
    LOADER_CHECK(file->append(std::as_bytes(std::span(text))));
    return file->commit();
}

}  // namespace loader::app
