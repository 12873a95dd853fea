// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// migrated.json: which files were taken over, what they were like, and where the backup is. And the journal
// of a migration that is under way, which is one such record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/app/storage/file_operations.h"
#include "core/app/storage/json_text.h"

namespace loader::app {

/// Where a migration keeps its things. Everything is beside our own settings and data; nothing is in old
/// places.
struct MigrationPlaces {
    /// Our config.json.
    std::string config;
    std::string dataFolder;

    std::string backups() const;
    std::string marker() const;
    std::string journal() const;
    std::string lock() const;
    /// Held while config.json is written: ConfigStore takes the same one.
    std::string configLock() const;
};

struct MigratedSource {
    std::string path;
    /// Empty where it could not be read.
    std::string sha256;

    bool operator==(const MigratedSource& other) const;
};

struct MigrationRecord {
    /// The id of its backup.
    std::string backup;
    std::vector<MigratedSource> sources;
    /// SHA-256 of our configuration before and after; empty where there was none.
    std::string configBefore;
    std::string configAfter;
    bool rolledBack = false;
};

/// In the order in which they happened. A missing file holds none.
/// @errors C501, F804, F805
Result<std::vector<MigrationRecord>> readRecords(FileOperations& files, const std::string& path);
/// @errors F806
Status writeRecords(FileOperations& files, const std::string& path,
                    const std::vector<MigrationRecord>& records);

/// SHA-256 of a file; empty where there is none. @errors F804, F805, C512
Result<std::string> hashIfThere(FileOperations& files, const std::string& path);

}  // namespace loader::app
