// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The key/value part of a GGUF file: keys in file order, typed access only. All texts and arrays lie in one
// block of memory; nothing is copied per string. Also filled by hand, for the writer and for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/gguf/value.h"

namespace loader::gguf {

/// The texts of an array, as views into the Metadata they come from.
class TextArrayView {
public:
    TextArrayView() = default;
    TextArrayView(const char* texts, std::span<const std::uint32_t> borders)
        : m_texts(texts), m_borders(borders) {}
    std::size_t size() const { return m_borders.empty() ? 0 : m_borders.size() - 1; }
    bool empty() const { return size() == 0; }
    std::string_view operator[](std::size_t index) const {
        return {m_texts + m_borders[index], m_borders[index + 1] - m_borders[index]};
    }

private:
    const char* m_texts = nullptr;
    std::span<const std::uint32_t> m_borders;  // one more than texts
};

/// The numbers of an array, in the byte order of this machine.
struct NumberArrayView {
    ValueType elementType = ValueType::U8;
    std::size_t count = 0;
    std::span<const std::byte> bytes;
    Scalar operator[](std::size_t index) const;
};

/// Move-only: views stay valid while it moves, not while it is written to.
/// @thread const use from any thread.
class Metadata {
public:
    Metadata() = default;
    Metadata(Metadata&&) = default;
    Metadata& operator=(Metadata&&) = default;
    Metadata(const Metadata&) = delete;
    Metadata& operator=(const Metadata&) = delete;
    Metadata clone() const;

    std::size_t size() const { return m_entries.size(); }
    /// Keys in file order.
    std::string_view key(std::size_t index) const;
    ValueType type(std::size_t index) const { return m_entries[index].type; }
    /// Of an array; of a single value its own kind.
    ValueType elementType(std::size_t index) const { return m_entries[index].elementType; }
    std::optional<std::size_t> find(std::string_view key) const;
    bool contains(std::string_view key) const { return find(key).has_value(); }
    std::optional<ValueType> type(std::string_view key) const;

    /// Nothing where the key is absent, of another kind, or does not fit; prefer lookUp() where that
    /// difference matters.
    template <class T>
    std::optional<T> get(std::string_view key) const {
        const auto scalar = this->scalar(key);
        return scalar ? scalar->template as<T>() : std::nullopt;
    }
    /// Nothing where the key is absent. @errors M111 another kind, or it does not fit
    template <class T>
    Result<std::optional<T>> lookUp(std::string_view key) const {
        if (!contains(key)) return std::optional<T>();
        const std::optional<T> value = get<T>(key);
        if (!value) return wrongType(key);
        return value;
    }
    /// @errors M110 absent, M111 another kind, or it does not fit. NaN and infinity pass; the caller judges
    /// them.
    template <class T>
    Result<T> require(std::string_view key) const {
        const std::optional<T> value = get<T>(key);
        if (!value) return contains(key) ? wrongType(key) : missing(key);
        return *value;
    }
    /// A number of any kind. @errors M110, M111, GG023 NaN or infinite
    Result<double> requireFinite(std::string_view key) const;

    std::optional<Scalar> scalar(std::string_view key) const;
    std::optional<std::string_view> text(std::string_view key) const;
    /// @errors M110, M111
    Result<std::string_view> requireText(std::string_view key) const;
    /// @errors M110, M111
    Result<TextArrayView> texts(std::string_view key) const;
    std::optional<NumberArrayView> numbers(std::string_view key) const;
    std::optional<std::size_t> arrayLength(std::string_view key) const;
    /// The elements of an array. Integers of any width convert where all fit; floats and bools must be of
    /// that very kind. @errors M110, M111
    template <class T>
    Result<std::vector<T>> arrayOf(std::string_view key) const {
        const auto view = numbers(key);
        if (!view) return contains(key) ? wrongType(key) : missing(key);
        constexpr bool kExact = std::is_floating_point_v<T> || std::is_same_v<T, bool>;
        if (kExact && view->elementType != valueTypeOf<T>()) return wrongType(key);
        std::vector<T> values;
        values.reserve(view->count);
        for (std::size_t i = 0; i < view->count; ++i) {
            const std::optional<T> value = (*view)[i].template as<T>();
            if (!value) return wrongType(key);
            values.push_back(*value);
        }
        return values;
    }

    /// The value for people: texts in full, of an array the first elements and its length.
    std::string toString(std::size_t index, std::size_t maxElements = 8) const;

    /// The setters keep the place of a key that is there already. Contents are checked when they are written.
    template <class T>
    void set(std::string_view key, T value) {
        setScalar(key, Scalar::of(value));
    }
    void setScalar(std::string_view key, Scalar value);
    void setText(std::string_view key, std::string_view value);
    void setTexts(std::string_view key, std::span<const std::string_view> values);
    template <class T>
    void setArray(std::string_view key, std::span<const T> values) {
        setNumbers(key, valueTypeOf<T>(), values.size(), std::as_bytes(values));
    }
    /// @unit elements: in the byte order of this machine
    void setNumbers(std::string_view key, ValueType elementType, std::size_t count,
                    std::span<const std::byte> elements);
    void remove(std::string_view key);
    /// Whether all that was set could be kept. @errors GG011 key, GG062 everything together
    Status status() const { return m_fault ? Status(*m_fault) : Status(); }

    /// Same keys in the same order with the same kinds and bits.
    bool operator==(const Metadata& other) const;

private:
    friend class MetadataReader;

    // 24 bytes: a file may hold 100 000 entries of 14 bytes, and memory must stay in proportion to it.
    struct Entry {
        std::uint32_t keyOffset = 0;
        std::uint16_t keyLength = 0;
        ValueType type = ValueType::U8;
        ValueType elementType = ValueType::U8;
        std::uint32_t count = 0;  // elements of an array, bytes of a text
        std::uint64_t payload =
            0;  // bits of a scalar, offset of a text or array, first border of a text array
    };

    std::string_view viewAt(std::uint64_t offset, std::size_t length) const;
    std::uint32_t appendBytes(std::span<const std::byte> bytes);
    void alignBlock();
    void store(std::string_view key, const Entry& value);
    std::vector<std::uint32_t>::const_iterator lowerBound(std::string_view key) const;
    const Entry* entry(std::string_view key) const;
    TextArrayView textsOf(const Entry& entry) const;
    NumberArrayView numbersOf(const Entry& entry) const;
    Error missing(std::string_view key) const;
    Error wrongType(std::string_view key) const;

    std::vector<Entry> m_entries;
    std::vector<std::uint32_t> m_sorted;   // entries by key, letters compared without case first
    std::vector<std::byte> m_block;        // keys, texts, arrays
    std::vector<std::uint32_t> m_borders;  // of text arrays, offsets into m_block
    std::optional<Error> m_fault;
};

}  // namespace loader::gguf
