// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/protocol/session.h"

#include <cmath>

#include "core/protocol/read_message.h"

namespace loader::protocol {
namespace {

/// What a worker tells in words is cut off here, far above what ours ever says.
constexpr std::size_t kMostText = 64u << 10;
constexpr std::uint32_t kMostVocabulary = 1u << 24;
/// Pings that may be unanswered.
constexpr std::uint64_t kMostPings = 64;
/// Of loading; ten in a second for a day.
constexpr std::uint64_t kMostReports = 1'000'000;

Error unexpected(MessageType type) {
    return broken("the message " + std::string(nameOf(type)) + " was not its turn");
}

bool isId(TokenId id, std::uint32_t vocabulary) {
    return id >= 0 && static_cast<std::uint32_t>(id) < vocabulary;
}

bool isMeasure(double value) {
    return std::isfinite(value) && value >= 0.0;
}

Status checkFailed(const Failed& message) {
    if (message.error.size() != 1) return broken("a failure has one error");
    return {};
}

/// The message that a request is answered with in the end, besides Failed.
std::optional<MessageType> answerOf(MessageType type) {
    switch (type) {
        case MessageType::Prepare: return MessageType::Prepared;
        case MessageType::Generate: return MessageType::Done;
        case MessageType::Score: return MessageType::Scored;
        case MessageType::ListBackends: return MessageType::BackendList;
        case MessageType::ProbeBackend: return MessageType::DeviceList;
        case MessageType::ReadHeader: return MessageType::HeaderFacts;
        case MessageType::ReadIndex: return MessageType::IndexFacts;
        case MessageType::ReadDetails: return MessageType::FileDetails;
        default: return std::nullopt;
    }
}

}  // namespace

Status WorkerView::sending(MessageType type, std::uint32_t request, const RequestLimits& limits) {
    const Error outOfTurn(Errc::X003, {"the message " + std::string(nameOf(type)) + " was sent out of turn"});
    switch (type) {
        case MessageType::Hello:
            if (m_stage != Stage::Started) return outOfTurn;
            m_stage = Stage::Greeted;
            return {};
        case MessageType::LoadModel:
            if (m_stage != Stage::Ready) return outOfTurn;
            m_stage = Stage::Loading;
            return {};
        case MessageType::Ping: ++m_pings; return {};
        case MessageType::Cancel:
        case MessageType::Credit: return {};
        case MessageType::ListBackends:
        case MessageType::ProbeBackend:
        case MessageType::ReadHeader:
        case MessageType::ReadIndex:
        case MessageType::ReadDetails:
            if (m_stage != Stage::Ready) return outOfTurn;
            break;
        default:
            if (m_stage != Stage::Loaded) return outOfTurn;
            break;
    }
    if (request == 0 || m_open.contains(request)) return outOfTurn;
    m_open.emplace(request, Open{type, limits, limits.produced, 0, false, false});
    return {};
}

void WorkerView::grant(std::uint32_t request, std::uint64_t bytes) {
    const auto found = m_open.find(request);
    if (found != m_open.end()) found->second.limits.credit += bytes;
}

void WorkerView::cancel(std::uint32_t request) {
    const auto found = m_open.find(request);
    if (found != m_open.end()) found->second.cancelled = true;
}

Result<Incoming> WorkerView::accept(const Frame& frame) {
    if (m_stage == Stage::Over) return unexpected(frame.type);
    if (frame.sequence != 0) return broken("there is no such sequence");
    if (frame.request == 0) return acceptWhole(frame);
    const auto found = m_open.find(frame.request);
    if (found == m_open.end()) return broken("nobody asked for request " + std::to_string(frame.request));
    LOADER_TRY(Incoming incoming, acceptRequest(frame, found->second));
    incoming.unwanted = found->second.cancelled;
    if (incoming.ends) m_open.erase(found);
    return incoming;
}

Status WorkerView::check(const Ready& message) {
    if (m_stage != Stage::Greeted) return unexpected(MessageType::Ready);
    if (message.version != kProtocolVersion) return Error(Errc::W608);
    m_stage = Stage::Ready;
    return {};
}

Status WorkerView::check(const Loaded& message) {
    if (m_stage != Stage::Loading) return unexpected(MessageType::Loaded);
    if (message.vocabulary == 0 || message.vocabulary > kMostVocabulary)
        return broken("a vocabulary of " + std::to_string(message.vocabulary));
    if (message.name.size() > kMostText) return broken("the model's name is too long");
    if (!message.recommended.validate().ok()) return broken("the recommended settings are out of range");
    if (!isMeasure(message.report.loadMilliseconds)) return broken("the time of loading is no number");
    m_stage = Stage::Loaded;
    return {};
}

Result<Incoming> WorkerView::acceptWhole(const Frame& frame) {
    Incoming incoming;
    switch (frame.type) {
        case MessageType::Pong: {
            LOADER_TRY(const Pong message, readMessage<Pong>(frame));
            if (m_pings == 0 || m_pings > kMostPings) return unexpected(frame.type);
            --m_pings;
            incoming.message = message;
            return incoming;
        }
        case MessageType::Ready: {
            LOADER_TRY(Ready message, readMessage<Ready>(frame));
            LOADER_CHECK(check(message));
            incoming.message = std::move(message);
            return incoming;
        }
        case MessageType::Progress: {
            LOADER_TRY(const Progress message, readMessage<Progress>(frame));
            if (m_stage != Stage::Loading) return unexpected(frame.type);
            if (message.done > message.total) return broken("more was loaded than there is");
            if (++m_progressReports > kMostReports) return broken("it reports progress without end");
            incoming.message = message;
            return incoming;
        }
        case MessageType::Loaded: {
            LOADER_TRY(Loaded message, readMessage<Loaded>(frame));
            LOADER_CHECK(check(message));
            incoming.message = std::move(message);
            return incoming;
        }
        case MessageType::Failed: {
            LOADER_TRY(Failed message, readMessage<Failed>(frame));
            LOADER_CHECK(checkFailed(message));
            m_stage = Stage::Over;
            incoming.message = std::move(message);
            incoming.ends = true;
            return incoming;
        }
        default: return unexpected(frame.type);
    }
}

Status WorkerView::check(Open& open, const Prepared& message) {
    for (const TokenId id : message.ids) {
        if (!isId(id, open.limits.vocabulary)) return broken("a token that the model has not");
    }
    open.received += message.ids.size();
    if (open.received > open.limits.prompt) return broken("more tokens than the text can have");
    return {};
}

Status WorkerView::check(Open& open, const PromptProgress& message) {
    const bool forward = message.done > open.promptDone && message.done <= message.total;
    if (!forward) return broken("the prompt was not read from its beginning to its end");
    open.promptDone = message.done;
    return {};
}

Status WorkerView::check(Open& open, const Piece& message) {
    if (open.piecesEnded) return unexpected(MessageType::Piece);
    if (message.token) {
        if (!isId(*message.token, open.limits.vocabulary)) return broken("a token that the model has not");
        if (message.index != open.received) return broken("a token was left out or came twice");
        if (++open.received > open.limits.tokens) return broken("more tokens than were asked for");
    } else {
        // What was held back comes once, at the end.
        open.piecesEnded = true;
    }
    if (message.text.size() > open.limits.credit) return broken("more text than was granted");
    open.limits.credit -= message.text.size();
    return {};
}

Status WorkerView::check(const Open& open, const Done& message) {
    const bool failed = message.stopReason == "error";
    if (!failed && !isStopReason(message.stopReason)) return broken("an unknown reason to stop");
    if (message.error.size() != (failed ? 1u : 0u)) return broken("an answer failed without an error");
    if (message.promptTokens != open.limits.prompt || message.cachedTokens > open.limits.prompt)
        return broken("the prompt had another length");
    if (message.tokens != open.received) return broken("the answer had another length");
    if (!isMeasure(message.tokensPerSecond) || !isMeasure(message.promptMilliseconds))
        return broken("the time taken is no number");
    return {};
}

Status WorkerView::check(const Open& open, const Scored& message) {
    if (message.values != open.limits.values) return broken("another number of scores");
    return {};
}

Status WorkerView::check(Open& open, const FileDetails& message) {
    const std::uint64_t more = message.metadata.size() + message.tensors.size();
    // A page without anything on it could come for ever.
    if (more == 0 && !message.last) return broken("an empty page of a header");
    open.received += more;
    if (open.received > open.limits.values) return broken("more of a header than a file can have");
    if (message.refusal.size() > 1) return broken("a file is refused once");
    return {};
}

template <class T>
Result<Incoming> WorkerView::checked(const Frame& frame, Open& open, Incoming incoming) {
    LOADER_TRY(T message, readMessage<T>(frame));
    if constexpr (requires { check(open, message); }) LOADER_CHECK(check(open, message));
    incoming.message = std::move(message);
    return incoming;
}

Result<Incoming> WorkerView::acceptRequest(const Frame& frame, Open& open) {
    Incoming incoming;
    incoming.request = frame.request;
    if (frame.type == MessageType::Failed) {
        LOADER_TRY(Failed message, readMessage<Failed>(frame));
        LOADER_CHECK(checkFailed(message));
        incoming.message = std::move(message);
        incoming.ends = true;
        return incoming;
    }
    const bool generating = open.type == MessageType::Generate;
    const bool onTheWay = frame.type == MessageType::Piece || frame.type == MessageType::PromptProgress;
    if (onTheWay ? !generating : answerOf(open.type) != frame.type) return unexpected(frame.type);
    incoming.ends = !onTheWay;
    switch (frame.type) {
        case MessageType::Prepared: {
            LOADER_TRY(Prepared message, readMessage<Prepared>(frame));
            LOADER_CHECK(check(open, message));
            incoming.ends = message.last;
            incoming.message = std::move(message);
            return incoming;
        }
        case MessageType::PromptProgress: return checked<PromptProgress>(frame, open, std::move(incoming));
        case MessageType::Piece: return checked<Piece>(frame, open, std::move(incoming));
        case MessageType::Done: return checked<Done>(frame, open, std::move(incoming));
        case MessageType::Scored: return checked<Scored>(frame, open, std::move(incoming));
        case MessageType::BackendList: return checked<BackendList>(frame, open, std::move(incoming));
        case MessageType::DeviceList: return checked<DeviceList>(frame, open, std::move(incoming));
        case MessageType::HeaderFacts: return checked<HeaderFacts>(frame, open, std::move(incoming));
        case MessageType::IndexFacts: return checked<IndexFacts>(frame, open, std::move(incoming));
        case MessageType::FileDetails: {
            LOADER_TRY(FileDetails message, readMessage<FileDetails>(frame));
            LOADER_CHECK(check(open, message));
            incoming.ends = message.last;
            incoming.message = std::move(message);
            return incoming;
        }
        default: return unexpected(frame.type);
    }
}

bool isStopReason(std::string_view reason) {
    return reason == "end" || reason == "stop" || reason == "length" || reason == "context" ||
           reason == "cancelled";
}

}  // namespace loader::protocol
