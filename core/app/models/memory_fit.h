// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whether an estimate fits this machine, and what would: how many layers on which device, how long a context.
// Everything that a verdict rests on is in MemorySituation and Margins, so that each can be shown, and the
// situations of other people's machines can be tried.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/app/models/estimator.h"

namespace loader::app {

/// Memory of a device as its driver reports it.
struct DeviceHeap {
    std::uint64_t bytes = 0;
    /// The budget of this process less what it uses.
    std::uint64_t freeBytes = 0;
    /// On the card; of others a discrete device could use only as much as crosses the bus.
    bool onDevice = true;
};

struct DeviceSituation {
    std::string backend;
    std::string id;
    std::string name;
    /// Graphics in the processor: its heaps are the system's own memory.
    bool sharesSystemMemory = false;
    /// Of that, what the firmware took away from the system before it started.
    std::uint64_t reservedBytes = 0;
    std::vector<DeviceHeap> heaps;
    /// What a model that is about to be unloaded holds there.
    std::uint64_t replacedBytes = 0;
};

struct MemorySituation {
    /// What the process may still take; nothing where the system does not tell.
    std::optional<std::uint64_t> availableBytes;
    /// Of the machine, or of whatever limits the process; 0 where unknown.
    std::uint64_t totalBytes = 0;
    /// What sets the limit: "free memory", "the memory limit of its group".
    std::string source;
    /// What a model that is about to be unloaded gives back (MemoryEstimate::ownBytes: pages of its file are
    /// available already).
    std::uint64_t replacedBytes = 0;
    std::vector<DeviceSituation> devices;
};

/// What must stay free: the larger of the two.
struct Margin {
    std::uint64_t leastBytes = 0;
    /// Of the whole memory of that kind.
    std::uint32_t perMille = 0;
    std::uint64_t of(std::uint64_t wholeBytes) const;
};

/// Settings, each with its reason.
struct Margins {
    Margin system{256ull << 20, 30};
    Margin device{512ull << 20, 60};
    /// For the settings page: why not less.
    static constexpr const char* kSystemReason =
        "Other programs go on allocating, estimates are right within 100 MiB or 3 %, and a system without "
        "free memory begins to swap.";
    static constexpr const char* kDeviceReason =
        "Drivers keep pipelines and buffers of their own and the desktop draws from the same memory; cards "
        "that were planned to 95 % failed while loading.";
};

/// Where a model would run.
enum class Fit : std::uint8_t { Device, Split, Processor, TooLarge };

/// How many layers a user wants on a device.
struct LayerWish {
    bool automatic = true;
    std::uint32_t layers = 0;
};

struct Verdict {
    Fit fit = Fit::TooLarge;
    bool fits = false;
    MemoryEstimate estimate;
    /// Index of MemorySituation::devices that takes gpuLayers.
    std::optional<std::size_t> device;
    std::uint32_t gpuLayers = 0;
    std::uint64_t processorUsable = 0;
    std::uint64_t deviceUsable = 0;
    /// Where it does not fit: the longest context that would with these layers, and the most layers that
    /// would with this context; 0 for none.
    std::uint32_t longestContext = 0;
    std::uint32_t mostLayers = 0;
    /// For people: what is needed, what there is, and what to do.
    std::string sentence;
};

/// What a device may take of a model, margin and replaced model accounted for.
std::uint64_t usableBytes(const DeviceSituation& device, const Margins& margins);
/// What the process may take.
std::uint64_t usableBytes(const MemorySituation& situation, const Margins& margins);

/// Whether an estimate fits, both sides together where they share memory.
/// @param device null where no layer is on a device
bool fits(const MemoryEstimate& estimate, const MemorySituation& situation, const DeviceSituation* device,
          const Margins& margins);

/// The most layers that fit on this device while the rest fits the system; 0 where none do.
std::uint32_t automaticGpuLayers(const protocol::ModelFacts& facts, LoadSettings settings,
                                 const MemorySituation& situation, const DeviceSituation& device,
                                 const Margins& margins);

/// The longest context in steps of 64 tokens that fits with these settings' layers, at most `most`; 0 where
/// none does.
std::uint32_t longestContext(const protocol::ModelFacts& facts, LoadSettings settings,
                             const MemorySituation& situation, const DeviceSituation* device,
                             const Margins& margins, std::uint32_t most);

/// What a context is where nobody names one: as long as the model was trained for, but at most `usual`,
/// because the cache of a long context takes gigabytes.
std::uint32_t automaticContext(const protocol::ModelFacts& facts, std::uint32_t usual);

/// Picks the device that takes the most layers (of equals a discrete one, then the one with more memory),
/// never the sum of two, and judges.
/// @thread any; pure
Verdict judge(const protocol::ModelFacts& facts, const LoadSettings& settings, LayerWish wish,
              const MemorySituation& situation, const Margins& margins);

}  // namespace loader::app
