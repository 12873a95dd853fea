// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The CPU back end: weights in place as the file has them, SIMD kernels chosen once per process.
#pragma once

#include "backends/api/backend.h"

namespace loader::cpu {

/// @thread any
class CpuBackend final : public backend::Backend {
public:
    std::string id() const override { return "cpu"; }
    Result<std::vector<backend::DeviceFacts>> devices() override;
    Result<backend::DeviceFacts> device(const std::string& id) override;
    Result<backend::PlanReport> plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                     const std::string& device, const backend::LoadOptions& options) override;
    Result<std::unique_ptr<backend::Model>> load(const graph::Program& program, backend::Weights weights,
                                                 std::span<const std::uint32_t> segments,
                                                 const std::string& device,
                                                 const backend::LoadOptions& options,
                                                 backend::Progress* progress, CancelToken cancel) override;
};

}  // namespace loader::cpu
