// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/app/library/model_test.h"

#include <algorithm>

namespace loader::app {
namespace {

/// A prompt for a model that knows no words: any few ids.
std::vector<TokenId> anyTokens(std::uint32_t vocabulary) {
    std::vector<TokenId> ids;
    for (std::uint32_t i = 0; i < std::min(vocabulary, 4u); ++i)
        ids.push_back(static_cast<TokenId>(i));
    return ids;
}

Status run(ModelHost& model, const ModelTestOptions& options, CancelToken cancel, ModelTestResult& result) {
    std::vector<TokenId> prompt = anyTokens(model.model().vocabulary);
    if (model.model().hasText) {
        LOADER_TRY(prompt,
                   model.prepare({protocol::PromptKind::Raw, true, true, {}}, options.prompt, cancel));
    }
    protocol::AnswerOptions answer;
    // The same every time, and to the last token.
    answer.sampling.temperature = 0.0F;
    answer.maxTokens = options.tokens;
    answer.ignoreEnd = true;
    LOADER_TRY(const protocol::Answer written, model.generate(prompt, answer, {}, cancel));
    if (written.error) return *written.error;
    if (written.stopReason == "cancelled") return Error(Errc::X002);
    result.tokens = written.tokens;
    result.tokensPerSecond = written.tokensPerSecond;
    result.text = written.text;
    return {};
}

}  // namespace

ModelTestResult testModel(const protocol::LoadRequest& request, const HostOptions& host,
                          const ModelTestOptions& options, const LoadProgress& progress, CancelToken cancel) {
    ModelTestResult result;
    auto model = ModelHost::load(request, host, progress, cancel);
    if (!model.ok()) {
        result.error = std::move(model).error();
        return result;
    }
    const Status ran = run(**model, options, cancel, result);
    if (!ran.ok()) result.error = ran.error();
    // After the run: it may have ended on another link than it began on.
    const protocol::LoadReport& report = (*model)->report();
    result.backend = report.backend;
    result.device = report.device;
    result.gpuLayers = report.gpuLayers;
    result.loadMilliseconds = report.loadMilliseconds;
    result.memoryBytes = report.measuredBytes;
    result.report = report;
    result.works = !result.error && result.tokens > 0;
    return result;
}

}  // namespace loader::app
