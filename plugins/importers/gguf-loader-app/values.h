// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Values as people and older programs write them: a number in quotation marks, yes for true, a decimal comma,
// a path with a variable in it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "core/app/plugin_api/importer.h"

namespace loader::app::ggufloader {

/// A value and what is to be said about how it was written; the note may be empty.
template <class T>
struct Read {
    T value{};
    std::string note;
};

/// true, false, 0, 1, and yes, no, on, off, true, false as texts in any case.
std::optional<Read<bool>> readBool(const Json& value);
/// A finite number, also as a text, also with a decimal comma. Whole ones stay whole.
std::optional<Read<Json>> readNumber(const Json& value);

enum class PathState : std::uint8_t { File, Folder, Other, Missing, Unreachable };
/// @thread any; called on a thread of its own, which a dead share may hold for minutes
using LookAtPath = std::function<PathState(const std::string&)>;
PathState lookAtPath(const std::string& path);

/// Paths of a file, with the places of this machine. After the first share that does not answer in time,
/// paths below the same folder are not tried again.
/// @thread confined to one thread
class Paths {
public:
    /// @param patience 0 looks on the caller's thread, for as long as that takes
    Paths(const SearchRoots& roots, LookAtPath look,
          std::chrono::milliseconds patience = std::chrono::seconds(2));

    /// ~, $HOME, ${HOME}, %APPDATA% and their like replaced; a relative path from beside the file it stands
    /// in, or from where the program was started, whichever is there. The note tells what is odd about it.
    Read<std::string> resolve(const std::string& written, const std::string& file);
    PathState state(const std::string& path);

private:
    std::string expanded(const std::string& written) const;
    std::string value(std::string_view variable) const;

    const SearchRoots& m_roots;
    LookAtPath m_look;
    std::chrono::milliseconds m_patience;
    std::vector<std::string> m_dead;
};

}  // namespace loader::app::ggufloader
