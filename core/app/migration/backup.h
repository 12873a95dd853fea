// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A backup of what a migration reads and writes: a folder with the files, byte for byte, and a manifest that
// knows each one's place, size, permissions and SHA-256. Models are listed, never copied. The manifest is
// written last: a folder without one is no backup, and is cleared away by who holds the lock next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/app/storage/file_operations.h"
#include "core/app/storage/json_text.h"
#include "core/engine/base/cancel_token.h"

namespace loader::app {

enum class BackupRole : std::uint8_t {
    /// Of this program.
    Settings,
    /// Of the old one.
    Legacy,
    /// What it kept with QSettings.
    Store,
    Log,
};
/// "settings", "legacy", "store" or "log".
std::string_view nameOf(BackupRole role);

struct BackupItem {
    BackupRole role = BackupRole::Legacy;
    std::string path;
};

/// A model as it lay there; never copied.
struct ModelRecord {
    std::string path;
    std::uint64_t bytes = 0;
    bool missing = false;
};

struct BackupEntry {
    BackupRole role = BackupRole::Legacy;
    std::string original;
    /// Name in the backup's folder; empty where there was no file, or where it could not be read.
    std::string stored;
    std::string sha256;
    std::uint64_t bytes = 0;
    /// Permission bits of the original; the copy has no more of them, and none for others than the user.
    std::uint32_t mode = 0;
    /// Why it was not copied; empty where it was, and where there was none.
    std::string fault;

    bool wasMissing() const { return stored.empty() && fault.empty(); }
};

struct BackupManifest {
    std::string id;
    /// Where it is.
    std::string folder;
    std::vector<BackupEntry> entries;

    /// Null where the file is not part of it.
    const BackupEntry* find(std::string_view original) const;
};

/// What a backup is made of.
struct BackupRequest {
    /// The folder of all backups.
    std::string folder;
    /// The time, as it is fit for a name: 2026-11-22T02-00-00Z. A backup of the same second gets a number.
    std::string id;
    std::vector<BackupItem> items;
    std::vector<ModelRecord> models;
};

/// Logs of more bytes are named, not copied.
inline constexpr std::uint64_t kMostLogBytes = std::uint64_t{64} << 20;

/// All of it or nothing; every copy is read again and compared before this succeeds.
/// @errors F806, X002; C507 where a copy is not what was read
Result<BackupManifest> makeBackup(FileOperations& files, const BackupRequest& request, CancelToken cancel);
/// @errors F802, C507 the manifest cannot be understood
Result<BackupManifest> readBackup(FileOperations& files, const std::string& folder);
/// @errors C507 a copy is missing or differs from the manifest
Status verifyBackup(FileOperations& files, const BackupManifest& manifest);
/// Names of the whole ones, in order.
std::vector<std::string> listBackups(FileOperations& files, const std::string& folder);
/// What a killed makeBackup() left. Only for who holds the lock. @errors F806
Status removeUnfinishedBackups(FileOperations& files, const std::string& folder);

}  // namespace loader::app
