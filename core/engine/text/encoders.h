// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The three ways in which text between whole tokens becomes tokens. One object serves one call of Tokenizer
// and keeps what repeats within it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/text/merge_engine.h"
#include "core/engine/text/tokenizer.h"
#include "core/engine/text/vocabulary.h"

namespace loader::text {

/// Appends the tokens of stretches of text.
class TextEncoder {
public:
    virtual ~TextEncoder() = default;
    /// afterSpecial: the text begins, or a special token stands before it. text must outlive the encoder.
    virtual void encode(std::string_view text, bool afterSpecial, std::vector<TokenId>& out) = 0;
};

/// Symbols that are no token: a character, or a byte that is no UTF-8, outside the vocabulary.
inline constexpr std::uint32_t kUnknownCharacter = 0x80000000U;
inline constexpr std::uint32_t kUnknownByte = 0xC0000000U;

/// Remembers what pairs of symbols make.
class PairMemory {
public:
    PairMemory() { m_slots.resize(1024); }
    /// The stored merge of a pair, or nullptr.
    const Merge* find(std::uint64_t pair) const;
    void store(std::uint64_t pair, Merge merge);

private:
    static constexpr std::uint64_t kFree = ~std::uint64_t{0};
    struct Slot {
        std::uint64_t pair = kFree;
        Merge merge;
    };
    std::vector<Slot> m_slots;
    std::size_t m_used = 0;
};

/// SentencePiece BPE: the pair whose text is the token of highest score merges first.
class SentencePieceEncoder final : public TextEncoder {
public:
    SentencePieceEncoder(const Vocabulary& vocabulary, EncodeCounters& counters);
    void encode(std::string_view text, bool afterSpecial, std::vector<TokenId>& out) override;

private:
    struct Lookup {
        SentencePieceEncoder* encoder;
        Merge operator()(std::uint32_t left, std::uint32_t right) const { return encoder->look(left, right); }
    };
    Merge look(std::uint32_t left, std::uint32_t right);
    std::uint32_t symbolOf(std::string_view character, char32_t codePoint, bool valid) const;
    void addCharacter(std::uint32_t symbol, std::vector<TokenId>& out);
    void flush(std::vector<TokenId>& out);
    void appendText(std::uint32_t symbol);
    void appendUnknown(std::uint32_t symbol, std::vector<TokenId>& out) const;

    const Vocabulary& m_vocabulary;
    std::array<std::uint32_t, 128> m_ascii{};
    std::uint32_t m_space = 0;
    PairMemory m_pairs;
    std::string m_joined;
    std::vector<std::uint32_t> m_symbols;
    MergeEngine<Lookup> m_engine;
};

/// Byte-level BPE: pieces of the pre-tokenizer, merged by rules.
class BytePairEncoder final : public TextEncoder {
public:
    BytePairEncoder(const Vocabulary& vocabulary, EncodeCounters& counters);
    void encode(std::string_view text, bool afterSpecial, std::vector<TokenId>& out) override;

private:
    struct Lookup {
        const Vocabulary* vocabulary;
        Merge operator()(std::uint32_t left, std::uint32_t right) const {
            // A symbol without a token becomes a negative id, which no rule has.
            return vocabulary->merge(static_cast<TokenId>(left), static_cast<TokenId>(right))
                .value_or(Merge{kNoRank, 0});
        }
    };
    /// A piece met before; its tokens stand in the output already.
    struct KnownPiece {
        std::uint64_t hash = 0;
        std::string_view text;
        std::size_t start = 0;
        std::size_t count = 0;
    };
    void encodePiece(std::string_view piece, std::vector<TokenId>& out);

    const Vocabulary& m_vocabulary;
    std::array<std::uint32_t, 256> m_symbolOfByte{};
    std::vector<KnownPiece> m_known;
    std::vector<std::uint32_t> m_lengths;
    std::vector<std::uint32_t> m_symbols;
    std::string m_spelling;
    MergeEngine<Lookup> m_engine;
};

/// WordPiece: the longest token at each place of a word; a word that cannot be made up is unknown.
class WordPieceEncoder final : public TextEncoder {
public:
    explicit WordPieceEncoder(const Vocabulary& vocabulary) : m_vocabulary(vocabulary) {}
    void encode(std::string_view text, bool afterSpecial, std::vector<TokenId>& out) override;

private:
    void add(char32_t codePoint, std::vector<TokenId>& out);
    void finishWord(std::vector<TokenId>& out);
    bool encodeWord(std::vector<TokenId>& out) const;

    const Vocabulary& m_vocabulary;
    std::string m_word;  // with the mark of a word's beginning
    std::size_t m_characters = 0;
};

}  // namespace loader::text
