// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors

#include "core/engine/arch/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace loader::arch {
namespace {

/// The pair (as a real number) that turns `rotations` times within the original context: YaRN eq. 17 solved
/// for d.
double pairThatTurns(const HyperParameters& values, double rotations) {
    const double wavelengths =
        static_cast<double>(values.originalContext) / (rotations * 2.0 * std::numbers::pi);
    return values.ropeDims * std::log(wavelengths) / (2.0 * std::log(values.ropeBase));
}

}  // namespace

graph::Rope makeRope(const HyperParameters& values, graph::RopePairs pairs) {
    graph::Rope rope;
    rope.pairs = pairs;
    rope.frequencies.resize(values.ropeDims / 2);
    for (std::size_t i = 0; i < rope.frequencies.size(); ++i) {
        rope.frequencies[i] = std::pow(values.ropeBase, -2.0 * static_cast<double>(i) / values.ropeDims);
    }
    rope.magnitude = values.ropeAttentionFactor;
    if (values.scaling == RopeScaling::None) return rope;

    if (values.scaling == RopeScaling::Linear) {
        for (double& frequency : rope.frequencies)
            frequency /= values.scalingFactor;
        return rope;
    }
    // YaRN: slow pairs are interpolated, fast pairs are left alone, those between are mixed along a ramp.
    const double low = std::max(0.0, std::floor(pairThatTurns(values, values.yarnBetaFast)));
    const double high = std::min(static_cast<double>(values.ropeDims) - 1.0,
                                 std::ceil(pairThatTurns(values, values.yarnBetaSlow)));
    for (std::size_t i = 0; i < rope.frequencies.size(); ++i) {
        const double ramp = (static_cast<double>(i) - low) / std::max(0.001, high - low);
        const double kept = 1.0 - std::clamp(ramp, 0.0, 1.0);
        const double original = rope.frequencies[i];
        rope.frequencies[i] = original / values.scalingFactor * (1.0 - kept) + original * kept;
    }
    rope.magnitude *= 1.0 + 0.1 * std::log(values.scalingFactor);
    return rope;
}

}  // namespace loader::arch
