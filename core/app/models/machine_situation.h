// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// From what the system and the probes of back ends tell to the situation that a verdict is about.
#pragma once

#include <span>

#include "core/app/hardware/gpu_facts.h"
#include "core/app/models/memory_fit.h"
#include "core/engine/base/memory_facts.h"

namespace loader::app {

/// Graphics devices that may be used, with their heaps, and the memory that is left to this process. Who
/// replaces a model adds what it will give back.
/// @thread any; pure
MemorySituation situationOf(const MemoryFacts& memory, std::span<const ProbedBackend> probes);

}  // namespace loader::app
