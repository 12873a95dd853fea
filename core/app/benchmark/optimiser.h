// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings for this hardware and this use: from what fits (recommendation.h), from how long the user's
// prompts and answers are (the history), and from what was tried (sweep.h). Each with one sentence why, and
// what it brings.
#pragma once

#include <string>
#include <vector>

#include "core/app/benchmark/sweep.h"
#include "core/app/benchmark/usage_record.h"
#include "core/app/models/recommendation.h"

namespace loader::app {

/// How one model is used. @unit tokens; of 95 % of the answers, at most
struct UsageProfile {
    std::size_t answers = 0;
    /// Of the prompt, without what the cache had.
    std::uint64_t evaluated = 0;
    /// Prompt and answer together.
    std::uint64_t together = 0;
};
UsageProfile profileOf(const std::vector<UsageRecord>& uses, const ModelIdentity& model);

/// So many answers tell how a model is used.
inline constexpr std::size_t kProfileAnswers = 20;

struct Proposal {
    /// A setting of settings.inc.
    std::string key;
    Json value;
    /// One sentence.
    std::string reason;
    /// "measured: 21.3 instead of 14.9 tokens/s (+43 %)"; empty where nothing changes.
    std::string effect;
    bool measured = false;
};

struct OptimiserInput {
    const protocol::ModelFacts& facts;
    const Recommendation& advice;
    UsageProfile profile;
    /// Null where nothing was tried.
    const SweepReport* sweep = nullptr;
};

/// load.context, load.batch, load.threads and load.gpu_layers, in this order.
/// @thread any; pure
std::vector<Proposal> propose(const OptimiserInput& input);
Json proposalsJson(const std::vector<Proposal>& proposals);

}  // namespace loader::app
