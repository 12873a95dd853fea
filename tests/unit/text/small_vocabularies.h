// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Vocabularies of a few tokens, made in memory: one of each kind. They own their texts, so tests can change
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/text/vocabulary.h"

namespace loader::test {

struct SmallVocabulary {
    std::string model;
    std::optional<std::string> pre;
    std::vector<std::string> tokens;
    std::optional<std::vector<float>> scores;
    std::optional<std::vector<std::int32_t>> types;
    std::optional<std::vector<std::string>> merges;
    std::optional<std::vector<std::uint8_t>> characterMap;
    text::SpecialIds special;
    std::optional<bool> addSpacePrefix;

    /// Appends a token and gives its id.
    TokenId add(const std::string& text, float score = 0, std::int32_t type = 1);
    Result<std::shared_ptr<const text::Vocabulary>> build() const;
};

/// unk 0, <s> 1, </s> 2, bytes 3 to 258, then letters and the pieces of "hello world".
SmallVocabulary smallSentencePiece();
/// The 256 byte letters, then the merges of "hello", " world", and <|end|> as a control token.
SmallVocabulary smallBytePair();
/// [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, then words and continuations.
SmallVocabulary smallWordPiece();

}  // namespace loader::test
