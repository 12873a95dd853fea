// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/library_access.h"

#include <QCoreApplication>
#include <QDir>
#include <QStandardPaths>
#include <cstdio>
#include <thread>

#include "core/app/backend_manager/probe_convert.h"
#include "core/app/models/machine_situation.h"
#include "core/engine/base/memory_facts.h"
#include "core/engine/base/thread_pool.h"

namespace loader::cli {
namespace {

std::string dataHome() {
    return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation).toStdString();
}

std::vector<app::LibraryPlace> placesOf(const std::vector<std::string>& folders) {
    app::PlaceQuery query;
    query.variable = [](const char* name) { return environment(name); };
    query.home = homeFolder();
    query.dataHome = dataHome();
    query.guide = guidePath();
    query.folders = folders;
    return app::usualPlaces(query);
}

std::vector<std::string> textList(const Json& value) {
    std::vector<std::string> texts;
    for (const Json& text : value) {
        if (text.is_string()) texts.push_back(text.get<std::string>());
    }
    return texts;
}

std::vector<std::string> defaultOf(std::string_view key) {
    const app::SettingSpec* setting = app::findSetting(key);
    return setting ? textList(setting->defaultValue()) : std::vector<std::string>();
}

}  // namespace

std::string guidePath() {
    const QDir program(QCoreApplication::applicationDirPath());
    return QDir::cleanPath(program.filePath(QStringLiteral("../share/gguf-loader/guide.gguf"))).toStdString();
}

std::string dataFolder() {
    const std::string home = dataHome();
    return home.empty() ? home : home + "/gguf-loader";
}

app::LibraryOptions libraryOptions() {
    app::LibraryOptions options;
    options.places = placesOf(defaultOf(app::settings::kModelsFolders));
    options.dataFolder = dataFolder();
    options.worker = workerOptions();
    options.applicationVersion = LOADER_VERSION;
    options.rules.quantOrder = defaultOf(app::settings::kModelsQuantOrder);
    // A file larger than the memory can be mapped, but hardly used.
    options.rules.mostBytes = readMemoryFacts().total;
    return options;
}

std::vector<std::string> modelFolders() {
    std::vector<std::string> folders;
    for (const app::LibraryPlace& place : placesOf(defaultOf(app::settings::kModelsFolders))) {
        if (place.kind == app::PlaceKind::Folder) folders.push_back(place.path);
    }
    return folders;
}

Result<std::string> resolveModel(const std::string& model, CancelToken cancel) {
    app::ModelLibrary library(libraryOptions());
    return library.resolve(model, cancel);
}

Json entryJson(const app::LibrarySnapshot& library, const app::LibraryEntry& entry) {
    Json json = {{"name", entry.name}, {"path", entry.path}, {"bytes", entry.bytes}};
    if (entry.fault) json["error"] = errorJson(*entry.fault);
    if (!entry.fault || !entry.facts.architecture.empty()) {
        json["architecture"] = entry.facts.architecture;
        json["type"] = entry.type;
        json["parameters"] = entry.facts.parameters;
        json["types"] = Json::object();
        for (const protocol::TypeShare& share : entry.facts.types)
            json["types"][share.type] = share.bytes;
        json["context"] = entry.facts.trainedContext;
        json["layers"] = entry.facts.layers;
        json["title"] = entry.facts.name;
        json["chat_template"] = entry.facts.hasTemplate;
        json["known_architecture"] = entry.facts.known;
    }
    json["kind"] = app::nameOf(entry.kind);
    json["state"] = app::nameOf(entry.state);
    json["place"] = app::nameOf(entry.place);
    json["group"] = library.groups[entry.group].name;
    json["usable"] = app::isUsable(entry);
    json["projectors"] = entry.projectors;
    if (!entry.repository.empty()) json["repository"] = entry.repository;
    if (!entry.sha256.empty()) json["sha256"] = entry.sha256;
    if (entry.parts.size() > 1) {
        json["parts"] = Json::array();
        for (const app::LibraryPart& part : entry.parts)
            json["parts"].push_back(
                {{"path", part.path}, {"bytes", part.bytes}, {"state", app::nameOf(part.state)}});
    }
    return json;
}

std::string countText(std::uint64_t count) {
    char text[32];
    const double value = static_cast<double>(count);
    if (count >= 1'000'000'000)
        std::snprintf(text, sizeof text, "%.1f G", value / 1e9);
    else if (count >= 1'000'000)
        std::snprintf(text, sizeof text, "%.1f M", value / 1e6);
    else
        std::snprintf(text, sizeof text, "%.1f k", value / 1e3);
    return text;
}

std::string column(const std::string& text, std::size_t width) {
    std::size_t letters = 0;
    for (const char byte : text)
        letters += (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u ? 1 : 0;
    return letters < width ? text + std::string(width - letters, ' ') : text;
}

Result<app::CheckedMachine> checkedMachine(CancelToken cancel) {
    LOADER_TRY(const auto candidates, app::probeAll(workerOptions(), probeMemory(false), cancel));
    app::CheckedMachine machine;
    std::vector<app::ProbedBackend> probes;
    for (const app::BackendCandidate& candidate : candidates) {
        app::CheckedBackend backend;
        backend.id = candidate.entry.id;
        backend.gpu = candidate.entry.gpuOnly;
        if (!candidate.entry.refusal.empty()) backend.refusal = candidate.entry.refusal.front().message();
        if (!candidate.failure.empty()) backend.refusal = candidate.failure.front().message();
        for (const protocol::DeviceEntry& device : candidate.devices) {
            if (device.refusal.empty()) backend.devices.push_back(device.id);
        }
        machine.backends.push_back(std::move(backend));
        probes.push_back(app::probedBackend(candidate));
    }
    const MemoryFacts memory = readMemoryFacts();
    machine.situation = app::situationOf(memory, probes);
    machine.lockable = memory.process.locked;
    machine.physicalCores = physicalCores();
    machine.logicalCores = std::max(machine.physicalCores, std::thread::hardware_concurrency());
    return machine;
}

app::SettingValues valuesOf(const host::LoadRequest& request) {
    app::SettingValues values;
    values[std::string(app::settings::kLoadContext)] = request.contextTokens;
    values[std::string(app::settings::kLoadThreads)] = request.threads;
    values[std::string(app::settings::kLoadBatch)] = request.batchTokens;
    values[std::string(app::settings::kLoadBackend)] = request.backend;
    values[std::string(app::settings::kLoadDevice)] = request.device;
    values[std::string(app::settings::kLoadMmap)] = request.useMmap;
    values[std::string(app::settings::kLoadMlock)] = request.lockMemory;
    values[std::string(app::settings::kLoadKv)] = request.kv == backend::KvType::Q8_0 ? "q8_0" : "f16";
    Json layers = "auto";
    if (request.gpuLayers.kind == host::GpuLayers::Kind::All) layers = "all";
    if (request.gpuLayers.kind == host::GpuLayers::Kind::Number) layers = request.gpuLayers.number;
    values[std::string(app::settings::kLoadGpuLayers)] = std::move(layers);
    return values;
}

Json findingJson(const app::SettingFinding& finding) {
    return {{"severity", app::nameOf(finding.severity)},
            {"key", finding.key},
            {"value", finding.value},
            {"sentence", finding.sentence},
            {"remedy", finding.remedy}};
}

}  // namespace loader::cli
