// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Takes over the settings of an older version: read (nothing is changed), plan, back up, let it arrive, mark,
// prove. Killed anywhere, the next migrate or recoverMigration() finishes or undoes it; done twice, the
// second time changes nothing. Old files are only ever read. Faults and their tests: docs/migration.md.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/app/import/import_recorder.h"
#include "core/app/migration/backup.h"
#include "core/app/migration/migration_record.h"

namespace loader::app {

/// What is done by others. Each is called at most twice.
struct MigrationSteps {
    /// Reads the sources into a recorder; changes nothing.
    std::function<Result<ImportRecorder>()> plan;
    /// Lets what was recorded arrive: settings last, and those in one write.
    std::function<Status(const ImportRecorder&)> arrive;
    /// Loads the default model. Empty: no proof is wanted.
    std::function<Status()> testLoad;
    /// One line for each step; without values and without secrets. May be empty.
    std::function<void(const std::string&)> log;
};

struct MigrationRequest {
    MigrationPlaces places;
    /// The time, as it is fit for the name of a backup.
    std::string id;
    /// Files that the plan is read from, and logs and stores beside them: all of them go into the backup, and
    /// those that are no logs tell whether anything is new.
    std::vector<BackupItem> items;
    std::vector<ModelRecord> models;
    bool dryRun = false;
    /// With another instance.
    std::chrono::milliseconds patience{5000};
};

struct MigrationOutcome {
    ImportReport report;
    /// False where everything had been taken over before, and of a dry run.
    bool changed = false;
    /// The backup that undoes it; of a dry run empty.
    std::string backup;
    /// C511 where the test load failed; the settings are kept all the same.
    std::optional<Error> unproven;
    bool proven = false;
};

/// @errors those of the plan; C506 another instance; F806 and those of arriving: then nothing was changed but
/// the
///         backup made; C507; X002
Result<MigrationOutcome> migrate(FileOperations& files, const MigrationRequest& request,
                                 const MigrationSteps& steps, CancelToken cancel);

enum class Recovered : std::uint8_t { Nothing, Finished, Undone };
/// What a killed migration left: where its settings had arrived, it is marked as done; else it never
/// happened.
/// @errors C506, C501, F806
Result<Recovered> recoverMigration(FileOperations& files, const MigrationPlaces& places,
                                   std::chrono::milliseconds patience = std::chrono::milliseconds(5000));
/// Whether these very files were taken over, and not rolled back since. @errors as readRecords()
Result<bool> isMigrated(FileOperations& files, const MigrationPlaces& places,
                        const std::vector<BackupItem>& items);

}  // namespace loader::app
