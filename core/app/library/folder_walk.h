// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Goes through one place and finds the model files in it: by their first four letters, and by the name .gguf
// alone only so that a damaged one is shown with its fault. Reads no header.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/app/library/file_identity.h"
#include "core/app/library/places.h"

namespace loader::app {

struct FoundFile {
    /// As it was reached: under the place, links not resolved.
    std::string path;
    FileIdentity identity;
    /// What its store calls it ("llama3.2:3b"), and the repository it is of ("ORG/NAME"); may be empty.
    std::string name;
    std::string repository;
    /// That the store promises; hexadecimal or empty.
    std::string sha256;
};

/// Files that are in the index already: unchanged ones are not opened.
using KnownFiles = std::unordered_map<std::string, FileIdentity>;

/// Shared with whoever waits, and lives as long as the slower of both.
struct WalkState {
    std::atomic<std::uint64_t> steps{0};
    std::atomic<bool> stop{false};
};

struct WalkResult {
    std::vector<FoundFile> files;
    /// What could not be looked at, and limits that were reached. Places name it.
    std::vector<Error> notes;
    /// The place itself is not there.
    bool missing = false;
};

/// A folder may be a home folder: no more entries than this are looked at, no deeper than that.
inline constexpr std::uint64_t kMostEntries = 2'000'000;
inline constexpr std::size_t kMostFiles = 100'000;
inline constexpr std::size_t kMostDepth = 128;
inline constexpr std::size_t kMostNotes = 100;
/// Shorter files have no header.
inline constexpr std::uint64_t kLeastModelBytes = 24;

/// Links are followed, each folder and each file is taken once (device and inode), hidden ones are left out.
/// @thread any; blocks as long as the file system does
WalkResult walkPlace(const LibraryPlace& place, const KnownFiles& known, WalkState& state);

}  // namespace loader::app
