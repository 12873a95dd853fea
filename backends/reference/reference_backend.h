// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The oracle: the program in plain double-precision loops, against which every other back end is tested.
// Weights are dequantised row by row, the KV cache is kept in double precision whatever type is asked for.
// Correct, never fast.
#pragma once

#include "backends/api/backend.h"

namespace loader::backend {

/// @thread devices() and plan() from any thread.
class ReferenceBackend final : public Backend {
public:
    std::string id() const override { return "reference"; }
    Result<std::vector<DeviceFacts>> devices() override;
    Result<DeviceFacts> device(const std::string& id) override;
    Result<PlanReport> plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                            const std::string& device, const LoadOptions& options) override;
    Result<std::unique_ptr<Model>> load(const graph::Program& program, Weights weights,
                                        std::span<const std::uint32_t> segments, const std::string& device,
                                        const LoadOptions& options, Progress* progress,
                                        CancelToken cancel) override;
};

}  // namespace loader::backend
