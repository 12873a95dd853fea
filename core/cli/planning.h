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
};

/// Reads the header and asks the system; settings.contextTokens is 0 where nobody named a context.
/// @errors X001, F802, those of the header and of its lowering, B701 an unknown back end
Result<PlannedModel> planModel(Context& context);

/// The object that architecture.md fixes for `estimate --json`, with details behind the fixed keys.
Json estimateJson(const PlannedModel& model, const app::Verdict& verdict);

/// Why the back end that would run it cannot; empty where it can.
std::string unsupportedText(const PlannedModel& model);

}  // namespace loader::cli
