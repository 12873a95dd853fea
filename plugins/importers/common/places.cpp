// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/common/places.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace loader::importers {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestPath = 4096;

bool isLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool isNameCharacter(char c) {
    return isLetter(c) || (c >= '0' && c <= '9') || c == '_';
}
char lowered(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// C:\x, C:/x or \\server\x.
bool isWindowsAbsolute(std::string_view path) {
    const bool drive =
        path.size() > 2 && isLetter(path[0]) && path[1] == ':' && (path[2] == '\\' || path[2] == '/');
    return drive || path.substr(0, 2) == "\\\\";
}

/// CON, NUL.txt, com1: names that Windows gives to devices in every folder.
bool isDeviceName(std::string_view path) {
    const std::size_t slash = path.find_last_of("\\/");
    std::string name;
    for (const char c : slash == std::string_view::npos ? path : path.substr(slash + 1))
        name += lowered(c);
    name = name.substr(0, name.find_first_of(".: "));
    constexpr std::array<std::string_view, 4> kNames = {"con", "prn", "aux", "nul"};
    const bool numbered = name.size() == 4 && (name.starts_with("com") || name.starts_with("lpt")) &&
                          name[3] >= '0' && name[3] <= '9';
    return numbered || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

PathState look(const std::string& path) {
    std::error_code fault;
    const fs::file_status status = fs::status(fs::u8path(path), fault);
    if (fs::is_regular_file(status)) return PathState::File;
    if (fs::is_directory(status)) return PathState::Folder;
    return fs::exists(status) ? PathState::Other : PathState::Missing;
}

/// What the looking thread and the waiting one share; whoever ends last frees it.
struct SharedLook {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    PathState state = PathState::Missing;
};

/// The value of a variable; HOME is known without being set.
std::string variableOf(const app::SearchRoots& roots, const std::string& name) {
    const std::string value = roots.variable(name);
    if (!value.empty()) return value;
    if (name == "HOME" || name == "USERPROFILE") return roots.home;
    if (roots.system != app::SearchRoots::System::Windows) return {};
    if (name == "APPDATA") return roots.configHome;
    return name == "LOCALAPPDATA" ? roots.dataHome : std::string();
}

/// The variable that begins at text[at], with its length; nothing for an ordinary character.
std::pair<std::string, std::size_t> variableAt(std::string_view text, std::size_t at) {
    const char close = text[at] == '%' ? '%' : '}';
    const bool braced = text[at] == '%' || (text[at] == '$' && text.substr(at + 1, 1) == "{");
    std::size_t first = at + 1;
    if (text[at] == '$' && braced) ++first;
    std::size_t end = first;
    while (end < text.size() && isNameCharacter(text[end]))
        ++end;
    if (end == first || (braced && (end >= text.size() || text[end] != close))) return {{}, 0};
    return {std::string(text.substr(first, end - first)), end - at + (braced ? 1 : 0)};
}

}  // namespace

std::string Place::note() const {
    switch (state) {
        case PathState::File: return {};
        case PathState::Folder: return "There is a folder of that name, not a file";
        case PathState::Other: return "There is a device or pipe of that name, not a file";
        case PathState::Missing: return "The file is missing at present";
        case PathState::Unreachable: return "Its drive or share does not answer at present";
    }
    return {};
}

PathState Places::stateOf(const std::string& path) {
    const std::string folder = folderOf(path);
    if (m_silent.count(folder) != 0) return PathState::Unreachable;
    const Look looking = m_look ? m_look : look;
    auto shared = std::make_shared<SharedLook>();
    try {
        std::thread([shared, path, looking] {
            const PathState state = looking(path);
            const std::lock_guard lock(shared->mutex);
            shared->state = state;
            shared->done = true;
            shared->ended.notify_one();
        }).detach();
    } catch (const std::system_error&) {
        return looking(path);
    }
    std::unique_lock lock(shared->mutex);
    if (shared->ended.wait_for(lock, m_patience, [&shared] { return shared->done; })) return shared->state;
    m_silent[folder] = true;
    return PathState::Unreachable;
}

std::string expandedPath(std::string_view text, const app::SearchRoots& roots) {
    std::string path;
    std::size_t at = 0;
    if (text == "~" || text.starts_with("~/") || text.starts_with("~\\")) {
        path = roots.home;
        at = 1;
    }
    while (at < text.size()) {
        const auto [name, length] =
            text[at] == '$' || text[at] == '%' ? variableAt(text, at) : std::pair<std::string, std::size_t>();
        const std::string value = length == 0 ? std::string() : variableOf(roots, name);
        const std::size_t step = std::max<std::size_t>(length, 1);
        path += value.empty() ? std::string(text.substr(at, step)) : value;
        at += step;
    }
    return path;
}

bool isAbsolute(std::string_view path, app::SearchRoots::System system) {
    if (system == app::SearchRoots::System::Windows) return isWindowsAbsolute(path);
    return path.starts_with("/");
}

Place Places::resolve(std::string_view text, const std::string& base) {
    Place place;
    const bool windows = m_roots.system == app::SearchRoots::System::Windows;
    std::string path = expandedPath(text, m_roots);
    if (path.empty()) place.fault = "It is empty";
    if (path.size() > kLongestPath) place.fault = "It is longer than a path can be";
    if (path.find('\0') != std::string::npos) place.fault = "It has a zero character";
    if (!windows && isWindowsAbsolute(path)) place.fault = "It is a path of Windows";
    if (windows && isDeviceName(path)) place.fault = "It is the name of a device";
    if (windows && (path.ends_with(".") || path.ends_with(" ")))
        place.fault = "Windows allows no name that ends in a point or a space";
    if (path.find("://") != std::string::npos) place.fault = "It is an address, not a path";
    if (!place.fault.empty()) return place;
    const auto plain = [](const std::string& whole) {
        return fs::u8path(whole).lexically_normal().generic_u8string();
    };
    const auto text8 = [](const auto& utf8) { return std::string(utf8.begin(), utf8.end()); };
    if (isAbsolute(path, m_roots.system)) {
        place.path = text8(plain(path));
        place.state = stateOf(place.path);
        return place;
    }
    place.path = text8(plain(joined(base, path)));
    place.state = stateOf(place.path);
    if (place.state != PathState::Missing || m_roots.working.empty()) return place;
    const std::string other = text8(plain(joined(m_roots.working, path)));
    const PathState state = stateOf(other);
    if (state == PathState::File) place = {other, {}, state};
    return place;
}

std::string joined(std::string_view folder, std::string_view name) {
    if (folder.empty()) return std::string(name);
    std::string path(folder);
    if (path.back() != '/' && path.back() != '\\') path += '/';
    return path + std::string(name);
}

std::string fileName(const std::string& path) {
    return path.substr(path.find_last_of("/\\") + 1);
}

std::string folderOf(const std::string& path) {
    const std::size_t slash = path.find_last_of("/\\");
    return slash == std::string::npos ? std::string() : path.substr(0, std::max<std::size_t>(slash, 1));
}

std::string stemOf(const std::string& path) {
    const std::string name = fileName(path);
    const std::size_t point = name.rfind('.');
    return point == std::string::npos || point == 0 ? name : name.substr(0, point);
}

bool isFile(const std::string& path) {
    std::error_code fault;
    return fs::is_regular_file(fs::u8path(path), fault);
}

bool isFolder(const std::string& path) {
    std::error_code fault;
    return fs::is_directory(fs::u8path(path), fault);
}

bool endsWithNoCase(std::string_view text, std::string_view end) {
    if (text.size() < end.size()) return false;
    const auto same = [](char a, char b) { return lowered(a) == lowered(b); };
    return std::equal(end.begin(), end.end(), text.end() - static_cast<std::ptrdiff_t>(end.size()), same);
}

std::vector<std::string> namesIn(const std::string& folder, std::size_t most) {
    std::vector<std::string> names;
    std::error_code fault;
    fs::directory_iterator entry(fs::u8path(folder), fs::directory_options::skip_permission_denied, fault);
    for (; !fault && entry != fs::directory_iterator() && names.size() < most; entry.increment(fault)) {
        const auto name = entry->path().filename().u8string();
        names.emplace_back(name.begin(), name.end());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> filesBelow(const std::string& folder, std::size_t depth, std::size_t most) {
    std::vector<std::string> files;
    std::error_code fault;
    const fs::path root = fs::u8path(folder);
    fs::recursive_directory_iterator entry(root, fs::directory_options::skip_permission_denied, fault);
    for (; !fault && entry != fs::recursive_directory_iterator() && files.size() < most;
         entry.increment(fault)) {
        std::error_code ignored;
        const bool link = entry->is_symlink(ignored);
        if (!link && entry->is_directory(ignored)) {
            if (static_cast<std::size_t>(entry.depth()) + 1 >= depth) entry.disable_recursion_pending();
            continue;
        }
        const auto name = entry->path().lexically_relative(root).generic_u8string();
        files.emplace_back(name.begin(), name.end());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string firstBytes(const std::string& path, std::size_t count) {
    // A pipe without a writer would block forever.
    if (!isFile(path)) return {};
    std::ifstream file(fs::u8path(path), std::ios::binary);
    std::string bytes(count, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(count));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return bytes;
}

bool isGguf(const std::string& path) {
    return firstBytes(path, 4) == "GGUF";
}

}  // namespace loader::importers
