// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/hardware/memory_speed.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "core/engine/base/memory_facts.h"
#include "core/engine/base/thread_pool.h"

namespace loader::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMebi = 1u << 20;
constexpr std::uint64_t kLeastBytes = 64 * kMebi;
constexpr std::uint64_t kMostBytes = 256 * kMebi;
/// More do not read faster on most machines, and starting them takes time.
constexpr unsigned kMostThreads = 16;
constexpr std::size_t kStepBytes = 256 * 1024;
constexpr auto kTouchTime = std::chrono::milliseconds(20);
constexpr auto kWholeTime = std::chrono::milliseconds(42);

/// Adds up words in eight sums, so that no addition waits for another.
std::uint64_t readStep(const std::byte* bytes) {
    std::uint64_t sums[8] = {};
    for (std::size_t at = 0; at < kStepBytes; at += 64) {
        std::uint64_t words[8];
        std::memcpy(words, bytes + at, sizeof words);
        for (std::size_t i = 0; i < 8; ++i)
            sums[i] += words[i];
    }
    std::uint64_t sum = 0;
    for (const std::uint64_t one : sums)
        sum += one;
    return sum;
}

struct alignas(64) Share {
    std::uint64_t touched = 0;
    double bytesPerSecond = 0.0;
    std::uint64_t sum = 0;
};

/// One thread's part: memory that was never written is not there yet, so it is written first.
void readShare(std::span<std::byte> memory, TeamMember& member, Clock::time_point start, CancelToken cancel,
               Share& share) {
    while (share.touched + kStepBytes <= memory.size() && Clock::now() - start < kTouchTime) {
        std::memset(memory.data() + share.touched, static_cast<int>(share.touched >> 18), kStepBytes);
        share.touched += kStepBytes;
    }
    member.barrier();
    const auto begin = Clock::now();
    std::uint64_t done = 0;
    while (share.touched != 0 && Clock::now() - start < kWholeTime && !cancel.cancelled()) {
        share.sum += readStep(memory.data() + done % share.touched);
        done += kStepBytes;
    }
    const std::chrono::duration<double> seconds = Clock::now() - begin;
    share.bytesPerSecond = seconds.count() > 0.0 ? static_cast<double>(done) / seconds.count() : 0.0;
}

}  // namespace

Result<MemorySpeed> measureMemorySpeed(unsigned threads, std::uint64_t cacheBytes, CancelToken cancel) {
    const auto start = Clock::now();
    MemorySpeed speed;
    speed.threads = std::clamp(threads, 1u, kMostThreads);
    std::uint64_t wanted = std::clamp(std::min(cacheBytes, kMostBytes) * 4, kLeastBytes, kMostBytes);
    if (const auto free = availableMemory()) wanted = std::min(wanted, free->bytes / 8);
    const std::uint64_t each = wanted / speed.threads / kStepBytes * kStepBytes;
    const std::unique_ptr<std::byte[]> memory(new (std::nothrow) std::byte[each * speed.threads]);
    if (!memory || each == 0) return Error(Errc::R901, {sizeText(wanted)});

    std::vector<Share> shares(speed.threads);
    ThreadPool pool(speed.threads);
    pool.run([&](TeamMember& member) {
        const std::size_t index = member.index();
        readShare({memory.get() + each * index, each}, member, start, cancel, shares[index]);
    });
    LOADER_CHECK(cancel.check());
    // Kept where the compiler cannot see that nobody needs it.
    volatile std::uint64_t sum = 0;
    for (const Share& share : shares) {
        speed.bytes += share.touched;
        speed.bytesPerSecond += share.bytesPerSecond;
        sum = sum + share.sum;
    }
    const std::chrono::duration<double, std::milli> elapsed = Clock::now() - start;
    speed.milliseconds = elapsed.count();
    speed.cachesHelped = speed.bytes < 2 * cacheBytes;
    return speed;
}

std::string_view memorySpeedClass(double bytesPerSecond) {
    if (bytesPerSecond <= 0.0) return "not known";
    if (bytesPerSecond < 8e9) return "very low: a small board or an old machine";
    if (bytesPerSecond < 20e9) return "low: as with one memory channel";
    if (bytesPerSecond < 60e9) return "usual: as with two memory channels";
    if (bytesPerSecond < 150e9) return "high: fast DDR5, or four channels and more";
    return "very high: a server, or memory shared with a large GPU";
}

}  // namespace loader::app
