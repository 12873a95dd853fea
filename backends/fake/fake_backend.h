// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A back end that says what a script says, as fast and as faultily as the script says, and keeps the same
// books as the others. It computes nothing, or, where the script wishes, what the reference computes. For
// tests of everything above a back end, and for work on the interface without a model that makes sense.
#pragma once

#include "backends/api/backend.h"
#include "backends/fake/fake_script.h"

namespace loader::fake {

/// @thread devices() and plan() from any thread
class FakeBackend final : public backend::Backend {
public:
    /// @param script for the device "fake" or no name; "script:…" as a device brings its own
    explicit FakeBackend(FakeScript script = {}) : m_script(std::move(script)) {}

    std::string id() const override { return "fake"; }
    Result<std::vector<backend::DeviceFacts>> devices() override;
    /// Also devices that are a script: "script:gpu=1;memory-mib=512".
    Result<backend::DeviceFacts> device(const std::string& id) override;
    Result<backend::PlanReport> plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                     const std::string& device, const backend::LoadOptions& options) override;
    Result<std::unique_ptr<backend::Model>> load(const graph::Program& program, backend::Weights weights,
                                                 std::span<const std::uint32_t> segments,
                                                 const std::string& device,
                                                 const backend::LoadOptions& options,
                                                 backend::Progress* progress, CancelToken cancel) override;

private:
    Result<FakeScript> scriptOf(const std::string& device) const;

    FakeScript m_script;
};

}  // namespace loader::fake
