// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a worker is asked for, one function each.

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "core/app/worker_client/worker_client.h"
#include "core/engine/base/mapped_file.h"
#include "core/engine/gguf/model_file.h"
#include "core/protocol/shared_memory.h"

namespace loader::app {
namespace {

using namespace protocol;

/// Longer bytes go through shared memory.
constexpr std::size_t kMostHere = 256u << 10;
/// Text that a worker may send before we say that it was read, and how much is read before we say so.
constexpr std::uint32_t kCredit = 64u << 10;
constexpr std::uint32_t kGrantStep = 16u << 10;
/// Tokens that a template may add to the messages.
constexpr std::uint64_t kTemplateTokens = 1u << 20;
/// Metadata entries and tensors of one model: the limits of the format, with all its parts.
constexpr std::uint64_t kMostEntries = 1'000'000;

/// A blob, with the memory that has to live until it is sent.
struct Parcel {
    Blob blob;
    std::optional<SharedMemory> memory;
};

Result<Parcel> pack(std::span<const std::byte> bytes) {
    Parcel parcel;
    if (bytes.size() <= kMostHere) {
        const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
        parcel.blob.here.assign(data, data + bytes.size());
        return parcel;
    }
    LOADER_TRY(SharedMemory memory, SharedMemory::create(bytes.size()));
    std::memcpy(memory.bytes().data(), bytes.data(), bytes.size());
    parcel.blob.sharedBytes = bytes.size();
    parcel.memory.emplace(std::move(memory));
    return parcel;
}

std::vector<std::intptr_t> descriptorsOf(const Parcel& parcel) {
    if (!parcel.memory) return {};
    return {parcel.memory->descriptor()};
}

/// All parts of the model that are there; which ones must be is for the worker to say.
Result<std::vector<std::unique_ptr<FileSource>>> openParts(const std::string& path) {
    std::vector<std::unique_ptr<FileSource>> parts;
    LOADER_TRY(auto first, FileSource::open(path));
    parts.push_back(std::move(first));
    const auto name = gguf::parseShardName(path);
    if (!name) return parts;
    const std::uint32_t most = std::min<std::uint32_t>(name->count, kMaximumDescriptors);
    for (std::uint32_t number = 1; number <= most; ++number) {
        if (number == name->number) continue;
        auto part = FileSource::open(name->path(number));
        if (part.ok()) parts.push_back(std::move(part).value());
    }
    return parts;
}

std::vector<std::string> namesOf(const std::vector<std::unique_ptr<FileSource>>& parts) {
    std::vector<std::string> names;
    names.reserve(parts.size());
    for (const auto& part : parts)
        names.push_back(part->path());
    return names;
}

std::vector<std::intptr_t> descriptorsOf(const std::vector<std::unique_ptr<FileSource>>& parts) {
    std::vector<std::intptr_t> descriptors;
    descriptors.reserve(parts.size());
    for (const auto& part : parts)
        descriptors.push_back(part->descriptor());
    return descriptors;
}

}  // namespace

Result<Loaded> WorkerClient::load(const LoadRequest& request, const LoadProgress& progress,
                                  CancelToken cancel) {
    LOADER_TRY(const auto parts, openParts(request.path));
    LoadModel message{request, namesOf(parts)};
    begin("loading");
    // Locking a whole model in memory shows no progress and may take minutes.
    m_lockingMemory = request.lockMemory;
    LOADER_CHECK(post(MessageType::LoadModel, 0, encode(message), descriptorsOf(parts)));
    Wait wait{cancel};
    while (true) {
        LOADER_TRY(Incoming incoming, next(0, wait));
        if (const auto* report = std::get_if<protocol::Progress>(&incoming.message)) {
            if (progress) progress(report->done, report->total);
        } else if (auto* loaded = std::get_if<Loaded>(&incoming.message)) {
            m_lockingMemory = false;
            m_vocabulary = loaded->vocabulary;
            m_contextTokens = loaded->report.contextTokens;
            loaded->report.measuredBytes = m_process->residentBytes();
            m_phase = "idle";
            return std::move(*loaded);
        }
    }
}

Result<std::vector<TokenId>> WorkerClient::prepare(const Prepare& how, std::string_view text,
                                                   CancelToken cancel) {
    LOADER_TRY(Parcel parcel, pack(std::as_bytes(std::span(text.data(), text.size()))));
    Prepare message = how;
    message.text = std::move(parcel.blob);
    RequestLimits limits;
    limits.vocabulary = m_vocabulary;
    limits.prompt = text.size() + kTemplateTokens;
    const std::uint32_t request = begin("reading text");
    LOADER_CHECK(post(MessageType::Prepare, request, encode(message), descriptorsOf(parcel), limits));
    Wait wait{cancel, Clock::now() + m_options.limits.prepare};
    std::vector<TokenId> ids;
    while (true) {
        auto incoming = next(request, wait);
        if (!incoming.ok()) return abandoned(request, std::move(incoming).error());
        const auto& prepared = std::get<Prepared>(incoming->message);
        ids.insert(ids.end(), prepared.ids.begin(), prepared.ids.end());
        if (prepared.last) return ids;
    }
}

Result<Answer> WorkerClient::generate(std::span<const TokenId> prompt, const AnswerOptions& options,
                                      const AnswerCallbacks& callbacks, CancelToken cancel) {
    std::vector<TokenId> ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), options.produced.begin(), options.produced.end());
    LOADER_TRY(Parcel parcel, pack(std::as_bytes(std::span(ids))));
    Generate message{std::move(parcel.blob), static_cast<std::uint32_t>(prompt.size()), options, kCredit};
    RequestLimits limits;
    limits.vocabulary = m_vocabulary;
    limits.produced = options.produced.size();
    limits.tokens = std::min(options.maxTokens.value_or(m_contextTokens), m_contextTokens);
    limits.prompt = prompt.size();
    limits.credit = kCredit;
    const std::uint32_t request = begin("reading the prompt");
    LOADER_CHECK(post(MessageType::Generate, request, encode(message), descriptorsOf(parcel), limits));

    Run run{request, Wait{cancel}, {}, 0};
    run.answer.promptTokens = prompt.size();
    run.answer.ids = options.produced;
    while (true) {
        auto incoming = next(request, run.wait);
        if (!incoming.ok()) return brokenOff(run, std::move(incoming).error());
        LOADER_TRY(const bool over, takeAnswer(run, incoming->message, callbacks));
        if (over) return std::move(run.answer);
    }
}

Result<Answer> WorkerClient::brokenOff(Run& run, Error error) {
    error = abandoned(run.request, std::move(error));
    const bool cancelled = error.code() == Errc::X002;
    // Refused before anything began: there is no answer.
    if (!cancelled && !isWorkerDeath(error)) return error;
    run.answer.stopReason = cancelled ? "cancelled" : "error";
    if (!cancelled) run.answer.error = std::move(error);
    run.answer.tokens = run.answer.ids.size();
    return std::move(run.answer);
}

Result<bool> WorkerClient::takeAnswer(Run& run, decltype(Incoming::message)& message,
                                      const AnswerCallbacks& callbacks) {
    Answer& answer = run.answer;
    if (const auto* report = std::get_if<protocol::PromptProgress>(&message)) {
        if (callbacks.promptProgress) callbacks.promptProgress(report->done, report->total);
    } else if (const auto* piece = std::get_if<Piece>(&message)) {
        answer.text += piece->text;
        if (piece->token) answer.ids.push_back(*piece->token);
        m_phase = "writing token " + std::to_string(answer.ids.size());
        const bool wanted = !callbacks.piece || callbacks.piece({piece->token, piece->text});
        if (!wanted && !run.wait.cancelled) LOADER_CHECK(cancel(run.request, run.wait));
        LOADER_CHECK(acknowledge(run, piece->text.size()));
    } else if (const auto* done = std::get_if<Done>(&message)) {
        m_phase = "idle";
        answer.stopReason = done->stopReason;
        answer.cachedTokens = done->cachedTokens;
        answer.tokens = done->tokens;
        answer.tokensPerSecond = done->tokensPerSecond;
        answer.promptMilliseconds = done->promptMilliseconds;
        if (!done->error.empty()) answer.error = done->error.front();
        return true;
    }
    return false;
}

Status WorkerClient::acknowledge(Run& run, std::size_t bytes) {
    run.unread += static_cast<std::uint32_t>(bytes);
    if (run.unread < kGrantStep) return {};
    m_view.grant(run.request, run.unread);
    return post(MessageType::Credit, run.request, encode(Credit{std::exchange(run.unread, 0)}));
}

Result<std::vector<float>> WorkerClient::score(std::span<const TokenId> ids, CancelToken cancel) {
    LOADER_TRY(Parcel parcel, pack(std::as_bytes(ids)));
    LOADER_TRY(SharedMemory memory, SharedMemory::create(std::uint64_t{m_vocabulary} * sizeof(float)));
    std::vector<std::intptr_t> descriptors = descriptorsOf(parcel);
    descriptors.push_back(memory.descriptor());
    RequestLimits limits;
    limits.values = m_vocabulary;
    const std::uint32_t request = begin("computing scores");
    LOADER_CHECK(
        post(MessageType::Score, request, encode(Score{std::move(parcel.blob)}), descriptors, limits));
    Wait wait{cancel};
    auto incoming = next(request, wait);
    if (!incoming.ok()) return abandoned(request, std::move(incoming).error());
    // Copied first: the worker could write there at any time.
    const std::vector<std::byte> bytes = memory.copy();
    std::vector<float> values(m_vocabulary);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

Result<std::vector<BackendEntry>> WorkerClient::listBackends() {
    const std::uint32_t request = begin("listing back ends");
    LOADER_CHECK(post(MessageType::ListBackends, request, encode(ListBackends{})));
    Wait wait{{}, Clock::now() + m_options.limits.step};
    LOADER_TRY(Incoming incoming, next(request, wait));
    return std::move(std::get<BackendList>(incoming.message).backends);
}

Result<std::vector<DeviceEntry>> WorkerClient::probe(const ProbeBackend& probe) {
    const std::uint32_t request = begin(probe.selfTest ? "testing a device" : "probing");
    LOADER_CHECK(post(MessageType::ProbeBackend, request, encode(probe)));
    // A test may take long while it shows progress.
    const auto time = probe.selfTest ? m_options.limits.prepare : m_options.limits.step;
    Wait wait{{}, Clock::now() + time};
    LOADER_TRY(Incoming incoming, next(request, wait));
    return std::move(std::get<DeviceList>(incoming.message).devices);
}

Result<ModelFacts> WorkerClient::readHeader(const std::string& path, const ReadHeader& how) {
    LOADER_TRY(const auto parts, openParts(path));
    ReadHeader message = how;
    message.parts = namesOf(parts);
    const std::uint32_t request = begin("reading a header");
    LOADER_CHECK(post(MessageType::ReadHeader, request, encode(message), descriptorsOf(parts)));
    Wait wait{{}, Clock::now() + m_options.limits.step};
    LOADER_TRY(Incoming incoming, next(request, wait));
    return std::move(std::get<HeaderFacts>(incoming.message).facts);
}

Result<IndexFacts> WorkerClient::readIndex(const FileSource& file) {
    const std::uint32_t request = begin("reading a header");
    const std::intptr_t descriptor = file.descriptor();
    LOADER_CHECK(post(MessageType::ReadIndex, request, encode(ReadIndex{file.path()}), {&descriptor, 1}));
    Wait wait{{}, Clock::now() + m_options.limits.step};
    LOADER_TRY(Incoming incoming, next(request, wait));
    return std::move(std::get<IndexFacts>(incoming.message));
}

Result<FileDetails> WorkerClient::readDetails(const std::string& path, const std::string& architecture) {
    LOADER_TRY(const auto parts, openParts(path));
    RequestLimits limits;
    limits.values = kMostEntries;
    const std::uint32_t request = begin("reading a header");
    LOADER_CHECK(post(MessageType::ReadDetails, request, encode(ReadDetails{namesOf(parts), architecture}),
                      descriptorsOf(parts), limits));
    Wait wait{{}, Clock::now() + m_options.limits.step};
    std::vector<MetadataEntry> metadata;
    std::vector<TensorEntry> tensors;
    while (true) {
        LOADER_TRY(Incoming incoming, next(request, wait));
        auto& page = std::get<FileDetails>(incoming.message);
        std::move(page.metadata.begin(), page.metadata.end(), std::back_inserter(metadata));
        std::move(page.tensors.begin(), page.tensors.end(), std::back_inserter(tensors));
        if (!page.last) continue;
        page.metadata = std::move(metadata);
        page.tensors = std::move(tensors);
        return std::move(page);
    }
}

Error WorkerClient::abandoned(std::uint32_t request, Error error) {
    // It ends by itself later; what still comes for it is nobody's.
    if (error.code() == Errc::X002) m_view.cancel(request);
    return error;
}

}  // namespace loader::app
