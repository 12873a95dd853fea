// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/text/detokenizer.h"

#include <utility>

#include "core/engine/base/utf8.h"
#include "core/engine/text/byte_alphabet.h"

namespace loader::text {
namespace {

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";

void appendUnescaped(std::string& out, std::string_view text) {
    for (std::size_t at = text.find(kEscapedSpace); at != std::string_view::npos;
         at = text.find(kEscapedSpace)) {
        out.append(text.substr(0, at));
        out += ' ';
        text.remove_prefix(at + kEscapedSpace.size());
    }
    out.append(text);
}

bool isHiddenType(TokenType type) {
    return type == TokenType::Control || type == TokenType::Unknown;
}

/// Appends the bytes of one token of a sequence; atStart says whether a space prefix would stand before its
/// text.
void appendToken(const Vocabulary& vocabulary, TokenId id, const DecodeOptions& options, bool& atStart,
                 std::string& out) {
    const TokenType type = vocabulary.type(id);
    const bool whole = isHiddenType(type) || type == TokenType::UserDefined;
    if (whole) {
        // Encoding puts a space prefix after these as well.
        atStart = true;
        if (!isHiddenType(type) || options.showSpecial) out.append(vocabulary.text(id));
        return;
    }
    std::string bytes = Detokenizer::tokenBytes(vocabulary, id);
    if (bytes.empty()) return;
    const bool sentencePiece = vocabulary.kind() == TokenizerKind::SentencePiece;
    const bool hasPrefix =
        sentencePiece ? vocabulary.addSpacePrefix() : vocabulary.kind() == TokenizerKind::WordPiece;
    const bool strip = atStart && hasPrefix && options.removeSpacePrefix && bytes[0] == ' ';
    atStart = false;
    out.append(bytes, strip ? 1 : 0);
}

}  // namespace

std::string Detokenizer::tokenBytes(const Vocabulary& vocabulary, TokenId id) {
    const std::string_view text = vocabulary.text(id);
    std::string bytes;
    if (const auto byte = vocabulary.byteOf(id)) {
        bytes += static_cast<char>(*byte);
        return bytes;
    }
    const TokenType type = vocabulary.type(id);
    if (isHiddenType(type) || type == TokenType::UserDefined) return std::string(text);
    if (vocabulary.kind() == TokenizerKind::BytePair) {
        appendSpelledBytes(bytes, text);
    } else {
        appendUnescaped(bytes, text);
    }
    return bytes;
}

Detokenizer::Detokenizer(std::shared_ptr<const Vocabulary> vocabulary, DecodeOptions options)
    : m_vocabulary(std::move(vocabulary)), m_options(options) {}

std::string Detokenizer::push(TokenId id) {
    if (!m_vocabulary->contains(id)) return {};
    appendToken(*m_vocabulary, id, m_options, m_atStart, m_pending);
    const std::size_t complete = utf8::completePrefix(m_pending);
    std::string ready = utf8::sanitized(std::string_view(m_pending).substr(0, complete));
    m_pending.erase(0, complete);
    return ready;
}

std::string Detokenizer::finish() {
    std::string rest = utf8::sanitized(m_pending);
    m_pending.clear();
    m_atStart = true;
    return rest;
}

Result<std::string> Detokenizer::decodeBytes(const Vocabulary& vocabulary, const std::vector<TokenId>& ids,
                                             DecodeOptions options) {
    std::string bytes;
    bool atStart = true;
    for (const TokenId id : ids) {
        if (!vocabulary.contains(id))
            return Error(Errc::T211, {std::to_string(id), std::to_string(vocabulary.size())});
        appendToken(vocabulary, id, options, atStart, bytes);
    }
    return bytes;
}

Result<std::string> Detokenizer::decode(const Vocabulary& vocabulary, const std::vector<TokenId>& ids,
                                        DecodeOptions options) {
    LOADER_TRY(const std::string bytes, decodeBytes(vocabulary, ids, options));
    return utf8::sanitized(bytes);
}

}  // namespace loader::text
