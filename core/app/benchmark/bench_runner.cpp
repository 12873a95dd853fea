// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/bench_runner.h"

#include <QByteArray>
#include <QProcess>
#include <QStringList>

#include "core/app/benchmark/json_fields.h"

namespace loader::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMs = 50;
constexpr int kEndMs = 3000;
constexpr qint64 kMostOutput = 4 << 20;
/// Result, load report, steps, step.
constexpr JsonLimits kLimits{16, 100'000};

BenchOutcome failedWith(BenchEnd end, const Error& error) {
    return {end, std::nullopt, benchFault(error), 0.0};
}

BenchOutcome crashedOutcome(const std::string& backend, const std::string& how) {
    return failedWith(BenchEnd::Crashed, Error(Errc::B703, {backend, how}));
}

void addNumber(std::vector<std::string>& words, const char* option, std::uint32_t value) {
    if (value == 0) return;
    words.push_back(option);
    words.push_back(std::to_string(value));
}

/// Asks it to end, and ends it.
void stop(QProcess& process) {
    process.terminate();
    if (process.waitForFinished(kEndMs)) return;
    process.kill();
    process.waitForFinished(kEndMs);
}

}  // namespace

std::string_view nameOf(BenchEnd end) {
    switch (end) {
        case BenchEnd::Done: return "ok";
        case BenchEnd::Failed: break;
        case BenchEnd::Crashed: return "crashed";
        case BenchEnd::TimedOut: return "timed out";
        case BenchEnd::Cancelled: return "cancelled";
    }
    return "failed";
}

BenchFault benchFault(const Error& error) {
    return {std::string(error.name()), error.message(), error.action()};
}

std::vector<std::string> benchWords(const BenchJob& job) {
    std::vector<std::string> words = {"bench", "--json", "--no-ceilings", "--no-history"};
    const auto add = [&words](const char* option, const std::string& value) {
        if (!value.empty()) words.insert(words.end(), {option, value});
    };
    add("--backend", job.backend);
    add("--device", job.device);
    add("--gpu-layers", job.gpuLayers);
    add("--kv", job.kv);
    add("--architecture", job.architecture);
    words.insert(words.end(), job.words.begin(), job.words.end());
    if (!job.mmap) words.push_back("--no-mmap");
    addNumber(words, "--threads", job.threads);
    addNumber(words, "--batch", job.batchTokens);
    addNumber(words, "--context", job.contextTokens);
    words.insert(words.end(),
                 {"--prompt", std::to_string(job.promptTokens), "--generate",
                  std::to_string(job.generatedTokens), "--repetitions", std::to_string(job.repetitions),
                  "--first-token-runs", std::to_string(job.firstTokenRuns)});
    words.insert(words.end(), {"--", job.path});
    return words;
}

BenchOutcome outcomeOf(std::string_view output, const std::string& backend, bool crashed) {
    if (crashed) return crashedOutcome(backend, "its process crashed");
    const auto said = parseJson(output, kLimits);
    if (!said.ok() || !said->document.is_object())
        return crashedOutcome(backend, "its process said nothing that can be used");
    const auto fault = said->document.find("error");
    if (fault != said->document.end()) {
        const auto part = [&fault](const char* key) {
            const bool usable = fault->is_object() && fault->contains(key) && (*fault)[key].is_string();
            return usable ? plainText((*fault)[key].get_ref<const std::string&>()) : std::string();
        };
        const bool stopped = part("code") == errorName(Errc::X002);
        return {stopped ? BenchEnd::Cancelled : BenchEnd::Failed, std::nullopt,
                BenchFault{part("code"), part("message"), part("action")}, 0.0};
    }
    const auto measured = said->document.find("measurement");
    if (measured == said->document.end()) return crashedOutcome(backend, "its process told no measurement");
    auto measurement = measurementFromJson(*measured);
    if (!measurement.ok()) return failedWith(BenchEnd::Failed, measurement.error());
    return {BenchEnd::Done, std::move(measurement).value(), std::nullopt, 0.0};
}

BenchOutcome ProcessBenchRunner::run(const BenchJob& job, CancelToken cancel) {
    if (cancel.cancelled()) return failedWith(BenchEnd::Cancelled, Error(Errc::X002));
    QStringList words;
    for (const std::string& word : benchWords(job))
        words.append(QString::fromStdString(word));
    QProcess process;
    process.setStandardErrorFile(QProcess::nullDevice());
    process.setStandardInputFile(QProcess::nullDevice());
    const auto start = Clock::now();
    const auto seconds = [start] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    process.start(QString::fromStdString(m_program), words);
    if (!process.waitForStarted())
        return failedWith(BenchEnd::Failed, Error(Errc::W604, {process.errorString().toStdString()}));
    QByteArray output;
    BenchOutcome outcome;
    while (!process.waitForFinished(kPollMs)) {
        if (output.size() < kMostOutput) output += process.readAllStandardOutput();
        const bool late = Clock::now() - start > job.limit;
        if (!late && !cancel.cancelled()) continue;
        stop(process);
        outcome =
            late ? failedWith(BenchEnd::TimedOut,
                              Error(Errc::B703,
                                    {job.backend, "no result came within " +
                                                      std::to_string(job.limit.count() / 1000) + " seconds"}))
                 : failedWith(BenchEnd::Cancelled, Error(Errc::X002));
        outcome.seconds = seconds();
        return outcome;
    }
    if (output.size() < kMostOutput) output += process.readAllStandardOutput();
    outcome = outcomeOf(output.toStdString(), job.backend, process.exitStatus() != QProcess::NormalExit);
    outcome.seconds = seconds();
    return outcome;
}

}  // namespace loader::app
