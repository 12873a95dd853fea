// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Reads a ByteSource front to back through a small window and knows how much is left. Its functions answer
// false where the source ends or fails; error() then says why. (A Result per number would double the time to
// open a file.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/byte_source.h"
#include "core/engine/base/result.h"
#include "core/engine/gguf/value.h"

namespace loader::gguf {

/// Reverses the bytes of each element.
void swapElements(std::span<std::byte> bytes, std::size_t elementBytes);
/// Grows by half instead of doubling, so that memory stays below 2.5 x the content even while it is copied.
template <class T>
void reserveFor(std::vector<T>& list, std::size_t more) {
    const std::size_t wanted = list.size() + more;
    if (wanted <= list.capacity()) return;
    const std::size_t grown = list.capacity() + list.capacity() / 2;
    list.reserve(wanted > grown ? wanted : grown);
}

class SourceReader {
public:
    SourceReader(const ByteSource& source, std::size_t windowBytes);

    std::uint64_t offset() const { return m_offset; }
    std::uint64_t size() const { return m_size; }
    std::uint64_t left() const { return m_size - m_offset; }
    void seek(std::uint64_t offset) { m_offset = offset < m_size ? offset : m_size; }
    ByteOrder order() const { return m_order; }
    void setOrder(ByteOrder order) { m_order = order; }
    /// Lengths and counts have 32 bits in version 1, 64 bits later.
    void setWideLengths(bool wide) { m_wideLengths = wide; }
    std::uint64_t lengthBytes() const { return m_wideLengths ? 8 : 4; }

    bool bytes(std::span<std::byte> out);
    /// Appends count bytes piece by piece; memory is asked for only as they come in.
    bool append(std::vector<std::byte>& out, std::uint64_t count);
    bool unsignedNumber(std::size_t bytes, std::uint64_t& value);
    bool u32(std::uint32_t& value);
    bool length(std::uint64_t& value) {
        return unsignedNumber(static_cast<std::size_t>(lengthBytes()), value);
    }

    /// GG010 with this subject, or the error of the source.
    Error error(std::string_view what) const;
    /// "offset N" for errors about what starts there.
    static std::string placeOf(std::uint64_t offset) { return "offset " + std::to_string(offset); }

private:
    bool fill();
    std::span<const std::byte> available() const;

    const ByteSource& m_source;
    std::uint64_t m_size;
    std::uint64_t m_offset = 0;
    std::uint64_t m_windowStart = 0;
    std::size_t m_windowFilled = 0;
    std::vector<std::byte> m_window;
    ByteOrder m_order = ByteOrder::Little;
    bool m_wideLengths = true;
    std::optional<Error> m_failure;
};

}  // namespace loader::gguf
