// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Everything that our own files on disk go through: settings, backups, migrations. One small seam, so that a
// test can cut the power, fill the disk, or stop the program between any two of these calls. What is built
// from them (a file that is replaced whole or not at all, copies, checksums): file_steps.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/storage/small_file.h"
#include "core/engine/base/result.h"

namespace loader::app {

enum class FileKind : std::uint8_t { Missing, Regular, Folder, Link, Other };

struct FileFacts {
    FileKind kind = FileKind::Missing;
    std::uint64_t bytes = 0;
    /// Permission bits such as 0600; 0 where the system has none.
    std::uint32_t mode = 0;
    /// Of the last change, since 1970.
    std::chrono::nanoseconds modified{0};
};

struct FolderEntry {
    std::string name;
    FileKind kind = FileKind::Missing;
};

/// A file that is being written. The destructor closes it; what was written so far stays.
class NewFile {
public:
    virtual ~NewFile() = default;
    /// @errors F806
    virtual Status append(std::string_view bytes) = 0;
    /// Until this has succeeded a power cut may take any part of what was appended. @errors F806
    virtual Status sync() = 0;
    /// @errors F806
    virtual Status close() = 0;
};

/// Let go by the destructor.
class HeldLock {
public:
    virtual ~HeldLock() = default;
};

/// Paths are UTF-8. @thread the system's: any; those of tests: one
class FileOperations {
public:
    virtual ~FileOperations() = default;

    /// Of the path itself: a link is a link. A missing file is no error. @errors F804, F805
    virtual Result<FileFacts> facts(const std::string& path) = 0;
    /// Where a link leads in the end; the path itself where it is none. What it leads to may be missing.
    /// @errors F805 a loop
    virtual Result<std::string> target(const std::string& path) = 0;
    /// By name, in order; without . and .. @errors F802, F804, F805
    virtual Result<std::vector<FolderEntry>> list(const std::string& folder) = 0;
    /// Links are followed. @errors as readSmallFile()
    virtual Result<std::string> read(const std::string& path, std::size_t most = kMostConfigBytes) = 0;
    /// A regular file of any size in pieces; ends with the first error of take. @errors F802, F804, F805,
    /// C512
    virtual Status readPieces(const std::string& path,
                              const std::function<Status(std::string_view)>& take) = 0;

    /// Null where something of that name is there. @param mode of the file, whatever the umask. @errors F806
    virtual Result<std::unique_ptr<NewFile>> create(const std::string& path, std::uint32_t mode) = 0;
    /// Replaces what is at the new name. @return false where another program holds one of them for a moment
    /// @errors F806
    virtual Result<bool> rename(const std::string& from, const std::string& to) = 0;
    /// A file or a link; a missing one is no error. @errors F806
    virtual Status remove(const std::string& path) = 0;
    /// One, for the user alone; its parent must be there; one that is there is no error. @errors F806
    virtual Status makeFolder(const std::string& path) = 0;
    /// An empty one; a missing one is no error. @errors F806
    virtual Status removeFolder(const std::string& path) = 0;
    /// Makes new names, renames and removals in it last through a power cut. @errors F806
    virtual Status syncFolder(const std::string& path) = 0;
    /// @errors F806
    virtual Status setMode(const std::string& path, std::uint32_t mode) = 0;

    /// Excludes other instances of this program; one that a dead process left is taken over.
    /// @errors C506 with who holds it, F806
    virtual Result<std::unique_ptr<HeldLock>> lock(const std::string& path,
                                                   std::chrono::milliseconds patience) = 0;
    virtual void pause(std::chrono::milliseconds time) = 0;
};

/// Those of the system.
std::unique_ptr<FileOperations> systemFiles();

}  // namespace loader::app
