// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Puts files back as a backup has them, byte for byte, permissions included. What equals the backup is not
// touched; what somebody changed since is left alone, or backed up first. Killed anywhere, it is simply done
// again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/app/migration/backup.h"
#include "core/app/migration/migration_record.h"

namespace loader::app {

struct RollbackRequest {
    MigrationPlaces places;
    /// The time, for the backup of what was changed since.
    std::string id;
    /// Of a backup; empty is that of the last migration that was not rolled back.
    std::string backup;
    /// Stores and logs too, not settings alone.
    bool complete = false;
    /// Also what changed since, after a backup of it.
    bool force = false;
    bool dryRun = false;
    std::chrono::milliseconds patience{5000};
};

enum class RollbackAction : std::uint8_t {
    /// It equals the backup.
    Untouched,
    Restored,
    /// There was none before the migration.
    Removed,
    /// C510, or it could not be written; the fault says why.
    Left,
};

struct RollbackLine {
    std::string path;
    BackupRole role = BackupRole::Legacy;
    RollbackAction action = RollbackAction::Untouched;
    std::optional<Error> fault;
};

struct RollbackOutcome {
    std::string backup;
    std::vector<RollbackLine> lines;
    /// The backup of what was changed since; empty where nothing was.
    std::string changedSaved;

    /// The first fault of a line; nothing where all went well.
    std::optional<Error> fault() const;
};

/// @errors C506, C507, C508, X005 a name that is no name of a backup, F806. What concerns one file is in its
/// line.
Result<RollbackOutcome> rollBack(FileOperations& files, const RollbackRequest& request,
                                 const std::function<void(const std::string&)>& log, CancelToken cancel);

}  // namespace loader::app
