// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: GGUF Loader contributors
//
// What matmul.comp does, by the matrix units of a device: tiles of half precision go through shared memory 32 columns
// at a time, each subgroup multiplies its part of them, and sums are floats.
// Constants: 0 local size, at least subgroups × the largest subgroup; 1 TYPE; 2 rows and 3 tokens of a tile, 4 rows
// and 5 tokens of a subgroup, 6 rows, 7 tokens and 8 columns of one multiplication. 4 and 5 divide 2 and 3, 6 and 7
// divide 4 and 5, and 8 divides 32.
// Grid: x, z tiles of rows, number x + z × x groups; y tiles of tokens.
// Shared memory, bytes: 80 × (rows + tokens of a tile) + 4 × 6 × 7 × subgroups + 8.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint TYPE = 0;
layout(constant_id = 2) const uint TILE_ROWS = 64;
layout(constant_id = 3) const uint TILE_TOKENS = 64;
layout(constant_id = 4) const uint PART_ROWS = 32;
layout(constant_id = 5) const uint PART_TOKENS = 32;
layout(constant_id = 6) const uint ROWS = 16;
layout(constant_id = 7) const uint TOKENS = 16;
layout(constant_id = 8) const uint COLUMNS = 16;

#include "product.glsl"
#include "weights.glsl"
#include "tile_matrix.glsl"

const uint PARTS_DOWN = TILE_ROWS / PART_ROWS;
const uint PARTS = PARTS_DOWN * (TILE_TOKENS / PART_TOKENS);
const uint BLOCKS_DOWN = PART_ROWS / ROWS;
const uint BLOCKS_ACROSS = PART_TOKENS / TOKENS;

shared float finished[PARTS * ROWS * TOKENS];

// The sums of this subgroup's part; where a device has more subgroups than parts, the others only decode.
coopmat<float, gl_ScopeSubgroup, ROWS, TOKENS, gl_MatrixUseAccumulator> sums[BLOCKS_DOWN * BLOCKS_ACROSS];

void rescaleSums(float factor) {
    [[unroll]] for (uint i = 0u; i < BLOCKS_DOWN * BLOCKS_ACROSS; ++i)
        sums[i] = sums[i] * factor;
}

void addTile(uint row, uint token) {
    [[unroll]] for (uint column = 0u; column < 32u; column += COLUMNS) {
        coopmat<float16_t, gl_ScopeSubgroup, ROWS, COLUMNS, gl_MatrixUseA> weights[BLOCKS_DOWN];
        [[unroll]] for (uint r = 0u; r < BLOCKS_DOWN; ++r)
            coopMatLoad(weights[r], weightTile, (row + r * ROWS) * TILE_STRIDE + column / 4u, TILE_STRIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint t = 0u; t < BLOCKS_ACROSS; ++t) {
            coopmat<float16_t, gl_ScopeSubgroup, COLUMNS, TOKENS, gl_MatrixUseB> x;
            coopMatLoad(x, xTile, (token + t * TOKENS) * TILE_STRIDE + column / 4u, TILE_STRIDE,
                        gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint r = 0u; r < BLOCKS_DOWN; ++r)
                sums[t * BLOCKS_DOWN + r] = coopMatMulAdd(weights[r], x, sums[t * BLOCKS_DOWN + r]);
        }
    }
}

// One block of sums as floats in shared memory: its rows and tokens begin at these.
void storeBlock(uint first, uint firstRow, uint firstToken) {
    for (uint i = gl_SubgroupInvocationID; i < ROWS * TOKENS; i += gl_SubgroupSize) {
        const uint row = firstRow + i % ROWS;
        const uint token = firstToken + i / ROWS;
        if (row >= push.rows || token >= push.tokens) continue;
        const float value = activated(push.activation, withBias(unscaled(finished[first + i]), row));
        storeProduct(push.outOffset + token * push.outStride + row, value);
    }
}

void main() {
    const uint firstRow = (gl_WorkGroupID.x + gl_WorkGroupID.z * gl_NumWorkGroups.x) * TILE_ROWS;
    const uint firstToken = gl_WorkGroupID.y * TILE_TOKENS;
    if (firstRow >= push.rows || firstToken >= push.tokens) return;

    const uint part = gl_SubgroupID;
    const uint row = part % PARTS_DOWN * PART_ROWS;
    const uint token = part / PARTS_DOWN * PART_TOKENS;
    [[unroll]] for (uint i = 0u; i < BLOCKS_DOWN * BLOCKS_ACROSS; ++i)
        sums[i] = coopmat<float, gl_ScopeSubgroup, ROWS, TOKENS, gl_MatrixUseAccumulator>(0.0);
    clearScales();
    const uint steps = (push.columns + 31u) / 32u;
    for (uint step32 = 0u; step32 < steps; ++step32) {
        bool fits = false;
        while (!fits) {
            stageTiles(firstRow, firstToken, step32);
            barrier();
            // Some value may be too large for the scales so far: that is so in the first step and seldom later, and
            // then all fit the next time.
            const float factor = newScales();
            fits = factor == 1.0;
            if (!fits) rescaleSums(factor);
        }
        if (part < PARTS) addTile(row, token);
        barrier();
    }

    [[unroll]] for (uint t = 0u; t < BLOCKS_ACROSS; ++t) {
        [[unroll]] for (uint r = 0u; r < BLOCKS_DOWN; ++r) {
            const uint first = part * ROWS * TOKENS;
            if (part < PARTS)
                coopMatStore(sums[t * BLOCKS_DOWN + r], finished, first, ROWS,
                             gl_CooperativeMatrixLayoutColumnMajor);
            barrier();
            if (part < PARTS)
                storeBlock(first, firstRow + row + r * ROWS, firstToken + token + t * TOKENS);
            barrier();
        }
    }
}
