// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// The numbers that a file gives for its architecture, read with types and ranges checked (codes M103 to
// M126).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/engine/arch/spec.h"
#include "core/engine/base/result.h"
#include "core/engine/gguf/metadata.h"

namespace loader::arch {

enum class RopeScaling : std::uint8_t { None, Linear, Yarn };

struct LayerParameters {
    std::uint32_t heads = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t feedForward = 0;
};

struct HyperParameters {
    std::uint32_t context = 0;
    std::uint32_t width = 0;
    std::uint32_t keyLength = 0;
    std::uint32_t valueLength = 0;
    std::vector<LayerParameters> layers;

    double normEpsilon = 0.0;

    std::uint32_t ropeDims = 0;
    double ropeBase = 0.0;
    RopeScaling scaling = RopeScaling::None;
    double scalingFactor = 1.0;
    std::uint32_t originalContext = 0;
    double ropeAttentionFactor = 1.0;
    double yarnBetaFast = 32.0;
    double yarnBetaSlow = 1.0;

    /// 0 where every earlier token is seen.
    std::uint32_t window = 0;
    std::uint32_t experts = 0;
    std::uint32_t expertsUsed = 0;
    std::uint32_t expertFeedForward = 0;
};

/// @errors M103 to M109, M110, M120, M121, M126, M127
Result<HyperParameters> readHyperParameters(const gguf::Metadata& metadata, const ArchSpec& spec,
                                            const std::string& prefix);

}  // namespace loader::arch
