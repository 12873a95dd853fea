// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What a worker as a whole is told and tells: its start, its model, its life.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/protocol/answer.h"
#include "core/protocol/load_report.h"
#include "core/protocol/wire.h"

namespace loader::protocol {

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

}  // namespace loader::protocol
