// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What the faulty Vulkan layer is told, as one text of parts between semicolons:
//   vkQueueSubmit@7=DEVICE_LOST    the 7th call of this process answers so (from then on the device is lost)
//   vkAllocateMemory@3+=OUT_OF_DEVICE_MEMORY   the 3rd and every later call
//   vkQueueSubmit#7=DEVICE_LOST    the 7th call of all processes that share the counts
//   vkWaitForFences@4=hang         what was submitted never ends; vkQueueSubmit likewise
//   vkCreateInstance@1=crash       ends the process as a broken driver does
//   vkCreateComputePipelines@1+=wait:200   milliseconds
//   vkCmdDispatch@9+=skip          recorded as nothing
//   vkEnumeratePhysicalDevices@2=none      an empty list
//   after=armed                    calls count only after arm()
//   type=discrete  api=1.0  library=1.0  subgroup=16  subgroup-arithmetic=no  budget=10 (percent)
//   limit.maxStorageBufferRange=1048576    any limit that limits.inc lists
//   feature=-shaderFloat16  extension=-VK_EXT_memory_budget
//   memory=card|window|incoherent  heap=268435456 (bytes of the device's own)  dirty=yes (new memory is full)
//   hang-ms=500                    how long what hangs does so before the driver gives the device up
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

namespace loader::test {

enum class FaultFunction : std::uint16_t {
#define LOADER_FAULT_INSTANCE(name) name,
#define LOADER_FAULT_DEVICE(name, objects, loses) name,
#include "tests/support/vulkan_faults/fault_functions.inc"
    Count
};
inline constexpr std::size_t kFaultFunctions = static_cast<std::size_t>(FaultFunction::Count);

/// With "vk" in front. @return Count for none of ours
FaultFunction faultFunctionFromName(std::string_view name);

enum class FaultAction : std::uint8_t { Answer, Hang, Crash, Wait, Skip, None };

struct FaultRule {
    FaultFunction function{};
    std::uint64_t call = 1;
    bool andLater = false;
    bool allProcesses = false;
    FaultAction action = FaultAction::Answer;
    VkResult result = VK_SUCCESS;
    std::uint64_t milliseconds = 0;
};

enum class MemoryLie : std::uint8_t {
    Truth,
    /// Memory of its own that the host cannot see, and memory of the host.
    Card,
    /// As a card, with a window of 256 MiB as the first heap.
    Window,
    /// As a card; what the host reads fast is not coherent.
    Incoherent,
};

struct FaultScript {
    std::vector<FaultRule> rules;
    bool countsWhenArmed = false;
    std::optional<VkPhysicalDeviceType> type;
    std::optional<std::uint32_t> apiVersion;
    bool oldLibrary = false;
    std::optional<std::uint32_t> subgroup;
    bool hidesSubgroupArithmetic = false;
    std::optional<std::uint32_t> budgetPercent;
    std::map<std::string, std::uint64_t, std::less<>> limits;
    std::set<std::string, std::less<>> hiddenFeatures;
    std::set<std::string, std::less<>> hiddenExtensions;
    MemoryLie memory = MemoryLie::Truth;
    std::optional<std::uint64_t> heapBytes;
    bool dirty = false;
    std::uint64_t hangMilliseconds = ~std::uint64_t{0};

    /// @return what is wrong with the text, empty where nothing is
    static std::string read(std::string_view text, FaultScript& out);
};

/// The most rules that count over several processes.
inline constexpr std::size_t kMostRules = 32;

}  // namespace loader::test
