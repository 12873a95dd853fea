// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The word list of a model, checked once when it is loaded: token texts, kinds, scores, merge rules and
// special ids. Encoding lives in tokenizer.h, decoding in detokenizer.h. Every error is one of T201 to T213.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/text/flat_index.h"
#include "core/engine/text/pretokenizer.h"
#include "core/engine/text/vocabulary_data.h"

namespace loader::gguf {
class Metadata;
}

namespace loader::text {

/// How texts become tokens. The names in files are historical: "llama", "gpt2" and "bert".
enum class TokenizerKind : std::uint8_t { SentencePiece, BytePair, WordPiece };

/// The values are those of the file format.
enum class TokenType : std::uint8_t { Normal = 1, Unknown, Control, UserDefined, Unused, Byte };

/// What joining two tokens gives: the rank decides the order of merges (lower first).
struct Merge {
    std::uint32_t rank = 0;
    TokenId result = 0;
};

/// @thread immutable after creation; share it freely
class Vocabulary {
public:
    /// @errors T201 to T210, with the metadata key as place
    static Result<std::shared_ptr<const Vocabulary>> fromMetadata(const gguf::Metadata& metadata);
    /// The same from plain vectors. Nothing in data is kept: texts are copied.
    /// @errors T201 to T210
    static Result<std::shared_ptr<const Vocabulary>> fromData(const VocabularyData& data);

    TokenizerKind kind() const { return m_kind; }
    /// Number of tokens; ids lie in [0, size).
    TokenId size() const { return static_cast<TokenId>(m_tokens.size()); }
    bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < m_tokens.size(); }
    /// The text as the file spells it (byte-level BPE alphabet, "▁" for a space); id must be in range.
    std::string_view text(TokenId id) const { return view(m_tokens[id].start, m_tokens[id].length); }
    /// id must be in range.
    TokenType type(TokenId id) const { return m_tokens[id].type; }
    /// 0 where the file gives no scores; id must be in range.
    float score(TokenId id) const { return m_scores.empty() ? 0.0F : m_scores[id]; }
    /// True for control and unknown tokens and for what looks like markup: never made from a user's text.
    bool isSpecial(TokenId id) const { return m_tokens[id].special; }
    bool isEndOfGeneration(TokenId id) const { return m_tokens[id].endOfGeneration; }
    const std::vector<TokenId>& endOfGeneration() const { return m_endOfGeneration; }

    const SpecialIds& special() const { return m_special; }
    bool addBos() const { return m_addBos; }
    bool addEos() const { return m_addEos; }
    bool addSep() const { return m_addSep; }
    bool addSpacePrefix() const { return m_addSpacePrefix; }
    /// What WordPiece does to text first.
    bool lowercase() const { return m_lowercase; }
    bool stripAccents() const { return m_stripAccents; }
    /// Whole words that are tokens are taken without merging (some byte-level BPE models).
    bool ignoreMerges() const { return m_preTokenizer.ignoreMerges; }
    const PreTokenizer& preTokenizer() const { return m_preTokenizer; }
    /// The file's name for its pre-tokenizer; empty where it gives none.
    const std::string& preTokenizerName() const { return m_preTokenizerName; }

    /// The token with exactly this text, of whatever type. The first one counts where a text is there twice.
    std::optional<TokenId> find(std::string_view text) const;
    /// As find, but only tokens that ordinary text may become: no control, unknown or byte token.
    std::optional<TokenId> findText(std::string_view text) const;
    /// The token of one byte: "<0x41>" in SentencePiece, the one-letter token in byte-level BPE.
    std::optional<TokenId> byteToken(std::uint8_t byte) const;
    /// The byte that a byte token of SentencePiece stands for; id must be in range.
    std::optional<std::uint8_t> byteOf(TokenId id) const;
    /// The merge rule of two tokens of byte-level BPE.
    std::optional<Merge> merge(TokenId left, TokenId right) const;
    /// Rank of a SentencePiece token: tokens with equal scores share one, higher scores have lower ranks.
    std::uint32_t scoreRank(TokenId id) const { return m_scoreRanks.empty() ? 0 : m_scoreRanks[id]; }
    /// Tokens that are recognised as a whole before anything else: special and user-defined ones.
    const std::vector<TokenId>& wholeTokens() const { return m_wholeTokens; }
    /// Length of the longest token text. @unit bytes
    std::size_t maximumTokenBytes() const { return m_maximumTokenBytes; }
    /// True where no token has "▁" after another character, so that SentencePiece text falls apart before it.
    bool wordsAreSeparate() const { return m_wordsAreSeparate; }
    /// What is odd but does no harm (T203, T204, T213).
    const std::vector<Error>& warnings() const { return m_warnings; }

private:
    friend class VocabularyBuilder;
    struct Token {
        std::uint32_t start = 0;
        std::uint32_t length = 0;
        TokenType type = TokenType::Normal;
        bool special = false;
        bool plain = true;  // ordinary text may become this token
        bool endOfGeneration = false;
    };
    Vocabulary() = default;
    std::string_view view(std::uint32_t start, std::uint32_t length) const {
        return std::string_view(m_texts).substr(start, length);
    }

    TokenizerKind m_kind = TokenizerKind::BytePair;
    std::string m_texts;
    std::vector<Token> m_tokens;
    std::vector<float> m_scores;
    std::vector<std::uint32_t> m_scoreRanks;
    std::vector<TokenId> m_wholeTokens;
    std::vector<TokenId> m_endOfGeneration;
    std::vector<Merge> m_merges;
    FlatIndex m_textIndex;
    FlatIndex m_mergeIndex;
    std::vector<std::uint64_t> m_mergePairs;
    std::vector<TokenId> m_byteTokens;
    SpecialIds m_special;
    bool m_addBos = false;
    bool m_addEos = false;
    bool m_addSep = false;
    bool m_addSpacePrefix = false;
    bool m_lowercase = true;
    bool m_stripAccents = true;
    bool m_wordsAreSeparate = false;
    std::size_t m_maximumTokenBytes = 0;
    PreTokenizer m_preTokenizer;
    std::string m_preTokenizerName;
    std::vector<Error> m_warnings;
};

}  // namespace loader::text
