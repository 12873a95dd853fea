// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/place_scanner.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace loader::app {
namespace {

using Clock = std::chrono::steady_clock;

/// Threads that look at the same time.
constexpr std::size_t kAtOnce = 8;
constexpr std::chrono::milliseconds kSlice{1};

Error unreachable(const LibraryPlace& place, std::chrono::milliseconds patience) {
    const auto seconds = std::chrono::duration_cast<std::chrono::duration<double>>(patience).count();
    std::string text = std::to_string(seconds);
    text.resize(text.find('.') + 2);
    return Error(Errc::C518, {text}, place.path);
}

}  // namespace

/// What a thread and its scanner share: a thread that hangs may outlive both the scan and the scanner.
struct PlaceScanner::Job {
    LibraryPlace place;
    std::shared_ptr<const KnownFiles> known;
    Walk walk;
    WalkState state;
    std::mutex lock;
    bool done = false;
    WalkResult result;
    // Of the scanner's thread.
    std::uint64_t lastSteps = 0;
    Clock::time_point lastStep{};
};

PlaceScanner::PlaceScanner(Walk walk, std::chrono::milliseconds patience)
    : m_walk(std::move(walk)), m_patience(patience) {}

PlaceScanner::~PlaceScanner() = default;

std::shared_ptr<PlaceScanner::Job> PlaceScanner::start(const LibraryPlace& place,
                                                       const std::shared_ptr<const KnownFiles>& known) const {
    auto job = std::make_shared<Job>();
    job->place = place;
    job->known = known;
    job->walk = m_walk;
    job->lastStep = Clock::now();
    std::thread([job] {
        WalkResult result;
        try {
            result = job->walk(job->place, *job->known, job->state);
        } catch (const std::exception& failure) {
            result.notes.push_back(Error(Errc::F805, {failure.what()}, job->place.path));
        }
        const std::lock_guard guard(job->lock);
        job->result = std::move(result);
        job->done = true;
    }).detach();
    return job;
}

Result<std::vector<PlaceScan>> PlaceScanner::scan(std::span<const LibraryPlace> places,
                                                  const std::shared_ptr<const KnownFiles>& known,
                                                  CancelToken cancel) {
    std::vector<PlaceScan> scans(places.size());
    struct Running {
        std::size_t place;
        std::shared_ptr<Job> job;
    };
    std::vector<Running> running;
    std::size_t next = 0;
    // true once there is nothing more to wait for of this one
    const auto collect = [&](Running& one) {
        Job& job = *one.job;
        {
            const std::lock_guard guard(job.lock);
            if (job.done) {
                scans[one.place].found = std::move(job.result);
                return true;
            }
        }
        const std::uint64_t steps = job.state.steps.load(std::memory_order_relaxed);
        if (steps != job.lastSteps) {
            job.lastSteps = steps;
            job.lastStep = Clock::now();
        }
        if (Clock::now() - job.lastStep < m_patience) return false;
        job.state.stop = true;
        m_hanging[job.place.path] = one.job;
        scans[one.place].unreachable = unreachable(job.place, m_patience);
        return true;
    };
    while (next < places.size() || !running.empty()) {
        while (next < places.size() && running.size() < kAtOnce) {
            const std::size_t place = next++;
            const auto hanging = m_hanging.find(places[place].path);
            if (hanging != m_hanging.end() && !hanging->second.expired()) {
                scans[place].unreachable = unreachable(places[place], m_patience);
                continue;
            }
            if (hanging != m_hanging.end()) m_hanging.erase(hanging);
            running.push_back({place, start(places[place], known)});
        }
        const std::size_t before = running.size();
        running.erase(std::remove_if(running.begin(), running.end(), collect), running.end());
        if (cancel.cancelled()) {
            for (const Running& one : running)
                one.job->state.stop = true;
            return Error(Errc::X002);
        }
        if (!running.empty() && running.size() == before) std::this_thread::sleep_for(kSlice);
    }
    return scans;
}

}  // namespace loader::app
