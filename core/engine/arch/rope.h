// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rotary frequencies with linear and YaRN scaling folded in.
#pragma once

#include "core/engine/arch/hyper_parameters.h"
#include "core/engine/graph/program.h"

namespace loader::arch {

/// @source Su et al. 2021 (2104.09864) section 3.2.2; YaRN: Peng et al. 2023 (2309.00071) sections 3.2 to 3.4
graph::Rope makeRope(const HyperParameters& values, graph::RopePairs pairs);

}  // namespace loader::arch
