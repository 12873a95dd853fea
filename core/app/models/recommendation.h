// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Settings for a model on this machine, each with its reason, and the speed to expect: bytes and products of
// a token against the machine's measured ceilings, times the share of them that this engine reaches in
// docs/performance.md.
#pragma once

#include <optional>
#include <string>

#include "core/app/models/memory_fit.h"

namespace loader::app {

/// What the machine does at best with these threads, measured. @unit per second
struct MachineSpeed {
    /// From memory, and again and again from as many bytes as a token reads, which may lie in caches.
    double readBytes = 0.0;
    double workingSetBytes = 0.0;
    double int8Operations = 0.0;
    double int16Operations = 0.0;
    double floatOperations = 0.0;
};

struct ExpectedSpeed {
    double promptTokensPerSecond = 0.0;
    /// With an empty cache, and with a full one.
    double firstTokensPerSecond = 0.0;
    double lastTokensPerSecond = 0.0;
    /// One sentence: how it was computed.
    std::string basis;
};

struct Recommendation {
    LoadSettings settings;
    Verdict verdict;
    std::string backendReason;
    std::string layersReason;
    std::string contextReason;
    std::string threadsReason;
    std::string batchReason;
    /// Of the processor; nothing where a device takes part, whose speed is only known once it is measured, or
    /// where nothing was measured.
    std::optional<ExpectedSpeed> speed;
};

ExpectedSpeed expectedSpeed(const protocol::ModelFacts& facts, const LoadSettings& settings,
                            const MachineSpeed& machine);

/// @param wanted what the user set; a context of 0 and automatic layers are chosen here
/// @param cores physical ones
/// @thread any; pure
Recommendation recommend(const protocol::ModelFacts& facts, const LoadSettings& wanted, LayerWish wish,
                         const MemorySituation& situation, const Margins& margins,
                         const std::optional<MachineSpeed>& machine, std::uint32_t cores);

}  // namespace loader::app
