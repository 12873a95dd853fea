// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The application's view of one worker: which requests are open, what may come for them, and how much. The
// worker is taken for hostile: what does not fit is an error, after which it is killed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <variant>

#include "core/engine/base/result.h"
#include "core/protocol/file_messages.h"
#include "core/protocol/frame.h"
#include "core/protocol/messages.h"
#include "core/protocol/probe_messages.h"

namespace loader::protocol {

/// What a worker may send, taken apart and checked.
struct Incoming {
    std::uint32_t request = 0;
    std::variant<Ready, Progress, Loaded, Prepared, PromptProgress, Piece, Done, Failed, Pong, Scored,
                 BackendList, DeviceList, HeaderFacts, IndexFacts, FileDetails>
        message;
    /// The request is over and forgotten.
    bool ends = false;
    /// It was cancelled by the application before: nobody waits for this.
    bool unwanted = false;
};

/// How much may come for a request.
struct RequestLimits {
    std::uint32_t vocabulary = 0;
    /// Generate: tokens that were produced before, and that the answer may have with them.
    std::uint64_t produced = 0;
    std::uint64_t tokens = 0;
    /// Generate: length of the prompt. Prepare: ids that may come.
    std::uint64_t prompt = 0;
    /// Bytes of text that were granted.
    std::uint64_t credit = 0;
    /// Score: how many numbers the memory holds. ReadDetails: entries and tensors that a file may have.
    std::uint64_t values = 0;
};

/// @thread confined to one thread
class WorkerView {
public:
    /// Called when such a message is sent. request: 0 for Hello and LoadModel. @errors X003 out of turn
    Status sending(MessageType type, std::uint32_t request, const RequestLimits& limits = {});
    void grant(std::uint32_t request, std::uint64_t bytes);
    void cancel(std::uint32_t request);

    /// @errors W607 against the rules, W608 another version
    Result<Incoming> accept(const Frame& frame);

    bool loaded() const { return m_stage == Stage::Loaded; }
    std::size_t openRequests() const { return m_open.size(); }
    bool isOpen(std::uint32_t request) const { return m_open.contains(request); }

private:
    enum class Stage : std::uint8_t { Started, Greeted, Ready, Loading, Loaded, Over };
    struct Open {
        MessageType type{};
        RequestLimits limits;
        std::uint64_t received = 0;
        std::uint64_t promptDone = 0;
        bool cancelled = false;
        bool piecesEnded = false;
    };

    Status check(const Ready& message);
    Status check(const Loaded& message);
    Status check(Open& open, const Prepared& message);
    Status check(Open& open, const PromptProgress& message);
    Status check(Open& open, const Piece& message);
    Status check(const Open& open, const Done& message);
    Status check(const Open& open, const Scored& message);
    Status check(Open& open, const FileDetails& message);
    template <class T>
    Result<Incoming> checked(const Frame& frame, Open& open, Incoming incoming);
    Result<Incoming> acceptWhole(const Frame& frame);
    Result<Incoming> acceptRequest(const Frame& frame, Open& open);

    Stage m_stage = Stage::Started;
    std::map<std::uint32_t, Open> m_open;
    std::uint64_t m_pings = 0;
    std::uint64_t m_progressReports = 0;
};

}  // namespace loader::protocol
