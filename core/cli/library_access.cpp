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
#include "core/cli/configuration.h"
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

/// What decides about the library; without the files of `gguf config` the defaults.
struct LibrarySettings {
    std::vector<std::string> folders;
    std::vector<std::string> quantOrder;
};

LibrarySettings readSettings(const Context& context) {
    LibrarySettings settings;
    const auto of = [&context](std::string_view key) {
        if (context.arguments.has("no-config")) return textList(app::findSetting(key)->defaultValue());
        // The one of this command: another would take what is wrong with the files for told.
        return textList(configuration(context).store().get(key));
    };
    settings.folders = of(app::settings::kModelsFolders);
    settings.quantOrder = of(app::settings::kModelsQuantOrder);
    return settings;
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

app::LibraryOptions libraryOptions(const Context& context) {
    const LibrarySettings settings = readSettings(context);
    app::LibraryOptions options;
    options.places = placesOf(settings.folders);
    options.dataFolder = dataFolder();
    options.worker = workerOptions();
    options.applicationVersion = LOADER_VERSION;
    options.rules.quantOrder = settings.quantOrder;
    // A file larger than the memory can be mapped, but hardly used.
    options.rules.mostBytes = readMemoryFacts().total;
    return options;
}

std::vector<std::string> modelFolders(const Context& context) {
    std::vector<std::string> folders;
    for (const app::LibraryPlace& place : placesOf(readSettings(context).folders)) {
        if (place.kind == app::PlaceKind::Folder) folders.push_back(place.path);
    }
    return folders;
}

Result<std::string> resolveModel(const Context& context, const std::string& model) {
    app::ModelLibrary library(libraryOptions(context));
    return library.resolve(model, context.cancel);
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

app::CheckedValues valuesOf(const app::EffectiveSettings& settings) {
    app::CheckedValues values;
    for (const auto& [key, value] : settings.all())
        values.emplace(key, value.value);
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
