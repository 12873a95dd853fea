// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Every count, id, text and number of the file is checked here, in the order of the error codes' plan.

#include "core/engine/text/vocabulary_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/engine/base/utf8.h"
#include "core/engine/text/byte_alphabet.h"
#include "core/engine/text/well_known_tokens.h"

namespace loader::text {
namespace {

constexpr std::size_t kMaximumWarnings = 64;
constexpr std::size_t kMaximumTextBytes = std::size_t{512} << 20;
constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";

std::optional<unsigned> hexDigit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    return std::nullopt;
}

/// Texts that no one writes by chance: "<|name|>", also with full-width bars.
bool looksLikeMarkup(std::string_view text) {
    const auto framed = [&](std::string_view head, std::string_view tail) {
        return text.size() > head.size() + tail.size() && text.substr(0, head.size()) == head &&
               text.substr(text.size() - tail.size()) == tail;
    };
    return framed("<|", "|>") || framed("<\xEF\xBD\x9C", "\xEF\xBD\x9C>");
}

Error errorAt(Errc code, std::string reason, std::string_view key,
              SourceLocation origin = SourceLocation::current()) {
    return Error(code, {std::move(reason)}, std::string(key), origin);
}

}  // namespace

std::optional<std::uint8_t> byteOfTokenText(std::string_view text) {
    if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return std::nullopt;
    const auto high = hexDigit(text[3]);
    const auto low = hexDigit(text[4]);
    if (!high || !low) return std::nullopt;
    return static_cast<std::uint8_t>(*high * 16 + *low);
}

Result<std::shared_ptr<const Vocabulary>> VocabularyBuilder::build() {
    m_result = std::shared_ptr<Vocabulary>(new Vocabulary());
    LOADER_CHECK(readKind());
    LOADER_CHECK(checkCharacterMap());
    LOADER_CHECK(readTypes());
    LOADER_CHECK(readTexts());
    LOADER_CHECK(readScores());
    LOADER_CHECK(readByteTokens());
    LOADER_CHECK(readSpecialIds());
    LOADER_CHECK(readFlags());
    markSpecialTokens();
    findWellKnownTokens();
    findEndOfGeneration();
    listWholeTokens();
    markPlainTokens();
    findByteLevelTokens();
    LOADER_CHECK(readMerges());
    studyWordBorders();
    return std::shared_ptr<const Vocabulary>(std::move(m_result));
}

void VocabularyBuilder::warn(Error warning) {
    if (m_result->m_warnings.size() < kMaximumWarnings) m_result->m_warnings.push_back(std::move(warning));
}

std::string VocabularyBuilder::describe(std::size_t id) const {
    constexpr std::size_t kShown = 40;
    const std::string_view text = m_data.tokens[id].substr(0, kShown);
    return "entry " + std::to_string(id) + " (\"" + utf8::sanitized(text) + "\")";
}

Status VocabularyBuilder::readKind() {
    Vocabulary& v = *m_result;
    if (m_data.model == "llama") {
        v.m_kind = TokenizerKind::SentencePiece;
    } else if (m_data.model == "gpt2") {
        v.m_kind = TokenizerKind::BytePair;
    } else if (m_data.model == "bert") {
        v.m_kind = TokenizerKind::WordPiece;
    } else {
        return errorAt(Errc::T209, utf8::sanitized(m_data.model.substr(0, 64)), "tokenizer.ggml.model");
    }
    v.m_preTokenizerName = m_data.pre.value_or("");
    if (v.m_kind != TokenizerKind::BytePair) return {};
    const auto known = findPreTokenizer(v.m_preTokenizerName);
    v.m_preTokenizer = known.value_or(PreTokenizer{});
    if (!known) {
        const std::string name = m_data.pre ? utf8::sanitized(m_data.pre->substr(0, 64)) : "(none given)";
        warn(errorAt(Errc::T213, name, "tokenizer.ggml.pre"));
    }
    return {};
}

/// A double array of 32-bit units and zero-terminated replacements behind it; units with the top bit set hold
/// an offset into the replacements. @source https://github.com/google/sentencepiece, normalizer.cc
Status VocabularyBuilder::checkCharacterMap() const {
    constexpr std::string_view kKey = "tokenizer.ggml.precompiled_charsmap";
    if (!m_data.characterMap) return {};
    const std::vector<std::uint8_t>& map = *m_data.characterMap;
    const auto wordAt = [&](std::size_t at) {
        return static_cast<std::uint32_t>(map[at]) | (static_cast<std::uint32_t>(map[at + 1]) << 8) |
               (static_cast<std::uint32_t>(map[at + 2]) << 16) |
               (static_cast<std::uint32_t>(map[at + 3]) << 24);
    };
    if (map.size() < 4)
        return errorAt(Errc::T210, "it has only " + std::to_string(map.size()) + " bytes", kKey);
    const std::size_t unitBytes = wordAt(0);
    if (unitBytes % 4 != 0 || unitBytes > map.size() - 4) {
        return errorAt(Errc::T210, "its table of " + std::to_string(unitBytes) + " bytes does not fit", kKey);
    }
    const std::size_t replacementBytes = map.size() - 4 - unitBytes;
    if (replacementBytes > 0 && map.back() != 0) return errorAt(Errc::T210, "its last text has no end", kKey);
    for (std::size_t at = 4; at < 4 + unitBytes; at += 4) {
        const std::uint32_t unit = wordAt(at);
        if ((unit >> 31) != 0 && (unit & 0x7FFFFFFFU) >= replacementBytes) {
            return errorAt(Errc::T210, "an offset points behind its end", kKey);
        }
    }
    return {};
}

Status VocabularyBuilder::readTypes() {
    constexpr std::string_view kKey = "tokenizer.ggml.token_type";
    const std::size_t count = m_data.tokens.size();
    if (count == 0) return errorAt(Errc::T201, "it is empty", "tokenizer.ggml.tokens");
    if (count > kMaximumTokens) {
        return errorAt(Errc::T201, std::to_string(count) + " entries are too many", "tokenizer.ggml.tokens");
    }
    m_result->m_tokens.resize(count);
    if (!m_data.types) return {};
    if (m_data.types->size() != count) {
        return errorAt(Errc::T206,
                       std::to_string(m_data.types->size()) + " for " + std::to_string(count) + " entries",
                       kKey);
    }
    for (std::size_t id = 0; id < count; ++id) {
        const std::int32_t type = (*m_data.types)[id];
        if (type < 1 || type > 6) {
            return errorAt(Errc::T206, "entry " + std::to_string(id) + " has type " + std::to_string(type),
                           kKey);
        }
        m_result->m_tokens[id].type = static_cast<TokenType>(type);
    }
    return {};
}

Status VocabularyBuilder::checkText(std::size_t id) const {
    const std::string_view text = m_data.tokens[id];
    const TokenType type = m_result->m_tokens[id].type;
    std::string_view problem;
    if (text.empty() && type != TokenType::Control && type != TokenType::Unused) {
        problem = " is empty";
    } else if (text.size() > kMaximumTokenTextBytes) {
        problem = " is too long";
    } else if (text.find('\0') != std::string_view::npos && type != TokenType::Control) {
        problem = " contains a zero byte";
    } else if (!utf8::isValid(text)) {
        problem = " is not valid UTF-8";
    }
    if (problem.empty()) return {};
    return errorAt(Errc::T202, describe(id) + std::string(problem), "tokenizer.ggml.tokens");
}

Status VocabularyBuilder::readTexts() {
    Vocabulary& v = *m_result;
    std::size_t total = 0;
    for (const std::string_view text : m_data.tokens)
        total += text.size();
    if (total > kMaximumTextBytes)
        return errorAt(Errc::T201, "its texts are too long", "tokenizer.ggml.tokens");
    v.m_texts.reserve(total);
    v.m_textIndex.reset(m_data.tokens.size());
    for (std::size_t id = 0; id < m_data.tokens.size(); ++id) {
        LOADER_CHECK(checkText(id));
        const std::string_view text = m_data.tokens[id];
        v.m_tokens[id].start = static_cast<std::uint32_t>(v.m_texts.size());
        v.m_tokens[id].length = static_cast<std::uint32_t>(text.size());
        v.m_texts.append(text);
        v.m_maximumTokenBytes = std::max(v.m_maximumTokenBytes, text.size());
        if (text.empty()) continue;
        const std::uint64_t hash = hashText(text);
        const std::uint32_t first = v.m_textIndex.find(
            hash, [&](std::uint32_t at) { return v.text(static_cast<TokenId>(at)) == text; });
        if (first == FlatIndex::kNone) {
            v.m_textIndex.insert(hash, static_cast<std::uint32_t>(id));
        } else {
            warn(errorAt(Errc::T203, describe(id), "tokenizer.ggml.tokens"));
        }
    }
    return {};
}

Status VocabularyBuilder::readScores() {
    constexpr std::string_view kKey = "tokenizer.ggml.scores";
    Vocabulary& v = *m_result;
    if (!m_data.scores) {
        if (v.m_kind == TokenizerKind::SentencePiece) return errorAt(Errc::T205, "they are missing", kKey);
        return {};
    }
    const std::vector<float>& scores = *m_data.scores;
    if (scores.size() != v.m_tokens.size()) {
        const std::string counts =
            std::to_string(scores.size()) + " for " + std::to_string(v.m_tokens.size());
        return errorAt(Errc::T205, counts + " entries", kKey);
    }
    for (std::size_t id = 0; id < scores.size(); ++id) {
        if (!std::isfinite(scores[id]))
            return errorAt(Errc::T205, describe(id) + " has no finite score", kKey);
    }
    v.m_scores = scores;
    if (v.m_kind != TokenizerKind::SentencePiece) return {};
    std::vector<float> distinct = scores;
    std::sort(distinct.begin(), distinct.end(), [](float a, float b) { return a > b; });
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    v.m_scoreRanks.reserve(scores.size());
    for (const float score : scores) {
        const auto rank =
            std::lower_bound(distinct.begin(), distinct.end(), score, [](float a, float b) { return a > b; });
        v.m_scoreRanks.push_back(static_cast<std::uint32_t>(rank - distinct.begin()));
    }
    return {};
}

Status VocabularyBuilder::readByteTokens() {
    constexpr std::string_view kKey = "tokenizer.ggml.tokens";
    Vocabulary& v = *m_result;
    const bool guessTypes = !m_data.types && v.m_kind == TokenizerKind::SentencePiece;
    std::vector<TokenId> bytes(256, kNoToken);
    std::size_t found = 0;
    for (TokenId id = 0; id < v.size(); ++id) {
        const auto byte = byteOfTokenText(v.text(id));
        if (guessTypes && byte) v.m_tokens[id].type = TokenType::Byte;
        if (v.type(id) != TokenType::Byte) continue;
        if (!byte) return errorAt(Errc::T204, describe(id) + " does not name a byte", kKey);
        if (bytes[*byte] != kNoToken) {
            return errorAt(Errc::T204, describe(id) + " names a byte for the second time", kKey);
        }
        bytes[*byte] = id;
        ++found;
    }
    if (v.m_kind != TokenizerKind::SentencePiece || found == 0) return {};
    if (found != 256) return errorAt(Errc::T204, "there are " + std::to_string(found) + " of 256", kKey);
    v.m_byteTokens = std::move(bytes);
    return {};
}

void VocabularyBuilder::findByteLevelTokens() {
    Vocabulary& v = *m_result;
    if (v.m_kind != TokenizerKind::BytePair) return;
    v.m_byteTokens.assign(256, kNoToken);
    std::size_t missing = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const auto id = v.findText(spellingOfByte(static_cast<std::uint8_t>(byte)));
        v.m_byteTokens[byte] = id.value_or(kNoToken);
        const bool inUtf8 = byte != 0xC0 && byte != 0xC1 && byte < 0xF5;
        if (!id && inUtf8) ++missing;
    }
    if (missing > 0) {
        warn(errorAt(Errc::T204, std::to_string(missing) + " bytes have no entry", "tokenizer.ggml.tokens"));
    }
}

Status VocabularyBuilder::readSpecialIds() {
    SpecialIds& ids = m_result->m_special;
    ids = m_data.special;
    const auto fallBack = [](std::optional<TokenId>& id, TokenId standard) {
        if (!id) id = standard;
    };
    switch (m_result->m_kind) {
        case TokenizerKind::SentencePiece:
            fallBack(ids.bos, 1);
            fallBack(ids.eos, 2);
            fallBack(ids.unk, 0);
            break;
        case TokenizerKind::BytePair:
            if (!m_result->m_preTokenizer.noDefaultBos) fallBack(ids.bos, 11);
            fallBack(ids.eos, 11);
            break;
        case TokenizerKind::WordPiece:
            if (!ids.bos) ids.bos = ids.cls;
            fallBack(ids.bos, 101);
            fallBack(ids.unk, 100);
            fallBack(ids.sep, 102);
            fallBack(ids.pad, 0);
            fallBack(ids.mask, 103);
            break;
    }
    return checkSpecialIds();
}

Status VocabularyBuilder::checkSpecialIds() const {
    const SpecialIds& ids = m_result->m_special;
    const std::array<std::pair<const char*, std::optional<TokenId>>, 15> all = {{
        {"bos_token_id", ids.bos},
        {"eos_token_id", ids.eos},
        {"eot_token_id", ids.eot},
        {"eom_token_id", ids.eom},
        {"unknown_token_id", ids.unk},
        {"seperator_token_id", ids.sep},
        {"padding_token_id", ids.pad},
        {"cls_token_id", ids.cls},
        {"mask_token_id", ids.mask},
        {"fim_pre_token_id", ids.fimPrefix},
        {"fim_suf_token_id", ids.fimSuffix},
        {"fim_mid_token_id", ids.fimMiddle},
        {"fim_pad_token_id", ids.fimPad},
        {"fim_rep_token_id", ids.fimRepository},
        {"fim_sep_token_id", ids.fimSeparator},
    }};
    for (const auto& [name, id] : all) {
        if (!id || m_result->contains(*id)) continue;
        const std::string key = std::string("tokenizer.ggml.") + name;
        const std::string size = std::to_string(m_result->size());
        return errorAt(Errc::T207, std::string(name) + " is " + std::to_string(*id) + " of " + size, key);
    }
    return {};
}

Status VocabularyBuilder::readFlags() {
    Vocabulary& v = *m_result;
    const bool sentencePiece = v.m_kind == TokenizerKind::SentencePiece;
    const bool wordPiece = v.m_kind == TokenizerKind::WordPiece;
    v.m_addBos = m_data.addBos.value_or(sentencePiece || wordPiece || v.m_preTokenizer.addBos);
    v.m_addEos = m_data.addEos.value_or(false);
    v.m_addSep = m_data.addSep.value_or(wordPiece);
    v.m_addSpacePrefix = m_data.addSpacePrefix.value_or(sentencePiece);
    v.m_lowercase = m_data.lowercase.value_or(true);
    v.m_stripAccents = m_data.stripAccents.value_or(v.m_lowercase);
    const auto missing = [](const char* what) {
        return errorAt(Errc::T207, std::string(what) + " is to be added but not given", "tokenizer.ggml");
    };
    if (v.m_addBos && !v.m_special.bos) return missing("bos_token_id");
    if (v.m_addEos && !v.m_special.eos) return missing("eos_token_id");
    if (v.m_addSep && wordPiece && !v.m_special.sep) return missing("seperator_token_id");
    return {};
}

void VocabularyBuilder::markSpecialTokens() {
    for (Vocabulary::Token& token : m_result->m_tokens) {
        const std::string_view text = m_result->view(token.start, token.length);
        token.special = token.type == TokenType::Control || token.type == TokenType::Unknown ||
                        (token.type == TokenType::UserDefined && looksLikeMarkup(text));
    }
}

/// Files often leave out these ids; the texts are the same in all models. A text that could be ordinary must
/// be typed as something special; one that is plainly markup is taken even where the file types it as normal.
void VocabularyBuilder::findWellKnownTokens() {
    Vocabulary& v = *m_result;
    const auto look = [&](std::string_view text) -> std::optional<TokenId> {
        const auto id = v.find(text);
        if (!id) return std::nullopt;
        Vocabulary::Token& token = v.m_tokens[*id];
        const bool typed = token.type == TokenType::Control || token.type == TokenType::UserDefined;
        if (!typed && m_data.types && !looksLikeMarkup(text)) return std::nullopt;
        token.type = TokenType::Control;
        token.special = true;
        return id;
    };
    const auto assign = [&](std::optional<TokenId>& slot, auto texts) {
        for (const std::string_view text : texts) {
            if (!slot) slot = look(text);
        }
    };
    SpecialIds& ids = v.m_special;
    assign(ids.eot, kEndOfTurnTexts);
    assign(ids.eom, kEndOfMessageTexts);
    assign(ids.fimPrefix, kFimPrefixTexts);
    assign(ids.fimSuffix, kFimSuffixTexts);
    assign(ids.fimMiddle, kFimMiddleTexts);
    assign(ids.fimPad, kFimPadTexts);
    assign(ids.fimRepository, kFimRepositoryTexts);
    assign(ids.fimSeparator, kFimSeparatorTexts);
    for (const std::string_view text : kEndTexts) {
        if (const auto id = look(text)) v.m_tokens[*id].endOfGeneration = true;
    }
}

void VocabularyBuilder::findEndOfGeneration() {
    Vocabulary& v = *m_result;
    const SpecialIds& ids = v.m_special;
    for (const auto& id : {ids.eos, ids.eot, ids.eom, ids.fimPad, ids.fimRepository, ids.fimSeparator}) {
        if (id) v.m_tokens[*id].endOfGeneration = true;
    }
    // Where messages end in several ways, "<|end|>" closes one message of several and not the answer.
    const auto ends = [&](std::string_view text) {
        const auto id = v.find(text);
        return id && v.m_tokens[*id].endOfGeneration;
    };
    const bool calls = ends("<|call|>") || ends("<|calls|>");
    const bool severalEnds = calls && (ends("<|return|>") || ends("<|flush|>"));
    const auto end = v.find("<|end|>");
    if (severalEnds && end && ids.eos != end) v.m_tokens[*end].endOfGeneration = false;
    for (TokenId id = 0; id < v.size(); ++id) {
        if (v.m_tokens[id].endOfGeneration) v.m_endOfGeneration.push_back(id);
    }
}

void VocabularyBuilder::listWholeTokens() {
    Vocabulary& v = *m_result;
    for (TokenId id = 0; id < v.size(); ++id) {
        const bool whole = v.m_tokens[id].special || v.type(id) == TokenType::UserDefined;
        if (whole && v.m_tokens[id].length > 0) v.m_wholeTokens.push_back(id);
    }
}

/// Which tokens ordinary text may turn into. User-defined tokens are recognised whole and decoded letter by
/// letter, so where spellings differ from the text (byte alphabet, escaped space) merging must not arrive at
/// them.
void VocabularyBuilder::markPlainTokens() {
    Vocabulary& v = *m_result;
    for (Vocabulary::Token& token : v.m_tokens) {
        token.plain = !token.special && token.type != TokenType::Byte;
        if (token.type != TokenType::UserDefined) continue;
        const bool escaped = v.view(token.start, token.length).find(kEscapedSpace) != std::string_view::npos;
        if (v.m_kind == TokenizerKind::BytePair || escaped) token.plain = false;
    }
}

Status VocabularyBuilder::readMerge(std::size_t rank, std::string_view rule) {
    constexpr std::string_view kKey = "tokenizer.ggml.merges";
    Vocabulary& v = *m_result;
    const auto bad = [&](const char* reason) {
        return errorAt(Errc::T208, "rule " + std::to_string(rank) + reason, kKey);
    };
    const void* const found = std::memchr(rule.data(), ' ', rule.size());
    if (rule.empty() || found == nullptr) return bad(" has no space");
    const auto space = static_cast<std::size_t>(static_cast<const char*>(found) - rule.data());
    const std::string_view left = rule.substr(0, space);
    const std::string_view right = rule.substr(space + 1);
    if (left.empty() || right.empty() || right.find(' ') != std::string_view::npos)
        return bad(" is not two parts");
    const auto leftId = v.find(left);
    const auto rightId = v.find(right);
    if (!leftId || !rightId) return bad(" names a part that is no entry");
    m_scratch.assign(left);
    m_scratch.append(right);
    const auto result = v.find(m_scratch);
    if (!result) return bad(" makes something that is no entry");
    // A rule that would make a control token out of text never applies.
    const bool applies = v.m_tokens[*leftId].plain && v.m_tokens[*rightId].plain && v.m_tokens[*result].plain;
    if (!applies) return {};
    const std::uint64_t pair = pairKey(*leftId, *rightId);
    if (v.merge(*leftId, *rightId)) return {};
    v.m_mergeIndex.insert(mixBits(pair), static_cast<std::uint32_t>(v.m_merges.size()));
    v.m_mergePairs.push_back(pair);
    v.m_merges.push_back({static_cast<std::uint32_t>(rank), *result});
    return {};
}

Status VocabularyBuilder::readMerges() {
    constexpr std::string_view kKey = "tokenizer.ggml.merges";
    Vocabulary& v = *m_result;
    if (v.m_kind != TokenizerKind::BytePair) return {};
    if (!m_data.merges) return errorAt(Errc::T208, "they are missing", kKey);
    const std::size_t count = m_data.merges->size();
    if (count > kMaximumMerges) return errorAt(Errc::T208, std::to_string(count) + " are too many", kKey);
    v.m_mergeIndex.reset(count);
    v.m_mergePairs.reserve(count);
    v.m_merges.reserve(count);
    for (std::size_t rank = 0; rank < count; ++rank)
        LOADER_CHECK(readMerge(rank, (*m_data.merges)[rank]));
    return {};
}

void VocabularyBuilder::studyWordBorders() {
    Vocabulary& v = *m_result;
    if (v.m_kind != TokenizerKind::SentencePiece) return;
    v.m_wordsAreSeparate = true;
    for (TokenId id = 0; id < v.size() && v.m_wordsAreSeparate; ++id) {
        if (!v.m_tokens[id].plain) continue;
        std::string_view text = v.text(id);
        while (text.substr(0, kEscapedSpace.size()) == kEscapedSpace)
            text.remove_prefix(kEscapedSpace.size());
        v.m_wordsAreSeparate = text.find(kEscapedSpace) == std::string_view::npos;
    }
}

}  // namespace loader::text
