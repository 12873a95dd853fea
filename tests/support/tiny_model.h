// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Whole models of a few hundred kilobytes with random weights, made at test time: any supported architecture,
// any weight type, either byte order, one file or several. The same options always give the same bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/engine/gguf/writer.h"

namespace loader::test {

struct TinyModelOptions {
    /// "llama" (with experts: the mixture), "qwen2", "qwen3" or "gpt2".
    std::string architecture = "llama";
    /// Of every matrix; columns are multiples of 256, so that any type fits.
    quant::TensorType type = quant::TensorType::F32;
    /// Of the token table, which is the head too where tiedHead is set.
    quant::TensorType embeddingType = quant::TensorType::F32;
    bool tiedHead = false;
    std::uint32_t layers = 2;
    std::uint32_t width = 256;
    std::uint32_t feedForward = 512;
    std::uint32_t heads = 4;
    std::uint32_t kvHeads = 2;
    std::uint32_t context = 256;
    /// 0: a plain feed-forward part.
    std::uint32_t experts = 0;
    std::uint32_t expertsUsed = 2;
    /// Byte-level BPE instead of SentencePiece; gpt2 and the qwens always have it.
    bool bytePair = false;
    bool chatTemplate = true;
    std::uint64_t seed = 1;
    gguf::ByteOrder byteOrder = gguf::ByteOrder::Little;
};

/// Special tokens of every tiny model: <|user|>, <|assistant|>, <|system|> and <|end|>, which ends an answer.
inline constexpr const char* kTinyTemplate =
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}<|user|>{% elif message.role == 'system' %}<|system|>"
    "{% else %}<|assistant|>{% endif %}{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// @thread confined to one thread
class TinyModel {
public:
    /// @errors X001 for options that fit no model
    static Result<TinyModel> make(const TinyModelOptions& options);

    gguf::Writer& writer() { return *m_writer; }
    Status write(const std::string& path) const { return m_writer->write(path); }
    Result<std::vector<std::string>> writeSplit(const std::string& prefix, std::size_t tensorsPerPart) const {
        return m_writer->writeSplit(prefix, tensorsPerPart);
    }
    Result<std::vector<std::byte>> toBytes() const { return m_writer->toBytes(); }

private:
    friend class TinyModelBuilder;
    TinyModel() = default;
    std::unique_ptr<gguf::Writer> m_writer;
    std::vector<std::unique_ptr<std::vector<std::byte>>> m_data;
};

/// Fills rows of a type: rounded from random floats of the given size where the type can be written,
/// otherwise random blocks that decode to finite numbers of about that size.
/// @errors X001 where values is no whole number of blocks, X003 where no usable block was found
Result<std::vector<std::byte>> randomRows(quant::TensorType type, std::size_t values, float size,
                                          std::uint64_t seed);

}  // namespace loader::test
