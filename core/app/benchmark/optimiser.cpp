// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/optimiser.h"

#include <algorithm>
#include <cstdio>

#include "core/app/config/setting_list.h"
#include "core/engine/base/size_text.h"

namespace loader::app {
namespace {

/// A context is not made shorter than this for the sake of memory.
constexpr std::uint64_t kLeastContext = 2048;
constexpr std::uint64_t kContextStep = 512;
/// Prompts are read in no smaller steps.
constexpr std::uint32_t kLeastBatch = 64;

std::uint64_t percentile(std::vector<std::uint64_t> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[std::min(values.size() - 1, values.size() * 95 / 100)];
}

std::string memoryEffect(const protocol::ModelFacts& facts, const LoadSettings& before,
                         const LoadSettings& after) {
    const std::uint64_t then = estimate(facts, before).total();
    const std::uint64_t now = estimate(facts, after).total();
    if (now >= then) return {};
    return "expected: " + sizeText(then - now) + " less memory";
}

Proposal contextProposal(const OptimiserInput& input) {
    const LoadSettings& advised = input.advice.settings;
    Proposal proposal{
        std::string(settings::kLoadContext), advised.contextTokens, input.advice.contextReason, {}, false};
    if (input.profile.answers < kProfileAnswers) return proposal;
    // Half as much again, because conversations grow.
    const std::uint64_t half = input.profile.together + input.profile.together / 2;
    const std::uint64_t wanted =
        std::max(kLeastContext, (half + kContextStep - 1) / kContextStep * kContextStep);
    const std::string usual = "95 % of your " + std::to_string(input.profile.answers) +
                              " answers took at most " + std::to_string(input.profile.together) +
                              " tokens with their prompts";
    if (wanted >= advised.contextTokens) {
        proposal.reason =
            usual + "; " + std::to_string(advised.contextTokens) + " are what suits this model here.";
        return proposal;
    }
    LoadSettings shorter = advised;
    shorter.contextTokens = static_cast<std::uint32_t>(wanted);
    proposal.value = shorter.contextTokens;
    proposal.reason = usual + "; this leaves half as much again.";
    proposal.effect = memoryEffect(input.facts, advised, shorter);
    return proposal;
}

Proposal batchProposal(const OptimiserInput& input, std::uint32_t context) {
    const LoadSettings& advised = input.advice.settings;
    Proposal proposal{
        std::string(settings::kLoadBatch), advised.batchTokens, input.advice.batchReason, {}, false};
    if (input.profile.answers < kProfileAnswers) return proposal;
    std::uint32_t enough = kLeastBatch;
    while (enough < input.profile.evaluated && enough < advised.batchTokens)
        enough *= 2;
    if (enough >= advised.batchTokens) return proposal;
    LoadSettings before = advised;
    before.contextTokens = context;
    LoadSettings after = before;
    after.batchTokens = enough;
    proposal.value = enough;
    proposal.reason = "95 % of your prompts had at most " + std::to_string(input.profile.evaluated) +
                      " new tokens, which one step reads.";
    proposal.effect = memoryEffect(input.facts, before, after);
    return proposal;
}

std::string speedEffect(const Measurement& usual, const Measurement& other) {
    const double before = spreadOf(usual.generation).median;
    const double after = spreadOf(other.generation).median;
    char text[96];
    std::snprintf(text, sizeof text, "measured: %.1f instead of %.1f tokens/s (%+.0f %%)", after, before,
                  before > 0.0 ? (after - before) / before * 100.0 : 0.0);
    return text;
}

/// The step of this setting that answers fastest, where it is faster than the settings as they are by more
/// than they scatter, and reads prompts no slower; null otherwise.
const SweepStep* fasterStep(const SweepReport& report, std::string_view key) {
    const Measurement* usual = report.usual();
    const SweepStep* best = nullptr;
    for (const SweepStep& step : report.steps) {
        if (step.key != key || !step.outcome.measurement || !usual) continue;
        const Measurement& tried = *step.outcome.measurement;
        const bool faster = evidenceOf(usual->generation, tried.generation) == Evidence::Higher;
        const bool slowsPrompts = evidenceOf(usual->prompt, tried.prompt) == Evidence::Lower;
        const auto speed = [](const SweepStep& of) {
            return spreadOf(of.outcome.measurement->generation).median;
        };
        if (faster && !slowsPrompts && (!best || speed(step) > speed(*best))) best = &step;
    }
    return best;
}

std::size_t triedSteps(const SweepReport& report, std::string_view key) {
    return static_cast<std::size_t>(
        std::count_if(report.steps.begin(), report.steps.end(),
                      [key](const SweepStep& step) { return step.key == key && step.outcome.measurement; }));
}

void applySweep(Proposal& proposal, const SweepReport* report, const char* kept) {
    if (!report || triedSteps(*report, proposal.key) == 0) return;
    proposal.measured = true;
    if (const SweepStep* step = fasterStep(*report, proposal.key)) {
        proposal.value = step->value;
        proposal.reason = "With " + step->words +
                          " answers came faster than with the settings as they are, "
                          "by more than they scatter, and prompts were read no slower.";
        proposal.effect = speedEffect(*report->usual(), *step->outcome.measurement);
        return;
    }
    proposal.reason = kept;
}

Proposal threadsProposal(const OptimiserInput& input) {
    // 0: the physical cores, on whatever machine the settings are used.
    Proposal proposal{std::string(settings::kLoadThreads), 0u, input.advice.threadsReason, {}, false};
    applySweep(proposal, input.sweep,
               "No other number of threads that was tried was faster by more than it scatters.");
    return proposal;
}

Proposal layersProposal(const OptimiserInput& input) {
    Proposal proposal{std::string(settings::kLoadGpuLayers), "auto", input.advice.layersReason, {}, false};
    applySweep(proposal, input.sweep,
               "Neither fewer layers nor none on the GPU were faster by more than it scatters.");
    return proposal;
}

}  // namespace

UsageProfile profileOf(const std::vector<UsageRecord>& uses, const ModelIdentity& model) {
    std::vector<std::uint64_t> evaluated;
    std::vector<std::uint64_t> together;
    for (const UsageRecord& use : uses) {
        if (!use.model.sameModel(model)) continue;
        evaluated.push_back(use.promptTokens - std::min(use.cachedTokens, use.promptTokens));
        together.push_back(use.promptTokens + use.tokens);
    }
    const std::size_t answers = together.size();
    return {answers, percentile(std::move(evaluated)), percentile(std::move(together))};
}

std::vector<Proposal> propose(const OptimiserInput& input) {
    std::vector<Proposal> proposals;
    proposals.push_back(contextProposal(input));
    proposals.push_back(batchProposal(input, proposals.front().value.get<std::uint32_t>()));
    proposals.push_back(threadsProposal(input));
    proposals.push_back(layersProposal(input));
    return proposals;
}

Json proposalsJson(const std::vector<Proposal>& proposals) {
    Json list = Json::array();
    for (const Proposal& proposal : proposals)
        list.push_back({{"setting", proposal.key},
                        {"value", proposal.value},
                        {"reason", proposal.reason},
                        {"effect", proposal.effect},
                        {"measured", proposal.measured}});
    return list;
}

}  // namespace loader::app
