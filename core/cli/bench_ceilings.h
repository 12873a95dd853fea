// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// This machine's ceilings, measured in processes of their own, and which part of them a model reaches.
#pragma once

#include "core/cli/bench_work.h"
#include "core/host/ceilings.h"
#include "core/host/model_work.h"

namespace loader::cli {

Json ceilingsJson(const host::Ceilings& ceilings);
std::string ceilingsText(const host::Ceilings& ceilings);
/// What `gguf bench --ceilings` does.
Result<int> printCeilings(Context& context);
/// Measured by another process, so that their memory does not count as this one's. @errors X002, X003
Result<host::Ceilings> ceilingsByChild(unsigned threads, std::uint64_t workingSetBytes, CancelToken cancel);

/// One of the ceilings, with its names in JSON and for people.
struct PromptCeiling {
    const char* key;
    const char* name;
    double perSecond;
};

struct Judged {
    double promptShare = 0.0;
    double generationShare = 0.0;
    PromptCeiling against{};

    /// Then the ceiling is wrong, not the speed.
    bool exceeds() const { return promptShare > 1.0 || generationShare > 1.0; }
};
/// @param kv what a token reads of the cache, on average. @unit bytes
Judged judge(const BenchPlan& plan, const Speeds& speeds, const host::Ceilings& ceilings,
             const host::ModelWork& work, double kv);

}  // namespace loader::cli
