// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A folder that plays the root of a system: tests write into it what /proc, /sys and /etc would say.
#pragma once

#include <QTemporaryDir>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/system_text.h"

namespace loader::test {

class FixtureRoot {
public:
    /// @param path from the root, as "/proc/meminfo"
    void write(const std::string& path, std::string_view text) const {
        const std::filesystem::path place = root() + path;
        std::filesystem::create_directories(place.parent_path());
        // A file that is emptied and written again is flushed to the disk by some file systems; a new one is not.
        std::filesystem::remove(place);
        std::ofstream(place, std::ios::binary) << text;
    }
    void folder(const std::string& path) const { std::filesystem::create_directories(root() + path); }
    /// A link as /sys has them: relative, within the root.
    void link(const std::string& path, const std::string& target) const {
        const std::filesystem::path place = root() + path;
        std::filesystem::create_directories(place.parent_path());
        std::filesystem::create_symlink(
            std::filesystem::path(root() + target).lexically_relative(place.parent_path()), place);
    }
    /// Processors with their topology files. @param siblings of each, as the system lists them
    void processors(const std::string& online, const std::vector<std::string>& siblings) const {
        write("/sys/devices/system/cpu/online", online + "\n");
        for (std::size_t i = 0; i < siblings.size(); ++i) {
            const std::string folderOfOne = "/sys/devices/system/cpu/cpu" + std::to_string(i);
            write(folderOfOne + "/topology/thread_siblings_list", siblings[i] + "\n");
            write(folderOfOne + "/topology/physical_package_id", "0\n");
        }
    }

    std::string root() const { return m_folder.path().toStdString(); }
    SystemText system() const { return SystemText(root()); }

private:
    QTemporaryDir m_folder;
};

}  // namespace loader::test
