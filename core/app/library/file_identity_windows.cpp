// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifdef _WIN32

#include <windows.h>

#include <cstring>
#include <filesystem>

#include "core/app/library/file_identity.h"

namespace loader::app {
namespace {

/// Closes on every way out.
struct Handle {
    HANDLE value;
    ~Handle() {
        if (value != INVALID_HANDLE_VALUE) ::CloseHandle(value);
    }
};

HANDLE open(const std::string& path, DWORD access) {
    const auto wide = std::filesystem::u8path(path).wstring();
    return ::CreateFileW(wide.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                         nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr);
}

std::uint64_t joined(DWORD high, DWORD low) {
    return std::uint64_t{high} << 32 | low;
}

/// Windows counts steps of 100 ns from 1601.
std::int64_t nanosecondsOf(const FILETIME& time) {
    constexpr std::uint64_t kEpoch = 116'444'736'000'000'000u;
    const std::uint64_t steps = joined(time.dwHighDateTime, time.dwLowDateTime);
    return steps < kEpoch ? 0 : static_cast<std::int64_t>((steps - kEpoch) * 100);
}

}  // namespace

Result<FileIdentity> identify(const std::string& path) {
    const Handle file{open(path, FILE_READ_ATTRIBUTES)};
    BY_HANDLE_FILE_INFORMATION facts{};
    if (file.value == INVALID_HANDLE_VALUE || !::GetFileInformationByHandle(file.value, &facts)) {
        const DWORD fault = ::GetLastError();
        const bool absent = fault == ERROR_FILE_NOT_FOUND || fault == ERROR_PATH_NOT_FOUND;
        if (absent || fault == ERROR_INVALID_NAME) return Error(Errc::F802, {}, path);
        if (fault == ERROR_ACCESS_DENIED) return Error(Errc::F804, {}, path);
        return Error(Errc::F805, {"system error " + std::to_string(fault)}, path);
    }
    FileIdentity identity;
    const bool folder = (facts.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    const bool disk = ::GetFileType(file.value) == FILE_TYPE_DISK;
    if (disk) identity.kind = folder ? FileIdentity::Kind::Folder : FileIdentity::Kind::File;
    identity.bytes = joined(facts.nFileSizeHigh, facts.nFileSizeLow);
    identity.modified = nanosecondsOf(facts.ftLastWriteTime);
    identity.device = facts.dwVolumeSerialNumber;
    identity.inode = joined(facts.nFileIndexHigh, facts.nFileIndexLow);
    return identity;
}

bool beginsAsModel(const std::string& path) {
    const Handle file{open(path, GENERIC_READ)};
    if (file.value == INVALID_HANDLE_VALUE || ::GetFileType(file.value) != FILE_TYPE_DISK) return false;
    char magic[4] = {};
    DWORD read = 0;
    const bool done = ::ReadFile(file.value, magic, sizeof magic, &read, nullptr) && read == sizeof magic;
    return done && std::memcmp(magic, "GGUF", sizeof magic) == 0;
}

}  // namespace loader::app

#endif
