// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/protocol/frame.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "core/protocol/wire.h"

namespace loader::protocol {
namespace {

struct Header {
    std::uint32_t magic = 0;
    std::uint16_t type = 0;
    std::uint16_t descriptors = 0;
    std::uint32_t request = 0;
    std::uint32_t sequence = 0;
    std::uint32_t length = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.magic);
        visit(self.type);
        visit(self.descriptors);
        visit(self.request);
        visit(self.sequence);
        visit(self.length);
    }
};

struct Row {
    std::uint16_t type;
    std::string_view name;
    Sender sender;
};
constexpr Row kRows[] = {
#define LOADER_MESSAGE(name, number, sender) {number, #name, Sender::sender},
#include "core/protocol/message_types.inc"
};

const Row* rowOf(std::uint16_t type) {
    const auto found = std::ranges::find(kRows, type, &Row::type);
    return found == std::end(kRows) ? nullptr : found;
}

Error notAFrame(const std::string& reason) {
    return Error(Errc::W601, {reason});
}

}  // namespace

std::optional<Sender> senderOf(std::uint16_t type) {
    const Row* row = rowOf(type);
    return row ? std::optional(row->sender) : std::nullopt;
}

std::string_view nameOf(MessageType type) {
    const Row* row = rowOf(static_cast<std::uint16_t>(type));
    return row ? row->name : std::string_view();
}

std::vector<std::byte> encodeFrame(const Frame& frame) {
    Header header{kFrameMagic,       static_cast<std::uint16_t>(frame.type),
                  frame.descriptors, frame.request,
                  frame.sequence,    static_cast<std::uint32_t>(frame.payload.size())};
    std::vector<std::byte> bytes = encode(header);
    bytes.insert(bytes.end(), frame.payload.begin(), frame.payload.end());
    return bytes;
}

Status FrameParser::push(std::span<const std::byte> bytes) {
    if (m_broken) return notAFrame("it comes after a broken one");
    m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end());
    auto cutUp = cut();
    if (!cutUp.ok()) m_broken = true;
    return cutUp;
}

Status FrameParser::cut() {
    std::size_t used = 0;
    while (m_bytes.size() - used >= kHeaderBytes) {
        const std::span<const std::byte> rest = std::span(m_bytes).subspan(used);
        const auto header = decode<Header>(rest.first(kHeaderBytes));
        if (!header || header->magic != kFrameMagic) return notAFrame("it does not begin like one");
        if (senderOf(header->type) != m_sender)
            return notAFrame("its type " + std::to_string(header->type) + " is not of this sender");
        if (header->length > kMaximumPayload)
            return notAFrame("it is " + std::to_string(header->length) + " bytes long");
        // Only the application hands descriptors on.
        const bool mayCarry = m_sender == Sender::Application;
        if (header->descriptors > (mayCarry ? kMaximumDescriptors : 0))
            return notAFrame("it brings descriptors");
        if (rest.size() - kHeaderBytes < header->length) break;
        const auto payload = rest.subspan(kHeaderBytes, header->length);
        m_frames.push_back({static_cast<MessageType>(header->type),
                            header->request,
                            header->sequence,
                            {payload.begin(), payload.end()},
                            header->descriptors});
        used += kHeaderBytes + header->length;
    }
    m_bytes.erase(m_bytes.begin(), m_bytes.begin() + static_cast<std::ptrdiff_t>(used));
    return {};
}

std::optional<Frame> FrameParser::next() {
    if (m_frames.empty()) return std::nullopt;
    Frame frame = std::move(m_frames.front());
    m_frames.pop_front();
    return frame;
}

}  // namespace loader::protocol
