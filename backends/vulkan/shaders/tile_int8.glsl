// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Tiles of packed bytes: 68 bytes for each row, 56 for each token. x is what quantise.comp makes; quantised types
// only. Part of matmul.comp.

// Words of 32 columns; the ninth keeps rows off each other's banks.
const uint TILE_STRIDE = 9u;
shared int weightTile[TILE_ROWS * TILE_STRIDE];
shared vec2 weightScales[TILE_ROWS * 4u];
shared int xTile[TILE_TOKENS * TILE_STRIDE];
shared float xScales[TILE_TOKENS];
// Scale × sum of eight bytes: what an offset is multiplied with.
shared float xSums[TILE_TOKENS * 4u];

void stageWeights(uint place, uint row, uint group) {
    const Group coded = decodeGroup(0u, row, group);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    weightTile[at] = coded.low;
    weightTile[at + 1u] = coded.high;
    weightScales[place] = vec2(coded.scale, coded.offset);
}

void stageX(uint place, uint base, uint group) {
    const uint from = base + group / 4u * FORM_WORDS;
    const int low = int(arenaWords[from + (group & 3u) * 2u]);
    const int high = int(arenaWords[from + (group & 3u) * 2u + 1u]);
    const float scale = arenaAt(from + FORM_SCALE);
    const uint at = (place / 4u) * TILE_STRIDE + (place & 3u) * 2u;
    xTile[at] = low;
    xTile[at + 1u] = high;
    xSums[place] = scale * float(sumOfBytes(low) + sumOfBytes(high));
    if ((place & 3u) == 0u) xScales[place / 4u] = scale;
}

ivec2 rowBytes[THREAD_ROWS];
vec2 rowScales[THREAD_ROWS];

void addGroup(uint token, uint t, uint group) {
    const uint at = token * TILE_STRIDE + group * 2u;
    const ivec2 x = ivec2(xTile[at], xTile[at + 1u]);
    const float scale = xScales[token];
    const float sum = xSums[token * 4u + group];
    [[unroll]] for (uint r = 0u; r < THREAD_ROWS; ++r) {
        const int products = dotBytes(rowBytes[r].x, x.x) + dotBytes(rowBytes[r].y, x.y);
        sums[t * THREAD_ROWS + r] += rowScales[r].x * (scale * float(products)) + rowScales[r].y * sum;
    }
}

void addTile(uint rowInTile, uint tokenInTile) {
    for (uint group = 0u; group < 4u; ++group) {
        [[unroll]] for (uint r = 0u; r < THREAD_ROWS; ++r) {
            const uint row = rowInTile + r * ROWS_APART;
            const uint at = row * TILE_STRIDE + group * 2u;
            rowBytes[r] = ivec2(weightTile[at], weightTile[at + 1u]);
            rowScales[r] = weightScales[row * 4u + group];
        }
        [[unroll]] for (uint t = 0u; t < THREAD_TOKENS; ++t)
            addGroup(tokenInTile + t * TOKENS_APART, t, group);
    }
}
