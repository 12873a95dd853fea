// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// WordPiece with the normalisation of BERT. @source https://github.com/google-research/bert, tokenization.py
// In this file format the beginning of a word is marked with U+2581 and continuations carry no mark.

#include <utf8proc.h>

#include <array>

#include "core/engine/base/utf8.h"
#include "core/engine/text/encoders.h"
#include "core/engine/text/unicode_class.h"

namespace loader::text {
namespace {

constexpr std::string_view kWordMark = "\xE2\x96\x81";
/// Longer words are unknown, as in the original.
constexpr std::size_t kMaximumWordCharacters = 100;

bool isChineseCharacter(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

bool isLeftOut(char32_t c) {
    if (c == 0 || c == utf8::kReplacement) return true;
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
        case UTF8PROC_CATEGORY_CC:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CS:
        case UTF8PROC_CATEGORY_CO: return true;
        default: return false;
    }
}

/// Words of their own: punctuation, other ASCII signs and ideographs.
bool standsAlone(char32_t c) {
    const Symbol symbol = classified(c);
    return (symbol & kPunctuation) != 0 || (c < 0x7F && (symbol & kSymbol) != 0) || isChineseCharacter(c);
}

bool isNonSpacingMark(char32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_MN;
}

}  // namespace

void WordPieceEncoder::encode(std::string_view text, bool afterSpecial, std::vector<TokenId>& out) {
    static_cast<void>(afterSpecial);
    constexpr std::size_t kLongestDecomposition = 32;
    std::array<utf8proc_int32_t, kLongestDecomposition> parts{};
    while (!text.empty()) {
        const utf8::Decoded next = utf8::decode(text);
        text.remove_prefix(next.length);
        const char32_t c = next.valid ? next.codePoint : utf8::kReplacement;
        if (!m_vocabulary.stripAccents()) {
            add(c, out);
            continue;
        }
        int boundary = 0;
        const auto count = utf8proc_decompose_char(
            static_cast<utf8proc_int32_t>(c), parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
            static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE), &boundary);
        const bool usable = count > 0 && count <= static_cast<utf8proc_ssize_t>(parts.size());
        if (!usable) {
            add(c, out);
            continue;
        }
        for (utf8proc_ssize_t i = 0; i < count; ++i) {
            const auto part = static_cast<char32_t>(parts[static_cast<std::size_t>(i)]);
            if (!isNonSpacingMark(part)) add(part, out);
        }
    }
    finishWord(out);
}

void WordPieceEncoder::add(char32_t codePoint, std::vector<TokenId>& out) {
    if ((classified(codePoint) & kSpace) != 0) {
        finishWord(out);
        return;
    }
    if (isLeftOut(codePoint)) return;
    const bool alone = standsAlone(codePoint);
    if (alone) finishWord(out);
    if (m_characters <= kMaximumWordCharacters) {
        const auto lower = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(codePoint)));
        utf8::append(m_word, m_vocabulary.lowercase() ? lower : codePoint);
    }
    ++m_characters;
    if (alone) finishWord(out);
}

void WordPieceEncoder::finishWord(std::vector<TokenId>& out) {
    if (m_characters == 0) return;
    const std::size_t before = out.size();
    const bool known = m_characters <= kMaximumWordCharacters && encodeWord(out);
    if (!known) {
        out.resize(before);
        if (m_vocabulary.special().unk) out.push_back(*m_vocabulary.special().unk);
    }
    m_word.clear();
    m_characters = 0;
}

bool WordPieceEncoder::encodeWord(std::vector<TokenId>& out) const {
    const std::string marked = std::string(kWordMark) + m_word;
    const std::string_view word = marked;
    for (std::size_t start = 0; start < word.size();) {
        std::size_t length = std::min(word.size() - start, m_vocabulary.maximumTokenBytes());
        std::optional<TokenId> id;
        for (; length > 0 && !id; --length) {
            id = m_vocabulary.findText(word.substr(start, length));
            if (id) break;
        }
        if (!id) return false;
        out.push_back(*id);
        start += length;
    }
    return true;
}

}  // namespace loader::text
