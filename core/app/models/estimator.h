// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// How much memory a model takes, from the facts of its header alone. Says nothing about whether that is
// there: memory_fit.h does. What the figures mean and how right they are: docs/estimates.md.
#pragma once

#include <cstdint>
#include <string>

#include "core/engine/graph/kv_type.h"
#include "core/protocol/model_facts.h"

namespace loader::app {

/// What memory depends on.
struct LoadSettings {
    std::uint32_t contextTokens = 4096;
    std::uint32_t batchTokens = 512;
    std::uint32_t threads = 1;
    std::uint32_t sequences = 1;
    graph::KvType kv = graph::KvType::F16;
    /// Unset: weights are read into memory of the process.
    bool useMmap = true;
    /// Layers that a device takes: the last ones, and the head; as many as there are, or more, is the whole
    /// model.
    std::uint32_t gpuLayers = 0;
    /// Back ends of the two sides. One whose plan the facts do not hold is taken to need as much as its
    /// activations in 32-bit floats.
    std::string processor = "cpu";
    std::string device;
};

/// @unit bytes
struct MemoryParts {
    std::uint64_t weights = 0;
    std::uint64_t kv = 0;
    std::uint64_t compute = 0;
    std::uint64_t output = 0;
    /// Of the process: the program, its threads, the file's header, the word list.
    std::uint64_t worker = 0;
    std::uint64_t total() const;
};

/// With the context full.
struct MemoryEstimate {
    MemoryParts processor;
    MemoryParts device;
    /// Of processor.weights, pages of the mapped file: the system may drop and read them again.
    std::uint64_t mapped = 0;
    /// At most as many as there are layers.
    std::uint32_t gpuLayers = 0;

    /// Both sides together.
    MemoryParts parts() const;
    std::uint64_t total() const { return parts().total(); }
    /// What the process keeps for itself and gives back when the model is unloaded.
    std::uint64_t ownBytes() const;
};

/// Never fails: a sum that no number holds becomes the greatest number.
/// @thread any; pure
MemoryEstimate estimate(const protocol::ModelFacts& facts, const LoadSettings& settings);

/// The plan of a back end; null where the facts have none.
const protocol::PlanFacts* planOf(const protocol::ModelFacts& facts, const std::string& backend);

/// KV cache of the whole model for one position of one sequence. @unit bytes
std::uint64_t kvBytesPerToken(const protocol::ModelFacts& facts, const std::string& backend,
                              graph::KvType type);

}  // namespace loader::app
