// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Tiles of half precision for matrix units, 80 bytes for each row and each token. All weights of a tile are divided by
// one power of two, and so is all of x, since sums go on over all columns. The power follows the greatest value so
// far, so that nothing becomes too large, and what is 2^26 times smaller still loses no more than its rounding.
// Part of matmul_matrix.comp.

// In vectors of four columns; rows begin at multiples of 16 bytes, and eight of them in different banks.
const uint TILE_STRIDE = 10u;
shared f16vec4 weightTile[TILE_ROWS * TILE_STRIDE];
shared f16vec4 xTile[TILE_TOKENS * TILE_STRIDE];

// Exponents as floats have them, of weights and x: values of up to four times their power fit.
shared uint sharedTops[2];
// What is in use; the same in all invocations.
uint weightTop;
uint xTop;

const uint ROOM = 2u;
// Values of a top become 2^12 to 2^13.
const uint HEIGHT = 12u;
const uint LOWEST_TOP = HEIGHT + 1u;

float powerOf(uint exponent) {
    return uintBitsToFloat(exponent << 23);
}

void clearScales() {
    if (gl_LocalInvocationID.x < 2u) sharedTops[gl_LocalInvocationID.x] = LOWEST_TOP;
    weightTop = LOWEST_TOP;
    xTop = LOWEST_TOP;
    barrier();
}

// The exponent of the greatest of eight values. What is no number or has no end fits nowhere and raises nothing.
uint exponentOf(vec4 low, vec4 high) {
    const vec4 most = max(abs(low), abs(high));
    const uint exponent = floatBitsToUint(max(max(most.x, most.y), max(most.z, most.w))) >> 23;
    return exponent > 254u ? 0u : exponent;
}

// 2^(HEIGHT - (top - 127)), so that the reciprocal, see unscaled(), exists as well.
float scaleOf(uint top) {
    return powerOf(254u + HEIGHT - top);
}

void stageWeights(uint place, uint row, uint group) {
    vec4 low = vec4(0.0);
    vec4 high = vec4(0.0);
    if (group * 8u < push.columns) decodeValues(0u, row, group, push.columns, low, high);
    const uint exponent = exponentOf(low, high);
    if (exponent > weightTop + ROOM) atomicMax(sharedTops[0], exponent);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    weightTile[at] = f16vec4(low * scaleOf(weightTop));
    weightTile[at + 1u] = f16vec4(high * scaleOf(weightTop));
}

void stageX(uint place, uint base, uint group) {
    vec4 low;
    vec4 high;
    loadX(base, group * 8u, low, high);
    const uint exponent = exponentOf(low, high);
    if (exponent > xTop + ROOM) atomicMax(sharedTops[1], exponent);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    xTile[at] = f16vec4(low * scaleOf(xTop));
    xTile[at + 1u] = f16vec4(high * scaleOf(xTop));
}

void stageTiles(uint firstRow, uint firstToken, uint step32) {
    for (uint i = gl_LocalInvocationID.x; i < TILE_ROWS * 4u; i += gl_WorkGroupSize.x) {
        // Rows behind the last repeat it and are not stored.
        const uint row = min(firstRow + i / 4u, push.rows - 1u);
        stageWeights(i, row * push.rowBytes, step32 * 4u + (i & 3u));
    }
    for (uint i = gl_LocalInvocationID.x; i < TILE_TOKENS * 4u; i += gl_WorkGroupSize.x) {
        const uint token = min(firstToken + i / 4u, push.tokens - 1u);
        const uint base = push.xOffset + gatheredRow(push.gatherOffset, token) * push.xStride;
        stageX(i, base, step32 * 4u + (i & 3u));
    }
}

// Takes up what staging found; returns what sums so far have to be multiplied by, 1 where nothing has changed.
float newScales() {
    const uint before = weightTop + xTop;
    weightTop = min(sharedTops[0], 253u);
    xTop = min(sharedTops[1], 253u);
    const uint risen = weightTop + xTop - before;
    return risen > 126u ? 0.0 : powerOf(127u - risen);
}

// One scale after the other: their product may be out of the range of floats where the sum is not.
float unscaled(float sum) {
    return sum * powerOf(weightTop - HEIGHT) * powerOf(xTop - HEIGHT);
}
