// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One end of the stream between the application and a worker: whole frames in both directions, and open files
// from the application to the worker. Nothing here waits longer than it is told to.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/engine/base/result.h"
#include "core/protocol/frame.h"

namespace loader::protocol {

/// An open file, closed with its owner. @unit a descriptor (POSIX) or a handle (Windows)
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(std::intptr_t value) : m_value(value) {}
    Descriptor(Descriptor&& other) noexcept : m_value(std::exchange(other.m_value, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor();

    std::intptr_t get() const { return m_value; }
    std::intptr_t release() { return std::exchange(m_value, -1); }
    explicit operator bool() const { return m_value >= 0; }

private:
    std::intptr_t m_value = -1;
};

struct Received {
    Frame frame;
    std::vector<Descriptor> descriptors;
};

using Deadline = std::chrono::steady_clock::time_point;

/// @thread send() and receive() may be called from different threads; each from one at a time.
class Channel {
public:
    /// @param sender whose frames arrive here
    Channel(Descriptor end, Sender sender);

    /// Whose process the other end is: before open files can be sent, Windows must know. Elsewhere nothing.
    /// @param process its id, kept from being given anew by an open handle. @errors W602
    Status setPeer(std::int64_t process);
    /// Writes all of it, waiting until the deadline for room. @errors W602 the other end is gone, W603 too
    /// late
    Status send(const Frame& frame, std::span<const std::intptr_t> descriptors, Deadline deadline);
    /// The next frame; nothing where none came until the deadline.
    /// @errors W601 what came is no frame, W602 the other end is gone
    Result<std::optional<Received>> receive(Deadline deadline);
    std::intptr_t descriptor() const { return m_end.get(); }

private:
    Status readSome();
    std::optional<Received> takeFrame();

    Descriptor m_end;
    /// Windows: the process of the other end.
    Descriptor m_peer;
    Sender m_sender;
    FrameParser m_parser;
    std::deque<Descriptor> m_descriptors;
};

/// Both ends of a new stream; the first is not inherited by children, the second is given to one.
Result<std::pair<Descriptor, Descriptor>> makeStream();

}  // namespace loader::protocol
