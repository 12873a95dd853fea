// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Remembers how fast answers are while somebody uses a model, beside the work: nobody waits for it, and a
// history that cannot be written is no reason to fail.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "core/app/benchmark/gpu_use.h"
#include "core/app/benchmark/history.h"
#include "core/protocol/answer.h"

namespace loader::app {

/// @thread confined to one thread
class UsageRecorder {
public:
    using OpenGpuUse = std::function<std::unique_ptr<GpuUseReader>()>;

    /// @param version of this program
    UsageRecorder(History history, std::string version, protocol::LoadRequest request,
                  OpenGpuUse openGpuUse = systemGpuUse);
    ~UsageRecorder();
    UsageRecorder(const UsageRecorder&) = delete;
    UsageRecorder& operator=(const UsageRecorder&) = delete;

    /// A question was asked. The graphics processor is watched where it has layers.
    void begin(const protocol::LoadReport& report);
    /// A token came out; only the first one counts.
    void token();
    /// Writes the record, in another thread. An answer without a token leaves none.
    void end(const protocol::Answer& answer, const protocol::LoadReport& report);
    /// Nothing came of it.
    void abandon();

private:
    struct Known;
    void finish();

    History m_history;
    std::string m_version;
    protocol::LoadRequest m_request;
    OpenGpuUse m_openGpuUse;
    std::shared_ptr<Known> m_known;
    std::unique_ptr<GpuUseMonitor> m_monitor;
    bool m_watching = false;
    std::chrono::steady_clock::time_point m_start;
    std::optional<double> m_firstTokenMs;
    std::future<Status> m_writing;
};

}  // namespace loader::app
