// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "tests/unit/text/small_vocabularies.h"

#include <cstdio>

#include "core/engine/text/byte_alphabet.h"

namespace loader::test {

TokenId SmallVocabulary::add(const std::string& text, float score, std::int32_t type) {
    tokens.push_back(text);
    if (scores) scores->push_back(score);
    if (types) types->push_back(type);
    return static_cast<TokenId>(tokens.size() - 1);
}

Result<std::shared_ptr<const text::Vocabulary>> SmallVocabulary::build() const {
    text::VocabularyData data;
    data.model = model;
    data.pre = pre;
    data.tokens.assign(tokens.begin(), tokens.end());
    data.scores = scores;
    data.types = types;
    if (merges) data.merges.emplace(merges->begin(), merges->end());
    data.characterMap = characterMap;
    data.special = special;
    data.addSpacePrefix = addSpacePrefix;
    return text::Vocabulary::fromData(data);
}

SmallVocabulary smallSentencePiece() {
    SmallVocabulary v;
    v.model = "llama";
    v.scores.emplace();
    v.types.emplace();
    v.add("<unk>", 0, 2);
    v.add("<s>", 0, 3);
    v.add("</s>", 0, 3);
    for (int byte = 0; byte < 256; ++byte) {
        char text[8] = {};
        std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
        v.add(text, 0, 6);
    }
    // Higher scores merge first.
    float score = -1;
    for (const char* piece :
         {"▁h", "ll", "▁w", "or", "llo", "ello", "▁hello", "▁wor", "ld", "▁world", "el", "lo", "s>", "▁▁"}) {
        v.add(piece, score);
        score -= 1;
    }
    for (const char* letter : {"▁", "h", "e", "l", "o", "w", "r", "d", "s", "<", ">", "/", "é"}) {
        v.add(letter, score);
        score -= 1;
    }
    return v;
}

SmallVocabulary smallBytePair() {
    SmallVocabulary v;
    v.model = "gpt2";
    v.pre = "gpt-2";
    v.types.emplace();
    for (unsigned byte = 0; byte < 256; ++byte) {
        v.add(std::string(text::spellingOfByte(static_cast<std::uint8_t>(byte))));
    }
    v.merges.emplace();
    for (const char* rule :
         {"h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld", "a a", "aa aa"}) {
        std::string joined;
        for (const char* c = rule; *c != '\0'; ++c) {
            if (*c != ' ') joined += *c;
        }
        v.merges->push_back(rule);
        v.add(joined);
    }
    const TokenId end = v.add("<|end|>", 0, 3);
    v.special.bos = end;
    v.special.eos = end;
    return v;
}

SmallVocabulary smallWordPiece() {
    SmallVocabulary v;
    v.model = "bert";
    v.types.emplace();
    for (const char* text : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
        v.add(text, 0, 3);
    for (const char* text : {"▁hello", "▁wor", "ld", "▁,", "▁un", "aff", "able", "▁a", "▁中", "▁[", "▁]"})
        v.add(text);
    v.special.pad = 0;
    v.special.unk = 1;
    v.special.cls = 2;
    v.special.sep = 3;
    v.special.mask = 4;
    return v;
}

}  // namespace loader::test
