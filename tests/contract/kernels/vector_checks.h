// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Checks of the vector helpers of a tier against double precision, at lengths around the width of every
// register. Without Qt, so that they also run where only the kernels do.
#pragma once

#include <string>
#include <vector>

#include "backends/cpu/kernels/kernel_table.h"

namespace loader::test {

/// Their names.
std::vector<std::string> vectorChecks();

/// Runs one of them and returns what is wrong, or nothing.
std::string faultOfVectors(const cpu::KernelTable& kernels, const std::string& check);

}  // namespace loader::test
