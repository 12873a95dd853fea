// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Functions of a device, counted, made to fail and, where a script lies about memory or lowers limits, done
// by its rules.
#pragma once

#include <string_view>

#include "tests/support/vulkan_faults/layer_state.h"

namespace loader::test {

/// Fills the device's table of what comes next.
void findNext(DeviceState& device);
/// Ours, or null for a function that is passed by.
PFN_vkVoidFunction deviceFunction(std::string_view name);

}  // namespace loader::test
