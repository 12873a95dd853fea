// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/fake/fake_backend.h"

#include <algorithm>
#include <set>

#include "backends/fake/fake_session.h"
#include "backends/reference/reference_backend.h"

namespace loader::fake {
namespace {

using namespace backend;

constexpr std::string_view kScriptPrefix = "script:";
/// Reports of progress while loading takes its time.
constexpr std::uint64_t kLoadSteps = 10;

Error scripted(Errc code) {
    return Error(code, {"fake", "as its script says"});
}

std::uint64_t bytesOf(const FakeScript& script, const graph::Program& program,
                      std::span<const std::uint32_t> segments) {
    return script.bytes != 0 ? script.bytes : graph::weightBytes(program, segments);
}

std::size_t layersOf(const graph::Program& program, std::span<const std::uint32_t> segments) {
    std::set<std::uint32_t> layers;
    for (const std::uint32_t index : segments) {
        const graph::Segment& segment = program.segments[index];
        const bool inLayer =
            segment.kind == graph::SegmentKind::Mixer || segment.kind == graph::SegmentKind::FeedForward;
        if (inLayer) layers.insert(segment.layer);
    }
    return layers.size();
}

class FakeModel final : public Model {
public:
    /// @param computing what computes in its place; none where nothing is computed
    FakeModel(const graph::Program& program, std::span<const std::uint32_t> segments, FakeScript script,
              std::unique_ptr<Model> computing)
        : m_parts{program, {segments.begin(), segments.end()}, std::move(script)},
          m_computing(std::move(computing)) {}

    LoadEffects effects() const override {
        LoadEffects effects;
        effects.used.weights = bytesOf(m_parts.script, m_parts.program, m_parts.segments);
        effects.tier = "fake";
        effects.threads = 1;
        return effects;
    }
    Result<std::unique_ptr<Session>> openSession(const SessionOptions& options) override {
        std::unique_ptr<Session> computing;
        if (m_computing) {
            LOADER_TRY(computing, m_computing->openSession(options));
        }
        return makeFakeSession(m_parts, options, std::move(computing));
    }

private:
    FakeParts m_parts;
    std::unique_ptr<Model> m_computing;
};

}  // namespace

Result<FakeScript> FakeBackend::scriptOf(const std::string& device) const {
    if (device.empty() || device == id()) return m_script;
    if (device.starts_with(kScriptPrefix)) return parseFakeScript(device.substr(kScriptPrefix.size()));
    return Error(Errc::X001, {"The fake back end has no device " + device + "."});
}

Result<std::vector<DeviceFacts>> FakeBackend::devices() {
    if (m_script.devicesError) return scripted(*m_script.devicesError);
    LOADER_TRY(const DeviceFacts facts, device(id()));
    return std::vector<DeviceFacts>{facts};
}

Result<DeviceFacts> FakeBackend::device(const std::string& wanted) {
    LOADER_TRY(const FakeScript script, scriptOf(wanted));
    if (script.devicesError) return scripted(*script.devicesError);
    DeviceFacts facts;
    facts.id = wanted.empty() ? id() : wanted;
    facts.name = "Scripted";
    facts.detail = script.compute ? "computes slowly" : "computes nothing";
    facts.kind = script.gpu ? DeviceKind::DiscreteGpu : DeviceKind::Virtual;
    facts.memoryBytes = script.memoryMib << 20U;
    facts.freeBytes = facts.memoryBytes;
    return facts;
}

Result<PlanReport> FakeBackend::plan(const graph::Program& program, std::span<const std::uint32_t> segments,
                                     const std::string& device, const LoadOptions& options) {
    LOADER_TRY(const FakeScript script, scriptOf(device));
    PlanReport report;
    if (script.compute) {
        LOADER_TRY(report, ReferenceBackend().plan(program, segments, "", options));
    }
    report.needed.weights = bytesOf(script, program, segments);
    if (!script.unsupported.empty()) report.unsupported.push_back(script.unsupported);
    return report;
}

Result<std::unique_ptr<Model>> FakeBackend::load(const graph::Program& program, Weights weights,
                                                 std::span<const std::uint32_t> segments,
                                                 const std::string& device, const LoadOptions& options,
                                                 Progress* progress, CancelToken cancel) {
    LOADER_TRY(FakeScript script, scriptOf(device));
    if (!script.unsupported.empty()) return Error(Errc::B702, {id(), script.unsupported});
    if (segments.empty()) return Error(Errc::B702, {id(), "no part of the model was asked for"});
    for (std::uint64_t step = 1; step <= kLoadSteps; ++step) {
        LOADER_CHECK(cancel.check());
        LOADER_CHECK(waitFor(script.loadMilliseconds / kLoadSteps, cancel));
        if (progress) progress->report(step, kLoadSteps);
    }
    if (script.loadError) return scripted(*script.loadError);
    if (script.mostLayers && layersOf(program, segments) > *script.mostLayers)
        return Error(Errc::R901, {"more than " + std::to_string(*script.mostLayers) + " layers"}, device);
    std::unique_ptr<Model> computing;
    if (script.compute) {
        LOADER_TRY(computing,
                   ReferenceBackend().load(program, weights, segments, "", options, nullptr, cancel));
    }
    return std::unique_ptr<Model>(
        std::make_unique<FakeModel>(program, segments, std::move(script), std::move(computing)));
}

}  // namespace loader::fake
