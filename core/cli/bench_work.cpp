// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/bench_work.h"

#include <QCoreApplication>
#include <QProcess>
#include <algorithm>
#include <chrono>
#include <cmath>

namespace loader::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kFirstTokenPrompt = 128;
constexpr int kChildTimeoutMs = 600'000;
/// Enough for pages to come in, threads to wake and clocks to rise.
constexpr std::uint32_t kWarmUpTokens = 8;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Evaluates made-up tokens: speed does not depend on which, except that experts should vary.
class Meter {
public:
    Meter(host::LoadedModel& model, CancelToken cancel) : m_model(model), m_cancel(cancel) {}

    /// Makes the sequence `length` tokens long, from what it has where that is possible.
    Status fill(std::uint32_t length);
    Status prompt(std::uint32_t tokens);
    Status generate(const BenchPlan& plan, std::uint32_t tokens);
    TokenId bestToken() const { return m_out.top.empty() ? kNoToken : m_out.top.front().token; }

private:
    Status truncate(std::uint32_t length);
    Status evaluate(std::uint32_t begin, std::uint32_t end, bool wantsLast);
    TokenId tokenAt(std::uint32_t position) const {
        return static_cast<TokenId>((std::uint64_t{position} * 7919 + 13) % m_model.program().vocabulary);
    }

    host::LoadedModel& m_model;
    CancelToken m_cancel;
    std::vector<backend::BatchItem> m_batch;
    backend::ForwardOutput m_out;
    std::uint32_t m_length = 0;
};

Status Meter::truncate(std::uint32_t length) {
    if (m_length <= length) return {};
    LOADER_TRY(m_length, m_model.session().truncate(0, length));
    return {};
}

Status Meter::evaluate(std::uint32_t begin, std::uint32_t end, bool wantsLast) {
    backend::OutputRequest request;
    request.kind = backend::OutputKind::TopTokens;
    request.top = 1;
    while (begin < end) {
        const std::uint32_t step = std::min(end - begin, m_model.batchTokens());
        m_batch.assign(step, {});
        for (std::uint32_t i = 0; i < step; ++i) {
            m_batch[i].token = tokenAt(begin + i);
            m_batch[i].position[0] = begin + i;
            m_batch[i].wantsOutput = wantsLast && begin + i + 1 == end;
        }
        m_out.values.clear();
        m_out.top.clear();
        m_out.logSumExp.clear();
        LOADER_CHECK(m_model.session().forward(m_batch, request, m_out, m_cancel));
        LOADER_CHECK(m_model.checkDamage());
        begin += step;
        m_length = begin;
    }
    return {};
}

Status Meter::fill(std::uint32_t length) {
    LOADER_CHECK(truncate(length));
    return evaluate(m_length, length, false);
}

Status Meter::prompt(std::uint32_t tokens) {
    LOADER_CHECK(truncate(0));
    return evaluate(0, tokens, true);
}

Status Meter::generate(const BenchPlan& plan, std::uint32_t tokens) {
    for (std::uint32_t i = 0; i < tokens; ++i) {
        if (!plan.keepCache) LOADER_CHECK(truncate(0));
        LOADER_CHECK(evaluate(plan.keepCache ? plan.depth + i : 0, plan.depth + i + 1, true));
    }
    return {};
}

/// The words of this command line again, without what only the parent does.
QStringList probeArguments() {
    QStringList words = QCoreApplication::arguments();
    words.removeFirst();
    words.insert(1, QStringLiteral("--first-token-probe"));
    return words;
}

}  // namespace

Result<BenchPlan> readPlan(const Arguments& arguments) {
    constexpr std::uint64_t kMost = 1u << 24;
    BenchPlan plan;
    LOADER_TRY(const auto prompt, arguments.number("prompt", 0, kMost));
    LOADER_TRY(const auto generate, arguments.number("generate", 0, kMost));
    LOADER_TRY(const auto depth, arguments.number("depth", 0, kMost));
    LOADER_TRY(const auto repetitions, arguments.number("repetitions", 1, 1000));
    LOADER_TRY(const auto firstTokenRuns, arguments.number("first-token-runs", 0, 1000));
    plan.prompt = static_cast<std::uint32_t>(prompt.value_or(plan.prompt));
    plan.generate = static_cast<std::uint32_t>(generate.value_or(plan.generate));
    plan.depth = static_cast<std::uint32_t>(depth.value_or(plan.depth));
    plan.repetitions = static_cast<std::uint32_t>(repetitions.value_or(plan.repetitions));
    plan.firstTokenRuns = static_cast<std::uint32_t>(firstTokenRuns.value_or(plan.firstTokenRuns));
    plan.keepCache = !arguments.has("no-kv-cache");
    plan.warmUp = !arguments.has("no-warm-up");
    return plan;
}

Status fitToPositions(const Arguments& arguments, const std::string& path, BenchPlan& plan) {
    LOADER_TRY(const auto file, gguf::ModelFile::open(path));
    auto lowered =
        arch::lower(file->metadata(), file->tensors(), arguments.text("architecture").value_or(""));
    if (!lowered.ok()) return std::move(lowered).error().within(path);
    const std::uint32_t limit = lowered->program.positionLimit;
    if (limit != 0 && !arguments.has("prompt")) plan.prompt = std::min(plan.prompt, limit);
    if (limit != 0 && !arguments.has("generate") && plan.depth < limit)
        plan.generate = std::min(plan.generate, limit - plan.depth);
    return {};
}

Result<Speeds> measureSpeeds(host::LoadedModel& model, const BenchPlan& plan, CancelToken cancel) {
    Meter meter(model, cancel);
    ProgressLine progress("Measuring");
    const std::uint32_t steps = plan.repetitions + 1;
    Speeds speeds;
    // Round 0 warms up.
    for (std::uint32_t round = plan.warmUp ? 0 : 1; round < steps; ++round) {
        if (plan.prompt != 0) {
            const auto start = Clock::now();
            LOADER_CHECK(meter.prompt(plan.prompt));
            if (round != 0) speeds.prompt.push_back(plan.prompt / secondsSince(start));
        }
        progress.report(2 * round + 1, 2 * steps);
        if (plan.generate != 0) {
            LOADER_CHECK(meter.fill(plan.depth));
            const auto start = Clock::now();
            const std::uint32_t tokens = round != 0 ? plan.generate : std::min(plan.generate, kWarmUpTokens);
            LOADER_CHECK(meter.generate(plan, tokens));
            if (round != 0) speeds.generation.push_back(plan.generate / secondsSince(start));
        }
        progress.report(2 * round + 2, 2 * steps);
    }
    return speeds;
}

Result<FirstTokens> measureFirstTokens(std::uint32_t runs, CancelToken cancel) {
    FirstTokens measured;
    for (std::uint32_t run = 0; run < runs; ++run) {
        LOADER_CHECK(cancel.check());
        QProcess child;
        child.setStandardErrorFile(QProcess::nullDevice());
        const auto start = Clock::now();
        child.start(QCoreApplication::applicationFilePath(), probeArguments());
        const bool answered = child.waitForReadyRead(kChildTimeoutMs);
        measured.times.push_back(secondsSince(start) * 1000.0);
        child.waitForFinished(kChildTimeoutMs);
        LOADER_CHECK(cancel.check());
        const bool fine = answered && child.exitStatus() == QProcess::NormalExit && child.exitCode() == 0;
        if (!fine) return Error(Errc::X003, {"the process that measures the first token failed"});
        // The token, then how long loading took, in microseconds.
        const QList<QByteArray> words = child.readAllStandardOutput().simplified().split(' ');
        bool told = false;
        const qulonglong load = words.size() == 2 ? words[1].toULongLong(&told) : 0;
        if (told) measured.loads.push_back(static_cast<double>(load) / 1000.0);
    }
    return measured;
}

Result<int> firstTokenProbe(Context& context, host::LoadRequest request) {
    if (request.contextTokens == 0) request.contextTokens = kFirstTokenPrompt + 1;
    LOADER_TRY(const Loaded loaded, loadModel(context, request));
    const std::uint32_t limit = loaded.model->program().positionLimit;
    const std::uint32_t tokens = limit != 0 ? std::min(limit, kFirstTokenPrompt) : kFirstTokenPrompt;
    Meter meter(*loaded.model, context.cancel);
    LOADER_CHECK(meter.prompt(std::min(tokens, loaded.model->contextTokens())));
    context.output.write(std::to_string(meter.bestToken()) + " " +
                         std::to_string(std::llround(loaded.model->report().loadMilliseconds * 1000.0)) +
                         "\n");
    return 0;
}

}  // namespace loader::cli
