// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/foreign_database.h"

#include <array>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "core/app/storage/small_file.h"

#ifndef _WIN32
#include <fcntl.h>
#include <unistd.h>
#endif

namespace loader::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostImageBytes = std::size_t{2} << 30;
constexpr std::size_t kMostLogBytes = std::size_t{512} << 20;
constexpr std::chrono::seconds kCheckLimit{10};
constexpr int kTries = 20;
constexpr std::chrono::milliseconds kPause{100};

// Of the log: its head, then frames of a head and a page each. All numbers are big-endian.
constexpr std::size_t kLogHead = 32;
constexpr std::size_t kFrameHead = 24;
constexpr std::uint32_t kLogMagic = 0x377F0682;
constexpr std::uint32_t kLogVersion = 3007000;

Error failure(const std::string& what, const std::string& place) {
    return Error(Errc::C515, {what}, place);
}

std::uint32_t numberAt(std::string_view bytes, std::size_t at) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i)
        number = (number << 8) | static_cast<unsigned char>(bytes[at + i]);
    return number;
}

/// The running sum of the log, over words in one or the other byte order.
class LogSum {
public:
    explicit LogSum(bool bigEndian) : m_bigEndian(bigEndian) {}
    void add(std::string_view bytes) {
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            m_first += word(bytes, at) + m_second;
            m_second += word(bytes, at + 4) + m_first;
        }
    }
    bool is(std::uint32_t first, std::uint32_t second) const {
        return m_first == first && m_second == second;
    }

private:
    std::uint32_t word(std::string_view bytes, std::size_t at) const {
        const std::uint32_t number = numberAt(bytes, at);
        if (m_bigEndian) return number;
        return (number >> 24) | ((number >> 8) & 0xFF00) | ((number << 8) & 0xFF0000) | (number << 24);
    }
    bool m_bigEndian;
    std::uint32_t m_first = 0;
    std::uint32_t m_second = 0;
};

#ifdef _WIN32
/// Windows refuses to open what is locked.
bool isLocked(const std::string&) {
    return false;
}
#else
/// Whether another process has the file for itself: SQLite's bytes for "pending" and "shared".
bool isLocked(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return false;
    bool locked = false;
    for (const auto& [start, length] : {std::pair{0x40000000, 1}, std::pair{0x40000002, 510}}) {
        struct flock range {};
        range.l_type = F_RDLCK;
        range.l_whence = SEEK_SET;
        range.l_start = start;
        range.l_len = length;
#ifdef F_OFD_GETLK
        const int question = F_OFD_GETLK;
#else
        const int question = F_GETLK;
#endif
        if (::fcntl(file, question, &range) == 0 && range.l_type == F_WRLCK) locked = true;
    }
    ::close(file);
    return locked;
}
#endif

/// Size and time: what changes when somebody writes.
std::pair<std::uintmax_t, fs::file_time_type> stateOf(const std::string& path) {
    std::error_code fault;
    const auto size = fs::file_size(fs::u8path(path), fault);
    const auto time = fs::last_write_time(fs::u8path(path), fault);
    return {size, time};
}

bool exists(const std::string& path) {
    std::error_code fault;
    return fs::exists(fs::u8path(path), fault);
}

bool hasHotJournal(const std::string& path) {
    const auto journal = readSmallFile(path + "-journal", kMostLogBytes);
    constexpr std::string_view kMagic = "\xD9\xD5\x05\xF9\x20\xA1\x63\xD7";
    return journal && std::string_view(*journal).substr(0, kMagic.size()) == kMagic;
}

struct Copy {
    std::string image;
    std::string log;
};

/// Both files from one moment.
Result<Copy> copyOf(const std::string& path) {
    const std::string log = path + "-wal";
    for (int i = 0; i < kTries; ++i) {
        if (i > 0) std::this_thread::sleep_for(kPause);
        if (isLocked(path)) continue;
        const auto before = std::pair{stateOf(path), stateOf(log)};
        Copy copy;
        LOADER_TRY(copy.image, readSmallFile(path, kMostImageBytes));
        if (exists(log)) {
            LOADER_TRY(copy.log, readSmallFile(log, kMostLogBytes));
        }
        if (!isLocked(path) && before == std::pair{stateOf(path), stateOf(log)}) return copy;
    }
    return failure("another program is writing to it", path);
}

}  // namespace

Error foreignFailure(const Error& error) {
    return Error(Errc::C515, {error.args().empty() ? error.message() : error.args().front()}, error.place());
}

Result<std::string> withLog(std::string image, std::string_view log, const std::string& place) {
    // An empty log, or one that was begun and not written: nothing is in it.
    if (log.size() < kLogHead || numberAt(log, 0) == 0) return image;
    if ((numberAt(log, 0) & ~1u) != kLogMagic || numberAt(log, 4) != kLogVersion)
        return failure("its write-ahead log is none", place);
    const std::size_t pageSize = numberAt(log, 8);
    const bool usable = pageSize >= 512 && pageSize <= 65536 && (pageSize & (pageSize - 1)) == 0;
    if (!usable) return failure("its write-ahead log is damaged", place);
    LogSum sum((numberAt(log, 0) & 1u) != 0);
    sum.add(log.substr(0, 24));
    if (!sum.is(numberAt(log, 24), numberAt(log, 28))) return image;
    if (image.size() >= 100) {
        const std::size_t stored = static_cast<std::size_t>(static_cast<unsigned char>(image[16])) << 8 |
                                   static_cast<unsigned char>(image[17]);
        if ((stored == 1 ? 65536 : stored) != pageSize)
            return failure("its write-ahead log is that of another database", place);
    }
    const std::size_t step = kFrameHead + pageSize;
    // What comes after the last whole commit does not count.
    std::size_t end = kLogHead;
    std::size_t pages = 0;
    for (std::size_t at = kLogHead; at + step <= log.size(); at += step) {
        const std::string_view head = log.substr(at, kFrameHead);
        if (head.substr(8, 8) != log.substr(16, 8)) break;
        sum.add(head.substr(0, 8));
        sum.add(log.substr(at + kFrameHead, pageSize));
        if (!sum.is(numberAt(head, 16), numberAt(head, 20))) break;
        if (numberAt(head, 4) == 0) continue;
        pages = numberAt(head, 4);
        end = at + step;
    }
    if (end == kLogHead) return image;
    // A log writes each page that it adds, so the database cannot be larger than both together.
    const std::size_t most = image.size() + log.size();
    if (pages > most / pageSize) return failure("its write-ahead log is damaged", place);
    for (std::size_t at = kLogHead; at < end; at += step) {
        const std::size_t number = numberAt(log, at);
        if (number == 0 || number > most / pageSize) return failure("its write-ahead log is damaged", place);
        const std::size_t behind = number * pageSize;
        if (image.size() < behind) image.resize(behind);
        image.replace(behind - pageSize, pageSize, log.substr(at + kFrameHead, pageSize));
    }
    image.resize(pages * pageSize);
    return image;
}

Result<std::unique_ptr<Database>> openForeignDatabase(const std::string& path) {
    if (!exists(path) && exists(path + "-wal")) return failure("there is only its write-ahead log", path);
    LOADER_TRY(Copy copy, copyOf(path));
    if (hasHotJournal(path)) return failure("its last change was not finished; start its program once", path);
    LOADER_TRY(const std::string image, withLog(std::move(copy.image), copy.log, path));
    if (image.empty()) return failure("it is empty", path);
    auto opened = Database::openCopy(image, path);
    if (!opened) return foreignFailure(opened.error());
    Database& database = **opened;
    database.stopAt(std::chrono::steady_clock::now() + kCheckLimit);
    auto check = database.prepare("PRAGMA quick_check(1)");
    if (!check) return foreignFailure(check.error());
    const auto row = check->step();
    database.stopAt(std::nullopt);
    if (!row && row.error().code() != Errc::X002) return foreignFailure(row.error());
    if (row && (!*row || check->text(0) != "ok")) return failure("it is malformed: " + check->text(0), path);
    return opened;
}

}  // namespace loader::app
