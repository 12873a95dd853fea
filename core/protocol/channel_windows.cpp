// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#ifdef _WIN32

#include <windows.h>
// windows.h comes first
#include <sddl.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include "core/protocol/channel.h"
#include "core/protocol/wire.h"

namespace loader::protocol {
namespace {

constexpr std::size_t kReadStep = 64u << 10;
constexpr DWORD kBufferBytes = 64u << 10;
/// A handle as it travels.
using HandleNumber = std::uint64_t;

HANDLE handleOf(std::intptr_t value) {
    return reinterpret_cast<HANDLE>(value);
}

std::string reasonText(DWORD reason) {
    return "error " + std::to_string(reason);
}

Error gone(DWORD reason) {
    const bool closed = reason == ERROR_BROKEN_PIPE || reason == ERROR_NO_DATA;
    return Error(Errc::W602, {closed ? "it closed the connection" : reasonText(reason)});
}

Error cannotStart(DWORD reason) {
    return Error(Errc::W604, {reasonText(reason)});
}

DWORD millisecondsUntil(Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now() + std::chrono::microseconds(999));
    return static_cast<DWORD>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
}

/// Waits for a transfer that has begun, and takes it back at the deadline: afterwards nobody uses its bytes.
/// @return how many bytes were moved; nothing where none were until the deadline
Result<std::optional<DWORD>> finish(HANDLE end, OVERLAPPED& transfer, BOOL begun, Deadline deadline) {
    if (const DWORD reason = GetLastError(); !begun && reason != ERROR_IO_PENDING) return gone(reason);
    if (WaitForSingleObject(transfer.hEvent, millisecondsUntil(deadline)) != WAIT_OBJECT_0)
        CancelIoEx(end, &transfer);
    DWORD moved = 0;
    if (GetOverlappedResult(end, &transfer, &moved, TRUE)) return std::optional(moved);
    const DWORD reason = GetLastError();
    if (reason == ERROR_OPERATION_ABORTED) return std::optional<DWORD>();
    return gone(reason);
}

/// Signalled at the end of a transfer.
Result<Descriptor> makeEvent() {
    const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    if (!event) return gone(GetLastError());
    return Descriptor(reinterpret_cast<std::intptr_t>(event));
}

/// Nobody can guess it; another process that makes a pipe of this name first is noticed.
std::wstring randomName() {
    constexpr wchar_t kDigits[] = L"0123456789abcdef";
    std::random_device random;
    std::wstring name = L"\\\\.\\pipe\\gguf-loader-";
    for (int word = 0; word < 4; ++word) {
        std::uint32_t bits = random();
        for (int digit = 0; digit < 8; ++digit, bits >>= 4)
            name += kDigits[bits & 15];
    }
    return name;
}

/// Handles in another process, closed there unless they were handed over.
class HandlesOfPeer {
public:
    explicit HandlesOfPeer(HANDLE process) : m_process(process) {}
    HandlesOfPeer(const HandlesOfPeer&) = delete;
    HandlesOfPeer& operator=(const HandlesOfPeer&) = delete;
    ~HandlesOfPeer() {
        for (const HandleNumber number : m_numbers) {
            DuplicateHandle(m_process, handleOf(static_cast<std::intptr_t>(number)), nullptr, nullptr, 0,
                            FALSE, DUPLICATE_CLOSE_SOURCE);
        }
    }

    Status add(std::intptr_t descriptor) {
        HANDLE theirs = nullptr;
        if (!DuplicateHandle(GetCurrentProcess(), handleOf(descriptor), m_process, &theirs, 0, FALSE,
                             DUPLICATE_SAME_ACCESS))
            return gone(GetLastError());
        m_numbers.push_back(static_cast<HandleNumber>(reinterpret_cast<std::uintptr_t>(theirs)));
        return {};
    }
    const std::vector<HandleNumber>& numbers() const { return m_numbers; }
    void handOver() { m_numbers.clear(); }

private:
    HANDLE m_process;
    std::vector<HandleNumber> m_numbers;
};

/// One handle in front of a payload.
struct FrontHandle {
    HandleNumber number = 0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.number);
    }
};

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        if (m_value >= 0) CloseHandle(handleOf(m_value));
        m_value = std::exchange(other.m_value, -1);
    }
    return *this;
}

Descriptor::~Descriptor() {
    if (m_value >= 0) CloseHandle(handleOf(m_value));
}

Result<std::pair<Descriptor, Descriptor>> makeStream() {
    // Only the owner may open it, and nothing is inherited from a folder of rules.
    SECURITY_ATTRIBUTES security{sizeof security, nullptr, FALSE};
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(L"D:P(A;;GA;;;OW)", SDDL_REVISION_1,
                                                              &security.lpSecurityDescriptor, nullptr))
        return cannotStart(GetLastError());
    const std::wstring name = randomName();
    constexpr DWORD kOpen = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE;
    constexpr DWORD kKind = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
    const HANDLE ours =
        CreateNamedPipeW(name.c_str(), kOpen, kKind, 1, kBufferBytes, kBufferBytes, 0, &security);
    const DWORD reason = GetLastError();
    LocalFree(security.lpSecurityDescriptor);
    if (ours == INVALID_HANDLE_VALUE) return cannotStart(reason);
    Descriptor first(reinterpret_cast<std::intptr_t>(ours));
    // There is room for one client only: somebody who came in between makes this fail.
    const HANDLE theirs =
        CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                    FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, nullptr);
    if (theirs == INVALID_HANDLE_VALUE) return cannotStart(GetLastError());
    Descriptor second(reinterpret_cast<std::intptr_t>(theirs));
    LOADER_TRY(const Descriptor event, makeEvent());
    OVERLAPPED transfer{};
    transfer.hEvent = handleOf(event.get());
    if (!ConnectNamedPipe(ours, &transfer) && GetLastError() != ERROR_PIPE_CONNECTED) {
        const DWORD fault = GetLastError();
        CancelIoEx(ours, &transfer);
        return cannotStart(fault);
    }
    return std::pair(std::move(first), std::move(second));
}

Channel::Channel(Descriptor end, Sender sender) : m_end(std::move(end)), m_sender(sender), m_parser(sender) {}

Status Channel::setPeer(std::int64_t process) {
    const HANDLE handle = OpenProcess(PROCESS_DUP_HANDLE, FALSE, static_cast<DWORD>(process));
    if (!handle) return gone(GetLastError());
    m_peer = Descriptor(reinterpret_cast<std::intptr_t>(handle));
    return {};
}

Status Channel::send(const Frame& frame, std::span<const std::intptr_t> descriptors, Deadline deadline) {
    const std::size_t front = descriptors.size() * sizeof(HandleNumber);
    if (frame.payload.size() + front > kMaximumPayload || descriptors.size() > kMaximumDescriptors)
        return Error(Errc::X003, {"a message is too long"});
    if (!descriptors.empty() && !m_peer) return Error(Errc::X003, {"nobody is there to take open files"});
    HandlesOfPeer handles(handleOf(m_peer.get()));
    Frame whole{
        frame.type, frame.request, frame.sequence, {}, static_cast<std::uint16_t>(descriptors.size())};
    whole.payload.reserve(front + frame.payload.size());
    for (const std::intptr_t descriptor : descriptors) {
        LOADER_CHECK(handles.add(descriptor));
        const auto number = encode(FrontHandle{handles.numbers().back()});
        whole.payload.insert(whole.payload.end(), number.begin(), number.end());
    }
    whole.payload.insert(whole.payload.end(), frame.payload.begin(), frame.payload.end());
    const std::vector<std::byte> bytes = encodeFrame(whole);
    const HANDLE end = handleOf(m_end.get());
    LOADER_TRY(const Descriptor event, makeEvent());
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        OVERLAPPED transfer{};
        transfer.hEvent = handleOf(event.get());
        const BOOL begun =
            WriteFile(end, bytes.data() + sent, static_cast<DWORD>(bytes.size() - sent), nullptr, &transfer);
        LOADER_TRY(const auto moved, finish(end, transfer, begun, deadline));
        if (!moved) return Error(Errc::W603, {std::string(nameOf(frame.type))});
        sent += *moved;
    }
    handles.handOver();
    return {};
}

std::optional<Received> Channel::takeFrame() {
    auto frame = m_parser.next();
    if (!frame) return std::nullopt;
    Received received;
    received.frame = std::move(*frame);
    // Only frames of the application get here with handles; it has put them into this process.
    std::vector<std::byte>& payload = received.frame.payload;
    const std::size_t front = received.frame.descriptors * sizeof(HandleNumber);
    if (payload.size() < front) return received;
    for (std::size_t at = 0; at < front; at += sizeof(HandleNumber)) {
        const auto handle = decode<FrontHandle>(std::span(payload).subspan(at, sizeof(HandleNumber)));
        if (handle) received.descriptors.emplace_back(static_cast<std::intptr_t>(handle->number));
    }
    payload.erase(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(front));
    return received;
}

Result<std::optional<Received>> Channel::receive(Deadline deadline) {
    std::array<std::byte, kReadStep> bytes;
    LOADER_TRY(const Descriptor event, makeEvent());
    const HANDLE end = handleOf(m_end.get());
    while (true) {
        if (auto received = takeFrame()) {
            if (received->descriptors.size() != received->frame.descriptors)
                return Error(Errc::W601, {"its descriptors are missing"});
            return received;
        }
        OVERLAPPED transfer{};
        transfer.hEvent = handleOf(event.get());
        const BOOL begun = ReadFile(end, bytes.data(), static_cast<DWORD>(bytes.size()), nullptr, &transfer);
        LOADER_TRY(const auto moved, finish(end, transfer, begun, deadline));
        if (!moved) return std::optional<Received>();
        // A write of no bytes arrives as a read of none; whoever repeats it would keep us here.
        if (*moved == 0) return Error(Errc::W601, {"it is empty"});
        LOADER_CHECK(m_parser.push(std::span(bytes).first(*moved)));
    }
}

}  // namespace loader::protocol

#endif
