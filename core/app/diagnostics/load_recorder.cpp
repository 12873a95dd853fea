// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/diagnostics/load_recorder.h"

#include <QDateTime>
#include <filesystem>
#include <system_error>

namespace loader::app {
namespace {

using Json = nlohmann::ordered_json;

std::string timeText(std::int64_t seconds) {
    return QDateTime::fromSecsSinceEpoch(seconds, Qt::UTC).toString(Qt::ISODate).toStdString();
}

/// What was wished, without what is the user's.
Json wishJson(const protocol::LoadRequest& request) {
    using Kind = protocol::GpuLayers::Kind;
    Json layers = request.gpuLayers.number;
    if (request.gpuLayers.kind == Kind::Auto) layers = "auto";
    if (request.gpuLayers.kind == Kind::All) layers = "all";
    return {{"backend", request.backend},      {"device", request.device},
            {"gpu_layers", std::move(layers)}, {"context", request.contextTokens},
            {"threads", request.threads},      {"batch", request.batchTokens},
            {"mlock", request.lockMemory},     {"mmap", request.useMmap}};
}

}  // namespace

Json loadEntry(const std::string& program, std::int64_t time, const protocol::LoadRequest& request,
               const protocol::LoadReport& report, const std::optional<Error>& error) {
    Json entry = {{"time", timeText(time)},
                  {"program", program},
                  {"model", std::filesystem::path(request.path).filename().string()},
                  {"result", error ? "failed" : "loaded"},
                  {"wish", wishJson(request)},
                  {"report", report.toJson()}};
    if (error) {
        // Not its place: that is mostly the path.
        entry["error"] = {
            {"code", error->name()}, {"message", error->message()}, {"action", error->action()}};
    }
    return entry;
}

LoadRecorder::~LoadRecorder() {
    finish();
}

void LoadRecorder::finish() {
    if (m_writing.valid()) ignoreErrorBecause("a log may have gaps", m_writing.get());
}

void LoadRecorder::record(const protocol::LoadRequest& request, const protocol::LoadReport& report,
                          const std::optional<Error>& error) {
    if (error && error->code() == Errc::X002) return;
    finish();
    const std::int64_t now = QDateTime::currentSecsSinceEpoch();
    const auto write = [log = m_log, entry = loadEntry(m_program, now, request, report, error)] {
        return log.append(entry);
    };
    try {
        m_writing = std::async(std::launch::async, write);
    } catch (const std::system_error&) {
        ignoreErrorBecause("without a thread it is written now, or not at all", write());
    }
}

LoadObserver LoadRecorder::observer() {
    return [this](const protocol::LoadRequest& request, const protocol::LoadReport& report,
                  const std::optional<Error>& error) { record(request, report, error); };
}

}  // namespace loader::app
