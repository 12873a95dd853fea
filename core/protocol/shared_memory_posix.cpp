// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifndef _WIN32

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "core/protocol/shared_memory.h"

namespace loader::protocol {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();

#ifdef __linux__

Result<Descriptor> anonymousFile() {
    const int descriptor = ::memfd_create("gguf-bulk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return Error(Errc::W609, {std::strerror(errno)});
    return Descriptor(descriptor);
}

bool seal(int descriptor) {
    return ::fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

bool isSealed(int descriptor) {
    constexpr int kWanted = F_SEAL_SHRINK | F_SEAL_GROW;
    const int seals = ::fcntl(descriptor, F_GET_SEALS);
    return seals >= 0 && (seals & kWanted) == kWanted;
}

bool isOfSize(off_t size, std::uint64_t bytes) {
    return size == static_cast<off_t>(bytes);
}

#else

/// Without seals the size is only agreed upon; a file without a name is at least nobody else's.
Result<Descriptor> anonymousFile() {
    // macOS takes names of 31 letters. Two threads must not meet.
    const std::string name =
        "/gguf-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device()());
    const int descriptor = ::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (descriptor < 0) return Error(Errc::W609, {std::strerror(errno)});
    ::shm_unlink(name.c_str());
    return Descriptor(descriptor);
}

bool seal(int) {
    return true;
}

bool isSealed(int) {
    return true;
}

/// macOS tells the size in whole pages.
bool isOfSize(off_t size, std::uint64_t bytes) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const auto told = static_cast<std::uint64_t>(size);
    return told >= bytes && told - bytes < page;
}

#endif

}  // namespace

Result<SharedMemory> SharedMemory::create(std::uint64_t bytes) {
    if (bytes == 0 || bytes > kMost) return Error(Errc::W609, {"it would have no size"});
    LOADER_TRY(Descriptor descriptor, anonymousFile());
    const int handle = static_cast<int>(descriptor.get());
    if (::ftruncate(handle, static_cast<off_t>(bytes)) != 0)
        return Error(Errc::R901, {std::to_string(bytes) + " bytes"});
    if (!seal(handle)) return Error(Errc::W609, {std::strerror(errno)});
    return map(std::move(descriptor), bytes);
}

Result<SharedMemory> SharedMemory::adopt(Descriptor descriptor, std::uint64_t bytes) {
    const int handle = static_cast<int>(descriptor.get());
    struct stat facts {};
    if (bytes == 0 || bytes > kMost) return Error(Errc::W609, {"it has no size"});
    if (::fstat(handle, &facts) != 0) return Error(Errc::W609, {std::strerror(errno)});
    if (!isOfSize(facts.st_size, bytes)) return Error(Errc::W609, {"it has another size"});
    if (!isSealed(handle)) return Error(Errc::W609, {"its size could change"});
    return map(std::move(descriptor), bytes);
}

Result<SharedMemory> SharedMemory::map(Descriptor descriptor, std::uint64_t bytes) {
    const auto size = static_cast<std::size_t>(bytes);
    void* data =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(descriptor.get()), 0);
    if (data == MAP_FAILED) return Error(Errc::R901, {std::to_string(bytes) + " bytes"});
    return SharedMemory(std::move(descriptor), static_cast<std::byte*>(data), size);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : m_descriptor(std::move(other.m_descriptor)),
      m_data(std::exchange(other.m_data, nullptr)),
      m_size(std::exchange(other.m_size, 0)) {}

SharedMemory::~SharedMemory() {
    if (m_data) ::munmap(m_data, m_size);
}

}  // namespace loader::protocol

#endif
