// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backends/api/backend.h"
#include "backends/cpu/exec/execution_plan.h"
#include "backends/cpu/kernels/kernel_table.h"

namespace loader::cpu {

/// What a loaded model shares with its sessions; the model outlives them.
struct LoadedParts {
    const graph::Program& program;
    std::vector<backend::Weight> weights;
    KernelTable kernels;
    ExecutionPlan plan;
    backend::LoadOptions options;
    unsigned threads = 1;
};

/// @errors R901
Result<std::unique_ptr<backend::Session>> makeCpuSession(const LoadedParts& parts,
                                                         const backend::SessionOptions& options);

}  // namespace loader::cpu
