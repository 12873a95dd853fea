// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// A small vocabulary, changed by the input, then text. Input: byte 0 the kind, byte 1 options, byte 2 the
// number of entries to add; each entry is a type byte, a length byte and that many bytes; the rest is text.
// Checked: ids in range, nothing special out of text, decoding gives the text back, a stream equals the
// whole.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/base/utf8.h"
#include "core/engine/text/byte_alphabet.h"
#include "core/engine/text/detokenizer.h"
#include "core/engine/text/tokenizer.h"

namespace {

using namespace loader;
using namespace loader::text;

constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";

void require(bool condition) {
    if (!condition) std::abort();
}

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : m_rest(reinterpret_cast<const char*>(data), size) {}
    std::uint8_t byte() {
        if (m_rest.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(m_rest[0]);
        m_rest.remove_prefix(1);
        return value;
    }
    std::string_view bytes(std::size_t count) {
        const std::string_view taken = m_rest.substr(0, count);
        m_rest.remove_prefix(taken.size());
        return taken;
    }
    std::string_view rest() const { return m_rest; }

private:
    std::string_view m_rest;
};

struct Words {
    std::vector<std::string> tokens;
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    std::vector<std::string> merges;

    void add(std::string token, std::int32_t type = 1) {
        scores.push_back(-static_cast<float>(tokens.size() % 97));
        tokens.push_back(std::move(token));
        types.push_back(type);
    }
};

void addBase(Words& words, int kind) {
    for (const char* special : {"<unk>", "<s>", "</s>", "<|end|>"})
        words.add(special, 3);
    words.types[0] = 2;
    for (unsigned byte = 0; byte < 256; ++byte) {
        char text[8] = {};
        std::snprintf(text, sizeof text, "<0x%02X>", byte);
        if (kind == 0) words.add(text, 6);
        if (kind == 1) words.add(std::string(spellingOfByte(static_cast<std::uint8_t>(byte))));
    }
    if (kind != 1) {
        for (const char* piece : {"▁", "a", "b", "▁a", "ab", "▁ab", "▁▁", "bb", ",", "▁,"})
            words.add(piece);
        return;
    }
    for (const char* rule : {"a b", "b b", "ab bb", "Ġ Ġ", "ĠĠ ĠĠ", "Ġ ab"}) {
        std::string joined(rule);
        joined.erase(std::find(joined.begin(), joined.end(), ' '));
        words.add(joined);
        words.merges.push_back(rule);
    }
}

void addEntries(Words& words, Input& input, int kind) {
    for (int count = input.byte() % 16; count > 0; --count) {
        const int type = input.byte();
        std::string text(input.bytes(input.byte() % 16));
        // Some entries are rules that join two entries which are there already.
        if (kind == 1 && (type & 0x80) != 0 && text.size() >= 2) {
            const std::string& left = words.tokens[static_cast<unsigned char>(text[0]) % words.tokens.size()];
            const std::string& right =
                words.tokens[static_cast<unsigned char>(text[1]) % words.tokens.size()];
            std::string rule = left;
            rule.append(" ").append(right);
            words.merges.push_back(std::move(rule));
            words.add(left + right, 1 + (type & 7));
            continue;
        }
        words.add(std::move(text), 1 + (type & 7));
    }
}

std::shared_ptr<const Vocabulary> build(Input& input) {
    const int kind = input.byte() % 3;
    const std::uint8_t options = input.byte();
    Words words;
    addBase(words, kind);
    addEntries(words, input, kind);
    VocabularyData data;
    data.model = kind == 0 ? "llama" : kind == 1 ? "gpt2" : "bert";
    constexpr std::string_view kNames[] = {"gpt-2", "llama-bpe", "deepseek-v3", "gpt-4o"};
    data.pre = kNames[options & 3];
    data.tokens.assign(words.tokens.begin(), words.tokens.end());
    data.scores = words.scores;
    data.types = words.types;
    data.merges.emplace(words.merges.begin(), words.merges.end());
    data.special.unk = 0;
    data.special.bos = 1;
    data.special.eos = 2;
    if (kind == 2) data.special.sep = data.special.pad = data.special.mask = 2;
    if ((options & 4) != 0) data.addSpacePrefix = (options & 8) != 0;
    auto vocabulary = Vocabulary::fromData(data);
    return vocabulary.ok() ? std::move(vocabulary).value() : nullptr;
}

void checkStream(const std::shared_ptr<const Vocabulary>& vocabulary, const std::vector<TokenId>& ids,
                 DecodeOptions options) {
    Detokenizer stream(vocabulary, options);
    std::string streamed;
    for (const TokenId id : ids) {
        const std::string part = stream.push(id);
        require(utf8::isValid(part));
        streamed += part;
    }
    streamed += stream.finish();
    require(streamed == *Detokenizer::decode(*vocabulary, ids, options));
}

/// SentencePiece cannot tell "▁" from a space.
std::string withSpaces(std::string_view text) {
    std::string out(text);
    for (std::size_t at = out.find(kEscapedSpace); at != std::string::npos;
         at = out.find(kEscapedSpace, at)) {
        out.replace(at, kEscapedSpace.size(), " ");
    }
    return out;
}

void checkRoundTrip(const Vocabulary& vocabulary, std::string_view text, const std::vector<TokenId>& ids) {
    const std::string back = *Detokenizer::decodeBytes(vocabulary, ids, {true, true});
    if (vocabulary.kind() == TokenizerKind::BytePair && vocabulary.warnings().empty()) require(back == text);
    // Byte tokens are not unescaped, so a mark that is spelled in bytes is compared as a space as well.
    if (vocabulary.kind() == TokenizerKind::SentencePiece) require(withSpaces(back) == withSpaces(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const auto vocabulary = build(input);
    if (!vocabulary) return 0;
    const Tokenizer tokenizer(vocabulary);
    const std::string_view text = input.rest();
    for (const bool parseSpecial : {false, true}) {
        EncodeCounters counters;
        const auto ids = tokenizer.encode(text, {false, parseSpecial}, &counters);
        require(ids.ok());
        require(counters.pairLookups + counters.queueOperations <= (text.size() + 64) * 600);
        for (const TokenId id : *ids) {
            require(vocabulary->contains(id));
            const bool isUnknown = id == vocabulary->special().unk;
            require(parseSpecial || isUnknown || !vocabulary->isSpecial(id));
        }
        checkRoundTrip(*vocabulary, text, *ids);
        checkStream(vocabulary, *ids, {parseSpecial, true});
    }
    // Arbitrary ids: the bytes of the text, one each.
    std::vector<TokenId> ids;
    for (const char c : text)
        ids.push_back(static_cast<unsigned char>(c) % vocabulary->size());
    checkStream(vocabulary, ids, {true, false});
    // A border inside ordinary text makes no difference; user content stays text.
    const std::size_t cut = text.size() / 2;
    const auto spans = tokenizer.encodeSpans(text, {{cut, false}, {text.size() - cut, false}}, false);
    require(spans.ok() && *spans == *tokenizer.encode(text, {}));
    return 0;
}
