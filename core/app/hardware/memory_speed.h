// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Roughly how fast memory can be read, as generating is bounded by it. A short reading that disturbs nobody;
// the exact ceilings are `gguf bench --ceilings`'s business.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/engine/base/cancel_token.h"
#include "core/engine/base/result.h"

namespace loader::app {

struct MemorySpeed {
    double bytesPerSecond = 0.0;
    unsigned threads = 0;
    /// Memory that was read, again and again.
    std::uint64_t bytes = 0;
    /// The whole measurement.
    double milliseconds = 0.0;
    /// The memory was not much larger than the caches, so that they may have helped.
    bool cachesHelped = false;
};

/// Takes at most 50 ms where the processors are free. @param threads as many as usableCores(); @param cacheBytes of the last level
/// together
/// @errors R901 no memory for it, X002
Result<MemorySpeed> measureMemorySpeed(unsigned threads, std::uint64_t cacheBytes, CancelToken cancel = {});

/// "low: one memory channel" and the like.
std::string_view memorySpeedClass(double bytesPerSecond);

}  // namespace loader::app
