// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifdef _WIN32

#include <windows.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

#include "core/app/storage/system_files.h"
#include "core/app/storage/utf8_path.h"

namespace loader::app {
namespace {

constexpr std::size_t kLargestWrite = std::size_t{1} << 30;

std::error_code lastFault() {
    return {static_cast<int>(GetLastError()), std::system_category()};
}

class WindowsFile final : public NewFile {
public:
    WindowsFile(std::string path, HANDLE handle) : m_path(std::move(path)), m_handle(handle) {}
    ~WindowsFile() override {
        if (m_handle != INVALID_HANDLE_VALUE) CloseHandle(m_handle);
    }
    WindowsFile(const WindowsFile&) = delete;
    WindowsFile& operator=(const WindowsFile&) = delete;

    Status append(std::string_view bytes) override {
        while (!bytes.empty()) {
            const auto wanted = static_cast<DWORD>(std::min(bytes.size(), kLargestWrite));
            DWORD done = 0;
            if (!WriteFile(m_handle, bytes.data(), wanted, &done, nullptr))
                return writingFailed(lastFault(), m_path);
            bytes.remove_prefix(done);
        }
        return {};
    }
    Status sync() override {
        if (!FlushFileBuffers(m_handle)) return writingFailed(lastFault(), m_path);
        return {};
    }
    Status close() override {
        const bool closed = CloseHandle(m_handle) != 0;
        m_handle = INVALID_HANDLE_VALUE;
        return closed ? Status() : Status(writingFailed(lastFault(), m_path));
    }

private:
    std::string m_path;
    HANDLE m_handle;
};

/// Access rights are those of the folder (the user's own profile); there are no permission bits to keep.
class WindowsFiles final : public CommonFiles {
public:
    Result<FileFacts> facts(const std::string& path) override {
        std::error_code fault;
        const auto place = utf8Path(path);
        const auto status = std::filesystem::symlink_status(place, fault);
        FileFacts facts;
        facts.kind = kindOf(status.type());
        if (facts.kind == FileKind::Missing) return facts;
        if (facts.kind == FileKind::Regular) {
            facts.bytes = std::filesystem::file_size(place, fault);
            if (fault) return readingFailed(fault, path);
        }
        WIN32_FILE_ATTRIBUTE_DATA data{};
        if (GetFileAttributesExW(place.c_str(), GetFileExInfoStandard, &data))
            facts.modified = sinceUnixEpoch(data.ftLastWriteTime);
        return facts;
    }

    Status readPieces(const std::string& path, const std::function<Status(std::string_view)>& take) override {
        std::error_code fault;
        const auto status = std::filesystem::status(utf8Path(path), fault);
        if (!std::filesystem::exists(status)) return Error(Errc::F802, {}, path);
        if (std::filesystem::is_directory(status)) return Error(Errc::C512, {"a folder"}, path);
        if (!std::filesystem::is_regular_file(status)) return Error(Errc::C512, {"a device or a pipe"}, path);
        std::ifstream file(utf8Path(path), std::ios::binary);
        if (!file) return Error(Errc::F804, {}, path);
        std::array<char, 64 * 1024> piece{};
        while (file) {
            file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
            const auto done = static_cast<std::size_t>(file.gcount());
            if (done != 0) LOADER_CHECK(take({piece.data(), done}));
        }
        if (file.bad()) return Error(Errc::F805, {"the disk did not answer"}, path);
        return {};
    }

    Result<std::unique_ptr<NewFile>> create(const std::string& path, std::uint32_t) override {
        HANDLE handle = CreateFileW(utf8Path(path).c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
        if (handle != INVALID_HANDLE_VALUE)
            return std::unique_ptr<NewFile>(std::make_unique<WindowsFile>(path, handle));
        if (GetLastError() == ERROR_FILE_EXISTS) return std::unique_ptr<NewFile>();
        return writingFailed(lastFault(), path);
    }

    Result<bool> rename(const std::string& from, const std::string& to) override {
        if (MoveFileExW(utf8Path(from).c_str(), utf8Path(to).c_str(),
                        MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
            return true;
        }
        const DWORD reason = GetLastError();
        // Virus scanners and folders that are mirrored to a server hold files for moments.
        if (reason == ERROR_SHARING_VIOLATION || reason == ERROR_LOCK_VIOLATION ||
            reason == ERROR_ACCESS_DENIED) {
            return false;
        }
        return writingFailed(lastFault(), to);
    }

    Status remove(const std::string& path) override {
        if (DeleteFileW(utf8Path(path).c_str())) return {};
        if (GetLastError() == ERROR_FILE_NOT_FOUND) return {};
        return writingFailed(lastFault(), path);
    }

    Status makeFolder(const std::string& path) override {
        std::error_code fault;
        std::filesystem::create_directory(utf8Path(path), fault);
        return fault ? Status(writingFailed(fault, path)) : Status();
    }

    Status removeFolder(const std::string& path) override {
        if (RemoveDirectoryW(utf8Path(path).c_str())) return {};
        if (GetLastError() == ERROR_FILE_NOT_FOUND) return {};
        return writingFailed(lastFault(), path);
    }

    /// MOVEFILE_WRITE_THROUGH has done it.
    Status syncFolder(const std::string&) override { return {}; }
    Status setMode(const std::string&, std::uint32_t) override { return {}; }

private:
    static std::chrono::nanoseconds sinceUnixEpoch(const FILETIME& time) {
        constexpr std::int64_t kEpochOf1601 = 116444736000000000;
        const auto ticks =
            static_cast<std::int64_t>(std::uint64_t{time.dwHighDateTime} << 32 | time.dwLowDateTime);
        return std::chrono::nanoseconds((ticks - kEpochOf1601) * 100);
    }
};

}  // namespace

std::unique_ptr<FileOperations> systemFiles() {
    return std::make_unique<WindowsFiles>();
}

}  // namespace loader::app

#endif
