// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Writes how loads ended into the log, beside the work: a slow disk must not make a user wait for the first
// word, and a full one is no reason to fail.
#pragma once

#include <future>
#include <string>

#include "core/app/backend_manager/model_host.h"
#include "core/app/diagnostics/load_log.h"

namespace loader::app {

/// The entry of a load. @param time in seconds since 1970
nlohmann::ordered_json loadEntry(const std::string& program, std::int64_t time,
                                 const protocol::LoadRequest& request, const protocol::LoadReport& report,
                                 const std::optional<Error>& error);

/// Must outlive the host that it observes. @thread confined to one thread
class LoadRecorder {
public:
    /// @param program name and version of who loads
    LoadRecorder(LoadLog log, std::string program) : m_log(std::move(log)), m_program(std::move(program)) {}
    ~LoadRecorder();
    LoadRecorder(const LoadRecorder&) = delete;
    LoadRecorder& operator=(const LoadRecorder&) = delete;

    void record(const protocol::LoadRequest& request, const protocol::LoadReport& report,
                const std::optional<Error>& error);
    LoadObserver observer();

private:
    void finish();

    LoadLog m_log;
    std::string m_program;
    std::future<Status> m_writing;
};

}  // namespace loader::app
