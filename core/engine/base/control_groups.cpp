// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/control_groups.h"

#include <algorithm>

namespace loader {
namespace {

bool listHas(std::string_view list, std::string_view wanted) {
    while (!list.empty()) {
        const std::string_view name = list.substr(0, list.find(','));
        if (name == wanted) return true;
        list.remove_prefix(std::min(name.size() + 1, list.size()));
    }
    return false;
}

std::vector<std::string> foldersUp(const std::string& root, std::string_view path) {
    std::vector<std::string> folders;
    // A path that leads out of the visible tree belongs to a group that cannot be seen from here.
    std::string group = path.find("..") == std::string_view::npos ? std::string(path) : std::string();
    while (!group.empty() && group != "/") {
        folders.push_back(root + group);
        const std::size_t slash = group.rfind('/');
        if (slash == std::string::npos) break;
        group.erase(slash);
    }
    folders.push_back(root);
    return folders;
}

}  // namespace

std::vector<ControlGroup> controlGroups(const SystemText& system, std::string_view controller) {
    const std::string base = "/sys/fs/cgroup";
    std::vector<ControlGroup> found;
    const auto whole = system.text("/proc/self/cgroup");
    std::string_view rest = whole ? std::string_view(*whole) : std::string_view();
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        // number:controllers:path
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string controllers(line.substr(first + 1, second - first - 1));
        const std::string_view path = line.substr(second + 1);
        if (line.starts_with("0::")) {
            // Beside version 1 the second hierarchy has a folder of its own.
            found.push_back({true, foldersUp(base, path)});
            if (system.exists(base + "/unified")) found.push_back({true, foldersUp(base + "/unified", path)});
        } else if (listHas(controllers, controller)) {
            const bool joint = system.exists(base + "/" + controllers);
            found.push_back(
                {false, foldersUp(base + "/" + (joint ? controllers : std::string(controller)), path)});
        }
    }
    return found;
}

}  // namespace loader
