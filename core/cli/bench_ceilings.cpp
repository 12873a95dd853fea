// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/cli/bench_ceilings.h"

#include <QCoreApplication>
#include <QProcess>
#include <algorithm>
#include <cstdio>

#include "core/app/benchmark/statistics.h"
#include "core/engine/base/thread_pool.h"

namespace loader::cli {
namespace {

constexpr int kChildTimeoutMs = 600'000;

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

double shareOf(double perSecond, double perToken, double ceiling) {
    return ceiling > 0.0 ? perSecond * perToken / ceiling : 0.0;
}

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

}  // namespace

Json ceilingsJson(const host::Ceilings& ceilings) {
    return {{"memory_read_bytes_per_second", ceilings.memoryReadBytesPerSecond},
            {"int8_ops_per_second", ceilings.int8OpsPerSecond},
            {"int16_ops_per_second", ceilings.int16OpsPerSecond},
            {"f32_flops_per_second", ceilings.f32FlopsPerSecond},
            {"working_set_read_bytes_per_second", ceilings.workingSetReadBytesPerSecond},
            {"kernels", ceilings.kernels}};
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

Judged judge(const BenchPlan& plan, const Speeds& speeds, const host::Ceilings& ceilings,
             const host::ModelWork& work, double kv) {
    Judged judged;
    judged.against = promptCeiling(work.products, ceilings);
    if (plan.prompt != 0) {
        const double perToken =
            2.0 * (static_cast<double>(work.macs) + static_cast<double>(work.headMacs) / plan.prompt);
        judged.promptShare = shareOf(app::spreadOf(speeds.prompt).median, perToken, judged.against.perSecond);
    }
    const double reading = std::max(ceilings.memoryReadBytesPerSecond, ceilings.workingSetReadBytesPerSecond);
    judged.generationShare =
        shareOf(app::spreadOf(speeds.generation).median, static_cast<double>(work.weightBytes) + kv, reading);
    return judged;
}

}  // namespace loader::cli
