// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Both types are fitted in two steps. First each sub-block alone: for a range of starting steps the values
// are put on the grid and the scale (and minimum) follow by weighted least squares; the best start wins. Then
// the scales themselves are rounded to their few bits, and each sub-block tries the neighbours of its rounded
// scale, because the nearest one is not always the one with the smallest error.

#include "core/engine/quant/k_quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/engine/base/half.h"

namespace loader::quant {
namespace {

/// Rounds to the nearest integer within limits; any float is fine.
int roundClamped(float value, int low, int high) {
    if (!(value > static_cast<float>(low))) return low;
    if (!(value < static_cast<float>(high))) return high;
    // OPTIMIZATION: shifted to be positive, so that cutting off rounds; std::floor is a call on the baseline
    // processor.
    const float shifted = value - static_cast<float>(low) + 0.5f;
    return static_cast<int>(shifted) + low;
}

/// The half-precision unit of a block's scales. Denormal halves are coarse, so those are rounded up: rounded
/// down, the largest scale would be out of reach of its integer, or the unit 0 and the whole block lost.
std::uint16_t unitBits(float magnitude) {
    const std::uint16_t bits = floatToHalf(magnitude);
    constexpr std::uint16_t kFirstNormal = 0x0400;
    const bool roundedDown = bits < kFirstNormal && halfToFloat(bits) < magnitude;
    return static_cast<std::uint16_t>(bits + (roundedDown ? 1 : 0));
}

// --- Q4_K ---

constexpr int kValuesQ4 = 32;
constexpr int kTopQ4 = 15;
constexpr int kTopScale = 63;

/// value ≈ scale × quant − minimum, minimum ≥ 0.
struct Affine {
    float scale = 0;
    float minimum = 0;
};

int quantOf(float value, Affine fit) {
    return fit.scale > 0 ? roundClamped((value + fit.minimum) / fit.scale, 0, kTopQ4) : 0;
}

double errorOf(const float* values, const float* weights, Affine fit) {
    const float inverse = fit.scale > 0 ? 1.0f / fit.scale : 0.0f;
    double error = 0;
    for (int i = 0; i < kValuesQ4; ++i) {
        const int quant = roundClamped((values[i] + fit.minimum) * inverse, 0, kTopQ4);
        const float difference = fit.scale * static_cast<float>(quant) - fit.minimum - values[i];
        error += static_cast<double>(weights[i] * difference * difference);
    }
    return error;
}

/// Puts the values on the grid of `fit` and solves for the scale and minimum with the least weighted error.
Affine refit(const float* values, const float* weights, Affine fit) {
    const float inverse = fit.scale > 0 ? 1.0f / fit.scale : 0.0f;
    double sumW = 0, sumX = 0, sumQ = 0, sumQQ = 0, sumQX = 0;
    for (int i = 0; i < kValuesQ4; ++i) {
        const double quant = roundClamped((values[i] + fit.minimum) * inverse, 0, kTopQ4);
        const double weight = static_cast<double>(weights[i]);
        const double value = static_cast<double>(values[i]);
        sumW += weight;
        sumX += weight * value;
        sumQ += weight * quant;
        sumQQ += weight * quant * quant;
        sumQX += weight * quant * value;
    }
    const double determinant = sumW * sumQQ - sumQ * sumQ;
    if (!(determinant > 0)) return fit;
    double scale = (sumW * sumQX - sumX * sumQ) / determinant;
    double offset = (sumQQ * sumX - sumQ * sumQX) / determinant;
    if (offset > 0) {
        offset = 0;
        scale = sumQX / sumQQ;
    }
    if (!(scale > 0)) return fit;
    return {static_cast<float>(scale), static_cast<float>(-offset)};
}

Affine fitSubBlock(const float* values, const float* weights) {
    const auto [least, most] = std::minmax_element(values, values + kValuesQ4);
    const float low = std::min(*least, 0.0f);
    const float range = *most - low;
    if (!(range > 0)) return {0, -low};
    Affine best = {range / kTopQ4, -low};
    double bestError = errorOf(values, weights, best);
    for (int step = -10; step <= 10; ++step) {
        // From a grid that leaves a step unused to one that cuts off the extremes.
        Affine fit = {range / (kTopQ4 + 0.1f * static_cast<float>(step)), -low};
        for (int round = 0; round < 2; ++round)
            fit = refit(values, weights, fit);
        const double error = errorOf(values, weights, fit);
        if (error < bestError) {
            bestError = error;
            best = fit;
        }
    }
    return best;
}

/// The pair of 6-bit numbers next to the fit with the least error once the block's scales are rounded.
ScaleAndMinimum roundFit(const float* values, const float* weights, Affine fit, Affine unit) {
    const int scale = unit.scale > 0 ? roundClamped(fit.scale / unit.scale, 0, kTopScale) : 0;
    const int minimum = unit.minimum > 0 ? roundClamped(fit.minimum / unit.minimum, 0, kTopScale) : 0;
    ScaleAndMinimum best = {static_cast<std::uint8_t>(scale), static_cast<std::uint8_t>(minimum)};
    double bestError = INFINITY;
    for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, kTopScale); ++s) {
        for (int m = std::max(minimum - 1, 0); m <= std::min(minimum + 1, kTopScale); ++m) {
            const Affine candidate = {unit.scale * static_cast<float>(s),
                                      unit.minimum * static_cast<float>(m)};
            const double error = errorOf(values, weights, candidate);
            if (error < bestError) {
                bestError = error;
                best = {static_cast<std::uint8_t>(s), static_cast<std::uint8_t>(m)};
            }
        }
    }
    return best;
}

/// The inverse of scaleAndMinimum; `scales` starts as zeros.
void packScaleAndMinimum(std::uint8_t* scales, int sub, ScaleAndMinimum packed) {
    if (sub < 4) {
        scales[sub] = static_cast<std::uint8_t>(scales[sub] | packed.scale);
        scales[sub + 4] = static_cast<std::uint8_t>(scales[sub + 4] | packed.minimum);
        return;
    }
    scales[sub + 4] = static_cast<std::uint8_t>((packed.scale & 0x0F) | (packed.minimum << 4));
    scales[sub - 4] = static_cast<std::uint8_t>(scales[sub - 4] | (packed.scale >> 4 << 6));
    scales[sub] = static_cast<std::uint8_t>(scales[sub] | (packed.minimum >> 4 << 6));
}

/// A value counts by its own magnitude plus the usual magnitude of its sub-block.
void weigh(const float* values, float* weights) {
    double squares = 0;
    for (int i = 0; i < kValuesQ4; ++i)
        squares += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    const auto usual = static_cast<float>(std::sqrt(squares / kValuesQ4));
    for (int i = 0; i < kValuesQ4; ++i)
        weights[i] = usual + std::abs(values[i]);
}

// --- Q6_K ---

constexpr int kValuesQ6 = 16;

int quantQ6(float value, float scale) {
    return scale != 0 ? roundClamped(value / scale, -32, 31) : 0;
}

/// The scale with the least error, each value weighted by its square.
float fitSymmetric(const float* values) {
    float extreme = 0;
    for (int i = 0; i < kValuesQ6; ++i) {
        if (std::abs(values[i]) > std::abs(extreme)) extreme = values[i];
    }
    if (extreme == 0) return 0;
    float best = extreme / -32.0f;
    double bestMerit = -1;
    for (int step = -9; step <= 9; ++step) {
        const float inverse = -(32.0f + 0.1f * static_cast<float>(step)) / extreme;
        double sumQX = 0, sumQQ = 0;
        for (int i = 0; i < kValuesQ6; ++i) {
            const double value = static_cast<double>(values[i]);
            const double quant = roundClamped(values[i] * inverse, -32, 31);
            sumQX += value * value * quant * value;
            sumQQ += value * value * quant * quant;
        }
        // With the best scale sumQX / sumQQ the error falls by this much.
        const double merit = sumQQ > 0 ? sumQX * sumQX / sumQQ : 0;
        if (merit > bestMerit && sumQQ > 0) {
            bestMerit = merit;
            best = static_cast<float>(sumQX / sumQQ);
        }
    }
    return best;
}

double errorQ6(const float* values, float scale) {
    double error = 0;
    for (int i = 0; i < kValuesQ6; ++i) {
        const float difference = scale * static_cast<float>(quantQ6(values[i], scale)) - values[i];
        const double weighted = static_cast<double>(values[i]) * static_cast<double>(difference);
        error += weighted * weighted;
    }
    return error;
}

std::int8_t roundScale(const float* values, float scale, float unit) {
    if (unit == 0) return 0;
    const int nearest = roundClamped(scale / unit, -128, 127);
    int best = nearest;
    double bestError = INFINITY;
    for (int candidate = std::max(nearest - 1, -128); candidate <= std::min(nearest + 1, 127); ++candidate) {
        const double error = errorQ6(values, unit * static_cast<float>(candidate));
        if (error < bestError) {
            bestError = error;
            best = candidate;
        }
    }
    return static_cast<std::int8_t>(best);
}

}  // namespace

void quantize(const float* in, BlockQ4_K& block) {
    std::memset(&block, 0, sizeof(block));
    float weights[256];
    Affine fits[8];
    Affine largest;
    for (int sub = 0; sub < 8; ++sub) {
        weigh(in + sub * kValuesQ4, weights + sub * kValuesQ4);
        fits[sub] = fitSubBlock(in + sub * kValuesQ4, weights + sub * kValuesQ4);
        largest.scale = std::max(largest.scale, fits[sub].scale);
        largest.minimum = std::max(largest.minimum, fits[sub].minimum);
    }
    block.scale = unitBits(largest.scale / kTopScale);
    block.minimum = unitBits(largest.minimum / kTopScale);
    const Affine unit = {halfToFloat(block.scale), halfToFloat(block.minimum)};
    if (!std::isfinite(unit.scale) || !std::isfinite(unit.minimum)) return;
    for (int sub = 0; sub < 8; ++sub) {
        const float* values = in + sub * kValuesQ4;
        const ScaleAndMinimum packed = roundFit(values, weights + sub * kValuesQ4, fits[sub], unit);
        packScaleAndMinimum(block.scales, sub, packed);
        const Affine fit = {unit.scale * static_cast<float>(packed.scale),
                            unit.minimum * static_cast<float>(packed.minimum)};
        std::uint8_t* quants = block.quants + sub / 2 * 32;
        for (int i = 0; i < kValuesQ4; ++i)
            quants[i] = static_cast<std::uint8_t>(quants[i] | (quantOf(values[i], fit) << (sub % 2 * 4)));
    }
}

void quantize(const float* in, BlockQ6_K& block) {
    std::memset(&block, 0, sizeof(block));
    float scales[16];
    float largest = 0;
    for (int sub = 0; sub < 16; ++sub) {
        scales[sub] = fitSymmetric(in + sub * kValuesQ6);
        if (std::abs(scales[sub]) > std::abs(largest)) largest = scales[sub];
    }
    // The largest scale takes −128, the end of the range that reaches further.
    const std::uint16_t sign = largest > 0 ? 0x8000 : 0;
    block.scale = static_cast<std::uint16_t>(unitBits(std::abs(largest) / 128.0f) | sign);
    const float unit = halfToFloat(block.scale);
    if (!std::isfinite(unit)) return;
    for (int sub = 0; sub < 16; ++sub) {
        const float* values = in + sub * kValuesQ6;
        block.scales[sub] = roundScale(values, scales[sub], unit);
        const float scale = unit * static_cast<float>(block.scales[sub]);
        const int half = sub / 8;
        const int quarter = sub % 8 / 2;
        std::uint8_t* low = block.lowBits + half * 64 + quarter % 2 * 32 + sub % 2 * 16;
        std::uint8_t* high = block.highBits + half * 32 + sub % 2 * 16;
        for (int i = 0; i < kValuesQ6; ++i) {
            const int quant = quantQ6(values[i], scale) + 32;
            low[i] = static_cast<std::uint8_t>(low[i] | ((quant & 0x0F) << (quarter / 2 * 4)));
            high[i] = static_cast<std::uint8_t>(high[i] | ((quant >> 4) << (quarter * 2)));
        }
    }
}

}  // namespace loader::quant
