// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/source_reader.h"

#include <algorithm>
#include <array>

namespace loader::gguf {

void swapElements(std::span<std::byte> bytes, std::size_t elementBytes) {
    if (elementBytes < 2) return;
    for (std::size_t i = 0; i + elementBytes <= bytes.size(); i += elementBytes) {
        const auto element = bytes.subspan(i, elementBytes);
        std::reverse(element.begin(), element.end());
    }
}

SourceReader::SourceReader(const ByteSource& source, std::size_t windowBytes)
    : m_source(source), m_size(source.size()) {
    m_window.resize(static_cast<std::size_t>(
        std::clamp<std::uint64_t>(windowBytes, 1, std::max<std::uint64_t>(m_size, 1))));
}

std::span<const std::byte> SourceReader::available() const {
    if (m_offset < m_windowStart || m_offset - m_windowStart >= m_windowFilled) return {};
    const auto skipped = static_cast<std::size_t>(m_offset - m_windowStart);
    return std::span<const std::byte>(m_window).subspan(skipped, m_windowFilled - skipped);
}

bool SourceReader::fill() {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(m_window.size(), left()));
    if (wanted == 0) return false;
    m_windowFilled = 0;
    m_windowStart = m_offset;
    Status status = m_source.read(m_offset, std::span(m_window).first(wanted));
    if (!status.ok()) {
        m_failure = std::move(status).error();
        return false;
    }
    m_windowFilled = wanted;
    return true;
}

bool SourceReader::bytes(std::span<std::byte> out) {
    while (!out.empty()) {
        if (available().empty() && !fill()) return false;
        const std::span<const std::byte> ready = available();
        const std::size_t count = std::min(ready.size(), out.size());
        std::memcpy(out.data(), ready.data(), count);
        out = out.subspan(count);
        m_offset += count;
    }
    return true;
}

bool SourceReader::append(std::vector<std::byte>& out, std::uint64_t count) {
    while (count > 0) {
        if (available().empty() && !fill()) return false;
        const std::span<const std::byte> ready = available();
        const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(ready.size(), count));
        reserveFor(out, piece);
        out.insert(out.end(), ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(piece));
        m_offset += piece;
        count -= piece;
    }
    return true;
}

bool SourceReader::unsignedNumber(std::size_t count, std::uint64_t& value) {
    std::array<std::byte, 8> raw{};
    if (!bytes(std::span(raw).first(count))) return false;
    value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t from = m_order == ByteOrder::Little ? count - 1 - i : i;
        value = (value << 8) | std::to_integer<std::uint64_t>(raw[from]);
    }
    return true;
}

bool SourceReader::u32(std::uint32_t& value) {
    std::uint64_t wide = 0;
    if (!unsignedNumber(4, wide)) return false;
    value = static_cast<std::uint32_t>(wide);
    return true;
}

Error SourceReader::error(std::string_view what) const {
    if (m_failure) return *m_failure;
    return Error(Errc::GG010, {std::string(what)}, placeOf(m_offset));
}

}  // namespace loader::gguf
