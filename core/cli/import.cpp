// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf import: what other programs of this machine have, and taking it over. A dry run prints the same
// report.

#include <QDir>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "core/app/import/importer_registry.h"
#include "core/app/import/program_target.h"
#include "core/app/import/search_roots.h"
#include "core/cli/configuration.h"
#include "core/cli/import_keepers.h"

namespace loader::cli {
namespace {

using app::ImportOptions;
using app::ImportOutcome;

/// One source with the importer that reads it.
struct Source {
    const app::Importer* importer;
    std::string path;
};

app::SearchRoots rootsHere() {
    const std::string working = QDir::currentPath().toStdString();
    return app::searchRootsHere(homeFolder(), working, [](const char* name) { return environment(name); });
}

std::string absolute(const std::string& path) {
    std::error_code fault;
    const std::filesystem::path whole = std::filesystem::absolute(std::filesystem::u8path(path), fault);
    std::string text = fault ? path : whole.lexically_normal().generic_string();
    while (text.size() > 1 && text.back() == '/')
        text.pop_back();
    return text;
}

Result<int> listImporters(Context& context, const app::ImporterRegistry& registry) {
    Json list = Json::array();
    for (const app::ImporterFacts& facts : registry.importers()) {
        list.push_back({{"id", facts.id}, {"name", facts.displayName}, {"path", facts.path}});
        if (!facts.refusal.empty()) list.back()["refusal"] = facts.refusal;
        if (context.output.json()) continue;
        std::string line = facts.id + std::string(facts.id.size() < 24 ? 24 - facts.id.size() : 1, ' ');
        line += facts.displayName;
        if (!facts.refusal.empty()) line += " (not usable: " + facts.refusal + ")";
        context.output.write(line + "\n");
    }
    if (context.output.json()) context.output.writeJson({{"importers", list}});
    return 0;
}

Result<int> listCandidates(Context& context, app::ImporterRegistry& registry, const app::SearchRoots& roots) {
    LOADER_TRY(const auto found, registry.findAll(roots, context.cancel));
    Json list = Json::array();
    for (const app::FoundCandidate& one : found) {
        list.push_back({{"app", one.importer},
                        {"name", one.displayName},
                        {"path", one.candidate.path},
                        {"what", one.candidate.what}});
        if (!context.output.json())
            context.output.write(one.importer + "  " + one.candidate.path + "  (" + one.candidate.what +
                                 ")\n");
    }
    if (context.output.json())
        context.output.writeJson({{"candidates", list}});
    else if (found.empty())
        context.output.note("Nothing of another program was found. Name it: gguf import APP PATH");
    else
        context.output.note("Take one over with: gguf import APP [PATH] (--dry-run only shows it)");
    for (const app::ImporterFacts& facts : registry.importers()) {
        if (!facts.refusal.empty())
            context.output.note("Warning: the importer " + facts.id + " was left out: " + facts.refusal);
    }
    return 0;
}

/// APP PATH, APP (all that is found of it), or PATH (whoever recognises it).
Result<std::vector<Source>> sourcesOf(Context& context, app::ImporterRegistry& registry,
                                      const app::SearchRoots& roots) {
    const auto operands = context.arguments.operands();
    const std::string& first = operands.front();
    const auto importers = registry.importers();
    const bool isApp = std::any_of(importers.begin(), importers.end(),
                                   [&first](const app::ImporterFacts& facts) { return facts.id == first; });
    if (!isApp && operands.size() == 1) {
        const std::string path = absolute(first);
        // A word without a slash that is no file either was meant as a name.
        const bool isPath = first.find_first_of("/\\.") != std::string::npos;
        if (!isPath && !std::filesystem::exists(std::filesystem::u8path(path)))
            return Error(Errc::C513, {first, registry.knownIds()});
        if (!std::filesystem::exists(std::filesystem::u8path(path))) return Error(Errc::F802, {}, path);
        LOADER_TRY(const app::Importer* importer, registry.recognise(path));
        return std::vector<Source>{{importer, path}};
    }
    LOADER_TRY(const app::Importer* importer, registry.open(first));
    if (operands.size() == 2) return std::vector<Source>{{importer, absolute(operands[1])}};
    std::vector<Source> sources;
    for (const app::Candidate& candidate : importer->findCandidates(roots))
        sources.push_back({importer, candidate.path});
    if (sources.empty()) {
        const std::string name(importer->displayName());
        return Error(Errc::X001,
                     {"Nothing of " + name + " was found here. Name it: gguf import " + first + " PATH"});
    }
    return sources;
}

std::string readable(const Json& value) {
    constexpr std::size_t kMostShown = 80;
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "...";
    return text;
}

void printReport(Context& context, const app::ImportReport& report) {
    std::string file;
    for (const app::ReportLine& line : report.lines) {
        if (line.source.file != file) {
            file = line.source.file;
            context.output.write(file + "\n");
        }
        std::string text = "  " + std::string(nameOf(line.verdict));
        text += std::string(text.size() < 10 ? 10 - text.size() : 1, ' ') + line.source.key;
        if (!line.target.empty()) text += (line.source.key.empty() ? "" : " -> ") + line.target;
        if (!line.value.is_null()) text += " = " + readable(line.value);
        if (!line.reason.empty()) text += " (" + line.reason + ")";
        context.output.write(text + "\n");
    }
}

std::string countText(std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void addTo(ImportOutcome& whole, ImportOutcome part) {
    for (app::ReportLine& line : part.report.lines)
        whole.report.lines.push_back(std::move(line));
    whole.settings += part.settings;
    whole.models += part.models;
    whole.conversations += part.conversations;
    whole.measurements += part.measurements;
    whole.recordedSettings += part.recordedSettings;
    whole.recordedModels += part.recordedModels;
    whole.recordedConversations += part.recordedConversations;
    whole.recordedMeasurements += part.recordedMeasurements;
}

Result<ImportOutcome> runAll(Context& context, const std::vector<Source>& sources,
                             const app::SearchRoots& roots, app::ImportTarget& target,
                             const ImportOptions& options) {
    ImportOutcome whole;
    whole.dryRun = options.dryRun;
    ProgressLine progress("Importing conversations");
    const auto report = [&progress](std::size_t done, std::size_t total) { progress.report(done, total); };
    for (const Source& source : sources) {
        LOADER_TRY(ImportOutcome one, app::runImport(*source.importer, source.path, roots, target, options,
                                                     report, context.cancel));
        addTo(whole, std::move(one));
    }
    return whole;
}

/// Asked of a person at a terminal only.
bool agreed(Context& context, const ImportOutcome& dry) {
    context.output.note("This brings " + countText(dry.recordedSettings, "setting") + ", " +
                        countText(dry.recordedModels, "model") + " and " +
                        countText(dry.recordedConversations, "conversation") + ". Go on? [y/N]");
    std::string answer;
    return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

}  // namespace

Result<int> importCommand(Context& context) {
    app::ImporterRegistry registry(app::ImporterRegistry::defaultFolder());
    const app::SearchRoots roots = rootsHere();
    if (context.arguments.has("list")) return listImporters(context, registry);
    if (context.arguments.operands().empty()) return listCandidates(context, registry, roots);
    LOADER_TRY(const auto sources, sourcesOf(context, registry, roots));
    app::ProgramTarget target(configuration(context).store(), importKeepers(context));
    ImportOptions options{context.arguments.has("dry-run"), context.arguments.has("overwrite")};
    const bool mayAsk = !options.dryRun && !context.arguments.has("yes") && !context.output.json() &&
                        standardInputIsTerminal();
    if (options.dryRun || mayAsk) {
        LOADER_TRY(const ImportOutcome dry,
                   runAll(context, sources, roots, target, {true, options.overwrite}));
        if (!context.output.json()) printReport(context, dry.report);
        if (context.output.json()) context.output.writeJson(dry.toJson());
        if (options.dryRun || !agreed(context, dry)) {
            if (!context.output.json()) context.output.note("Nothing was changed.");
            return 0;
        }
    }
    LOADER_TRY(const ImportOutcome outcome, runAll(context, sources, roots, target, options));
    if (context.output.json()) {
        context.output.writeJson(outcome.toJson());
        return 0;
    }
    if (!mayAsk) printReport(context, outcome.report);
    context.output.note("New: " + countText(outcome.settings, "setting") + ", " +
                        countText(outcome.models, "model") + ", " +
                        countText(outcome.conversations, "conversation") + ", " +
                        countText(outcome.measurements, "measurement") + ".");
    return 0;
}

}  // namespace loader::cli
