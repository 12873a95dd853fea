// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/backend_manager/model_host.h"

#include "core/engine/base/memory_facts.h"
#include "core/engine/base/thread_pool.h"

namespace loader::app {

using namespace protocol;

ModelHost::~ModelHost() = default;

Result<std::unique_ptr<ModelHost>> ModelHost::load(const LoadRequest& request, const HostOptions& options,
                                                   const LoadProgress& progress, CancelToken cancel) {
    auto host = std::unique_ptr<ModelHost>(new ModelHost(request, options));
    // A worker in its sandbox cannot ask the system.
    if (host->m_request.threads == 0) host->m_request.threads = physicalCores();
    const Status built = host->buildChain();
    if (!built.ok()) {
        host->tell(built);
        return built.error();
    }
    LOADER_CHECK(host->walk(progress, cancel));
    return host;
}

Status ModelHost::buildChain() {
    std::vector<BackendCandidate> backends;
    if (m_request.backend != "cpu") {
        if (m_options.backends) {
            backends = *m_options.backends;
        } else {
            LOADER_TRY(backends,
                       probeFor(m_request, m_options.worker, m_options.probes, m_options.policy.preferred));
        }
    }
    m_chain = makeChain(m_request, backends, m_steps, m_options.policy);
    if (!m_chain.empty()) return {};
    std::string known;
    for (const BackendCandidate& backend : backends) {
        known += (known.empty() ? "" : ", ") + backend.entry.id;
        if (backend.entry.id != m_request.backend) continue;
        if (!backend.entry.refusal.empty()) return backend.entry.refusal.front();
        if (!backend.failure.empty()) return backend.failure.front();
        return Error(Errc::B703, {m_request.backend, "it has no device that may be used"});
    }
    return Error(Errc::B701, {m_request.backend, known});
}

void ModelHost::tell(const Status& outcome) const {
    if (!m_options.observer) return;
    LoadReport tried;
    tried.steps = m_steps;
    tried.overrides = m_request.overrides;
    if (outcome.ok())
        m_options.observer(m_request, m_loaded.report, std::nullopt);
    else
        m_options.observer(m_request, tried, outcome.error());
}

Status ModelHost::walk(const LoadProgress& progress, CancelToken cancel) {
    Status outcome = walkChain(progress, cancel);
    tell(outcome);
    return outcome;
}

Status ModelHost::walkChain(const LoadProgress& progress, CancelToken cancel) {
    std::size_t failures = 0;
    while (true) {
        const Link& link = m_chain[m_link];
        Status tried = m_losses.tooOften(link, LossRecord::Clock::now())
                           ? Status(Error(Errc::B709, {link.words()}))
                           : tryLink(link, progress, cancel);
        if (tried.ok()) return {};
        m_steps.push_back(
            {link.backend, link.device, link.gpuLayers.number, "failed", tried.error().toString()});
        Recovery next = recoveryFrom(tried.error(), ++failures);
        // A device that we chose and that is gone since; one that the user named is the user's to hear of.
        const bool gone = tried.error().code() == Errc::X001 && m_request.device.empty();
        if (gone && !link.device.empty()) next = Recovery::Next;
        if (next == Recovery::GiveUp) return tried;
        if (next == Recovery::Same) continue;
        if (m_link + 1 == m_chain.size()) return tried;
        ++m_link;
        failures = 0;
    }
}

Status ModelHost::tryLink(const Link& link, const LoadProgress& progress, CancelToken cancel) {
    LOADER_CHECK(cancel.check());
    WorkerOptions options = m_options.worker;
    options.backends = {link.backend};
    options.forGpu = link.gpu;
    // The old one first: two would need twice the memory.
    m_worker.reset();
    LOADER_TRY(auto worker, WorkerClient::start(options));
    LoadRequest request = m_request;
    request.backend = link.backend;
    request.device = link.device;
    request.gpuLayers = link.gpuLayers;
    if (link.selfTested) request.selfTest = false;
    request.available = availableMemory();
    LOADER_TRY(Loaded loaded, worker->load(request, progress, cancel));
    m_steps.insert(m_steps.end(), loaded.report.steps.begin(), loaded.report.steps.end());
    loaded.report.steps = m_steps;
    m_loaded = std::move(loaded);
    m_worker = std::move(worker);
    return {};
}

Result<bool> ModelHost::recover(const Error& error, std::size_t& failures, CancelToken cancel) {
    const Recovery next = recoveryFrom(error, ++failures);
    if (next == Recovery::GiveUp) return false;
    Link& link = m_chain[m_link];
    // What was tested before it was lost is trusted again only after another test.
    link.selfTested = false;
    m_steps.push_back({link.backend, link.device, link.gpuLayers.number, "lost", error.toString()});
    m_losses.note(link, LossRecord::Clock::now());
    if (next == Recovery::Next) {
        if (m_link + 1 == m_chain.size()) return false;
        ++m_link;
        failures = 0;
    }
    LOADER_CHECK(walk({}, cancel));
    return true;
}

template <class T, class Call>
Result<T> ModelHost::withRecovery(const Call& call, CancelToken cancel) {
    std::size_t failures = 0;
    while (true) {
        // An earlier call may have ended with the last worker dead.
        if (!m_worker) LOADER_CHECK(walk({}, cancel));
        Result<T> result = call();
        if (result.ok()) return result;
        LOADER_TRY(const bool again, recover(result.error(), failures, cancel));
        if (!again) return result;
    }
}

Result<std::vector<TokenId>> ModelHost::prepare(const Prepare& how, std::string_view text,
                                                CancelToken cancel) {
    return withRecovery<std::vector<TokenId>>([&] { return m_worker->prepare(how, text, cancel); }, cancel);
}

Result<std::vector<float>> ModelHost::score(std::span<const TokenId> ids, CancelToken cancel) {
    return withRecovery<std::vector<float>>([&] { return m_worker->score(ids, cancel); }, cancel);
}

Result<Answer> ModelHost::generate(std::span<const TokenId> prompt, const AnswerOptions& options,
                                   const AnswerCallbacks& callbacks, CancelToken cancel) {
    m_writing = true;
    auto answer = write(prompt, options, callbacks, cancel);
    m_writing = false;
    return answer;
}

Result<Answer> ModelHost::write(std::span<const TokenId> prompt, const AnswerOptions& options,
                                const AnswerCallbacks& callbacks, CancelToken cancel) {
    Answer whole;
    AnswerOptions now = options;
    std::size_t failures = 0;
    while (true) {
        if (!m_worker) LOADER_CHECK(walk({}, cancel));
        auto part = m_worker->generate(prompt, now, callbacks, cancel);
        const bool refused = !part.ok();
        if (refused && !isWorkerDeath(part.error())) return part;
        Error failure = refused ? part.error() : Error(Errc::X002);
        if (!refused) {
            part->text = whole.text + part->text;
            whole = std::move(*part);
            if (!whole.error) return whole;
            failure = *whole.error;
        }
        // What was written is the truth; whoever comes next goes on behind it.
        now.produced = refused ? now.produced : whole.ids;
        auto again = recover(failure, failures, cancel);
        if (again.ok() && *again) continue;
        whole.stopReason = "error";
        whole.error = again.ok() ? failure : again.error();
        if (whole.error->code() == Errc::X002) {
            whole.stopReason = "cancelled";
            whole.error.reset();
        }
        return whole;
    }
}

}  // namespace loader::app
