// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/sweep.h"

#include <algorithm>

namespace loader::app {
namespace {

using Clock = std::chrono::steady_clock;

class Sweep {
public:
    Sweep(const SweepPlan& plan, BenchRunner& runner, const SweepProgress& progress, CancelToken cancel)
        : m_plan(plan), m_runner(runner), m_progress(progress), m_cancel(cancel), m_start(Clock::now()) {}

    SweepReport all();

private:
    std::chrono::milliseconds left() const {
        return m_plan.budget - std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - m_start);
    }
    /// @return false once there is no time for another one
    bool tryStep(SweepStep step, const BenchJob& job, std::size_t total);
    void tryThreads(const BenchJob& job, std::size_t total);

    const SweepPlan& m_plan;
    BenchRunner& m_runner;
    const SweepProgress& m_progress;
    CancelToken m_cancel;
    Clock::time_point m_start;
    std::chrono::milliseconds m_longest{0};
    SweepReport m_report;
};

bool Sweep::tryStep(SweepStep step, const BenchJob& job, std::size_t total) {
    // What takes longer than what is left would be cut off and tell nothing.
    if (m_cancel.cancelled() || left() <= m_longest) {
        m_report.cutShort = true;
        return false;
    }
    if (m_progress) m_progress(step.words, m_report.steps.size(), total);
    BenchJob limited = job;
    limited.limit = left();
    const auto start = Clock::now();
    step.outcome = m_runner.run(limited, m_cancel);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    m_longest = std::max(m_longest, took);
    if (step.outcome.end == BenchEnd::TimedOut || step.outcome.end == BenchEnd::Cancelled)
        m_report.cutShort = true;
    m_report.steps.push_back(std::move(step));
    return true;
}

void Sweep::tryThreads(const BenchJob& job, std::size_t total) {
    const std::uint32_t usual = m_report.usual()->settings.threads;
    for (const std::uint32_t threads : threadCandidates(m_plan, usual)) {
        BenchJob other = job;
        other.threads = threads;
        SweepStep step{
            "load.threads", threads, {}, std::to_string(threads) + (threads == 1 ? " thread" : " threads")};
        if (!tryStep(std::move(step), other, total)) return;
    }
}

SweepReport Sweep::all() {
    const std::size_t guess = 1 + threadCandidates(m_plan, m_plan.cores).size();
    if (tryStep({{}, nullptr, {}, "the settings as they are"}, m_plan.job, guess) && m_report.usual()) {
        const std::uint32_t layers = m_report.usual()->settings.gpuLayers;
        // With all layers on a device the processor's threads hardly matter.
        if (layers == 0) tryThreads(m_plan.job, guess);
        std::vector<std::uint32_t> counts;
        if (layers != 0) counts.push_back(0);
        if (layers > 1) counts.push_back(layers / 2);
        for (const std::uint32_t count : counts) {
            BenchJob other = m_plan.job;
            other.gpuLayers = std::to_string(count);
            // A device that was named cannot be asked for nothing.
            if (count == 0) {
                other.backend = "cpu";
                other.device.clear();
            }
            SweepStep step{"load.gpu_layers", count, {}, std::to_string(count) + " layers on the GPU"};
            if (!tryStep(std::move(step), other, 1 + counts.size())) break;
        }
    }
    m_report.seconds = std::chrono::duration<double>(Clock::now() - m_start).count();
    return std::move(m_report);
}

}  // namespace

const Measurement* SweepReport::usual() const {
    const bool known = !steps.empty() && steps.front().outcome.measurement;
    return known ? &*steps.front().outcome.measurement : nullptr;
}

std::vector<std::uint32_t> threadCandidates(const SweepPlan& plan, std::uint32_t usual) {
    std::vector<std::uint32_t> candidates;
    for (const std::uint32_t threads : {plan.cores / 2, plan.cores, plan.threads}) {
        const bool fresh = std::find(candidates.begin(), candidates.end(), threads) == candidates.end();
        if (threads != 0 && threads != usual && fresh) candidates.push_back(threads);
    }
    return candidates;
}

SweepReport sweep(const SweepPlan& plan, BenchRunner& runner, const SweepProgress& progress,
                  CancelToken cancel) {
    return Sweep(plan, runner, progress, cancel).all();
}

Json sweepJson(const SweepReport& report) {
    Json json = {{"seconds", report.seconds}, {"cut_short", report.cutShort}, {"steps", Json::array()}};
    for (const SweepStep& step : report.steps) {
        Json entry = {{"tried", step.words}, {"status", nameOf(step.outcome.end)}};
        if (step.outcome.measurement) entry["measurement"] = measurementJson(*step.outcome.measurement);
        if (step.outcome.fault)
            entry["error"] = {{"code", step.outcome.fault->code}, {"message", step.outcome.fault->message}};
        json["steps"].push_back(std::move(entry));
    }
    return json;
}

}  // namespace loader::app
