// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// gguf perplexity: llama.cpp's rule, so that figures can be compared. The text is encoded without beginning
// and end tokens and cut into chunks of N tokens that follow each other; a rest is left out. The
// beginning token, where the vocabulary has one, replaces the first token of each chunk, also where the file
// does not add it to texts: some models know no text without it. Scored are the predictions at the positions
// N/2 to N-2 of each chunk. With a second back end, both compute the same tokens in turn, and the
// distributions of every scored position are compared.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "core/cli/context.h"
#include "core/host/chat_prompt.h"

namespace loader::cli {
namespace {

/// Positions whose logits are asked for at once, if the batch allows: a row can take half a megabyte.
constexpr std::size_t kScoredAtOnce = 32;

double logSumExp(std::span<const float> logits) {
    const double greatest = *std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    for (const float logit : logits)
        sum += std::exp(static_cast<double>(logit) - greatest);
    return greatest + std::log(sum);
}

std::size_t likeliest(std::span<const float> logits) {
    return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Computes a part of a chunk after another. @thread confined to one thread
class Predictor {
public:
    Predictor(host::LoadedModel& model, CancelToken cancel) : m_model(model), m_cancel(cancel) {}

    Status restart() {
        LOADER_TRY(const std::uint32_t reached, m_model.session().truncate(0, 0));
        return reached == 0 ? Status() : Error(Errc::X003, {"a sequence could not be emptied"});
    }
    /// The tokens at begin … end - 1; logits come back for those from firstScored on.
    Status evaluate(std::span<const TokenId> chunk, std::size_t begin, std::size_t end,
                    std::size_t firstScored);
    std::span<const float> row(std::size_t index) const {
        const std::size_t width = m_model.program().vocabulary;
        return std::span(m_out.values).subspan(index * width, width);
    }
    /// What is known of the prediction of one token.
    void score(std::span<const float> logits, double logSum, TokenId token) {
        m_sum += logSum - static_cast<double>(logits[static_cast<std::size_t>(token)]);
        ++m_scored;
    }
    double perplexity() const {
        return m_scored != 0 ? std::exp(m_sum / static_cast<double>(m_scored)) : 0.0;
    }
    std::size_t scored() const { return m_scored; }
    std::size_t batchTokens() const { return m_model.batchTokens(); }

private:
    host::LoadedModel& m_model;
    CancelToken m_cancel;
    std::vector<backend::BatchItem> m_batch;
    backend::ForwardOutput m_out;
    double m_sum = 0.0;
    std::size_t m_scored = 0;
};

Status Predictor::evaluate(std::span<const TokenId> chunk, std::size_t begin, std::size_t end,
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
    return m_model.checkDamage();
}

/// How far predictions are from those of another back end, whose distributions P are taken for the right
/// ones.
struct Divergence {
    /// Sums and maxima of KL(P || Q) = sum of p * log(p / q), in nats.
    double sum = 0.0;
    double greatest = 0.0;
    std::size_t sameTop = 0;

    void add(std::span<const float> right, double rightLogSum, std::span<const float> ours,
             double oursLogSum) {
        double divergence = 0.0;
        for (std::size_t i = 0; i < right.size(); ++i) {
            const double logP = static_cast<double>(right[i]) - rightLogSum;
            const double logQ = static_cast<double>(ours[i]) - oursLogSum;
            divergence += std::exp(logP) * (logP - logQ);
        }
        sum += divergence;
        greatest = std::max(greatest, divergence);
        if (likeliest(right) == likeliest(ours)) ++sameTop;
    }
};

class Scorer {
public:
    /// @param other null where there is nothing to compare with
    Scorer(host::LoadedModel& model, host::LoadedModel* other, CancelToken cancel) : m_ours(model, cancel) {
        if (other) m_other.emplace(*other, cancel);
    }

    Status score(std::span<const TokenId> chunk);
    const Predictor& ours() const { return m_ours; }
    const std::optional<Predictor>& other() const { return m_other; }
    const Divergence& divergence() const { return m_divergence; }

private:
    void scoreRow(std::size_t row, TokenId next);

    Predictor m_ours;
    std::optional<Predictor> m_other;
    Divergence m_divergence;
};

void Scorer::scoreRow(std::size_t row, TokenId next) {
    const std::span<const float> logits = m_ours.row(row);
    const double logSum = logSumExp(logits);
    m_ours.score(logits, logSum, next);
    if (!m_other) return;
    const std::span<const float> right = m_other->row(row);
    const double rightLogSum = logSumExp(right);
    m_other->score(right, rightLogSum, next);
    m_divergence.add(right, rightLogSum, logits, logSum);
}

Status Scorer::score(std::span<const TokenId> chunk) {
    LOADER_CHECK(m_ours.restart());
    if (m_other) LOADER_CHECK(m_other->restart());
    const std::size_t firstScored = chunk.size() / 2;
    const std::size_t last = chunk.size() - 1;  // predicts nothing of this chunk
    const std::size_t batch = m_ours.batchTokens();
    std::size_t begin = 0;
    while (begin < last) {
        const std::size_t step =
            begin < firstScored ? std::min(batch, firstScored - begin) : std::min(batch, kScoredAtOnce);
        const std::size_t end = std::min(begin + step, last);
        LOADER_CHECK(m_ours.evaluate(chunk, begin, end, firstScored));
        if (m_other) LOADER_CHECK(m_other->evaluate(chunk, begin, end, firstScored));
        const std::size_t first = std::max(begin, firstScored);
        for (std::size_t i = first; i < end; ++i)
            scoreRow(i - first, chunk[i + 1]);
        begin = end;
    }
    return {};
}

void print(Output& output, const Scorer& scorer, std::size_t chunks, const std::string& otherName) {
    const auto tokens = static_cast<double>(scorer.ours().scored());
    const Divergence& divergence = scorer.divergence();
    Json result = {
        {"perplexity", scorer.ours().perplexity()}, {"tokens", scorer.ours().scored()}, {"chunks", chunks}};
    if (scorer.other()) {
        result["compared"] = {{"backend", otherName},
                              {"perplexity", scorer.other()->perplexity()},
                              {"kl_mean", divergence.sum / tokens},
                              {"kl_max", divergence.greatest},
                              {"same_top", static_cast<double>(divergence.sameTop) / tokens}};
    }
    if (output.json()) {
        output.writeJson(result);
        return;
    }
    char line[240];
    std::snprintf(line, sizeof line, "Perplexity %.6f over %zu tokens in %zu chunks\n",
                  scorer.ours().perplexity(), scorer.ours().scored(), chunks);
    output.write(line);
    if (!scorer.other()) return;
    std::snprintf(line, sizeof line,
                  "Perplexity %.6f with %s\nKL divergence from it: %.3e on average, %.3e at most; %.2f %% "
                  "same likeliest token\n",
                  scorer.other()->perplexity(), otherName.c_str(), divergence.sum / tokens,
                  divergence.greatest, static_cast<double>(divergence.sameTop) / tokens * 100.0);
    output.write(line);
}

}  // namespace

Result<int> perplexityCommand(Context& context) {
    const auto path = context.arguments.text("file");
    if (!path) return Error(Errc::X001, {"gguf perplexity needs -f FILE."});
    LOADER_TRY(const auto most, context.arguments.number("chunks", 1, 1u << 30));
    LOADER_TRY(host::LoadRequest request, loadRequest(context));
    // Chunks of another length give other numbers: the configuration has no say in it.
    if (!context.arguments.has("context")) request.contextTokens = 512;
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
    Loaded compared;
    const auto otherBackend = context.arguments.text("compare-backend");
    if (otherBackend) {
        request.backend = *otherBackend;
        if (!context.arguments.has("device")) request.device.clear();
        LOADER_TRY(compared, loadModel(context, request));
    }
    const std::optional<TokenId> bos = words->vocabulary->special().bos;
    Scorer scorer(model, compared.model.get(), context.cancel);
    ProgressLine progress("Perplexity");
    for (std::size_t i = 0; i < chunks; ++i) {
        const std::span<TokenId> chunk = std::span(ids).subspan(i * length, length);
        if (bos) chunk.front() = *bos;
        LOADER_CHECK(scorer.score(chunk));
        char running[48];
        std::snprintf(running, sizeof running, "  %.4f", scorer.ours().perplexity());
        progress.show(i + 1, chunks, running);
    }
    progress.clear();
    print(context.output, scorer, chunks, otherBackend.value_or(""));
    return 0;
}

}  // namespace loader::cli
