// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/storage/small_file.h"

#include <array>
#include <utility>

#include "core/engine/base/byte_source.h"
#include "core/engine/base/utf8.h"

#ifdef _WIN32
#include <filesystem>
#include <fstream>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#endif

namespace loader::app {
namespace {

/// The characters of Windows-1252 from 0x80 to 0x9F; 0 where it has none.
constexpr std::array<char16_t, 32> kHighControls = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

std::string fromWindows1252(const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) {
        const auto code = static_cast<unsigned char>(byte);
        const bool high = code >= 0x80 && code < 0xA0;
        const char32_t point = high ? kHighControls[code - 0x80u] : code;
        utf8::append(text, point == 0 && high ? utf8::kReplacement : point);
    }
    return text;
}

Result<std::string> fromUtf16(const std::string& bytes, bool bigEndian) {
    if (bytes.size() % 2 != 0) return Error(Errc::C501, {"it ends in the middle of a character"});
    const auto unit = [&](std::size_t at) {
        const auto first = static_cast<unsigned char>(bytes[at]);
        const auto second = static_cast<unsigned char>(bytes[at + 1]);
        return static_cast<char32_t>(bigEndian ? (first << 8) | second : (second << 8) | first);
    };
    std::string text;
    for (std::size_t at = 2; at < bytes.size(); at += 2) {
        char32_t point = unit(at);
        if (point >= 0xD800 && point < 0xE000) {
            const bool pair = point < 0xDC00 && at + 3 < bytes.size();
            const char32_t low = pair ? unit(at + 2) : 0;
            if (low < 0xDC00 || low >= 0xE000)
                return Error(Errc::C501, {"it has half a character at byte " + std::to_string(at)});
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
            at += 2;
        }
        utf8::append(text, point);
    }
    return text;
}

bool startsWith(const std::string& bytes, std::string_view mark) {
    return std::string_view(bytes).substr(0, mark.size()) == mark;
}

}  // namespace

#ifdef _WIN32

Result<std::string> readSmallFile(const std::string& path, std::size_t most) {
    const std::filesystem::path place = std::filesystem::u8path(path);
    std::error_code fault;
    const auto status = std::filesystem::status(place, fault);
    if (!std::filesystem::exists(status)) return Error(Errc::F802, {}, path);
    if (std::filesystem::is_directory(status)) return Error(Errc::C512, {"a folder"}, path);
    if (!std::filesystem::is_regular_file(status)) return Error(Errc::C512, {"something else"}, path);
    const std::uintmax_t size = std::filesystem::file_size(place, fault);
    if (fault) return Error(Errc::F805, {fault.message()}, path);
    if (size > most) return Error(Errc::C502, {std::to_string(size), std::to_string(most)}, path);
    std::ifstream file(place, std::ios::binary);
    if (!file) return Error(Errc::F804, {}, path);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return bytes;
}

#else

namespace {

/// Closes on every way out.
struct Descriptor {
    int number;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
};

Error openFailure(const std::string& path) {
    if (errno == ENOENT || errno == ENOTDIR) return Error(Errc::F802, {}, path);
    if (errno == EACCES || errno == EPERM) return Error(Errc::F804, {}, path);
    if (errno == ENXIO) return Error(Errc::C512, {"a socket"}, path);
    return Error(Errc::F805, {std::strerror(errno)}, path);
}

const char* kindOf(mode_t mode) {
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    return "a device";
}

}  // namespace

Result<std::string> readSmallFile(const std::string& path, std::size_t most) {
    // A pipe without a writer would block forever otherwise.
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (file.number < 0) return openFailure(path);
    struct stat facts {};
    if (::fstat(file.number, &facts) != 0) return Error(Errc::F805, {std::strerror(errno)}, path);
    if (!S_ISREG(facts.st_mode)) return Error(Errc::C512, {kindOf(facts.st_mode)}, path);
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    if (size > most) return Error(Errc::C502, {std::to_string(size), std::to_string(most)}, path);
    // Files of /proc and files that grow have more than they say.
    std::string bytes;
    std::array<char, 64 * 1024> piece{};
    while (true) {
        const ssize_t done = ::read(file.number, piece.data(), piece.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return Error(Errc::F805, {std::strerror(errno)}, path);
        if (done == 0) return bytes;
        if (bytes.size() + static_cast<std::size_t>(done) > most)
            return Error(Errc::C502, {"more than " + std::to_string(most), std::to_string(most)}, path);
        bytes.append(piece.data(), static_cast<std::size_t>(done));
    }
}

#endif

Result<DecodedText> decodedText(std::string bytes) {
    DecodedText decoded{{}, "UTF-8"};
    if (startsWith(bytes, "\xFF\xFE") || startsWith(bytes, "\xFE\xFF")) {
        decoded.encoding = "UTF-16";
        LOADER_TRY(decoded.text, fromUtf16(bytes, bytes.front() == '\xFE'));
    } else {
        if (startsWith(bytes, "\xEF\xBB\xBF")) bytes.erase(0, 3);
        decoded.text = std::move(bytes);
    }
    const std::size_t zero = decoded.text.find('\0');
    if (zero != std::string::npos)
        return Error(Errc::C501, {"it has a zero byte at " + std::to_string(zero)});
    if (!utf8::isValid(decoded.text)) {
        decoded.text = fromWindows1252(decoded.text);
        decoded.encoding = "Windows-1252";
    }
    return decoded;
}

}  // namespace loader::app
