// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Cuts text at whole tokens and hands what lies between to the encoder of the vocabulary's kind.

#include "core/engine/text/tokenizer.h"

#include <string>
#include <utility>

#include "core/engine/text/encoders.h"
#include "core/engine/text/whole_tokens.h"

namespace loader::text {
namespace {

std::unique_ptr<TextEncoder> makeEncoder(const Vocabulary& vocabulary, EncodeCounters& counters) {
    switch (vocabulary.kind()) {
        case TokenizerKind::SentencePiece:
            return std::make_unique<SentencePieceEncoder>(vocabulary, counters);
        case TokenizerKind::BytePair: return std::make_unique<BytePairEncoder>(vocabulary, counters);
        case TokenizerKind::WordPiece: break;
    }
    return std::make_unique<WordPieceEncoder>(vocabulary);
}

/// Collects tokens: text is held back until a whole token or the end comes.
class Collector {
public:
    Collector(const Vocabulary& vocabulary, const WholeTokens& wholeTokens, EncodeCounters& counters)
        : m_vocabulary(vocabulary),
          m_wholeTokens(wholeTokens),
          m_encoder(makeEncoder(vocabulary, counters)) {}

    void begin() {
        if (m_vocabulary.addBos() && m_vocabulary.special().bos) m_out.push_back(*m_vocabulary.special().bos);
    }
    void end() {
        const SpecialIds& ids = m_vocabulary.special();
        const bool separates = m_vocabulary.kind() == TokenizerKind::WordPiece && m_vocabulary.addSep();
        if (separates && ids.sep) m_out.push_back(*ids.sep);
        if (m_vocabulary.addEos() && ids.eos) m_out.push_back(*ids.eos);
    }
    /// Looks for whole tokens inside [from, to) of text.
    void scan(std::string_view text, std::size_t from, std::size_t to, bool allowSpecial) {
        for (std::size_t at = from; at < to;) {
            const auto id = m_wholeTokens.match(text.substr(at, to - at), allowSpecial);
            if (!id) {
                ++at;
                continue;
            }
            encodeTextBefore(text, at);
            m_out.push_back(*id);
            m_afterSpecial = true;
            at += m_vocabulary.text(*id).size();
            m_textStart = at;
        }
    }
    void encodeTextBefore(std::string_view text, std::size_t end) {
        if (end > m_textStart) {
            m_encoder->encode(text.substr(m_textStart, end - m_textStart), m_afterSpecial, m_out);
            m_afterSpecial = false;
        }
        m_textStart = end;
    }
    std::vector<TokenId> take() { return std::move(m_out); }

private:
    const Vocabulary& m_vocabulary;
    const WholeTokens& m_wholeTokens;
    std::unique_ptr<TextEncoder> m_encoder;
    std::vector<TokenId> m_out;
    std::size_t m_textStart = 0;
    bool m_afterSpecial = true;
};

}  // namespace

struct Tokenizer::Matchers {
    explicit Matchers(const Vocabulary& vocabulary) : wholeTokens(vocabulary) {}
    WholeTokens wholeTokens;
};

Tokenizer::Tokenizer(std::shared_ptr<const Vocabulary> vocabulary)
    : m_vocabulary(std::move(vocabulary)), m_matchers(std::make_unique<const Matchers>(*m_vocabulary)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, const EncodeOptions& options,
                                               EncodeCounters* counters) const {
    return encodeSpans(text, {{text.size(), options.parseSpecial}}, options.addSpecial, counters);
}

Result<std::vector<TokenId>> Tokenizer::encodeSpans(std::string_view text, const std::vector<TextSpan>& spans,
                                                    bool addSpecial, EncodeCounters* counters) const {
    if (text.size() > kMaximumPromptBytes) {
        return Error(Errc::T212, {std::to_string(text.size()), std::to_string(kMaximumPromptBytes)});
    }
    std::size_t covered = 0;
    for (const TextSpan& span : spans) {
        if (span.length > text.size() - covered)
            return Error(Errc::X001, {"The spans are longer than the text."});
        covered += span.length;
    }
    if (covered != text.size()) return Error(Errc::X001, {"The spans do not cover the text."});
    EncodeCounters unused;
    Collector collector(*m_vocabulary, m_matchers->wholeTokens, counters != nullptr ? *counters : unused);
    if (addSpecial) collector.begin();
    std::size_t at = 0;
    for (std::size_t i = 0; i < spans.size();) {
        // Neighbours of one origin are one stretch: a template may write a special token in parts.
        const bool fromTemplate = spans[i].fromTemplate;
        std::size_t end = at;
        for (; i < spans.size() && (spans[i].fromTemplate == fromTemplate || spans[i].length == 0); ++i) {
            end += spans[i].length;
        }
        collector.scan(text, at, end, fromTemplate);
        at = end;
    }
    collector.encodeTextBefore(text, text.size());
    if (addSpecial) collector.end();
    return collector.take();
}

}  // namespace loader::text
