// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/diagnostics/load_log.h"

#include <QLockFile>
#include <QString>
#include <algorithm>
#include <filesystem>

#include "core/engine/base/atomic_file.h"
#include "core/engine/base/mapped_file.h"
#include "core/engine/base/utf8.h"

namespace loader::app {
namespace {

using Json = nlohmann::ordered_json;

/// Of a file that is longer, the end counts.
constexpr std::uint64_t kMostBytes = LoadLog::kMostLines * LoadLog::kMostLineBytes;
constexpr std::uint64_t kTailBytes = 256 * 1024;
constexpr int kLockTime = 500;
/// Entry, report, steps, step.
constexpr int kMostDepth = 12;

/// The end of a file; empty where it cannot be read.
std::string endOf(const std::string& path, std::uint64_t most) {
    const auto file = FileSource::open(path);
    if (!file.ok()) return {};
    const std::uint64_t bytes = std::min((*file)->size(), most);
    std::string text(static_cast<std::size_t>(bytes), '\0');
    const auto read =
        (*file)->read((*file)->size() - bytes, std::as_writable_bytes(std::span(text.data(), text.size())));
    return read.ok() ? text : std::string();
}

/// The last lines that are not empty.
std::vector<std::string> linesOf(const std::string& text, std::size_t most) {
    std::vector<std::string> lines;
    std::size_t end = text.size();
    while (end > 0 && lines.size() < most) {
        const std::size_t before = text.rfind('\n', end - 1);
        const std::size_t begin = before == std::string::npos ? 0 : before + 1;
        if (end > begin) lines.push_back(text.substr(begin, end - begin));
        end = begin == 0 ? 0 : begin - 1;
    }
    std::reverse(lines.begin(), lines.end());
    return lines;
}

/// Only who owns it may read it: it tells which models somebody uses.
Status makePrivateFolder(const std::string& folder) {
    std::error_code fault;
    const bool made = std::filesystem::create_directories(folder, fault);
    if (fault) return Error(Errc::F806, {fault.message()}, folder);
    if (made) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, fault);
    return {};
}

}  // namespace

std::string logFolder(const std::string& stateHome, const std::string& home) {
    // A relative path is to be ignored, as the specification says.
    const bool usable = !stateHome.empty() && std::filesystem::path(stateHome).is_absolute();
    return (usable ? stateHome : home + "/.local/state") + "/gguf-loader/logs";
}

Status LoadLog::append(const Json& entry) const {
    const std::string line = entry.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (line.size() > kMostLineBytes) return Error(Errc::X003, {"an entry of a log is too long"});
    LOADER_CHECK(makePrivateFolder(m_folder));
    // Two programs that load at once would lose one of the entries.
    QLockFile lock(QString::fromStdString(path() + ".lock"));
    if (!lock.tryLock(kLockTime)) return Error(Errc::F806, {"another program is writing"}, path());
    std::string text;
    for (const std::string& old : linesOf(endOf(path(), kMostBytes), kMostLines - 1))
        text += old + "\n";
    text += line + "\n";
    LOADER_TRY(const auto file, AtomicFile::create(path()));
    LOADER_CHECK(file->append(std::as_bytes(std::span(text))));
    return file->commit();
}

std::vector<Json> LoadLog::last(std::size_t count) const {
    std::vector<Json> entries;
    for (const std::string& line : linesOf(endOf(path(), kMostBytes), count)) {
        bool deep = false;
        const auto limit = [&deep](int depth, Json::parse_event_t, Json&) {
            deep = deep || depth > kMostDepth;
            return !deep;
        };
        Json entry = Json::parse(line, limit, false);
        if (!deep && entry.is_object()) entries.push_back(std::move(entry));
    }
    return entries;
}

LogTail logTail(const std::string& folder, std::size_t lines) {
    LogTail tail;
    std::filesystem::path newest;
    std::filesystem::file_time_type when{};
    std::error_code fault;
    for (std::filesystem::directory_iterator entry(folder, fault), end; !fault && entry != end;
         entry.increment(fault)) {
        std::error_code unknown;
        const bool isLog = entry->path().extension() == ".log" && entry->is_regular_file(unknown);
        const auto changed = isLog ? entry->last_write_time(unknown) : when;
        if (!isLog || unknown || (!newest.empty() && changed <= when)) continue;
        newest = entry->path();
        when = changed;
    }
    if (newest.empty()) return tail;
    tail.file = newest.filename().string();
    for (std::string& line : linesOf(endOf(newest.string(), kTailBytes), lines)) {
        // A report is JSON, which is UTF-8.
        if (utf8::isValid(line)) tail.lines.push_back(std::move(line));
    }
    return tail;
}

}  // namespace loader::app
