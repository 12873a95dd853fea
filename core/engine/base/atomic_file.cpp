// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/atomic_file.h"

#include <algorithm>
#include <utility>

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#endif

namespace loader {
namespace {

constexpr std::intptr_t kClosed = -1;
/// Left-overs of a crash may hold the first names.
constexpr int kNameAttempts = 100;
constexpr std::size_t kLargestWrite = std::size_t(1) << 30;

std::string temporaryName(const std::string& path, int attempt) {
    return path + ".part" + std::to_string(attempt);
}

}  // namespace

AtomicFile::AtomicFile(std::string path, std::string temporary, std::intptr_t descriptor)
    : m_path(std::move(path)), m_temporary(std::move(temporary)), m_descriptor(descriptor) {}

#ifdef _WIN32

namespace {

std::wstring widen(const std::string& text) {
    const int length =
        MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), nullptr, 0);
    std::wstring wide(static_cast<std::size_t>(length), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), wide.data(), length);
    return wide;
}

HANDLE handleOf(std::intptr_t descriptor) {
    return reinterpret_cast<HANDLE>(descriptor);
}

}  // namespace

Result<std::unique_ptr<AtomicFile>> AtomicFile::create(const std::string& path) {
    for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
        const std::string temporary = temporaryName(path, attempt);
        HANDLE handle = CreateFileW(widen(temporary).c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
        if (handle != INVALID_HANDLE_VALUE) {
            return std::unique_ptr<AtomicFile>(
                new AtomicFile(path, temporary, reinterpret_cast<std::intptr_t>(handle)));
        }
        const DWORD reason = GetLastError();
        if (reason == ERROR_ACCESS_DENIED) return Error(Errc::F804, {}, path);
        if (reason != ERROR_FILE_EXISTS) return Error(Errc::F806, {"error " + std::to_string(reason)}, path);
    }
    return Error(Errc::F806, {"too many unfinished files beside it"}, path);
}

AtomicFile::~AtomicFile() {
    if (m_descriptor != kClosed) CloseHandle(handleOf(m_descriptor));
    if (!m_committed) DeleteFileW(widen(m_temporary).c_str());
}

Status AtomicFile::failure() const {
    return Error(Errc::F806, {"error " + std::to_string(GetLastError())}, m_path);
}

Status AtomicFile::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const DWORD wanted = static_cast<DWORD>(std::min(bytes.size(), kLargestWrite));
        DWORD done = 0;
        if (!WriteFile(handleOf(m_descriptor), bytes.data(), wanted, &done, nullptr)) return failure();
        bytes = bytes.subspan(done);
    }
    return {};
}

Status AtomicFile::commit() {
    if (!FlushFileBuffers(handleOf(m_descriptor))) return failure();
    const bool closed = CloseHandle(handleOf(m_descriptor)) != 0;
    m_descriptor = kClosed;
    if (!closed) return failure();
    if (!MoveFileExW(widen(m_temporary).c_str(), widen(m_path).c_str(),
                     MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
        return failure();
    }
    m_committed = true;
    return {};
}

#else

Result<std::unique_ptr<AtomicFile>> AtomicFile::create(const std::string& path) {
    for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
        const std::string temporary = temporaryName(path, attempt);
        const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0) return std::unique_ptr<AtomicFile>(new AtomicFile(path, temporary, descriptor));
        if (errno == EACCES || errno == EPERM || errno == EROFS) return Error(Errc::F804, {}, path);
        if (errno != EEXIST) return Error(Errc::F806, {std::strerror(errno)}, path);
    }
    return Error(Errc::F806, {"too many unfinished files beside it"}, path);
}

AtomicFile::~AtomicFile() {
    if (m_descriptor != kClosed) ::close(static_cast<int>(m_descriptor));
    if (!m_committed) ::unlink(m_temporary.c_str());
}

Status AtomicFile::failure() const {
    return Error(Errc::F806, {std::strerror(errno)}, m_path);
}

Status AtomicFile::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t done =
            ::write(static_cast<int>(m_descriptor), bytes.data(), std::min(bytes.size(), kLargestWrite));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return failure();
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return {};
}

Status AtomicFile::commit() {
    if (::fsync(static_cast<int>(m_descriptor)) != 0) return failure();
    const int closed = ::close(static_cast<int>(m_descriptor));
    m_descriptor = kClosed;
    if (closed != 0 || std::rename(m_temporary.c_str(), m_path.c_str()) != 0) return failure();
    m_committed = true;
    // The new name is durable only once the folder is.
    const std::size_t slash = m_path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : m_path.substr(0, slash + 1);
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return failure();
    const bool flushed = ::fsync(directory) == 0 || errno == EINVAL;
    ::close(directory);
    return flushed ? Status() : failure();
}

#endif

}  // namespace loader
