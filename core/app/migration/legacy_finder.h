// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What older versions and their relatives left on this machine: places and names only; nothing is read but
// the mark that tells our own configuration from theirs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/app/plugin_api/importer.h"

namespace loader::app {

enum class LegacyKind : std::uint8_t {
    /// JSON of any version.
    Settings,
    /// model_performance_cache.json
    Measurements,
    /// A store of QSettings as a file.
    Store,
    /// Property lists of macOS, which are not read.
    PropertyList,
    /// An export of the registry.
    RegistryExport,
    Log,
    /// A file in a folder of models.
    Model,
};

struct LegacyFile {
    LegacyKind kind = LegacyKind::Settings;
    std::string path;
};

/// In the order in which they count: what comes first wins where two say the same with equal weight.
/// @thread any; may block on a disk
class LegacyFinder {
public:
    explicit LegacyFinder(const SearchRoots& roots) : m_roots(roots) {}

    /// Everything an importer reads. Each file once, also where a link leads to it from two sides.
    std::vector<LegacyFile> settings() const;
    /// The same in one folder that the user names, at most one level deep.
    std::vector<LegacyFile> settingsIn(const std::string& folder) const;
    std::vector<LegacyFile> logs() const;
    /// Files below the old folders of models, at any depth.
    std::vector<LegacyFile> models() const;
    /// For messages.
    std::vector<std::string> folders() const;

private:
    const SearchRoots& m_roots;
};

}  // namespace loader::app
