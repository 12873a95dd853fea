// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifdef _WIN32

#include <windows.h>

#include <limits>
#include <string>

#include "core/protocol/shared_memory.h"

namespace loader::protocol {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr DWORD kAccess = FILE_MAP_READ | FILE_MAP_WRITE;

HANDLE handleOf(const Descriptor& descriptor) {
    return reinterpret_cast<HANDLE>(descriptor.get());
}

Error notUsable(DWORD reason) {
    return Error(Errc::W609, {"error " + std::to_string(reason)});
}

/// Memory is had in whole pages.
std::uint64_t inPages(std::uint64_t bytes) {
    SYSTEM_INFO system{};
    GetSystemInfo(&system);
    const std::uint64_t page = system.dwPageSize;
    return (bytes + page - 1) / page * page;
}

}  // namespace

Result<SharedMemory> SharedMemory::create(std::uint64_t bytes) {
    if (bytes == 0 || bytes > kMost) return Error(Errc::W609, {"it would have no size"});
    const HANDLE section =
        CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, static_cast<DWORD>(bytes >> 32),
                           static_cast<DWORD>(bytes), nullptr);
    if (!section) return Error(Errc::R901, {std::to_string(bytes) + " bytes"});
    const Descriptor all(reinterpret_cast<std::intptr_t>(section));
    // The worker gets the rights of the handle that is kept: to read and to write, nothing else.
    HANDLE limited = nullptr;
    if (!DuplicateHandle(GetCurrentProcess(), section, GetCurrentProcess(), &limited, kAccess, FALSE, 0))
        return notUsable(GetLastError());
    return map(Descriptor(reinterpret_cast<std::intptr_t>(limited)), bytes);
}

Result<SharedMemory> SharedMemory::adopt(Descriptor descriptor, std::uint64_t bytes) {
    if (bytes == 0 || bytes > kMost) return Error(Errc::W609, {"it has no size"});
    return map(std::move(descriptor), bytes);
}

Result<SharedMemory> SharedMemory::map(Descriptor descriptor, std::uint64_t bytes) {
    // All of it, however large: memory of the paging file never changes its size afterwards.
    void* const data = MapViewOfFile(handleOf(descriptor), kAccess, 0, 0, 0);
    if (!data) {
        const DWORD reason = GetLastError();
        if (reason == ERROR_NOT_ENOUGH_MEMORY) return Error(Errc::R901, {std::to_string(bytes) + " bytes"});
        return notUsable(reason);
    }
    SharedMemory memory(std::move(descriptor), static_cast<std::byte*>(data),
                        static_cast<std::size_t>(bytes));
    MEMORY_BASIC_INFORMATION facts{};
    if (VirtualQuery(data, &facts, sizeof facts) == 0) return notUsable(GetLastError());
    if (facts.RegionSize != inPages(bytes)) return Error(Errc::W609, {"it has another size"});
    return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : m_descriptor(std::move(other.m_descriptor)),
      m_data(std::exchange(other.m_data, nullptr)),
      m_size(std::exchange(other.m_size, 0)) {}

SharedMemory::~SharedMemory() {
    if (m_data) UnmapViewOfFile(m_data);
}

}  // namespace loader::protocol

#endif
