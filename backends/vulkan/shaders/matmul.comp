// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// Rows of weights times many rows of x: tiles of both pass through shared memory 32 columns at a time, so that a
// weight is decoded once for all tokens of a tile. Experts (routing) are not for this shader.
// Constants: 0 local size = (tile rows / rows of a thread) × (tile tokens / tokens of a thread), 1 TYPE, 2 rows
// and 3 tokens of a tile, 4 rows and 5 tokens of a thread.
// Grid: x, z tiles of rows, number x + z × x groups; y tiles of tokens.
// Shared memory, bytes: 144 × (rows + tokens of a tile), FP16 88 × (rows + tokens), INT8 68 × rows + 56 × tokens.
// INT8: x is what quantise.comp makes; quantised types only.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint TYPE = 0;
layout(constant_id = 2) const uint TILE_ROWS = 32;
layout(constant_id = 3) const uint TILE_TOKENS = 32;
layout(constant_id = 4) const uint THREAD_ROWS = 4;
layout(constant_id = 5) const uint THREAD_TOKENS = 4;

#include "product.glsl"
#include "weights.glsl"

const uint ROWS_APART = TILE_ROWS / THREAD_ROWS;
const uint TOKENS_APART = TILE_TOKENS / THREAD_TOKENS;

// Of one invocation; rows of a thread lie ROWS_APART apart, so that neighbours read different banks.
float sums[THREAD_ROWS * THREAD_TOKENS];

// Each tile_*.glsl has stageWeights(place of a group of eight in the tile, byte of the row, group of the row),
// stageX(place, row of x, group) and addTile(), which adds the products of the 32 columns to the sums.
#if defined(INT8)
#include "int8_dot.glsl"
#include "tile_int8.glsl"
#elif defined(FP16)
#include "tile_fp16.glsl"
#else
#include "tile_fp32.glsl"
#endif

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

void main() {
    const uint firstRow = (gl_WorkGroupID.x + gl_WorkGroupID.z * gl_NumWorkGroups.x) * TILE_ROWS;
    const uint firstToken = gl_WorkGroupID.y * TILE_TOKENS;
    if (firstRow >= push.rows || firstToken >= push.tokens) return;

    [[unroll]] for (uint i = 0u; i < THREAD_ROWS * THREAD_TOKENS; ++i)
        sums[i] = 0.0;
    const uint rowInTile = gl_LocalInvocationID.x % ROWS_APART;
    const uint tokenInTile = gl_LocalInvocationID.x / ROWS_APART;
    const uint steps = (push.columns + 31u) / 32u;
    for (uint step32 = 0u; step32 < steps; ++step32) {
        stageTiles(firstRow, firstToken, step32);
        barrier();
        addTile(rowInTile, tokenInTile);
        barrier();
    }

    [[unroll]] for (uint t = 0u; t < THREAD_TOKENS; ++t) {
        const uint token = firstToken + tokenInTile + t * TOKENS_APART;
        [[unroll]] for (uint r = 0u; r < THREAD_ROWS; ++r) {
            const uint row = firstRow + rowInTile + r * ROWS_APART;
            if (row >= push.rows || token >= push.tokens) continue;
            const float value = activated(push.activation, withBias(sums[t * THREAD_ROWS + r], row));
            storeProduct(push.outOffset + token * push.outStride + row, value);
        }
    }
}
