// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What an importer of another program's settings, models and chats is: plugins/importers/<program>. It only
// reads. docs/howto/add-importer.md tells how to write one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/import/import_sink.h"
#include "core/engine/base/cancel_token.h"
#include "core/engine/base/result.h"

namespace loader::app {

/// Where programs keep their things on this machine. Tests point all of it into a folder of their own.
struct SearchRoots {
    enum class System : std::uint8_t { Linux, Windows, MacOs };
    System system = System::Linux;
    std::string home;
    /// XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_CACHE_HOME or their defaults; on macOS ~/Library/Preferences,
    /// ~/Library/Application Support, ~/Library/Caches; on Windows %APPDATA%, %LOCALAPPDATA%, %LOCALAPPDATA%.
    std::string configHome;
    std::string dataHome;
    std::string cacheHome;
    /// The folder the program was started in.
    std::string working;
    /// Variables that name places of other programs (OLLAMA_MODELS, HF_HOME, LLAMA_CACHE …), as they are set.
    std::map<std::string, std::string, std::less<>> environment;

    /// Empty where unset.
    std::string variable(std::string_view name) const;
};

/// Something that can be imported.
struct Candidate {
    /// A file or folder to hand to read().
    std::string path;
    /// One line for people: "settings", "12 models".
    std::string what;
};

enum class Confidence : std::uint8_t { No, Maybe, Sure };

/// @thread confined to one thread; every call may block on a disk, none on a network
class Importer {
public:
    virtual ~Importer() = default;
    /// The folder's name: "lm-studio".
    virtual std::string_view id() const = 0;
    virtual std::string_view displayName() const = 0;
    /// What is there: looks for files, reads no bodies.
    virtual std::vector<Candidate> findCandidates(const SearchRoots& roots) const = 0;
    /// Whether a file or folder is of this program. Reads at most 64 KiB.
    virtual Confidence check(const std::string& path) const = 0;
    /// Hands everything to the sink: every key of every file ends in exactly one call of it.
    /// @errors C501, C502, C512, C515, F802, F804, F805 where nothing at all can be read; X002. What is wrong
    /// with
    ///         one file of several is a line of the report.
    virtual Status read(const std::string& path, const SearchRoots& roots, ImportSink& sink,
                        CancelToken cancel) const = 0;
};

}  // namespace loader::app
