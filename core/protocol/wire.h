// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Values as bytes, little-endian, without padding. A message lists its fields once, in a static function
//   template <class Self, class Visitor> static void fields(Self& self, Visitor& visit)
// and both directions walk that list. Reading is of hostile bytes: nothing is allocated that the bytes at
// hand do not pay for, and what does not fit makes the whole message unreadable.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::protocol {

/// An enumeration is sent as one byte and must be at most its last value.
template <class E>
struct LastOf;

template <class T>
concept WireNumber = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;

class PayloadWriter {
public:
    template <WireNumber T>
    void operator()(const T& value) {
        using Bits = std::conditional_t<
            sizeof(T) == 8, std::uint64_t,
            std::conditional_t<sizeof(T) == 4, std::uint32_t,
                               std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint8_t>>>;
        const Bits bits = std::bit_cast<Bits>(value);
        for (std::size_t i = 0; i < sizeof(T); ++i)
            m_bytes.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(bits) >> (8 * i)));
    }
    void operator()(const bool& value) { (*this)(static_cast<std::uint8_t>(value)); }
    /// Invalid bytes become U+FFFD.
    void operator()(const std::string& text);
    template <class E>
    requires std::is_enum_v<E>
    void operator()(const E& value) { (*this)(static_cast<std::uint8_t>(value)); }
    template <class T>
    void operator()(const std::optional<T>& value) {
        (*this)(value.has_value());
        if (value) (*this)(*value);
    }
    template <class T>
    void operator()(const std::vector<T>& values) {
        (*this)(static_cast<std::uint32_t>(values.size()));
        for (const T& value : values)
            (*this)(value);
    }
    void operator()(const Error& error);
    template <class T>
    requires requires(const T& t, PayloadWriter& w) { T::fields(t, w); }
    void operator()(const T& message) { T::fields(message, *this); }

    std::vector<std::byte> take() { return std::move(m_bytes); }

private:
    std::vector<std::byte> m_bytes;
};

class PayloadReader {
public:
    explicit PayloadReader(std::span<const std::byte> bytes) : m_rest(bytes) {}

    template <WireNumber T>
    void operator()(T& value) {
        std::uint64_t bits = 0;
        if (!take(sizeof(T))) return;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            bits |= std::to_integer<std::uint64_t>(m_taken[i]) << (8 * i);
        if constexpr (std::is_same_v<T, float>)
            value = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
        else if constexpr (std::is_same_v<T, double>)
            value = std::bit_cast<double>(bits);
        else
            value = static_cast<T>(bits);
    }
    void operator()(bool& value) {
        std::uint8_t byte = 0;
        (*this)(byte);
        value = byte == 1;
        if (byte > 1) m_fine = false;
    }
    /// Valid UTF-8 only.
    void operator()(std::string& text);
    template <class E>
    requires std::is_enum_v<E>
    void operator()(E& value) {
        std::uint8_t byte = 0;
        (*this)(byte);
        if (byte > static_cast<std::uint8_t>(LastOf<E>::value)) m_fine = false;
        if (m_fine) value = static_cast<E>(byte);
    }
    template <class T>
    void operator()(std::optional<T>& value) {
        bool there = false;
        (*this)(there);
        value.reset();
        if (there && m_fine) (*this)(value.emplace());
    }
    template <class T>
    void operator()(std::vector<T>& values) {
        std::uint32_t count = 0;
        (*this)(count);
        values.clear();
        // Every element takes at least a byte, numbers as many as they have.
        constexpr std::size_t kLeast = WireNumber<T> ? sizeof(T) : 1;
        if (!m_fine || count > m_rest.size() / kLeast) {
            m_fine = false;
            return;
        }
        for (std::uint32_t i = 0; i < count && m_fine; ++i)
            append(values);
    }
    template <class T>
    requires requires(T& t, PayloadReader& r) { T::fields(t, r); }
    void operator()(T& message) { T::fields(message, *this); }

    /// Everything was there, fitted, and nothing is left over.
    bool complete() const { return m_fine && m_rest.empty(); }
    bool fine() const { return m_fine; }

private:
    template <class T>
    void append(std::vector<T>& values) {
        if constexpr (std::is_same_v<T, Error>) {
            readError(values);
        } else {
            T value{};
            (*this)(value);
            if (m_fine) values.push_back(std::move(value));
        }
    }
    void readError(std::vector<Error>& errors);
    bool take(std::size_t count);

    std::span<const std::byte> m_rest;
    std::span<const std::byte> m_taken;
    bool m_fine = true;
};

template <class T>
std::vector<std::byte> encode(const T& message) {
    PayloadWriter writer;
    writer(message);
    return writer.take();
}

/// Nothing where the bytes are not exactly one such message.
template <class T>
std::optional<T> decode(std::span<const std::byte> bytes) {
    T message{};
    PayloadReader reader(bytes);
    reader(message);
    if (!reader.complete()) return std::nullopt;
    return message;
}

}  // namespace loader::protocol
