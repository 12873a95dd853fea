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

#include "backends/api/backend.h"
#include "core/host/memory_facts.h"

namespace loader::host {

using Json = nlohmann::ordered_json;

/// How many layers a GPU takes.
struct GpuLayers {
    enum class Kind : std::uint8_t { Auto, All, Number };
    Kind kind = Kind::Auto;
    std::uint32_t number = 0;
    bool none() const { return kind == Kind::Number && number == 0; }
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
    backend::KvType kv = backend::KvType::F16;
    bool lockMemory = false;
    bool useMmap = true;
    unsigned sequences = 1;
    /// Forces an instruction-set tier of the back end; empty takes the best.
    std::string tier;
    /// Sentences that name each environment variable that changed this request.
    std::vector<std::string> overrides;
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
};

}  // namespace loader::host
