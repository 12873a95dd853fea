// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Jobs that run one after the other in a thread of their own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace loader::worker {

/// The process ends with its threads running: there is nothing to join.
/// @thread any; jobs must not throw
class JobThread {
public:
    using Job = std::function<void()>;
    void start();
    void add(Job job);

private:
    void run();

    std::mutex m_lock;
    std::condition_variable m_added;
    std::deque<Job> m_jobs;
};

}  // namespace loader::worker
