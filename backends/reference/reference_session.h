// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
#pragma once

#include <memory>
#include <vector>

#include "backends/api/backend.h"

namespace loader::backend {

/// A session over the given segments of the program. The weights must outlive it.
Result<std::unique_ptr<Session>> makeReferenceSession(const graph::Program& program,
                                                      const std::vector<Weight>& weights,
                                                      const std::vector<std::uint32_t>& segments,
                                                      const SessionOptions& options, unsigned threads);

}  // namespace loader::backend
