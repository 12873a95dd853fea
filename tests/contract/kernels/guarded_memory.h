// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Bytes that end exactly where an unreadable page begins: reading one too many ends the test program.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#ifndef _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace loader::test {

class GuardedMemory {
public:
    GuardedMemory() = default;
    ~GuardedMemory() { release(); }
    GuardedMemory(const GuardedMemory&) = delete;
    GuardedMemory& operator=(const GuardedMemory&) = delete;

    /// @return false where the system offers no such memory
    bool fill(std::span<const std::byte> bytes) {
        release();
#ifdef _WIN32
        (void)bytes;
        return false;
#else
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t used = (bytes.size() + page - 1) / page * page;
        void* start = mmap(nullptr, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (start == MAP_FAILED) return false;
        m_start = start;
        m_length = used + page;
        auto* first = static_cast<std::byte*>(start);
        if (mprotect(first + used, page, PROT_NONE) != 0) return false;
        m_data = first + (used - bytes.size());
        std::memcpy(m_data, bytes.data(), bytes.size());
        return true;
#endif
    }
    const std::byte* data() const {
        return m_data;
    }

private:
    void release() {
#ifndef _WIN32
        if (m_start != nullptr) munmap(m_start, m_length);
#endif
        m_start = nullptr;
    }

    void* m_start = nullptr;
    std::size_t m_length = 0;
    std::byte* m_data = nullptr;
};

}  // namespace loader::test
