// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/diagnostics/support_report.h"

#include <QDateTime>

#include "core/app/backend_manager/backend_json.h"
#include "core/app/backend_manager/probe_convert.h"
#include "core/app/diagnostics/findings.h"
#include "core/app/hardware/hardware_json.h"

namespace loader::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLoadsShown = 20;
constexpr std::size_t kLogLinesShown = 200;
constexpr std::size_t kIndent = 2;

Json errorJson(const Error& error) {
    return {{"code", error.name()},
            {"message", error.message()},
            {"place", error.place()},
            {"action", error.action()}};
}

SandboxOutcome trySandbox(const WorkerOptions& worker, bool forGpu) {
    WorkerOptions options = worker;
    options.backends.clear();
    options.forGpu = forGpu;
    SandboxOutcome outcome{forGpu ? "gpu" : "cpu", {}, {}};
    const auto client = WorkerClient::start(options);
    if (client.ok())
        outcome.facts = (*client)->sandbox();
    else
        outcome.fault = client.error();
    return outcome;
}

Json sandboxJson(const SandboxOutcome& sandbox) {
    Json json = {{"profile", sandbox.profile}};
    if (sandbox.fault) json["error"] = errorJson(*sandbox.fault);
    if (!sandbox.facts) return json;
    const protocol::SandboxFacts& facts = *sandbox.facts;
    json["seccomp"] = facts.seccomp;
    json["landlock_abi"] = facts.landlockAbi;
    json["network_denied"] = facts.network;
    json["files_denied"] = facts.files;
    json["exec_denied"] = facts.exec;
    json["new_code_denied"] = facts.newCode;
    json["notes"] = facts.notes;
    return json;
}

Json findingsJson(const std::vector<Finding>& findings) {
    Json list = Json::array();
    for (const Finding& finding : findings) {
        list.push_back({{"weight", nameOf(finding.weight)},
                        {"id", finding.id},
                        {"sentence", finding.sentence},
                        {"remedy", finding.remedy}});
    }
    return list;
}

Json logJson(const LogTail& log) {
    if (log.file.empty()) return {{"file", nullptr}, {"note", "This version writes no other log."}};
    return {{"file", log.file}, {"lines", log.lines}};
}

/// One value in one line.
std::string inLine(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_null()) return "not told";
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool isPlain(const Json& value) {
    if (!value.is_structured()) return true;
    if (!value.is_array()) return value.empty();
    for (const Json& item : value) {
        if (!item.is_primitive() || (item.is_string() && item.get_ref<const std::string&>().size() > 24))
            return value.empty();
    }
    return true;
}

/// The document was made here or was limited in depth when it was read.
void write(const Json& value, std::size_t depth, std::string& text) {
    const std::string indent(depth * kIndent, ' ');
    for (const auto& [key, item] : value.items()) {
        const std::string label = value.is_array() ? "-" : key + ":";
        if (isPlain(item)) {
            std::string line;
            if (item.is_array()) {
                for (const Json& part : item)
                    line += (line.empty() ? "" : ", ") + inLine(part);
            }
            if (item.is_structured() && line.empty()) line = "none";
            text += indent + label + " " + (item.is_structured() ? line : inLine(item)) + "\n";
        } else {
            text += indent + label + "\n";
            write(item, depth + 1, text);
        }
    }
}

}  // namespace

Result<SupportFacts> readSupportFacts(const SupportQuery& query, CancelToken cancel) {
    SupportFacts facts;
    facts.version = query.version;
    facts.time = QDateTime::currentSecsSinceEpoch();
    facts.overrides = query.overrides;
    HardwareQuery hardware = query.hardware;
    hardware.probes = nullptr;
    LOADER_TRY(facts.hardware, readHardware(hardware, cancel));
    ProbeMemory probes = query.probes;
    probes.again = true;
    auto backends = probeAll(query.worker, probes, cancel);
    LOADER_CHECK(cancel.check());
    if (backends.ok())
        facts.backends = std::move(backends).value();
    else
        facts.backendFault = std::move(backends).error();
    facts.hardware.probes.emplace();
    for (const BackendCandidate& backend : facts.backends)
        facts.hardware.probes->push_back(probedBackend(backend));
    for (const bool forGpu : {false, true})
        facts.sandboxes.push_back(trySandbox(query.worker, forGpu));
    facts.performance =
        insightsOf(History(query.dataFolder).read(), LoadLog(query.logFolder).last(LoadLog::kMostLines));
    facts.loads = LoadLog(query.logFolder).last(kLoadsShown);
    facts.log = logTail(query.logFolder, kLogLinesShown);
    return facts;
}

Json supportJson(const SupportFacts& facts, const Redactor& redactor) {
    const QDateTime time = QDateTime::fromSecsSinceEpoch(facts.time, Qt::UTC);
    Json report = {{"program", {{"name", "gguf-loader"}, {"version", facts.version}, {"qt", qVersion()}}},
                   {"time", time.toString(Qt::ISODate).toStdString()},
                   {"findings", findingsJson(findingsOf(facts))},
                   {"hardware", hardwareJson(facts.hardware)},
                   {"backends", Json::array()},
                   {"sandbox", Json::array()},
                   {"environment", facts.overrides},
                   {"settings", {{"values", nullptr}, {"note", "This version has no settings yet."}}},
                   {"loads", facts.loads},
                   {"log", logJson(facts.log)},
                   {"performance", insightsJson(facts.performance)}};
    for (const BackendCandidate& backend : facts.backends)
        report["backends"].push_back(backendJson(backend));
    for (const SandboxOutcome& sandbox : facts.sandboxes)
        report["sandbox"].push_back(sandboxJson(sandbox));
    return redactor.redactedJson(report);
}

std::string supportText(const Json& report) {
    std::string text = "Support report of GGUF Loader\n\n";
    write(report, 0, text);
    return text;
}

}  // namespace loader::app
