// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What `gguf bench` computes and how long it takes.
#pragma once

#include "core/cli/context.h"

namespace loader::cli {

struct BenchPlan {
    std::uint32_t prompt = 512;
    std::uint32_t generate = 64;
    std::uint32_t depth = 0;
    std::uint32_t repetitions = 5;
    std::uint32_t firstTokenRuns = 3;
    bool keepCache = true;
    bool warmUp = true;
};

/// @errors X001
Result<BenchPlan> readPlan(const Arguments& arguments);
/// A model with learned positions has no more of them than it has; its default prompt is as long as they
/// allow. @errors those of the file's header
Status fitToPositions(const Arguments& arguments, const std::string& path, BenchPlan& plan);

/// @unit tokens per second
struct Speeds {
    std::vector<double> prompt;
    std::vector<double> generation;
};
/// @errors X002, those of Session::forward
Result<Speeds> measureSpeeds(host::LoadedModel& model, const BenchPlan& plan, CancelToken cancel);

/// Of fresh processes. @unit milliseconds
struct FirstTokens {
    /// From the start of a process to its first token.
    std::vector<double> times;
    /// How long each loaded.
    std::vector<double> loads;
};
/// @errors X002, X003
Result<FirstTokens> measureFirstTokens(std::uint32_t runs, CancelToken cancel);
/// What each of these processes does.
Result<int> firstTokenProbe(Context& context, host::LoadRequest request);

}  // namespace loader::cli
