// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The table that each tier of isa/tiers.inc exports. Slots may be empty: selectKernels() completes them.
#pragma once

#include "backends/cpu/kernels/kernel_table.h"

namespace loader::cpu {

#define LOADER_ISA_TIER(name, text, space) \
    namespace space {                      \
    extern const KernelTable kTable;       \
    }
#include "backends/cpu/isa/tiers.inc"

}  // namespace loader::cpu
