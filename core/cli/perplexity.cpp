// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf perplexity: llama.cpp's rule, so that figures can be compared. The text is encoded without beginning
// and end tokens and cut into chunks of N tokens that follow each other; a rest is left out. Where the model
// wants a beginning token, it replaces the first token of each chunk. Scored are the predictions at the
// positions N/2 to N-2 of each chunk.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/cli/context.h"
#include "core/host/chat_prompt.h"

namespace loader::cli {
namespace {

/// Positions whose logits are asked for at once: a row of logits can take half a megabyte.
constexpr std::size_t kScoredAtOnce = 32;

double negativeLogProbability(std::span<const float> logits, TokenId token) {
    float greatest = logits.front();
    for (const float logit : logits)
        greatest = std::max(greatest, logit);
    double sum = 0.0;
    for (const float logit : logits)
        sum += std::exp(static_cast<double>(logit) - greatest);
    return greatest + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

class Scorer {
public:
    Scorer(host::LoadedModel& model, CancelToken cancel) : m_model(model), m_cancel(cancel) {}

    Status score(std::span<const TokenId> chunk);
    double perplexity() const {
        return m_scored != 0 ? std::exp(m_sum / static_cast<double>(m_scored)) : 0.0;
    }
    std::size_t scored() const { return m_scored; }

private:
    Status evaluate(std::span<const TokenId> chunk, std::size_t begin, std::size_t end,
                    std::size_t firstScored);

    host::LoadedModel& m_model;
    CancelToken m_cancel;
    std::vector<backend::BatchItem> m_batch;
    backend::ForwardOutput m_out;
    double m_sum = 0.0;
    std::size_t m_scored = 0;
};

Status Scorer::evaluate(std::span<const TokenId> chunk, std::size_t begin, std::size_t end,
                        std::size_t firstScored) {
    m_batch.assign(end - begin, {});
    for (std::size_t i = begin; i < end; ++i) {
        backend::BatchItem& item = m_batch[i - begin];
        item.token = chunk[i];
        item.position[0] = static_cast<std::uint32_t>(i);
        item.wantsOutput = i >= firstScored;
    }
    m_out = {};
    LOADER_CHECK(m_model.session().forward(m_batch, {}, m_out, m_cancel));
    LOADER_CHECK(m_model.checkDamage());
    const std::size_t width = m_model.program().vocabulary;
    for (std::size_t i = std::max(begin, firstScored); i < end; ++i) {
        const std::size_t row = i - std::max(begin, firstScored);
        m_sum += negativeLogProbability(std::span(m_out.values).subspan(row * width, width), chunk[i + 1]);
        ++m_scored;
    }
    return {};
}

Status Scorer::score(std::span<const TokenId> chunk) {
    LOADER_TRY(const std::uint32_t reached, m_model.session().truncate(0, 0));
    static_cast<void>(reached);
    const std::size_t firstScored = chunk.size() / 2;
    const std::size_t last = chunk.size() - 1;  // predicts nothing of this chunk
    std::size_t begin = 0;
    while (begin < last) {
        const std::size_t step = begin < firstScored
                                     ? std::min<std::size_t>(m_model.batchTokens(), firstScored - begin)
                                     : kScoredAtOnce;
        const std::size_t end = std::min(begin + step, last);
        LOADER_CHECK(evaluate(chunk, begin, end, firstScored));
        begin = end;
    }
    return {};
}

}  // namespace

Result<int> perplexityCommand(Context& context) {
    const auto path = context.arguments.text("file");
    if (!path) return Error(Errc::X001, {"gguf perplexity needs -f FILE."});
    LOADER_TRY(const auto most, context.arguments.number("chunks", 1, 1u << 30));
    LOADER_TRY(host::LoadRequest request, loadRequest(context));
    if (request.contextTokens == 0) request.contextTokens = 512;
    if (request.contextTokens < 4) return Error(Errc::X001, {"A chunk has at least 4 tokens (-c)."});
    LOADER_TRY(const std::string text, readTextFile(*path, text::kMaximumPromptBytes));
    LOADER_TRY(const Loaded loaded, loadModel(context, request));
    host::LoadedModel& model = *loaded.model;
    LOADER_TRY(const host::ModelText* words, model.text());
    LOADER_TRY(std::vector<TokenId> ids, host::rawPrompt(words->tokenizer, text, {false, false}));

    const std::size_t length = request.contextTokens;
    std::size_t chunks = ids.size() / length;
    if (chunks == 0) {
        return Error(Errc::X001, {"The text has " + std::to_string(ids.size()) + " tokens; a chunk needs " +
                                  std::to_string(length) + "."});
    }
    if (most) chunks = std::min<std::size_t>(chunks, static_cast<std::size_t>(*most));
    const std::optional<TokenId> bos = words->vocabulary->special().bos;
    Scorer scorer(model, context.cancel);
    ProgressLine progress("Perplexity");
    for (std::size_t i = 0; i < chunks; ++i) {
        const std::span<TokenId> chunk = std::span(ids).subspan(i * length, length);
        if (bos) chunk.front() = *bos;
        LOADER_CHECK(scorer.score(chunk));
        char running[48];
        std::snprintf(running, sizeof running, "  %.4f", scorer.perplexity());
        progress.show(i + 1, chunks, running);
    }
    progress.clear();
    if (context.output.json()) {
        context.output.writeJson(
            {{"perplexity", scorer.perplexity()}, {"tokens", scorer.scored()}, {"chunks", chunks}});
        return 0;
    }
    char line[128];
    std::snprintf(line, sizeof line, "Perplexity %.6f over %zu tokens in %zu chunks\n", scorer.perplexity(),
                  scorer.scored(), chunks);
    context.output.write(line);
    return 0;
}

}  // namespace loader::cli
