// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Byte-level BPE. @source Sennrich et al. 2016; Radford et al. 2019 for the alphabet of bytes

#include "core/engine/text/byte_alphabet.h"
#include "core/engine/text/encoders.h"

namespace loader::text {
namespace {

// Direct-mapped: a newer piece takes the place of an older one.
constexpr std::size_t kKnownPieces = 8192;
constexpr std::size_t kKnownPieceBytes = 64;
constexpr std::size_t kWorthRemembering = 1024;

}  // namespace

BytePairEncoder::BytePairEncoder(const Vocabulary& vocabulary, EncodeCounters& counters)
    : m_vocabulary(vocabulary), m_engine(Lookup{&vocabulary}, counters) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        m_symbolOfByte[byte] =
            vocabulary.byteToken(static_cast<std::uint8_t>(byte)).value_or(kUnknownByte | byte);
    }
}

void BytePairEncoder::encode(std::string_view text, bool afterSpecial, std::vector<TokenId>& out) {
    static_cast<void>(afterSpecial);
    if (m_known.empty() && text.size() >= kWorthRemembering) m_known.resize(kKnownPieces);
    m_lengths.clear();
    splitPieces(m_vocabulary.preTokenizer().rules, text, m_lengths);
    std::size_t start = 0;
    for (const std::uint32_t length : m_lengths) {
        const std::string_view piece = text.substr(start, length);
        start += length;
        if (m_known.empty() || length > kKnownPieceBytes) {
            encodePiece(piece, out);
            continue;
        }
        const std::uint64_t hash = hashText(piece);
        KnownPiece& known = m_known[hash % kKnownPieces];
        if (known.hash == hash && known.text == piece) {
            for (std::size_t i = 0; i < known.count; ++i) {
                const TokenId id = out[known.start + i];
                out.push_back(id);
            }
            continue;
        }
        const std::size_t before = out.size();
        encodePiece(piece, out);
        known = {hash, piece, before, out.size() - before};
    }
}

/// A byte without a token becomes the unknown token; where the vocabulary has none, it is left out.
void BytePairEncoder::encodePiece(std::string_view piece, std::vector<TokenId>& out) {
    if (m_vocabulary.ignoreMerges() && piece.size() <= m_vocabulary.maximumTokenBytes()) {
        m_spelling.clear();
        for (const char byte : piece)
            m_spelling.append(spellingOfByte(static_cast<std::uint8_t>(byte)));
        if (const auto whole = m_vocabulary.findText(m_spelling)) {
            out.push_back(*whole);
            return;
        }
    }
    m_symbols.clear();
    for (const char byte : piece)
        m_symbols.push_back(m_symbolOfByte[static_cast<unsigned char>(byte)]);
    m_engine.run(m_symbols);
    for (const std::uint32_t symbol : m_symbols) {
        if (symbol < kUnknownCharacter) {
            out.push_back(static_cast<TokenId>(symbol));
        } else if (m_vocabulary.special().unk) {
            out.push_back(*m_vocabulary.special().unk);
        }
    }
}

}  // namespace loader::text
