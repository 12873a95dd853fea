// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Paths as other programs write them: ~, variables, relative ones, paths of another system, places that are
// gone or that no longer answer. Also the small questions that importers ask of a disk.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/plugin_api/importer.h"

namespace loader::importers {

enum class PathState : std::uint8_t {
    File,
    Folder,
    /// A device, pipe or socket.
    Other,
    Missing,
    /// A drive or share that did not answer in time.
    Unreachable,
};

/// A path of a foreign file in full.
struct Place {
    /// Absolute; empty where fault says why the text is no path here.
    std::string path;
    std::string fault;
    PathState state = PathState::Missing;
    /// What the user should know of it: empty for a file that is there.
    std::string note() const;
};

/// Remembers which places did not answer, so that a list of paths on a dead share costs the wait once.
/// @thread confined to one thread
class Places {
public:
    /// Looks at one path; may block for as long as a dead share does.
    using Look = PathState (*)(const std::string& path);

    explicit Places(const app::SearchRoots& roots,
                    std::chrono::milliseconds patience = std::chrono::milliseconds(2000), Look look = nullptr)
        : m_roots(roots), m_patience(patience), m_look(look) {}

    /// @param base folder of the file that names it, to which a relative path belongs; where nothing is
    /// there,
    ///        the folder the program was started in is tried
    Place resolve(std::string_view text, const std::string& base);
    /// What is there; decided within the patience.
    PathState stateOf(const std::string& path);

private:
    const app::SearchRoots& m_roots;
    std::chrono::milliseconds m_patience;
    Look m_look;
    /// Folders that did not answer.
    std::map<std::string, bool> m_silent;
};

/// ~, $NAME, ${NAME} and %NAME% of the variables in roots; unknown ones stay.
std::string expandedPath(std::string_view text, const app::SearchRoots& roots);
bool isAbsolute(std::string_view path, app::SearchRoots::System system);

/// a/b; empty where a is empty.
std::string joined(std::string_view folder, std::string_view name);
std::string fileName(const std::string& path);
std::string folderOf(const std::string& path);
/// The file's name without its last extension.
std::string stemOf(const std::string& path);
bool isFile(const std::string& path);
bool isFolder(const std::string& path);
bool endsWithNoCase(std::string_view text, std::string_view end);

/// Names in a folder, sorted; at most most of them. Nothing where it cannot be read.
std::vector<std::string> namesIn(const std::string& folder, std::size_t most = 100'000);
/// Files below a folder, relative to it with /, sorted; links to folders are not followed.
std::vector<std::string> filesBelow(const std::string& folder, std::size_t depth = 8,
                                    std::size_t most = 100'000);
/// The first bytes of a regular file; less where it is shorter or cannot be read.
std::string firstBytes(const std::string& path, std::size_t count);
/// Whether a file begins as GGUF files do.
bool isGguf(const std::string& path);

}  // namespace loader::importers
