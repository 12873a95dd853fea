// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/vulkan/device/memory_types.h"

#include <algorithm>
#include <tuple>

namespace loader::vulkan {
namespace {

constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kVisible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
constexpr VkMemoryPropertyFlags kCoherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
/// All else is for special purposes, must be asked for at the opening of the device, or is slow.
constexpr VkMemoryPropertyFlags kUnderstood = kLocal | kVisible | kCoherent | kCached;
/// The classic window of a card is 256 MiB, which the desktop needs too.
constexpr std::uint64_t kLargeHeapBytes = std::uint64_t{1} << 30;

VkMemoryPropertyFlags neededFor(MemoryUse use) {
    switch (use) {
        case MemoryUse::Device: return kLocal;
        case MemoryUse::Upload: return kVisible | kCoherent;
        case MemoryUse::Readback: return kVisible;
    }
    return 0;
}

/// Compared from left to right; more is better.
using Score = std::tuple<std::uint64_t, int, int, std::uint64_t>;

Score scoreOf(VkMemoryPropertyFlags flags, std::uint64_t heapBytes, MemoryUse use, bool unified) {
    const auto is = [flags](VkMemoryPropertyFlags wanted) { return (flags & wanted) == wanted ? 1 : 0; };
    switch (use) {
        case MemoryUse::Device:
            return {heapBytes, unified ? is(kVisible | kCoherent) : 1 - is(kVisible),
                    unified ? is(kCached) : 0, 0};
        case MemoryUse::Upload: {
            const int direct = heapBytes >= kLargeHeapBytes ? is(kLocal) : 0;
            // What the host only writes is best written past its cache.
            return {static_cast<std::uint64_t>(direct), 1 - is(kLocal), 1 - is(kCached), heapBytes};
        }
        case MemoryUse::Readback:
            return {static_cast<std::uint64_t>(is(kCached)), is(kCoherent), 1 - is(kLocal), heapBytes};
    }
    return {};
}

}  // namespace

std::vector<std::uint32_t> memoryTypesFor(const VkPhysicalDeviceMemoryProperties& memory,
                                          std::uint32_t allowed, std::uint64_t bytes, MemoryUse use,
                                          bool unified) {
    const std::uint32_t types = std::min<std::uint32_t>(memory.memoryTypeCount, VK_MAX_MEMORY_TYPES);
    const std::uint32_t heaps = std::min<std::uint32_t>(memory.memoryHeapCount, VK_MAX_MEMORY_HEAPS);
    const VkMemoryPropertyFlags needed = neededFor(use);
    std::vector<std::pair<Score, std::uint32_t>> found;
    for (std::uint32_t i = 0; i < types; ++i) {
        const VkMemoryType& type = memory.memoryTypes[i];
        const bool serves = (allowed >> i & 1) != 0 && (type.propertyFlags & needed) == needed &&
                            (type.propertyFlags & ~kUnderstood) == 0 && type.heapIndex < heaps;
        if (!serves || memory.memoryHeaps[type.heapIndex].size < bytes) continue;
        found.emplace_back(scoreOf(type.propertyFlags, memory.memoryHeaps[type.heapIndex].size, use, unified),
                           i);
    }
    // Of two alike the driver's order decides, which is its own preference.
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::uint32_t> indices;
    for (const auto& [score, index] : found)
        indices.push_back(index);
    return indices;
}

}  // namespace loader::vulkan
