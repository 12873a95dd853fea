// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/models/recommendation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/app/models/saturating.h"
#include "core/engine/base/size_text.h"

namespace loader::app {
namespace {

using protocol::ModelFacts;

/// Shares of the ceilings that docs/performance.md found: prompts of 512 tokens with two threads, and
/// generation with one thread and with two.
struct Shares {
    std::string_view type;
    double prompt;
    double generationAlone;
    double generation;
};
constexpr std::array kShares = {
    Shares{"Q4_0", 0.59, 0.72, 0.46}, Shares{"Q4_K", 0.58, 0.71, 0.48}, Shares{"Q5_K", 0.58, 0.67, 0.47},
    Shares{"Q6_K", 0.57, 0.75, 0.44}, Shares{"Q8_0", 0.36, 0.73, 0.49}, Shares{"IQ4_XS", 0.60, 0.59, 0.45},
    Shares{"F16", 0.72, 0.69, 0.53},  Shares{"BF16", 0.72, 0.69, 0.53},
};
/// The middle of the list, for types that were not measured.
constexpr Shares kOther{"", 0.57, 0.70, 0.47};

/// Prompts are read in such steps; what docs/performance.md measured.
constexpr std::uint32_t kStep = 512;
constexpr std::uint32_t kLeastStep = 64;
/// The shares were measured with a width of 2048. In a narrow model attention, norms and meetings of the
/// threads take as long as the weights.
constexpr std::uint32_t kNarrow = 1024;
/// A context that is nobody's wish is not made shorter than this for the sake of speed.
constexpr std::uint32_t kUsualContext = 4096;

const Shares& sharesOf(const std::string& type) {
    const auto* found = std::find_if(kShares.begin(), kShares.end(),
                                     [&type](const Shares& shares) { return shares.type == type; });
    return found == kShares.end() ? kOther : *found;
}

double perSecond(double rate, double perToken) {
    return perToken > 0.0 ? rate / perToken : 0.0;
}

double operationsOf(const MachineSpeed& machine, protocol::ProductKind kind) {
    switch (kind) {
        case protocol::ProductKind::Int8: return machine.int8Operations;
        case protocol::ProductKind::Int16: return std::max(machine.int16Operations, machine.floatOperations);
        case protocol::ProductKind::Float: break;
    }
    return machine.floatOperations;
}

std::string percent(double share) {
    return std::to_string(std::lround(share * 100.0)) + " %";
}

std::string tokensText(std::uint32_t tokens) {
    return std::to_string(tokens) + " tokens";
}

std::uint32_t inSteps(std::uint64_t tokens) {
    const std::uint64_t capped = std::min<std::uint64_t>(tokens, 1u << 30);
    return static_cast<std::uint32_t>(capped >= 64 ? capped / 64 * 64 : std::max<std::uint64_t>(capped, 1));
}

/// What the model allows at all.
std::uint32_t contextLimit(const ModelFacts& facts) {
    const std::uint32_t limit = facts.positionLimit != 0 ? facts.positionLimit : facts.trainedContext;
    return limit != 0 ? limit : kUsualContext;
}

/// As long as the model was trained for, while it fits and while reading the full cache takes no longer than
/// reading the weights.
void chooseContext(Recommendation& advice, const ModelFacts& facts, LayerWish wish,
                   const MemorySituation& situation, const Margins& margins) {
    const std::uint32_t limit = contextLimit(facts);
    const std::uint64_t cache = kvBytesPerToken(facts, advice.settings.processor, advice.settings.kv);
    const std::uint64_t even = cache != 0 ? facts.tokenBytes / cache : limit;
    const std::uint32_t quick = std::min(limit, std::max(inSteps(even), std::min(limit, kUsualContext)));
    LoadSettings settings = advice.settings;
    settings.contextTokens = quick;
    const Verdict whole = judge(facts, settings, wish, situation, margins);
    advice.settings.contextTokens = whole.fits || whole.longestContext == 0 ? quick : whole.longestContext;
    const std::string chosen = tokensText(advice.settings.contextTokens);
    if (!whole.fits && whole.longestContext != 0)
        advice.contextReason = chosen + " are the most that fit into the memory that is free.";
    else if (quick == limit)
        advice.contextReason = chosen + " are as many as the model was made for, and they fit.";
    else
        advice.contextReason = "With " + chosen +
                               " in it the cache is as large as the weights that a token " +
                               "reads, so that answers slow down to half at most; the model was made for " +
                               std::to_string(limit) + ".";
}

void chooseBatch(Recommendation& advice, const ModelFacts& facts) {
    LoadSettings larger = advice.settings;
    larger.batchTokens = std::min(larger.batchTokens, 1u << 20) * 2;
    larger.contextTokens = std::max(larger.contextTokens, larger.batchTokens);
    const std::uint64_t now = estimate(facts, advice.settings).parts().compute;
    const std::uint64_t then = estimate(facts, larger).parts().compute;
    advice.batchReason = "Prompts are read " + std::to_string(advice.settings.batchTokens) +
                         " tokens at a time, where reading is as fast as it gets; twice as many would take " +
                         sizeText(without(then, now)) + " more for little.";
    if (advice.settings.batchTokens < kStep)
        advice.batchReason = "Prompts are read " + std::to_string(advice.settings.batchTokens) +
                             " tokens at a time, which leaves memory for the rest of the model.";
}

void explainPlace(Recommendation& advice, const ModelFacts& facts, const MemorySituation& situation) {
    const Verdict& verdict = advice.verdict;
    const std::string all = std::to_string(facts.layers.size());
    if (verdict.device && verdict.gpuLayers != 0) {
        const DeviceSituation& device = situation.devices[*verdict.device];
        advice.backendReason = device.name + " has room for more of the model than any other device.";
        advice.layersReason = std::to_string(verdict.gpuLayers) + " of " + all +
                              " layers are what fits into " + sizeText(verdict.deviceUsable) +
                              " with the context.";
        return;
    }
    if (situation.devices.empty()) {
        advice.backendReason = "No graphics device was found, so the processor computes.";
        advice.layersReason = "There is no device for layers.";
        return;
    }
    advice.backendReason = "No graphics device has room for a layer, so the processor computes.";
    advice.layersReason = "Not one of the " + all + " layers fits on a device with this context.";
}

}  // namespace

ExpectedSpeed expectedSpeed(const ModelFacts& facts, const LoadSettings& settings,
                            const MachineSpeed& machine) {
    ExpectedSpeed speed;
    const Shares& shares = sharesOf(facts.mainType);
    const double reading = std::max(machine.readBytes, machine.workingSetBytes);
    const double share = settings.threads == 1 ? shares.generationAlone : shares.generation;
    const auto weights = static_cast<double>(facts.tokenBytes);
    const auto cache = static_cast<double>(
        multiply(kvBytesPerToken(facts, settings.processor, settings.kv), settings.contextTokens));
    speed.firstTokensPerSecond = perSecond(reading * share, weights);
    speed.lastTokensPerSecond = perSecond(reading * share, weights + cache);
    const double products =
        static_cast<double>(facts.products) + static_cast<double>(facts.headProducts) / kStep;
    speed.promptTokensPerSecond =
        perSecond(operationsOf(machine, facts.productKind) * shares.prompt, 2.0 * products);
    speed.basis = "Generation: " + sizeText(facts.tokenBytes) +
                  " of weights for each token (and the cache, when it is full) at " + percent(share) +
                  " of " + sizeText(static_cast<std::uint64_t>(reading)) +
                  "/s, the measured speed of memory with " + std::to_string(settings.threads) +
                  (settings.threads == 1 ? " thread" : " threads") +
                  "; prompt: two operations for each weight at " + percent(shares.prompt) +
                  " of the processor's measured speed, attention left out; the shares are those that " +
                  "docs/performance.md measured for " +
                  (shares.type.empty() ? std::string("the usual type of weights") : facts.mainType) + ".";
    if (facts.width <= kNarrow)
        speed.basis +=
            " For a model this narrow the work between the products counts too: these are upper bounds.";
    return speed;
}

Recommendation recommend(const ModelFacts& facts, const LoadSettings& wanted, LayerWish wish,
                         const MemorySituation& situation, const Margins& margins,
                         const std::optional<MachineSpeed>& machine, std::uint32_t cores) {
    Recommendation advice;
    advice.settings = wanted;
    advice.settings.threads = wanted.threads != 0 ? wanted.threads : std::max(cores, 1u);
    advice.threadsReason = "This machine has " + std::to_string(std::max(cores, 1u)) +
                           (cores <= 1 ? " core" : " cores") +
                           "; further threads would share them and wait for each other.";
    if (wanted.threads != 0) advice.threadsReason = "As asked for.";
    const bool freeContext = wanted.contextTokens == 0;
    advice.contextReason = "As asked for.";
    while (true) {
        if (freeContext) chooseContext(advice, facts, wish, situation, margins);
        advice.verdict = judge(facts, advice.settings, wish, situation, margins);
        // A model that does not fit at all may with smaller steps.
        if (advice.verdict.fits || advice.settings.batchTokens <= kLeastStep) break;
        advice.settings.batchTokens /= 2;
    }
    if (!advice.verdict.fits) advice.settings.batchTokens = wanted.batchTokens;
    advice.settings.gpuLayers = advice.verdict.gpuLayers;
    if (advice.verdict.device) advice.settings.device = situation.devices[*advice.verdict.device].backend;
    chooseBatch(advice, facts);
    explainPlace(advice, facts, situation);
    if (machine && advice.verdict.gpuLayers == 0)
        advice.speed = expectedSpeed(facts, advice.settings, *machine);
    return advice;
}

}  // namespace loader::app
