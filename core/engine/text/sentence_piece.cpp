// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// SentencePiece BPE. @source https://github.com/google/sentencepiece, bpe_model.cc

#include <string>

#include "core/engine/base/utf8.h"
#include "core/engine/text/encoders.h"

namespace loader::text {
namespace {

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";

}  // namespace

const Merge* PairMemory::find(std::uint64_t pair) const {
    const std::size_t mask = m_slots.size() - 1;
    for (std::size_t at = mixBits(pair) & mask; m_slots[at].pair != kFree; at = (at + 1) & mask) {
        if (m_slots[at].pair == pair) return &m_slots[at].merge;
    }
    return nullptr;
}

void PairMemory::store(std::uint64_t pair, Merge merge) {
    if (m_used * 2 >= m_slots.size()) {
        std::vector<Slot> old(m_slots.size() * 2);
        old.swap(m_slots);
        m_used = 0;
        for (const Slot& slot : old) {
            if (slot.pair != kFree) store(slot.pair, slot.merge);
        }
    }
    const std::size_t mask = m_slots.size() - 1;
    std::size_t at = mixBits(pair) & mask;
    while (m_slots[at].pair != kFree)
        at = (at + 1) & mask;
    m_slots[at] = {pair, merge};
    ++m_used;
}

SentencePieceEncoder::SentencePieceEncoder(const Vocabulary& vocabulary, EncodeCounters& counters)
    : m_vocabulary(vocabulary), m_engine(Lookup{this}, counters) {
    for (char32_t c = 0; c < 128; ++c) {
        const char character = static_cast<char>(c);
        m_ascii[c] = symbolOf({&character, 1}, c, true);
    }
    m_space = symbolOf(kEscapedSpace, 0x2581, true);
    m_ascii[' '] = m_space;
}

std::uint32_t SentencePieceEncoder::symbolOf(std::string_view character, char32_t codePoint,
                                             bool valid) const {
    if (!valid) return kUnknownByte | static_cast<unsigned char>(character[0]);
    return m_vocabulary.findText(character).value_or(kUnknownCharacter |
                                                     static_cast<std::uint32_t>(codePoint));
}

void SentencePieceEncoder::appendText(std::uint32_t symbol) {
    if (symbol < kUnknownCharacter) {
        m_joined.append(m_vocabulary.text(static_cast<TokenId>(symbol)));
    } else if (symbol >= kUnknownByte) {
        m_joined += static_cast<char>(static_cast<unsigned char>(symbol & 0xFF));
    } else {
        utf8::append(m_joined, symbol & ~kUnknownCharacter);
    }
}

Merge SentencePieceEncoder::look(std::uint32_t left, std::uint32_t right) {
    const std::uint64_t pair = (std::uint64_t{left} << 32) | right;
    if (const Merge* known = m_pairs.find(pair)) return *known;
    m_joined.clear();
    appendText(left);
    appendText(right);
    Merge merge{kNoRank, 0};
    if (m_joined.size() <= m_vocabulary.maximumTokenBytes()) {
        const auto id = m_vocabulary.findText(m_joined);
        if (id) merge = {m_vocabulary.scoreRank(*id), *id};
    }
    m_pairs.store(pair, merge);
    return merge;
}

/// Without byte tokens the character becomes the unknown token.
void SentencePieceEncoder::appendUnknown(std::uint32_t symbol, std::vector<TokenId>& out) const {
    std::string bytes;
    if (symbol >= kUnknownByte) {
        bytes += static_cast<char>(static_cast<unsigned char>(symbol & 0xFF));
    } else {
        utf8::append(bytes, symbol & ~kUnknownCharacter);
    }
    for (const char byte : bytes) {
        const auto token = m_vocabulary.byteToken(static_cast<std::uint8_t>(byte));
        if (!token) {
            if (m_vocabulary.special().unk) out.push_back(*m_vocabulary.special().unk);
            return;
        }
        out.push_back(*token);
    }
}

void SentencePieceEncoder::flush(std::vector<TokenId>& out) {
    m_engine.run(m_symbols);
    for (const std::uint32_t symbol : m_symbols) {
        if (symbol < kUnknownCharacter) {
            out.push_back(static_cast<TokenId>(symbol));
        } else {
            appendUnknown(symbol, out);
        }
    }
    m_symbols.clear();
}

void SentencePieceEncoder::addCharacter(std::uint32_t symbol, std::vector<TokenId>& out) {
    // OPTIMIZATION: where no token reaches over the beginning of a word, words are merged one by one.
    const bool beginsWord = symbol == m_space && !m_symbols.empty() && m_symbols.back() != m_space;
    if (beginsWord && m_vocabulary.wordsAreSeparate()) flush(out);
    m_symbols.push_back(symbol);
}

void SentencePieceEncoder::encode(std::string_view text, bool afterSpecial, std::vector<TokenId>& out) {
    if (text.empty()) return;
    if (afterSpecial && m_vocabulary.addSpacePrefix()) m_symbols.push_back(m_space);
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text[0]);
        if (first < 128) {
            addCharacter(m_ascii[first], out);
            text.remove_prefix(1);
            continue;
        }
        const utf8::Decoded next = utf8::decode(text);
        addCharacter(symbolOf(text.substr(0, next.length), next.codePoint, next.valid), out);
        text.remove_prefix(next.length);
    }
    flush(out);
}

}  // namespace loader::text
