// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A worker as the application uses it: calls that wait for their answer, notice when the worker dies, hangs
// or breaks the rules, and never wait longer than its limits. After the first such error it is dead for good.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/app/worker_client/worker_process.h"
#include "core/engine/base/cancel_token.h"
#include "core/engine/base/mapped_file.h"
#include "core/protocol/session.h"

namespace loader::app {

struct WorkerLimits {
    /// From the start to the first message: plugins are loaded in this time.
    std::chrono::milliseconds start{8000};
    /// Without an answer to a ping: stopped, or starved to death.
    std::chrono::milliseconds silence{6000};
    /// At work without a sign of progress: a device or a disk hangs.
    std::chrono::milliseconds step{8000};
    /// For the end of an answer that was cancelled; afterwards it is left to end by itself.
    std::chrono::milliseconds cancel{250};
    /// For turning text into tokens.
    std::chrono::milliseconds prepare{60000};
};

struct WorkerOptions {
    /// Path of gguf-worker.
    std::string program;
    std::string pluginFolder;
    /// Back ends that are loaded before the sandbox closes.
    std::vector<std::string> backends;
    protocol::SandboxWish sandbox = protocol::SandboxWish::On;
    bool forGpu = false;
    /// Where drivers and the back end for GPUs keep what they made; made if missing, empty keeps nothing.
    std::string cacheFolder;
    bool inheritErrors = false;
    WorkerLimits limits;
};

using LoadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// True for errors after which the worker is gone; the model can be loaded again in another.
bool isWorkerDeath(const Error& error);

/// @thread confined to the thread that started it
class WorkerClient {
public:
    /// @errors W604 it cannot be started; deaths as below; B701, B706, B707 a back end that cannot be loaded
    static Result<std::unique_ptr<WorkerClient>> start(const WorkerOptions& options);
    ~WorkerClient();

    /// request.path names the model; its parts are opened here and handed over.
    /// @errors F802 … F805; those of host::LoadedModel; X002; deaths: W601 to W603, W605 to W607
    Result<protocol::Loaded> load(const protocol::LoadRequest& request, const LoadProgress& progress,
                                  CancelToken cancel);
    /// @errors T212, J402 to J414, X002, deaths
    Result<std::vector<TokenId>> prepare(const protocol::Prepare& how, std::string_view text,
                                         CancelToken cancel);
    /// What fails after the answer began, a death too, is in Answer::error, with all that came before.
    /// @errors X001, R902, T211, F801, deaths before the first piece
    Result<protocol::Answer> generate(std::span<const TokenId> prompt, const protocol::AnswerOptions& options,
                                      const protocol::AnswerCallbacks& callbacks, CancelToken cancel);
    /// @shape [vocabulary] @errors X001, R902, X002, deaths
    Result<std::vector<float>> score(std::span<const TokenId> ids, CancelToken cancel);
    /// For a worker without a model. @errors B703, deaths
    Result<std::vector<protocol::BackendEntry>> listBackends();
    /// What an estimate needs of a model file. @errors F802 … F805, those of reading a header, deaths
    Result<protocol::ModelFacts> readHeader(const std::string& path, const protocol::ReadHeader& how);
    /// What a list shows of one open file, which may be a part of a split set.
    /// @errors GG001 … GG062, F801, F805, deaths
    Result<protocol::IndexFacts> readIndex(const FileSource& file);
    /// Everything that stands in the header. @errors F802 … F805, those of reading a header, deaths
    Result<protocol::FileDetails> readDetails(const std::string& path, const std::string& architecture);
    Result<std::vector<protocol::DeviceEntry>> probe(const protocol::ProbeBackend& request);

    /// Why it is of no use any more; nothing while it is.
    const std::optional<Error>& death() const { return m_death; }
    const protocol::SandboxFacts& sandbox() const { return m_sandbox; }
    std::int64_t processId() const { return m_process->id(); }
    WorkerProcess& process() { return *m_process; }

private:
    using Clock = std::chrono::steady_clock;
    /// How long a call waits.
    struct Wait {
        CancelToken cancel;
        Clock::time_point until = Clock::time_point::max();
        bool cancelled = false;
        Clock::time_point began = Clock::now();
    };

    /// An answer on its way.
    struct Run {
        std::uint32_t request = 0;
        Wait wait;
        protocol::Answer answer;
        /// Bytes of text whose reading was not told yet.
        std::uint32_t unread = 0;
    };

    WorkerClient(const WorkerOptions& options, std::unique_ptr<WorkerProcess> process,
                 protocol::Channel channel);
    Status greet();
    /// Ends it for good. @return why, with how the process ended
    Error die(Error reason);
    /// The number of a new request.
    std::uint32_t begin(const char* phase);
    Status post(protocol::MessageType type, std::uint32_t request, std::vector<std::byte> payload,
                std::span<const std::intptr_t> descriptors = {}, const protocol::RequestLimits& limits = {});
    /// The next message of a request. @errors deaths, what the worker reports, X002 once the wait says so
    Result<protocol::Incoming> next(std::uint32_t request, Wait& wait);
    /// One message of that request, or nothing.
    Result<std::optional<protocol::Incoming>> step(std::uint32_t request, Clock::time_point until);
    Status cancel(std::uint32_t request, Wait& wait);
    Error abandoned(std::uint32_t request, Error error);
    Result<protocol::Answer> brokenOff(Run& run, Error error);
    /// @return whether the answer is over
    Result<bool> takeAnswer(Run& run, decltype(protocol::Incoming::message)& message,
                            const protocol::AnswerCallbacks& callbacks);
    Status acknowledge(Run& run, std::size_t bytes);
    Status keepAlive();
    void notePong(const protocol::Pong& pong);

    WorkerOptions m_options;
    std::unique_ptr<WorkerProcess> m_process;
    protocol::Channel m_channel;
    protocol::WorkerView m_view;
    protocol::SandboxFacts m_sandbox;
    std::optional<Error> m_death;
    std::vector<protocol::LoadStep> m_failedSteps;
    std::uint32_t m_lastRequest = 0;
    std::uint32_t m_vocabulary = 0;
    std::uint64_t m_contextTokens = 0;
    /// For reports: what it was doing.
    std::string m_phase = "starting";
    // Signs of life.
    std::uint64_t m_pings = 0;
    std::uint64_t m_steps = 0;
    bool m_pingOpen = false;
    bool m_busy = false;
    bool m_lockingMemory = false;
    Clock::time_point m_lastPing{};
    Clock::time_point m_lastProgress{};
};

}  // namespace loader::app
