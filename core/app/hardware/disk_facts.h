// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The disk that a path is on: how much room it has, and what kind of disk it is. Models are mapped, so that a
// disk behind a network or a slow one is felt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/engine/base/result.h"
#include "core/engine/base/system_text.h"

namespace loader::app {

struct DiskKind {
    /// "ext4", "ntfs", "nfs4"; empty where the system does not tell.
    std::string fileSystem;
    std::string mountPoint;
    /// Behind a network, or the host's of a virtual machine.
    bool network = false;
    bool removable = false;
    /// Turning platters; nothing where the system does not tell.
    std::optional<bool> rotational;
    bool readOnly = false;
};

struct DiskFacts {
    /// What was asked for; it need not exist yet, the nearest folder above it counts.
    std::string path;
    std::uint64_t totalBytes = 0;
    /// What this user may still write.
    std::uint64_t freeBytes = 0;
    DiskKind kind;
};

/// @errors F805 the system does not tell
Result<DiskFacts> readDiskFacts(const std::string& path, const SystemText& system = SystemText());

/// The kind alone, from the mount table. @param path absolute and without links @source Linux
/// proc_pid_mountinfo(5)
DiskKind diskKind(const std::string& path, const SystemText& system);

}  // namespace loader::app
