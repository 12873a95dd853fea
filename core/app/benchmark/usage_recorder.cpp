// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/benchmark/usage_recorder.h"

#include <algorithm>
#include <system_error>

#include "core/app/benchmark/json_fields.h"

namespace loader::app {

/// Found out once, by the thread that writes; only one of them runs at a time.
struct UsageRecorder::Known {
    std::optional<ModelIdentity> model;
};

UsageRecorder::UsageRecorder(History history, std::string version, protocol::LoadRequest request,
                             OpenGpuUse openGpuUse)
    : m_history(std::move(history)),
      m_version(std::move(version)),
      m_request(std::move(request)),
      m_openGpuUse(std::move(openGpuUse)),
      m_known(std::make_shared<Known>()) {}

UsageRecorder::~UsageRecorder() {
    abandon();
    finish();
}

void UsageRecorder::finish() {
    if (m_writing.valid()) ignoreErrorBecause("a history may have gaps", m_writing.get());
}

void UsageRecorder::begin(const protocol::LoadReport& report) {
    abandon();
    m_firstTokenMs.reset();
    m_start = std::chrono::steady_clock::now();
    if (report.gpuLayers == 0) return;
    if (!m_monitor) m_monitor = std::make_unique<GpuUseMonitor>(m_openGpuUse());
    m_monitor->start();
    m_watching = true;
}

void UsageRecorder::token() {
    if (m_firstTokenMs) return;
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - m_start;
    m_firstTokenMs = passed.count();
}

void UsageRecorder::abandon() {
    if (m_watching) static_cast<void>(m_monitor->stop());
    m_watching = false;
}

void UsageRecorder::end(const protocol::Answer& answer, const protocol::LoadReport& report) {
    UsageRecord record;
    if (m_watching) record.gpuBusyPercent = m_monitor->stop();
    m_watching = false;
    if (answer.tokens == 0) return;
    record.time = currentTime();
    record.version = m_version;
    record.settings = settingsOf(m_request, report);
    record.promptTokens = answer.promptTokens;
    record.cachedTokens = std::min(answer.cachedTokens, answer.promptTokens);
    record.tokens = answer.tokens;
    record.tokensPerSecond = answer.tokensPerSecond;
    record.promptMs = answer.promptMilliseconds;
    record.firstTokenMs = m_firstTokenMs;
    record.memoryBytes = report.measuredBytes;
    record.failedLinks = static_cast<std::uint32_t>(
        std::count_if(report.steps.begin(), report.steps.end(),
                      [](const protocol::LoadStep& step) { return step.result == "failed"; }));
    finish();
    const auto write = [history = m_history, known = m_known, path = m_request.path,
                        record]() mutable -> Status {
        if (!known->model) {
            LOADER_TRY(known->model, identityOf(path));
        }
        record.model = *known->model;
        return history.append(record);
    };
    try {
        m_writing = std::async(std::launch::async, write);
    } catch (const std::system_error&) {
        ignoreErrorBecause("without a thread there is a gap", Status());
    }
}

}  // namespace loader::app
