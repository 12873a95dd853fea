// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Text to tokens: SentencePiece BPE, byte-level BPE and WordPiece. No recursion, no regular expressions, and
// time that grows with the length of the text whatever the text is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/engine/base/result.h"
#include "core/engine/text/vocabulary.h"

namespace loader::text {

struct EncodeOptions {
    /// Adds the beginning, end and separator tokens that the vocabulary asks for.
    bool addSpecial = false;
    /// Turns the texts of special tokens into these tokens; otherwise they stay text.
    bool parseSpecial = false;
};

/// A stretch of a rendered chat template. Special tokens are parsed only where fromTemplate is set.
struct TextSpan {
    std::size_t length = 0;
    bool fromTemplate = false;
};

/// How much work an encoding took; tests bound it instead of the clock.
struct EncodeCounters {
    std::uint64_t pairLookups = 0;
    std::uint64_t queueOperations = 0;
};

/// @thread const functions from any thread
class Tokenizer {
public:
    explicit Tokenizer(std::shared_ptr<const Vocabulary> vocabulary);
    ~Tokenizer();
    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;

    const Vocabulary& vocabulary() const { return *m_vocabulary; }

    /// @errors T212 where the text is longer than kMaximumPromptBytes
    Result<std::vector<TokenId>> encode(std::string_view text, const EncodeOptions& options,
                                        EncodeCounters* counters = nullptr) const;
    /// Encodes a rendered template. The spans follow each other and cover the text; a border between a
    /// template span and another one is never crossed by the text of a special token, but ordinary text runs
    /// on over it.
    /// @errors T212; X001 where the spans do not cover the text
    Result<std::vector<TokenId>> encodeSpans(std::string_view text, const std::vector<TextSpan>& spans,
                                             bool addSpecial, EncodeCounters* counters = nullptr) const;

private:
    struct Matchers;
    std::shared_ptr<const Vocabulary> m_vocabulary;
    std::unique_ptr<const Matchers> m_matchers;
};

}  // namespace loader::text
