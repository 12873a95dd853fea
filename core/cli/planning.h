// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What `estimate` and `recommend` have in common: the facts of a model's header, the situation of this
// machine, and how a verdict is written.
#pragma once

#include "core/app/models/memory_fit.h"
#include "core/cli/context.h"

namespace loader::cli {

/// A model that is only looked at.
struct PlannedModel {
    host::LoadRequest request;
    protocol::ModelFacts facts;
    app::LoadSettings settings;
    app::LayerWish wish;
    app::MemorySituation situation;
    app::Margins margins;
    /// load.memory_limit; 0 for none. @unit bytes
    std::uint64_t memoryLimit = 0;
};

/// Reads the header and asks the system; settings.contextTokens is 0 where nobody named a context.
/// @errors X001, F802, those of the header and of its lowering, B701 an unknown back end
Result<PlannedModel> planModel(Context& context);

/// Before a model is loaded. @errors R901 it needs more than load.memory_limit allows; those of planModel()
Status checkMemoryLimit(Context& context, const host::LoadRequest& request);
/// A model that needs more than the configuration allows does not fit.
void applyMemoryLimit(const PlannedModel& model, app::Verdict& verdict);

/// The object that architecture.md fixes for `estimate --json`, with details behind the fixed keys.
Json estimateJson(const PlannedModel& model, const app::Verdict& verdict);

/// Why the back end that would run it cannot; empty where it can.
std::string unsupportedText(const PlannedModel& model);

}  // namespace loader::cli
