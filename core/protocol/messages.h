// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a worker is told and what it answers, one struct per row of message_types.inc. The application trusts
// none of what a worker sends: session.h checks it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/protocol/answer.h"
#include "core/protocol/load_report.h"
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

enum class SandboxWish : std::uint8_t { Off, On, Strict };
template <>
struct LastOf<SandboxWish> {
    static constexpr auto value = SandboxWish::Strict;
};

struct Hello {
    std::uint32_t version = 0;
    /// Back ends to load before the sandbox closes, and the folder of their plugins; empty: the installed
    /// one.
    std::vector<std::string> backends;
    std::string pluginFolder;
    SandboxWish sandbox = SandboxWish::On;
    /// The profile that lets a driver reach its device.
    bool forGpu = false;
    /// The one folder that a driver may write to (pipeline caches); empty: none.
    std::string cacheFolder;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.version);
        visit(self.backends);
        visit(self.pluginFolder);
        visit(self.sandbox);
        visit(self.forGpu);
        visit(self.cacheFolder);
    }
};

/// What the system really enforces upon a worker.
struct SandboxFacts {
    bool seccomp = false;
    std::uint32_t landlockAbi = 0;
    bool network = false;
    bool files = false;
    bool exec = false;
    bool newCode = false;
    /// A sentence for each thing that is not enforced, and why.
    std::vector<std::string> notes;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.seccomp);
        visit(self.landlockAbi);
        visit(self.network);
        visit(self.files);
        visit(self.exec);
        visit(self.newCode);
        visit(self.notes);
    }
};

struct Ready {
    std::uint32_t version = 0;
    SandboxFacts sandbox;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.version);
        visit(self.sandbox);
    }
};

/// The parts of a model come as read-only descriptors in the order of these names.
struct LoadModel {
    LoadRequest request;
    std::vector<std::string> parts;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.request);
        visit(self.parts);
    }
};

struct Progress {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.done);
        visit(self.total);
    }
};

/// Sent when a test token has come out.
struct Loaded {
    LoadReport report;
    std::string name;
    std::uint32_t vocabulary = 0;
    std::uint32_t layers = 0;
    std::uint32_t trainedContext = 0;
    bool hasText = false;
    bool hasTemplate = false;
    sampling::SamplingParameters recommended;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.report);
        visit(self.name);
        visit(self.vocabulary);
        visit(self.layers);
        visit(self.trainedContext);
        visit(self.hasText);
        visit(self.hasTemplate);
        visitSampling(self.recommended, visit);
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

/// Ends a request, or with request 0 what the worker was started for. @shape error: exactly one
struct Failed {
    std::vector<Error> error;
    /// The links that were tried, where a load failed.
    std::vector<LoadStep> steps;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.error);
        visit(self.steps);
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

struct Ping {
    std::uint64_t number = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.number);
    }
};

/// Proof of life: that of the ping, and how far the work has come, so that a back end that hangs shows.
struct Pong {
    std::uint64_t number = 0;
    bool busy = false;
    std::uint64_t steps = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.number);
        visit(self.busy);
        visit(self.steps);
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
