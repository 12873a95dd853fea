// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a file says about its vocabulary, not yet checked: the input of Vocabulary::fromData.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/engine/base/token.h"

namespace loader::text {

/// Two ids as one key of the merge table.
inline std::uint64_t pairKey(TokenId left, TokenId right) {
    return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
}

/// Limits of what is accepted; see the table of limits in the reliability plan.
inline constexpr std::size_t kMaximumTokens = 16'777'216;
inline constexpr std::size_t kMaximumTokenTextBytes = 65'536;
inline constexpr std::size_t kMaximumMerges = 4'000'000;
inline constexpr std::size_t kMaximumPromptBytes = std::size_t{64} << 20;

/// The special tokens; absent where the model has none.
struct SpecialIds {
    std::optional<TokenId> bos;   // beginning of text; [CLS] for WordPiece
    std::optional<TokenId> eos;   // end of text
    std::optional<TokenId> eot;   // end of turn
    std::optional<TokenId> eom;   // end of message
    std::optional<TokenId> unk;   // unknown
    std::optional<TokenId> sep;   // separator
    std::optional<TokenId> pad;   // padding
    std::optional<TokenId> cls;   // classification
    std::optional<TokenId> mask;  // masked word
    std::optional<TokenId> fimPrefix;
    std::optional<TokenId> fimSuffix;
    std::optional<TokenId> fimMiddle;
    std::optional<TokenId> fimPad;
    std::optional<TokenId> fimRepository;
    std::optional<TokenId> fimSeparator;
};

/// Plain copies of the file's values; views must live until fromData returns.
struct VocabularyData {
    std::string_view model;                // tokenizer.ggml.model
    std::optional<std::string_view> pre;   // tokenizer.ggml.pre
    std::vector<std::string_view> tokens;  // tokenizer.ggml.tokens
    std::optional<std::vector<float>> scores;
    std::optional<std::vector<std::int32_t>> types;
    std::optional<std::vector<std::string_view>> merges;
    std::optional<std::vector<std::uint8_t>> characterMap;  // tokenizer.ggml.precompiled_charsmap
    SpecialIds special;                                     // keys that are present; defaults are added later
    std::optional<bool> addBos;
    std::optional<bool> addEos;
    std::optional<bool> addSep;
    std::optional<bool> addSpacePrefix;
    std::optional<bool> lowercase;     // tokenizer.ggml.normalizer.lowercase
    std::optional<bool> stripAccents;  // tokenizer.ggml.normalizer.strip_accents
};

}  // namespace loader::text
