// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What this machine can do at best: memory read bandwidth, throughput of 8-bit and 16-bit integers and of
// 32-bit floats, measured by kernels that share nothing with any back end. Speeds of models are judged
// against these.
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
    /// Sums of products of 16-bit integers; instructions for pairs of bfloat16 are as fast.
    double int16OpsPerSecond = 0.0;
    double f32FlopsPerSecond = 0.0;
    unsigned threads = 0;
    /// The instruction set of the kernels: "avx512vnni", "avx2", "baseline".
    std::string kernels;
};

struct CeilingPlan {
    unsigned threads = 1;
    /// What the work to be judged reads again and again; 0 leaves its own figure out.
    std::uint64_t workingSetBytes = 0;
    /// Less often, from less memory: about a tenth of a second, for watching how a machine changes.
    bool quick = false;
};

/// Best of five for each, or of one where it must be quick.
/// @errors X002, R901 no memory for the buffer
Result<Ceilings> measureCeilings(const CeilingPlan& plan, CancelToken cancel);

/// The larger of each figure: what disturbs a measurement only ever makes it smaller.
Ceilings larger(const Ceilings& one, const Ceilings& other);

}  // namespace loader::host
