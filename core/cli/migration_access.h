// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What `migrate`, `rollback` and the notice at the first start share: where things are on this machine.
#pragma once

#include <string>
#include <vector>

#include "core/app/migration/legacy_finder.h"
#include "core/app/migration/migration.h"
#include "core/cli/context.h"

namespace loader::cli {

app::MigrationPlaces migrationPlaces();
/// With the folder the program was started in.
app::SearchRoots searchRoots();
/// Old settings as items of a backup. @param from a file or a folder; empty looks at the usual places, with
/// their logs
std::vector<app::BackupItem> legacyItems(const app::SearchRoots& roots, const std::string& from);
/// 2026-11-22T02-00-00Z
std::string backupId();
/// Adds a line with the time to migration.log; what cannot be written is not worth a failure.
void logMigration(const std::string& line);
/// On standard error, once for ever: that there are old settings; each time: that a migration was
/// interrupted.
void noteOlderSettings(Output& output, std::string_view command);

}  // namespace loader::cli
