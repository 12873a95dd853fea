// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/support/tiny_model.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/engine/base/random.h"
#include "core/engine/quant/dequantize.h"
#include "core/engine/quant/quantize.h"
#include "core/engine/text/byte_alphabet.h"

namespace loader::test {
namespace {

constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kUnknown = 2;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kByte = 6;

/// About normally distributed: a sum of four uniform numbers from one draw.
float randomFloat(std::uint64_t seed, std::uint64_t index, float size) {
    const auto words =
        philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32U), 0U, 0U},
                   {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
    double sum = 0.0;
    for (const std::uint32_t word : words)
        sum += static_cast<double>(word) * 0x1.0p-32;
    return static_cast<float>((sum - 2.0) * 1.7) * size;
}

bool usable(std::span<const float> values, float size) {
    float greatest = 0.0f;
    for (const float value : values) {
        if (!std::isfinite(value)) return false;
        greatest = std::max(greatest, std::abs(value));
    }
    return greatest > size * 0.05f && greatest < size * 8.0f;
}

Result<std::vector<std::byte>> randomBlocks(const quant::TypeInfo& info, std::size_t values, float size,
                                            std::uint64_t seed) {
    std::vector<std::byte> rows(values / info.blockValues * info.blockBytes);
    std::vector<float> decoded(info.blockValues);
    std::uint64_t draw = 0;
    for (std::size_t at = 0; at < rows.size(); at += info.blockBytes) {
        bool found = false;
        for (int attempt = 0; attempt < 200'000 && !found; ++attempt) {
            for (std::size_t i = 0; i < info.blockBytes; ++i)
                rows[at + i] = static_cast<std::byte>(uniformAt(seed, 1, ++draw, 0) * 256.0);
            quant::dequantizeRow(info.type, rows.data() + at, decoded.data(), decoded.size());
            found = usable(decoded, size);
        }
        if (!found) return Error(Errc::X003, {"no random block of " + std::string(info.name) + " is usable"});
    }
    return rows;
}

/// One block found once and repeated with a new arrangement would be too regular; but searching every block
/// of a large tensor takes seconds. So a pool of blocks is searched, and each place draws from it.
Result<std::vector<std::byte>> pooledBlocks(const quant::TypeInfo& info, std::size_t values, float size,
                                            std::uint64_t seed) {
    constexpr std::size_t kPool = 32;
    const std::size_t blocks = values / info.blockValues;
    const std::size_t distinct = std::min(blocks, kPool);
    LOADER_TRY(const std::vector<std::byte> pool,
               randomBlocks(info, distinct * info.blockValues, size, seed));
    std::vector<std::byte> rows(blocks * info.blockBytes);
    for (std::size_t i = 0; i < blocks; ++i) {
        const auto pick = static_cast<std::size_t>(uniformAt(seed, 2, i, 0) * static_cast<double>(distinct));
        std::copy_n(pool.begin() + static_cast<std::ptrdiff_t>(pick * info.blockBytes), info.blockBytes,
                    rows.begin() + static_cast<std::ptrdiff_t>(i * info.blockBytes));
    }
    return rows;
}

struct Words {
    std::vector<std::string> texts;
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    std::vector<std::string> merges;
    void add(std::string text, float score, std::int32_t type) {
        texts.push_back(std::move(text));
        scores.push_back(score);
        types.push_back(type);
    }
};

constexpr const char* kTurnTokens[] = {"<|user|>", "<|assistant|>", "<|system|>", "<|end|>"};

Words sentencePieceWords() {
    Words words;
    words.add("<unk>", 0.0f, kUnknown);
    words.add("<s>", 0.0f, kControl);
    words.add("</s>", 0.0f, kControl);
    for (int byte = 0; byte < 256; ++byte) {
        char text[8];
        std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
        words.add(text, 0.0f, kByte);
    }
    for (const char* text : kTurnTokens)
        words.add(text, 0.0f, kControl);
    const char* pieces[] = {"▁t", "he", "▁the", "in", "on", "▁a", "er", "re", "▁s", "at", "▁w", "nd", "▁and"};
    float score = 0.0f;
    for (const char* piece : pieces)
        words.add(piece, score -= 1.0f, kNormal);
    words.add("▁", score -= 1.0f, kNormal);
    for (char letter = 'a'; letter <= 'z'; ++letter)
        words.add(std::string(1, letter), score -= 1.0f, kNormal);
    for (const char* sign : {".", ",", "!", "?", "A", "B", "T", "\n"})
        words.add(sign, score -= 1.0f, kNormal);
    return words;
}

Words bytePairWords() {
    Words words;
    for (int byte = 0; byte < 256; ++byte)
        words.add(std::string(text::spellingOfByte(static_cast<std::uint8_t>(byte))), 0.0f, kNormal);
    const char* merges[] = {"Ġ t", "h e", "Ġt he", "i n", "o n", "Ġ a",
                            "e r", "r e", "Ġ s",   "a t", "Ġ w", "n d"};
    for (const char* merge : merges) {
        std::string joined = merge;
        joined.erase(joined.find(' '), 1);
        words.add(joined, 0.0f, kNormal);
        words.merges.emplace_back(merge);
    }
    words.add("<|endoftext|>", 0.0f, kControl);
    for (const char* text : kTurnTokens)
        words.add(text, 0.0f, kControl);
    return words;
}

std::vector<std::string_view> viewsOf(const std::vector<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

}  // namespace

Result<std::vector<std::byte>> randomRows(quant::TensorType type, std::size_t values, float size,
                                          std::uint64_t seed) {
    const quant::TypeInfo& info = quant::typeInfo(type);
    if (values % info.blockValues != 0)
        return Error(Errc::X001, {std::to_string(values) + " values are no whole blocks"});
    if (!quant::canQuantize(type)) return pooledBlocks(info, values, size, seed);
    std::vector<float> numbers(values);
    for (std::size_t i = 0; i < values; ++i)
        numbers[i] = randomFloat(seed, i, size);
    std::vector<std::byte> rows(values / info.blockValues * info.blockBytes);
    LOADER_CHECK(quant::quantizeRow(type, numbers.data(), rows.data(), values));
    return rows;
}

class TinyModelBuilder {
public:
    explicit TinyModelBuilder(const TinyModelOptions& options) : m_options(options) {
        m_model.m_writer = std::make_unique<gguf::Writer>(gguf::WriteOptions{3, options.byteOrder});
    }

    Result<TinyModel> build() {
        const TinyModelOptions& o = m_options;
        const bool odd = o.heads == 0 || o.kvHeads == 0 || o.width % 256 != 0 || o.feedForward % 256 != 0 ||
                         o.width % o.heads != 0 || o.heads % o.kvHeads != 0 || o.layers == 0;
        if (odd) return Error(Errc::X001, {"the options fit no model"});
        addWords();
        addParameters();
        LOADER_CHECK(matrix("token_embd.weight", o.embeddingType, {o.width, m_vocabulary}, 0.5f));
        if (isGpt2())
            LOADER_CHECK(matrix("position_embd.weight", quant::TensorType::F32, {o.width, o.context}, 0.1f));
        for (std::uint32_t layer = 0; layer < o.layers; ++layer)
            LOADER_CHECK(addLayer("blk." + std::to_string(layer) + "."));
        LOADER_CHECK(norm("output_norm", o.width));
        if (!o.tiedHead)
            LOADER_CHECK(matrix("output.weight", o.type, {o.width, m_vocabulary}, 2.0f / root(o.width)));
        return std::move(m_model);
    }

private:
    using Dims = std::vector<std::uint64_t>;

    bool isGpt2() const { return m_options.architecture == "gpt2"; }
    static float root(std::uint32_t value) { return std::sqrt(static_cast<float>(value)); }

    void addWords() {
        gguf::Metadata& metadata = m_model.m_writer->metadata();
        const bool bytePair = m_options.bytePair || m_options.architecture != "llama";
        const Words words = bytePair ? bytePairWords() : sentencePieceWords();
        m_vocabulary = static_cast<std::uint32_t>(words.texts.size());
        metadata.setText("general.architecture", m_options.architecture);
        metadata.setText("general.name", "tiny " + m_options.architecture);
        metadata.setText("tokenizer.ggml.model", bytePair ? "gpt2" : "llama");
        metadata.setTexts("tokenizer.ggml.tokens", viewsOf(words.texts));
        metadata.setArray<std::int32_t>("tokenizer.ggml.token_type", words.types);
        const auto last = m_vocabulary - 1;
        if (bytePair) {
            metadata.setText("tokenizer.ggml.pre", "gpt-2");
            metadata.setTexts("tokenizer.ggml.merges", viewsOf(words.merges));
            metadata.set<std::uint32_t>("tokenizer.ggml.bos_token_id", last - 4);
            metadata.set<std::uint32_t>("tokenizer.ggml.eos_token_id", last);
            metadata.set("tokenizer.ggml.add_bos_token", false);
        } else {
            metadata.setArray<float>("tokenizer.ggml.scores", words.scores);
            metadata.set<std::uint32_t>("tokenizer.ggml.bos_token_id", 1);
            metadata.set<std::uint32_t>("tokenizer.ggml.eos_token_id", 2);
            metadata.set<std::uint32_t>("tokenizer.ggml.eot_token_id", 262);
            metadata.set("tokenizer.ggml.add_bos_token", true);
        }
        if (m_options.chatTemplate) metadata.setText("tokenizer.chat_template", kTinyTemplate);
    }

    void addParameters() {
        gguf::Metadata& metadata = m_model.m_writer->metadata();
        const TinyModelOptions& o = m_options;
        const std::string prefix = o.architecture + ".";
        metadata.set<std::uint32_t>(prefix + "context_length", o.context);
        metadata.set<std::uint32_t>(prefix + "embedding_length", o.width);
        metadata.set<std::uint32_t>(prefix + "block_count", o.layers);
        metadata.set<std::uint32_t>(prefix + "feed_forward_length", o.feedForward);
        metadata.set<std::uint32_t>(prefix + "attention.head_count", o.heads);
        metadata.set<std::uint32_t>(prefix + "attention.head_count_kv", kvHeads());
        const char* epsilon = isGpt2() ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
        metadata.set<float>(prefix + epsilon, 1e-5f);
        if (!isGpt2()) {
            metadata.set<std::uint32_t>(prefix + "rope.dimension_count", o.width / o.heads);
            metadata.set<float>(prefix + "rope.freq_base", 10000.0f);
        }
        if (o.experts == 0) return;
        metadata.set<std::uint32_t>(prefix + "expert_count", o.experts);
        metadata.set<std::uint32_t>(prefix + "expert_used_count", o.expertsUsed);
    }

    std::uint32_t kvHeads() const { return isGpt2() ? m_options.heads : m_options.kvHeads; }

    Status addLayer(const std::string& layer) {
        const TinyModelOptions& o = m_options;
        const std::uint32_t headWidth = o.width / o.heads;
        const std::uint32_t kvWidth = headWidth * kvHeads();
        LOADER_CHECK(norm(layer + "attn_norm", o.width));
        if (isGpt2()) {
            LOADER_CHECK(linear(layer + "attn_qkv", o.width, o.width + 2 * kvWidth, true));
        } else {
            const bool bias = o.architecture == "qwen2";
            LOADER_CHECK(linear(layer + "attn_q", o.width, o.width, bias));
            LOADER_CHECK(linear(layer + "attn_k", o.width, kvWidth, bias));
            LOADER_CHECK(linear(layer + "attn_v", o.width, kvWidth, bias));
        }
        if (o.architecture == "qwen3") {
            LOADER_CHECK(norm(layer + "attn_q_norm", headWidth));
            LOADER_CHECK(norm(layer + "attn_k_norm", headWidth));
        }
        LOADER_CHECK(linear(layer + "attn_output", o.width, o.width, isGpt2()));
        LOADER_CHECK(norm(layer + "ffn_norm", o.width));
        if (o.experts != 0) return addExperts(layer);
        if (!isGpt2()) LOADER_CHECK(linear(layer + "ffn_gate", o.width, o.feedForward, false));
        LOADER_CHECK(linear(layer + "ffn_up", o.width, o.feedForward, isGpt2()));
        return linear(layer + "ffn_down", o.feedForward, o.width, isGpt2());
    }

    Status addExperts(const std::string& layer) {
        const TinyModelOptions& o = m_options;
        const float size = 1.0f / root(o.width);
        LOADER_CHECK(
            matrix(layer + "ffn_gate_inp.weight", quant::TensorType::F32, {o.width, o.experts}, size * 4));
        LOADER_CHECK(
            matrix(layer + "ffn_gate_exps.weight", o.type, {o.width, o.feedForward, o.experts}, size));
        LOADER_CHECK(matrix(layer + "ffn_up_exps.weight", o.type, {o.width, o.feedForward, o.experts}, size));
        return matrix(layer + "ffn_down_exps.weight", o.type, {o.feedForward, o.width, o.experts},
                      1.0f / root(o.feedForward));
    }

    Status linear(const std::string& name, std::uint32_t columns, std::uint32_t rows, bool bias) {
        LOADER_CHECK(matrix(name + ".weight", m_options.type, {columns, rows}, 1.0f / root(columns)));
        if (!bias) return {};
        return matrix(name + ".bias", quant::TensorType::F32, {rows}, 0.05f);
    }

    /// Around 1, as trained norms are.
    Status norm(const std::string& name, std::uint32_t width) {
        std::vector<float> values(width);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = 1.0f + randomFloat(m_options.seed + 77 * ++m_tensors, i, 0.1f);
        const auto bytes = std::as_bytes(std::span(values));
        add(name + ".weight", quant::TensorType::F32, {width}, {bytes.begin(), bytes.end()});
        if (!isGpt2()) return {};
        return matrix(name + ".bias", quant::TensorType::F32, {width}, 0.05f);
    }

    Status matrix(const std::string& name, quant::TensorType type, const Dims& dims, float size) {
        std::size_t values = 1;
        for (const std::uint64_t dimension : dims)
            values *= static_cast<std::size_t>(dimension);
        LOADER_TRY(auto rows, randomRows(type, values, size, m_options.seed + 77 * ++m_tensors));
        add(name, type, dims, std::move(rows));
        return {};
    }

    void add(const std::string& name, quant::TensorType type, const Dims& dims, std::vector<std::byte> data) {
        if (m_options.byteOrder != gguf::kHostOrder) quant::swapBlockEndianness(type, data);
        m_model.m_data.push_back(std::make_unique<std::vector<std::byte>>(std::move(data)));
        m_model.m_writer->addTensor(name, type, dims, std::span<const std::byte>(*m_model.m_data.back()));
    }

    const TinyModelOptions& m_options;
    TinyModel m_model;
    std::uint32_t m_vocabulary = 0;
    std::uint64_t m_tensors = 0;
};

Result<TinyModel> TinyModel::make(const TinyModelOptions& options) {
    return TinyModelBuilder(options).build();
}

}  // namespace loader::test
