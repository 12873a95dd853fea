// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is asked for when a model is loaded, and the one report in which every load ends.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/engine/base/error.h"
#include "core/engine/graph/kv_type.h"
#include "core/protocol/wire.h"

namespace loader::protocol {

using Json = nlohmann::ordered_json;

/// How many layers a GPU takes.
struct GpuLayers {
    enum class Kind : std::uint8_t { Auto, All, Number };
    Kind kind = Kind::Auto;
    std::uint32_t number = 0;
    bool none() const { return kind == Kind::Number && number == 0; }
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.kind);
        visit(self.number);
    }
};
template <>
struct LastOf<GpuLayers::Kind> {
    static constexpr auto value = GpuLayers::Kind::Number;
};
template <>
struct LastOf<graph::KvType> {
    static constexpr auto value = graph::KvType::F32;
};

/// What a context is where nobody names one: as the model was trained, but at most this many tokens, because
/// the cache of a long context takes gigabytes.
inline constexpr std::uint32_t kDefaultContextTokens = 4096;

struct LoadRequest {
    std::string path;
    /// Overrides general.architecture where not empty.
    std::string architecture;
    /// 0: the default context.
    std::uint32_t contextTokens = 0;
    /// 0: the back end chooses.
    unsigned threads = 0;
    unsigned batchTokens = 512;
    GpuLayers gpuLayers;
    /// "auto" or an id.
    std::string backend = "auto";
    /// A device of that back end; empty: its first that can.
    std::string device;
    graph::KvType kv = graph::KvType::F16;
    bool lockMemory = false;
    bool useMmap = true;
    unsigned sequences = 1;
    /// Forces an instruction-set tier of the back end; empty takes the best.
    std::string tier;
    /// Memory that may be taken, and what limits it; 0: the system is asked. A worker in its sandbox cannot
    /// ask.
    std::uint64_t availableBytes = 0;
    std::string availableSource;
    /// Sentences that name each environment variable that changed this request.
    std::vector<std::string> overrides;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.path);
        visit(self.architecture);
        visit(self.contextTokens);
        visit(self.threads);
        visit(self.batchTokens);
        visit(self.gpuLayers);
        visit(self.backend);
        visit(self.device);
        visit(self.kv);
        visit(self.lockMemory);
        visit(self.useMmap);
        visit(self.sequences);
        visit(self.tier);
        visit(self.availableBytes);
        visit(self.availableSource);
        visit(self.overrides);
    }
};

/// Applies GGUF_BACKEND (where the request says auto) and GGUF_GPU_ENABLED (0, false, no, off), and notes
/// them.
/// @param backendVariable, gpuVariable their values; empty where unset
void applyEnvironment(LoadRequest& request, const std::string& backendVariable,
                      const std::string& gpuVariable);

/// One link of the chain that was tried.
struct LoadStep {
    std::string backend;
    std::string device;
    /// "loaded", "refused" or "failed".
    std::string result;
    std::string reason;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.backend);
        visit(self.device);
        visit(self.result);
        visit(self.reason);
    }
};

struct LoadReport {
    std::vector<LoadStep> steps;
    std::string backend;
    std::string device;
    std::uint32_t gpuLayers = 0;
    std::string tier;
    unsigned threads = 0;
    std::uint32_t contextTokens = 0;
    std::uint64_t estimatedBytes = 0;
    /// How much the process grew until the test token came out; 0 where the system does not tell.
    std::uint64_t measuredBytes = 0;
    double loadMilliseconds = 0.0;
    /// What became of the wishes, in words.
    std::string lockEffect;
    std::string mapEffect;
    std::vector<std::string> overrides;
    /// Oddities of the file that do not prevent use.
    std::vector<Error> warnings;

    Json toJson() const;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.steps);
        visit(self.backend);
        visit(self.device);
        visit(self.gpuLayers);
        visit(self.tier);
        visit(self.threads);
        visit(self.contextTokens);
        visit(self.estimatedBytes);
        visit(self.measuredBytes);
        visit(self.loadMilliseconds);
        visit(self.lockEffect);
        visit(self.mapEffect);
        visit(self.overrides);
        visit(self.warnings);
    }
};

}  // namespace loader::protocol
