// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/reference/reference_backend.h"

#include "backends/api/device_list.h"
#include "backends/reference/reference_session.h"
#include "core/engine/base/thread_pool.h"

namespace loader::backend {
namespace {

constexpr const char* kDevice = "reference";

class ReferenceModel final : public Model {
public:
    ReferenceModel(const graph::Program& program, Weights weights, std::span<const std::uint32_t> segments,
                   unsigned threads)
        : m_program(program),
          m_weights(weights.begin(), weights.end()),
          m_segments(segments.begin(), segments.end()),
          m_threads(threads) {}

    LoadEffects effects() const override { return {MemoryParts{}, "double precision", m_threads}; }
    Result<std::unique_ptr<Session>> openSession(const SessionOptions& options) override {
        return makeReferenceSession(m_program, m_weights, m_segments, options, m_threads);
    }

private:
    const graph::Program& m_program;
    std::vector<Weight> m_weights;
    std::vector<std::uint32_t> m_segments;
    unsigned m_threads;
};

}  // namespace

Result<std::vector<DeviceFacts>> ReferenceBackend::devices() {
    return std::vector<DeviceFacts>{
        {kDevice, "Reference (double precision)", "for tests", DeviceKind::Virtual, 0, 0}};
}

Result<DeviceFacts> ReferenceBackend::device(const std::string& id) {
    return findDevice(*this, id);
}

Result<PlanReport> ReferenceBackend::plan(const graph::Program& program,
                                          std::span<const std::uint32_t> segments, const std::string&,
                                          const LoadOptions& options) {
    PlanReport report;
    report.needed.weights = graph::weightBytes(program, segments);
    for (const std::uint32_t index : segments) {
        for (const graph::Op& op : program.segments[index].ops) {
            const auto* store = std::get_if<graph::RopeStoreOp>(&op);
            if (!store) continue;
            const graph::KvLayer& kv = program.kvLayers[store->kvLayer];
            const std::uint64_t perToken =
                std::uint64_t{kv.kvHeads} * (kv.keyLength + kv.valueLength) * sizeof(double);
            report.needed.kv += perToken * options.contextTokens * options.sequences;
        }
    }
    for (const graph::Slot& slot : program.slots) {
        report.needed.compute += std::uint64_t{slot.width} * sizeof(double) * options.batchTokens;
    }
    report.needed.output = std::uint64_t{program.vocabulary} * sizeof(float);
    return report;
}

Result<std::unique_ptr<Model>> ReferenceBackend::load(const graph::Program& program, Weights weights,
                                                      std::span<const std::uint32_t> segments,
                                                      const std::string&, const LoadOptions& options,
                                                      Progress* progress, CancelToken cancel) {
    LOADER_CHECK(cancel.check());
    if (segments.empty()) return Error(Errc::B702, {"reference", "no part of the model was asked for"});
    if (progress) progress->report(1, 1);
    const unsigned threads = options.threads != 0 ? options.threads : physicalCores();
    return std::unique_ptr<Model>(std::make_unique<ReferenceModel>(program, weights, segments, threads));
}

}  // namespace loader::backend
