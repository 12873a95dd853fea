// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "plugins/importers/gguf-loader-app/values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "core/app/storage/utf8_path.h"

namespace loader::app::ggufloader {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
    std::string small(text);
    for (char& c : small)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return small;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<Json> numberIn(std::string_view text) {
    const char* end = text.data() + text.size();
    std::int64_t whole = 0;
    const auto integer = std::from_chars(text.data(), end, whole);
    if (integer.ec == std::errc() && integer.ptr == end) return Json(whole);
    double real = 0.0;
    const auto floating = std::from_chars(text.data(), end, real);
    if (floating.ec != std::errc() || floating.ptr != end || !std::isfinite(real)) return std::nullopt;
    return Json(real);
}

bool isAbsolute(const std::string& path) {
    if (path.empty()) return false;
    const bool drive = path.size() > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/');
    return path[0] == '/' || drive || path.substr(0, 2) == "\\\\";
}

std::string folderOf(const std::string& path) {
    const std::size_t slash = path.find_last_of("/\\");
    return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

/// The share or drive that a path is on, roughly: its first two folders.
std::string upperPart(const std::string& path) {
    std::size_t at = 0;
    for (int level = 0; level < 3 && at != std::string::npos; ++level)
        at = path.find_first_of("/\\", at + (level == 0 ? 0 : 1));
    return path.substr(0, at);
}

}  // namespace

std::optional<Read<bool>> readBool(const Json& value) {
    if (value.is_boolean()) return Read<bool>{value.get<bool>(), {}};
    if (value == 0 || value == 1) return Read<bool>{value == 1, "it was written as a number"};
    if (!value.is_string()) return std::nullopt;
    const std::string word = lower(trimmed(value.get_ref<const std::string&>()));
    const bool yes = word == "true" || word == "yes" || word == "on" || word == "1";
    const bool no = word == "false" || word == "no" || word == "off" || word == "0";
    if (!yes && !no) return std::nullopt;
    return Read<bool>{yes, "it was written as a text"};
}

std::optional<Read<Json>> readNumber(const Json& value) {
    if (value.is_number()) return Read<Json>{value, {}};
    if (!value.is_string()) return std::nullopt;
    std::string text(trimmed(value.get_ref<const std::string&>()));
    if (const auto number = numberIn(text)) return Read<Json>{*number, "it was written as a text"};
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos || text.find('.') != std::string::npos) return std::nullopt;
    text[comma] = '.';
    const auto number = numberIn(text);
    if (!number) return std::nullopt;
    return Read<Json>{*number, "it was written with a decimal comma"};
}

PathState lookAtPath(const std::string& path) {
    std::error_code fault;
    const fs::file_status status = fs::status(utf8Path(path), fault);
    switch (status.type()) {
        case fs::file_type::regular: return PathState::File;
        case fs::file_type::directory: return PathState::Folder;
        case fs::file_type::none:
        case fs::file_type::not_found: return PathState::Missing;
        default: return PathState::Other;
    }
}

Paths::Paths(const SearchRoots& roots, LookAtPath look, std::chrono::milliseconds patience)
    : m_roots(roots), m_look(std::move(look)), m_patience(patience) {}

PathState Paths::state(const std::string& path) {
    const std::string upper = upperPart(path);
    if (std::find(m_dead.begin(), m_dead.end(), upper) != m_dead.end()) return PathState::Unreachable;
    if (m_patience == std::chrono::milliseconds(0)) return m_look(path);
    const auto promise = std::make_shared<std::promise<PathState>>();
    std::future<PathState> answer = promise->get_future();
    // Nothing can be cancelled that waits for a share which does not answer: the thread is left to itself.
    std::thread([look = m_look, path, promise] { promise->set_value(look(path)); }).detach();
    if (answer.wait_for(m_patience) == std::future_status::ready) return answer.get();
    m_dead.push_back(upper);
    return PathState::Unreachable;
}

std::string Paths::value(std::string_view variable) const {
    const std::string set = m_roots.variable(variable);
    if (!set.empty()) return set;
    if (variable == "HOME" || variable == "USERPROFILE") return m_roots.home;
    if (variable == "APPDATA") return m_roots.configHome;
    if (variable == "LOCALAPPDATA") return m_roots.dataHome;
    return {};
}

std::string Paths::expanded(const std::string& written) const {
    const auto with = [&](std::size_t from, const std::string& value) {
        return value.empty() ? written : value + written.substr(from);
    };
    const bool slashNext = written.size() < 2 || written[1] == '/' || written[1] == '\\';
    if (written[0] == '~' && slashNext) return with(1, m_roots.home);
    if (written.substr(0, 2) == "${") {
        const std::size_t end = written.find('}');
        return end == std::string::npos ? written : with(end + 1, value(written.substr(2, end - 2)));
    }
    if (written[0] == '$') {
        const std::size_t end = std::min(written.find_first_of("/\\"), written.size());
        return with(end, value(written.substr(1, end - 1)));
    }
    const std::size_t end = written[0] == '%' ? written.find('%', 1) : std::string::npos;
    return end == std::string::npos ? written : with(end + 1, value(written.substr(1, end - 1)));
}

Read<std::string> Paths::resolve(const std::string& written, const std::string& file) {
    Read<std::string> read{expanded(written), {}};
    if (read.value != written) read.note = "it was written as " + written;
    if (isAbsolute(read.value)) return read;
    for (const std::string& folder : {folderOf(file), m_roots.working}) {
        if (folder.empty()) continue;
        const std::string whole = utf8Text((utf8Path(folder) / utf8Path(read.value)).lexically_normal());
        const PathState found = state(whole);
        if (found == PathState::File || found == PathState::Folder)
            return {whole, "it was written as " + written + ", relative to " + folder};
    }
    read.note = "it is a relative path, and nothing is there from here";
    return read;
}

}  // namespace loader::app::ggufloader
