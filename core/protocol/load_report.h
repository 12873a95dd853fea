// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What is asked for when a model is loaded, and the one report in which every load ends.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/base/error.h"
#include "core/engine/base/memory_facts.h"
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

template <class Self, class Visitor>
void visitAvailable(Self& self, Visitor& visit) {
    bool known = self.has_value();
    AvailableMemory memory = self.value_or(AvailableMemory{});
    visit(known);
    visit(memory.bytes);
    visit(memory.source);
    if constexpr (!std::is_const_v<Self>) self = known ? std::optional(memory) : std::nullopt;
}

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
    /// An id of the named back end's devices; empty tries them all.
    std::string device;
    /// The back end of the layers that gpuLayers does not give to the device; empty is "cpu". Naming it here
    /// and a back end above divides the model on any device; otherwise only a GPU is given a number of
    /// layers.
    std::string splitWith;
    /// Whether a GPU must pass the self-test first. A caller who remembers that it did clears it.
    bool selfTest = true;
    /// What this process may take, for one that cannot ask the system (any more).
    std::optional<AvailableMemory> available;
    graph::KvType kv = graph::KvType::F16;
    bool lockMemory = false;
    bool useMmap = true;
    unsigned sequences = 1;
    /// Forces an instruction-set tier of the back end; empty takes the best.
    std::string tier;
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
        visit(self.splitWith);
        visit(self.selfTest);
        visit(self.kv);
        visit(self.lockMemory);
        visit(self.useMmap);
        visit(self.sequences);
        visit(self.tier);
        visitAvailable(self.available, visit);
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
    /// Layers that the device was to take.
    std::uint32_t gpuLayers = 0;
    /// "loaded", "refused" or "failed".
    std::string result;
    std::string reason;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
        visit(self.backend);
        visit(self.device);
        visit(self.gpuLayers);
        visit(self.result);
        visit(self.reason);
    }
};

struct LoadReport {
    std::vector<LoadStep> steps;
    std::string backend;
    std::string device;
    std::uint32_t gpuLayers = 0;
    /// The back end of the other layers; empty where the model is not divided.
    std::string splitWith;
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
        visit(self.splitWith);
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
