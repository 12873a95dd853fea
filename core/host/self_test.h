// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whether a device computes what the processor computes: asked before it is trusted with a conversation,
// since a faulty driver or memory gives wrong words without a word. One tiny model made in memory: every
// tensor type that the file at hand uses, a prompt (matrix by matrix), single tokens (matrix by vector),
// attention over both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/api/backend.h"

namespace loader::host {

/// The largest error of a row, and of a single number, that pass. A device may round activations and cached
/// keys and values to eight bits and stays well below; a kernel that mixes up numbers is off by 1 or more.
/// @unit the standard deviation of the row
inline constexpr double kSelfTestError = 0.2;
inline constexpr double kSelfTestNumber = 0.6;

struct SelfTestOptions {
    /// Types of the matrices; empty takes the most common ones.
    std::vector<quant::TensorType> types;
    backend::KvType kv = backend::KvType::F16;
    /// As in LoadOptions.
    unsigned threads = 0;
    std::string tier;
};

struct SelfTestReport {
    /// Of the worst row, and of the worst number. @unit as kSelfTestError
    double largestError = 0.0;
    double worstNumber = 0.0;
    double milliseconds = 0.0;
};

/// The types of a program's matrices, each once.
std::vector<quant::TensorType> matrixTypes(const graph::Program& program);

/// Compares a device with the first one of a back end that is trusted: the linked-in `cpu`.
/// @errors B705 wrong results; B702 a type that it cannot compute; those of the back end; X002
Result<SelfTestReport> selfTest(backend::Backend& backend, const std::string& device,
                                backend::Backend& trusted, const SelfTestOptions& options,
                                CancelToken cancel);

/// The same with every type of weights that the device takes and both types of cached keys and values, as a
/// probe does that is remembered. @errors as selfTest(); B702 where it takes none of them
Status selfTestAll(backend::Backend& backend, const std::string& device, backend::Backend& trusted,
                   CancelToken cancel);

}  // namespace loader::host
