// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The Windows files behind channel.h, shared_memory.h and worker_process.h, at work: between two ends in one
// process, and between this program and copies of itself. Without Qt, so that a cross compiler and Wine do.

#include <windows.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "core/app/worker_client/worker_process.h"
#include "core/engine/base/mapped_file.h"
#include "core/protocol/messages.h"
#include "core/protocol/shared_memory.h"

namespace {

using namespace loader;
using namespace loader::protocol;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kSharedBytes = 5000;
/// A word that only exact quoting brings to the other side.
const std::string kOddWord = "a \"b\\\" c\\";
int g_failures = 0;

void check(bool right, const char* what) {
    std::printf("%s: %s\n", right ? "ok" : "FAILED", what);
    std::fflush(stdout);
    if (!right) ++g_failures;
}

Descriptor duplicate(std::intptr_t descriptor) {
    const HANDLE self = GetCurrentProcess();
    HANDLE copy = nullptr;
    DuplicateHandle(self, reinterpret_cast<HANDLE>(descriptor), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    return Descriptor(reinterpret_cast<std::intptr_t>(copy));
}

struct Ends {
    Channel application;
    Channel worker;
};

Ends bothEnds() {
    auto ends = makeStream();
    check(ends.ok(), "a stream is made");
    if (!ends.ok()) std::exit(99);
    return {Channel(std::move(ends->first), Sender::Worker),
            Channel(std::move(ends->second), Sender::Application)};
}

Frame pong() {
    return {MessageType::Pong, 0, 0, encode(Pong{}), 0};
}

Frame ping() {
    return {MessageType::Ping, 0, 0, encode(Ping{1}), 0};
}

void openFilesArrive(const std::string& self) {
    Ends ends = bothEnds();
    const auto file = FileSource::open(self);
    const std::array<std::intptr_t, 2> handles{(*file)->descriptor(), (*file)->descriptor()};
    const Frame score{MessageType::Score, 3, 0, encode(Score{}), 0};
    const auto soon = Clock::now() + 5s;
    check(ends.application.send(score, handles, soon).error().code() == Errc::X003, "not without a receiver");
    check(ends.application.setPeer(GetCurrentProcessId()).ok() &&
              ends.worker.setPeer(GetCurrentProcessId()).ok(),
          "the other end is known");
    check(ends.application.send(ping(), {}, soon).ok(), "a frame without files is sent");
    check(ends.application.send(score, handles, soon).ok(), "a frame with two is sent");
    auto first = ends.worker.receive(soon);
    check(first.ok() && *first && (*first)->descriptors.empty(), "the first has none");
    auto second = ends.worker.receive(soon);
    check(second.ok() && *second && (*second)->descriptors.size() == 2 &&
              (*second)->frame.payload == score.payload,
          "the second has both, and its message");
    if (g_failures != 0) return;
    const auto again = FileSource::adopt((*second)->descriptors.front().release(), "same");
    check(again.ok() && (*again)->size() == (*file)->size(), "it is the same file");
    check(ends.worker.send(pong(), std::span(handles).first(1), soon).ok(), "a worker sends a file");
    check(ends.application.receive(soon).error().code() == Errc::W601, "nothing of a worker is let in");
}

void deadlinesHold() {
    Ends ends = bothEnds();
    const auto start = Clock::now();
    const auto nothing = ends.application.receive(start + 50ms);
    check(nothing.ok() && !*nothing && Clock::now() - start >= 49ms, "nothing came until the deadline");
    const Frame large{MessageType::Prepare, 1, 0, std::vector<std::byte>(kMaximumPayload), 0};
    check(ends.application.send(large, {}, start + 300ms).error().code() == Errc::W603, "nobody takes it");
    check(Clock::now() - start < 2s, "that is noticed in time");
    ends.worker = Channel(Descriptor(), Sender::Application);
    check(ends.application.receive(Clock::now() + 5s).error().code() == Errc::W602,
          "a closed end is noticed");
    check(ends.application.send(ping(), {}, Clock::now() + 1s).error().code() == Errc::W602,
          "so it is by a sender");
}

void bothDirectionsAtOnce() {
    constexpr int kFrames = 20;
    Ends ends = bothEnds();
    const Frame large{MessageType::Prepare, 1, 0, std::vector<std::byte>(kMaximumPayload), 0};
    const auto soon = Clock::now() + 20s;
    int whole = 0;
    std::thread worker([&] {
        for (int i = 0; i < kFrames; ++i) {
            const auto received = ends.worker.receive(soon);
            if (!received.ok() || !*received || !ends.worker.send(pong(), {}, soon).ok()) return;
            if ((*received)->frame.payload == large.payload) ++whole;
        }
    });
    std::thread sender([&] {
        for (int i = 0; i < kFrames; ++i) {
            if (!ends.application.send(large, {}, soon).ok()) return;
        }
    });
    int answers = 0;
    for (int i = 0; i < kFrames; ++i) {
        const auto received = ends.application.receive(soon);
        if (received.ok() && *received) ++answers;
    }
    worker.join();
    sender.join();
    check(whole == kFrames && answers == kFrames, "large frames and answers cross");
}

void sharedMemoryKeepsItsSize() {
    auto memory = SharedMemory::create(kSharedBytes);
    check(memory.ok(), "shared memory is made");
    if (!memory.ok()) return;
    memory->bytes()[kSharedBytes - 1] = std::byte{7};
    auto same = SharedMemory::adopt(duplicate(memory->descriptor()), kSharedBytes);
    check(same.ok() && same->copy()[kSharedBytes - 1] == std::byte{7}, "the other end sees it");
    for (const std::uint64_t bytes : {std::uint64_t{4096}, std::uint64_t{9000}}) {
        const auto other = SharedMemory::adopt(duplicate(memory->descriptor()), bytes);
        check(!other.ok() && other.error().code() == Errc::W609, "another size is refused");
    }
    check(SharedMemory::create(std::uint64_t{1} << 50).error().code() == Errc::R901, "too much is refused");
}

struct Started {
    std::unique_ptr<app::WorkerProcess> process;
    Channel channel;
};

/// A copy of this program that behaves as told.
Started start(const std::string& self, const char* how) {
    auto ends = makeStream();
    auto process = app::WorkerProcess::start(self, {how, kOddWord}, std::move(ends->second), true);
    check(process.ok(), how);
    if (!process.ok()) std::exit(98);
    Channel channel(std::move(ends->first), Sender::Worker);
    check(channel.setPeer((*process)->id()).ok(), "its process is opened");
    return {std::move(*process), std::move(channel)};
}

void workerGetsFilesAndMemory(const std::string& self) {
    Started worker = start(self, "answer");
    const auto file = FileSource::open(self);
    const auto memory = SharedMemory::create(kSharedBytes);
    const std::array<std::intptr_t, 2> handles{(*file)->descriptor(), memory->descriptor()};
    const auto soon = Clock::now() + 20s;
    check(worker.channel.send({MessageType::Score, 1, 0, encode(Score{}), 0}, handles, soon).ok(),
          "both are sent");
    const auto received = worker.channel.receive(soon);
    const auto answer = received.ok() && *received ? decode<Pong>((*received)->frame.payload) : std::nullopt;
    check(answer && answer->number == (*file)->size(), "it has read the file");
    check(memory->copy()[kSharedBytes - 1] == std::byte{42}, "it has written to the memory");
    check(!worker.process->poll() && worker.process->residentBytes() > 0, "it runs");
    worker.channel = Channel(Descriptor(), Sender::Worker);
    const auto& end = worker.process->waitFor(10000ms);
    check(end && end->words == "exit status 7" && !end->crashed, "it ends with its connection");
}

void endsInWords(const std::string& self) {
    Started crashing = start(self, "crash");
    check(crashing.channel.receive(Clock::now() + 20s).error().code() == Errc::W602, "a crash is noticed");
    const auto& crash = crashing.process->waitFor(10000ms);
    check(crash && crash->words == "exception 0xC0000005 (access violation)" && crash->crashed, "and named");
    Started hanging = start(self, "hang");
    check(!hanging.process->waitFor(200ms), "it hangs");
    check(hanging.process->kill().words == "killed" && hanging.process->kill().crashed, "it is killed");
    auto ends = makeStream();
    const auto none = app::WorkerProcess::start(self + ".absent", {}, std::move(ends->second), false);
    check(!none.ok() && none.error().code() == Errc::W604, "no program, no process");
}

/// A worker whose parent was killed: the job ends it. The parent's standard error says its number.
void jobEndsWithParent(const std::string& self) {
    Started parent = start(self, "parent");
    const auto received = parent.channel.receive(Clock::now() + 20s);
    const auto child = received.ok() && *received ? decode<Pong>((*received)->frame.payload) : std::nullopt;
    check(child.has_value(), "a worker has a worker");
    if (!child) return;
    const HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(child->number));
    check(process && WaitForSingleObject(process, 0) == WAIT_TIMEOUT, "which runs");
    parent.process->kill();
    check(WaitForSingleObject(process, 10000) == WAIT_OBJECT_0, "and ends with it");
    CloseHandle(process);
}

/// Reads what came and says how long the file is. @return an exit status
int answer(Channel& channel, Received& received) {
    std::vector<Descriptor>& came = received.descriptors;
    if (came.size() != 2) return 11;
    const auto file = FileSource::adopt(came[0].release(), "model");
    auto memory = SharedMemory::adopt(std::move(came[1]), kSharedBytes);
    if (!file.ok() || !memory.ok()) return 12;
    memory->bytes()[kSharedBytes - 1] = std::byte{42};
    const Frame frame{MessageType::Pong, 0, 0, encode(Pong{(*file)->size(), false, 0}), 0};
    return channel.send(frame, {}, Clock::now() + 5s).ok() ? 0 : 13;
}

int beParent(Channel& channel, const std::string& self) {
    const Started child = start(self, "hang");
    const auto id = static_cast<std::uint64_t>(child.process->id());
    const Frame frame{MessageType::Pong, 0, 0, encode(Pong{id, false, 0}), 0};
    if (!channel.send(frame, {}, Clock::now() + 5s).ok()) return 13;
    Sleep(60000);
    return 14;
}

int beWorker(const std::string& self, const std::string& how, const std::string& connection) {
    if (how == "crash") RaiseException(EXCEPTION_ACCESS_VIOLATION, 0, 0, nullptr);
    if (how == "hang") Sleep(60000);
    const std::size_t number = std::string("--connection=").size();
    Channel channel{Descriptor(static_cast<std::intptr_t>(std::stoll(connection.substr(number)))),
                    Sender::Application};
    if (how == "parent") return beParent(channel, self);
    while (true) {
        auto received = channel.receive(Clock::now() + 20s);
        if (!received.ok()) return received.error().code() == Errc::W602 ? 7 : 8;
        if (!*received) return 9;
        if (const int fault = answer(channel, **received)) return fault;
    }
}

}  // namespace

int main(int count, char** words) {
    std::array<char, 4096> self{};
    GetModuleFileNameA(nullptr, self.data(), static_cast<DWORD>(self.size()));
    if (count == 4) return kOddWord == words[2] ? beWorker(self.data(), words[1], words[3]) : 30;
    openFilesArrive(self.data());
    deadlinesHold();
    bothDirectionsAtOnce();
    sharedMemoryKeepsItsSize();
    workerGetsFilesAndMemory(self.data());
    endsInWords(self.data());
    jobEndsWithParent(self.data());
    std::printf("%d failures\n", g_failures);
    return g_failures == 0 ? 0 : 1;
}
