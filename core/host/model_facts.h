// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From the header of a model file to the facts that estimates are made from. Reads no weights and builds no
// word list, so that it takes milliseconds with large vocabularies too.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "backends/api/backend.h"
#include "core/engine/gguf/model_file.h"
#include "core/protocol/model_facts.h"

namespace loader::host {

struct FactsOptions {
    /// Overrides general.architecture where not empty.
    std::string architecture;
    /// Instruction-set tier of the back ends; empty is the best.
    std::string tier;
};

/// @param backends whose plans are asked; one that has none leaves no entry in ModelFacts::plans
/// @errors those of ModelFile::open and arch::lower
Result<protocol::ModelFacts> readModelFacts(const std::string& path,
                                            std::span<backend::Backend* const> backends,
                                            const FactsOptions& options = {});

/// The same of a file that is open already.
Result<protocol::ModelFacts> readModelFacts(const gguf::ModelFile& file,
                                            std::span<backend::Backend* const> backends,
                                            const FactsOptions& options = {});

/// All but the plans.
protocol::ModelFacts factsOf(const gguf::ModelFile& file, const graph::Program& program);

/// Asks a back end's plan at a few sizes and solves for the formula of PlanFacts. Where the plan follows
/// another rule, the formula lies above it at every size that was asked. Nothing where there is no plan.
std::optional<protocol::PlanFacts> planFacts(backend::Backend& backend, const graph::Program& program,
                                             const std::string& tier);

}  // namespace loader::host
