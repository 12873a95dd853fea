// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The frames between the application and its workers: a header of 20 bytes and at most 1 MiB of payload.
// Every frame names the request it belongs to (0: the worker as a whole) and the sequence. Layout and the
// list of messages: docs/formats/worker-protocol.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "core/engine/base/result.h"

namespace loader::protocol {

/// Both ends must have the same; the application and its worker are installed together.
inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::uint32_t kFrameMagic = 0x4C574647;  // "GFWL"
inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::size_t kMaximumPayload = 1u << 20;
/// Descriptors that may come with one frame: all parts of a split model.
inline constexpr std::size_t kMaximumDescriptors = 250;

enum class MessageType : std::uint16_t {
#define LOADER_MESSAGE(name, number, sender) name = number,
#include "core/protocol/message_types.inc"
};
enum class Sender : std::uint8_t { Application, Worker };
/// Nothing for a number that no message has.
std::optional<Sender> senderOf(std::uint16_t type);
std::string_view nameOf(MessageType type);

struct Frame {
    MessageType type{};
    std::uint32_t request = 0;
    std::uint32_t sequence = 0;
    std::vector<std::byte> payload;
    /// How many descriptors travel with it.
    std::uint16_t descriptors = 0;
};

std::vector<std::byte> encodeFrame(const Frame& frame);

/// Cuts a stream of bytes from one sender into frames. After an error nothing more comes out.
/// @thread confined to one thread
class FrameParser {
public:
    explicit FrameParser(Sender sender) : m_sender(sender) {}

    /// @errors W601 not a frame of that sender, or too long
    Status push(std::span<const std::byte> bytes);
    std::optional<Frame> next();
    /// True between the frames, where a stream may end.
    bool atBorder() const { return m_bytes.empty(); }

private:
    Status cut();

    Sender m_sender;
    std::vector<std::byte> m_bytes;
    std::deque<Frame> m_frames;
    bool m_broken = false;
};

}  // namespace loader::protocol
