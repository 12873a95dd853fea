// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the file operations of all systems have in common. Only for system_files*.cpp.
#pragma once

#include <filesystem>
#include <string>

#include "core/app/storage/file_operations.h"

namespace loader::app {

/// Reading, lists, links, locks: the same everywhere. What writes differs and is in
/// system_files_<system>.cpp.
class CommonFiles : public FileOperations {
public:
    Result<std::string> target(const std::string& path) override;
    Result<std::vector<FolderEntry>> list(const std::string& folder) override;
    Result<std::string> read(const std::string& path, std::size_t most) override;
    Result<std::unique_ptr<HeldLock>> lock(const std::string& path,
                                           std::chrono::milliseconds patience) override;
    void pause(std::chrono::milliseconds time) override;
};

FileKind kindOf(std::filesystem::file_type type);
Error readingFailed(const std::error_code& fault, const std::string& path);
Error writingFailed(const std::error_code& fault, const std::string& path);

}  // namespace loader::app
