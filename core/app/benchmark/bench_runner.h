// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Runs one benchmark somewhere else: as a rule `gguf bench` in a process of its own, so that a driver that
// crashes costs one result. Tests put a runner of theirs in its place.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/benchmark/measurement.h"
#include "core/engine/base/cancel_token.h"

namespace loader::app {

struct BenchJob {
    /// Of the model.
    std::string path;
    /// "auto" or ids.
    std::string backend = "auto";
    std::string device;
    /// "auto", "all" or a number.
    std::string gpuLayers;
    // Empty and 0: as the user has set it, or the default.
    std::uint32_t threads = 0;
    std::uint32_t batchTokens = 0;
    std::uint32_t contextTokens = 0;
    std::string kv;
    bool mmap = true;
    std::string architecture;
    /// More options as they are.
    std::vector<std::string> words;
    std::uint32_t promptTokens = 128;
    std::uint32_t generatedTokens = 32;
    std::uint32_t repetitions = 3;
    std::uint32_t firstTokenRuns = 0;
    std::chrono::milliseconds limit = std::chrono::minutes(10);
};

enum class BenchEnd : std::uint8_t {
    Done,
    /// It said why.
    Failed,
    Crashed,
    TimedOut,
    Cancelled,
};
/// "ok", "failed", "crashed", "timed out" or "cancelled".
std::string_view nameOf(BenchEnd end);

/// What a process said of its failure; its words are all there is.
struct BenchFault {
    std::string code;
    std::string message;
    std::string action;
};
BenchFault benchFault(const Error& error);

struct BenchOutcome {
    BenchEnd end = BenchEnd::Failed;
    std::optional<Measurement> measurement;
    std::optional<BenchFault> fault;
    double seconds = 0.0;
};

class BenchRunner {
public:
    virtual ~BenchRunner() = default;
    /// Takes as long as the job's limit allows.
    virtual BenchOutcome run(const BenchJob& job, CancelToken cancel) = 0;
};

/// The words behind `gguf` for a job.
std::vector<std::string> benchWords(const BenchJob& job);
/// What `gguf bench --json` wrote, as an outcome; hostile input. @param output at most a few MiB
BenchOutcome outcomeOf(std::string_view output, const std::string& backend, bool crashed);

/// @thread confined to one thread
class ProcessBenchRunner final : public BenchRunner {
public:
    /// @param program the path of `gguf`
    explicit ProcessBenchRunner(std::string program) : m_program(std::move(program)) {}
    BenchOutcome run(const BenchJob& job, CancelToken cancel) override;

private:
    std::string m_program;
};

}  // namespace loader::app
