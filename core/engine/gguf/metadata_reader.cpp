// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/metadata_reader.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/engine/gguf/limits.h"
#include "core/engine/gguf/text_rules.h"

namespace loader::gguf {
namespace {

/// Sign-extends what was read as an unsigned number of the width of its type.
std::uint64_t extended(ValueType type, std::uint64_t raw) {
    switch (type) {
        case ValueType::I8: return Scalar::of(static_cast<std::int8_t>(raw)).bits;
        case ValueType::I16: return Scalar::of(static_cast<std::int16_t>(raw)).bits;
        case ValueType::I32: return Scalar::of(static_cast<std::int32_t>(raw)).bits;
        default: return raw;
    }
}

std::string placeOf(std::uint64_t offset) {
    return SourceReader::placeOf(offset);
}

}  // namespace

Result<Metadata> MetadataReader::read() {
    while (m_entriesLeft > 0) {
        --m_entriesLeft;
        LOADER_CHECK(readEntry());
    }
    LOADER_CHECK(checkDuplicates());
    return std::move(m_metadata);
}

/// Fails where what the file still promises cannot follow after `bytes` more bytes. Asked before content is
/// looked at: a length that swallows the rest of the file is an incomplete file, not one with odd characters.
Status MetadataReader::checkRoom(std::uint64_t bytes, std::string_view what) const {
    const std::uint64_t left = m_reader.left();
    const std::uint64_t promised = m_entriesLeft * smallestEntry(m_reader) + m_bytesAfter;
    if (bytes > left || left - bytes < promised) {
        return Error(Errc::GG010, {std::string(what)}, placeOf(m_reader.size()));
    }
    if (bytes > kMaxMetadataBytes || m_reader.offset() > kMaxMetadataBytes - bytes) {
        return Error(Errc::GG062,
                     {std::to_string(m_reader.offset() + bytes), std::to_string(kMaxMetadataBytes)},
                     placeOf(m_reader.offset()));
    }
    return {};
}

std::string MetadataReader::keyOf(const Metadata::Entry& entry) const {
    return printable(m_metadata.viewAt(entry.keyOffset, entry.keyLength));
}

Status MetadataReader::readEntry() {
    const std::uint64_t start = m_reader.offset();
    std::uint64_t keyLength = 0;
    if (!m_reader.length(keyLength)) return m_reader.error("a metadata key");
    if (keyLength > kMaxKeyBytes || keyLength > m_reader.left()) {
        return Error(Errc::GG011, {std::to_string(keyLength)}, placeOf(start));
    }
    if (keyLength == 0) return Error(Errc::GG012, {}, placeOf(start));
    LOADER_CHECK(checkRoom(keyLength + 4, "a metadata key"));

    Metadata::Entry entry;
    entry.keyOffset = static_cast<std::uint32_t>(m_metadata.m_block.size());
    entry.keyLength = static_cast<std::uint16_t>(keyLength);
    if (!m_reader.append(m_metadata.m_block, keyLength)) return m_reader.error("a metadata key");

    const std::uint64_t typeStart = m_reader.offset();
    std::uint32_t type = 0;
    if (!m_reader.u32(type)) return m_reader.error("the type of a metadata value");
    // Before the characters of the key: where a length is wrong, the type is the better witness.
    if (type >= kValueTypes)
        return Error(Errc::GG015, {std::to_string(type), keyOf(entry)}, placeOf(typeStart));
    Status status = checkKey(m_metadata.viewAt(entry.keyOffset, entry.keyLength));
    if (!status.ok()) return std::move(status).error().within(placeOf(start));
    entry.type = entry.elementType = static_cast<ValueType>(type);
    LOADER_CHECK(readValue(entry, typeStart));
    if (entry.type == ValueType::Array && entry.count > m_longest) {
        m_metadata.m_block.resize(entry.keyOffset);
        return {};
    }
    reserveFor(m_metadata.m_entries, 1);
    m_metadata.m_entries.push_back(entry);
    return {};
}

Status MetadataReader::readValue(Metadata::Entry& entry, std::uint64_t start) {
    if (entry.type == ValueType::Text) return readText(entry);
    if (entry.type == ValueType::Array) return readArray(entry);
    Status status = readScalar(entry);
    if (!status.ok()) return std::move(status).error().within(placeOf(start));
    return {};
}

Status MetadataReader::readScalar(Metadata::Entry& entry) {
    const std::size_t width = valueBytes(entry.type);
    LOADER_CHECK(checkRoom(width, "a metadata value"));
    std::uint64_t raw = 0;
    if (!m_reader.unsignedNumber(width, raw)) return m_reader.error("a metadata value");
    if (entry.type == ValueType::Bool && raw > 1) return Error(Errc::GG019, {std::to_string(raw)});
    entry.payload = extended(entry.type, raw);
    return {};
}

Status MetadataReader::readText(Metadata::Entry& entry) {
    const std::uint64_t start = m_reader.offset();
    std::uint64_t length = 0;
    if (!m_reader.length(length)) return m_reader.error("the length of a text");
    if (length > kMaxTextBytes || length > m_reader.left()) {
        return Error(Errc::GG016, {std::to_string(length)}, placeOf(start));
    }
    LOADER_CHECK(checkRoom(length, "a text"));
    entry.payload = m_metadata.m_block.size();
    entry.count = static_cast<std::uint32_t>(length);
    if (!m_reader.append(m_metadata.m_block, length)) return m_reader.error("a text");
    Status status = checkText(m_metadata.viewAt(entry.payload, entry.count));
    if (!status.ok()) return std::move(status).error().within(keyOf(entry)).within(placeOf(start));
    return {};
}

Status MetadataReader::readArray(Metadata::Entry& entry) {
    const std::uint64_t start = m_reader.offset();
    std::uint32_t type = 0;
    if (!m_reader.u32(type)) return m_reader.error("the element type of an array");
    if (type == static_cast<std::uint32_t>(ValueType::Array)) {
        return Error(Errc::GG022, {keyOf(entry)}, placeOf(start));
    }
    if (type >= kValueTypes) return Error(Errc::GG020, {std::to_string(type), keyOf(entry)}, placeOf(start));
    entry.elementType = static_cast<ValueType>(type);

    const std::uint64_t lengthStart = m_reader.offset();
    std::uint64_t count = 0;
    if (!m_reader.length(count)) return m_reader.error("the length of an array");
    const bool texts = entry.elementType == ValueType::Text;
    const std::uint64_t smallest = texts ? m_reader.lengthBytes() : valueBytes(entry.elementType);
    if (count > kMaxArrayElements || count > m_reader.left() / smallest) {
        return Error(Errc::GG021, {std::to_string(count)}, placeOf(lengthStart));
    }
    LOADER_CHECK(checkRoom(count * smallest, "an array"));
    entry.count = static_cast<std::uint32_t>(count);
    if (count > m_longest) {
        if (texts) return passTexts(count);
        m_reader.seek(m_reader.offset() + count * smallest);
        return {};
    }
    return texts ? readTexts(entry, count) : readNumbers(entry, count, lengthStart);
}

Status MetadataReader::readTexts(Metadata::Entry& entry, std::uint64_t count) {
    std::vector<std::byte>& block = m_metadata.m_block;
    std::vector<std::uint32_t>& borders = m_metadata.m_borders;
    entry.payload = borders.size();
    reserveFor(borders, 1);
    borders.push_back(static_cast<std::uint32_t>(block.size()));
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t start = m_reader.offset();
        std::uint64_t length = 0;
        if (!m_reader.length(length)) return m_reader.error("an array of texts");
        if (length > kMaxTextBytes || length > m_reader.left()) {
            return Error(Errc::GG016, {std::to_string(length)}, placeOf(start));
        }
        LOADER_CHECK(checkRoom(length, "an array of texts"));
        const std::size_t at = block.size();
        if (!m_reader.append(block, length)) return m_reader.error("an array of texts");
        Status status = checkText(m_metadata.viewAt(at, static_cast<std::size_t>(length)));
        if (!status.ok()) return std::move(status).error().within(keyOf(entry)).within(placeOf(start));
        reserveFor(borders, 1);
        borders.push_back(static_cast<std::uint32_t>(block.size()));
    }
    return {};
}

/// As readTexts, without keeping or looking at what the texts say.
Status MetadataReader::passTexts(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t start = m_reader.offset();
        std::uint64_t length = 0;
        if (!m_reader.length(length)) return m_reader.error("an array of texts");
        if (length > kMaxTextBytes || length > m_reader.left()) {
            return Error(Errc::GG016, {std::to_string(length)}, placeOf(start));
        }
        LOADER_CHECK(checkRoom(length, "an array of texts"));
        m_reader.seek(m_reader.offset() + length);
    }
    return {};
}

Status MetadataReader::readNumbers(Metadata::Entry& entry, std::uint64_t count, std::uint64_t start) {
    const std::size_t width = valueBytes(entry.elementType);
    m_metadata.alignBlock();
    entry.payload = m_metadata.m_block.size();
    if (!m_reader.append(m_metadata.m_block, count * width)) return m_reader.error("an array");
    const auto elements = std::span(m_metadata.m_block).subspan(static_cast<std::size_t>(entry.payload));
    if (m_reader.order() != kHostOrder) swapElements(elements, width);
    if (entry.elementType != ValueType::Bool) return {};
    const auto odd = std::ranges::find_if(elements, [](std::byte value) { return value > std::byte{1}; });
    if (odd == elements.end()) return {};
    return Error(Errc::GG019, {std::to_string(std::to_integer<int>(*odd))}, placeOf(start));
}

/// Sorting finds equal keys without a hash, so that no choice of keys makes it quadratic.
Status MetadataReader::checkDuplicates() {
    std::vector<std::uint32_t>& sorted = m_metadata.m_sorted;
    sorted.resize(m_metadata.size());
    std::iota(sorted.begin(), sorted.end(), 0u);
    const auto keyAt = [this](std::uint32_t index) { return m_metadata.key(index); };
    std::sort(sorted.begin(), sorted.end(), [&](std::uint32_t a, std::uint32_t b) {
        const int order = compareKeys(keyAt(a), keyAt(b));
        return order != 0 ? order < 0 : a < b;
    });
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        const std::string_view first = keyAt(sorted[i - 1]);
        const std::string_view second = keyAt(sorted[i]);
        if (first == second) return Error(Errc::GG014, {printable(first)});
        if (m_warnings.size() < kMaxWarnings && equalIgnoringCase(first, second)) {
            m_warnings.push_back(Error(
                Errc::GG013, {printable(second) + " differs from " + printable(first) + " only in case"}));
        }
    }
    return {};
}

}  // namespace loader::gguf
