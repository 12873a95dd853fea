// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/cpu/exec/cpu_backend.h"

#include "backends/api/device_list.h"
#include "backends/cpu/exec/cpu_session.h"
#include "backends/cpu/isa/cpu_features.h"
#include "core/engine/base/thread_pool.h"

namespace loader::cpu {
namespace {

using namespace backend;

unsigned teamSize(const LoadOptions& options) {
    return options.threads != 0 ? options.threads : physicalCores();
}

/// Models up to this width are multiplied with activations of two terms: with few dimensions the roundings of
/// one term do not average out, and such models are quick anyway.
constexpr std::uint32_t kExactWidth = 768;

Result<KernelTable> kernelsFor(const graph::Program& program, const LoadOptions& options) {
    const auto wanted = options.tier.empty() ? detectTier() : tierFromName(options.tier);
    if (!wanted) return Error(Errc::X001, {"There is no instruction set tier named " + options.tier + "."});
    const KernelTable table = selectKernels(allowedTier(wanted));
    return program.width <= kExactWidth ? withExactActivations(table) : table;
}

class CpuModel final : public Model {
public:
    explicit CpuModel(LoadedParts parts) : m_parts(std::move(parts)) {}

    LoadEffects effects() const override {
        LoadEffects effects;
        effects.used = sessionMemory(m_parts.program, m_parts.plan, m_parts.options, m_parts.threads);
        effects.tier = tierName(m_parts.kernels.tier);
        effects.threads = m_parts.threads;
        return effects;
    }
    Result<std::unique_ptr<Session>> openSession(const SessionOptions& options) override {
        return makeCpuSession(m_parts, options);
    }

private:
    LoadedParts m_parts;
};

}  // namespace

Result<std::vector<DeviceFacts>> CpuBackend::devices() {
    return std::vector<DeviceFacts>{
        {"cpu", "Processor", std::string(tierName(detectTier())), DeviceKind::Cpu, 0, 0}};
}

Result<DeviceFacts> CpuBackend::device(const std::string& id) {
    return findDevice(*this, id);
}

Result<PlanReport> CpuBackend::plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                    const std::string&, const LoadOptions& options) {
    LOADER_TRY(const KernelTable kernels, kernelsFor(program, options));
    PlanReport report;
    report.unsupported = unsupportedParts(program, segments, kernels);
    if (!report.unsupported.empty()) return report;
    report.needed =
        sessionMemory(program, ExecutionPlan::make(program, segments, kernels), options, teamSize(options));
    report.needed.weights = graph::weightBytes(program, segments);
    return report;
}

Result<std::unique_ptr<Model>> CpuBackend::load(const graph::Program& program, Weights weights,
                                                std::span<const std::uint32_t> segments, const std::string&,
                                                const LoadOptions& options, Progress* progress,
                                                CancelToken cancel) {
    LOADER_CHECK(cancel.check());
    if (segments.empty()) return Error(Errc::B702, {"cpu", "no part of the model was asked for"});
    LOADER_TRY(KernelTable kernels, kernelsFor(program, options));
    const std::vector<std::string> unsupported = unsupportedParts(program, segments, kernels);
    if (!unsupported.empty()) return Error(Errc::B702, {"cpu", unsupported.front()});
    ExecutionPlan plan = ExecutionPlan::make(program, segments, kernels);
    LoadedParts parts{program,          {weights.begin(), weights.end()}, kernels, std::move(plan), options,
                      teamSize(options)};
    if (progress) progress->report(1, 1);  // nothing is copied: the file is used where it is
    return std::unique_ptr<Model>(std::make_unique<CpuModel>(std::move(parts)));
}

}  // namespace loader::cpu
