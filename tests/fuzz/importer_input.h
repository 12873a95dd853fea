// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What fuzz targets of importers share: the input becomes a file in a folder of its own, the importer reads
// it, and what it handed over must be usable.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/app/config/setting_list.h"
#include "core/app/import/import_recorder.h"
#include "core/app/plugin_api/importer.h"

namespace loader::fuzz {

/// In memory, where the system has such a folder; one for each process, removed at its end.
class ImporterFolder {
public:
    ImporterFolder() {
        const std::filesystem::path memory = "/dev/shm";
        const bool hasMemory = std::filesystem::is_directory(memory);
        const std::filesystem::path base = hasMemory ? memory : std::filesystem::temp_directory_path();
        m_path = (base / "loader-fuzz-XXXXXX").string();
        if (!::mkdtemp(m_path.data())) std::abort();
        // A model that settings may name.
        std::ofstream(m_path + "/m.gguf") << "GGUF";
    }
    ~ImporterFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(m_path, ignored);
    }
    const std::string& path() const { return m_path; }

private:
    std::string m_path;
};

inline const std::string& importerFolder() {
    static const ImporterFolder folder;
    return folder.path();
}

inline void writeInput(const std::string& relative, std::string_view bytes) {
    const std::filesystem::path path = importerFolder() + "/" + relative;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
}

/// Reads twice: what comes must not depend on anything but the file.
inline void readAndCheck(const app::Importer& importer, const std::string& relative) {
    const std::string path = importerFolder() + "/" + relative;
    app::SearchRoots roots;
    roots.home = importerFolder();
    roots.working = importerFolder();
    app::ImportRecorder first;
    app::ImportRecorder second;
    static_cast<void>(importer.check(path));
    const bool read = importer.read(path, roots, first, {}).ok();
    if (importer.read(path, roots, second, {}).ok() != read) std::abort();
    if (first.report().toJson() != second.report().toJson()) std::abort();
    for (const app::RecordedSetting& setting : first.settings()) {
        const app::SettingSpec* spec = app::findSetting(setting.key);
        if (!spec || !app::checkedSetting(*spec, setting.value)) std::abort();
        if (setting.owner.kind != app::SettingOwner::Kind::Global && setting.owner.name.empty()) std::abort();
    }
    for (const app::ReportLine& line : first.report().lines) {
        if (line.source.file.empty()) std::abort();
        if (line.verdict == app::ImportVerdict::Invalid && line.reason.empty()) std::abort();
    }
}

}  // namespace loader::fuzz
