// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The other direction: what a worker reads. Every message that can be read must come out the same when it is
// written again, and the settings in it must be checkable.

#include <cstdlib>

#include "core/protocol/file_messages.h"
#include "core/protocol/frame.h"
#include "core/protocol/messages.h"
#include "core/protocol/probe_messages.h"

namespace {

using namespace loader;
using namespace loader::protocol;

template <class T>
void check(const Frame& frame) {
    const auto message = decode<T>(frame.payload);
    if (message && encode(*message) != frame.payload) std::abort();
}

void checkGenerate(const Frame& frame) {
    const auto message = decode<Generate>(frame.payload);
    if (!message) return;
    if (encode(*message).size() != frame.payload.size()) std::abort();
    ignoreErrorBecause("either answer is fine", message->options.sampling.validate());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FrameParser parser(Sender::Application);
    if (!parser.push(std::as_bytes(std::span(data, size))).ok()) return 0;
    while (auto frame = parser.next()) {
        switch (frame->type) {
            case MessageType::Hello: check<Hello>(*frame); break;
            case MessageType::LoadModel: check<LoadModel>(*frame); break;
            case MessageType::Prepare: check<Prepare>(*frame); break;
            case MessageType::Generate: checkGenerate(*frame); break;
            case MessageType::Cancel: check<Cancel>(*frame); break;
            case MessageType::Credit: check<Credit>(*frame); break;
            case MessageType::Ping: check<Ping>(*frame); break;
            case MessageType::Score: check<Score>(*frame); break;
            case MessageType::ListBackends: check<ListBackends>(*frame); break;
            case MessageType::ProbeBackend: check<ProbeBackend>(*frame); break;
            case MessageType::ReadHeader: check<ReadHeader>(*frame); break;
            case MessageType::ReadIndex: check<ReadIndex>(*frame); break;
            case MessageType::ReadDetails: check<ReadDetails>(*frame); break;
            default: std::abort();
        }
    }
    return 0;
}
