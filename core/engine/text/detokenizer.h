// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Tokens to text, as a stream that never hands out half a character.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/text/vocabulary.h"

namespace loader::text {

struct DecodeOptions {
    /// Shows the texts of control tokens; otherwise they leave no trace.
    bool showSpecial = false;
    /// Takes away the space that encoding put in front of the text. Unset it where the tokens continue a
    /// text.
    bool removeSpacePrefix = true;
};

/// @thread confined to one thread
class Detokenizer {
public:
    explicit Detokenizer(std::shared_ptr<const Vocabulary> vocabulary, DecodeOptions options = {});

    /// The text that has become certain with this token: valid UTF-8, perhaps empty.
    /// An id outside the vocabulary gives nothing (decode reports it).
    std::string push(TokenId id);
    /// What is left over, each byte that never became a character as U+FFFD; the stream then starts anew.
    std::string finish();

    /// All bytes of these tokens, which need not be UTF-8. Byte-level BPE gives back exactly what was
    /// encoded.
    /// @errors T211
    static Result<std::string> decodeBytes(const Vocabulary& vocabulary, const std::vector<TokenId>& ids,
                                           DecodeOptions options = {});
    /// As decodeBytes, with U+FFFD for every byte that is no UTF-8: equal to pushing all and finishing.
    /// @errors T211
    static Result<std::string> decode(const Vocabulary& vocabulary, const std::vector<TokenId>& ids,
                                      DecodeOptions options = {});
    /// The bytes of one token by itself, without any space handling; id must be in range.
    static std::string tokenBytes(const Vocabulary& vocabulary, TokenId id);

private:
    std::shared_ptr<const Vocabulary> m_vocabulary;
    DecodeOptions m_options;
    std::string m_pending;
    bool m_atStart = true;
};

}  // namespace loader::text
