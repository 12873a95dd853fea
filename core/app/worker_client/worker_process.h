// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The process of a worker: started as a direct child with one end of a stream, killed without asking, and
// always waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/base/result.h"
#include "core/protocol/channel.h"

namespace loader::app {

/// How a process ended, in words: "signal 11 (SIGSEGV)", "exception 0xC0000005 (access violation)",
/// "exit status 3".
struct ProcessEnd {
    std::string words;
    /// Ended by a signal or an exception, not by itself.
    bool crashed = false;
};

/// @thread confined to the thread that started it, which must live as long as the process shall.
class WorkerProcess {
public:
    /// @param inheritErrors its standard error is ours; otherwise it has none
    /// @errors W604
    static Result<std::unique_ptr<WorkerProcess>> start(const std::string& program,
                                                        const std::vector<std::string>& arguments,
                                                        protocol::Descriptor connection, bool inheritErrors);
    /// Kills what still runs.
    ~WorkerProcess();
    WorkerProcess(const WorkerProcess&) = delete;
    WorkerProcess& operator=(const WorkerProcess&) = delete;

    std::int64_t id() const { return m_id; }
    /// Bytes of it in memory, now and at most; 0 where the system does not tell.
    std::uint64_t residentBytes() const;
    std::uint64_t peakResidentBytes() const;
    /// Nothing while it runs.
    const std::optional<ProcessEnd>& poll();
    /// The same, after waiting for it.
    const std::optional<ProcessEnd>& waitFor(std::chrono::milliseconds time);
    /// Ends it now, whatever it does, and waits for it.
    const ProcessEnd& kill();

private:
    explicit WorkerProcess(std::int64_t id) : m_id(id) {}

    std::int64_t m_id;
    /// Windows: the process, and the job that ends with this program and takes the process with it.
    protocol::Descriptor m_process;
    protocol::Descriptor m_job;
    std::optional<ProcessEnd> m_end;
};

}  // namespace loader::app
