// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Tiles of floats: 144 bytes for each row and each token. Part of matmul.comp.

// In vectors of four columns; the ninth keeps rows off each other's banks.
const uint TILE_STRIDE = 9u;
shared vec4 weightTile[TILE_ROWS * TILE_STRIDE];
shared vec4 xTile[TILE_TOKENS * TILE_STRIDE];

void stageWeights(uint place, uint row, uint group) {
    vec4 low = vec4(0.0);
    vec4 high = vec4(0.0);
    if (group * 8u < push.columns) decodeValues(0u, row, group, push.columns, low, high);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    weightTile[at] = low;
    weightTile[at + 1u] = high;
}

void stageX(uint place, uint base, uint group) {
    vec4 low;
    vec4 high;
    loadX(base, group * 8u, low, high);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    xTile[at] = low;
    xTile[at + 1u] = high;
}

vec4 rowValues[THREAD_ROWS];

void addTile(uint rowInTile, uint tokenInTile) {
    for (uint column = 0u; column < 8u; ++column) {
        [[unroll]] for (uint r = 0u; r < THREAD_ROWS; ++r)
            rowValues[r] = weightTile[(rowInTile + r * ROWS_APART) * TILE_STRIDE + column];
        [[unroll]] for (uint t = 0u; t < THREAD_TOKENS; ++t) {
            const vec4 x = xTile[(tokenInTile + t * TOKENS_APART) * TILE_STRIDE + column];
            [[unroll]] for (uint r = 0u; r < THREAD_ROWS; ++r)
                sums[t * THREAD_ROWS + r] += dot(rowValues[r], x);
        }
    }
}
