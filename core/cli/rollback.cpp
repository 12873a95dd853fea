// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf rollback: puts settings back as they were before a migration.

#include "core/app/migration/rollback.h"

#include <array>

#include "core/app/storage/file_operations.h"
#include "core/cli/migration_access.h"

namespace loader::cli {
namespace {

/// In the words of a report: what was left as it is was kept, what was written was mapped.
Json lineJson(const app::RollbackLine& line) {
    static constexpr std::array<const char*, 4> kVerdicts = {"kept", "mapped", "mapped", "invalid"};
    static constexpr std::array<const char*, 4> kReasons = {"it equals the backup", "restored",
                                                            "removed: there was none before", ""};
    const auto index = static_cast<std::size_t>(line.action);
    Json json = {{"source", line.path},
                 {"key", ""},
                 {"verdict", kVerdicts[index]},
                 {"target", nameOf(line.role)},
                 {"value", nullptr},
                 {"reason", line.fault ? line.fault->message() : kReasons[index]}};
    if (line.fault) json["error"] = errorJson(*line.fault);
    return json;
}

void writeText(Output& output, const app::RollbackOutcome& outcome, bool dryRun) {
    static constexpr std::array<const char*, 4> kWords = {"unchanged ", "restored  ", "removed   ",
                                                          "left alone"};
    for (const app::RollbackLine& line : outcome.lines) {
        std::string text = std::string(kWords[static_cast<std::size_t>(line.action)]) + " " + line.path;
        if (line.fault) text += " (" + std::string(line.fault->name()) + " " + line.fault->message() + ")";
        output.write(text + "\n");
    }
    if (!outcome.changedSaved.empty())
        output.note("What had changed is in the backup " + outcome.changedSaved + ".");
    if (dryRun) output.note("Nothing was changed.");
}

}  // namespace

Result<int> rollbackCommand(Context& context) {
    app::RollbackRequest request;
    request.places = migrationPlaces();
    request.id = backupId();
    request.backup = context.arguments.text("to").value_or("");
    request.complete = context.arguments.has("complete");
    request.force = context.arguments.has("force");
    request.dryRun = context.arguments.has("dry-run");
    const auto files = app::systemFiles();
    LOADER_TRY(const app::RollbackOutcome outcome,
               app::rollBack(*files, request, logMigration, context.cancel));
    if (context.output.json()) {
        Json json = {{"report", Json::array()},
                     {"backup", outcome.backup},
                     {"changed_saved", outcome.changedSaved},
                     {"dry_run", request.dryRun}};
        for (const app::RollbackLine& line : outcome.lines)
            json["report"].push_back(lineJson(line));
        context.output.writeJson(json);
    } else {
        writeText(context.output, outcome, request.dryRun);
    }
    // The report has said which files and why; the status says that something is left to do.
    const auto fault = outcome.fault();
    return fault ? exitStatusOf(*fault) : 0;
}

}  // namespace loader::cli
