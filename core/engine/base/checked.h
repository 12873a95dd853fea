// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Arithmetic that cannot wrap. Every number that comes from a file is added, multiplied and rounded here.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace loader {

template <std::unsigned_integral T>
constexpr std::optional<T> checkedAdd(T a, T b) {
    if (a > std::numeric_limits<T>::max() - b) return std::nullopt;
    return static_cast<T>(a + b);
}

template <std::unsigned_integral T>
constexpr std::optional<T> checkedMul(T a, T b) {
    if (b != 0 && a > std::numeric_limits<T>::max() / b) return std::nullopt;
    return static_cast<T>(a * b);
}

/// Rounds up to a multiple of step; step must not be 0.
template <std::unsigned_integral T>
constexpr std::optional<T> checkedRoundUp(T value, T step) {
    const T rest = static_cast<T>(value % step);
    return rest == 0 ? std::optional<T>(value) : checkedAdd<T>(value, static_cast<T>(step - rest));
}

/// A narrower integer, or nothing where the value does not fit.
template <std::integral To, std::integral From>
constexpr std::optional<To> checkedCast(From value) {
    if (!std::in_range<To>(value)) return std::nullopt;
    return static_cast<To>(value);
}

}  // namespace loader
