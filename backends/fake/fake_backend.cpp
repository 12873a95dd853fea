// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "backends/fake/fake_backend.h"

#include "backends/fake/fake_session.h"

namespace loader::fake {
namespace {

using namespace backend;

constexpr std::string_view kScriptPrefix = "script:";
/// Reports of progress while loading takes its time.
constexpr std::uint64_t kLoadSteps = 10;

Error scripted(Errc code) {
    return Error(code, {"fake", "as its script says"});
}

class FakeModel final : public Model {
public:
    FakeModel(const graph::Program& program, std::span<const std::uint32_t> segments, FakeScript script)
        : m_parts{program, {segments.begin(), segments.end()}, std::move(script)} {}

    LoadEffects effects() const override {
        LoadEffects effects;
        effects.used.weights = m_parts.script.bytes;
        effects.tier = "fake";
        effects.threads = 1;
        return effects;
    }
    Result<std::unique_ptr<Session>> openSession(const SessionOptions& options) override {
        return makeFakeSession(m_parts, options);
    }

private:
    FakeParts m_parts;
};

}  // namespace

Result<FakeScript> FakeBackend::scriptOf(const std::string& device) const {
    if (device.empty() || device == id()) return m_script;
    if (device.starts_with(kScriptPrefix)) return parseFakeScript(device.substr(kScriptPrefix.size()));
    return Error(Errc::X001, {"The fake back end has no device " + device + "."});
}

Result<std::vector<DeviceFacts>> FakeBackend::devices() {
    if (m_script.devicesError) return scripted(*m_script.devicesError);
    return std::vector<DeviceFacts>{{id(), "Scripted", "computes nothing", DeviceKind::Virtual, 0, 0}};
}

Result<PlanReport> FakeBackend::plan(const graph::Program&, const std::string& device, const LoadOptions&) {
    LOADER_TRY(const FakeScript script, scriptOf(device));
    PlanReport report;
    report.needed.weights = script.bytes;
    if (!script.unsupported.empty()) report.unsupported.push_back(script.unsupported);
    return report;
}

Result<std::unique_ptr<Model>> FakeBackend::load(const graph::Program& program, Weights,
                                                 std::span<const std::uint32_t> segments,
                                                 const std::string& device, const LoadOptions&,
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
    return std::unique_ptr<Model>(std::make_unique<FakeModel>(program, segments, std::move(script)));
}

}  // namespace loader::fake
