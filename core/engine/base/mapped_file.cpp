// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/base/mapped_file.h"

#include <algorithm>
#include <utility>

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#endif

namespace loader {

FileSource::FileSource(std::string path, std::intptr_t descriptor, std::uint64_t size, std::int64_t modified)
    : m_path(std::move(path)), m_descriptor(descriptor), m_size(size), m_modified(modified) {}

#ifdef _WIN32

namespace {

std::wstring widen(const std::string& text) {
    const int length =
        MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), nullptr, 0);
    std::wstring wide(static_cast<std::size_t>(length), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), wide.data(), length);
    return wide;
}

std::int64_t modifiedTime(HANDLE handle) {
    FILETIME written{};
    GetFileTime(handle, nullptr, nullptr, &written);
    return (static_cast<std::int64_t>(written.dwHighDateTime) << 32) | written.dwLowDateTime;
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path) {
    const std::wstring wide = widen(path);
    const DWORD attributes = GetFileAttributesW(wide.c_str());
    if (attributes == INVALID_FILE_ATTRIBUTES) return Error(Errc::F802, {}, path);
    if (attributes & FILE_ATTRIBUTE_DIRECTORY) return Error(Errc::F803, {"a folder"}, path);
    HANDLE handle = CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (handle == INVALID_HANDLE_VALUE) return Error(Errc::F804, {}, path);
    return adopt(reinterpret_cast<std::intptr_t>(handle), path);
}

Result<std::unique_ptr<FileSource>> FileSource::adopt(std::intptr_t descriptor, const std::string& name) {
    const HANDLE handle = reinterpret_cast<HANDLE>(descriptor);
    LARGE_INTEGER size{};
    if (GetFileType(handle) != FILE_TYPE_DISK || !GetFileSizeEx(handle, &size)) {
        CloseHandle(handle);
        return Error(Errc::F803, {"a device"}, name);
    }
    return std::unique_ptr<FileSource>(
        new FileSource(name, descriptor, static_cast<std::uint64_t>(size.QuadPart), modifiedTime(handle)));
}

FileSource::~FileSource() {
    CloseHandle(reinterpret_cast<HANDLE>(m_descriptor));
}

Status FileSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
        OVERLAPPED where{};
        where.Offset = static_cast<DWORD>(offset);
        where.OffsetHigh = static_cast<DWORD>(offset >> 32);
        const DWORD wanted = static_cast<DWORD>(std::min<std::size_t>(out.size(), 1u << 30));
        DWORD got = 0;
        if (!ReadFile(reinterpret_cast<HANDLE>(m_descriptor), out.data(), wanted, &got, &where) || got == 0) {
            return Error(Errc::F805, {"the end was reached"}, m_path);
        }
        out = out.subspan(got);
        offset += got;
    }
    return {};
}

Status FileSource::checkUnchanged() const {
    LARGE_INTEGER size{};
    const HANDLE handle = reinterpret_cast<HANDLE>(m_descriptor);
    const bool same = GetFileSizeEx(handle, &size) && static_cast<std::uint64_t>(size.QuadPart) == m_size &&
                      modifiedTime(handle) == m_modified;
    return same ? Status() : Status(Error(Errc::F801, {}, m_path));
}

Result<std::unique_ptr<Mapping>> Mapping::map(const FileSource& file) {
    HANDLE section = CreateFileMappingW(reinterpret_cast<HANDLE>(file.descriptor()), nullptr, PAGE_READONLY,
                                        0, 0, nullptr);
    if (!section) return Error(Errc::F805, {"the file cannot be mapped"}, file.path());
    const void* data = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    CloseHandle(section);
    if (!data) return Error(Errc::F805, {"the file cannot be mapped"}, file.path());
    return std::unique_ptr<Mapping>(
        new Mapping(static_cast<const std::byte*>(data), static_cast<std::size_t>(file.size())));
}

Mapping::~Mapping() {
    UnmapViewOfFile(m_data);
}

void Mapping::willNeed(std::uint64_t offset, std::uint64_t length) const {
    WIN32_MEMORY_RANGE_ENTRY range{const_cast<std::byte*>(m_data + offset), static_cast<SIZE_T>(length)};
    PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0);
}

bool Mapping::lock() const {
    return VirtualLock(const_cast<std::byte*>(m_data), m_size) != 0;
}

#else

namespace {

std::int64_t modifiedTime(const struct stat& facts) {
#ifdef __APPLE__
    return static_cast<std::int64_t>(facts.st_mtimespec.tv_sec) * 1'000'000'000 + facts.st_mtimespec.tv_nsec;
#else
    return static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec;
#endif
}

const char* nameOfKind(mode_t mode) {
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path) {
    // O_NONBLOCK: opening a pipe without a writer must not wait for one.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return Error(Errc::F802, {}, path);
        if (errno == EACCES || errno == EPERM) return Error(Errc::F804, {}, path);
        return Error(Errc::F805, {std::strerror(errno)}, path);
    }
    return adopt(descriptor, path);
}

Result<std::unique_ptr<FileSource>> FileSource::adopt(std::intptr_t descriptor, const std::string& name) {
    struct stat facts {};
    const int handle = static_cast<int>(descriptor);
    if (::fstat(handle, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        ::close(handle);
        return Error(Errc::F803, {nameOfKind(facts.st_mode)}, name);
    }
    return std::unique_ptr<FileSource>(
        new FileSource(name, descriptor, static_cast<std::uint64_t>(facts.st_size), modifiedTime(facts)));
}

FileSource::~FileSource() {
    ::close(static_cast<int>(m_descriptor));
}

Status FileSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
        const std::size_t wanted = std::min<std::size_t>(out.size(), 1u << 30);
        const ssize_t got =
            ::pread(static_cast<int>(m_descriptor), out.data(), wanted, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            return Error(Errc::F805, {got == 0 ? "the end was reached" : std::strerror(errno)}, m_path);
        }
        out = out.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

Status FileSource::checkUnchanged() const {
    struct stat facts {};
    const bool same = ::fstat(static_cast<int>(m_descriptor), &facts) == 0 &&
                      static_cast<std::uint64_t>(facts.st_size) == m_size &&
                      modifiedTime(facts) == m_modified;
    return same ? Status() : Status(Error(Errc::F801, {}, m_path));
}

Result<std::unique_ptr<Mapping>> Mapping::map(const FileSource& file) {
    const auto size = static_cast<std::size_t>(file.size());
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, static_cast<int>(file.descriptor()), 0);
    if (data == MAP_FAILED) return Error(Errc::F805, {std::strerror(errno)}, file.path());
#ifdef MADV_HUGEPAGE
    // What is not in the page cache yet is then read in pages of 2 MiB where the file system has them
    // (docs/adr/0015-streams-and-large-pages.md). A wish: what cannot be done stays as it was.
    ::madvise(data, size, MADV_HUGEPAGE);
#endif
    return std::unique_ptr<Mapping>(new Mapping(static_cast<const std::byte*>(data), size));
}

Mapping::~Mapping() {
    ::munmap(const_cast<std::byte*>(m_data), m_size);
}

void Mapping::willNeed(std::uint64_t offset, std::uint64_t length) const {
    const std::uint64_t page = 4096;
    const std::uint64_t begin = offset / page * page;
    void* const data = const_cast<std::byte*>(m_data + begin);
    const auto bytes = static_cast<std::size_t>(length + (offset - begin));
#ifdef MADV_POPULATE_READ
    // Unlike the hint below it reads in large pages, and the threads that compute find the pages mapped.
    if (::madvise(data, bytes, MADV_POPULATE_READ) == 0) return;
#endif
    ::madvise(data, bytes, MADV_WILLNEED);
}

bool Mapping::lock() const {
    return ::mlock(m_data, m_size) == 0;
}

#endif

}  // namespace loader
