// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Makes a device look smaller, older or other than it is.
#pragma once

#include <string>
#include <vector>

#include "tests/support/vulkan_faults/fault_script.h"

namespace loader::test {

/// Budget of memory that only a script has: the extension is told though the driver may lack it.
bool fakesBudget(const FaultScript& script);

void lieProperties(const FaultScript& script, VkPhysicalDeviceProperties& properties);
/// Every structure of the chain that is known here.
void lieProperties(const FaultScript& script, VkPhysicalDeviceProperties2& properties);
void lieFeatures(const FaultScript& script, VkPhysicalDeviceFeatures2& features);
void lieExtensions(const FaultScript& script, std::vector<VkExtensionProperties>& extensions);

/// Memory as the script wants it. The real one must have a single type, which stands for all of the made-up.
/// @return false where it cannot be done
bool lieMemory(const FaultScript& script, VkPhysicalDeviceMemoryProperties& memory);
/// @param used by heap
void lieBudget(const FaultScript& script, const VkPhysicalDeviceMemoryProperties& memory,
               const std::uint64_t* used, VkPhysicalDeviceMemoryProperties2& told);

/// What a program asks for at the opening of a device and was told that there is not. Empty where all is
/// well.
std::string askedTooMuch(const FaultScript& script, const VkDeviceCreateInfo& info);

/// A limit as the script or the driver tells it.
std::uint64_t limitOr(const FaultScript& script, std::string_view name, std::uint64_t real);

}  // namespace loader::test
