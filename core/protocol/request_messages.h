// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Requests to a loaded model and what answers them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/protocol/answer.h"
#include "core/protocol/wire.h"

namespace loader::protocol {

/// Bytes that are here, or in sealed memory whose descriptor comes with the frame where they are many.
struct Blob {
    std::vector<std::uint8_t> here;
    std::uint64_t sharedBytes = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.here);
        visit(self.sharedBytes);
    }
};

enum class PromptKind : std::uint8_t { Raw, Chat };
template <>
struct LastOf<PromptKind> {
    static constexpr auto value = PromptKind::Chat;
};

/// Text into token ids: raw text, or messages as a JSON list that the model's template renders.
struct Prepare {
    PromptKind kind = PromptKind::Raw;
    bool addSpecial = true;
    bool parseSpecial = true;
    Blob text;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.kind);
        visit(self.addSpecial);
        visit(self.parseSpecial);
        visit(self.text);
    }
};

/// Comes as often as is needed; the last one says so.
struct Prepared {
    std::vector<TokenId> ids;
    bool last = true;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.ids);
        visit(self.last);
    }
};

struct Generate {
    /// Ids of the prompt, then those of options.produced, four bytes each.
    Blob ids;
    std::uint32_t promptTokens = 0;
    AnswerOptions options;
    /// Bytes of text that may be sent before more is granted. @unit bytes
    std::uint32_t credit = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.ids);
        visit(self.promptTokens);
        visitSampling(self.options.sampling, visit);
        visit(self.options.maxTokens);
        visit(self.options.stops);
        visit(self.options.ignoreEnd);
        visit(self.options.removeSpacePrefix);
        visit(self.options.keepCache);
        visit(self.credit);
    }
};

struct PromptProgress {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.done);
        visit(self.total);
    }
};

struct Piece {
    /// Counts the tokens of this answer, those produced before included.
    std::uint32_t index = 0;
    std::optional<TokenId> token;
    std::string text;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.index);
        visit(self.token);
        visit(self.text);
    }
};

/// The text and the ids went before, piece by piece.
struct Done {
    std::string stopReason;
    std::uint64_t promptTokens = 0;
    std::uint64_t cachedTokens = 0;
    std::uint64_t tokens = 0;
    double tokensPerSecond = 0.0;
    double promptMilliseconds = 0.0;
    std::vector<Error> error;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.stopReason);
        visit(self.promptTokens);
        visit(self.cachedTokens);
        visit(self.tokens);
        visit(self.tokensPerSecond);
        visit(self.promptMilliseconds);
        visit(self.error);
    }
};

struct Cancel {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&) {}
};

struct Credit {
    std::uint32_t bytes = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.bytes);
    }
};

/// The logits behind the last token, into sealed memory that comes with the frame.
/// @shape memory [vocabulary] float32
struct Score {
    Blob ids;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.ids);
    }
};

struct Scored {
    std::uint64_t values = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.values);
    }
};

}  // namespace loader::protocol
