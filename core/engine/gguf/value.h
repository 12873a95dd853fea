// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Kinds of metadata values, and scalars that convert only where nothing is lost.
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace loader::gguf {

/// The values are the numbers used in files.
/// @source https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
enum class ValueType : std::uint8_t { U8, I8, U16, I16, U32, I32, F32, Bool, Text, Array, U64, I64, F64 };
inline constexpr std::uint32_t kValueTypes = 13;

enum class ByteOrder : std::uint8_t { Little, Big };
inline constexpr ByteOrder kHostOrder =
    std::endian::native == std::endian::little ? ByteOrder::Little : ByteOrder::Big;

/// Bytes of one value, 0 for texts and arrays.
std::size_t valueBytes(ValueType type);
/// "u32", "text", "array" …
std::string_view valueTypeName(ValueType type);

/// The kind that holds a T in a file.
template <class T>
constexpr ValueType valueTypeOf() {
    if constexpr (std::same_as<T, bool>)
        return ValueType::Bool;
    else if constexpr (std::same_as<T, float>)
        return ValueType::F32;
    else if constexpr (std::same_as<T, double>)
        return ValueType::F64;
    else if constexpr (std::same_as<T, std::uint8_t>)
        return ValueType::U8;
    else if constexpr (std::same_as<T, std::int8_t>)
        return ValueType::I8;
    else if constexpr (std::same_as<T, std::uint16_t>)
        return ValueType::U16;
    else if constexpr (std::same_as<T, std::int16_t>)
        return ValueType::I16;
    else if constexpr (std::same_as<T, std::uint32_t>)
        return ValueType::U32;
    else if constexpr (std::same_as<T, std::int32_t>)
        return ValueType::I32;
    else if constexpr (std::same_as<T, std::uint64_t>)
        return ValueType::U64;
    else {
        static_assert(std::same_as<T, std::int64_t>, "no metadata value has this C++ type");
        return ValueType::I64;
    }
}

/// One number or yes/no value. Integers are kept sign- or zero-extended to 64 bits, floats as their bit
/// pattern.
struct Scalar {
    ValueType type = ValueType::U32;
    std::uint64_t bits = 0;

    template <class T>
    static Scalar of(T value) {
        Scalar scalar;
        scalar.type = valueTypeOf<T>();
        if constexpr (std::same_as<T, float>)
            scalar.bits = std::bit_cast<std::uint32_t>(value);
        else if constexpr (std::same_as<T, double>)
            scalar.bits = std::bit_cast<std::uint64_t>(value);
        else
            scalar.bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));  // sign-extended
        return scalar;
    }

    bool isInteger() const {
        return type != ValueType::F32 && type != ValueType::F64 && type != ValueType::Bool;
    }
    bool isSigned() const {
        return type == ValueType::I8 || type == ValueType::I16 || type == ValueType::I32 ||
               type == ValueType::I64;
    }
    double real() const {
        return type == ValueType::F32 ? std::bit_cast<float>(static_cast<std::uint32_t>(bits))
                                      : std::bit_cast<double>(bits);
    }

    /// Integers of any width where the value fits; F32 and F64 to either (NaN and infinity are kept); Bool to
    /// bool. Nothing else converts.
    template <class T>
    std::optional<T> as() const {
        if constexpr (std::same_as<T, bool>) {
            if (type == ValueType::Bool) return bits != 0;
        } else if constexpr (std::floating_point<T>) {
            if (type == ValueType::F32 || type == ValueType::F64) return narrowed<T>(real());
        } else if (isInteger()) {
            static_assert(std::integral<T>);
            if (isSigned()) return inRange<T>(std::bit_cast<std::int64_t>(bits));
            return inRange<T>(bits);
        }
        return std::nullopt;
    }
    /// "7", "-3", "0.5", "yes", "no".
    std::string toString() const;

private:
    template <class T, class From>
    static std::optional<T> inRange(From value) {
        if (!std::in_range<T>(value)) return std::nullopt;
        return static_cast<T>(value);
    }
    template <class T>
    static std::optional<T> narrowed(double value) {
        if (std::isfinite(value) && std::abs(value) > static_cast<double>(std::numeric_limits<T>::max())) {
            return std::nullopt;
        }
        return static_cast<T>(value);
    }
};

}  // namespace loader::gguf
