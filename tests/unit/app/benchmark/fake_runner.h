// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A runner of benchmarks that runs nothing: each result is what the test says of the job.
#pragma once

#include <functional>
#include <vector>

#include "core/app/benchmark/bench_runner.h"
#include "tests/unit/app/benchmark/sample_measurement.h"

namespace loader::test {

class FakeRunner final : public app::BenchRunner {
public:
    using Answer = std::function<app::BenchOutcome(const app::BenchJob&)>;
    explicit FakeRunner(Answer answer) : m_answer(std::move(answer)) {}

    app::BenchOutcome run(const app::BenchJob& job, CancelToken) override {
        jobs.push_back(job);
        return m_answer(job);
    }
    /// In the order in which they were asked for.
    std::vector<app::BenchJob> jobs;

private:
    Answer m_answer;
};

inline app::BenchOutcome measured(double generation, std::uint32_t threads = 4, std::uint32_t gpuLayers = 0) {
    app::Measurement measurement = sampleMeasurement(generation);
    measurement.settings.threads = threads;
    measurement.settings.gpuLayers = gpuLayers;
    return {app::BenchEnd::Done, std::move(measurement), std::nullopt, 0.1};
}

inline app::BenchOutcome ended(app::BenchEnd end, const Error& error) {
    return {end, std::nullopt, app::benchFault(error), 0.1};
}

}  // namespace loader::test
