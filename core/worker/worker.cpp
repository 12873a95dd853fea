// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/worker/worker.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

#include "core/engine/gguf/model_file.h"
#include "core/protocol/read_message.h"
#include "core/protocol/shared_memory.h"
#include "core/worker/doors.h"

namespace loader::worker {
namespace {

using namespace protocol;
using Clock = std::chrono::steady_clock;

/// The application speaks first, at once.
constexpr auto kGreetingTime = std::chrono::seconds(20);
/// An application that reads nothing for so long is stopped by somebody; it may go on at any time.
constexpr auto kSendTime = std::chrono::hours(24 * 365);

/// The bytes of a blob, out of the message or of the memory that came with it.
Result<std::vector<std::byte>> takeBlob(const Blob& blob, std::vector<Descriptor>& descriptors) {
    if (blob.sharedBytes == 0) {
        const auto* bytes = reinterpret_cast<const std::byte*>(blob.here.data());
        return std::vector<std::byte>(bytes, bytes + blob.here.size());
    }
    if (descriptors.empty()) return broken("the memory is missing");
    LOADER_TRY(const SharedMemory memory,
               SharedMemory::adopt(std::move(descriptors.front()), blob.sharedBytes));
    descriptors.erase(descriptors.begin());
    return memory.copy();
}

using FileList = std::vector<std::unique_ptr<FileSource>>;

/// The parts of a model, which came open.
Result<FileList> takeFiles(const std::vector<std::string>& names, std::vector<Descriptor>& descriptors) {
    if (names.empty() || names.size() != descriptors.size()) return broken("parts of a model are missing");
    FileList files;
    for (std::size_t i = 0; i < names.size(); ++i) {
        LOADER_TRY(auto file, FileSource::adopt(descriptors[i].release(), names[i]));
        files.push_back(std::move(file));
    }
    return files;
}

Result<std::vector<TokenId>> takeIds(const Blob& blob, std::vector<Descriptor>& descriptors) {
    LOADER_TRY(const std::vector<std::byte> bytes, takeBlob(blob, descriptors));
    if (bytes.size() % sizeof(TokenId) != 0) return broken("half a token");
    std::vector<TokenId> ids(bytes.size() / sizeof(TokenId));
    std::memcpy(ids.data(), bytes.data(), bytes.size());
    return ids;
}

}  // namespace

Worker::Worker(Descriptor connection) : m_channel(std::move(connection), Sender::Application) {}

void Worker::sendFrame(const Frame& frame) {
    const std::lock_guard guard(m_sending);
    // Without the application there is nothing left to do, and nobody to tell.
    if (!m_channel.send(frame, {}, Clock::now() + kSendTime).ok()) std::_Exit(0);
}

void Worker::fail(std::uint32_t request, const Error& error) {
    send(MessageType::Failed, request, Failed{{error}, {}});
}

int Worker::serve() {
    auto greeted = guarded([this] { return greet(); });
    if (!greeted.ok()) {
        fail(0, greeted.error());
        return 1;
    }
    m_computing.start();
    m_texts.start();
    while (true) {
        auto received = m_channel.receive(Clock::now() + std::chrono::hours(1));
        if (!received.ok()) return received.error().code() == Errc::W602 ? 0 : 1;
        if (!received->has_value()) continue;
        auto taken = take(std::move(**received));
        if (taken.ok()) continue;
        fail(0, taken.error());
        return 1;
    }
}

Status Worker::greet() {
    LOADER_TRY(auto received, m_channel.receive(Clock::now() + kGreetingTime));
    if (!received || received->frame.type != MessageType::Hello) return broken("there was no greeting");
    LOADER_TRY(const Hello hello, readMessage<Hello>(received->frame));
    if (hello.version != kProtocolVersion) return Error(Errc::W608);
    // Plugins come in before the doors close: afterwards no file is opened and no code becomes executable.
    m_registry = std::make_unique<host::BackendRegistry>(hello.pluginFolder);
    for (const std::string& id : hello.backends) {
        auto opened = m_registry->open(id);
        if (!opened.ok()) return std::move(opened).error();
    }
    Ready ready{kProtocolVersion, {}};
    LOADER_TRY(ready.sandbox, closeDoors(hello, m_channel.descriptor()));
    send(MessageType::Ready, 0, ready);
    return {};
}

Status Worker::take(Received received) {
    switch (received.frame.type) {
        case MessageType::LoadModel: return takeLoad(received);
        case MessageType::ReadHeader: return takeHeader(received);
        case MessageType::ReadIndex:
        case MessageType::ReadDetails: return takeFile(received);
        case MessageType::Prepare: return takePrepare(received);
        case MessageType::Generate: return takeGenerate(received);
        case MessageType::Score: return takeScore(received);
        case MessageType::ListBackends:
        case MessageType::ProbeBackend: return takeProbe(received);
        case MessageType::Cancel:
        case MessageType::Credit:
        case MessageType::Ping: return takeSignal(received.frame);
        default:
            return broken("the message " + std::string(nameOf(received.frame.type)) + " was not its turn");
    }
}

Result<Worker::RequestPointer> Worker::open(std::uint32_t request) {
    const std::lock_guard guard(m_lock);
    const auto [place, fresh] = m_requests.emplace(request, nullptr);
    if (!fresh) return broken("request " + std::to_string(request) + " is open already");
    place->second = std::make_shared<Request>();
    return place->second;
}

Status Worker::guarded(const std::function<Status()>& job) {
    try {
        return job();
    } catch (const std::bad_alloc&) {
        return Error(Errc::R901, {"More"});
    } catch (const std::exception& failure) {
        return Error(Errc::X003, {failure.what()});
    }
}

void Worker::start(JobThread& thread, std::uint32_t request, const RequestPointer& state,
                   std::function<Status()> job) {
    const bool computes = &thread == &m_computing;
    thread.add([this, computes, request, state, job = std::move(job)] {
        if (computes) {
            const std::lock_guard guard(m_lock);
            m_current = state;
        }
        auto done = guarded(job);
        {
            const std::lock_guard guard(m_lock);
            m_requests.erase(request);
            if (computes) {
                m_current.reset();
                m_steps += state->cancel.looks();
            }
        }
        if (!done.ok()) fail(request, done.error());
    });
}

Status Worker::takeHeader(Received& received) {
    LOADER_TRY(ReadHeader message, readMessage<ReadHeader>(received.frame));
    LOADER_TRY(FileList files, takeFiles(message.parts, received.descriptors));
    const std::uint32_t request = received.frame.request;
    LOADER_TRY(const RequestPointer state, open(request));
    const auto shared = std::make_shared<FileList>(std::move(files));
    start(m_computing, request, state, [this, request, message = std::move(message), shared] {
        return readHeader(request, message, std::move(*shared));
    });
    return {};
}

Status Worker::takeFile(Received& received) {
    ReadDetails details;
    const bool indexes = received.frame.type == MessageType::ReadIndex;
    if (indexes) {
        LOADER_TRY(ReadIndex message, readMessage<ReadIndex>(received.frame));
        details.parts.push_back(std::move(message.name));
    } else {
        LOADER_TRY(details, readMessage<ReadDetails>(received.frame));
    }
    LOADER_TRY(FileList files, takeFiles(details.parts, received.descriptors));
    const std::uint32_t request = received.frame.request;
    LOADER_TRY(const RequestPointer state, open(request));
    const auto shared = std::make_shared<FileList>(std::move(files));
    start(m_computing, request, state, [this, indexes, request, details = std::move(details), shared] {
        return indexes ? readIndex(request, *shared->front())
                       : readDetails(request, details, std::move(*shared));
    });
    return {};
}

Status Worker::takeLoad(Received& received) {
    LOADER_TRY(LoadModel message, readMessage<LoadModel>(received.frame));
    LOADER_TRY(FileList files, takeFiles(message.parts, received.descriptors));
    LOADER_TRY(const RequestPointer state, open(0));
    const auto shared = std::make_shared<FileList>(std::move(files));
    start(m_computing, 0, state, [this, message = std::move(message), shared, state] {
        return load(message, std::move(*shared), CancelToken(state->cancel));
    });
    return {};
}

Status Worker::takePrepare(Received& received) {
    LOADER_TRY(Prepare message, readMessage<Prepare>(received.frame));
    LOADER_TRY(std::vector<std::byte> text, takeBlob(message.text, received.descriptors));
    const std::uint32_t request = received.frame.request;
    LOADER_TRY(const RequestPointer state, open(request));
    message.text = {};
    start(m_texts, request, state, [this, request, message, text = std::move(text), state] {
        return prepare(request, message, text, CancelToken(state->cancel));
    });
    return {};
}

Status Worker::takeGenerate(Received& received) {
    LOADER_TRY(Generate message, readMessage<Generate>(received.frame));
    LOADER_TRY(std::vector<TokenId> ids, takeIds(message.ids, received.descriptors));
    if (message.promptTokens > ids.size()) return broken("a prompt longer than its tokens");
    message.ids = {};
    message.options.produced.assign(ids.begin() + message.promptTokens, ids.end());
    ids.resize(message.promptTokens);
    const std::uint32_t request = received.frame.request;
    LOADER_TRY(const RequestPointer state, open(request));
    state->credit = message.credit;
    start(m_computing, request, state,
          [this, request, message = std::move(message), ids = std::move(ids), state] {
              return generate(request, message, ids, *state);
          });
    return {};
}

Status Worker::takeScore(Received& received) {
    LOADER_TRY(const Score message, readMessage<Score>(received.frame));
    LOADER_TRY(std::vector<TokenId> ids, takeIds(message.ids, received.descriptors));
    std::uint64_t bytes = sizeof(float);
    {
        const std::lock_guard guard(m_lock);
        bytes *= m_vocabulary;
    }
    if (received.descriptors.empty() || bytes == 0) return broken("there is nowhere to put the scores");
    LOADER_TRY(SharedMemory memory, SharedMemory::adopt(std::move(received.descriptors.front()), bytes));
    const auto shared = std::make_shared<SharedMemory>(std::move(memory));
    const std::uint32_t request = received.frame.request;
    LOADER_TRY(const RequestPointer state, open(request));
    start(m_computing, request, state, [this, request, ids = std::move(ids), shared, state] {
        return score(request, ids, shared->bytes(), CancelToken(state->cancel));
    });
    return {};
}

Status Worker::takeProbe(Received& received) {
    const std::uint32_t request = received.frame.request;
    ProbeBackend message;
    const bool lists = received.frame.type == MessageType::ListBackends;
    if (lists) {
        LOADER_TRY(const ListBackends empty, readMessage<ListBackends>(received.frame));
        static_cast<void>(empty);
    } else {
        LOADER_TRY(message, readMessage<ProbeBackend>(received.frame));
    }
    LOADER_TRY(const RequestPointer state, open(request));
    start(m_computing, request, state, [this, lists, request, message, state]() -> Status {
        if (!lists) return probe(request, message, CancelToken(state->cancel));
        listBackends(request);
        return {};
    });
    return {};
}

Status Worker::takeSignal(const Frame& frame) {
    if (frame.type == MessageType::Ping) {
        LOADER_TRY(const Ping ping, readMessage<Ping>(frame));
        Pong pong{ping.number, false, 0};
        {
            const std::lock_guard guard(m_lock);
            pong.busy = m_current != nullptr;
            pong.steps = m_steps + (m_current ? m_current->cancel.looks() : 0);
        }
        send(MessageType::Pong, 0, pong);
        return {};
    }
    const std::lock_guard guard(m_lock);
    // A request that has just ended is no fault: the messages crossed.
    const auto found = m_requests.find(frame.request);
    if (found == m_requests.end()) return {};
    if (frame.type == MessageType::Cancel) {
        found->second->cancel.request();
    } else {
        LOADER_TRY(const Credit credit, readMessage<Credit>(frame));
        found->second->credit += credit.bytes;
    }
    m_changed.notify_all();
    return {};
}

}  // namespace loader::worker
