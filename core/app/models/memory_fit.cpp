// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/models/memory_fit.h"

#include <algorithm>

#include "core/app/models/saturating.h"
#include "core/engine/base/size_text.h"

namespace loader::app {
namespace {

using protocol::ModelFacts;

constexpr std::uint32_t kContextStep = 64;
constexpr const char* kNoDevice = "There is no graphics device that could take layers. ";

struct DeviceMemory {
    std::uint64_t bytes = 0;
    std::uint64_t freeBytes = 0;
};

/// A discrete card's other heaps are system memory behind the bus, which is no place for weights. Graphics in
/// the processor have one memory, however the driver divides it into heaps.
DeviceMemory memoryOf(const DeviceSituation& device) {
    DeviceMemory memory;
    for (const DeviceHeap& heap : device.heaps) {
        if (!heap.onDevice && !device.sharesSystemMemory) continue;
        memory.bytes = add(memory.bytes, heap.bytes);
        memory.freeBytes = add(memory.freeBytes, std::min(heap.freeBytes, heap.bytes));
    }
    memory.freeBytes = std::min(add(memory.freeBytes, device.replacedBytes), memory.bytes);
    return memory;
}

LoadSettings on(LoadSettings settings, const DeviceSituation* device, std::uint32_t layers) {
    settings.gpuLayers = layers;
    settings.device = device ? device->backend : std::string();
    return settings;
}

struct Choice {
    const DeviceSituation* device = nullptr;
    std::size_t index = 0;
    std::uint32_t layers = 0;
};

bool isBetter(const Choice& a, const Choice& b, const Margins& margins) {
    if (!b.device) return true;
    if (a.layers != b.layers) return a.layers > b.layers;
    if (a.device->sharesSystemMemory != b.device->sharesSystemMemory) return !a.device->sharesSystemMemory;
    return usableBytes(*a.device, margins) > usableBytes(*b.device, margins);
}

/// The device that could take the most layers; none where there are no devices.
Choice bestDevice(const ModelFacts& facts, const LoadSettings& settings, const MemorySituation& situation,
                  const Margins& margins) {
    Choice best;
    for (std::size_t i = 0; i < situation.devices.size(); ++i) {
        const DeviceSituation& device = situation.devices[i];
        const Choice choice{&device, i, automaticGpuLayers(facts, settings, situation, device, margins)};
        if (isBetter(choice, best, margins)) best = choice;
    }
    return best;
}

std::string layersText(std::uint32_t layers, std::size_t all) {
    return std::to_string(layers) + " of " + std::to_string(all) + " layers";
}

std::string remedy(const Verdict& verdict, const ModelFacts& facts, const LoadSettings& settings) {
    std::string text;
    if (verdict.device && verdict.mostLayers != 0 && verdict.mostLayers < verdict.gpuLayers)
        text += " " + layersText(verdict.mostLayers, facts.layers.size()) + " would fit (--gpu-layers " +
                std::to_string(verdict.mostLayers) + ").";
    if (verdict.device && verdict.mostLayers == 0 && verdict.gpuLayers != 0)
        text += " Without the device (--gpu-layers 0) it may fit.";
    if (verdict.longestContext != 0 && verdict.longestContext < settings.contextTokens)
        text += " A context of " + std::to_string(verdict.longestContext) + " tokens would fit (-c " +
                std::to_string(verdict.longestContext) + ").";
    if (settings.kv == graph::KvType::F16 && verdict.estimate.total() / 8 < verdict.estimate.parts().kv)
        text += " A smaller KV cache (--kv q8_0) takes about half.";
    if (text.empty()) text = " Choose a smaller model or one with fewer bits for each weight.";
    return text;
}

/// "12.1 GiB on Card (22.5 GiB may be used)".
std::string sideText(std::uint64_t needed, const std::string& where, std::uint64_t usable) {
    return sizeText(needed) + where + " (" + sizeText(usable) + " may be used)";
}

std::string sentenceOf(const Verdict& verdict, const ModelFacts& facts, const LoadSettings& settings,
                       const MemorySituation& situation) {
    if (!situation.availableBytes)
        return "The system does not tell how much memory is free; " + sizeText(verdict.estimate.total()) +
               " are needed.";
    std::string sides = sideText(verdict.estimate.processor.total(), " of memory", verdict.processorUsable);
    if (verdict.device && verdict.gpuLayers != 0)
        sides += " and " + sideText(verdict.estimate.device.total(),
                                    " on " + situation.devices[*verdict.device].name, verdict.deviceUsable);
    switch (verdict.fit) {
        case Fit::Device: return "It fits on the device: it needs " + sides + ".";
        case Fit::Split:
            return "It fits with " + layersText(verdict.gpuLayers, facts.layers.size()) +
                   " on the device: it needs " + sides + ".";
        case Fit::Processor: return "It fits: it needs " + sides + ".";
        case Fit::TooLarge: break;
    }
    return "It does not fit: it needs " + sides + "." + remedy(verdict, facts, settings);
}

}  // namespace

std::uint64_t Margin::of(std::uint64_t wholeBytes) const {
    return std::max(leastBytes, app::perMille(wholeBytes, perMille));
}

std::uint64_t usableBytes(const DeviceSituation& device, const Margins& margins) {
    const DeviceMemory memory = memoryOf(device);
    return without(memory.freeBytes, margins.device.of(memory.bytes));
}

std::uint64_t usableBytes(const MemorySituation& situation, const Margins& margins) {
    std::uint64_t available = add(situation.availableBytes.value_or(0), situation.replacedBytes);
    // A model on graphics in the processor gives back system memory too, beyond what was reserved for it.
    for (const DeviceSituation& device : situation.devices) {
        if (device.sharesSystemMemory)
            available = add(available, without(device.replacedBytes, device.reservedBytes));
    }
    const std::uint64_t total = situation.totalBytes;
    if (total != 0) available = std::min(available, total);
    return without(available, margins.system.of(total != 0 ? total : available));
}

bool fits(const MemoryEstimate& estimate, const MemorySituation& situation, const DeviceSituation* device,
          const Margins& margins) {
    if (!situation.availableBytes) return false;
    const std::uint64_t onDevice = estimate.device.total();
    std::uint64_t inSystem = estimate.processor.total();
    if (onDevice != 0) {
        if (!device || onDevice > usableBytes(*device, margins)) return false;
        if (device->sharesSystemMemory) inSystem = add(inSystem, without(onDevice, device->reservedBytes));
    }
    return inSystem <= usableBytes(situation, margins);
}

std::uint32_t automaticGpuLayers(const ModelFacts& facts, LoadSettings settings,
                                 const MemorySituation& situation, const DeviceSituation& device,
                                 const Margins& margins) {
    const auto fitsWith = [&](std::uint32_t layers) {
        return fits(estimate(facts, on(settings, &device, layers)), situation, &device, margins);
    };
    const auto all = static_cast<std::uint32_t>(facts.layers.size());
    if (all == 0) return 0;
    if (fitsWith(all)) return all;
    // More layers are more on the device and less in memory: what the device holds is found first, then
    // whether memory holds the rest.
    const auto deviceHolds = [&](std::uint32_t layers) {
        return estimate(facts, on(settings, &device, layers)).device.total() <= usableBytes(device, margins);
    };
    std::uint32_t holds = 0;
    std::uint32_t tooMany = all;
    while (tooMany - holds > 1) {
        const std::uint32_t middle = holds + (tooMany - holds) / 2;
        (deviceHolds(middle) ? holds : tooMany) = middle;
    }
    // Where both sides are one memory, fewer layers on the device change little: the plans of both sides are
    // needed as soon as there is one. So it fits with these layers or not at all.
    return fitsWith(holds) ? holds : 0;
}

std::uint32_t longestContext(const ModelFacts& facts, LoadSettings settings, const MemorySituation& situation,
                             const DeviceSituation* device, const Margins& margins, std::uint32_t most) {
    std::uint32_t holds = 0;
    std::uint32_t tooMany = most / kContextStep + 1;
    while (tooMany - holds > 1) {
        const std::uint32_t middle = holds + (tooMany - holds) / 2;
        settings.contextTokens = middle * kContextStep;
        const bool ok = fits(estimate(facts, settings), situation, device, margins);
        (ok ? holds : tooMany) = middle;
    }
    return holds * kContextStep;
}

std::uint32_t automaticContext(const ModelFacts& facts, std::uint32_t usual) {
    const std::uint32_t trained = facts.trainedContext;
    const std::uint32_t context = trained != 0 ? std::min(trained, usual) : usual;
    return facts.positionLimit != 0 ? std::min(context, facts.positionLimit) : context;
}

Verdict judge(const ModelFacts& facts, const LoadSettings& settings, LayerWish wish,
              const MemorySituation& situation, const Margins& margins) {
    Verdict verdict;
    const Choice best = bestDevice(facts, settings, situation, margins);
    const auto all = static_cast<std::uint32_t>(facts.layers.size());
    verdict.mostLayers = best.layers;
    verdict.gpuLayers = wish.automatic ? best.layers : std::min(wish.layers, all);
    const bool used = best.device != nullptr && verdict.gpuLayers != 0;
    const DeviceSituation* device = used ? best.device : nullptr;
    if (!device) verdict.gpuLayers = 0;
    if (device) verdict.device = best.index;
    const LoadSettings chosen = on(settings, device, verdict.gpuLayers);
    verdict.estimate = estimate(facts, chosen);
    verdict.processorUsable = usableBytes(situation, margins);
    if (device) verdict.deviceUsable = usableBytes(*device, margins);
    verdict.fits = fits(verdict.estimate, situation, device, margins);
    if (verdict.fits && !device) verdict.fit = Fit::Processor;
    if (verdict.fits && device) verdict.fit = verdict.gpuLayers == all ? Fit::Device : Fit::Split;
    if (!verdict.fits)
        verdict.longestContext =
            longestContext(facts, chosen, situation, device, margins, settings.contextTokens);
    if (!wish.automatic && wish.layers != 0 && !best.device) verdict.sentence = kNoDevice;
    verdict.sentence += sentenceOf(verdict, facts, settings, situation);
    return verdict;
}

}  // namespace loader::app
