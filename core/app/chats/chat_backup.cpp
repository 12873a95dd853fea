// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/chats/chat_backup.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>

#include "core/app/chats/chat_store.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

namespace fs = std::filesystem;

/// "-2026-11-22".
constexpr std::size_t kDateLength = 11;

bool isDated(const std::string& stem, const std::string& base) {
    if (stem.size() != base.size() + kDateLength || stem.compare(0, base.size(), base) != 0) return false;
    constexpr std::string_view kShape = "-dddd-dd-dd";
    for (std::size_t i = 0; i < kDateLength; ++i) {
        const char letter = stem[base.size() + i];
        if (kShape[i] == 'd' ? letter < '0' || letter > '9' : letter != '-') return false;
    }
    return true;
}

}  // namespace

std::string utcText(std::int64_t time, const char* format) {
    const auto seconds = static_cast<std::time_t>(time / 1000);
    std::tm parts{};
#ifdef _WIN32
    gmtime_s(&parts, &seconds);
#else
    gmtime_r(&seconds, &parts);
#endif
    std::array<char, 64> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), format, &parts);
    return std::string(text.data(), length);
}

std::string chatBackupPath(const std::string& folder, const std::string& database, std::int64_t time) {
    const fs::path name = fs::u8path(database);
    const std::string file =
        nativeText(name.stem()) + utcText(time, "-%Y-%m-%d") + nativeText(name.extension());
    return nativeText(fs::u8path(folder) / fs::u8path(file));
}

std::vector<std::string> chatBackups(const std::string& folder, const std::string& database) {
    std::vector<std::string> found;
    if (folder.empty()) return found;
    const fs::path name = fs::u8path(database);
    std::error_code fault;
    for (fs::directory_iterator entry(fs::u8path(folder), fault), end; !fault && entry != end;
         entry.increment(fault)) {
        const fs::path& path = entry->path();
        if (path.extension() == name.extension() && isDated(nativeText(path.stem()), nativeText(name.stem())))
            found.push_back(nativeText(path));
    }
    std::sort(found.begin(), found.end());
    return found;
}

Result<std::string> ChatStore::backUp(CancelToken cancel) {
    if (m_backups.empty()) return std::string();
    std::error_code fault;
    fs::create_directories(fs::u8path(m_backups), fault);
    if (fault) return Error(Errc::D303, {fault.message()}, m_backups);
    const std::string target = chatBackupPath(m_backups, m_database->place(), now());
    if (fs::exists(fs::u8path(target), fault)) return std::string();
    const std::string unfinished = target + ".unfinished";
    fs::remove(fs::u8path(unfinished), fault);
    const Status copied = m_database->copyTo(unfinished, cancel);
    if (copied) fs::rename(fs::u8path(unfinished), fs::u8path(target), fault);
    for (const char* side : {"", "-wal", "-shm", "-journal"}) {
        std::error_code none;
        fs::remove(fs::u8path(unfinished + side), none);
    }
    LOADER_CHECK(copied);
    if (fault) return Error(Errc::D303, {fault.message()}, target);
    // Oldest first; today's is the last.
    const auto copies = chatBackups(m_backups, m_database->place());
    for (std::size_t i = 0; i + kChatBackups < copies.size(); ++i)
        fs::remove(fs::u8path(copies[i]), fault);
    return target;
}

}  // namespace loader::app
