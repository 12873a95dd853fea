// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The back end for GPUs as a subject of contract tests; a build without it has none.
#pragma once

#include <memory>
#include <vector>

#include "tests/contract/backend/running_model.h"

namespace loader::test {

/// The first device on each of its tiers; nothing where there is no driver. Compiling for a tier takes a
/// while: those between the first and the best belong to the long tests.
std::vector<Subject> vulkanSubjects();
/// @param forced small models too are computed with the kernels of the tier, not only with exact ones
std::unique_ptr<backend::Backend> makeVulkan(bool forced);

}  // namespace loader::test
