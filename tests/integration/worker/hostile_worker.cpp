// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A worker that was taken over: it behaves up to a point and then does what LOADER_HOSTILE names. The
// application must neither crash nor hang nor believe it.

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "core/protocol/channel.h"
#include "core/protocol/file_messages.h"
#include "core/protocol/messages.h"

namespace {

using namespace loader;
using namespace loader::protocol;

constexpr int kConnection = 3;
constexpr auto kAlways = std::chrono::hours(1000);

Deadline never() {
    return std::chrono::steady_clock::now() + kAlways;
}

[[noreturn]] void hang() {
    while (true)
        std::this_thread::sleep_for(std::chrono::hours(1));
}

class Hostile {
public:
    explicit Hostile(std::string how)
        : m_how(std::move(how)), m_channel(Descriptor(kConnection), Sender::Application) {}

    int run() {
        if (m_how == "leave at once") return 3;
        if (m_how == "silent from the start") hang();
        if (m_how == "garbage first") raw(std::string(100, 'x'));
        if (m_how == "endless garbage") endless(std::string(65536, '\xFF'));
        while (true) {
            auto received = m_channel.receive(never());
            if (!received.ok() || !*received) return 0;
            answer((*received)->frame);
        }
    }

private:
    template <class T>
    void send(MessageType type, std::uint32_t request, const T& message, std::uint32_t sequence = 0) {
        static_cast<void>(m_channel.send({type, request, sequence, encode(message), 0}, {}, never()).ok());
    }
    void raw(const std::string& bytes) {
        static_cast<void>(::send(kConnection, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }
    [[noreturn]] void endless(const std::string& bytes) {
        while (::send(kConnection, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {
        }
        hang();
    }
    /// The head of a frame whose payload is said to be so long.
    void head(std::uint16_t type, std::uint32_t length) {
        PayloadWriter writer;
        writer(kFrameMagic);
        writer(type);
        writer(std::uint16_t{0});
        writer(std::uint32_t{0});
        writer(std::uint32_t{0});
        writer(length);
        const auto bytes = writer.take();
        raw(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
    void descriptor() {
        int file = 0;
        char byte = 'G';
        char control[CMSG_SPACE(sizeof(int))] = {};
        iovec part{&byte, 1};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        *reinterpret_cast<int*>(CMSG_DATA(header)) = file;
        ::sendmsg(kConnection, &message, MSG_NOSIGNAL);
    }

    void answer(const Frame& frame) {
        switch (frame.type) {
            case MessageType::Hello: return greet();
            case MessageType::Ping: {
                const auto ping = decode<Ping>(frame.payload);
                return send(MessageType::Pong, 0, Pong{ping->number, m_how == "busy without progress", 7});
            }
            case MessageType::LoadModel: return load();
            case MessageType::Prepare:
                return send(MessageType::Prepared, frame.request, Prepared{{1, 2, 3}, true});
            case MessageType::Generate: return generate(frame);
            case MessageType::ReadIndex: return index(frame);
            case MessageType::ReadDetails: return details(frame);
            default: return;
        }
    }
    /// Does what the name of the file says.
    void index(const Frame& frame) {
        const auto asked = decode<ReadIndex>(frame.payload);
        const auto says = [&](const char* word) { return asked->name.find(word) != std::string::npos; };
        if (says("abort")) std::abort();
        if (says("hang")) hang();
        if (says("leave")) std::_Exit(0);
        if (says("nonsense")) {
            m_channel.send({MessageType::IndexFacts, frame.request, 0, {std::byte{9}}, 0}, {}, never()).ok();
            return;
        }
        if (says("another")) return send(MessageType::IndexFacts, frame.request + 9, IndexFacts{});
        IndexFacts facts;
        facts.architecture = says("lies") ? std::string(5000, 'a') : "arch";
        facts.tensors = 1;
        if (says("lies")) {
            facts.parameters = ~std::uint64_t{0};
            facts.types = {{"F99", ~std::uint64_t{0}, ~std::uint64_t{0}}, {"", 0, 0}};
            facts.splitCount = 0xFFFFFFFF;
        }
        send(MessageType::IndexFacts, frame.request, facts);
    }
    void details(const Frame& frame) {
        FileDetails page;
        if (m_how == "empty pages without end") {
            while (true)
                send(MessageType::FileDetails, frame.request, page);
        }
        page.metadata.resize(1000, {"key", "u32", 1, "1", false});
        if (m_how == "pages without end") {
            while (true)
                send(MessageType::FileDetails, frame.request, page);
        }
        page.last = true;
        send(MessageType::FileDetails, frame.request, page);
    }
    void greet() {
        Ready ready{kProtocolVersion, {}};
        if (m_how == "another version") ready.version = 77;
        if (m_how == "a frame too long") return head(64, 0x7FFFFFFF);
        if (m_how == "an unknown type") return head(999, 0);
        if (m_how == "a type of the application") return head(1, 0);
        if (m_how == "half a frame") {
            head(64, 500);
            hang();
        }
        if (m_how == "a payload cut short") {
            m_channel.send({MessageType::Ready, 0, 0, {std::byte{1}}, 0}, {}, never()).ok();
            return;
        }
        if (m_how == "a descriptor") return descriptor();
        if (m_how == "loaded before it is asked") return send(MessageType::Loaded, 0, loaded());
        if (m_how == "pongs without end") {
            send(MessageType::Ready, 0, ready);
            while (true)
                send(MessageType::Pong, 0, Pong{1, false, 1});
        }
        send(MessageType::Ready, 0, ready);
        if (m_how == "ready twice") send(MessageType::Ready, 0, ready);
    }
    static Loaded loaded() {
        Loaded loaded;
        loaded.name = "hostile";
        loaded.vocabulary = 1000;
        loaded.layers = 2;
        loaded.hasText = true;
        loaded.report.contextTokens = 256;
        return loaded;
    }
    void load() {
        Loaded message = loaded();
        if (m_how == "progress without end") {
            while (true)
                send(MessageType::Progress, 0, Progress{1, 2});
        }
        if (m_how == "busy without progress") return;
        if (m_how == "an absurd vocabulary") message.vocabulary = 0xFFFFFFFF;
        if (m_how == "settings out of range") message.recommended.temperature = -5.0F;
        if (m_how == "a name that is no text") message.name = std::string(1u << 19, 'n');
        send(MessageType::Loaded, 0, message);
        if (m_how == "leave when loaded") std::_Exit(1);
    }
    void piece(std::uint32_t request, std::uint32_t index, TokenId id, const std::string& text = "a") {
        send(MessageType::Piece, request, Piece{index, id, text});
    }
    void generate(const Frame& frame) {
        const std::uint32_t request = frame.request;
        piece(request, 0, 5);
        if (m_how == "a token out of range") piece(request, 1, 1'000'000);
        if (m_how == "a negative token") piece(request, 1, -1);
        if (m_how == "a token twice") piece(request, 0, 5);
        if (m_how == "another request") piece(request + 17, 0, 5);
        if (m_how == "another sequence") send(MessageType::Piece, request, Piece{1, 5, "a"}, 9);
        if (m_how == "more text than granted") piece(request, 1, 5, std::string(100'000, 'a'));
        if (m_how == "tokens without end") {
            for (std::uint32_t i = 1;; ++i)
                piece(request, i, 5, "");
        }
        if (m_how == "text that is no text") {
            auto payload = encode(Piece{1, 5, "abcd"});
            payload.back() = std::byte{0xFF};
            m_channel.send({MessageType::Piece, request, 0, payload, 0}, {}, never()).ok();
        }
        Done done;
        done.stopReason = m_how == "an unknown reason" ? "because" : "length";
        done.promptTokens = 3;
        done.tokens = m_how == "a wrong count" ? 40 : 1;
        done.tokensPerSecond = m_how == "a speed that is no number" ? 1e308 * 10 : 1.0;
        send(MessageType::Done, request, done);
        if (m_how == "done twice") send(MessageType::Done, request, done);
    }

    std::string m_how;
    Channel m_channel;
};

}  // namespace

int main() {
    const char* how = std::getenv("LOADER_HOSTILE");
    return Hostile(how ? how : "").run();
}
