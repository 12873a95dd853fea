// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A model that the user loaded, whatever happens to the workers that run it. It walks the chain until a test
// token came out, keeps what an answer needs to go on, and goes on elsewhere when a worker or a device is
// lost.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/app/backend_manager/prober.h"
#include "core/app/worker_client/worker_client.h"

namespace loader::app {

/// Told how every load ended, later ones after a loss too: what was tried and what runs now, or why nothing
/// does (then only the steps of the report mean something).
using LoadObserver = std::function<void(const protocol::LoadRequest&, const protocol::LoadReport&,
                                        const std::optional<Error>&)>;

struct HostOptions {
    /// Program, plugin folder, sandbox and limits of the workers; what a link needs is filled in for each.
    WorkerOptions worker;
    /// What the probes found, in place of probing.
    std::optional<std::vector<BackendCandidate>> backends;
    ProbeMemory probes;
    LoadObserver observer;
    ChainPolicy policy;
};

/// @thread confined to one thread; every call may take as long as its limits allow.
class ModelHost {
public:
    /// @errors those of the last link; F802 … F805; X002. Each earlier link is in the report.
    static Result<std::unique_ptr<ModelHost>> load(const protocol::LoadRequest& request,
                                                   const HostOptions& options, const LoadProgress& progress,
                                                   CancelToken cancel);
    ~ModelHost();

    const protocol::Loaded& model() const { return m_loaded; }
    /// Of the link that runs now, with all that was tried since the model was first asked for.
    const protocol::LoadReport& report() const { return m_loaded.report; }
    const protocol::SandboxFacts& sandbox() const { return m_worker->sandbox(); }
    /// Of the back end that it runs on: Loaded, and Running while it writes an answer.
    BackendState state() const { return m_writing ? BackendState::Running : BackendState::Loaded; }

    /// As WorkerClient; the worker may be another one afterwards.
    Result<std::vector<TokenId>> prepare(const protocol::Prepare& how, std::string_view text,
                                         CancelToken cancel);
    /// One continuous answer, over any number of workers. @errors as WorkerClient::generate; where the chain
    ///         ends, the last failure is in Answer::error
    Result<protocol::Answer> generate(std::span<const TokenId> prompt, const protocol::AnswerOptions& options,
                                      const protocol::AnswerCallbacks& callbacks, CancelToken cancel);
    Result<std::vector<float>> score(std::span<const TokenId> ids, CancelToken cancel);
    /// Of the worker that runs now; for tests and reports.
    WorkerClient& worker() { return *m_worker; }

private:
    ModelHost(const protocol::LoadRequest& request, const HostOptions& options)
        : m_request(request), m_options(options) {}
    Status buildChain();
    /// Tries links until one holds, and tells the observer.
    Status walk(const LoadProgress& progress, CancelToken cancel);
    Status walkChain(const LoadProgress& progress, CancelToken cancel);
    void tell(const Status& outcome) const;
    Status tryLink(const Link& link, const LoadProgress& progress, CancelToken cancel);
    Result<protocol::Answer> write(std::span<const TokenId> prompt, const protocol::AnswerOptions& options,
                                   const protocol::AnswerCallbacks& callbacks, CancelToken cancel);
    /// After a failure: a worker that runs again, on this link or a later one.
    /// @return false where nothing is left to try
    Result<bool> recover(const Error& error, std::size_t& failures, CancelToken cancel);
    template <class T, class Call>
    Result<T> withRecovery(const Call& call, CancelToken cancel);

    protocol::LoadRequest m_request;
    HostOptions m_options;
    std::vector<Link> m_chain;
    std::size_t m_link = 0;
    std::vector<protocol::LoadStep> m_steps;
    LossRecord m_losses;
    std::unique_ptr<WorkerClient> m_worker;
    protocol::Loaded m_loaded;
    bool m_writing = false;
};

}  // namespace loader::app
