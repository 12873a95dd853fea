// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a worker does when it was asked: the jobs of its threads.

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/engine/gguf/keys.h"
#include "core/host/chat_prompt.h"
#include "core/host/file_details.h"
#include "core/host/model_facts.h"
#include "core/host/recommended_sampling.h"
#include "core/host/self_test.h"
#include "core/worker/worker.h"

namespace loader::worker {
namespace {

using namespace protocol;
using Clock = std::chrono::steady_clock;

/// Ids in one message, a quarter of what would fit.
constexpr std::size_t kIdsAtOnce = 65536;

/// Tells the application how loading goes, a few times in a second.
class LoadProgress final : public backend::Progress {
public:
    using Report = std::function<void(const protocol::Progress&)>;
    explicit LoadProgress(Report report) : m_report(std::move(report)) {}
    void report(std::uint64_t done, std::uint64_t total) override {
        const auto now = Clock::now();
        if (done < total && now - m_last < std::chrono::milliseconds(100)) return;
        m_last = now;
        m_report({done, total});
    }

private:
    Report m_report;
    Clock::time_point m_last{};
};

Loaded describe(const host::LoadedModel& model) {
    Loaded loaded;
    loaded.report = model.report();
    loaded.name = model.name();
    loaded.vocabulary = model.program().vocabulary;
    loaded.layers = model.program().layers;
    loaded.trainedContext = model.program().trainedContext;
    loaded.hasText = model.hasText();
    loaded.hasTemplate = model.file().metadata().contains(gguf::keys::kChatTemplate);
    loaded.recommended = host::recommendedSampling(model.file().metadata());
    return loaded;
}

DeviceClass classOf(backend::DeviceKind kind) {
    switch (kind) {
        case backend::DeviceKind::Cpu: return DeviceClass::Cpu;
        case backend::DeviceKind::IntegratedGpu: return DeviceClass::IntegratedGpu;
        case backend::DeviceKind::DiscreteGpu: return DeviceClass::DiscreteGpu;
        case backend::DeviceKind::Virtual: return DeviceClass::Virtual;
    }
    return DeviceClass::Virtual;
}

DeviceEntry entryOf(const backend::DeviceFacts& facts) {
    DeviceEntry entry;
    entry.id = facts.id;
    entry.name = facts.name;
    entry.detail = facts.detail;
    entry.kind = classOf(facts.kind);
    entry.memoryBytes = facts.memoryBytes;
    entry.freeBytes = facts.freeBytes;
    for (const auto& [name, value] : facts.properties)
        entry.properties.push_back({name, value});
    return entry;
}

}  // namespace

Status Worker::load(const LoadModel& message, std::vector<std::unique_ptr<FileSource>> files,
                    CancelToken cancel) {
    if (m_model) return Error(Errc::W607, {"a worker holds one model"});
    LoadProgress progress(
        [this](const protocol::Progress& report) { send(MessageType::Progress, 0, report); });
    LOADER_TRY(auto file, gguf::ModelFile::openFiles(std::move(files)));
    LOADER_TRY(auto model,
               host::LoadedModel::load(std::move(file), message.request, *m_registry, &progress, cancel));
    const Loaded loaded = describe(*model);
    {
        const std::lock_guard guard(m_lock);
        m_vocabulary = model->program().vocabulary;
    }
    m_model = std::move(model);
    m_generator = std::make_unique<host::Generator>(*m_model);
    send(MessageType::Loaded, 0, loaded);
    return {};
}

Status Worker::prepare(std::uint32_t request, const Prepare& message, const std::vector<std::byte>& text,
                       CancelToken cancel) {
    const std::string_view words(reinterpret_cast<const char*>(text.data()), text.size());
    LOADER_TRY(const host::ModelText* reader, m_model->text());
    std::vector<TokenId> ids;
    if (message.kind == PromptKind::Chat) {
        LOADER_TRY(const chat::Template* compiled, m_model->chatTemplate());
        const chat::Json messages = chat::Json::parse(words, nullptr, false);
        if (!messages.is_array()) return Error(Errc::J414, {"they are no JSON list"});
        LOADER_TRY(ids, host::chatPrompt(*compiled, reader->tokenizer, messages, cancel));
    } else {
        LOADER_TRY(ids,
                   host::rawPrompt(reader->tokenizer, words, {message.addSpecial, message.parseSpecial}));
    }
    std::size_t sent = 0;
    do {
        const std::size_t count = std::min(kIdsAtOnce, ids.size() - sent);
        const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(sent);
        sent += count;
        send(MessageType::Prepared, request,
             Prepared{{begin, begin + static_cast<std::ptrdiff_t>(count)}, sent == ids.size()});
    } while (sent < ids.size());
    return {};
}

Status Worker::generate(std::uint32_t request, const Generate& message, std::vector<TokenId> ids,
                        Request& state) {
    AnswerCallbacks callbacks;
    std::uint32_t index = static_cast<std::uint32_t>(message.options.produced.size());
    callbacks.piece = [&](const AnswerPiece& piece) {
        // What the application has not read yet waits here, not in memory.
        if (!waitForCredit(state, piece.text.size())) return false;
        send(MessageType::Piece, request, Piece{index, piece.token, piece.text});
        if (piece.token) ++index;
        return true;
    };
    callbacks.promptProgress = [&](std::size_t done, std::size_t total) {
        send(MessageType::PromptProgress, request, protocol::PromptProgress{done, total});
    };
    LOADER_TRY(const Answer answer,
               m_generator->answer(std::move(ids), message.options, callbacks, CancelToken(state.cancel)));
    Done done;
    done.stopReason = answer.stopReason;
    done.promptTokens = answer.promptTokens;
    done.cachedTokens = answer.cachedTokens;
    done.tokens = index;
    done.tokensPerSecond = answer.tokensPerSecond;
    done.promptMilliseconds = answer.promptMilliseconds;
    if (answer.error) done.error.push_back(*answer.error);
    send(MessageType::Done, request, done);
    return {};
}

Status Worker::score(std::uint32_t request, const std::vector<TokenId>& ids, std::span<std::byte> out,
                     CancelToken cancel) {
    LOADER_TRY(const std::vector<float> logits, m_generator->score(ids, cancel));
    if (logits.size() * sizeof(float) != out.size()) return Error(Errc::X003, {"scores of another length"});
    std::memcpy(out.data(), logits.data(), out.size());
    send(MessageType::Scored, request, Scored{logits.size()});
    return {};
}

Status Worker::readHeader(std::uint32_t request, const ReadHeader& message,
                          std::vector<std::unique_ptr<FileSource>> files) {
    LOADER_TRY(const auto file, gguf::ModelFile::openFiles(std::move(files)));
    std::vector<backend::Backend*> backends;
    for (const std::string& id : message.backends) {
        LOADER_TRY(backend::Backend * backend, m_registry->open(id));
        backends.push_back(backend);
    }
    HeaderFacts answer;
    LOADER_TRY(answer.facts, host::readModelFacts(*file, backends, {message.architecture, message.tier}));
    send(MessageType::HeaderFacts, request, answer);
    return {};
}

Status Worker::readIndex(std::uint32_t request, const FileSource& file) {
    LOADER_TRY(const protocol::IndexFacts facts, host::readIndexFacts(file));
    send(MessageType::IndexFacts, request, facts);
    return {};
}

Status Worker::readDetails(std::uint32_t request, const ReadDetails& message,
                           std::vector<std::unique_ptr<FileSource>> files) {
    LOADER_TRY(const auto file, gguf::ModelFile::openFiles(std::move(files), {true}));
    host::DetailPages pages(*file, message.architecture);
    while (auto page = pages.next())
        send(MessageType::FileDetails, request, *page);
    return {};
}

void Worker::listBackends(std::uint32_t request) {
    BackendList list;
    for (const host::BackendFacts& facts : m_registry->backends()) {
        BackendEntry entry{facts.id,        facts.displayName, facts.path, facts.priority,
                           facts.automatic, facts.gpuOnly,     {}};
        if (facts.refusal) entry.refusal.push_back(*facts.refusal);
        list.backends.push_back(std::move(entry));
    }
    send(MessageType::BackendList, request, list);
}

Status Worker::probe(std::uint32_t request, const ProbeBackend& message, CancelToken cancel) {
    LOADER_TRY(backend::Backend * backend, m_registry->open(message.id));
    std::vector<backend::DeviceFacts> devices;
    if (message.device.empty()) {
        LOADER_TRY(devices, backend->devices());
    } else {
        LOADER_TRY(backend::DeviceFacts named, backend->device(message.device));
        devices.push_back(std::move(named));
    }
    DeviceList list;
    for (const backend::DeviceFacts& facts : devices) {
        list.devices.push_back(entryOf(facts));
        if (message.selfTest) LOADER_CHECK(testDevice(*backend, list.devices.back(), cancel));
    }
    send(MessageType::DeviceList, request, list);
    return {};
}

Status Worker::testDevice(backend::Backend& backend, DeviceEntry& device, CancelToken cancel) {
    if (device.kind != DeviceClass::DiscreteGpu && device.kind != DeviceClass::IntegratedGpu) return {};
    LOADER_TRY(backend::Backend * trusted, m_registry->open("cpu"));
    auto tested = host::selfTestAll(backend, device.id, *trusted, cancel);
    device.selfTested = tested.ok();
    if (tested.ok()) return {};
    const ErrorKind kind = tested.error().kind();
    if (kind == ErrorKind::Cancelled) return tested;
    // A lack of memory passes; the device is tested again when it is to be used.
    if (kind != ErrorKind::OutOfMemory) device.refusal.push_back(std::move(tested).error());
    return {};
}

bool Worker::waitForCredit(Request& state, std::size_t bytes) {
    std::unique_lock guard(m_lock);
    m_changed.wait(guard, [&state, bytes] { return state.credit >= bytes || state.cancel.requested(); });
    if (state.credit < bytes) return false;
    state.credit -= bytes;
    return true;
}

}  // namespace loader::worker
