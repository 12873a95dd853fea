// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Tiles of half precision: 88 bytes for each row and each token. Every eight columns are divided by a power of two,
// so that no weight and no activation is too large for half precision, and none loses more than its rounding.
// Sums are floats. Part of matmul.comp.

#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

// In vectors of four columns; the ninth keeps rows off each other's banks.
const uint TILE_STRIDE = 9u;
shared f16vec4 weightTile[TILE_ROWS * TILE_STRIDE];
shared f16vec4 xTile[TILE_TOKENS * TILE_STRIDE];
shared float weightScales[TILE_ROWS * 4u];
shared float xScales[TILE_TOKENS * 4u];

// The exponent of the greatest of eight values, as floats have it; the reciprocal of its power must exist as well.
uint exponentOf(vec4 low, vec4 high) {
    const vec4 most = max(abs(low), abs(high));
    return clamp(floatBitsToUint(max(max(most.x, most.y), max(most.z, most.w))) >> 23, 1u, 253u);
}

float powerOf(uint exponent) {
    return uintBitsToFloat(exponent << 23);
}

void stageWeights(uint place, uint row, uint group) {
    vec4 low = vec4(0.0);
    vec4 high = vec4(0.0);
    if (group * 8u < push.columns) decodeValues(0u, row, group, push.columns, low, high);
    const uint exponent = exponentOf(low, high);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    weightTile[at] = f16vec4(low * powerOf(254u - exponent));
    weightTile[at + 1u] = f16vec4(high * powerOf(254u - exponent));
    weightScales[place] = powerOf(exponent);
}

void stageX(uint place, uint base, uint group) {
    vec4 low;
    vec4 high;
    loadX(base, group * 8u, low, high);
    const uint exponent = exponentOf(low, high);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    xTile[at] = f16vec4(low * powerOf(254u - exponent));
    xTile[at + 1u] = f16vec4(high * powerOf(254u - exponent));
    xScales[place] = powerOf(exponent);
}

f16vec4 rowLows[THREAD_ROWS];
f16vec4 rowHighs[THREAD_ROWS];
float rowScales[THREAD_ROWS];

void addGroup(uint token, uint t, uint group) {
    const uint at = token * TILE_STRIDE + group * 2u;
    const vec4 low = vec4(xTile[at]);
    const vec4 high = vec4(xTile[at + 1u]);
    const float scale = xScales[token * 4u + group];
    [[unroll]] for (uint r = 0u; r < THREAD_ROWS; ++r) {
        // Products of two halves are exact in floats, and hardware with mixed instructions converts for nothing.
        const float sum = dot(vec4(rowLows[r]), low) + dot(vec4(rowHighs[r]), high);
        // One scale after the other: their product may be out of the range of floats where the sum is not.
        sums[t * THREAD_ROWS + r] += (sum * rowScales[r]) * scale;
    }
}

void addTile(uint rowInTile, uint tokenInTile) {
    for (uint group = 0u; group < 4u; ++group) {
        [[unroll]] for (uint r = 0u; r < THREAD_ROWS; ++r) {
            const uint row = rowInTile + r * ROWS_APART;
            rowLows[r] = weightTile[row * TILE_STRIDE + group * 2u];
            rowHighs[r] = weightTile[row * TILE_STRIDE + group * 2u + 1u];
            rowScales[r] = weightScales[row * 4u + group];
        }
        [[unroll]] for (uint t = 0u; t < THREAD_TOKENS; ++t)
            addGroup(tokenInTile + t * TOKENS_APART, t, group);
    }
}
