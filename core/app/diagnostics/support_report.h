// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// One document with all that somebody who helps needs to know, and nothing that says who the user is.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/app/backend_manager/prober.h"
#include "core/app/benchmark/insights.h"
#include "core/app/diagnostics/load_log.h"
#include "core/app/diagnostics/redaction.h"
#include "core/app/hardware/hardware_facts.h"

namespace loader::app {

/// What a worker of one profile is kept from; or why none could be started.
struct SandboxOutcome {
    /// "cpu" or "gpu".
    std::string profile;
    std::optional<protocol::SandboxFacts> facts;
    std::optional<Error> fault;
};

struct SupportFacts {
    std::string version;
    /// In seconds since 1970.
    std::int64_t time = 0;
    HardwareFacts hardware;
    std::vector<BackendCandidate> backends;
    /// Why there is no list of back ends.
    std::optional<Error> backendFault;
    std::vector<SandboxOutcome> sandboxes;
    std::vector<nlohmann::ordered_json> loads;
    LogTail log;
    /// What the history of measurements and answers says.
    Insights performance;
    /// "GGUF_BACKEND=cpu": variables of the environment that change what the program does.
    std::vector<std::string> overrides;
};

struct SupportQuery {
    std::string version;
    WorkerOptions worker;
    ProbeMemory probes;
    HardwareQuery hardware;
    std::string logFolder;
    /// Where the history of measurements is.
    std::string dataFolder;
    std::vector<std::string> overrides;
};

/// Asks everything anew; may take seconds. @errors X002
Result<SupportFacts> readSupportFacts(const SupportQuery& query, CancelToken cancel);

/// Findings first. All texts went through the redactor.
nlohmann::ordered_json supportJson(const SupportFacts& facts, const Redactor& redactor);
/// The same to be read: indented lines of "key: value".
std::string supportText(const nlohmann::ordered_json& report);

}  // namespace loader::app
