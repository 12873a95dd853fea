// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is made from file operations: files that are replaced whole or not at all, copies that are proven,
// checksums.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/app/storage/file_operations.h"

namespace loader::app {

/// Of new files: nobody else's business.
inline constexpr std::uint32_t kPrivateMode = 0600;

/// "/a/b" of "/a/b/c"; "." where there is no folder in it.
std::string folderOf(std::string_view path);
/// "c" of "/a/b/c".
std::string fileNameOf(std::string_view path);
std::string joined(std::string_view folder, std::string_view name);

/// Tries again where another program holds one of them for a moment. @errors F806
Status renamePatiently(FileOperations& files, const std::string& from, const std::string& to);
/// The file with these bytes, whole or as it was, also after a power cut: written beside it, synced, renamed,
/// folder synced. A link is followed, never replaced. The mode of a file that is there is kept.
/// @param mode of a new file; with force, of one that is there too
/// @errors F806, F805 a loop of links
Status replaceFile(FileOperations& files, const std::string& path, std::string_view bytes,
                   std::uint32_t mode = kPrivateMode, bool force = false);
/// Removes what a replaceFile() or copyFile() of this path, or of a file named after it (path.broken), left
/// behind when it was killed. Only for who holds the lock.
Status removeLeftovers(FileOperations& files, const std::string& path);
/// The folder and all that are missing above it, lasting. @errors F806
Status makeFolders(FileOperations& files, const std::string& folder);
/// A new file at to, synced, with the mode of from (and mask). @return its SHA-256 in lower-case hexadecimal
/// @errors F806, also where there is a file; those of reading
Result<std::string> copyFile(FileOperations& files, const std::string& from, const std::string& to,
                             std::uint32_t mask = 0777);
/// Lower-case hexadecimal. @errors as readPieces()
Result<std::string> sha256OfFile(FileOperations& files, const std::string& path);
std::string sha256Of(std::string_view bytes);

}  // namespace loader::app
