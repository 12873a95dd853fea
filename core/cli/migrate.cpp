// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf migrate: takes over the settings of an older version, after a backup, and proves it by loading the
// model.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "core/app/config/config_store.h"
#include "core/app/import/importer_registry.h"
#include "core/app/storage/file_steps.h"
#include "core/app/storage/utf8_path.h"
#include "core/cli/commands.h"
#include "core/cli/import_keepers.h"
#include "core/cli/migration_access.h"
#include "core/cli/model_access.h"

namespace loader::cli {
namespace {

namespace fs = std::filesystem;
using app::ImportRecorder;

constexpr const char* kImporter = "gguf-loader-app";

ImportRecorder::Present presentIn(const app::ConfigStore& store) {
    return [&store](const app::SettingOwner& owner, std::string_view key) {
        const app::SettingValues values = store.values(owner);
        const Json* value = values.find(key);
        return value ? *value : Json();
    };
}

/// Models that only the old measurements name join the list of recent ones, at its end.
Status addModels(app::ConfigStore& store, const ImportRecorder& plan) {
    if (plan.models().empty()) return {};
    Json recent = store.get(app::settings::kModelsRecent);
    const Json before = recent;
    for (const app::ImportedModel& model : plan.models())
        if (std::find(recent.begin(), recent.end(), Json(model.path)) == recent.end())
            recent.push_back(model.path);
    return recent == before ? Status() : store.set(app::settings::kModelsRecent, recent);
}

/// What the old program loaded belongs to the library, wherever it lies and whether it is there or not.
std::vector<app::ImportedModel> modelsOf(const app::ConfigStore& store, const ImportRecorder& plan) {
    std::vector<app::ImportedModel> models = plan.models();
    Json paths = store.get(app::settings::kModelsRecent);
    paths.push_back(store.get(app::settings::kModelsDefault));
    for (const Json& path : paths) {
        const auto& text = path.get_ref<const std::string&>();
        if (app::utf8Path(text).is_absolute()) models.push_back({text, {}, {}, {}});
    }
    return models;
}

Status arrive(app::FileOperations& files, const ImportRecorder& plan) {
    LOADER_TRY(const std::size_t measurements, keepMeasurements(files, plan.measurements()));
    static_cast<void>(measurements);
    app::ConfigStore store(files, app::ConfigStore::defaultFolder());
    // What stands in its place without our mark is in the backup.
    store.allowReplacingLegacy();
    for (const app::RecordedSetting& setting : plan.settings())
        LOADER_CHECK(store.set(setting.owner, setting.key, setting.value));
    LOADER_CHECK(addModels(store, plan));
    LOADER_CHECK(store.save());
    LOADER_CHECK(keepModels(modelsOf(store, plan)));
    return {};
}

/// Loads what is now the default model as `run` does, with everything that is set.
Status testLoad(Context& context, app::FileOperations& files) {
    const app::ConfigStore store(files, app::ConfigStore::defaultFolder());
    const std::vector<std::string> words = {"--",
                                            store.get(app::settings::kModelsDefault).get<std::string>()};
    LOADER_TRY(const Arguments arguments, Arguments::parse(*findCommand("run"), words));
    Context inner{arguments, context.output, context.cancel};
    LOADER_TRY(const host::LoadRequest request, loadRequest(inner));
    LOADER_TRY(const auto model, openModel(inner, request));
    static_cast<void>(model);
    return {};
}

std::vector<app::ModelRecord> inventory(const app::SearchRoots& roots) {
    std::vector<app::ModelRecord> models;
    for (const app::LegacyFile& file : app::LegacyFinder(roots).models()) {
        std::error_code fault;
        const std::uintmax_t bytes = fs::file_size(app::utf8Path(file.path), fault);
        models.push_back({file.path, fault ? 0 : bytes, bool(fault)});
    }
    return models;
}

bool confirmed(Context& context, const app::ImportReport& report) {
    using app::ImportVerdict;
    const std::size_t taken = report.count(ImportVerdict::Kept) + report.count(ImportVerdict::Mapped);
    context.output.note(std::to_string(taken) + " of " + std::to_string(report.lines.size()) +
                        " settings of the older version can be taken over; its files stay as they are. "
                        "Details: gguf migrate --dry-run");
    context.output.note("Take them over? [y/N] ");
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

std::string valueText(const Json& value) {
    constexpr std::size_t kLongest = 60;
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

void writeReport(Output& output, const app::ImportReport& report) {
    std::string file;
    for (const app::ReportLine& line : report.lines) {
        if (line.source.file != file) output.write(line.source.file + "\n");
        file = line.source.file;
        std::string text = "  " + std::string(nameOf(line.verdict));
        text.resize(11, ' ');
        text += line.source.key.empty() ? "the file" : line.source.key;
        if (!line.target.empty()) text += " -> " + line.target;
        if (!line.value.is_null()) text += " = " + valueText(line.value);
        if (!line.reason.empty()) text += " (" + line.reason + ")";
        output.write(text + "\n");
    }
}

Json outcomeJson(const app::MigrationOutcome& outcome, bool dryRun, bool wantsProof) {
    Json json = outcome.report.toJson();
    json["dry_run"] = dryRun;
    json["changed"] = outcome.changed;
    json["backup"] = outcome.backup;
    Json proof = {{"result", outcome.proven ? "passed" : outcome.unproven ? "failed" : "skipped"}};
    if (outcome.unproven) proof["error"] = errorJson(*outcome.unproven);
    if (wantsProof) json["test_load"] = std::move(proof);
    return json;
}

void writeOutcome(Context& context, const app::MigrationOutcome& outcome, bool dryRun, bool wantsProof) {
    Output& output = context.output;
    if (output.json()) return static_cast<void>(output.writeJson(outcomeJson(outcome, dryRun, wantsProof)));
    writeReport(output, outcome.report);
    if (dryRun) return output.note("Nothing was changed.");
    if (!outcome.changed) return output.note("All of it was taken over before. Nothing was changed.");
    output.note("Done. The backup is " + outcome.backup + "; to undo it: gguf rollback");
    if (outcome.proven) output.note("The default model was loaded with the new settings.");
    if (outcome.unproven)
        output.note(outcome.unproven->message() + " " + outcome.unproven->action() + " (" +
                    std::string(outcome.unproven->name()) + ")");
}

}  // namespace

Result<int> migrateCommand(Context& context) {
    const bool dryRun = context.arguments.has("dry-run");
    const bool wantsProof = !dryRun && !context.arguments.has("no-test-load");
    const app::SearchRoots roots = searchRoots();
    const std::string from = context.arguments.text("from").value_or("");
    app::ImporterRegistry registry(app::ImporterRegistry::defaultFolder());
    LOADER_TRY(const app::Importer* importer, registry.open(kImporter));
    const auto files = app::systemFiles();

    app::MigrationSteps steps;
    steps.plan = [&]() -> Result<ImportRecorder> {
        const app::ConfigStore store(*files, app::ConfigStore::defaultFolder());
        ImportRecorder read(presentIn(store));
        LOADER_CHECK(importer->read(from, roots, read, context.cancel));
        return read;
    };
    steps.arrive = [&](const ImportRecorder& plan) { return arrive(*files, plan); };
    if (wantsProof) steps.testLoad = [&] { return testLoad(context, *files); };
    steps.log = logMigration;

    app::MigrationRequest request;
    request.places = migrationPlaces();
    request.id = backupId();
    request.items = legacyItems(roots, from);
    request.models = inventory(roots);
    request.dryRun = dryRun;
    const bool asks = !dryRun && !context.arguments.has("yes") && standardInputIsTerminal();
    if (asks) {
        LOADER_TRY(const ImportRecorder plan, steps.plan());
        if (!confirmed(context, plan.report())) {
            context.output.note("Nothing was changed.");
            return 0;
        }
    }
    LOADER_TRY(const app::MigrationOutcome outcome, app::migrate(*files, request, steps, context.cancel));
    writeOutcome(context, outcome, dryRun, wantsProof);
    return 0;
}

}  // namespace loader::cli
