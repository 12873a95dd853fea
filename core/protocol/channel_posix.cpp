// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifndef _WIN32

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/protocol/channel.h"

namespace loader::protocol {
namespace {

constexpr std::size_t kReadStep = 64u << 10;

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
#else
constexpr int kSendFlags = MSG_DONTWAIT;  // SO_NOSIGPIPE is set instead
#endif
#ifdef MSG_CMSG_CLOEXEC
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
#else
constexpr int kReceiveFlags = MSG_DONTWAIT;
#endif

Error gone(const char* reason) {
    return Error(Errc::W602, {reason});
}

/// Waits for an event. @return whether it came before the deadline
Result<bool> waitFor(int descriptor, short events, Deadline deadline) {
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now() + std::chrono::microseconds(999));
        const auto bounded = std::clamp<std::int64_t>(left.count(), 0, 1 << 30);
        pollfd entry{descriptor, events, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(bounded));
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) return gone(std::strerror(errno));
    }
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        if (m_value >= 0) ::close(static_cast<int>(m_value));
        m_value = std::exchange(other.m_value, -1);
    }
    return *this;
}

Descriptor::~Descriptor() {
    if (m_value >= 0) ::close(static_cast<int>(m_value));
}

Result<std::pair<Descriptor, Descriptor>> makeStream() {
    int ends[2] = {-1, -1};
#ifdef SOCK_CLOEXEC
    const int made = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
#else
    const int made = ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
#endif
    if (made != 0) return Error(Errc::W604, {std::strerror(errno)});
    for (const int end : ends) {
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
        const int on = 1;
        ::setsockopt(end, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    }
    return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

Channel::Channel(Descriptor end, Sender sender) : m_end(std::move(end)), m_sender(sender), m_parser(sender) {}

Status Channel::setPeer(std::int64_t) {
    return {};
}

Status Channel::send(const Frame& frame, std::span<const std::intptr_t> descriptors, Deadline deadline) {
    if (frame.payload.size() > kMaximumPayload || descriptors.size() > kMaximumDescriptors)
        return Error(Errc::X003, {"a message is too long"});
    Frame counted{frame.type, frame.request, frame.sequence, frame.payload,
                  static_cast<std::uint16_t>(descriptors.size())};
    const std::vector<std::byte> bytes = encodeFrame(counted);
    std::vector<int> handles(descriptors.begin(), descriptors.end());
    std::vector<char> control(handles.empty() ? 0 : CMSG_SPACE(handles.size() * sizeof(int)));
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        iovec part{const_cast<std::byte*>(bytes.data()) + sent, bytes.size() - sent};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        // Descriptors travel with the first byte.
        if (sent == 0 && !handles.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(handles.size() * sizeof(int));
            std::memcpy(CMSG_DATA(head), handles.data(), handles.size() * sizeof(int));
        }
        const ssize_t count = ::sendmsg(static_cast<int>(m_end.get()), &message, kSendFlags);
        if (count >= 0) {
            sent += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            LOADER_TRY(const bool room, waitFor(static_cast<int>(m_end.get()), POLLOUT, deadline));
            if (!room) return Error(Errc::W603, {std::string(nameOf(frame.type))});
        } else if (errno != EINTR) {
            return gone(std::strerror(errno));
        }
    }
    return {};
}

Status Channel::readSome() {
    std::array<std::byte, kReadStep> bytes;
    // Room for one more than a frame may bring: what does not fit would be lost without a sign.
    std::array<char, CMSG_SPACE((kMaximumDescriptors + 3) * sizeof(int))> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = ::recvmsg(static_cast<int>(m_end.get()), &message, kReceiveFlags);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {};
    if (count < 0) return gone(std::strerror(errno));
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t handles = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < handles; ++i) {
            int handle = -1;
            std::memcpy(&handle, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
#ifndef MSG_CMSG_CLOEXEC
            ::fcntl(handle, F_SETFD, FD_CLOEXEC);
#endif
            m_descriptors.emplace_back(handle);
        }
    }
    // Nothing that a worker opened is let in.
    const std::size_t most = m_sender == Sender::Application ? kMaximumDescriptors : 0;
    if (m_descriptors.size() > most) return Error(Errc::W601, {"it brings descriptors"});
    if (count == 0) return gone("it closed the connection");
    return m_parser.push(std::span(bytes).first(static_cast<std::size_t>(count)));
}

std::optional<Received> Channel::takeFrame() {
    auto frame = m_parser.next();
    if (!frame) return std::nullopt;
    Received received;
    received.frame = std::move(*frame);
    for (std::size_t i = 0; i < received.frame.descriptors && !m_descriptors.empty(); ++i) {
        received.descriptors.push_back(std::move(m_descriptors.front()));
        m_descriptors.pop_front();
    }
    return received;
}

Result<std::optional<Received>> Channel::receive(Deadline deadline) {
    while (true) {
        if (auto received = takeFrame()) {
            if (received->descriptors.size() != received->frame.descriptors)
                return Error(Errc::W601, {"its descriptors are missing"});
            return received;
        }
        LOADER_TRY(const bool ready, waitFor(static_cast<int>(m_end.get()), POLLIN, deadline));
        if (!ready) return std::optional<Received>();
        LOADER_CHECK(readSome());
    }
}

}  // namespace loader::protocol

#endif
