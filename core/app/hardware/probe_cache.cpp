// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/probe_cache.h"

#include <QStandardPaths>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/engine/base/atomic_file.h"
#include "core/engine/base/device_properties.h"
#include "core/engine/base/mapped_file.h"

namespace loader::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr std::uint64_t kMostBytes = 1024 * 1024;
/// Document, back end, devices, device, properties, pair.
constexpr int kMostDepth = 8;

/// Ids of back ends become file names.
bool isPlainId(std::string_view id) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), plain);
}

std::string fileOf(const std::string& folder, const std::string& backend) {
    return folder + "/" + backend + ".json";
}

bool changesByTheMinute(std::string_view key) {
    return key.ends_with(device_properties::kHeapBudget) || key.ends_with(device_properties::kHeapUsed);
}

Json faultJson(const ProbeFault& fault) {
    return {{"code", fault.code},
            {"message", fault.message},
            {"action", fault.action},
            {"args", fault.args},
            {"place", fault.place}};
}

Json deviceJson(const ProbedDevice& device) {
    Json properties = Json::array();
    for (const auto& [key, value] : device.properties) {
        if (!changesByTheMinute(key)) properties.push_back({key, value});
    }
    Json json = {{"id", device.id},
                 {"name", device.name},
                 {"detail", device.detail},
                 {"kind", nameOf(device.kind)},
                 {"memory_bytes", device.memoryBytes},
                 {"properties", std::move(properties)},
                 {"self_tested", device.selfTested}};
    if (device.refusal) json["refusal"] = faultJson(*device.refusal);
    return json;
}

Json probeJson(const ProbedBackend& probe) {
    Json json = {{"id", probe.id}, {"name", probe.name}, {"devices", Json::array()}};
    for (const ProbedDevice& device : probe.devices)
        json["devices"].push_back(deviceJson(device));
    if (probe.fault) json["fault"] = faultJson(*probe.fault);
    return json;
}

// --- reading: every step may find anything ---

/// The text of a member; marks what is wrong and goes on.
std::string textIn(const Json& object, const char* key, bool& fine) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) {
        fine = false;
        return {};
    }
    return found->get<std::string>();
}

const Json& listIn(const Json& object, const char* key, bool& fine) {
    static const Json kNothing = Json::array();
    const auto found = object.find(key);
    if (found != object.end() && found->is_array()) return *found;
    fine = false;
    return kNothing;
}

/// Nothing where the object has no such member.
std::optional<ProbeFault> faultIn(const Json& object, const char* key, bool& fine) {
    const auto found = object.find(key);
    if (found == object.end()) return std::nullopt;
    if (!found->is_object()) {
        fine = false;
        return std::nullopt;
    }
    ProbeFault fault{textIn(*found, "code", fine),
                     textIn(*found, "message", fine),
                     textIn(*found, "action", fine),
                     {},
                     textIn(*found, "place", fine)};
    for (const Json& argument : listIn(*found, "args", fine)) {
        fine = fine && argument.is_string();
        if (!fine) break;
        fault.args.push_back(argument.get<std::string>());
    }
    return fault;
}

ProbedDevice deviceFrom(const Json& json, bool& fine) {
    ProbedDevice device;
    if (!json.is_object()) {
        fine = false;
        return device;
    }
    device.id = textIn(json, "id", fine);
    device.name = textIn(json, "name", fine);
    device.detail = textIn(json, "detail", fine);
    const auto kind = probedKindOf(textIn(json, "kind", fine));
    const auto bytes = json.find("memory_bytes");
    // What an earlier version stored was not tested.
    const auto tested = json.find("self_tested");
    const bool told = tested != json.end();
    fine =
        fine && kind && bytes != json.end() && bytes->is_number_unsigned() && (!told || tested->is_boolean());
    device.refusal = faultIn(json, "refusal", fine);
    if (!fine) return device;
    device.kind = *kind;
    device.selfTested = told && tested->get<bool>();
    device.memoryBytes = bytes->get<std::uint64_t>();
    for (const Json& pair : listIn(json, "properties", fine)) {
        fine = fine && pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string();
        if (!fine) break;
        device.properties.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
    return device;
}

std::optional<ProbedBackend> probeFrom(const Json& json) {
    if (!json.is_object()) return std::nullopt;
    bool fine = true;
    ProbedBackend probe;
    probe.remembered = true;
    probe.id = textIn(json, "id", fine);
    probe.name = textIn(json, "name", fine);
    for (const Json& device : listIn(json, "devices", fine)) {
        if (!fine) break;
        probe.devices.push_back(deviceFrom(device, fine));
    }
    probe.fault = faultIn(json, "fault", fine);
    if (!fine || !checkProbe(probe).ok()) return std::nullopt;
    return probe;
}

std::optional<std::string> contentOf(const std::string& path) {
    const auto file = FileSource::open(path);
    if (!file.ok() || (*file)->size() > kMostBytes) return std::nullopt;
    std::string text(static_cast<std::size_t>((*file)->size()), '\0');
    const auto read = (*file)->read(0, std::as_writable_bytes(std::span(text.data(), text.size())));
    return read.ok() ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace

std::string ProbeCache::defaultFolder() {
    const QString caches = QStandardPaths::writableLocation(QStandardPaths::GenericCacheLocation);
    return caches.toStdString() + "/gguf-loader/probes";
}

std::optional<ProbedBackend> ProbeCache::find(const std::string& backend, std::string_view identity) const {
    if (!isPlainId(backend)) return std::nullopt;
    const auto text = contentOf(fileOf(m_folder, backend));
    if (!text) return std::nullopt;
    bool deep = false;
    const auto limit = [&deep](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > kMostDepth;
        return !deep;
    };
    const Json json = Json::parse(*text, limit, false);
    if (deep || !json.is_object()) return std::nullopt;
    bool fine = true;
    const auto schema = json.find("schema");
    const bool ours = schema != json.end() && schema->is_number_integer() && *schema == kSchema;
    if (!ours || textIn(json, "identity", fine) != identity || !fine) return std::nullopt;
    const auto inner = json.find("backend");
    if (inner == json.end()) return std::nullopt;
    auto probe = probeFrom(*inner);
    if (!probe || probe->id != backend) return std::nullopt;
    return probe;
}

Status ProbeCache::store(const ProbedBackend& probe, std::string_view identity) const {
    LOADER_CHECK(checkProbe(probe));
    if (!isPlainId(probe.id)) return Error(Errc::X003, {"a back end has a name that is no file name"});
    std::error_code fault;
    std::filesystem::create_directories(m_folder, fault);
    if (fault) return Error(Errc::F806, {fault.message()}, m_folder);
    const Json json = {{"schema", kSchema}, {"identity", identity}, {"backend", probeJson(probe)}};
    const std::string text = json.dump(1) + "\n";
    LOADER_TRY(const auto file, AtomicFile::create(fileOf(m_folder, probe.id)));
    LOADER_CHECK(file->append(std::as_bytes(std::span(text))));
    return file->commit();
}

Status ProbeCache::forget(const std::string& backend) const {
    if (!isPlainId(backend)) return {};
    std::error_code fault;
    std::filesystem::remove(fileOf(m_folder, backend), fault);
    return fault ? Status(Error(Errc::F806, {fault.message()}, m_folder)) : Status();
}

}  // namespace loader::app
