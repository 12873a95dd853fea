// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/worker/job_thread.h"

namespace loader::worker {

void JobThread::start() {
    std::thread([this] { run(); }).detach();
}

void JobThread::add(Job job) {
    const std::lock_guard guard(m_lock);
    m_jobs.push_back(std::move(job));
    m_added.notify_one();
}

void JobThread::run() {
    while (true) {
        Job job;
        {
            std::unique_lock guard(m_lock);
            m_added.wait(guard, [this] { return !m_jobs.empty(); });
            job = std::move(m_jobs.front());
            m_jobs.pop_front();
        }
        job();
    }
}

}  // namespace loader::worker
