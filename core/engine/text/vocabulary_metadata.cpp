// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Reads the tokenizer.ggml.* keys of a file. Only kinds of values are judged here; the rest is
// VocabularyBuilder's.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/gguf/metadata.h"
#include "core/engine/text/vocabulary.h"

namespace loader::text {
namespace {

using gguf::Metadata;
using gguf::ValueType;

std::string keyOf(std::string_view name) {
    return "tokenizer.ggml." + std::string(name);
}

Error wrongKind(Errc code, const std::string& key, SourceLocation origin = SourceLocation::current()) {
    return Error(code, {"the key has the wrong kind of value"}, key, origin);
}

Result<std::vector<std::string_view>> readTexts(const Metadata& metadata, const std::string& key, Errc code,
                                                std::size_t limit) {
    const auto texts = metadata.texts(key);
    if (!texts) return wrongKind(code, key);
    if (texts->size() > limit)
        return Error(code, {std::to_string(texts->size()) + " entries are too many"}, key);
    std::vector<std::string_view> views;
    views.reserve(texts->size());
    for (std::size_t i = 0; i < texts->size(); ++i)
        views.push_back((*texts)[i]);
    return views;
}

Status readTokens(const Metadata& metadata, VocabularyData& data) {
    const std::string key = keyOf("tokens");
    if (!metadata.contains(key)) return Error(Errc::T201, {"it is missing"}, key);
    LOADER_TRY(data.tokens, readTexts(metadata, key, Errc::T201, kMaximumTokens));
    const std::string merges = keyOf("merges");
    if (!metadata.contains(merges)) return {};
    LOADER_TRY(data.merges, readTexts(metadata, merges, Errc::T208, kMaximumMerges));
    return {};
}

/// Scores are floats; whole numbers of 32 bits occur in old files.
Status readScores(const Metadata& metadata, VocabularyData& data) {
    const std::string key = keyOf("scores");
    if (!metadata.contains(key)) return {};
    const auto numbers = metadata.numbers(key);
    if (!numbers) return wrongKind(Errc::T205, key);
    const bool isWhole = numbers->elementType == ValueType::I32;
    if (!isWhole && numbers->elementType != ValueType::F32) return wrongKind(Errc::T205, key);
    std::vector<float>& scores = data.scores.emplace();
    scores.reserve(numbers->count);
    for (std::size_t i = 0; i < numbers->count; ++i) {
        const gguf::Scalar value = (*numbers)[i];
        scores.push_back(isWhole ? static_cast<float>(value.as<std::int32_t>().value_or(0))
                                 : static_cast<float>(value.real()));
    }
    return {};
}

Status readTypes(const Metadata& metadata, VocabularyData& data) {
    const std::string key = keyOf("token_type");
    if (!metadata.contains(key)) return {};
    const auto numbers = metadata.numbers(key);
    const bool fits =
        numbers && (numbers->elementType == ValueType::I32 || numbers->elementType == ValueType::U32);
    if (!fits) return wrongKind(Errc::T206, key);
    std::vector<std::int32_t>& types = data.types.emplace();
    types.reserve(numbers->count);
    // What does not fit is out of range anyway.
    for (std::size_t i = 0; i < numbers->count; ++i) {
        types.push_back((*numbers)[i].as<std::int32_t>().value_or(-1));
    }
    return {};
}

Status readCharacterMap(const Metadata& metadata, VocabularyData& data) {
    const std::string key = keyOf("precompiled_charsmap");
    if (!metadata.contains(key)) return {};
    const auto numbers = metadata.numbers(key);
    const bool fits =
        numbers && (numbers->elementType == ValueType::I8 || numbers->elementType == ValueType::U8);
    if (!fits) return wrongKind(Errc::T210, key);
    std::vector<std::uint8_t>& map = data.characterMap.emplace();
    map.reserve(numbers->count);
    for (const std::byte byte : numbers->bytes)
        map.push_back(std::to_integer<std::uint8_t>(byte));
    return {};
}

Status readId(const Metadata& metadata, std::string_view name, std::optional<TokenId>& id) {
    const std::string key = keyOf(name);
    if (!metadata.contains(key)) return {};
    id = metadata.get<std::uint32_t>(key);
    if (!id) return Error(Errc::T207, {std::string(name) + " is no number of a token"}, key);
    return {};
}

Status readIds(const Metadata& metadata, SpecialIds& ids) {
    // The older names come first, so that the present ones win. The misspelling is the format's own.
    const std::pair<std::string_view, std::optional<TokenId>*> slots[] = {
        {"prefix_token_id", &ids.fimPrefix},
        {"suffix_token_id", &ids.fimSuffix},
        {"middle_token_id", &ids.fimMiddle},
        {"bos_token_id", &ids.bos},
        {"eos_token_id", &ids.eos},
        {"eot_token_id", &ids.eot},
        {"eom_token_id", &ids.eom},
        {"unknown_token_id", &ids.unk},
        {"seperator_token_id", &ids.sep},
        {"padding_token_id", &ids.pad},
        {"cls_token_id", &ids.cls},
        {"mask_token_id", &ids.mask},
        {"fim_pre_token_id", &ids.fimPrefix},
        {"fim_suf_token_id", &ids.fimSuffix},
        {"fim_mid_token_id", &ids.fimMiddle},
        {"fim_pad_token_id", &ids.fimPad},
        {"fim_rep_token_id", &ids.fimRepository},
        {"fim_sep_token_id", &ids.fimSeparator},
    };
    for (const auto& [name, slot] : slots)
        LOADER_CHECK(readId(metadata, name, *slot));
    return {};
}

}  // namespace

Result<std::shared_ptr<const Vocabulary>> Vocabulary::fromMetadata(const Metadata& metadata) {
    VocabularyData data;
    const auto model = metadata.text(keyOf("model"));
    if (!model) return Error(Errc::T209, {"(none given)"}, keyOf("model"));
    data.model = *model;
    data.pre = metadata.text(keyOf("pre"));
    LOADER_CHECK(readTokens(metadata, data));
    LOADER_CHECK(readScores(metadata, data));
    LOADER_CHECK(readTypes(metadata, data));
    LOADER_CHECK(readCharacterMap(metadata, data));
    LOADER_CHECK(readIds(metadata, data.special));
    data.addBos = metadata.get<bool>(keyOf("add_bos_token"));
    data.addEos = metadata.get<bool>(keyOf("add_eos_token"));
    data.addSep = metadata.get<bool>(keyOf("add_sep_token"));
    data.addSpacePrefix = metadata.get<bool>(keyOf("add_space_prefix"));
    data.lowercase = metadata.get<bool>(keyOf("normalizer.lowercase"));
    data.stripAccents = metadata.get<bool>(keyOf("normalizer.strip_accents"));
    return fromData(data);
}

}  // namespace loader::text
