// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Look-ups in a vocabulary that is already checked.

#include "core/engine/text/vocabulary.h"

#include "core/engine/text/vocabulary_builder.h"

namespace loader::text {

Result<std::shared_ptr<const Vocabulary>> Vocabulary::fromData(const VocabularyData& data) {
    return VocabularyBuilder(data).build();
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
    const std::uint32_t found = m_textIndex.find(
        hashText(text), [&](std::uint32_t id) { return this->text(static_cast<TokenId>(id)) == text; });
    if (found == FlatIndex::kNone) return std::nullopt;
    return static_cast<TokenId>(found);
}

std::optional<TokenId> Vocabulary::findText(std::string_view text) const {
    const std::optional<TokenId> id = find(text);
    if (!id || !m_tokens[*id].plain) return std::nullopt;
    return id;
}

std::optional<TokenId> Vocabulary::byteToken(std::uint8_t byte) const {
    if (m_byteTokens.empty() || m_byteTokens[byte] == kNoToken) return std::nullopt;
    return m_byteTokens[byte];
}

std::optional<std::uint8_t> Vocabulary::byteOf(TokenId id) const {
    if (type(id) != TokenType::Byte) return std::nullopt;
    return byteOfTokenText(text(id));
}

std::optional<Merge> Vocabulary::merge(TokenId left, TokenId right) const {
    const std::uint64_t pair = pairKey(left, right);
    const std::uint32_t found =
        m_mergeIndex.find(mixBits(pair), [&](std::uint32_t at) { return m_mergePairs[at] == pair; });
    if (found == FlatIndex::kNone) return std::nullopt;
    return m_merges[found];
}

}  // namespace loader::text
