// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What this machine can do at best: memory read bandwidth, 8-bit integer and 32-bit float throughput,
// measured by kernels that share nothing with any back end. Speeds of models are judged against these.
#pragma once

#include <cstdint>
#include <string>

#include "core/engine/base/cancel_token.h"

namespace loader::host {

struct Ceilings {
    /// From a buffer many times larger than the caches.
    double memoryReadBytesPerSecond = 0.0;
    /// From a buffer of workingSetBytes, which may lie in the caches; 0 where it is as large as the other.
    double workingSetReadBytesPerSecond = 0.0;
    /// A multiplication and an addition are two operations.
    double int8OpsPerSecond = 0.0;
    double f32FlopsPerSecond = 0.0;
    unsigned threads = 0;
    /// The instruction set of the kernels: "avx512vnni", "avx2", "baseline".
    std::string kernels;
};

/// Best of five for each. @param workingSetBytes what the work to be judged reads again and again
/// @errors X002, R901 no memory for the buffer
Result<Ceilings> measureCeilings(unsigned threads, std::uint64_t workingSetBytes, CancelToken cancel);

}  // namespace loader::host
