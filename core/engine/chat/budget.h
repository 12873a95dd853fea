// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The limits of one compilation and one rendering of a chat template.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace loader::chat {

/// What one compilation and one rendering may use.
struct Budget {
    /// Expressions and statements evaluated, plus one for every 256 bytes looked at.
    std::uint64_t steps = 5'000'000;
    std::size_t outputBytes = std::size_t(8) << 20;
    /// Live values of the rendering; the output is counted by outputBytes.
    std::size_t heapBytes = std::size_t(64) << 20;
    std::uint32_t parseDepth = 128;
    /// Macros, caller blocks and recursive loops within each other.
    std::uint32_t callDepth = 64;
    std::chrono::milliseconds wall{1000};
};

}  // namespace loader::chat
