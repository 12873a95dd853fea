// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf bench: speeds, times and memory of a model, and which part of this machine's ceilings they reach. The
// time to the first token is that of fresh child processes, from their start to the first token of a
// 128-token prompt.

#include <QCoreApplication>
#include <QProcess>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/cli/context.h"
#include "core/host/ceilings.h"
#include "core/host/memory_facts.h"
#include "core/host/model_work.h"

namespace loader::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kFirstTokenPrompt = 128;
constexpr int kFirstTokenRuns = 3;
constexpr int kFirstTokenTimeoutMs = 600'000;

struct Plan {
    std::uint32_t prompt = 512;
    std::uint32_t generate = 64;
    std::uint32_t depth = 0;
    std::uint32_t repetitions = 5;
    bool keepCache = true;
};

struct Spread {
    double median = 0.0;
    double min = 0.0;
    double max = 0.0;
};

Spread spreadOf(std::vector<double> values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    const double median =
        values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
    return {median, values.front(), values.back()};
}

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
    Status generate(const Plan& plan);
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

Status Meter::generate(const Plan& plan) {
    for (std::uint32_t i = 0; i < plan.generate; ++i) {
        if (!plan.keepCache) LOADER_CHECK(truncate(0));
        LOADER_CHECK(evaluate(plan.keepCache ? plan.depth + i : 0, plan.depth + i + 1, true));
    }
    return {};
}

Result<Plan> readPlan(const Arguments& arguments) {
    constexpr std::uint64_t kMost = 1u << 24;
    Plan plan;
    LOADER_TRY(const auto prompt, arguments.number("prompt", 0, kMost));
    LOADER_TRY(const auto generate, arguments.number("generate", 0, kMost));
    LOADER_TRY(const auto depth, arguments.number("depth", 0, kMost));
    LOADER_TRY(const auto repetitions, arguments.number("repetitions", 1, 1000));
    plan.prompt = static_cast<std::uint32_t>(prompt.value_or(plan.prompt));
    plan.generate = static_cast<std::uint32_t>(generate.value_or(plan.generate));
    plan.depth = static_cast<std::uint32_t>(depth.value_or(plan.depth));
    plan.repetitions = static_cast<std::uint32_t>(repetitions.value_or(plan.repetitions));
    plan.keepCache = !arguments.has("no-kv-cache");
    return plan;
}

/// A model with learned positions has no more of them than it has; its default prompt is as long as they
/// allow.
Status fitToPositions(const Arguments& arguments, const std::string& path, Plan& plan) {
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

struct Speeds {
    std::vector<double> prompt;
    std::vector<double> generation;
};

Result<Speeds> measure(host::LoadedModel& model, const Plan& plan, CancelToken cancel) {
    Meter meter(model, cancel);
    ProgressLine progress("Measuring");
    const std::uint32_t steps = plan.repetitions + 1;
    Speeds speeds;
    // Round 0 warms up: pages come in, threads wake, clocks rise.
    for (std::uint32_t round = 0; round < steps; ++round) {
        if (plan.prompt != 0) {
            const auto start = Clock::now();
            LOADER_CHECK(meter.prompt(plan.prompt));
            if (round != 0) speeds.prompt.push_back(plan.prompt / secondsSince(start));
        }
        progress.report(2 * round + 1, 2 * steps);
        if (plan.generate != 0) {
            LOADER_CHECK(meter.fill(plan.depth));
            const auto start = Clock::now();
            LOADER_CHECK(meter.generate(plan));
            if (round != 0) speeds.generation.push_back(plan.generate / secondsSince(start));
        }
        progress.report(2 * round + 2, 2 * steps);
    }
    return speeds;
}

/// The words of this command line again, without what only the parent does.
QStringList probeArguments() {
    QStringList words = QCoreApplication::arguments();
    words.removeFirst();
    words.insert(1, QStringLiteral("--first-token-probe"));
    return words;
}

/// Milliseconds from the start of a process to its first token; nothing where it failed.
Result<double> firstTokenMs(CancelToken cancel) {
    std::vector<double> times;
    for (int run = 0; run < kFirstTokenRuns; ++run) {
        LOADER_CHECK(cancel.check());
        QProcess child;
        child.setStandardErrorFile(QProcess::nullDevice());
        const auto start = Clock::now();
        child.start(QCoreApplication::applicationFilePath(), probeArguments());
        const bool answered = child.waitForReadyRead(kFirstTokenTimeoutMs);
        times.push_back(secondsSince(start) * 1000.0);
        child.waitForFinished(kFirstTokenTimeoutMs);
        LOADER_CHECK(cancel.check());
        const bool fine = answered && child.exitStatus() == QProcess::NormalExit && child.exitCode() == 0;
        if (!fine) return Error(Errc::X003, {"the process that measures the first token failed"});
    }
    return spreadOf(times).median;
}

/// What the child does.
Result<int> probe(Context& context, host::LoadRequest request) {
    if (request.contextTokens == 0) request.contextTokens = kFirstTokenPrompt + 1;
    LOADER_TRY(const Loaded loaded, loadModel(context, request));
    const std::uint32_t limit = loaded.model->program().positionLimit;
    const std::uint32_t tokens = limit != 0 ? std::min(limit, kFirstTokenPrompt) : kFirstTokenPrompt;
    Meter meter(*loaded.model, context.cancel);
    LOADER_CHECK(meter.prompt(std::min(tokens, loaded.model->contextTokens())));
    context.output.write(std::to_string(meter.bestToken()) + "\n");
    return 0;
}

double shareOf(double perSecond, double perToken, double ceiling) {
    return ceiling > 0.0 ? perSecond * perToken / ceiling : 0.0;
}

Json speedJson(std::uint32_t tokens, const std::vector<double>& values, double share) {
    const Spread spread = spreadOf(values);
    return {{"tokens", tokens},
            {"tokens_per_second", {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}}},
            {"share", share}};
}

struct Judged {
    double promptShare = 0.0;
    double generationShare = 0.0;
    bool integerPrompt = false;
};

Judged judge(const Plan& plan, const Speeds& speeds, const host::Ceilings& ceilings,
             const host::ModelWork& work, double kv) {
    Judged judged;
    judged.integerPrompt = work.quantised;
    if (plan.prompt != 0) {
        const double perToken =
            2.0 * (static_cast<double>(work.macs) + static_cast<double>(work.headMacs) / plan.prompt);
        judged.promptShare = shareOf(spreadOf(speeds.prompt).median, perToken,
                                     work.quantised ? ceilings.int8OpsPerSecond : ceilings.f32FlopsPerSecond);
    }
    const double reading = std::max(ceilings.memoryReadBytesPerSecond, ceilings.workingSetReadBytesPerSecond);
    judged.generationShare =
        shareOf(spreadOf(speeds.generation).median, static_cast<double>(work.weightBytes) + kv, reading);
    return judged;
}

void printTable(Output& output, const Json& result, const host::Ceilings& ceilings, bool integerPrompt) {
    const auto line = [&output](const char* what, const Json& speed, const char* against) {
        char text[200];
        const Json& rate = speed["tokens_per_second"];
        std::snprintf(
            text, sizeof text, "%-12s %6u tokens  %10.2f tokens/s  (min %.2f, max %.2f)  %5.1f %% of %s\n",
            what, speed["tokens"].get<unsigned>(), rate["median"].get<double>(), rate["min"].get<double>(),
            rate["max"].get<double>(), speed["share"].get<double>() * 100.0, against);
        output.write(text);
    };
    output.write("Model        " + result["model"].get<std::string>() + "\nBack end     " +
                 result["backend"].get<std::string>() + " on " + result["device"].get<std::string>() + ", " +
                 result["threads"].dump() + " threads\n");
    line("Prompt", result["prompt"], integerPrompt ? "int8 throughput" : "f32 throughput");
    line("Generation", result["generation"], "read bandwidth");
    char text[400];
    std::snprintf(
        text, sizeof text,
        "Depth        %u\nLoad         %.1f ms\nFirst token  %.1f ms (process start, 128-token prompt)\n"
        "Memory       %s at most\n"
        "Ceilings     %.2f GB/s memory read, %.2f GB/s on the model's own size, %.1f G int8 op/s, "
        "%.1f GFLOP/s f32 (%s)\n",
        result["depth"].get<unsigned>(), result["load_ms"].get<double>(),
        result["first_token_ms"].get<double>(),
        host::sizeText(result["peak_memory_bytes"].get<std::uint64_t>()).c_str(),
        ceilings.memoryReadBytesPerSecond / 1e9, ceilings.workingSetReadBytesPerSecond / 1e9,
        ceilings.int8OpsPerSecond / 1e9, ceilings.f32FlopsPerSecond / 1e9, ceilings.kernels.c_str());
    output.write(text);
}

}  // namespace

Result<int> benchCommand(Context& context) {
    LOADER_TRY(Plan plan, readPlan(context.arguments));
    LOADER_TRY(host::LoadRequest request, loadRequest(context));
    if (context.arguments.has("first-token-probe")) return probe(context, request);
    LOADER_CHECK(fitToPositions(context.arguments, request.path, plan));
    const std::uint32_t longest = std::max({plan.prompt, plan.depth + plan.generate, 1u});
    if (request.contextTokens != 0 && request.contextTokens < longest)
        return Error(Errc::R902, {std::to_string(longest), std::to_string(request.contextTokens)});
    if (request.contextTokens == 0) request.contextTokens = longest;

    LOADER_TRY(const double firstToken, firstTokenMs(context.cancel));
    LOADER_TRY(const Loaded loaded, loadModel(context, request));
    host::LoadedModel& model = *loaded.model;
    LOADER_TRY(const Speeds speeds, measure(model, plan, context.cancel));
    // Before the ceilings take memory of their own.
    const std::uint64_t peak = host::peakResidentBytes();

    const host::ModelWork work = host::workOf(model.program());
    const double kv =
        plan.keepCache
            ? static_cast<double>(host::kvBytes(model.program(), request.kv, plan.depth + plan.generate / 2))
            : 0.0;
    LOADER_TRY(const host::Ceilings ceilings,
               host::measureCeilings(model.report().threads, work.weightBytes, context.cancel));
    const Judged judged = judge(plan, speeds, ceilings, work, kv);
    const Json result = {{"model", model.name()},
                         {"backend", model.report().backend},
                         {"device", model.report().device},
                         {"threads", model.report().threads},
                         {"prompt", speedJson(plan.prompt, speeds.prompt, judged.promptShare)},
                         {"generation", speedJson(plan.generate, speeds.generation, judged.generationShare)},
                         {"depth", plan.depth},
                         {"load_ms", model.report().loadMilliseconds},
                         {"first_token_ms", firstToken},
                         {"peak_memory_bytes", peak},
                         {"ceilings",
                          {{"memory_read_bytes_per_second", ceilings.memoryReadBytesPerSecond},
                           {"int8_ops_per_second", ceilings.int8OpsPerSecond},
                           {"f32_flops_per_second", ceilings.f32FlopsPerSecond},
                           {"working_set_read_bytes_per_second", ceilings.workingSetReadBytesPerSecond},
                           {"kernels", ceilings.kernels}}},
                         {"load_report", model.report().toJson()}};
    if (context.output.json())
        context.output.writeJson(result);
    else
        printTable(context.output, result, ceilings, judged.integerPrompt);
    return 0;
}

}  // namespace loader::cli
