// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Sums and products that stop at the greatest number instead of wrapping: a size that cannot be counted does
// not fit anywhere, which is all that an estimate has to say of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/engine/base/checked.h"

namespace loader::app {

inline constexpr std::uint64_t kCountless = std::numeric_limits<std::uint64_t>::max();

constexpr std::uint64_t add(std::uint64_t a, std::uint64_t b) {
    return checkedAdd(a, b).value_or(kCountless);
}

template <class... More>
constexpr std::uint64_t add(std::uint64_t a, std::uint64_t b, More... more) {
    return add(add(a, b), static_cast<std::uint64_t>(more)...);
}

constexpr std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
    return checkedMul(a, b).value_or(kCountless);
}

/// a - b, or 0.
constexpr std::uint64_t without(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

/// So many thousandths of a value.
constexpr std::uint64_t perMille(std::uint64_t value, std::uint32_t share) {
    // What is lost by dividing first is less than a thousand bytes.
    return multiply(value / 1000, share);
}

/// Up to whole steps.
constexpr std::uint64_t roundedUp(std::uint64_t value, std::uint64_t step) {
    return checkedRoundUp(value, step).value_or(kCountless);
}

}  // namespace loader::app
