// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The worker's end of the protocol: one thread reads messages and answers pings at once, one computes, one
// turns text into tokens. Everything it is told comes from the application that started it.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/engine/base/cancel_token.h"
#include "core/host/backend_registry.h"
#include "core/host/generator.h"
#include "core/host/loaded_model.h"
#include "core/protocol/channel.h"
#include "core/protocol/file_messages.h"
#include "core/protocol/messages.h"
#include "core/protocol/probe_messages.h"
#include "core/worker/job_thread.h"

namespace loader::worker {

class Worker {
public:
    explicit Worker(protocol::Descriptor connection);

    /// Serves until the application closes the connection or breaks the rules. @return the exit status
    int serve();

private:
    /// What is known of a request while it is open.
    struct Request {
        CancelFlag cancel;
        std::uint64_t credit = 0;
    };
    using RequestPointer = std::shared_ptr<Request>;

    Status greet();
    Status take(protocol::Received received);
    Status takeLoad(protocol::Received& received);
    Status takeHeader(protocol::Received& received);
    Status takeFile(protocol::Received& received);
    Status takePrepare(protocol::Received& received);
    Status takeGenerate(protocol::Received& received);
    Status takeScore(protocol::Received& received);
    Status takeProbe(protocol::Received& received);
    Status takeSignal(const protocol::Frame& frame);

    Status load(const protocol::LoadModel& message, std::vector<std::unique_ptr<FileSource>> files,
                CancelToken cancel);
    Status prepare(std::uint32_t request, const protocol::Prepare& message,
                   const std::vector<std::byte>& text, CancelToken cancel);
    Status generate(std::uint32_t request, const protocol::Generate& message, std::vector<TokenId> ids,
                    Request& state);
    Status score(std::uint32_t request, const std::vector<TokenId>& ids, std::span<std::byte> out,
                 CancelToken cancel);
    Status readHeader(std::uint32_t request, const protocol::ReadHeader& message,
                      std::vector<std::unique_ptr<FileSource>> files);
    Status readIndex(std::uint32_t request, const FileSource& file);
    Status readDetails(std::uint32_t request, const protocol::ReadDetails& message,
                       std::vector<std::unique_ptr<FileSource>> files);
    Status probe(std::uint32_t request, const protocol::ProbeBackend& message, CancelToken cancel);
    Status testDevice(backend::Backend& backend, protocol::DeviceEntry& device, CancelToken cancel);
    void listBackends(std::uint32_t request);
    bool waitForCredit(Request& state, std::size_t bytes);

    Result<RequestPointer> open(std::uint32_t request);
    /// Hands a job of a request to a thread; what it fails with, or throws, ends that request.
    void start(JobThread& thread, std::uint32_t request, const RequestPointer& state,
               std::function<Status()> job);
    static Status guarded(const std::function<Status()>& job);

    template <class T>
    void send(protocol::MessageType type, std::uint32_t request, const T& message) {
        sendFrame({type, request, 0, protocol::encode(message), 0});
    }
    void sendFrame(const protocol::Frame& frame);
    void fail(std::uint32_t request, const Error& error);

    protocol::Channel m_channel;
    std::mutex m_sending;
    std::unique_ptr<host::BackendRegistry> m_registry;
    std::unique_ptr<host::LoadedModel> m_model;
    std::unique_ptr<host::Generator> m_generator;
    JobThread m_computing;
    JobThread m_texts;
    std::mutex m_lock;
    std::condition_variable m_changed;
    std::map<std::uint32_t, RequestPointer> m_requests;
    /// Of the job that computes now; null while none does.
    RequestPointer m_current;
    /// Of the loaded model; 0 before.
    std::uint32_t m_vocabulary = 0;
    /// Looks at the cancel flags of jobs that are over.
    std::uint64_t m_steps = 0;
};

}  // namespace loader::worker
