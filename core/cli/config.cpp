// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf config: shows settings with where each value comes from, changes them, checks them.

#include <algorithm>
#include <array>

#include "core/app/config/settings_reference.h"
#include "core/app/migration/rollback.h"
#include "core/app/storage/file_steps.h"
#include "core/cli/configuration.h"
#include "core/cli/library_access.h"
#include "core/cli/migration_access.h"

namespace loader::cli {
namespace {

using app::SettingOwner;
using app::SettingSpec;

/// How long another instance may write.
constexpr auto kPatience = std::chrono::milliseconds(5000);

/// What the words behind `gguf config` mean.
struct Request {
    Context& context;
    app::ConfigStore& store;
    SettingOwner owner;
    /// Behind the name of the step.
    std::span<const std::string> words;
};

Error usage(const std::string& sentence) {
    return Error(Errc::X001, {sentence});
}

std::string readable(const Json& value) {
    return value.is_string() ? value.get<std::string>()
                             : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A library name becomes its path; what is not there keeps its own (a drive that is not connected).
std::string pathOfModel(const Context& context, const std::string& model) {
    const auto path = resolveModel(context, model);
    return app::ConfigStore::modelKey(path.ok() ? *path : model);
}

Result<SettingOwner> ownerOf(const Context& context) {
    const Arguments& arguments = context.arguments;
    const auto model = arguments.text("model");
    const auto preset = arguments.text("preset");
    if (model && preset) return usage("Give --model or --preset, not both.");
    if (preset) return SettingOwner::preset(*preset);
    return model ? SettingOwner::model(pathOfModel(context, *model)) : SettingOwner::global();
}

/// Of the owner that was asked for; there is no command line and no chat.
app::EffectiveSettings effectiveFor(const Request& request) {
    app::SettingLayers layers;
    layers.global = request.store.values();
    if (request.owner.kind == SettingOwner::Kind::Preset) layers.preset = request.store.values(request.owner);
    if (request.owner.kind == SettingOwner::Kind::Model) layers.model = request.store.values(request.owner);
    layers.backendVariable = environment("GGUF_BACKEND");
    layers.gpuVariable = environment("GGUF_GPU_ENABLED");
    return app::EffectiveSettings(layers);
}

Status checkOwner(const Request& request) {
    const bool missing =
        request.owner.kind == SettingOwner::Kind::Preset && !request.store.has(request.owner);
    return missing ? Status(Error(Errc::C517, {request.owner.name})) : Status();
}

Json findingJson(const app::ConfigFinding& finding) {
    return {{"severity", app::nameOf(finding.severity)},
            {"key", finding.key},
            {"sentence", finding.sentence},
            {"place", finding.place},
            {"remedy", finding.remedy}};
}

Json shownJson(const Request& request, const app::EffectiveSettings& settings) {
    Json values = Json::object();
    Json nested = Json::object();
    for (const SettingSpec& setting : app::allSettings()) {
        const app::EffectiveValue& value = settings.at(setting.key);
        app::setIn(nested, app::pathOfSetting(setting.key), value.value);
        if (request.context.arguments.has("set") && value.origin == app::SettingOrigin::Default) continue;
        values[std::string(setting.key)] = {{"value", value.value}, {"origin", app::nameOf(value.origin)}};
    }
    Json findings = Json::array();
    for (const app::ConfigFinding& finding : request.store.validate())
        findings.push_back(findingJson(finding));
    return {{"schema", app::kConfigSchema},
            {"file", request.store.config().path()},
            {"settings", values},
            {"effective", nested},
            {"unknown", request.store.unknown()},
            {"presets", request.store.names(SettingOwner::Kind::Preset)},
            {"models", request.store.names(SettingOwner::Kind::Model)},
            {"findings", findings}};
}

Result<int> showNames(const Request& request, SettingOwner::Kind kind, const char* word) {
    const auto names = request.store.names(kind);
    if (request.context.output.json()) {
        request.context.output.writeJson({{word, names}});
        return 0;
    }
    for (const std::string& name : names)
        request.context.output.write(name + "\n");
    return 0;
}

Result<int> show(Request& request) {
    const Arguments& arguments = request.context.arguments;
    Output& output = request.context.output;
    if (arguments.has("markdown")) {
        output.write(app::settingsReference());
        return 0;
    }
    if (arguments.has("presets")) return showNames(request, SettingOwner::Kind::Preset, "presets");
    if (arguments.has("models")) return showNames(request, SettingOwner::Kind::Model, "models");
    LOADER_CHECK(checkOwner(request));
    const app::EffectiveSettings settings = effectiveFor(request);
    if (output.json()) {
        output.writeJson(shownJson(request, settings));
        return 0;
    }
    for (const SettingSpec& setting : app::allSettings()) {
        const app::EffectiveValue& value = settings.at(setting.key);
        const bool usual = value.origin == app::SettingOrigin::Default;
        if (usual && arguments.has("set")) continue;
        const std::string origin = usual ? "" : "  (" + std::string(app::nameOf(value.origin)) + ")";
        output.write(std::string(setting.key) + " = " + readable(value.value) + origin + "\n");
    }
    return 0;
}

Result<const SettingSpec*> knownSetting(const std::string& key) {
    const SettingSpec* setting = app::findSetting(key);
    if (!setting) return Error(Errc::C504, {key});
    return setting;
}

Result<int> get(Request& request) {
    if (request.words.size() != 1) return usage("Usage: gguf config get KEY");
    LOADER_TRY(const SettingSpec* setting, knownSetting(request.words[0]));
    LOADER_CHECK(checkOwner(request));
    const app::EffectiveValue value = effectiveFor(request).at(setting->key);
    if (!request.context.output.json()) {
        request.context.output.write(readable(value.value) + "\n");
        return 0;
    }
    request.context.output.writeJson({{"key", setting->key},
                                      {"value", value.value},
                                      {"origin", app::nameOf(value.origin)},
                                      {"default", setting->defaultValue()},
                                      {"range", app::rangeText(*setting)},
                                      {"unit", setting->unit},
                                      {"label", setting->label},
                                      {"help", setting->help}});
    return 0;
}

/// What a command changed, in the form of `get`.
Result<int> saved(Request& request, const Json& changed) {
    LOADER_CHECK(request.store.save());
    if (request.context.output.json())
        request.context.output.writeJson({{"changed", changed}, {"file", request.store.config().path()}});
    return 0;
}

Result<int> set(Request& request) {
    if (request.words.size() != 2) return usage("Usage: gguf config set KEY VALUE");
    LOADER_TRY(const SettingSpec* setting, knownSetting(request.words[0]));
    LOADER_TRY(const Json value, app::parsedSetting(*setting, request.words[1]));
    LOADER_CHECK(request.store.set(request.owner, setting->key, value));
    return saved(request, {{std::string(setting->key), value}});
}

Result<int> reset(Request& request) {
    const bool all = request.context.arguments.has("all");
    if (all != request.words.empty())
        return usage("Usage: gguf config reset KEY... or gguf config reset --all");
    LOADER_CHECK(checkOwner(request));
    Json changed = Json::object();
    if (all) request.store.resetAll(request.owner);
    for (const std::string& key : request.words) {
        LOADER_CHECK(request.store.reset(request.owner, key));
        changed[key] = nullptr;
    }
    return saved(request, changed);
}

Result<int> validate(Request& request) {
    const auto findings = request.store.validate();
    const bool valid = std::none_of(findings.begin(), findings.end(), [](const app::ConfigFinding& finding) {
        return finding.severity == app::ConfigFinding::Severity::Error;
    });
    Output& output = request.context.output;
    if (output.json()) {
        Json list = Json::array();
        for (const app::ConfigFinding& finding : findings)
            list.push_back(findingJson(finding));
        output.writeJson({{"valid", valid}, {"findings", list}});
    } else {
        for (const app::ConfigFinding& finding : findings) {
            output.write(std::string(app::nameOf(finding.severity)) + ": " + finding.sentence +
                         "\n  where: " + finding.place + "\n  what to do: " + finding.remedy + "\n");
        }
        if (findings.empty()) output.write("The configuration is in order.\n");
    }
    return valid ? 0 : 6;
}

Result<int> exportAll(Request& request) {
    const std::string text =
        request.store.exported().dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    if (const auto path = request.context.arguments.text("out")) {
        LOADER_CHECK(app::replaceFile(configuration(request.context).files(), *path, text));
        if (request.context.output.json()) request.context.output.writeJson({{"file", *path}});
        return 0;
    }
    request.context.output.write(text);
    return 0;
}

Result<int> listAll(Request& request) {
    const auto names = app::listBackups(configuration(request.context).files(), migrationPlaces().backups());
    if (request.context.output.json()) {
        request.context.output.writeJson({{"backups", names}, {"folder", migrationPlaces().backups()}});
        return 0;
    }
    for (const std::string& name : names)
        request.context.output.write(name + "\n");
    return 0;
}

/// Our three documents; what is missing is remembered as missing.
Result<int> backup(Request& request) {
    if (request.context.arguments.has("list")) return listAll(request);
    app::FileOperations& files = configuration(request.context).files();
    app::BackupRequest wanted;
    wanted.folder = migrationPlaces().backups();
    wanted.id = backupId();
    for (const app::JsonDocument* document :
         {&request.store.config(), &request.store.presets(), &request.store.models()})
        wanted.items.push_back({app::BackupRole::Settings, document->path()});
    LOADER_CHECK(app::makeFolders(files, request.store.folder()));
    LOADER_CHECK(app::makeFolders(files, wanted.folder));
    LOADER_TRY(const auto lock, files.lock(request.store.lockPath(), kPatience));
    LOADER_TRY(const app::BackupManifest made, app::makeBackup(files, wanted, request.context.cancel));
    if (request.context.output.json())
        request.context.output.writeJson({{"backup", made.id}, {"folder", made.folder}});
    else
        request.context.output.write(made.id + "\n");
    return 0;
}

Result<int> restoreGeneration(Request& request, std::uint64_t number) {
    LOADER_CHECK(request.store.restoreGeneration(static_cast<int>(number)));
    if (request.context.output.json())
        request.context.output.writeJson({{"restored", number}, {"file", request.store.config().path()}});
    return 0;
}

/// A backup by its name, or the newest one. What is replaced is in another backup afterwards.
Result<int> restore(Request& request) {
    LOADER_TRY(const auto number,
               request.context.arguments.number("generation", 1, app::JsonDocument::kGenerations));
    if (number) return restoreGeneration(request, *number);
    if (request.words.size() > 1) return usage("Usage: gguf config restore [BACKUP]");
    app::FileOperations& files = configuration(request.context).files();
    app::RollbackRequest wanted;
    wanted.places = migrationPlaces();
    wanted.id = backupId();
    wanted.force = true;
    const auto names = app::listBackups(files, wanted.places.backups());
    if (names.empty()) return Error(Errc::F802, {}, wanted.places.backups());
    wanted.backup = request.words.empty() ? names.back() : request.words.front();
    LOADER_TRY(const app::RollbackOutcome outcome,
               app::rollBack(files, wanted, logMigration, request.context.cancel));
    if (request.context.output.json()) {
        request.context.output.writeJson(
            {{"restored", outcome.backup}, {"changed_saved", outcome.changedSaved}});
    } else {
        request.context.output.write("Restored " + outcome.backup + ".\n");
        if (!outcome.changedSaved.empty())
            request.context.output.note("What it replaced is in the backup " + outcome.changedSaved + ".");
    }
    const auto fault = outcome.fault();
    if (fault) request.context.output.note(fault->toString());
    return fault ? exitStatusOf(*fault) : 0;
}

struct Step {
    std::string_view name;
    Result<int> (*run)(Request&);
};
constexpr std::array kSteps = {Step{"show", show},       Step{"get", get},           Step{"set", set},
                               Step{"reset", reset},     Step{"validate", validate}, Step{"backup", backup},
                               Step{"restore", restore}, Step{"export", exportAll}};

}  // namespace

Result<int> configCommand(Context& context) {
    const auto operands = context.arguments.operands();
    const std::string name = operands.empty() ? "show" : operands.front();
    const auto step =
        std::find_if(kSteps.begin(), kSteps.end(), [&](const Step& one) { return one.name == name; });
    if (step == kSteps.end()) return usage("There is no gguf config " + name + ".");
    LOADER_TRY(const SettingOwner owner, ownerOf(context));
    Request request{context, configuration(context).store(), owner, {}};
    if (!operands.empty()) request.words = operands.subspan(1);
    for (const Error& notice : request.store.notices())
        context.output.note("Warning: " + notice.toString());
    return step->run(request);
}

}  // namespace loader::cli
