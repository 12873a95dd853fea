// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A session that keeps the tokens of its sequences and predicts from a script.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "backends/api/backend.h"
#include "backends/fake/fake_script.h"

namespace loader::fake {

/// What a model's sessions share.
/// @thread const but for the counter
struct FakeParts {
    const graph::Program& program;
    std::vector<std::uint32_t> segments;
    FakeScript script;
    mutable std::atomic<CallNumber> calls{0};
};

/// Sleeps, in slices short enough to notice a wish to stop. @errors X002
Status waitFor(double milliseconds, CancelToken cancel);

/// parts must outlive the session. @errors what the script says
Result<std::unique_ptr<backend::Session>> makeFakeSession(const FakeParts& parts,
                                                          const backend::SessionOptions& options);

}  // namespace loader::fake
