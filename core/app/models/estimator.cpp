// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/models/estimator.h"

#include <algorithm>

#include "core/app/models/saturating.h"

namespace loader::app {
namespace {

using protocol::KvFacts;
using protocol::ModelFacts;
using protocol::PlanFacts;

constexpr std::uint64_t kPage = 4096;

// What a worker needs besides the model's own parts. Measured (docs/estimates.md): the peak of real models
// less their parts, over word lists of 500 to 152,000 tokens.
/// Program, libraries, and what they allocate before a model is opened.
constexpr std::uint64_t kProcessBytes = 14ull << 20;
/// Stack and allocator of a thread, as far as they are touched.
constexpr std::uint64_t kThreadBytes = 128ull << 10;
/// Of each tensor: its row in the file's table and in the program, and the operations that use it.
constexpr std::uint64_t kTensorBytes = 1024;
/// Of each token besides its text: border, row, score and rank.
constexpr std::uint64_t kTokenRowBytes = 4 + 12 + 4 + 4;
/// Of each merge besides its text: border, pair and result.
constexpr std::uint64_t kMergeRowBytes = 4 + 8 + 8;
constexpr std::uint64_t kIndexSlotBytes = 8;

/// Hash tables have a power of two of slots, at least twice as many as entries.
std::uint64_t indexBytes(std::uint64_t entries) {
    std::uint64_t slots = 16;
    while (slots < multiply(entries, 2) && slots < (1ull << 60))
        slots *= 2;
    return multiply(slots, kIndexSlotBytes);
}

std::uint64_t wordListBytes(const protocol::WordListFacts& words) {
    if (words.tokens == 0) return 0;
    const std::uint64_t tokens = add(words.textBytes, multiply(words.tokens, kTokenRowBytes));
    const std::uint64_t merges = multiply(words.merges, kMergeRowBytes);
    return add(tokens, merges, indexBytes(words.tokens), words.merges == 0 ? 0 : indexBytes(words.merges));
}

std::uint64_t workerBytes(const ModelFacts& facts, const LoadSettings& settings) {
    // The header is kept as one block, whose texts the word list copies.
    return add(kProcessBytes, multiply(settings.threads, kThreadBytes), facts.headerBytes,
               multiply(facts.tensors, kTensorBytes), wordListBytes(facts.words));
}

/// A row of the cache; q8_0 keeps whole blocks of 32 values in 34 bytes.
std::uint64_t rowBytes(graph::KvType type, std::uint64_t length) {
    switch (type) {
        case graph::KvType::F16: return multiply(length, 2);
        case graph::KvType::Q8_0: return multiply(roundedUp(length, 32) / 32, 34);
        case graph::KvType::F32: return multiply(length, 4);
    }
    return multiply(length, 4);
}

std::uint64_t kvBytes(const KvFacts& kv, graph::KvType type) {
    return multiply(kv.kvHeads, add(rowBytes(type, kv.keyLength), rowBytes(type, kv.valueLength)));
}

/// One of the two sides: layers [first, end) with or without embedding and head.
struct Side {
    std::size_t first = 0;
    std::size_t end = 0;
    bool embedding = false;
    bool head = false;

    bool empty() const { return first == end && !embedding && !head; }
    bool holds(std::uint64_t layer) const { return layer >= first && layer < end; }
};

/// As the host places them: the last layers and the head go to the device, the embedding only with all.
Side processorSide(std::size_t layers, std::size_t gpuLayers) {
    const std::size_t taken = std::min(gpuLayers, layers);
    return {0, layers - taken, taken == 0 || taken < layers, taken == 0};
}

Side deviceSide(std::size_t layers, std::size_t gpuLayers) {
    const std::size_t taken = std::min(gpuLayers, layers);
    return {layers - taken, layers, taken != 0 && taken == layers, taken != 0};
}

std::uint64_t weightsOf(const ModelFacts& facts, const Side& side) {
    std::uint64_t bytes = 0;
    for (std::size_t i = side.first; i < side.end; ++i)
        bytes = add(bytes, facts.layers[i].mixerBytes, facts.layers[i].feedForwardBytes);
    if (side.embedding) bytes = add(bytes, facts.embeddingBytes);
    if (side.head) bytes = add(bytes, facts.headBytes);
    return side.embedding && side.head ? without(bytes, facts.sharedBytes) : bytes;
}

std::uint64_t cacheOf(const ModelFacts& facts, const LoadSettings& settings, const std::string& backend,
                      const Side& side) {
    std::uint64_t here = 0;
    std::uint64_t all = 0;
    for (const KvFacts& kv : facts.kv) {
        const std::uint64_t bytes = kvBytes(kv, settings.kv);
        all = add(all, bytes);
        if (side.holds(kv.layer)) here = add(here, bytes);
    }
    // A back end that pads its rows says so for the whole model; its layers then share in it.
    const std::uint64_t planned = kvBytesPerToken(facts, backend, settings.kv);
    if (here == all)
        here = planned;
    else if (planned > all && all != 0)
        here = multiply(here, planned / all + (planned % all != 0 ? 1 : 0));
    return multiply(multiply(here, settings.contextTokens), settings.sequences);
}

/// Rows of a step beyond the context are allocated but never touched.
std::uint64_t itemsOf(const LoadSettings& settings) {
    return std::min<std::uint64_t>(settings.batchTokens,
                                   multiply(settings.contextTokens, settings.sequences));
}

std::uint64_t computeOf(const ModelFacts& facts, const LoadSettings& settings, const std::string& backend) {
    const std::uint64_t items = itemsOf(settings);
    const PlanFacts* plan = planOf(facts, backend);
    if (!plan) return multiply(multiply(facts.activationFloats, sizeof(float)), items);
    return add(plan->fixedBytes, multiply(plan->itemBytes, items),
               multiply(plan->threadBytes, settings.threads),
               std::min(plan->limitBytes, multiply(plan->limitedBytes, items)));
}

std::uint64_t outputOf(const ModelFacts& facts, const std::string& backend) {
    const PlanFacts* plan = planOf(facts, backend);
    return plan ? plan->outputBytes : multiply(facts.vocabulary, sizeof(float));
}

MemoryParts partsOf(const ModelFacts& facts, const LoadSettings& settings, const std::string& backend,
                    const Side& side) {
    MemoryParts parts;
    if (side.empty()) return parts;
    parts.weights = weightsOf(facts, side);
    parts.kv = cacheOf(facts, settings, backend, side);
    parts.compute = computeOf(facts, settings, backend);
    if (side.head) parts.output = outputOf(facts, backend);
    return parts;
}

}  // namespace

std::uint64_t MemoryParts::total() const {
    return add(weights, kv, compute, output, worker);
}

MemoryParts MemoryEstimate::parts() const {
    return {add(processor.weights, device.weights), add(processor.kv, device.kv),
            add(processor.compute, device.compute), add(processor.output, device.output),
            add(processor.worker, device.worker)};
}

std::uint64_t MemoryEstimate::ownBytes() const {
    return without(processor.total(), mapped);
}

const PlanFacts* planOf(const ModelFacts& facts, const std::string& backend) {
    const auto found = std::find_if(facts.plans.begin(), facts.plans.end(),
                                    [&backend](const PlanFacts& plan) { return plan.backend == backend; });
    return found == facts.plans.end() ? nullptr : &*found;
}

std::uint64_t kvBytesPerToken(const ModelFacts& facts, const std::string& backend, graph::KvType type) {
    const PlanFacts* plan = planOf(facts, backend);
    const auto index = static_cast<std::size_t>(type);
    if (plan && index < plan->kvBytes.size()) return plan->kvBytes[index];
    std::uint64_t bytes = 0;
    for (const KvFacts& kv : facts.kv)
        bytes = add(bytes, kvBytes(kv, type));
    return bytes;
}

MemoryEstimate estimate(const ModelFacts& facts, const LoadSettings& settings) {
    MemoryEstimate result;
    const std::size_t layers = facts.layers.size();
    result.gpuLayers = static_cast<std::uint32_t>(std::min<std::size_t>(settings.gpuLayers, layers));
    result.processor =
        partsOf(facts, settings, settings.processor, processorSide(layers, settings.gpuLayers));
    result.device = partsOf(facts, settings, settings.device, deviceSide(layers, settings.gpuLayers));
    result.processor.worker = workerBytes(facts, settings);
    if (settings.useMmap && !facts.foreignByteOrder) {
        // The whole file is mapped; without a device every page of it is read, its header too.
        if (result.gpuLayers == 0) result.processor.weights = roundedUp(facts.fileBytes, kPage);
        result.mapped = result.processor.weights;
    }
    return result;
}

}  // namespace loader::app
