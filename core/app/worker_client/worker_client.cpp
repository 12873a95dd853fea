// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/worker_client/worker_client.h"

#include <QDir>
#include <algorithm>

namespace loader::app {
namespace {

using namespace protocol;
using namespace std::chrono_literals;

constexpr auto kPingEvery = 1000ms;
/// How often a wish to stop is looked for while nothing comes.
constexpr auto kSlice = 50ms;
/// Between the end of the connection and that of the process.
constexpr auto kEnding = 500ms;
constexpr auto kSendTime = 6000ms;

std::string secondsOf(std::chrono::milliseconds time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

}  // namespace

bool isWorkerDeath(const Error& error) {
    switch (error.code()) {
        case Errc::W601:
        case Errc::W602:
        case Errc::W603:
        case Errc::W605:
        case Errc::W606:
        case Errc::W607: return true;
        default: return false;
    }
}

WorkerClient::WorkerClient(const WorkerOptions& options, std::unique_ptr<WorkerProcess> process,
                           Channel channel)
    : m_options(options), m_process(std::move(process)), m_channel(std::move(channel)) {}

WorkerClient::~WorkerClient() = default;

Result<std::unique_ptr<WorkerClient>> WorkerClient::start(const WorkerOptions& options) {
    LOADER_TRY(auto ends, makeStream());
    std::vector<std::string> arguments;
    if (options.forGpu) {
        // A folder that is not there cannot be let through the sandbox.
        if (!options.cacheFolder.empty()) QDir().mkpath(QString::fromStdString(options.cacheFolder));
        arguments.push_back("--gpu=" + options.cacheFolder);
    }
    LOADER_TRY(auto process, WorkerProcess::start(options.program, arguments, std::move(ends.second),
                                                  options.inheritErrors));
    Channel channel(std::move(ends.first), Sender::Worker);
    LOADER_CHECK(channel.setPeer(process->id()));
    auto client =
        std::unique_ptr<WorkerClient>(new WorkerClient(options, std::move(process), std::move(channel)));
    LOADER_CHECK(client->greet());
    return client;
}

Status WorkerClient::greet() {
    Hello hello;
    hello.version = kProtocolVersion;
    hello.backends = m_options.backends;
    hello.pluginFolder = m_options.pluginFolder;
    hello.sandbox = m_options.sandbox;
    hello.forGpu = m_options.forGpu;
    hello.cacheFolder = m_options.cacheFolder;
    LOADER_CHECK(post(MessageType::Hello, 0, encode(hello)));
    const auto until = Clock::now() + m_options.limits.start;
    while (true) {
        LOADER_TRY(auto incoming, step(0, until));
        if (!incoming) return die(Error(Errc::W606, {secondsOf(m_options.limits.start), "starting"}));
        if (auto* failed = std::get_if<Failed>(&incoming->message)) return failed->error.front();
        if (auto* ready = std::get_if<Ready>(&incoming->message)) {
            m_sandbox = std::move(ready->sandbox);
            m_phase = "idle";
            return {};
        }
    }
}

Error WorkerClient::die(Error reason) {
    if (m_death) return *m_death;
    if (reason.code() == Errc::W602) {
        if (const auto& end = m_process->waitFor(kEnding))
            reason = Error(Errc::W605, {end->words + ", " + m_phase});
    }
    m_process->kill();
    m_death = std::move(reason);
    return *m_death;
}

Status WorkerClient::post(MessageType type, std::uint32_t request, std::vector<std::byte> payload,
                          std::span<const std::intptr_t> descriptors, const RequestLimits& limits) {
    if (m_death) return *m_death;
    if (payload.size() > kMaximumPayload)
        return Error(Errc::X001, {"The request is too long (" + std::to_string(payload.size()) + " bytes)."});
    LOADER_CHECK(m_view.sending(type, request, limits));
    const Frame frame{type, request, 0, std::move(payload), 0};
    auto sent = m_channel.send(frame, descriptors, Clock::now() + kSendTime);
    if (!sent.ok()) return die(std::move(sent).error());
    return {};
}

std::uint32_t WorkerClient::begin(const char* phase) {
    m_phase = phase;
    // What happened while nobody listened says nothing about now.
    m_lastProgress = Clock::now();
    if (!m_pingOpen) m_lastPing = Clock::now();
    return ++m_lastRequest;
}

Status WorkerClient::keepAlive() {
    const auto now = Clock::now();
    const WorkerLimits& limits = m_options.limits;
    if (m_pingOpen && now - m_lastPing > limits.silence)
        return die(Error(Errc::W606, {secondsOf(limits.silence), "silent, " + m_phase}));
    if (m_busy && !m_lockingMemory && now - m_lastProgress > limits.step)
        return die(Error(Errc::W606, {secondsOf(limits.step), "no progress, " + m_phase}));
    if (m_pingOpen || now - m_lastPing < kPingEvery) return {};
    m_lastPing = now;
    m_pingOpen = true;
    return post(MessageType::Ping, 0, encode(Ping{++m_pings}));
}

void WorkerClient::notePong(const Pong& pong) {
    m_pingOpen = false;
    m_busy = pong.busy;
    if (!pong.busy || pong.steps != m_steps) m_lastProgress = Clock::now();
    m_steps = pong.steps;
}

Result<std::optional<Incoming>> WorkerClient::step(std::uint32_t request, Clock::time_point until) {
    if (m_death) return *m_death;
    auto received = m_channel.receive(until);
    if (!received.ok()) return die(std::move(received).error());
    if (!received->has_value()) return std::optional<Incoming>();
    auto incoming = m_view.accept((*received)->frame);
    if (!incoming.ok()) return die(std::move(incoming).error());
    if (const auto* pong = std::get_if<Pong>(&incoming->message)) {
        notePong(*pong);
        return std::optional<Incoming>();
    }
    m_lastProgress = Clock::now();
    if (incoming->unwanted || incoming->request != request) return std::optional<Incoming>();
    return std::optional<Incoming>(std::move(*incoming));
}

Result<Incoming> WorkerClient::next(std::uint32_t request, Wait& wait) {
    while (true) {
        LOADER_CHECK(keepAlive());
        const auto now = Clock::now();
        if (!wait.cancelled && wait.cancel.cancelled()) LOADER_CHECK(cancel(request, wait));
        if (now >= wait.until) {
            if (wait.cancelled) return Error(Errc::X002);
            const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - wait.began);
            return die(Error(Errc::W606, {secondsOf(waited), "too late, " + m_phase}));
        }
        LOADER_TRY(auto incoming, step(request, std::min<Clock::time_point>(now + kSlice, wait.until)));
        if (!incoming) continue;
        if (auto* failed = std::get_if<Failed>(&incoming->message)) {
            m_failedSteps = std::move(failed->steps);
            return std::move(failed->error.front());
        }
        return std::move(*incoming);
    }
}

Status WorkerClient::cancel(std::uint32_t request, Wait& wait) {
    wait.cancelled = true;
    wait.until = Clock::now() + m_options.limits.cancel;
    return post(MessageType::Cancel, request, encode(Cancel{}));
}

}  // namespace loader::app
