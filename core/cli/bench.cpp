// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf bench: speeds, times and memory of a model, and which part of this machine's ceilings they reach. The
// time to the first token is that of fresh child processes, from their start to the first token of a
// 128-token prompt. The ceilings are measured before and after the model, in child processes too, and the
// larger figures count: two virtual processors may share a core for a while, and a ceiling taken in such a
// moment would lie below what the model reached in a better one. Where it still does, it is measured again.

#include <QCoreApplication>
#include <QProcess>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/cli/context.h"
#include "core/engine/base/memory_facts.h"
#include "core/engine/base/thread_pool.h"
#include "core/host/ceilings.h"
#include "core/host/model_work.h"

namespace loader::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kFirstTokenPrompt = 128;
constexpr int kChildTimeoutMs = 600'000;
/// How often the ceilings are measured at most after the model.
constexpr int kCeilingRounds = 8;
/// Enough for pages to come in, threads to wake and clocks to rise.
constexpr std::uint32_t kWarmUpTokens = 8;

struct Plan {
    std::uint32_t prompt = 512;
    std::uint32_t generate = 64;
    std::uint32_t depth = 0;
    std::uint32_t repetitions = 5;
    std::uint32_t firstTokenRuns = 3;
    bool keepCache = true;
    bool warmUp = true;
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
    Status generate(const Plan& plan, std::uint32_t tokens);
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

Status Meter::generate(const Plan& plan, std::uint32_t tokens) {
    for (std::uint32_t i = 0; i < tokens; ++i) {
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

/// The words of this command line again, without what only the parent does.
QStringList probeArguments() {
    QStringList words = QCoreApplication::arguments();
    words.removeFirst();
    words.insert(1, QStringLiteral("--first-token-probe"));
    return words;
}

/// Milliseconds from the start of a process to its first token, the median of some runs.
Result<double> firstTokenMs(std::uint32_t runs, CancelToken cancel) {
    std::vector<double> times;
    for (std::uint32_t run = 0; run < runs; ++run) {
        LOADER_CHECK(cancel.check());
        QProcess child;
        child.setStandardErrorFile(QProcess::nullDevice());
        const auto start = Clock::now();
        child.start(QCoreApplication::applicationFilePath(), probeArguments());
        const bool answered = child.waitForReadyRead(kChildTimeoutMs);
        times.push_back(secondsSince(start) * 1000.0);
        child.waitForFinished(kChildTimeoutMs);
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

Json ceilingsJson(const host::Ceilings& ceilings) {
    return {{"memory_read_bytes_per_second", ceilings.memoryReadBytesPerSecond},
            {"int8_ops_per_second", ceilings.int8OpsPerSecond},
            {"int16_ops_per_second", ceilings.int16OpsPerSecond},
            {"f32_flops_per_second", ceilings.f32FlopsPerSecond},
            {"working_set_read_bytes_per_second", ceilings.workingSetReadBytesPerSecond},
            {"kernels", ceilings.kernels}};
}

host::Ceilings ceilingsFrom(const Json& json) {
    host::Ceilings ceilings;
    const auto figure = [&json](const char* key) { return json.value(key, 0.0); };
    ceilings.memoryReadBytesPerSecond = figure("memory_read_bytes_per_second");
    ceilings.int8OpsPerSecond = figure("int8_ops_per_second");
    ceilings.int16OpsPerSecond = figure("int16_ops_per_second");
    ceilings.f32FlopsPerSecond = figure("f32_flops_per_second");
    ceilings.workingSetReadBytesPerSecond = figure("working_set_read_bytes_per_second");
    ceilings.kernels = json.value("kernels", "");
    return ceilings;
}

std::string ceilingsText(const host::Ceilings& ceilings) {
    char text[240];
    std::snprintf(text, sizeof text,
                  "%.2f GB/s memory read, %.1f G int8 op/s, %.1f G int16 op/s, %.1f GFLOP/s f32 (%s)",
                  ceilings.memoryReadBytesPerSecond / 1e9, ceilings.int8OpsPerSecond / 1e9,
                  ceilings.int16OpsPerSecond / 1e9, ceilings.f32FlopsPerSecond / 1e9,
                  ceilings.kernels.c_str());
    return text;
}

/// What `gguf bench --ceilings` does.
Result<int> printCeilings(Context& context) {
    const Arguments& arguments = context.arguments;
    LOADER_TRY(const auto threads, arguments.number("threads", 1, 1024));
    LOADER_TRY(const auto workingSet, arguments.number("working-set", 0, std::uint64_t{1} << 50));
    host::CeilingPlan plan;
    plan.threads = static_cast<unsigned>(threads.value_or(physicalCores()));
    plan.workingSetBytes = workingSet.value_or(0);
    plan.quick = arguments.has("quick");
    LOADER_TRY(const host::Ceilings ceilings, host::measureCeilings(plan, context.cancel));
    if (context.output.json())
        context.output.writeJson({{"threads", ceilings.threads}, {"ceilings", ceilingsJson(ceilings)}});
    else
        context.output.write(std::to_string(ceilings.threads) + " threads: " + ceilingsText(ceilings) + "\n");
    return 0;
}

/// Measured by another process, so that their memory does not count as this one's.
Result<host::Ceilings> ceilingsByChild(unsigned threads, std::uint64_t workingSetBytes, CancelToken cancel) {
    QProcess child;
    child.setStandardErrorFile(QProcess::nullDevice());
    child.start(QCoreApplication::applicationFilePath(),
                {QStringLiteral("bench"), QStringLiteral("--ceilings"), QStringLiteral("--json"),
                 QStringLiteral("--threads"), QString::number(threads), QStringLiteral("--working-set"),
                 QString::number(workingSetBytes)});
    const bool finished = child.waitForFinished(kChildTimeoutMs);
    LOADER_CHECK(cancel.check());
    const Json said = Json::parse(child.readAllStandardOutput().toStdString(), nullptr, false);
    const bool fine = finished && child.exitStatus() == QProcess::NormalExit && child.exitCode() == 0 &&
                      said.is_object() && said.contains("ceilings");
    if (!fine) return Error(Errc::X003, {"the process that measures the machine's ceilings failed"});
    return ceilingsFrom(said["ceilings"]);
}

double shareOf(double perSecond, double perToken, double ceiling) {
    return ceiling > 0.0 ? perSecond * perToken / ceiling : 0.0;
}

/// @param share of the ceiling; null where none was measured
Json speedJson(std::uint32_t tokens, const std::vector<double>& values, const Json& share) {
    const Spread spread = spreadOf(values);
    return {{"tokens", tokens},
            {"tokens_per_second", {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}}},
            {"share", share}};
}

/// One of the ceilings, with its names in JSON and for people.
struct PromptCeiling {
    const char* key;
    const char* name;
    double perSecond;
};

PromptCeiling promptCeiling(host::Products products, const host::Ceilings& ceilings) {
    const PromptCeiling f32{"f32_flops_per_second", "f32 throughput", ceilings.f32FlopsPerSecond};
    const PromptCeiling int16{"int16_ops_per_second", "int16 throughput", ceilings.int16OpsPerSecond};
    switch (products) {
        case host::Products::Int8:
            return {"int8_ops_per_second", "int8 throughput", ceilings.int8OpsPerSecond};
        // Where the processor has nothing fast for 16 bits, floats are the better way.
        case host::Products::Int16: return int16.perSecond > f32.perSecond ? int16 : f32;
        case host::Products::Float: break;
    }
    return f32;
}

struct Judged {
    double promptShare = 0.0;
    double generationShare = 0.0;
    PromptCeiling against{};

    /// Then the ceiling is wrong, not the speed.
    bool exceeds() const { return promptShare > 1.0 || generationShare > 1.0; }
};

Judged judge(const Plan& plan, const Speeds& speeds, const host::Ceilings& ceilings,
             const host::ModelWork& work, double kv) {
    Judged judged;
    judged.against = promptCeiling(work.products, ceilings);
    if (plan.prompt != 0) {
        const double perToken =
            2.0 * (static_cast<double>(work.macs) + static_cast<double>(work.headMacs) / plan.prompt);
        judged.promptShare = shareOf(spreadOf(speeds.prompt).median, perToken, judged.against.perSecond);
    }
    const double reading = std::max(ceilings.memoryReadBytesPerSecond, ceilings.workingSetReadBytesPerSecond);
    judged.generationShare =
        shareOf(spreadOf(speeds.generation).median, static_cast<double>(work.weightBytes) + kv, reading);
    return judged;
}

void printTable(Output& output, const Json& result, const host::Ceilings& ceilings,
                const PromptCeiling& against) {
    const auto line = [&output](const char* what, const Json& speed, const char* ceiling) {
        char text[200];
        const Json& rate = speed["tokens_per_second"];
        std::snprintf(text, sizeof text, "%-12s %6u tokens  %10.2f tokens/s  (min %.2f, max %.2f)", what,
                      speed["tokens"].get<unsigned>(), rate["median"].get<double>(),
                      rate["min"].get<double>(), rate["max"].get<double>());
        output.write(text);
        if (speed["share"].is_number()) {
            std::snprintf(text, sizeof text, "  %5.1f %% of %s", speed["share"].get<double>() * 100.0,
                          ceiling);
            output.write(text);
        }
        output.write("\n");
    };
    output.write("Model        " + result["model"].get<std::string>() + "\nBack end     " +
                 result["backend"].get<std::string>() + " on " + result["device"].get<std::string>() +
                 (against.key != nullptr ? ", " + result["threads"].dump() + " threads" : "") + "\n");
    line("Prompt", result["prompt"], against.name);
    line("Generation", result["generation"], "read bandwidth");
    char text[400];
    std::snprintf(text, sizeof text, "Depth        %u\nLoad         %.1f ms\n",
                  result["depth"].get<unsigned>(), result["load_ms"].get<double>());
    output.write(text);
    if (result["first_token_ms"].is_number()) {
        std::snprintf(text, sizeof text, "First token  %.1f ms (process start, 128-token prompt)\n",
                      result["first_token_ms"].get<double>());
        output.write(text);
    }
    std::snprintf(text, sizeof text, "Memory       %s at most\n",
                  sizeText(result["peak_memory_bytes"].get<std::uint64_t>()).c_str());
    output.write(text);
    if (against.key == nullptr) {
        output.write("Ceilings     those of a device are not measured\n");
        return;
    }
    std::snprintf(text, sizeof text, "Ceilings     %s, %.2f GB/s on the model's own size\n",
                  ceilingsText(ceilings).c_str(), ceilings.workingSetReadBytesPerSecond / 1e9);
    output.write(text);
}

}  // namespace

Result<int> benchCommand(Context& context) {
    if (context.arguments.has("ceilings")) return printCeilings(context);
    if (context.arguments.operands().empty()) return Error(Errc::X001, {"gguf bench needs a MODEL."});
    LOADER_TRY(Plan plan, readPlan(context.arguments));
    LOADER_TRY(host::LoadRequest request, loadRequest(context));
    // The context of a measurement follows from what is measured, not from what answers usually get.
    if (!context.arguments.has("context")) request.contextTokens = 0;
    if (context.arguments.has("first-token-probe")) return probe(context, request);
    LOADER_CHECK(fitToPositions(context.arguments, request.path, plan));
    const std::uint32_t longest = std::max({plan.prompt, plan.depth + plan.generate, 1u});
    if (request.contextTokens != 0 && request.contextTokens < longest)
        return Error(Errc::R902, {std::to_string(longest), std::to_string(request.contextTokens)});
    if (request.contextTokens == 0) request.contextTokens = longest;

    Json firstToken;
    if (plan.firstTokenRuns != 0) {
        LOADER_TRY(const double milliseconds, firstTokenMs(plan.firstTokenRuns, context.cancel));
        firstToken = milliseconds;
    }
    LOADER_TRY(const Loaded loaded, loadModel(context, request));
    host::LoadedModel& model = *loaded.model;
    const unsigned threads = model.report().threads;
    const host::ModelWork work = host::workOf(model.program());
    // The ceilings are the processor's; a device has others, which nobody measures here.
    const bool onProcessor = threads != 0;
    host::Ceilings ceilings;
    if (onProcessor) {
        LOADER_TRY(ceilings, ceilingsByChild(threads, work.weightBytes, context.cancel));
    }
    LOADER_TRY(const Speeds speeds, measure(model, plan, context.cancel));
    const double kv =
        plan.keepCache
            ? static_cast<double>(host::kvBytes(model.program(), request.kv, plan.depth + plan.generate / 2))
            : 0.0;
    Judged judged;
    int round = 0;
    while (onProcessor && (round == 0 || (judged.exceeds() && round < kCeilingRounds))) {
        LOADER_TRY(const host::Ceilings again, ceilingsByChild(threads, work.weightBytes, context.cancel));
        ceilings = host::larger(ceilings, again);
        judged = judge(plan, speeds, ceilings, work, kv);
        ++round;
    }
    const Json result = {
        {"model", model.name()},
        {"backend", model.report().backend},
        {"device", model.report().device},
        {"threads", threads},
        {"prompt", speedJson(plan.prompt, speeds.prompt, onProcessor ? Json(judged.promptShare) : Json())},
        {"generation",
         speedJson(plan.generate, speeds.generation, onProcessor ? Json(judged.generationShare) : Json())},
        {"depth", plan.depth},
        {"load_ms", model.report().loadMilliseconds},
        {"first_token_ms", firstToken},
        {"peak_memory_bytes", peakResidentBytes()},
        {"weight_bytes", work.weightBytes},
        {"prompt_ceiling", onProcessor ? Json(judged.against.key) : Json()},
        {"ceilings", onProcessor ? ceilingsJson(ceilings) : Json()},
        {"load_report", reportJson(model.report(), request)}};
    if (context.output.json())
        context.output.writeJson(result);
    else
        printTable(context.output, result, ceilings, judged.against);
    return 0;
}

}  // namespace loader::cli
