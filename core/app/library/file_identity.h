// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What tells one file from another, and an unchanged file from a changed one, without reading it.
#pragma once

#include <cstdint>
#include <string>

#include "core/engine/base/result.h"

namespace loader::app {

struct FileIdentity {
    enum class Kind : std::uint8_t { File, Folder, Other };
    Kind kind = Kind::Other;
    std::uint64_t bytes = 0;
    /// Of the content, and of anything about the file; the second is 0 where the system keeps no such time.
    /// @unit nanoseconds since 1970
    std::int64_t modified = 0;
    std::int64_t changed = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    bool operator==(const FileIdentity&) const = default;
    /// The same bytes in the same place of the same disk, whatever the path.
    bool sameContent(const FileIdentity& other) const {
        return bytes == other.bytes && modified == other.modified && device == other.device &&
               inode == other.inode;
    }
};

/// Links are followed; nothing is opened. @errors F802 missing, F804 not permitted, F805 other
/// @thread any; may block as long as the file system does
Result<FileIdentity> identify(const std::string& path);

/// Whether a regular file begins with the four letters of the format. Never waits for a pipe or a device.
bool beginsAsModel(const std::string& path);

/// Whether a file may have changed in the same tick of the clock in which it was looked at, so that its times
/// prove nothing. @unit now: nanoseconds since 1970
bool isFresh(const FileIdentity& identity, std::int64_t now);
/// @unit nanoseconds since 1970
std::int64_t nowNanoseconds();

}  // namespace loader::app
