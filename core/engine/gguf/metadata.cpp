// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/gguf/metadata.h"

#include <algorithm>
#include <limits>

#include "core/engine/gguf/limits.h"
#include "core/engine/gguf/source_reader.h"
#include "core/engine/gguf/text_rules.h"

namespace loader::gguf {
namespace {

/// The widest element; numbers are kept at multiples of it so that views of them are aligned.
constexpr std::size_t kElementAlignment = 8;

Scalar scalarFrom(ValueType type, std::uint64_t raw) {
    Scalar scalar;
    scalar.type = type;
    switch (type) {
        case ValueType::I8: scalar.bits = Scalar::of(static_cast<std::int8_t>(raw)).bits; break;
        case ValueType::I16: scalar.bits = Scalar::of(static_cast<std::int16_t>(raw)).bits; break;
        case ValueType::I32: scalar.bits = Scalar::of(static_cast<std::int32_t>(raw)).bits; break;
        default: scalar.bits = raw; break;
    }
    return scalar;
}

template <class T>
std::uint64_t load(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}

}  // namespace

Scalar NumberArrayView::operator[](std::size_t index) const {
    const std::size_t width = valueBytes(elementType);
    const std::byte* from = bytes.data() + index * width;
    switch (width) {
        case 1: return scalarFrom(elementType, load<std::uint8_t>(from));
        case 2: return scalarFrom(elementType, load<std::uint16_t>(from));
        case 4: return scalarFrom(elementType, load<std::uint32_t>(from));
        default: return scalarFrom(elementType, load<std::uint64_t>(from));
    }
}

Metadata Metadata::clone() const {
    Metadata copy;
    copy.m_entries = m_entries;
    copy.m_sorted = m_sorted;
    copy.m_block = m_block;
    copy.m_borders = m_borders;
    copy.m_fault = m_fault;
    return copy;
}

std::string_view Metadata::viewAt(std::uint64_t offset, std::size_t length) const {
    if (length == 0) return {};
    return {reinterpret_cast<const char*>(m_block.data()) + offset, length};
}

std::string_view Metadata::key(std::size_t index) const {
    return viewAt(m_entries[index].keyOffset, m_entries[index].keyLength);
}

std::vector<std::uint32_t>::const_iterator Metadata::lowerBound(std::string_view wanted) const {
    return std::lower_bound(
        m_sorted.begin(), m_sorted.end(), wanted,
        [this](std::uint32_t index, std::string_view k) { return compareKeys(key(index), k) < 0; });
}

std::optional<std::size_t> Metadata::find(std::string_view wanted) const {
    const auto place = lowerBound(wanted);
    if (place == m_sorted.end() || key(*place) != wanted) return std::nullopt;
    return *place;
}

const Metadata::Entry* Metadata::entry(std::string_view wanted) const {
    const auto index = find(wanted);
    return index ? &m_entries[*index] : nullptr;
}

std::optional<ValueType> Metadata::type(std::string_view wanted) const {
    const Entry* found = entry(wanted);
    return found ? std::optional(found->type) : std::nullopt;
}

std::optional<Scalar> Metadata::scalar(std::string_view wanted) const {
    const Entry* found = entry(wanted);
    if (!found || found->type == ValueType::Text || found->type == ValueType::Array) return std::nullopt;
    Scalar value;
    value.type = found->type;
    value.bits = found->payload;
    return value;
}

Result<double> Metadata::requireFinite(std::string_view wanted) const {
    const auto value = scalar(wanted);
    if (!value) return contains(wanted) ? wrongType(wanted) : missing(wanted);
    if (value->type == ValueType::Bool) return wrongType(wanted);
    if (value->isInteger()) {
        return value->isSigned() ? static_cast<double>(std::bit_cast<std::int64_t>(value->bits))
                                 : static_cast<double>(value->bits);
    }
    if (!std::isfinite(value->real())) return Error(Errc::GG023, {std::string(wanted)});
    return value->real();
}

std::optional<std::string_view> Metadata::text(std::string_view wanted) const {
    const Entry* found = entry(wanted);
    if (!found || found->type != ValueType::Text) return std::nullopt;
    return viewAt(found->payload, found->count);
}

Result<std::string_view> Metadata::requireText(std::string_view wanted) const {
    const auto value = text(wanted);
    if (!value) return contains(wanted) ? wrongType(wanted) : missing(wanted);
    return *value;
}

TextArrayView Metadata::textsOf(const Entry& found) const {
    return {
        reinterpret_cast<const char*>(m_block.data()),
        std::span(m_borders).subspan(static_cast<std::size_t>(found.payload), std::size_t(found.count) + 1)};
}

NumberArrayView Metadata::numbersOf(const Entry& found) const {
    NumberArrayView view;
    view.elementType = found.elementType;
    view.count = found.count;
    view.bytes = std::span(m_block).subspan(static_cast<std::size_t>(found.payload),
                                            found.count * valueBytes(found.elementType));
    return view;
}

Result<TextArrayView> Metadata::texts(std::string_view wanted) const {
    const Entry* found = entry(wanted);
    if (!found) return missing(wanted);
    if (found->type != ValueType::Array || found->elementType != ValueType::Text) return wrongType(wanted);
    return textsOf(*found);
}

std::optional<NumberArrayView> Metadata::numbers(std::string_view wanted) const {
    const Entry* found = entry(wanted);
    if (!found || found->type != ValueType::Array || found->elementType == ValueType::Text)
        return std::nullopt;
    return numbersOf(*found);
}

std::optional<std::size_t> Metadata::arrayLength(std::string_view wanted) const {
    const Entry* found = entry(wanted);
    if (!found || found->type != ValueType::Array) return std::nullopt;
    return found->count;
}

Error Metadata::missing(std::string_view wanted) const {
    return Error(Errc::M110, {printable(wanted)});
}

Error Metadata::wrongType(std::string_view wanted) const {
    const Entry* found = entry(wanted);
    if (!found) return missing(wanted);
    std::string kind(valueTypeName(found->type));
    if (found->type == ValueType::Array) kind += " of " + std::string(valueTypeName(found->elementType));
    if (const auto value = scalar(wanted)) kind += " " + value->toString();
    return Error(Errc::M111, {printable(wanted), kind});
}

std::string Metadata::toString(std::size_t index, std::size_t maxElements) const {
    const Entry& found = m_entries[index];
    if (found.type == ValueType::Text) {
        return printable(viewAt(found.payload, found.count), std::numeric_limits<std::size_t>::max(), true);
    }
    if (found.type != ValueType::Array) return scalarFrom(found.type, found.payload).toString();
    std::string shown = "[";
    const std::size_t count = std::min<std::size_t>(found.count, maxElements);
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) shown += ", ";
        if (found.elementType != ValueType::Text) {
            shown += numbersOf(found)[i].toString();
            continue;
        }
        // Piece by piece: g++ 12 warns of an overlap in "…" + text at -O3 that is none.
        shown += '"';
        shown += printable(textsOf(found)[i]);
        shown += '"';
    }
    if (count < found.count) shown += count > 0 ? ", …" : "…";
    return shown + "] (" + std::to_string(found.count) + " x " +
           std::string(valueTypeName(found.elementType)) + ")";
}

std::uint32_t Metadata::appendBytes(std::span<const std::byte> bytes) {
    const std::size_t at = m_block.size();
    if (bytes.size() > std::numeric_limits<std::uint32_t>::max() - at) {
        const std::string wanted = std::to_string(at + bytes.size());
        if (!m_fault) m_fault = Error(Errc::GG062, {wanted, std::to_string(kMaxMetadataBytes)});
        return 0;
    }
    reserveFor(m_block, bytes.size());
    m_block.insert(m_block.end(), bytes.begin(), bytes.end());
    return static_cast<std::uint32_t>(at);
}

void Metadata::alignBlock() {
    const std::size_t rest = m_block.size() % kElementAlignment;
    if (rest == 0) return;
    reserveFor(m_block, kElementAlignment);
    m_block.resize(m_block.size() + kElementAlignment - rest);
}

void Metadata::store(std::string_view wanted, const Entry& value) {
    if (m_fault) return;
    const auto place = lowerBound(wanted);
    const auto at = place - m_sorted.begin();
    if (place != m_sorted.end() && key(*place) == wanted) {
        Entry& present = m_entries[*place];
        const Entry old = present;
        present = value;
        present.keyOffset = old.keyOffset;
        present.keyLength = old.keyLength;
        return;
    }
    if (wanted.size() > kMaxKeyBytes) {
        m_fault = Error(Errc::GG011, {std::to_string(wanted.size())});
        return;
    }
    Entry added = value;
    added.keyOffset = appendBytes(std::as_bytes(std::span(wanted)));
    added.keyLength = static_cast<std::uint16_t>(wanted.size());
    m_sorted.insert(m_sorted.begin() + at, static_cast<std::uint32_t>(m_entries.size()));
    m_entries.push_back(added);
}

void Metadata::setScalar(std::string_view wanted, Scalar value) {
    Entry added;
    added.type = value.type;
    added.elementType = value.type;
    added.payload = value.bits;
    store(wanted, added);
}

void Metadata::setText(std::string_view wanted, std::string_view value) {
    Entry added;
    added.type = added.elementType = ValueType::Text;
    added.payload = appendBytes(std::as_bytes(std::span(value)));
    added.count = static_cast<std::uint32_t>(value.size());
    store(wanted, added);
}

void Metadata::setTexts(std::string_view wanted, std::span<const std::string_view> values) {
    Entry added;
    added.type = ValueType::Array;
    added.elementType = ValueType::Text;
    added.count = static_cast<std::uint32_t>(values.size());
    added.payload = m_borders.size();
    m_borders.reserve(m_borders.size() + values.size() + 1);
    m_borders.push_back(static_cast<std::uint32_t>(m_block.size()));
    for (const std::string_view value : values) {
        appendBytes(std::as_bytes(std::span(value)));
        m_borders.push_back(static_cast<std::uint32_t>(m_block.size()));
    }
    store(wanted, added);
}

void Metadata::setNumbers(std::string_view wanted, ValueType elementType, std::size_t count,
                          std::span<const std::byte> elements) {
    Entry added;
    added.type = ValueType::Array;
    added.elementType = elementType;
    added.count = static_cast<std::uint32_t>(count);
    alignBlock();
    added.payload = appendBytes(elements.first(count * valueBytes(elementType)));
    store(wanted, added);
}

void Metadata::remove(std::string_view wanted) {
    const auto index = find(wanted);
    if (!index) return;
    m_entries.erase(m_entries.begin() + static_cast<std::ptrdiff_t>(*index));
    std::erase(m_sorted, static_cast<std::uint32_t>(*index));
    for (std::uint32_t& other : m_sorted) {
        if (other > *index) --other;
    }
}

bool Metadata::operator==(const Metadata& other) const {
    if (size() != other.size()) return false;
    for (std::size_t i = 0; i < size(); ++i) {
        const Entry& a = m_entries[i];
        const Entry& b = other.m_entries[i];
        if (key(i) != other.key(i) || a.type != b.type || a.elementType != b.elementType ||
            a.count != b.count) {
            return false;
        }
        if (a.type == ValueType::Text) {
            if (viewAt(a.payload, a.count) != other.viewAt(b.payload, b.count)) return false;
        } else if (a.type != ValueType::Array) {
            if (a.payload != b.payload) return false;
        } else if (a.elementType == ValueType::Text) {
            const TextArrayView texts = textsOf(a);
            const TextArrayView others = other.textsOf(b);
            for (std::size_t k = 0; k < texts.size(); ++k) {
                if (texts[k] != others[k]) return false;
            }
        } else if (!std::ranges::equal(numbersOf(a).bytes, other.numbersOf(b).bytes)) {
            return false;
        }
    }
    return true;
}

}  // namespace loader::gguf
